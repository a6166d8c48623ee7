"""Where the exact amplitudes of a store come from, through the real commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ampcli.kinematics import with_beams
from ampcli.store.reader import open_store

if TYPE_CHECKING:
    from conftest import Ampcli

THREE_JETS = "e- e+ > d d~ g"
Z_JETS = "d d~ > z g g"

Arrays = dict[str, np.ndarray]


@pytest.fixture
def z_events(tmp_path: Path, amplitude_reference: Arrays) -> Path:
    """60 regular events of the reference, event file in the test's folder."""
    file = tmp_path / "z.npz"
    np.savez(file, momenta=amplitude_reference["ddx_zgg/regular/momenta"])
    return file


def provider_of(store: Path) -> dict[str, Any]:
    return open_store(store).plan.provider.model_dump()


def test_native_is_the_default_where_it_applies(ampcli: Ampcli, tmp_path: Path) -> None:
    made = {}
    for name in ("auto", "native", "pyamplicol"):
        made[name] = tmp_path / f"{name}.zarr"
        ampcli("gen", THREE_JETS, made[name], "--points", "2k", "--provider", name)
    stores = {name: open_store(path) for name, path in made.items()}
    assert stores["auto"].digest == stores["native"].digest != stores["pyamplicol"].digest
    assert provider_of(made["auto"])["name"] == "native"
    np.testing.assert_array_equal(stores["auto"].read("momenta"), stores["pyamplicol"].read("momenta"))
    np.testing.assert_allclose(stores["auto"].read("amplitude"), stores["pyamplicol"].read("amplitude"), rtol=1e-9)


def test_pyamplicol_takes_the_other_processes(ampcli: Ampcli, tmp_path: Path) -> None:
    said = ampcli("gen", "e- e+ > d d~ g", tmp_path / "a", "--points", "1k", "--dry-run", "--json").document
    assert said["plan"]["provider"]["name"] == "native"
    pytest.importorskip("madspace")
    call = ("gen", "g g > t t~", tmp_path / "b", "--beams", "lhc13", "--points", "1k", "--dry-run", "--json")
    assert ampcli(*call).document["plan"]["provider"]["name"] == "pyamplicol"
    ampcli.fails(2, *call, "--provider", "native", naming=("native", "g g > t t~", "--provider pyamplicol"))


def test_z_production_from_given_points(
    ampcli: Ampcli, tmp_path: Path, z_events: Path, amplitude_reference: Arrays
) -> None:
    store = tmp_path / "z.zarr"
    ampcli("gen", Z_JETS, store, "--momenta", z_events)
    exact = amplitude_reference["ddx_zgg/regular/me2"]
    np.testing.assert_allclose(open_store(store).read("amplitude"), exact, rtol=1e-10)


def test_parameters(ampcli: Ampcli, tmp_path: Path, make_store: Callable[..., Path]) -> None:
    usual = open_store(make_store(tmp_path / "a.zarr", "2k"))
    path = make_store(tmp_path / "b.zarr", "2k", "--parameter", "alpha_s=0.236", "--parameter", "gamma_z=2.5")
    changed = open_store(path)
    assert changed.plan.provider.parameters["alpha_s"] == 0.236
    assert changed.plan.provider.parameters["gamma_z"] == 2.5
    assert changed.digest != usual.digest
    # alpha_s doubled; the width hardly matters at 1 TeV
    np.testing.assert_allclose(changed.read("amplitude"), 2 * usual.read("amplitude"), rtol=1e-4)
    again = tmp_path / "c.zarr"  # the saved configuration makes the same store
    ampcli("gen", "--config", path / ".ampcli" / "gen.toml", THREE_JETS, again)
    assert open_store(again).digest == changed.digest


def test_the_mass_of_the_z(ampcli: Ampcli, tmp_path: Path, z_events: Path, amplitude_reference: Arrays) -> None:
    store = tmp_path / "z.zarr"
    heavier = ("gen", Z_JETS, store, "--momenta", z_events, "--parameter", "m_z=91.3")
    ampcli.fails(2, *heavier, naming=("event 0", "m = 91.3"))
    momenta = amplitude_reference["ddx_zgg/regular/momenta"] * (91.3 / 91.188)
    np.savez(z_events, momenta=momenta)
    ampcli(*heavier)
    # |M|^2 of a 2 -> 3 process scales like 1 / GeV^2
    expected = amplitude_reference["ddx_zgg/regular/me2"] * (91.188 / 91.3) ** 2
    np.testing.assert_allclose(open_store(store).read("amplitude"), expected, rtol=1e-9)
    assert open_store(store).process.final_masses[0] == 91.3


@pytest.mark.parametrize(
    ("options", "naming"),
    [
        (("--parameter", "alpha_s"), ("--parameter alpha_s", "NAME=VALUE")),
        (("--parameter", "alpha_s=strong"), ("--parameter alpha_s=strong", "NAME=VALUE")),
        (("--parameter", "alpha_s=nan"), "--parameter alpha_s=nan"),
        (("--parameter", "alpha_s=-1"), "alpha_s"),
        (("--parameter", "beta=1"), ("beta", "alpha_s")),
        (("--parameter", "alpha_s=0.1", "--provider", "pyamplicol"), ("pyamplicol", "alpha_s")),
        (("--skip-bad",), ("--skip-bad", "--momenta")),
        (("--two-stage",), ("--two-stage", "--beams")),
        (("--pt-min", "30"), ("--pt-min", "--beams")),
    ],
)
def test_what_is_refused(
    ampcli: Ampcli, tmp_path: Path, options: tuple[str, ...], naming: str | tuple[str, ...]
) -> None:
    ampcli.fails(2, "gen", THREE_JETS, tmp_path / "s.zarr", "--points", "1k", *options, naming=naming)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("provider", ["native", "pyamplicol"])
def test_bad_events_are_left_out_and_counted(
    ampcli: Ampcli, tmp_path: Path, z_events: Path, amplitude_reference: Arrays, provider: str
) -> None:
    momenta = amplitude_reference["ddx_zgg/regular/momenta"].copy()
    momenta[3, 2, 1] = np.nan
    momenta[17, 4, 0] *= 1.001
    momenta[59, 3] *= -1
    np.savez(z_events, momenta=momenta)
    store = tmp_path / "z.zarr"
    call = ("gen", Z_JETS, store, "--momenta", z_events, "--provider", provider)
    ampcli.fails(2, *call, naming="event 3 (from 0)")
    said = ampcli(*call, "--skip-bad")
    assert "3 events that are not physical were left out" in said.stdout
    opened = open_store(store)
    assert opened.rows == 57
    assert opened.plan.source.model_dump()["skipped"] == 3
    kept = np.delete(amplitude_reference["ddx_zgg/regular/me2"], [3, 17, 59])
    np.testing.assert_allclose(opened.read("amplitude"), kept, rtol=1e-10)


def test_only_bad_events(ampcli: Ampcli, tmp_path: Path, z_events: Path, amplitude_reference: Arrays) -> None:
    np.savez(z_events, momenta=-amplitude_reference["ddx_zgg/regular/momenta"])
    call = ("gen", Z_JETS, tmp_path / "z.zarr", "--momenta", z_events, "--skip-bad")
    ampcli.fails(2, *call, naming=("event 0", "energ"))
    assert not (tmp_path / "z.zarr").exists()


def test_a_model_meets_the_other_provider(ampcli: Ampcli, tmp_path: Path, make_store: Callable[..., Path]) -> None:
    native = make_store(tmp_path / "native.zarr", "2k", features=True)
    theirs = make_store(tmp_path / "pyamplicol.zarr", "2k", "--provider", "pyamplicol", features=True)
    registry = ("--registry", tmp_path / "registry")
    train = ("--epochs", "3", "--preset", "small", "--threads", "1", *registry)
    ampcli("train", native, "--name", "m", *train)
    ours, other = (ampcli("eval", "m", store, "--json", *registry).document["overall"] for store in (native, theirs))
    assert ours["median_abs_delta"] == pytest.approx(other["median_abs_delta"], rel=1e-6)
    changed = make_store(tmp_path / "changed.zarr", "2k", "--parameter", "alpha_s=0.13")
    ampcli.fails(2, "eval", "m", changed, *registry, naming=("does not describe", "0.118", "0.13"))


@pytest.fixture
def pairs(tmp_path: Path) -> Callable[[float], Path]:
    """Writes 60 events of two beams of 10 or 500 GeV and a pair of equal masses, one for each angle."""

    def write(mass: float) -> Path:
        energy, cos = 500.0 if mass else 10.0, np.linspace(-0.9, 0.9, 60)
        momentum = np.sqrt(energy**2 - mass**2)
        first = np.stack([0 * cos, momentum * np.sqrt(1 - cos**2), momentum * cos], axis=1)
        final = np.full((60, 2, 4), energy)
        final[:, 0, 1:], final[:, 1, 1:] = first, -first
        np.savez(tmp_path / "pairs.npz", momenta=with_beams(final))
        return tmp_path / "pairs.npz"

    return write


def test_colourless_processes_are_right(ampcli: Ampcli, tmp_path: Path, pairs: Callable[[float], Path]) -> None:
    store = tmp_path / "muons.zarr"
    ampcli("gen", "e- e+ > mu- mu+", store, "--momenta", pairs(0.0))
    opened = open_store(store)
    assert opened.plan.provider.options["normalisation"] == "corrected"
    momenta = opened.read("momenta")
    cos = momenta[:, 0, 3] / momenta[:, 0, 0]
    qed = (4 * np.pi / 132.507) ** 2 * (1 + cos**2)  # at 20 GeV the Z changes less than 10 %
    np.testing.assert_allclose(opened.read("amplitude"), qed, rtol=0.1)


def test_wrong_amplitudes_are_refused_or_marked(ampcli: Ampcli, tmp_path: Path, pairs: Callable[[float], Path]) -> None:
    store = tmp_path / "ww.zarr"
    call = ("gen", "e- e+ > w+ w-", store, "--momenta", pairs(80.41900244575616), "--json")
    ampcli.fails(2, *call, naming=("e- e+ > w+ w-", "W bosons", "neutrino", "--unchecked"))
    assert not store.exists()
    said = ampcli(*call, "--unchecked").document
    assert open_store(store).plan.provider.options["unchecked"] == "yes"
    assert "unchecked" in said["note"]
    useless = ("gen", "e- e+ > d d~", tmp_path / "s.zarr", "--momenta", pairs(0.0), "--unchecked")
    ampcli.fails(2, *useless, naming=("--unchecked has no effect", "e- e+ > d d~"))


def test_what_pyamplicol_lacks_is_not_said_to_vanish(
    ampcli: Ampcli, tmp_path: Path, pairs: Callable[[float], Path]
) -> None:
    for process, why, mass in (
        ("u d~ > c s~", "there is one", 0.0),
        ("e- e+ > d u~", "vanishes", 0.0),
        ("g g > h h", "begins with a loop", 125.0),
    ):
        said = ampcli.run("gen", process, tmp_path / "s.zarr", "--momenta", pairs(mass))
        assert said.code == 2
        assert process in said.stderr
        assert why in said.stderr
    assert not (tmp_path / "s.zarr").exists()
