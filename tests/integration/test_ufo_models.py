"""A UFO model through the commands: gen, features, train, eval, predict, speedup, and what goes wrong."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ampcli.kinematics import with_beams
from ampcli.store.reader import open_store

if TYPE_CHECKING:
    from commands import Ampcli

MODEL = Path(__file__).parents[1] / "models" / "zprime"
JETS = ("e- e+ > u u~ g", "--points", "3k", "--y-cut", "0.01")
ALPHA_EW = 1 / 132.507
SMALL = ("--epochs", "40", "--batch-size", "128", "--hidden", "24,24,24", "--threads", "1", "--registry", "r")


@pytest.fixture
def here(ampcli: Ampcli, tmp_path: Path) -> Ampcli:
    """The command in an empty folder."""
    return type(ampcli)(tmp_path, ampcli.environment)


def test_from_points_to_predictions(here: Ampcli, tmp_path: Path) -> None:
    """|M|^2 is that of a photon (our own engine, with a Z too heavy to be seen) times that of what couplings say."""
    folder = shutil.copytree(MODEL, tmp_path / "zprime")
    said = here("gen", JETS[0], "z.zarr", *JETS[1:], "--model", folder, "--workers", "2").stdout
    assert "those of pyamplicol for the UFO model zprime@" in said
    here("gen", JETS[0], "a.zarr", *JETS[1:], "--provider", "native", "--parameter", "m_z=1e8")
    store, photon = (open_store(tmp_path / name) for name in ("z.zarr", "a.zarr"))
    np.testing.assert_array_equal(store.read("momenta"), photon.read("momenta"))
    exchange = np.array([0.25, 0.10]) * 0.20 / (1e6 - 600.0**2 + 600.0 * 15.0j)
    factor = np.abs(1 - exchange / (2 / 3 * 4 * math.pi * ALPHA_EW / 1e6)) ** 2
    exact = photon.read("amplitude") * factor.mean()
    np.testing.assert_allclose(store.read("amplitude"), exact, rtol=1e-9)

    shutil.rmtree(folder)  # nothing below needs it
    here("features", "z.zarr", "antenna", "--threads", "1")
    here("train", "z.zarr", "--model", "fame+", "--name", "m", *SMALL)
    evaluated = here("eval", "m", "z.zarr", "--registry", "r", "--json").document
    assert evaluated["overall"]["median_abs_delta"] < 0.03
    here("predict", "m", "z.zarr", "p.npz", "--registry", "r")
    with np.load(tmp_path / "p.npz") as predicted:
        assert np.median(np.abs(predicted["amplitude"] / store.read("amplitude") - 1)) < 0.03
    timed = here("speedup", "m", "z.zarr", "--registry", "r", "--tolerance", "0.2:0.1", "--json").document
    assert timed["yardstick"] == store.plan.provider.name
    assert "g (21, 0 GeV)" in here("registry", "show", "m", "--registry", "r").stdout
    here("trajectory", "m", "--count", "2", "--points", "20", "--registry", "r")

    here.fails(2, "eval", "m", "a.zarr", "--registry", "r", naming="model: zprime@")
    elsewhere = {"AMPCLI_CACHE": str(tmp_path / "cache")}
    here("eval", "m", "z.zarr", "--registry", "r", variables=elsewhere)
    lost = ("trajectory", "m", "--count", "2", "--points", "20", "--registry", "r")
    here.fails(4, *lost, naming=("is not known on this machine", "--model FOLDER"), variables=elsewhere)


def test_particles_with_masses(here: Ampcli, tmp_path: Path) -> None:
    """The cross section of e- e+ > chi chi~ in closed form; points on the shells that parameters give."""
    asked = ("--points", "4k", "--cuts", "jade", "--model", MODEL, "--parameter", "ratio=0.5")
    here("gen", "e- e+ > chi chi~", "c.zarr", *asked)
    store = open_store(tmp_path / "c.zarr")
    assert store.process.final_masses == (300.0, 300.0)
    statistics = store.attributes["statistics"]
    s, velocity2 = 1e6, 1 - 4 * 0.3**2
    couplings = (0.25**2 + 0.1**2) * 0.3**2 / ((s - 600.0**2) ** 2 + (600.0 * 15.0) ** 2)
    sigma = couplings * s * velocity2**1.5 / (96 * math.pi) * 0.389379372e9
    assert abs(statistics["mean_weighted_amplitude"] - sigma) < 4.5 * statistics["mean_weighted_amplitude_error"]

    np.savez(tmp_path / "given.npz", momenta=with_beams(store.read("momenta"), 1000.0))
    given = ("--momenta", "given.npz", "--model", MODEL, "--parameter", "ratio=0.5")
    here("gen", "e- e+ > CHI chi~", "g.zarr", *given)
    np.testing.assert_allclose(open_store(tmp_path / "g.zarr").read("amplitude"), store.read("amplitude"), rtol=1e-12)
    off = ("gen", "e- e+ > chi chi~", "x.zarr", "--momenta", "given.npz", "--model", MODEL)
    here.fails(2, *off, naming="off its mass shell (chi, m = 150 GeV)")

    here("features", "c.zarr", "invariants")
    here("train", "c.zarr", "--model", "nofa+", "--name", "c", *SMALL[2:], "--epochs", "4")
    here("train", "c.zarr", "--model", "plain", "--name", "p", *SMALL[2:], "--epochs", "2")
    here.fails(2, "features", "c.zarr", "fame", naming="has no final-state dipoles")
    here.fails(2, "features", "c.zarr", "fg1", naming="has 0 radiations FG")
    here.fails(2, "trajectory", "c", "--registry", "r", naming="massless quarks and gluons alone")


def test_reduced_amplitudes_are_those_of_the_model(here: Ampcli, tmp_path: Path) -> None:
    """Without the Z' there is the photon alone, as in our own engine."""
    asked = ("e- e+ > u u~ g g", "--points", "1k", "--y-cut", "0.001")
    here("gen", asked[0], "z.zarr", *asked[1:], "--model", MODEL, "--parameter", "gq=0")
    here("gen", asked[0], "a.zarr", *asked[1:], "--provider", "native", "--parameter", "m_z=1e8")
    for name in ("z.zarr", "a.zarr"):
        here("features", name, "fq1")
    stores = [open_store(tmp_path / name) for name in ("z.zarr", "a.zarr")]
    for array in ("amplitude", "features/fq1/reduced_amplitude", "features/fq1/inputs"):
        ours, theirs = (store.read(array) for store in stores)
        np.testing.assert_allclose(ours, theirs, rtol=1e-7, err_msg=array)
    assert stores[0].block_attributes("fq1")["options"]["provider"].startswith("pyamplicol:zprime@")


def test_changed_files_are_another_model(here: Ampcli, tmp_path: Path) -> None:
    folder = shutil.copytree(MODEL, tmp_path / "zprime")
    gen = ("gen", JETS[0], "z.zarr", *JETS[1:], "--model", folder)
    here(*gen)
    here(*gen, "--resume")
    (folder / "notes.txt").write_text("no part of the model")
    here(*gen, "--resume")
    with (folder / "couplings.py").open("a") as file:
        file.write("# another digest\n")
    here.fails(2, *gen, "--resume", naming="provider.name: pyamplicol:zprime@")


@pytest.mark.parametrize(
    ("code", "process", "options", "said"),
    [
        (2, JETS[0], ("--provider", "native"), "the provider native has no amplitudes of UFO models"),
        (2, JETS[0], ("--parameter", "m_z=91"), 'has no parameter "m_z"'),
        (2, "e- e+ > d d~ g", (), 'unknown particle "d"'),
        (2, "e- e+ > u u g", (), "has no tree amplitude of the UFO model zprime@"),
        (2, "p p > u u~", ("--beams", "lhc13"), "whose flavours may differ in a UFO model"),
        (2, "e- e+ > mu- mu+", (), "Give --cuts jade"),
        (2, "e- e+ > zp a", ("--cuts", "jade"), "a may go along a beam"),
        (2, "e- e+ > Zp Zp", ("--cuts", "jade"), "add up to 1200 GeV"),
        (2, "e- e+ > mu- mu+", ("--cuts", "jade", "--unweighted"), "flat phase space alone"),
        (2, "chi chi~ > mu- mu+", ("--cuts", "jade"), "massless, and chi has 150 GeV"),
    ],
)
def test_what_is_refused(
    code: int, process: str, options: tuple[str, ...], said: str, here: Ampcli, tmp_path: Path
) -> None:
    here.fails(code, "gen", process, "x.zarr", "--points", "1k", "--model", MODEL, *options, naming=said)
    assert not (tmp_path / "x.zarr").exists()


def test_no_model_there(here: Ampcli, tmp_path: Path) -> None:
    here.fails(4, "gen", *JETS[:1], "x.zarr", *JETS[1:], "--model", "nowhere", naming="there is no UFO model nowhere")
    (tmp_path / "empty").mkdir()
    here.fails(2, "gen", *JETS[:1], "x.zarr", *JETS[1:], "--model", "empty", naming="it has no __init__.py")
    (tmp_path / "empty" / "__init__.py").write_text("all_orders = 1 / 0\n")
    here.fails(1, "gen", *JETS[:1], "x.zarr", *JETS[1:], "--model", "empty", naming="ZeroDivisionError")
