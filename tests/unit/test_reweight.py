"""Named weights in event files: their values, and that nothing else changes."""

from __future__ import annotations

import gzip
import json
import re

import numpy as np
import pylhe
import pytest
from backports import zstd
from lhe_pieces import FOLDER, NAMES, piece, with_line

import ampcli
from ampcli.cli.main import run
from ampcli.errors import IntegrityError, UsageError
from ampcli.events.exact import Choice
from ampcli.events.lhe.blocks import EventBlocks
from ampcli.events.lhe.insert import Declared, Span, insert_weights
from ampcli.events.lhe.records import parse_event
from ampcli.events.reweight.ratios import ExactRatio, LeadingColourRatio, ModelRatio
from ampcli.events.reweight.run import reweight_file
from ampcli.inference.load import load_predictor
from ampcli.inference.surrogates import alone
from ampcli.kinematics import with_beams
from ampcli.phasespace.rambo import rambo

SHERPA = FOLDER / "sherpa-eejets.lhe"


def unpacked(path):
    data = path.read_bytes()
    if path.suffix == ".zst":
        return zstd.decompress(data)
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def weights_of(path, name):
    """The weights of that name and XWGTUP, event by event, as an independent reader finds them."""
    events = list(pylhe.LHEFile.fromfile(path).events)
    return np.array([e.weights[name] for e in events]), np.array([e.eventinfo.weight for e in events])


def gluons(path):
    """Outgoing gluons and alpha_s of the events."""
    events = [parse_event(block, number, "") for number, block in enumerate(EventBlocks(path))]
    return np.array([sum(p.pdg == 21 for p in e.particles) for e in events]), np.array([e.alpha_s for e in events])


def inserted(path, out, names=("new",), value=1.5):
    """Weights put into a file without any amplitude."""
    blocks = EventBlocks(path)
    spans = [Span(blocks.start, blocks.end) for _ in blocks]
    declared = [Declared(name, f"{name} & <others>") for name in names]
    insert_weights(path, out, spans, declared, lambda number: [value + number] * len(names), out.name)
    return out.read_bytes()


def without_new(text, names=("new",)):
    """The text without what is put in for weights of these names, where there were none before."""
    for name in names:
        text = re.sub(rb"<wgt id='%s'>[^\n]*\n" % name.encode(), b"", text)
        text = re.sub(rb"<weight id='%s'>[^\n]*\n" % name.encode(), b"", text)
    for empty in (rb"<weightgroup name='ampcli'>\r?\n</weightgroup>\r?\n", rb"<initrwgt>\r?\n</initrwgt>\r?\n",
                  rb"<rwgt>\r?\n</rwgt>\r?\n"):  # fmt: skip
        text = re.sub(empty, b"", text)
    return text


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "form",
    [
        lambda text: text,
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: text.replace(b"<init>", b"<header>\n<a & b\n<!-- </header> -->\n</header>\n<init>"),
        gzip.compress,
    ],
    ids=["as it is", "CRLF", "header", "gzip"],
)
def test_every_other_byte_stays(tmp_path, name, form):
    (tmp_path / "a.lhe").write_bytes(form(piece(name)))
    before = unpacked(tmp_path / "a.lhe")
    text = inserted(tmp_path / "a.lhe", tmp_path / "b.lhe", ("new", "other"))
    assert text.count(b"<wgt id='new'>") == before.count(b"</event>")
    assert text.count(b"<weight id='other'> other &amp; &lt;others&gt; </weight>") == 1
    assert without_new(text, ("new", "other")) == before


def test_existing_weights_are_kept_beside_the_new_one(tmp_path):
    (tmp_path / "a.lhe").write_bytes(piece("amcatnlo-wbj"))
    text = inserted(tmp_path / "a.lhe", tmp_path / "b.lhe")
    assert text.count(b"<initrwgt>") == 1
    assert text.count(b"<rwgt>") == text.count(b"</rwgt>") == 3
    for event in text.split(b"<event")[1:]:
        weights = event.split(b"<rwgt>")[1].split(b"</rwgt>")[0]
        assert re.findall(rb"<wgt id=['\"](\w+)['\"]>", weights)[-2:] == [b"1009", b"new"]
    with pytest.raises(UsageError, match='has a weight "1001" already'):
        inserted(tmp_path / "a.lhe", tmp_path / "c.lhe", ("1001",))
    with pytest.raises(UsageError, match='has a weight "new" already'):
        inserted(tmp_path / "b.lhe", tmp_path / "c.lhe")


def test_weights_in_comments_are_no_weights(tmp_path):
    commented = piece("whizard-eeww").replace(b"</event>", b"<!-- </rwgt> -->\n</event>")
    (tmp_path / "a.lhe").write_bytes(commented)
    text = inserted(tmp_path / "a.lhe", tmp_path / "b.lhe")
    assert text.count(b"<!-- </rwgt> -->\n<rwgt>\n<wgt id='new'>") == 4
    assert without_new(text) == commented


def test_a_file_that_changes_meanwhile(tmp_path):
    path = tmp_path / "a.lhe"
    path.write_bytes(piece("whizard-eeww"))
    blocks = EventBlocks(path)
    spans = [Span(blocks.start, blocks.end) for _ in blocks]
    for changed in (piece("whizard-eeww")[:-400], piece("whizard-eeww").replace(b"version", b"the version")):
        path.write_bytes(changed)
        with pytest.raises(IntegrityError, match="has changed while it was read"):
            insert_weights(path, tmp_path / "b.lhe", spans, [Declared("new", "")], lambda number: [1.0], "b.lhe")


def test_alpha_s_goes_with_its_power(tmp_path):
    """|M|^2 of e- e+ > q q~ + n gluons has alpha_s^n, and every event its own alpha_s."""
    number, alpha_s = gluons(SHERPA)
    assert set(number) == {0, 1}
    out = tmp_path / "new.lhe"
    found = reweight_file(SHERPA, out, [ExactRatio("native", {"alpha_s": 0.13}, {})])
    new, old = weights_of(out, "ampcli_exact_alpha_s=0.13")
    np.testing.assert_allclose(new / old, (0.13 / alpha_s) ** number, rtol=1e-9)
    (weight,) = found["weights"]
    assert weight["sum_of_weights"] == pytest.approx(new.sum(), rel=1e-9)
    assert weight["over_original"] == pytest.approx(new.sum() / old.sum(), rel=1e-9)
    assert weight["effective_events"] == pytest.approx(new.sum() ** 2 / (new**2).sum(), rel=1e-9)
    assert without_new(out.read_bytes(), ("ampcli_exact_alpha_s=0.13",)) == SHERPA.read_bytes()
    other = tmp_path / "other.lhe"
    reweight_file(SHERPA, other, [ExactRatio("native", {"alpha_s": 0.13}, {"alpha_s": 0.12})])
    new, old = weights_of(other, "ampcli_exact_alpha_s=0.13")
    np.testing.assert_allclose(new / old, (0.13 / 0.12) ** number, rtol=1e-9)


def test_the_electroweak_coupling_goes_with_its_square(tmp_path):
    reweight_file(SHERPA, tmp_path / "new.lhe", [ExactRatio("native", {"alpha_ew": 0.01}, {"alpha_ew": 0.0075})])
    new, old = weights_of(tmp_path / "new.lhe", "ampcli_exact_alpha_ew=0.01")
    np.testing.assert_allclose(new / old, (0.01 / 0.0075) ** 2, rtol=1e-9)


def test_the_z_far_below_its_peak(tmp_path):
    """At 44 GeV a Z of 1e6 GeV leaves the photon, whose |M|^2 is known: e^4 e_q^2 N (1 + cos^2 theta) (averaged)."""
    from ampcli.amplitudes.native.provider import Native
    from ampcli.process import parse_process

    reweight_file(SHERPA, tmp_path / "new.lhe", [ExactRatio("native", {"m_z": 1e6}, {})])
    new, old = weights_of(tmp_path / "new.lhe", "ampcli_exact_m_z=1000000")
    charges = {1: -1 / 3, 3: -1 / 3, 4: 2 / 3}
    names = {1: "d d~", 3: "s s~", 4: "c c~"}
    done = 0
    for number, block in enumerate(EventBlocks(SHERPA)):
        particles = parse_event(block, number, "").particles
        if len(particles) != 4:
            continue
        quark = particles[2]
        momenta = np.array([[p.momentum for p in particles]])
        cosine = momenta[0, 2, 3] / momenta[0, 2, 0]
        photon = (4 * np.pi / 132.507) ** 2 * charges[quark.pdg] ** 2 * 3 * (1 + cosine**2)
        both = Native(parse_process(f"e- e+ > {names[quark.pdg]}")).evaluate(momenta)[0]
        assert new[number] / old[number] == pytest.approx(photon / both, rel=1e-6)
        done += 1
    assert done >= 4


def test_leading_colour(tmp_path):
    """One quark line: 1 without gluons; with one, N^2/2 over N C_F, which is 9/8."""
    found = reweight_file(SHERPA, tmp_path / "new.lhe.gz", [LeadingColourRatio(Choice("native"))])
    number, _ = gluons(SHERPA)
    new, old = weights_of(tmp_path / "new.lhe.gz", "ampcli_leading_colour")
    np.testing.assert_allclose(new / old, np.where(number, 9 / 8, 1.0), rtol=1e-9)
    assert (found["weights"][0]["smallest"], found["weights"][0]["largest"]) == pytest.approx((1.0, 9 / 8), rel=1e-9)
    assert without_new(unpacked(tmp_path / "new.lhe.gz"), ("ampcli_leading_colour",)) == SHERPA.read_bytes()


def test_events_of_other_kinds_are_refused_or_kept(tmp_path):
    path = FOLDER / "powheg-trijet.lhe"
    ratio = ExactRatio("native", {"alpha_s": 0.2}, {})
    with pytest.raises(UsageError, match=r"1 events .* event 0 \(from 0\): c~ is off its mass shell"):
        reweight_file(path, tmp_path / "a.lhe", [ratio])
    with pytest.raises(UsageError, match=r"3 events"):  # nothing would change
        reweight_file(FOLDER / "amcatnlo-wbj.lhe", tmp_path / "a.lhe", [ratio], keep_others=True)
    assert list(tmp_path.iterdir()) == []
    found = reweight_file(path, tmp_path / "a.lhe", [ratio], keep_others=True)
    new, old = weights_of(tmp_path / "a.lhe", ratio.name)
    _, alpha_s = gluons(path)
    expected = (0.2 / alpha_s) ** 4
    expected[0] = 1.0
    np.testing.assert_allclose(new / old, expected, rtol=1e-8)
    assert found["weights"][0]["kept"] == {"c~ is off its mass shell by more than rounding explains": 1}
    assert found["weights"][0]["events"] == 3
    moved = ExactRatio("native", {"alpha_s": 0.2}, {}, on_shell=True)
    reweight_file(path, tmp_path / "b.lhe", [moved])
    new, old = weights_of(tmp_path / "b.lhe", moved.name)
    np.testing.assert_allclose(new / old, (0.2 / alpha_s) ** 4, rtol=1e-8)


def test_files_after_each_other_are_reweighted_one_by_one(tmp_path):
    (tmp_path / "a.lhe").write_bytes(2 * SHERPA.read_bytes())
    with pytest.raises(UsageError, match="is 2 files after each other"):
        reweight_file(tmp_path / "a.lhe", tmp_path / "b.lhe", [LeadingColourRatio(Choice("native"))])


def test_batches_of_any_size_give_the_same_file(tmp_path, monkeypatch):
    written = []
    for batch, most in ((4096, 65536), (2, 65536), (4096, 3)):
        monkeypatch.setattr("ampcli.events.reweight.run._BATCH", batch)
        monkeypatch.setattr("ampcli.events.reweight.run._MOST_WAITING", most)
        out = tmp_path / f"{batch}-{most}.lhe"
        reweight_file(SHERPA, out, [ExactRatio("native", {"alpha_s": 0.13}, {})])
        written.append(out.read_bytes())
    assert written[0] == written[1] == written[2]


def test_events_without_alpha_s(tmp_path):
    (tmp_path / "a.lhe").write_bytes(with_line(SHERPA.read_bytes(), 3, 0, lambda words: [*words[:5], b"-1."]))
    with pytest.raises(UsageError, match=r"1 events .* alpha_s of the event \(AQCDUP\) is not known"):
        reweight_file(tmp_path / "a.lhe", tmp_path / "b.lhe", [ExactRatio("native", {"alpha_s": 0.13}, {})])


def three_jets(path, events, energy):
    """An event file of e- e+ > d d~ g, flat in phase space, momenta printed with 10 digits."""
    momenta = with_beams(rambo(np.random.default_rng(11).random((events, 3, 4)), energy), energy)
    lines = ["<LesHouchesEvents version='3.0'>", "<init>", f"11 -11 {energy / 2} {energy / 2} 0 0 0 0 -4 1"]
    lines += ["1. 0.1 1. 1", "</init>"]
    for row, event in enumerate(momenta):
        lines += ["<event>", f"5 1 {1 + row} 91.188 7.5e-3 0.118"]
        for place, (code, (e, x, y, z)) in enumerate(zip((11, -11, 21, 1, -1), event[[0, 1, 4, 2, 3]], strict=True)):
            lines.append(f"{code} {-1 if place < 2 else 1} 0 0 0 0 {x:.9e} {y:.9e} {z:.9e} {e:.9e} 0. 0. 9.")
        lines.append("</event>")
    path.write_text("\n".join([*lines, "</LesHouchesEvents>\n"]))
    return momenta


def test_a_surrogate_over_what_it_was_trained_on(tmp_path, registry, monkeypatch):
    from ampcli.amplitudes.providers import provider_of

    monkeypatch.setattr("ampcli.events.reweight.run._BATCH", 7)
    momenta = three_jets(tmp_path / "a.lhe", 20, 1000.0)
    predictor = load_predictor("fame3@1", registry, "cpu")
    reweight_file(tmp_path / "a.lhe", tmp_path / "b.lhe", [ModelRatio(alone(predictor))])
    new, old = weights_of(tmp_path / "b.lhe", "ampcli_model_fame3@1")
    exact = provider_of(predictor.manifest.provider, predictor.process).evaluate(momenta)
    surrogate, _ = ampcli.load("fame3@1", registry=registry).predict(momenta)
    np.testing.assert_array_equal(old, np.arange(1.0, 21.0))
    np.testing.assert_allclose(new / old, surrogate / exact, rtol=1e-4)  # ten digits
    assert np.ptp(new / old) > 1e-3
    three_jets(tmp_path / "c.lhe", 3, 500.0)
    with pytest.raises(UsageError, match=r"3 events .* another energy than the model was trained at"):
        reweight_file(tmp_path / "c.lhe", tmp_path / "d.lhe", [ModelRatio(alone(predictor))])


def test_the_command(tmp_path, capsys):
    out = tmp_path / "new.lhe.zst"
    words = ["reweight", str(SHERPA), str(out), "--exact", "--parameter", "alpha_s=0.13", "--colour", "leading"]
    assert run([*words, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [weight["name"] for weight in document["weights"]] == ["ampcli_exact_alpha_s=0.13", "ampcli_leading_colour"]
    first = out.read_bytes()
    assert run(words) == 2
    assert "exists already" in capsys.readouterr().err
    assert out.read_bytes() == first
    out.unlink()
    assert run(words) == 0
    assert out.read_bytes() == first  # no time in it
    names = ("ampcli_exact_alpha_s=0.13", "ampcli_leading_colour")
    assert without_new(unpacked(out), names) == SHERPA.read_bytes()
    assert "8 events" in capsys.readouterr().out
    for wrong, said in (
        ([], "no weight was asked for"),
        (["--exact"], "--exact needs --parameter"),
        (["--parameter", "alpha_s=0.1", "--colour", "leading"], "no effect without --exact"),
        (["--colour", "leading", "--provider", "pyamplicol"], "knows full colour only"),
        (["--exact", "--parameter", "nonsense=1"], 'no parameter "nonsense"'),
        (["--device", "cpu", "--colour", "leading"], "no effect without --model"),
    ):
        assert run(["reweight", str(SHERPA), str(tmp_path / "x.lhe"), *wrong]) == 2
        assert said in capsys.readouterr().err
    assert run(["reweight", str(SHERPA), str(tmp_path / "x.root"), "--colour", "leading"]) == 2
    capsys.readouterr()
    (tmp_path / "torn.lhe").write_bytes(SHERPA.read_bytes()[:-80])
    assert run(["reweight", str(tmp_path / "torn.lhe"), str(tmp_path / "x.lhe"), "--colour", "leading"]) == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.lhe.zst", "torn.lhe"]
