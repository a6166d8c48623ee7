"""Perturbed copies of events: physical, within the cuts, near, with exact labels, the same whenever asked for."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import numpy as np
import pytest
import torch

from ampcli.amplitudes.native.provider import Native
from ampcli.errors import InterruptedRun, UsageError
from ampcli.generation.generate import GenerationRequest, generate, prepare
from ampcli.generation.proton_points import ProtonSettings
from ampcli.kinematics import with_beams
from ampcli.models.ansatz import Batch
from ampcli.phasespace.cuts import JetCuts
from ampcli.phasespace.perturb import perturbed_events, recoiling_legs
from ampcli.process import parse_process
from ampcli.records.training import Recipe
from ampcli.registry.storage import read_weights
from ampcli.store.features import stored_block, write_features
from ampcli.store.reader import Store, open_store
from ampcli.training import perturbed
from ampcli.training.ahead import Ahead, NotWanted
from ampcli.training.perturbed import PerturbedCopies
from ampcli.training.table import Table
from ampcli.training.train import TrainingRun, train

PROCESS = "d d~ > z g g"
CUTS, ENERGY = JetCuts(20.0, 5.0, 0.4), 13000.0


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    pytest.importorskip("madspace")
    folder = tmp_path_factory.mktemp("perturbed") / "z.zarr"
    request = GenerationRequest(PROCESS, folder, 1500, ProtonSettings("lhc13"))
    generate(prepare(request))
    write_features(open_store(folder), "iq1+", torch.device("cpu"))
    return open_store(folder)


def jets(final: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    p = final[:, 1:]
    pt = np.hypot(p[..., 1], p[..., 2])
    return pt, np.arcsinh(p[..., 3] / pt), np.arctan2(p[..., 2], p[..., 1])


def shaken(store: Store, size: float, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    final = store.read("momenta")
    copies, new = perturbed_events(final, store.process, size, np.random.default_rng(seed), CUTS, ENERGY)
    return final, copies, new


@pytest.mark.parametrize("size", [0.01, 0.15, 1.0])
def test_copies_are_physical_and_within_the_cuts(store, size):
    final, copies, new = shaken(store, size)
    masses = np.array(store.process.final_masses)
    squares = copies[..., 0] ** 2 - (copies[..., 1:] ** 2).sum(axis=2)
    assert (np.abs(squares - masses**2) < 1e-9 * copies[..., 0] ** 2).all()
    assert (np.abs(copies[..., 1:3].sum(axis=1)) < 1e-9 * copies[..., 0].sum(axis=1)[:, None]).all()
    beams = with_beams(copies)[:, :2, 0]
    assert (beams > 0).all()
    assert (beams < 6500).all()
    pt, eta, phi = jets(copies)
    assert (pt > 20).all()
    assert (np.abs(eta) < 5).all()
    apart = np.remainder(phi[:, 0] - phi[:, 1] + np.pi, 2 * np.pi) - np.pi
    assert (np.hypot(eta[:, 0] - eta[:, 1], apart) > 0.4).all()
    assert np.array_equal(copies[~new], final[~new])
    assert (np.abs(copies[new] - final[new]).max(axis=(1, 2)) > 0).all()
    assert 0 < new.mean() < 1 or size < 0.1


def test_the_size_of_the_shifts(store):
    final, copies, new = shaken(store, 0.02)
    assert new.mean() > 0.9
    before, after = jets(final[new]), jets(copies[new])
    turned = np.remainder(after[2] - before[2] + np.pi, 2 * np.pi) - np.pi
    for shift in (np.log(after[0] / before[0]), after[1] - before[1], turned):
        assert shift.std() == pytest.approx(0.02, rel=0.1)
        assert abs(shift.mean()) < 0.002
    rapidity = [np.arctanh(p[new, 0, 3] / p[new, 0, 0]) for p in (final, copies)]
    assert (rapidity[1] - rapidity[0]).std() == pytest.approx(0.02, rel=0.1)


def recipe(**changes) -> Recipe:
    settings = {"kind": "factorised", "block": "iq1+", "hidden": (8,), "seeds": (1,), "dataset_digest": "d"}
    return Recipe.model_validate({**settings, "perturb": 0.15, **changes})


def training_points(store: Store) -> list[torch.Tensor]:
    return [torch.from_numpy(store.read_split(name, "train")) for name in ("momenta", "amplitude")]


def copies_of(store: Store, **changes) -> PerturbedCopies:
    return PerturbedCopies.of(store, recipe(**changes), stored_block(store, "iq1+"), *training_points(store))


def test_labels_are_exact_and_features_those_of_the_copies(store):
    copies = copies_of(store)
    arrays, labels, new = copies.labelled(1)
    momenta = arrays["momenta"]
    exact = Native(store.process).evaluate(with_beams(momenta.numpy()))
    np.testing.assert_allclose(labels, exact, rtol=1e-9)
    moved = (momenta != copies.momenta).flatten(1).any(dim=1)
    assert 0.5 < moved.double().mean() < 1
    assert new == int(moved.sum())
    assert copies.block is not None
    for name, array in copies.block.compute(momenta).items():
        torch.testing.assert_close(arrays[name], array, rtol=1e-12, atol=0)


def test_every_epoch_has_its_own_copies_the_same_whenever_asked_for(store):
    copies = copies_of(store)
    first, again, second = (copies.labelled(epoch)[0]["momenta"] for epoch in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    assert not torch.equal(first, copies_of(store, seeds=(2,)).labelled(1)[0]["momenta"])


@contextmanager
def cores(wanted: set[int]) -> Iterator[None]:
    """This process may use these cores only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, wanted)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def weights_of(store: Store, registry: Path, stops: int = 0, **changes) -> tuple[dict[str, torch.Tensor], int]:
    """Of a training on perturbed copies that was interrupted so many times, and its labelled points."""
    changes = {"epochs": 4, "batch_size": 100, "perturb": 0.1, **changes}
    settings = recipe(dataset_digest=store.digest, options={"beta": 0.5}, **changes)
    run = TrainingRun(store, "m", registry, torch.device("cpu"))
    for _ in range(stops):
        asked = iter(range(100))
        with pytest.raises(InterruptedRun):
            train(run, settings, stop=lambda asked=asked: next(asked) == 15)
    (manifest,) = train(run, settings)
    assert manifest.training is not None
    return read_weights(registry / "m" / "1", manifest), manifest.training.labelled_points


def test_weights_do_not_depend_on_a_second_core(store, tmp_path):
    usable = os.sched_getaffinity(0)
    with cores({min(usable)}):
        alone, points = weights_of(store, tmp_path / "alone")
    assert points > 0
    for stops in (0, 2):
        together, as_many = weights_of(store, tmp_path / f"together{stops}", stops)
        assert as_many == points
        assert all(torch.equal(together[name], alone[name]) for name in alone)


def test_copies_that_serve_several_epochs(store, tmp_path):
    kept, points = weights_of(store, tmp_path / "kept", copy_epochs=3)
    assert points == copies_of(store, perturb=0.1).labelled(1)[2]  # one set: epochs 2 to 4
    resumed, as_many = weights_of(store, tmp_path / "resumed", stops=2, copy_epochs=3)
    assert as_many == points
    assert all(torch.equal(resumed[name], kept[name]) for name in kept)


@pytest.mark.parametrize("second_core", [False, True])
def test_tables_that_are_made_ahead(second_core):
    made = []

    def make(epoch: int, over: Event) -> Table:
        made.append(epoch)
        return Table(Batch(torch.empty(0), torch.empty(0), torch.full((1,), float(epoch))))

    with Ahead(make, 4, second_core) as tables:
        assert [float(tables(epoch).rows.target) for epoch in (1, 2, 3)] == [1.0, 2.0, 3.0]
    assert made == [1, 2, 3]


def test_a_table_that_cannot_be_made_is_an_error_when_it_is_asked_for():
    def make(epoch: int, over: Event) -> Table:
        if epoch == 1:
            raise UsageError("no such epoch", "")
        return Table(Batch(*torch.empty(3, 0)))

    with Ahead(make, 3, second_core=True) as tables:
        tables(0)
        with pytest.raises(UsageError, match="no such epoch"):
            tables(1)


def test_copies_that_nobody_wants_are_not_made(store):
    over = Event()
    over.set()
    with pytest.raises(NotWanted):
        copies_of(store).labelled(1, over)


def test_events_without_hadron_beams_are_refused(store4):
    with pytest.raises(UsageError, match="events of hadron beams"):
        PerturbedCopies.of(store4, recipe(), None, *training_points(store4))


@pytest.mark.parametrize("name", ["d d~ > g g g", "e- e+ > z z g"])
def test_something_must_take_the_recoil(name):
    with pytest.raises(UsageError, match="one particle, or a pair of leptons, beside the jets"):
        recoiling_legs(parse_process(name))


def test_copies_of_shares_are_those_of_one_process(store, monkeypatch):
    monkeypatch.setattr(perturbed, "_CHUNK", 100)  # shares begin and end within chunks
    block, (momenta, amplitude) = stored_block(store, "iq1+"), training_points(store)
    whole, labels, new = copies_of(store).labelled(1)
    bounds = [0, 130, 131, len(momenta)]
    found = [
        PerturbedCopies.of(store, recipe(), block, momenta[a:b], amplitude[a:b], a, len(momenta)).labelled(1)
        for a, b in itertools.pairwise(bounds)
    ]
    for name, array in whole.items():
        assert torch.equal(torch.cat([arrays[name] for arrays, *_ in found]), array), name
    torch.testing.assert_close(torch.cat([labels for _, labels, _ in found]), labels, rtol=1e-12, atol=0)
    assert sum(count for *_, count in found) == new
