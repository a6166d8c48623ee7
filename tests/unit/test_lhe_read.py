"""Les Houches event files as generators write them, and as nobody should."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import numpy as np
import pytest
from backports import zstd

from ampcli.cli.main import run
from ampcli.errors import AmpcliError, IntegrityError, NotFoundError, UsageError
from ampcli.events.files import expected_rows, open_events
from ampcli.events.intake import Intake
from ampcli.events.lhe.blocks import EventBlocks
from ampcli.events.lhe.read import LheEvents
from ampcli.events.lhe.records import read_table
from ampcli.events.served import Served
from ampcli.kinematics import with_beams
from ampcli.phasespace.rambo import rambo
from ampcli.process import parse_process
from ampcli.store.reader import open_store

PROCESS = parse_process("e- e+ > d d~ g")
CODES = (11, -11, 1, -1, 21)
HEAD = b'<LesHouchesEvents version="1">\n<header>\n</header>\n<init>\n11 -11 5e2 5e2 0 0 0 0 3 1\n1. 1. 1 1\n</init>\n'
END = b"</LesHouchesEvents>\n"


def event(momenta, codes=CODES, weight=1.0, masses=(0.0,) * 5, digits=16, extra="", tag="<event>", nup=None):
    """The text of an event with momenta (legs, 4)."""
    lines = [f"{tag}\n{len(codes) if nup is None else nup} 1 {weight:.10e} 91.188 7.5e-3 0.118"]
    for place, (code, (e, x, y, z), mass) in enumerate(zip(codes, momenta, masses, strict=True)):
        numbers = " ".join(f"{value:.{digits}e}" for value in (x, y, z, e, mass))
        lines.append(f"{code} {-1 if place < 2 else 1} 0 0 0 0 {numbers} 0. 9.")
    return ("\n".join(lines) + f"\n{extra}</event>\n").encode()


@pytest.fixture(scope="module")
def momenta():
    rng = np.random.default_rng(5)
    return with_beams(np.ascontiguousarray(rambo(rng.random((4, 3, 4)), 1000.0)), 1000.0)


@pytest.fixture(scope="module")
def events(momenta):
    return [event(p) for p in momenta]


@pytest.fixture
def taken(tmp_path):
    """Writes a file and takes it in: momenta, and the intake."""

    def take(content, name="events.lhe", process_only=False, **choice):
        (tmp_path / name).write_bytes(content)
        intake = Intake(open_events(tmp_path / name, PROCESS, process_only), (PROCESS,), **choice)
        return np.concatenate([batch.momenta for batch in intake.batches(3)]), intake

    return take


HEADERS = {
    "escape codes": b"\x1b[1;31m# note\x1b[1;0m",
    "ampersands": b"a & b < c <= d << e && f > g",
    "latin-1": "Grüße aus Zürich".encode("latin-1"),
    "unbalanced tags": b"<slha>\n<MGRunCard>\n<b>\n</i>\n<-- arrow",
    "events in comments": b"<!-- <event>\n5 1\n</event>\n\n<event>\n-->",
    "events in CDATA": b"<![CDATA[\n<event>\n</event>\n</header> ]]>",
    "events in the header": b"each block starts with\n<event>\nand ends with\n</event>",
    "deep nesting": b"<a>" * 200_000 + b"</a>" * 200_000,
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS.keys())
@pytest.mark.parametrize("place", ["header", "outside"])
def test_headers_that_are_not_xml(taken, momenta, events, header, place):
    if place == "outside" and header == HEADERS["events in the header"]:
        header = b"each <event> starts with a line, and </event> ends it"
    mark = b"<header>\n" if place == "header" else b"<init>\n"
    content = HEAD.replace(mark, mark + header + b"\n" if place == "header" else header + b"\n" + mark)
    found, _ = taken(content + b"".join(events) + END)
    np.testing.assert_array_equal(found, momenta)


SKIPPABLE = b"\x50\x2a\x4d\x18\x02\x00\x00\x00ab"  # a frame that says nothing, as pzstd writes them

FORMS = {
    "CRLF": lambda text: text.replace(b"\n", b"\r\n"),
    "BOM": lambda text: b"\xef\xbb\xbf" + text,
    "one line between events": lambda text: text.replace(b"</event>\n<event>", b"</event><event>"),
    "indented": lambda text: text.replace(b"\n", b"\n   "),
    "blank lines": lambda text: text.replace(b"\n", b"\n\n"),
    "attributes": lambda text: text.replace(b"<event>", b"<event npLO=\" -1 \" note='a > b'\n trials='1'>"),
    "Fortran exponents": lambda text: text.replace(b"e+", b"D+").replace(b"e-0", b"d-0"),
    "hash lines": lambda text: text.replace(b"</event>", b"#aMCatNLO 1 6 2 0. 1.\n#rwgt 1 23 667.\n</event>"),
    "weights": lambda text: text.replace(
        b"</event>", b"<rwgt>\n<wgt id='1'> 1.0 </wgt>\n</rwgt>\n<scales a='1'>\n1 2\n</scales>\n</event>"
    ),
    "comments in events": lambda text: text.replace(b"</event>", b"<!-- </event> <event> -->\n</event>"),
    "gzip": gzip.compress,
    "gzip members": lambda text: gzip.compress(text[:1000]) + gzip.compress(text[1000:]),
    "zstd": zstd.compress,
    "zstd frames": lambda text: SKIPPABLE + zstd.compress(text[:1000]) + SKIPPABLE + zstd.compress(text[1000:]),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize("name", ["a.lhe", "A.LHE", "a.lhe.gz", "events.dat"])
def test_forms_of_sound_files(taken, momenta, events, form, name):
    found, intake = taken(form(HEAD + b"".join(events) + END), name)
    np.testing.assert_array_equal(found, momenta)
    assert intake.text == []


def test_files_after_each_other(taken, momenta, events):
    whole = HEAD + b"".join(events) + END
    for content in (whole + whole, gzip.compress(whole) * 2, zstd.compress(whole) * 2):
        found, _ = taken(content)
        np.testing.assert_array_equal(found, np.concatenate([momenta, momenta]))


def test_pieces_of_any_size_give_the_same_blocks(tmp_path, events, monkeypatch):
    (tmp_path / "a.lhe").write_bytes(HEAD + FORMS["comments in events"](FORMS["attributes"](b"".join(events))) + END)
    expected = list(EventBlocks(tmp_path / "a.lhe"))
    assert len(expected) == 4
    for size in (1, 7, 113, 1000):
        monkeypatch.setattr("ampcli.events.lhe.blocks._PIECE", size)
        assert list(EventBlocks(tmp_path / "a.lhe")) == expected


def test_a_file_without_its_end_is_taken_with_a_word(taken, momenta, events):
    found, intake = taken(HEAD + b"".join(events))
    np.testing.assert_array_equal(found, momenta)
    assert any("</LesHouchesEvents>" in line for line in intake.text)


def test_events_alike_are_read_as_tables(taken, momenta):
    """A comment makes `parse_event` read an event; the same numbers come out, of legs in any order."""
    turned = momenta[:, [0, 1, 4, 2, 3]]
    codes = [CODES[i] for i in (0, 1, 4, 2, 3)]
    pairs = list(zip(momenta, turned, strict=True))
    files = [
        b"".join(event(p, extra=extra) + event(q, codes, extra=extra) for p, q in pairs)
        for extra in ("", "# by hand\n")
    ]
    tables, parsed = (taken(HEAD + file + END)[0] for file in files)
    np.testing.assert_array_equal(tables, parsed)
    np.testing.assert_array_equal(tables, np.repeat(momenta, 2, axis=0))


@pytest.mark.parametrize("text", [b"1.2.3", b"1e400", b"21.5", b"2_1", b"21 21", b"# 21", b"nan"])
def test_what_is_no_table(momenta, text):
    block = event(momenta[0]).removeprefix(b"<event>\n").removesuffix(b"</event>\n")
    table = read_table(block)
    assert table is not None
    np.testing.assert_array_equal(table.particles[:, [9, 6, 7, 8]], momenta[0])
    assert read_table(block.replace(b"\n21 1", b"\n" + text + b" 1")) is None


def test_how_many_events_are_expected(tmp_path, momenta, events):
    for count, file in (2, HEAD + events[0] + events[1] + END), (1000, HEAD + events[2] * 1000 + END):
        (tmp_path / "a.lhe").write_bytes(file)
        assert expected_rows(open_events(tmp_path / "a.lhe", PROCESS)) == pytest.approx(count, rel=0.01)
    (tmp_path / "a.lhe").write_bytes(gzip.compress(file))
    assert expected_rows(open_events(tmp_path / "a.lhe", PROCESS)) is None


BROKEN = {
    "torn": (lambda text: text[: text.rindex(b"</event>")], "event 3 .* torn"),
    "torn before another": (lambda text: text.replace(b"</event>\n", b"", 1), "event 0 .* torn"),
    "open comment": (lambda text: text.replace(END, b"<!-- " + END), "never closed"),
    "fewer lines": (lambda text: text.replace(b"\n5 1 ", b"\n6 1 ", 1), "event 0 .* says that it has 6 particles"),
    "more lines": (lambda text: text.replace(b"\n5 1 ", b"\n4 1 ", 1), "event 0 .* says that it has 4 particles"),
    "billions": (lambda text: text.replace(b"\n5 1 ", b"\n1000000000 1 ", 1), "event 0"),
    "negative": (lambda text: text.replace(b"\n5 1 ", b"\n-1 1 ", 1), "event 0"),
    "infinite integer": (lambda text: text.replace(b"\n21 1 0", b"\n21 1 1e400", 1), "event 0 .* 6 integers"),
    "fraction": (lambda text: text.replace(b"\n11 -1 0", b"\n11.5 -1 0", 1), "event 0 .* 6 integers"),
    "long integer": (lambda text: text.replace(b"\n21 1 0", b"\n21 1 " + b"9" * 5000, 1), "event 0"),
    "underscore": (lambda text: text.replace(b" 0. 9.\n", b" 0. 1_0\n", 1), "event 0"),
    "stars": (lambda text: text.replace(b" 0. 9.\n", b" **** 9.\n", 1), "event 0"),
    "short line": (lambda text: text.replace(b" 0. 9.\n", b" 0.\n", 1), "event 0 .* 13 numbers"),
    "infinite weight": (lambda text: text.replace(b"5 1 1.0000000000e+00", b"5 1 inf", 1), "finite weight"),
    "empty": (lambda text: text.replace(END, b"<event>\n</event>\n"), "event 4 .* is empty"),
    "truncated gzip": (lambda text: gzip.compress(text)[:-40], "cannot be read"),
    "damaged gzip": (lambda text: b"\x1f\x8b\x08" + bytes(200), "cannot be read"),
    "truncated zstd": (lambda text: zstd.compress(text)[:-40], "cannot be read"),
    "damaged zstd": (lambda text: b"\x28\xb5\x2f\xfd" + b"\xff" * 200, "cannot be read"),
    "garbage after zstd": (lambda text: zstd.compress(text) + b"garbage", "cannot be read"),
}


@pytest.mark.parametrize(("damage", "said"), BROKEN.values(), ids=BROKEN.keys())
def test_damaged_files(taken, events, damage, said):
    with pytest.raises(IntegrityError, match=said):
        taken(damage(HEAD + b"".join(events) + END))


def test_an_endless_line_ends(tmp_path, events):
    with gzip.open(tmp_path / "a.lhe.gz", "wb", 1) as file:
        file.write(HEAD)
        for _ in range(160):
            file.write(b"x" * (1 << 20))
        file.write(b"\n" + b"".join(events))
    with pytest.raises(IntegrityError, match="too much without an event"):
        list(LheEvents(tmp_path / "a.lhe.gz", Served.exactly(PROCESS)).batches(10))


def test_seeded_damage_ends_in_clear_errors(taken, events):
    whole = HEAD + b"".join(events) + END
    words = (b"<event>", b"</event>", b"<!--", b"<![CDATA[", b"1e400", b"nan", b"-1", b"\x00", b'"', b"<", b"#", b"\n")
    rng = np.random.default_rng(7)
    refused = 0
    for trial in range(500):
        content = bytearray((zstd.compress, gzip.compress, bytes, bytes)[trial % 4](whole))
        at = int(rng.integers(len(content)))
        match rng.integers(4):
            case 0:
                content[at] ^= 1 << int(rng.integers(8))
            case 1:
                del content[at : at + int(rng.integers(1, 300))]
            case 2:
                content[at:at] = words[rng.integers(len(words))]
            case _:
                content[at:at] = content[at // 2 : at // 2 + int(rng.integers(1, 200))]
        try:
            taken(bytes(content), process_only=bool(rng.integers(2)), skip_bad=bool(rng.integers(2)))
        except AmpcliError:
            refused += 1
    assert refused > 200


def test_other_processes_are_named_and_counted(taken, momenta):
    up = (11, -11, 2, -2, 21)
    content = HEAD + event(momenta[0], up) + event(momenta[1]) + event(momenta[2], up) + event(momenta[3]) + END
    with pytest.raises(UsageError, match=r"event 0 \(from 0\) is 11 -11 > 2 -2 21, not e- e\+ > d d~ g") as refused:
        taken(content)
    assert "process_only" in str(refused.value)
    found, intake = taken(content, process_only=True)
    np.testing.assert_array_equal(found, momenta[[1, 3]])
    assert intake.document["other_processes"] == {"11 -11 > 2 -2 21": 2}
    assert (intake.document["taken"], intake.document["in_file"]) == (2, 4)
    with pytest.raises(UsageError, match=r"no event of e- e\+ > d d~ g, only 1 of 11 -11 > 2 -2 21"):
        taken(HEAD + event(momenta[0], up) + END, process_only=True)


def test_beams_and_legs_in_any_order(taken, momenta):
    order = [1, 0, 4, 3, 2]
    turned = momenta[0, order].copy()
    turned[:, 2:] *= -1.0  # half a turn about the x axis: the positron comes first, along +z
    found, _ = taken(HEAD + event(turned, [CODES[i] for i in order]) + END)
    np.testing.assert_array_equal(found[0], momenta[0])


@pytest.mark.parametrize(
    ("name", "mass", "words"),
    [("z", 91.1876, "--parameter m_z=91.1876"), ("t", 172.0, "t has 173 GeV"), ("b", 4.7, "b is massless")],
)
def test_other_masses_are_named(tmp_path, name, mass, words):
    process = parse_process(f"e- e+ > {name} {name if name == 'z' else name + '~'}")
    p = np.array([30.0, 40.0, 50.0])
    energy = np.sqrt(mass**2 + (p**2).sum())
    final = np.array([[energy, *p], [energy, *-p]])
    text = event(with_beams(final[None])[0], [leg.pdg for leg in process.legs], masses=(0, 0, mass, mass))
    (tmp_path / "a.lhe").write_bytes(HEAD + text + END)
    with pytest.raises(UsageError, match=f"has the mass {mass:g} GeV in the file, and") as refused:
        list(Intake(open_events(tmp_path / "a.lhe", process), (process,)).batches(10))
    assert words in refused.value.hint
    if name == "z":
        intake = Intake(open_events(tmp_path / "a.lhe", process), (process,), repair=True)
        list(intake.batches(10))
        assert intake.masses == {"z": (91.1876, 91.188)}


def test_what_is_no_event_file(tmp_path):
    (tmp_path / "a.txt").write_text("E px py pz\n")
    with pytest.raises(UsageError, match="neither an npz file nor"):
        list(open_events(tmp_path / "a.txt", PROCESS).batches(10))
    (tmp_path / "a.lhe").write_text("<LesHouchesEvents/>")
    with pytest.raises(UsageError, match="no event"):
        list(open_events(tmp_path / "a.lhe", PROCESS).batches(10))
    with pytest.raises(NotFoundError):
        open_events(tmp_path / "none.lhe", PROCESS)


def command(capsys, *arguments) -> dict:
    assert run([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_numbers_and_weights_are_kept(tmp_path, momenta, registry, store3, capsys):
    """Rows of stores and predictions are matched with the file, and new weights follow from them."""
    bad = momenta[2].copy()
    bad[2, 0] = np.nan
    texts = [
        event(momenta[0], weight=5.0), event(momenta[1], (11, -11, 2, -2, 21)), event(bad, weight=7.0),
        event(momenta[3], weight=-2.5), event(momenta[1], weight=0.0),
    ]  # fmt: skip
    file = tmp_path / "events.lhe"
    file.write_bytes(HEAD + b"".join(texts) + END)
    choice = ("--process-only", "--skip-bad")
    made = command(capsys, "gen", PROCESS, tmp_path / "s.zarr", "--momenta", file, *choice)
    assert made["intake"]["taken"] == 3
    assert made["intake"]["not_physical"] == 1
    assert made["intake"]["other_processes"] == {"11 -11 > 2 -2 21": 1}
    store = open_store(tmp_path / "s.zarr")
    assert store.read("event").tolist() == [0, 3, 4]
    assert store.read("event_weight").tolist() == [5.0, -2.5, 0.0]
    assert store.read("weight").tolist() == [1.0, 1.0, 1.0]
    assert (store.plan.source.skipped, store.plan.source.others) == (1, 1)
    out = tmp_path / "out.npz"
    said = command(capsys, "predict", "fame3", file, out, *choice, "--registry", registry, "--threads", "1")
    assert said["intake"] == made["intake"]
    with np.load(out) as predicted:
        assert predicted["event"].dtype == np.int64
        assert predicted["event"].tolist() == [0, 3, 4]
        assert predicted["event_weight"].tolist() == [5.0, -2.5, 0.0]
        assert {len(predicted[name]) for name in ("amplitude", "uncertainty", "outside", "event")} == {3}


@pytest.mark.parametrize("option", ["--process-only", "--skip-bad", "--repair"])
def test_options_for_files_need_a_file(tmp_path, option, capsys):
    assert run(["gen", "e- e+ > d d~ g", str(tmp_path / "s.zarr"), "--points", "10", option]) == 2
    assert option in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_processes_of_npz_files_are_not_known(tmp_path, momenta, capsys):
    stream = io.BytesIO()
    np.savez(stream, momenta=momenta)
    Path(tmp_path / "a.npz").write_bytes(stream.getvalue())
    arguments = ["gen", "e- e+ > d d~ g", tmp_path / "s.zarr", "--momenta", tmp_path / "a.npz", "--process-only"]
    assert run([*map(str, arguments)]) == 2
    assert "--process-only" in capsys.readouterr().err
