"""Event files of other programs: read as an independent reader does, resonances, masses, <init>."""

from __future__ import annotations

import numpy as np
import pylhe
import pytest
from lhe_pieces import FOLDER, NAMES, piece

import ampcli
from ampcli.cli.main import run
from ampcli.errors import IntegrityError, UsageError
from ampcli.events.files import open_events
from ampcli.events.intake import Intake
from ampcli.events.lhe.blocks import EventBlocks
from ampcli.events.lhe.legs import outgoing
from ampcli.events.lhe.records import parse_event, parse_init
from ampcli.events.lhe.subprocess import subprocesses
from ampcli.events.project import project
from ampcli.kinematics import physical_events, with_beams
from ampcli.phasespace.rambo import rambo
from ampcli.process import parse_process


def events_of(name):
    return [parse_event(block, number, "") for number, block in enumerate(EventBlocks(FOLDER / f"{name}.lhe"))]


def taken(name, text, **choice):
    process = parse_process(text)
    intake = Intake(open_events(FOLDER / f"{name}.lhe", process, True), (process,), **choice)
    return np.concatenate([batch.momenta for batch in intake.batches(100)]), intake


@pytest.mark.parametrize("name", NAMES)
def test_everything_is_read_as_pylhe_reads_it(name):
    theirs = pylhe.LHEFile.fromfile(FOLDER / f"{name}.lhe", with_attributes=False)
    blocks = EventBlocks(FOLDER / f"{name}.lhe")
    ours = [parse_event(block, number, "") for number, block in enumerate(blocks)]
    init = parse_init(blocks.init, "")
    info = theirs.init.initInfo
    assert init.beams == (info.beamA, info.beamB)
    assert init.energies == (info.energyA, info.energyB)
    assert init.pdf_sets == (info.PDFsetA, info.PDFsetB)
    assert init.weighting == info.weightingStrategy
    assert [(s.kind, s.cross_section, s.error, s.maximum) for s in init.subprocesses] == [
        (p.procId, p.xSection, p.error, p.unitWeight) for p in theirs.init.procInfo
    ]
    expected = list(theirs.events)
    assert len(ours) == len(expected) > 0
    for event, other in zip(ours, expected, strict=True):
        head = other.eventinfo
        assert (event.kind, event.weight, event.scale) == (head.pid, head.weight, head.scale)
        assert (event.alpha_ew, event.alpha_s) == (head.aqed, head.aqcd)
        assert [(p.pdg, p.status, p.mothers, p.colours, p.momentum, p.mass) for p in event.particles] == [
            (p.id, p.status, (p.mother1, p.mother2), (p.color1, p.color2), (p.e, p.px, p.py, p.pz), p.m)
            for p in other.particles
        ]


def test_spans_are_those_of_the_unpacked_bytes():
    for name in NAMES:
        text, blocks = piece(name), EventBlocks(FOLDER / f"{name}.lhe")
        for block in blocks:
            assert text[blocks.start : blocks.end] == block
            assert text[: blocks.start].endswith(blocks.tag)
            assert text[blocks.end :].startswith(b"</event>")


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace(b"-4      1", b"-4      2"),
        lambda text: text.replace(b"9.80000E+02  9.80000E+02", b"nan 9.80000E+02"),
        lambda text: text.replace(b"1.41939E+02", b"inf"),
        lambda text: text.replace(b"     2212    -2212", b""),
        lambda text: b"",
    ],
)
def test_a_damaged_init_is_said_to_be(damage):
    init = piece("powheg-zj").split(b"<init>")[1].split(b"</init>")[0]
    assert parse_init(init, "<init>").beams == (2212, -2212)
    with pytest.raises(IntegrityError, match="<init>"):
        parse_init(damage(init), "<init>")


def test_resonances_stand_for_their_products():
    """A top that decays into a W: the top is kept where it is asked for, else the W that comes from it."""
    lines = [b"7 1 1. 100. .0078 .118"]
    for pdg, status, mothers in ((21, -1, (0, 0)), (21, -1, (0, 0)), (6, 2, (1, 2)), (-6, 1, (1, 2)), (24, 2, (3, 3)),
                                 (5, 1, (3, 3)), (-11, 1, (5, 5))):  # fmt: skip
        lines.append(b"%d %d %d %d 0 0 1. 2. 3. 4. 5. 0. 9." % (pdg, status, *mothers))
    event = parse_event(b"\n".join(lines), 0, "")
    assert [p.pdg for p in outgoing(event)] == [-6, 5, -11]
    assert [p.pdg for p in outgoing(event, {6, 24})] == [6, -6]
    assert [p.pdg for p in outgoing(event, {24})] == [-6, 24, 5]
    assert [str(legs.process) for legs in subprocesses(event)] == ["g g > e+ b t~", "g g > t t~"]


def test_mothers_in_a_circle_end():
    lines = [b"4 1 1. 100. .0078 .118", b"21 -1 0 0 0 0 0. 0. 1. 1. 0. 0. 9.", b"21 -1 0 0 0 0 0. 0. -1. 1. 0. 0. 9."]
    lines += [b"23 2 4 4 0 0 0. 0. 1. 1. 0. 0. 9.", b"23 2 3 3 0 0 0. 0. 1. 1. 0. 0. 9."]
    assert outgoing(parse_event(b"\n".join(lines), 0, ""), {23}) == []


def test_a_process_with_z_takes_it_and_one_with_leptons_takes_these():
    z, intake = taken("powheg-zj", "u u~ > z g g", skip_bad=True, on_shell=True)
    leptons, _ = taken("powheg-zj", "u u~ > e- e+ g g")
    assert (len(leptons), intake.taken, intake.bad) == (2, 1, 1)
    assert intake.reasons == {"legs of these masses cannot have the energy of the event": 1}
    assert intake.masses == {"z": (90.25776206, 91.188)}
    np.testing.assert_allclose(z[:, 2, 0] ** 2 - (z[:, 2, 1:] ** 2).sum(axis=1), 91.188**2, rtol=1e-9)
    with pytest.raises(
        UsageError, match=r"leg 2 \(z\) has the mass 90\.257762 GeV in the file, and 91\.188"
    ) as refused:
        taken("powheg-zj", "u u~ > z g g", skip_bad=True)
    assert "on_shell" in str(refused.value)


EVERY = [(name, str(legs.process)) for name in NAMES for legs in
         {subprocesses(event)[0].process: subprocesses(event)[0] for event in events_of(name)}.values()]  # fmt: skip


@pytest.mark.parametrize(("name", "process"), EVERY)
def test_every_event_is_taken_with_its_masses_moved(name, process):
    """Beside those of other processes nothing is lost, and what comes out is physical."""
    number = sum(str(subprocesses(event)[0].process) == process for event in events_of(name))
    momenta, intake = taken(name, process, on_shell=True)
    assert len(momenta) == number
    assert physical_events(momenta, parse_process(process)).all()
    assert intake.shift < 0.5


def test_without_moving_masses_every_event_has_its_reason():
    process = parse_process("u b > w+ d b")
    intake = Intake(open_events(FOLDER / "amcatnlo-wbj.lhe", process, True), (process,), skip_bad=True)
    with pytest.raises(UsageError, match=r"no event of the file is usable; .* has the mass 0\.33 GeV in the file"):
        list(intake.batches(10))
    assert intake.reasons == {"another mass of u than in ampcli": 3}


@pytest.mark.parametrize("text", ["e- e+ > t t~ g", "g g > z d d~", "e- e+ > d d~ g g", "u u~ > z z"])
def test_projection_keeps_directions_and_energy(text):
    """From massless legs: in the rest frame three-momenta change by one factor; from our masses nothing changes."""
    process = parse_process(text)
    rng = np.random.default_rng(3)
    massless = rambo(rng.random((50, process.n_final, 4)), 1000.0)
    found = project(with_beams(massless, 1000.0), process)
    assert found.good.all()
    assert physical_events(found.momenta, process).all()
    three = found.momenta[:, 2:, 1:]
    factor = np.linalg.norm(three, axis=2) / np.linalg.norm(massless[..., 1:], axis=2)
    np.testing.assert_allclose(factor, factor[:, :1] * np.ones(process.n_final), rtol=1e-9)
    np.testing.assert_allclose(three, factor[..., None] * massless[..., 1:], rtol=1e-7, atol=1e-6)
    again = project(found.momenta, process)
    assert again.shift.max() < 1e-9
    if process.incoming[0].kind != "lepton":
        boosted = np.array(found.momenta)
        boosted[..., 0] = (found.momenta[..., 0] - 0.6 * found.momenta[..., 3]) / 0.8
        boosted[..., 3] = (found.momenta[..., 3] - 0.6 * found.momenta[..., 0]) / 0.8
        assert project(boosted, process).shift.max() < 1e-9


def test_predictions_of_massive_quarks(tmp_path, registry, capsys):
    """A model of massless quarks takes quarks of 5 GeV where that is asked for."""
    momenta = with_beams(rambo(np.random.default_rng(3).random((4, 3, 4)), 1000.0), 1000.0)
    heavy = project(momenta, parse_process("e- e+ > t t~ g").with_mass("t", 5.0)).momenta
    lines = []
    for event in heavy:
        lines += ["<event>", "5 1 1. 91. .0078 .118"]
        for place, (code, (e, x, y, z)) in enumerate(zip((11, -11, 1, -1, 21), event, strict=True)):
            mass = 5.0 if abs(code) == 1 else 0.0
            lines.append(f"{code} {-1 if place < 2 else 1} 0 0 0 0 {x:.12e} {y:.12e} {z:.12e} {e:.12e} {mass} 0. 9.")
        lines.append("</event>")
    (tmp_path / "a.lhe").write_text("\n".join(["<LesHouchesEvents>", *lines, "</LesHouchesEvents>"]))
    words = ["predict", "fame3@1", str(tmp_path / "a.lhe"), "--registry", str(registry), "--threads", "1"]
    assert run([*words, str(tmp_path / "refused.npz")]) == 2
    assert "has the mass 5 GeV in the file" in capsys.readouterr().err
    assert run([*words, str(tmp_path / "out.npz"), "--on-shell"]) == 0
    assert "the mass of d was 5 GeV in the file, and is 0 GeV now" in capsys.readouterr().out
    expected, _ = ampcli.load("fame3@1", registry=registry).predict(momenta)
    np.testing.assert_allclose(np.load(tmp_path / "out.npz")["amplitude"], expected, rtol=1e-6)


def test_what_cannot_be_projected():
    process = parse_process("u u~ > z z")
    massless = with_beams(rambo(np.random.default_rng(3).random((3, 2, 4)), 150.0), 150.0)
    found = project(massless, process)
    assert not found.good.any()
    assert "cannot have the energy" in found.fault(0)
    off = massless.copy()
    off[:, 2, 1] += 1.0
    assert "balance" in project(off, process).fault(0)
    off[:, 2] = np.nan
    assert not project(off, process).good.any()
