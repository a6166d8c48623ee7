"""Stores of proton collisions through the real command: weighted, unweighted, interrupted, refused."""

from __future__ import annotations

import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ampcli.amplitudes.native.provider import Native
from ampcli.kinematics import with_beams
from ampcli.phasespace.hadron_sampler import Adaptation
from ampcli.store.parts import read_plan
from ampcli.store.reader import Store, open_store

if TYPE_CHECKING:
    from conftest import Ampcli

pytest.importorskip("madspace")

PROCESS = "d d~ > z g g"
LHC = ("--beams", "lhc13", "--seed", "4")
MANY = ("--points", "15k", "--unweighted")  # 15 parts


@pytest.fixture(scope="module")
def stores(ampcli: Ampcli, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Store, str]]:
    """A weighted and an unweighted store of 2000 points, and what the command said.  Read only."""
    folder = tmp_path_factory.mktemp("hadrons")
    made = {}
    for name, options in (("weighted", ()), ("unweighted", ("--unweighted",))):
        said = ampcli("gen", PROCESS, folder / name, "--points", "2k", *LHC, *options).stdout
        made[name] = open_store(folder / name), said
    return made


@pytest.fixture(scope="module")
def digest(ampcli: Ampcli, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of many unweighted events, made without interruption."""
    store = tmp_path_factory.mktemp("uninterrupted") / "s.zarr"
    made = ampcli("gen", PROCESS, store, *LHC, *MANY, "--json").document
    shutil.rmtree(store)
    return str(made["digest"])


@pytest.mark.parametrize("kind", ["weighted", "unweighted"])
def test_what_a_store_holds(stores: dict[str, tuple[Store, str]], kind: str) -> None:
    store, said = stores[kind]
    momenta, x, amplitude, weight = (store.read(name) for name in ("momenta", "x", "amplitude", "weight"))
    assert momenta.shape == (2000, 3, 4)
    assert x.shape == (2000, 2)
    assert amplitude.shape == weight.shape == (2000,)
    events = with_beams(momenta)
    np.testing.assert_allclose(x, 2 * events[:, :2, 0] / 13000, rtol=1e-9)
    np.testing.assert_allclose(amplitude, Native(store.process).evaluate(events), rtol=1e-9)
    jets = momenta[:, 1:]
    pt = np.hypot(jets[..., 1], jets[..., 2])
    assert pt.min() > 20 * (1 - 1e-9)
    assert np.abs(np.arcsinh(jets[..., 3] / pt)).max() < 5 + 1e-9
    assert store.sqrt_s is None
    f = weight * amplitude
    printed = re.search(r"acceptance ([\d.]+), cross section (\S+) \+- (\S+) pb", said)
    assert printed is not None
    acceptance, value, error = map(float, printed.groups())
    mean = f.sum() / store.tried
    assert value == pytest.approx(mean, abs=0.051 * error)  # to the second digit of the error
    assert error == pytest.approx(np.sqrt(((f**2).sum() / store.tried - mean**2) / store.tried), rel=0.05)
    assert acceptance == pytest.approx(2000 / store.tried, abs=1e-4)
    assert abs(value - 147.3) < 4 * np.hypot(error, 0.5)  # 200 000 points


@pytest.mark.parametrize("kind", ["weighted", "unweighted"])
def test_provenance(stores: dict[str, tuple[Store, str]], kind: str) -> None:
    plan = stores[kind][0].plan
    assert plan.provider.name == "native"
    assert plan.provider.parameters["alpha_s"] == 0.118  # of the amplitudes, not of the weights
    source = plan.source.model_dump()
    assert source.pop("sampler").startswith("jets 2, madspace ")
    assert re.fullmatch("[0-9a-f]{64}", source.pop("pdf_sha256"))
    assert source == {
        "kind": "hadron",
        "energy": 13000.0,
        "pt_min": 20.0,
        "eta_max": 5.0,
        "delta_r": 0.4,
        "scale": None,
        "pdf": "NNPDF23_lo_as_0130_qed",
        "alpha_s_mz": 0.130,
        "unweighted": kind == "unweighted",
        "overweight": 0.003,
        "seed": 4,
    }


def test_unweighted_events_have_one_weight(stores: dict[str, tuple[Store, str]]) -> None:
    store, said = stores["unweighted"]
    w_max = Adaptation.load(store.path / ".ampcli" / "adaptation.npz").w_max
    f = store.read("weight") * store.read("amplitude")
    assert (f >= w_max * (1 - 1e-12)).all()
    assert (np.abs(f / w_max - 1) < 1e-12).mean() > 0.97
    worth = re.search(r"worth (\d+) events", said)
    assert worth is not None
    assert int(worth[1]) > 1900


def test_weighted_events_have_many(stores: dict[str, tuple[Store, str]]) -> None:
    store, _ = stores["weighted"]
    f = store.read("weight") * store.read("amplitude")
    assert len(np.unique(f[f > 0])) > 1900
    assert store.digest != stores["unweighted"][0].digest


def test_other_amplitudes_keep_the_points(ampcli: Ampcli, tmp_path: Path, stores: dict[str, tuple[Store, str]]) -> None:
    usual = stores["weighted"][0]
    said = ampcli("gen", PROCESS, tmp_path / "s", "--points", "2k", *LHC, "--parameter", "alpha_s=0.13").stdout
    changed = open_store(tmp_path / "s")
    ratio = (0.13 / 0.118) ** 2
    np.testing.assert_allclose(changed.read("amplitude")[:500], ratio * usual.read("amplitude")[:500], rtol=1e-6)
    # weights run from alpha_s(M_Z), so that cross sections do not depend on the amplitudes' coupling
    f = [store.read("weight")[:500] * store.read("amplitude")[:500] for store in (usual, changed)]
    np.testing.assert_allclose(f[0], f[1], rtol=1e-5)
    assert said.split("cross section ")[1][:5] == stores["weighted"][1].split("cross section ")[1][:5]


def test_two_workers_and_shares_make_the_same_store(
    ampcli: Ampcli, tmp_path: Path, stores: dict[str, tuple[Store, str]]
) -> None:
    call = ("gen", PROCESS, tmp_path / "workers", "--points", "2k", *LHC, "--unweighted", "--workers", "2", "--json")
    assert ampcli(*call).document["digest"] == stores["unweighted"][0].digest
    call = ("gen", PROCESS, tmp_path / "shares", "--points", "2k", *LHC, "--json", "--part")
    assert ampcli(*call, "2/2").document["finished"] is False
    finished = ampcli(*call, "1/2").document
    assert finished["finished"] is True
    assert finished["digest"] == stores["weighted"][0].digest


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_interrupted_store_is_continued(
    ampcli: Ampcli, count_parts: Callable[[Path], int], digest: str, tmp_path: Path, workers: str
) -> None:
    store = tmp_path / "s.zarr"
    call = ("gen", PROCESS, store, *LHC, *MANY, "--workers", workers)
    with ampcli.started(*call) as running:
        running.wait_until(lambda: count_parts(store) >= 2)
        running.signal(signal.SIGINT, group=True)
        outcome = running.end()
    assert outcome.code == 75, outcome.stderr
    assert "--resume" in outcome.stderr
    kept = count_parts(store)
    assert 2 <= kept < read_plan(store).parts
    learned = store / ".ampcli" / "adaptation.npz"
    before = learned.stat().st_mtime_ns
    ampcli.fails(2, *call, naming=("exists already", "--resume"))
    assert ampcli(*call, "--workers", "1", "--resume", "--json").document["digest"] == digest
    assert learned.stat().st_mtime_ns == before  # it did not adapt again


def test_interrupted_while_it_adapts(
    ampcli: Ampcli, tmp_path: Path, stores: dict[str, tuple[Store, str]], count_parts: Callable[[Path], int]
) -> None:
    store = tmp_path / "s.zarr"
    call = ("gen", PROCESS, store, "--points", "2k", *LHC, "--unweighted")
    with ampcli.started(*call) as running:
        # its kernels are loaded with the first point; adapting takes another second
        running.wait_until(lambda: "libmadspace_cpu" in Path(f"/proc/{running.pid}/maps").read_text())
        running.signal(signal.SIGINT, group=True)
        outcome = running.end()
    assert outcome.code == 75, outcome.stderr
    assert count_parts(store) == 0
    assert not (store / ".ampcli" / "adaptation.npz").exists()
    assert ampcli(*call, "--resume", "--json").document["digest"] == stores["unweighted"][0].digest


def test_a_store_of_something_else_is_refused(ampcli: Ampcli, stores: dict[str, tuple[Store, str]]) -> None:
    store = stores["weighted"][0].path
    call = ("gen", PROCESS, store, "--points", "2k", "--resume")
    for options, naming in (
        ((*LHC, "--pt-min", "30"), "source.pt_min: 30.0 here, 20.0 there"),
        ((*LHC, "--scale", "91.188"), "source.scale"),
        ((*LHC, "--unweighted"), "source.unweighted"),
        (("--beams", "lhc14", "--seed", "4"), "source.energy"),
    ):
        ampcli.fails(2, *call, *options, naming=("holds something else", naming))
    assert ampcli(*call, *LHC, "--json").document["digest"] == stores["weighted"][0].digest


LHC13 = ("--beams", "lhc13")


@pytest.mark.parametrize(
    ("code", "process", "options", "naming"),
    [
        (2, PROCESS, ("--beams", "tevatron"), ("--beams tevatron", "lhc13", "lhc14")),
        (2, PROCESS, (*LHC13, "--sqrt-s", "1000"), ("--beams", "--sqrt-s")),
        (2, PROCESS, (*LHC13, "--momenta", "events.npz"), ("--beams", "--momenta")),
        (2, PROCESS, (*LHC13, "--y-cut", "0.01"), ("--y-cut", "no effect")),
        (2, PROCESS, (*LHC13, "--pt-min", "0"), "--pt-min 0"),
        (2, PROCESS, (*LHC13, "--eta-max", "nan"), "--eta-max nan"),
        (2, PROCESS, (*LHC13, "--delta-r", "-1"), "--delta-r -1"),
        (2, PROCESS, (*LHC13, "--scale", "0"), "--scale 0"),
        (2, PROCESS, (*LHC13, "--scale", "0.1"), "--scale 0.1"),
        (2, PROCESS, (*LHC13, "--scale", "1e300"), "--scale 1e+300"),
        (2, PROCESS, (*LHC13, "--alpha-s-mz", "inf"), "--alpha-s-mz inf"),
        (2, PROCESS, (*LHC13, "--unweighted", "--overweight", "0"), "--overweight 0"),
        (2, PROCESS, (*LHC13, "--unweighted", "--overweight", "1"), "--overweight 1"),
        (2, "e- e+ > d d~ g", LHC13, ("e- e+ > d d~ g", "no partons in both beams")),
        (2, "d d~ > z", LHC13, ("d d~ > z", "one outgoing particle")),
        (4, PROCESS, (*LHC13, "--pdf", "CT99"), ('"CT99"', "CT99_0000.dat", "LHAPDF_DATA_PATH")),
        (2, PROCESS, (*LHC13, "--pt-min", "6600"), ("0 of 65536 points pass", "pT > 6600", "Loosen the cuts")),
    ],
)
def test_what_is_refused(
    ampcli: Ampcli, tmp_path: Path, code: int, process: str, options: tuple[str, ...], naming: str | tuple[str, ...]
) -> None:
    ampcli.fails(code, "gen", process, tmp_path / "s.zarr", "--points", "1k", *options, naming=naming)
    assert not list(tmp_path.iterdir())


def test_points_must_be_asked_for(ampcli: Ampcli, tmp_path: Path) -> None:
    ampcli.fails(2, "gen", PROCESS, tmp_path / "s.zarr", *LHC13, naming=("how many points", "--points"))
    assert not list(tmp_path.iterdir())
