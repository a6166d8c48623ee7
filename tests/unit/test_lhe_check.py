"""`ampcli check` finds what is wrong in event files, and nothing else."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest
from backports import zstd
from lhe_pieces import FOLDER, piece, with_line

from ampcli.cli.main import run
from ampcli.errors import AmpcliError, UsageError
from ampcli.events.check.amplitudes import Amplitudes
from ampcli.events.check.couplings import Couplings
from ampcli.events.check.findings import Findings, checks_named
from ampcli.events.check.report import report
from ampcli.events.check.run import check_file
from ampcli.events.check.sums import named_weights
from ampcli.events.exact import Choice
from ampcli.events.lhe.blocks import EventBlocks
from ampcli.events.lhe.records import parse_event
from ampcli.phasespace.running_coupling import Running, running_alpha_s


def found(tmp_path, text, name="damaged.lhe", **choice):
    """(check, events) of faults, and the whole document."""
    (tmp_path / name).write_bytes(text)
    checked = check_file(tmp_path / name, Choice("none"), **choice)
    document = json.loads(json.dumps(checked.document, allow_nan=False))
    faults = {(f["check"], *f["events"]) for f in document["findings"] if f["wrong"]}
    assert document["sound"] == (not faults)
    return faults, document


def words_at(place, value):
    """Changes one word of a line."""

    def change(words):
        return [value if at == place else word for at, word in enumerate(words)]

    return change


def larger(place, factor):
    """Changes one number of a line."""

    def change(words):
        return [b"%.11e" % (float(word) * factor) if at == place else word for at, word in enumerate(words)]

    return change


SOUND = ["powheg-zj", "powheg-trijet", "pythia-weakbosons", "whizard-eeww"]


@pytest.mark.parametrize("name", SOUND)
def test_nothing_is_wrong_with_sound_files(tmp_path, name):
    faults, document = found(tmp_path, piece(name))
    assert faults == set()
    assert document["events"] == piece(name).count(b"</event>")
    assert found(tmp_path, gzip.compress(piece(name)), "a.lhe.gz")[0] == set()


def test_what_is_wrong_with_files_as_they_are(tmp_path):
    """Sherpa writes no colours and a cross section of 1 pb; a part of a file lacks the rest; one has odd weights."""
    assert found(tmp_path, piece("sherpa-eejets"))[0] == {("colours", *range(8)), ("sections",)}
    assert found(tmp_path, piece("madgraph-z"))[0] == {("sections",)}
    faults, document = found(tmp_path, piece("amcatnlo-wbj"))
    assert faults == {("weights", 0)}
    assert document["findings"][0]["example"] == "12"
    assert found(tmp_path, piece("sherpa-eejets"), skipped=("colours", "sections"))[0] == set()


#: What is done to which file, and what is found: the check and the events.
DAMAGED = {
    "wrong colour line": ("pythia-weakbosons", 3, 1, words_at(4, b"109"), {("colours", 3)}),
    "quark without colour": ("powheg-zj", 2, 1, words_at(4, b"0"), {("colours", 2)}),
    "colours exchanged": ("powheg-zj", 0, 7, lambda w: [*w[:4], w[5], w[4], *w[6:]], {("colours", 0)}),
    "singlet gluon": ("powheg-zj", 0, 7, words_at(5, b"511"), {("colours", 0)}),
    "momentum off": ("powheg-trijet", 1, 5, lambda w: larger(9, 1.001)(larger(8, 1.001)(larger(7, 1.001)(
        larger(6, 1.001)(w)))), {("momentum", 1)}),
    "swapped beams": ("pythia-weakbosons", 5, 1, larger(8, -1.0), {("beams", 5), ("momentum", 5)}),
    "wrong alpha_s": ("pythia-weakbosons", 7, 0, larger(5, 1.02), {("alpha_s", 7)}),
    "no alpha_s": ("powheg-zj", 2, 0, words_at(5, b"0."), {("alpha_s", 2)}),
    "off shell": ("whizard-eeww", 1, 3, larger(10, 1.0001), {("shells", 1)}),
    "energy off": ("powheg-zj", 3, 4, larger(9, 1.0001), {("momentum", 3), ("shells", 3), ("mothers", 3)}),
    "mothers that are not there": ("powheg-zj", 4, 4, words_at(2, b"12"), {("mothers", 4)}),
    "own mother": ("powheg-zj", 4, 3, lambda w: [*w[:2], b"3", b"3", *w[4:]], {("mothers", 4)}),
    "stable mother": ("powheg-zj", 4, 5, lambda w: [*w[:2], b"6", b"6", *w[4:]], {("mothers", 4)}),
    "wrong mother": ("pythia-weakbosons", 6, 5, words_at(2, b"4"), {("mothers", 6), ("colours", 6)}),
    "no mothers": ("whizard-eeww", 0, 4, lambda w: [*w[:2], b"0", b"0", *w[4:]], {("mothers", 0)}),
    "NaN weight": ("powheg-zj", 5, 0, words_at(2, b"nan"), {("weights", 5)}),
    "unequal weight": ("whizard-eeww", 3, 0, words_at(2, b"1.1"), {("weights", 3)}),
    "negative weight": ("pythia-weakbosons", 8, 0, words_at(2, b"-1."), {("weights", 8)}),
    "unknown subprocess": ("pythia-weakbosons", 9, 0, words_at(1, b"9998"), {("weights", 9)}),
    "scale": ("powheg-trijet", 2, 0, words_at(3, b"8.1e3"), {("scales", 2)}),
    "scale of nothing": ("powheg-trijet", 2, 0, words_at(3, b"NaN"), {("scales", 2)}),
    "NaN momentum": ("powheg-zj", 1, 6, words_at(7, b"nan"), {("momentum", 1)}),
    "another flavour": ("powheg-zj", 0, 1, words_at(0, b"1"), {("charges", 0)}),
    "lepton from a proton": ("powheg-zj", 0, 1, words_at(0, b"11"), {("beams", 0), ("charges", 0), ("colours", 0)}),
    "torn line": ("pythia-weakbosons", 2, 4, lambda w: w[:9], {("file", 2)}),
    "status": ("whizard-eeww", 0, 3, words_at(1, b"7"), {("mothers", 0), ("momentum", 0), ("charges", 0)}),
}  # fmt: skip


@pytest.mark.parametrize(("name", "event", "line", "change", "expected"), DAMAGED.values(), ids=DAMAGED.keys())
def test_what_is_damaged_is_found_and_nothing_else(tmp_path, name, event, line, change, expected):
    damaged = with_line(piece(name), event, line, change)
    assert damaged != piece(name)
    faults, _ = found(tmp_path, damaged)
    assert faults == expected


WHOLE = {
    "weight sum": ("powheg-zj", lambda t: t.replace(b"1.41997E+02", b"2.91997E+02"), {("sections",)}),
    "wrong cross section": ("powheg-zj", lambda t: t.replace(b"  1.41939E+02", b"  1.41939E+03"), {("sections",)}),
    "beams of <init>": (
        "whizard-eeww", lambda t: t.replace(b" -11 11  2.5", b" 11 -11  2.5"), {("beams", 0, 1, 2, 3)}
    ),
    "energy of <init>": (
        "whizard-eeww", lambda t: t.replace(b"2.5000000000E+02  2.5000000000E+02 -1", b"2.4E+02  2.4E+02 -1"),
        {("beams", 0, 1, 2, 3), ("scales", 0, 1, 2, 3)},
    ),
    "truncated": ("powheg-zj", lambda t: t[: t.rindex(b"</event>") - 100], {("file",)}),
    "without its end": ("powheg-zj", lambda t: t.replace(b"</LesHouchesEvents>", b""), {("file",)}),
    "without <init>": ("powheg-trijet", lambda t: t.replace(b"init>", b"sinit>"), {("file",)}),
    "truncated zstd": ("powheg-zj", lambda t: zstd.compress(t)[:-30], {("file",)}),
    "truncated gzip": ("powheg-zj", lambda t: gzip.compress(t)[:-30], {("file",)}),
    "named weight": ("amcatnlo-wbj", lambda t: t.replace(b"0.45746E+02", b"Infinity", 1), {("weights", 0)}),
}  # fmt: skip


@pytest.mark.parametrize(("name", "damage", "expected"), WHOLE.values(), ids=WHOLE.keys())
def test_damage_to_the_whole_file(tmp_path, name, damage, expected):
    assert found(tmp_path, damage(piece(name)))[0] == expected


def with_sections(text, events):
    """The MadGraph piece, whose <init> states what its events add up to, but for one subprocess."""
    head, rest = text.split(b"<init>\n")
    lines = rest.split(b"</init>\n")[0].split(b"\n")[:4]
    weight = 0.37513
    for place, kind in enumerate((3, 2, 1), start=1):
        lines[place] = b"%.10e 1e-3 %.10e %d" % (weight * events[kind], weight, kind)
    return head + b"<init>\n" + b"\n".join(lines) + b"\n</init>\n" + rest.split(b"</init>\n")[1]


def test_cross_sections_of_subprocesses(tmp_path):
    head, *blocks = piece("madgraph-z").split(b"<event>")
    text = b"<event>".join([head, *[b.replace(b"</LesHouchesEvents>\n", b"") for b in blocks] * 10])
    text += b"</LesHouchesEvents>\n"
    events = {kind: text.count(b" %d  0.3751300E+00" % kind) for kind in (1, 2, 3)}
    assert sum(events.values()) == 140
    faults, document = found(tmp_path, with_sections(text, events))
    assert faults == set()
    assert document["normalisation"] == "weights add up to the cross section"
    by_kind = {row["id"]: row for row in document["subprocesses"]}
    for kind, number in events.items():
        assert by_kind[kind]["events"] == number
        assert by_kind[kind]["cross_section"] == pytest.approx(0.37513 * number, rel=1e-9)
    wrong = {1: 10, 2: 60, 3: 70}
    assert found(tmp_path, with_sections(text, wrong))[0] == {("sections",)}


def test_files_after_each_other(tmp_path):
    """Twice the events have twice the sum of weights."""
    events = {kind: piece("madgraph-z").count(b" %d  0.3751300E+00" % kind) for kind in (1, 2, 3)}
    number = sum(events.values())
    once = with_sections(piece("madgraph-z"), events)
    faults, document = found(tmp_path, once + once)
    assert faults == set()
    assert document["events"] == 2 * number
    assert document["normalisation"] == "weights add up to the cross section"
    assert sum(row["cross_section"] for row in document["subprocesses"]) == pytest.approx(0.37513 * number)
    assert document["findings"][0]["what"] == "several files after each other: the first <init> is taken for all"


def test_named_weights():
    block = b"1 2\n<rwgt>\n<wgt id='1'> 1.5 </wgt><wgt id='2'>\n-2D0 </wgt>\n</rwgt><weights> 1 nonsense </weights>"
    assert named_weights(block) == [1.5, -2.0, 1.0, None]


@pytest.mark.parametrize(
    "running", [Running(), Running(loops=2), Running(loops=2, thresholds=(1.5, 4.75, 173.0), flavours=6)]
)
def test_alpha_s_is_followed_along_its_running(running):
    """Values of the running coupling, one of them with that of another scale."""
    text = piece("whizard-eeww").split(b"<event>")[1].split(b"</event>")[0]
    event = parse_event(text, 0, "")
    scales = np.geomspace(10.0, 400.0, 30)
    alphas = running_alpha_s(scales, 0.121, running)
    alphas[17] = alphas[3]
    findings = Findings()
    couplings = Couplings(None, findings)
    for number, (scale, alpha) in enumerate(zip(scales, alphas, strict=True)):
        couplings.add(type(event)(number, 1, 1.0, scale, -1.0, alpha, event.particles), b"<event>")
    couplings.conclude()
    assert [(f.check, f.events) for f in findings.wrong] == [("alpha_s", [17])]
    assert couplings.alpha_s.startswith("runs from 0.12")


@pytest.mark.parametrize(("share", "said"), [(None, "91 GeV"), (0.5, "H_T x 0.5")])
def test_scales_that_do_not_follow_the_others_are_noted(share, said):
    """Eleven events at 91 GeV, or at a share of H_T; then a twelfth."""
    findings = Findings()
    couplings = Couplings(None, findings)
    for number, block in enumerate(EventBlocks(FOLDER / "pythia-weakbosons.lhe")):
        event = parse_event(block, number, "")
        final = [p.momentum for p in event.particles if p.status == 1]
        height = sum(np.sqrt(e**2 - z**2) for e, _, _, z in final)
        scale = (91.0 if share is None else share * height) * (1.1 if number == 4 else 1.0)
        couplings.add(type(event)(number, 1, 1.0, scale, -1.0, -1.0, event.particles), b"<event>")
    couplings.conclude()
    assert findings.wrong == []
    assert [(f.check, f.events) for f in findings.notes] == [("scales", [4])]
    assert (couplings.scale, couplings.alpha_s) == (said, "not stated")


def test_a_scale_above_the_energy_of_the_partons_is_noted(tmp_path):
    text = with_line(piece("powheg-zj"), 0, 0, words_at(3, b"300."))
    faults, document = found(tmp_path, text)
    assert faults == set()
    assert [(f["check"], f["events"], f["wrong"]) for f in document["findings"]] == [("scales", [0], False)]


def test_amplitudes_are_those_of_the_provider(tmp_path):
    """Of Sherpa's events; the mean over e- e+ > c c~ is that of events taken one by one."""
    from ampcli.amplitudes.native.provider import Native
    from ampcli.process import parse_process

    checked = check_file(FOLDER / "sherpa-eejets.lhe", Choice("native"))
    rows = {row["process"]: row for row in checked.document["processes"]}
    assert sum(row["events"] for row in rows.values()) == sum(row["amplitudes"] for row in rows.values()) == 8
    process = parse_process("e- e+ > c c~")
    # |M|^2 of q q~ depends on cos(theta) alone
    cosines = []
    for number, block in enumerate(EventBlocks(FOLDER / "sherpa-eejets.lhe")):
        particles = parse_event(block, number, "").particles
        if [p.pdg for p in particles] == [11, -11, 4, -4]:
            cosines.append(particles[2].momentum[3] / particles[2].momentum[0])
    cosine = np.array(cosines)
    sine = np.sqrt(1 - cosine**2)
    momenta = np.zeros((len(cosine), 4, 4))
    momenta[:, :, 0] = 22.0
    momenta[:, 0, 3], momenta[:, 1, 3] = 22.0, -22.0
    momenta[:, 2, 1], momenta[:, 2, 3] = 22.0 * sine, 22.0 * cosine
    momenta[:, 3, 1:] = -momenta[:, 2, 1:]
    values = Native(process).evaluate(momenta)
    row = rows["e- e+ > c c~"]
    assert (row["events"], row["mean"]) == (len(cosine), pytest.approx(values.mean(), rel=1e-7))
    assert (row["smallest"], row["largest"]) == pytest.approx((values.min(), values.max()), rel=1e-7)


def test_amplitudes_that_there_are_not_have_their_reason():
    rows = check_file(FOLDER / "powheg-trijet.lhe", Choice("native")).document["processes"]
    assert sum(row["amplitudes"] for row in rows) == 3
    reasons = [(why, count) for row in rows for why, count in row["not_computed"].items()]
    assert reasons == [("c~ is off its mass shell by more than rounding explains", 1)]
    moved = check_file(FOLDER / "powheg-trijet.lhe", Choice("native", on_shell=True)).document["processes"]
    assert sum(row["amplitudes"] for row in moved) == 4


def test_batches_of_any_size_give_the_same_numbers(monkeypatch):
    found = []
    for batch, most in ((4096, 65536), (2, 65536), (4096, 3)):
        monkeypatch.setattr("ampcli.events.check.amplitudes._BATCH", batch)
        monkeypatch.setattr("ampcli.events.check.amplitudes._MOST_PENDING", most)
        found.append(check_file(FOLDER / "sherpa-eejets.lhe", Choice("native")).document)
    assert found[0] == found[1] == found[2]


def test_processes_beyond_number_are_counted_together(monkeypatch):
    monkeypatch.setattr("ampcli.events.check.amplitudes._MOST_KINDS", 2)
    amplitudes = Amplitudes(Choice("native"), Findings())
    for number, block in enumerate(EventBlocks(FOLDER / "sherpa-eejets.lhe")):
        amplitudes.add(parse_event(block, number, ""))
    assert amplitudes.rows()[1]["not_computed"]["more than 2 processes"] == 3
    assert [row["process"] for row in amplitudes.rows()] == ["e- e+ > c c~", "others", "e- e+ > c c~ g"]


def test_choices():
    with pytest.raises(UsageError, match="no parameter"):
        Choice("auto", {"nonsense": 1.0}).require_possible()
    with pytest.raises(UsageError, match="fixed parameters"):
        Choice("pyamplicol", {"m_z": 91.0}).require_possible()
    with pytest.raises(UsageError, match="no check"):
        checks_named(["colour"])
    assert checks_named(["weights", "colours"]) == ["colours", "weights"]


def test_the_command(tmp_path, capsys):
    assert run(["check", str(FOLDER / "whizard-eeww.lhe"), "--provider", "none"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "nothing is wrong" in said.out
    assert "e- e+ > w+ w-" in said.out
    damaged = tmp_path / "a.lhe"
    damaged.write_bytes(with_line(piece("whizard-eeww"), 2, 0, words_at(2, b"inf")))
    assert run(["check", str(damaged), "--provider", "none", "--json"]) == 3
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert [(f["check"], f["events"]) for f in document["findings"]] == [("weights", [2])]
    assert "event 2: a weight is not finite" in said.err
    assert run(["check", str(damaged), "--provider", "none", "--skip", "weights"]) == 0
    capsys.readouterr()
    assert run(["check", str(tmp_path / "none.lhe")]) == 4
    assert run(["check", str(damaged), "--provider", "nonsense"]) == 2
    assert "nonsense" in capsys.readouterr().err


def test_seeded_damage_is_reported_whatever_it_is(tmp_path):
    """Bytes changed, lost or put in, and absurd numbers: a report or a clear error, and JSON without NaN."""
    words = (
        b"1e200",
        b"-1e308",
        b"nan",
        b"1e400",
        b"999999999999999999",
        b"-5",
        b"0",
        b"<event>",
        b"<!--",
        b"\n",
        b"''",
    )
    rng = np.random.default_rng(13)
    names = [*SOUND, "sherpa-eejets", "madgraph-z", "amcatnlo-wbj"]
    wrong = refused = 0
    for trial in range(350):
        text = piece(names[trial % len(names)])
        at = int(rng.integers(len(text)))
        match rng.integers(4):
            case 0:
                text = text[:at] + bytes([text[at] ^ 1 << int(rng.integers(8))]) + text[at + 1 :]
            case 1:
                text = text[:at] + text[at + int(rng.integers(1, 300)) :]
            case _:
                at = text.find(b" ", at)
                end = text.find(b" ", at + 1)
                text = text[: at + 1] + words[rng.integers(len(words))] + text[end if rng.integers(4) else at :]
        (tmp_path / "a.lhe").write_bytes(text)
        try:
            checked = check_file(tmp_path / "a.lhe", Choice("native", on_shell=bool(rng.integers(2))))
        except AmpcliError:
            refused += 1
            continue
        json.dumps(checked.document, allow_nan=False)
        assert report(checked)
        wrong += bool(checked.findings.wrong)
    assert wrong > 200
    assert refused < 20
