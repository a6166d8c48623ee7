"""Pairs of leptons through the real commands: events within cuts, features, a surrogate, event files, refusals."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ampcli.amplitudes.native.provider import Native
from ampcli.collisions.protons import ProtonCollisions
from ampcli.kinematics import with_beams
from ampcli.phasespace.cuts import JetCuts, LeptonCuts
from ampcli.phasespace.decays import pair_mass
from ampcli.process import parse_process
from ampcli.store.reader import open_store

if TYPE_CHECKING:
    from conftest import Ampcli

pytest.importorskip("madspace")

PROCESS = "d d~ > e- e+ g g g"
CUTS = LeptonCuts(15.0, 2.4, 0.3, 0.5, 40.0)
OPTIONS = ("--lepton-pt-min", 15, "--lepton-eta-max", 2.4, "--delta-r-ll", 0.3, "--delta-r-jl", 0.5, "--m-ll-min", 40)


@dataclass(frozen=True)
class Made:
    store: Path
    registry: Path


@pytest.fixture(scope="module")
def made(ampcli: Ampcli, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """2000 unweighted events with features, and a surrogate of them.  Read only."""
    folder = tmp_path_factory.mktemp("leptons")
    found = Made(folder / "s.zarr", folder / "registry")
    ampcli("gen", PROCESS, found.store, "--points", "2k", "--beams", "lhc13", "--unweighted", *OPTIONS)
    ampcli("features", found.store, "fg1", "fg1+", "--threads", "1")
    quick = ("--epochs", "3", "--hidden", "32,32,32", "--threads", "1", "--registry", found.registry)
    ampcli("train", found.store, "--model", "fg1+", "--name", "fg1", "--perturb", "0.1", *quick)
    return found


def test_events_are_within_the_cuts(made: Made) -> None:
    store = open_store(made.store)
    final = store.read("momenta")
    assert CUTS.passed(final, store.process).all()
    assert JetCuts().passed(final, store.process).all()
    np.testing.assert_allclose(store.read("amplitude"), Native(store.process).evaluate(with_beams(final)), rtol=1e-9)
    assert isinstance(store.plan.source, ProtonCollisions)
    assert store.plan.source.leptons == CUTS
    assert 0.6 < np.mean(np.abs(pair_mass(final[:, :2]) - 91.188) < 5) < 0.95  # most of them come from the Z


def test_radiations_leave_the_leptons_alone(made: Made) -> None:
    store = open_store(made.store)
    final = store.read("momenta")
    reduced = with_beams(store.read("features/fg1/reduced_momenta"))
    metric = np.array([1.0, -1.0, -1.0, -1.0])  # the frame is one of its own: invariants of leptons and beams
    before, after = (np.einsum("nic,njc,c->nij", p[:, :4], p[:, :4], metric) for p in (with_beams(final), reduced))
    np.testing.assert_allclose(after, before, rtol=1e-6, atol=1e-6)
    amplitude = store.read("features/fg1/reduced_amplitude")
    np.testing.assert_allclose(amplitude, Native(parse_process("d d~ > e- e+ g g")).evaluate(reduced), rtol=1e-9)


def test_the_surrogate_is_judged_and_used(ampcli: Ampcli, made: Made, tmp_path: Path) -> None:
    where = ("--registry", made.registry)
    judged = ampcli("eval", "fg1", made.store, "--out", tmp_path / "eval", *where, "--json").document
    assert judged
    ampcli("export", made.store, tmp_path / "events.lhe")
    assert "charged leptons: pT &gt; 15 GeV" in (tmp_path / "events.lhe").read_text()
    ampcli("predict", "fg1", tmp_path / "events.lhe", tmp_path / "p.npz", *where)
    with np.load(tmp_path / "p.npz") as predicted:
        ratio = predicted["amplitude"] / open_store(made.store).read("amplitude")
    assert 0.3 < np.median(ratio) < 3
    ampcli.fails(
        2, "export", "fg1", tmp_path / "library", *where, naming="cuts on leptons, which libraries do not know"
    )


def test_options_without_effect(ampcli: Ampcli, tmp_path: Path) -> None:
    said = "--lepton-pt-min, --lepton-eta-max, --delta-r-ll, --delta-r-jl, --m-ll-min have no effect"
    ampcli.fails(2, "gen", "d d~ > z g", tmp_path / "z", "--points", 10, "--beams", "lhc13", *OPTIONS, naming=said)
    assert not list(tmp_path.iterdir())
