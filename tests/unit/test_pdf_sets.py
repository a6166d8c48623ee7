"""Sets of parton densities: what is known of them, damaged grids, and densities beyond a grid."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ampcli.cli.main import run
from ampcli.errors import AmpcliError, IntegrityError, NotFoundError, UsageError
from ampcli.generation.proton_points import ProtonSettings, require_possible
from ampcli.phasespace.cuts import JetCuts
from ampcli.phasespace.partons import density, pdf_grid
from ampcli.phasespace.pdf_sets import pdf_set
from ampcli.phasespace.running_coupling import ONE_LOOP, Running, running_alpha_s
from ampcli.process import parse_process

pytest.importorskip("madspace")

SHIPPED = sorted((Path(sys.prefix) / "share" / "Pythia8" / "pdfdata").glob("*.dat"))
LHC = ProtonSettings("lhc13")


def power_law(x, q):
    """x f of a made-up parton, a straight line in both logarithms."""
    return 2.0 * x**-0.3 * q**0.2


def write_grid(file, x=None, blocks=None, xf=power_law, partons=(-2, -1, 1, 2, 21), header="PdfType: central"):
    """A grid of one parton's shape for all, one block per range of scales."""
    x = np.geomspace(1e-4, 1, 30) if x is None else x
    blocks = [np.geomspace(2, 1000, 12)] if blocks is None else blocks
    text = [f"{header}\nFormat: lhagrid1\n---"]
    for q in blocks:
        text += [" ".join(f"{k:.14e}" for k in knots) for knots in (x, q)] + [" ".join(map(str, partons))]
        text += [" ".join([f"{xf(at, scale):.14e}"] * len(partons)) for at in x for scale in q]
        text += ["---"]
    file.write_text("\n".join(text) + "\n")
    return file


INFO = """SetDesc: "A test: of things"
SetIndex: 99
Particle: 2212
OrderQCD: 1
MZ: 91.1876  # GeV
MCharm: 1.4
MBottom: 4.7
NumFlavors: 5
AlphaS_MZ: 0.1165
AlphaS_OrderQCD: 2
AlphaS_Type: ode
"""


@pytest.fixture
def grid(tmp_path):
    """A sound grid with its .info file, member 3 of the set Mine."""
    (tmp_path / "Mine.info").write_text(INFO)
    return write_grid(tmp_path / "Mine_0003.dat")


# --- what is known ------------------------------------------------------------------------------------------------


def test_an_info_file(grid):
    known = pdf_set(grid)
    assert (known.particle, known.alpha_s_mz) == (2212, 0.1165)
    assert known.running == Running(3, 91.1876, 5, (1.4, 4.7))
    source = replace(LHC, pdf=str(grid)).collisions(1)
    assert source.alpha_s_mz == 0.1165
    assert type(source).model_validate_json(source.model_dump_json()) == source
    assert source.running == known.running


def test_a_members_own_header_comes_first(grid):
    write_grid(grid, header="PdfType: error\nAlphaS_MZ: 0.120")
    assert pdf_set(grid).alpha_s_mz == 0.120


def test_values_of_alpha_s(grid):
    info = grid.with_name("Mine.info")
    ipol = "AlphaS_Type: ipol\nAlphaS_Qs: [1.0, 4.7, 4.7, 20,\n 91.1876, 1000]\n"
    ipol += "AlphaS_Vals: [0.5, 0.22, 0.22, 0.15,\n 0.1165, 0.087]\n"
    info.write_text(INFO.replace("AlphaS_Type: ode\n", ipol))
    known = pdf_set(grid)
    assert known.running.scales == (1.0, 4.7, 4.7, 20.0, 91.1876, 1000.0)
    assert running_alpha_s(np.array([20.0]), 0.1165, known.running) == pytest.approx(0.15)
    chosen = replace(LHC, pdf=str(grid), alpha_s_mz=0.12)  # no longer the set's: its values do not apply
    assert chosen.collisions(1).running == Running(3, 91.1876)
    assert chosen.note == f"alpha_s(M_Z) is 0.12 as asked for, where {grid} goes with 0.1165"
    assert replace(chosen, alpha_s_mz=0.1165).collisions(1).running == known.running
    info.write_text(INFO.replace("AlphaS_MZ: 0.1165\n", "").replace("AlphaS_Type: ode\n", ipol))
    assert pdf_set(grid).alpha_s_mz == pytest.approx(0.1165)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("AlphaS_MZ: 0.1165", "AlphaS_MZ: about 0.12"),
        ("Particle: 2212", "Particle: proton"),
        ("AlphaS_OrderQCD: 2", "AlphaS_OrderQCD: 7"),
        ("AlphaS_OrderQCD: 2", "AlphaS_OrderQCD: -1"),
        ("NumFlavors: 5", "NumFlavors: 55"),
        ("AlphaS_Type: ode", "AlphaS_Type: ipol\nAlphaS_Qs: [1, 2, 3]\nAlphaS_Vals: [0.3, 0.2]"),
        ("AlphaS_Type: ode", "AlphaS_Type: ipol\nAlphaS_Qs: [1, 3, 2]\nAlphaS_Vals: [0.3, 0.2, 0.1]"),
        ("AlphaS_Type: ode", "AlphaS_Type: ipol\nAlphaS_Qs: [1, 1, 2]\nAlphaS_Vals: [0.3, 0.2, 0.1]"),
        ("AlphaS_Type: ode", "AlphaS_Type: ipol\nAlphaS_Qs: [1, 2, 3]\nAlphaS_Vals: [0.3, -0.2, 0.1]"),
    ],
)
def test_info_files_that_make_no_sense(grid, old, new):
    grid.with_name("Mine.info").write_text(INFO.replace(old, new))
    with pytest.raises(IntegrityError, match=r"Mine\.info cannot be understood"):
        pdf_set(grid)


@pytest.mark.parametrize("code", [-2212, 2112, 211, 22, 990, 1000822080])
def test_other_particles(grid, code):
    grid.with_name("Mine.info").write_text(INFO.replace("2212", str(code)))
    with pytest.raises(UsageError, match=rf"another particle than the proton \(PDG code {code}\)"):
        replace(LHC, pdf=str(grid)).collisions(1)


def test_nothing_is_known(grid):
    grid.with_name("Mine.info").unlink()
    with pytest.raises(UsageError, match=r"no \.info file beside it") as refused:
        replace(LHC, pdf=str(grid)).collisions(1)
    assert "alpha_s_mz" in str(str(refused.value))
    chosen = replace(LHC, pdf=str(grid), alpha_s_mz=0.12)
    assert chosen.collisions(1).alpha_s_mz == 0.12
    assert chosen.note is None
    assert "running" not in chosen.collisions(1).model_dump()  # one loop, as ever


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_every_shipped_grid_is_known_or_refused(file):
    """All sets that pythia8mc brings: a proton's with the alpha_s of its name, or no proton's, or unknown."""
    settings = replace(LHC, pdf=str(file))
    if file.stem.startswith(("NNPDF", "CT14")):
        source = settings.collisions(1)
        digits = file.stem.split("_as_")[1][:4] if "_as_" in file.stem else "0118"
        assert source.alpha_s_mz == float(digits) / 1000
        assert source.running.loops == (3 if "_nnlo" in file.stem else 1 if "_lo_" in file.stem else 2)
        return
    said = "alpha_s_mz" if "proton" in file.stem else "another particle"
    if file.stem.startswith(("mrst", "mstw")):
        said = "no sound grid"  # formats of their own
    with pytest.raises(AmpcliError) as refused:
        settings.collisions(1)
    assert said in str(refused.value)


def test_the_default_set_has_the_plan_that_it_had():
    fields = LHC.collisions(1).model_dump()
    assert fields["alpha_s_mz"] == 0.130
    assert "running" not in fields
    assert LHC.collisions(1).running == ONE_LOOP
    assert LHC.note is None


# --- damaged grids ------------------------------------------------------------------------------------------------


def test_a_grid_cut_anywhere(grid):
    """Whatever is left of a file is refused, but for a lost last line of dashes."""
    content = grid.read_bytes()
    body = content.rstrip(b"-\n")
    for end in [*np.linspace(0, len(body) - 30, 40).astype(int), len(body) - 20]:
        pdf_grid.cache_clear()
        grid.write_bytes(content[:end])
        with pytest.raises(IntegrityError, match="no sound grid"):
            pdf_grid(grid)
    grid.write_bytes(body + b"\n")
    np.testing.assert_allclose(density(grid, 1, np.array([0.1]), np.array([50.0])), power_law(0.1, 50) / 0.1, rtol=1e-3)


@pytest.mark.parametrize("word", ["nan", "inf", "one", "1e999", "\N{MICRO SIGN}"])
def test_values_that_are_no_numbers(grid, word):
    lines = grid.read_text().splitlines()
    lines[40] = " ".join([word, *lines[40].split()[1:]])
    grid.write_text("\n".join(lines) + "\n")
    with pytest.raises(IntegrityError, match="no sound grid"):
        pdf_grid(grid)


@pytest.mark.parametrize(
    "changes",
    [
        {"x": np.geomspace(1e-4, 1, 30)[::-1]},
        {"x": np.geomspace(1e-4, 1, 3)},
        {"x": np.geomspace(1e-4, 0.5, 30)},
        {"x": np.geomspace(1e-4, 2.0, 30)},
        {"blocks": [np.geomspace(2, 1000, 2)]},
        {"blocks": [np.geomspace(2, 1000, 12)[::-1]]},
        {"blocks": [np.geomspace(20, 1000, 12), np.geomspace(2, 20, 12)]},
    ],
)
def test_knots_that_make_no_sense(grid, changes):
    write_grid(grid, **changes)
    with pytest.raises(IntegrityError, match="no sound grid"):
        pdf_grid(grid)


def test_a_damaged_grid_ends_the_command_with_5(grid, tmp_path, capsys):
    grid.write_bytes(grid.read_bytes()[:3000])
    store = tmp_path / "s.zarr"
    assert run(["gen", "d d~ > z g", str(store), "--points", "10", "--beams", "lhc13", "--pdf", str(grid)]) == 5
    assert "no sound grid" in capsys.readouterr().err
    assert not store.exists()


# --- beyond the grid ----------------------------------------------------------------------------------------------


def found(file, x, q):
    return density(file, 1, np.array(x, dtype=float), np.array(q, dtype=float)) * np.array(x)


@pytest.mark.parametrize("blocks", [None, [np.geomspace(2, 20, 6), np.geomspace(20, 1000, 9)]])
def test_straight_lines_go_on(grid, blocks):
    """Small x, large Q, both, and all edges and corners: a power law stays one."""
    write_grid(grid, blocks=blocks)
    x = np.array([1e-7, 5e-5, 1e-4, 1.0000001e-4, 0.01, 1.0])
    for q in (2.0, 2.0000001, 20.0, 333.0, 1000.0, 1000.1, 7000.0):
        np.testing.assert_allclose(found(grid, x, np.full(6, q)), power_law(x, q), rtol=2e-5)


def test_small_densities_go_on_straight(grid):
    """Below 1e-3 not the logarithm is continued, so that it may end at 0: never below."""
    write_grid(grid, xf=lambda x, q: 1e-4 * (5 - np.log(q)))
    np.testing.assert_allclose(found(grid, [0.01, 0.01], [120.0, 1200.0])[0], 1e-4 * (5 - np.log(120)), rtol=1e-4)
    assert (found(grid, [0.01, 1e-6], [1e5, 1e5]) == 0).all()


def test_continuation_does_not_depend_on_the_company(grid):
    x, q = np.array([1e-6, 0.01, 0.3, 1e-6]), np.array([50.0, 5000.0, 50.0, 5000.0])
    together = found(grid, x, q)
    alone = [found(grid, [a], [b])[0] for a, b in zip(x, q, strict=True)]
    np.testing.assert_allclose(together, alone, rtol=1e-13)


def test_below_the_grid(grid):
    with pytest.raises(UsageError, match="begins at Q = 2 GeV"):
        found(grid, [0.1, 0.1], [50.0, 1.9])


@pytest.mark.parametrize(
    ("process", "options", "said"),
    [
        ("d d~ > z g", {"scale": 1.5}, "reaches from 2 to 1000 GeV"),
        ("d d~ > z g", {"scale": 1500.0}, "reaches from 2 to 1000 GeV"),
        ("d d~ > g g", {"cuts": JetCuts(pt_min=1.9)}, "H_T/2 may be as small as 1.9 GeV"),
        ("d d~ > ve ve~", {}, "H_T/2 may be as small as 0 GeV"),
        ("d d~ > z g", {"cuts": JetCuts(pt_min=1.9)}, None),  # half of the Z mass is enough
        ("g g > t t~", {}, None),
        ("d d~ > ve ve~", {"scale": 91.0}, None),
        ("s s~ > z g", {}, "no density of the parton s"),
    ],
)
def test_what_a_set_cannot_serve(grid, process, options, said):
    def ask():
        require_possible(parse_process(process), replace(LHC, pdf=str(grid), **options).collisions(1))

    if said is None:
        ask()
        return
    with pytest.raises(UsageError, match=said):
        ask()


def test_a_parton_that_is_not_there(grid):
    with pytest.raises(NotFoundError, match="no density of the parton 5"):
        density(grid, 5, np.array([0.1]), np.array([10.0]))


def test_a_choice_is_said(grid, tmp_path, capsys):
    call = ["gen", "d d~ > z g", str(tmp_path / "s.zarr"), "--points", "10", "--beams", "lhc13", "--pdf", str(grid)]
    assert run([*call, "--dry-run"]) == 0
    assert "alpha_s" not in capsys.readouterr().out
    assert run([*call, "--alpha-s-mz", "0.13", "--dry-run"]) == 0
    assert "alpha_s(M_Z) is 0.13 as asked for" in capsys.readouterr().out


def test_no_grid_at_all(tmp_path):
    file = tmp_path / "empty.dat"
    file.touch()
    with pytest.raises(AmpcliError, match="no sound grid"):
        pdf_grid(file)
