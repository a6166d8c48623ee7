"""Mixtures executed, what they are paid for with, and what may not take part."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from samples import LEPTONS, PROVIDER, REGION

from ampcli.collisions.leptons import LeptonCollisions
from ampcli.collisions.protons import ProtonCollisions
from ampcli.errors import UsageError
from ampcli.kinematics import with_beams
from ampcli.phasespace.rambo import rambo
from ampcli.process import parse_process
from ampcli.registry.manifest import Dataset, Manifest
from ampcli.speedup.cascades import Cascade
from ampcli.speedup.measure import require_own_uncertainty
from ampcli.speedup.mixture import Mixture
from ampcli.speedup.spent import Spent, amplitudes_per_event, break_even, labelled_points, spent_on
from ampcli.speedup.timing import seconds_per_event
from ampcli.uncertainty.kind import UncertaintyKind

PROCESS = parse_process("e- e+ > d d~ g")


@dataclass
class Surrogate:
    """Predicts one value; sure of every k-th of its events, by the energy of the first jet."""

    value: float
    sure: float
    asked: list[int] = field(default_factory=list)

    def predict_final(self, final):
        self.asked.append(len(final))
        relative = np.where(final[:, 0, 0] < self.sure, 0.01, 0.1)
        return np.full(len(final), self.value), self.value * relative


@dataclass
class Exact:
    process = PROCESS
    asked: list[int] = field(default_factory=list)

    def evaluate(self, momenta):
        self.asked.append(len(momenta))
        return 100.0 + momenta[:, 2, 0]


@pytest.fixture
def events(rng):
    return with_beams(np.ascontiguousarray(rambo(rng.random((1000, 3, 4)), 100.0)), 100.0)


def test_a_mixture_asks_each_stage_for_what_earlier_ones_left(events):
    first, second, exact = Surrogate(1.0, 20.0), Surrogate(2.0, 40.0), Exact()
    cascade = Cascade("", ((0,), (1,)), (0.0, 0.0))
    found, counts = Mixture([first, second], cascade, [0.05, 0.05], exact).run(events, 300)
    energy = events[:, 2, 0]
    expected = np.where(energy < 20, 1.0, np.where(energy < 40, 2.0, 100.0 + energy))
    np.testing.assert_array_equal(found, expected)
    assert counts == [np.count_nonzero(expected == 1), np.count_nonzero(expected == 2), np.count_nonzero(expected > 2)]
    assert first.asked == [300, 300, 300, 100]
    batches = [slice(start, start + 300) for start in range(0, 1000, 300)]
    assert second.asked == [np.count_nonzero(energy[rows] >= 20) for rows in batches]
    assert exact.asked == [np.count_nonzero(energy[rows] >= 40) for rows in batches]


def test_a_combination_asks_no_model_twice(events):
    first, second, exact = Surrogate(1.0, 20.0), Surrogate(4.0, 90.0), Exact()
    cascade = Cascade("", ((0,), (0, 1)), (0.0, 0.0), torch.eye(2, dtype=torch.float64))
    found, counts = Mixture([first, second], cascade, [0.05, 0.05], exact).run(events, 1000)
    unsure = int(np.count_nonzero(events[:, 2, 0] >= 20))
    assert first.asked == [1000]
    assert second.asked == [unsure]
    assert counts == [1000 - unsure, unsure, 0]
    assert exact.asked == []
    # 10 % and 1 %: the second counts 100 times as much in the logarithm.
    np.testing.assert_allclose(found[events[:, 2, 0] >= 20], 4 ** (100 / 101))


def test_without_a_sure_surrogate_all_is_exact(events):
    first, exact = Surrogate(1.0, 20.0), Exact()
    found, counts = Mixture([first], Cascade("", ((0,),), (0.0,)), [0.0], exact).run(events, 1000)
    np.testing.assert_array_equal(found, 100.0 + events[:, 2, 0])
    assert counts == [0, 1000]


def test_mixtures_look_at_momenta_as_exact_amplitudes_do(events):
    events[3, 2, 0] *= 1.1
    with pytest.raises(UsageError, match="event 3"):
        Mixture([Surrogate(1.0, 1e9)], Cascade("", ((0,),), (0.0,)), [1.0], Exact()).run(events, 1000)


def test_the_median_of_repeats(monkeypatch):
    ticks = itertools.count()
    monkeypatch.setattr("ampcli.speedup.timing.time.perf_counter", lambda: float(next(ticks)))
    calls = []
    # Every look at the clock takes a second: what costs a second and more is called once in each repeat.
    assert seconds_per_event(lambda: calls.append(1), 4) > 0
    assert 2 <= len(calls) <= 6  # 10 s of repeats are enough


def test_break_even():
    spent = Spent(events=1000, copies=500, at_most=False, seconds=30.0, unknown=[])
    # 1500 amplitudes of 0.1 s and 30 s are 180 s; an event of 0.02 s instead of 0.1 s saves 0.08 s.
    assert break_even(spent, 0.1, 5.0) == pytest.approx(180 / 0.08)
    assert break_even(spent, 0.1, 1.0) is None
    assert break_even(spent, 0.1, 0.5) is None


def manifest(training=None, **changes) -> Manifest:
    """Of a model whose training had these settings, and these outcomes."""
    made = {"kind": "factorised", "hidden": [], "seeds": [1], "dataset_digest": "d", "epochs_done": 1, "best_epoch": 1}
    changes["training"] = {**made, "best_validation_loss": 0.0, **(training or {})}
    dataset = Dataset(
        digest=changes.pop("digest", "d"), points=600, splits={"train": 400, "validation": 100}, source=LEPTONS
    )
    values = {"name": "m", "kind": "factorised", "process": "d d~ > z g g g", "provider": PROVIDER, "seconds": 10.0}
    return Manifest(dataset=dataset, region=REGION, **{**values, "weights_sha256": "0", **changes})


def store_of(source, attributes, rows=600):
    plan = SimpleNamespace(source=source)
    return SimpleNamespace(
        plan=plan, attributes=attributes, rows=rows, digest="d", path="z.zarr", tried=attributes["tried"]
    )


HADRON = {
    "energy": 13e3, "pt_min": 20, "eta_max": 5, "delta_r": 0.4, "scale": None, "pdf": "p", "pdf_sha256": "0",
    "alpha_s_mz": 0.13, "overweight": 0.003, "seed": 1, "sampler": "s",
}  # fmt: skip
RAMBO = {"sqrt_s": 1000.0, "y_cut": 1e-3, "seed": 1}


@pytest.mark.parametrize(
    ("source", "attributes", "expected"),
    [
        (ProtonCollisions(**HADRON, unweighted=True), {"tried": 6000}, (10.0, False)),
        (ProtonCollisions(**HADRON, unweighted="two-stage"), {"tried": 6000, "exact_amplitudes": 900}, (1.5, True)),
        (ProtonCollisions(**HADRON, unweighted=False), {"tried": 6000}, (1.0, True)),
        (LeptonCollisions(**RAMBO), {"tried": 6000}, (1.0, True)),
        (LeptonCollisions(**RAMBO, overweight=0.003), {"tried": 6000, "exact_amplitudes": 3000}, (5.0, True)),
    ],
)
def test_exact_amplitudes_of_an_event(source, attributes, expected):
    assert amplitudes_per_event(store_of(source, attributes)) == pytest.approx(expected)


def test_exact_amplitudes_of_copies():
    store = store_of(LeptonCollisions(**RAMBO), {"tried": 6000})  # no cuts of jets: every copy is new
    assert labelled_points(manifest(training={"perturb": 0.0, "epochs_done": 5}), store) == (0, True)
    assert labelled_points(manifest(training={"perturb": 0.1, "epochs_done": 5}), store) == (1600, False)
    counted = manifest(training={"perturb": 0.1, "epochs_done": 5, "labelled_points": 1234})
    assert labelled_points(counted, store) == (1234, True)


def test_everything_is_paid_for_once():
    store = store_of(ProtonCollisions(**HADRON, unweighted="two-stage"), {"tried": 6000, "exact_amplitudes": 900})
    run = {"training": {"labelled_points": 50, "seeds": [1]}}
    alike = [manifest(**run), manifest(**run, name="again")]  # recalibrated: no training of its own
    other = manifest(training={"labelled_points": 7, "seeds": [2]}, seconds=4.0, weights_sha256="1")
    assert spent_on([*alike, other], store) == Spent(events=900, copies=57, at_most=False, seconds=14.0, unknown=[])
    elsewhere = manifest(digest="e", training={"init_from": "p@1"}, seconds=5.0)
    found = spent_on([*alike, elsewhere], store)
    assert found.events == 1800
    assert [text.partition(":")[0] for text in found.unknown] == [
        "the training store of m@0",
        "the training of p@1, which m@0 started from",
    ]


@pytest.mark.parametrize("kind", UncertaintyKind)
def test_uncertainties_that_are_not_the_models_own(kind):
    predictor = SimpleNamespace(manifest=SimpleNamespace(reference="m@1"), uncertainty_kind=kind)
    if kind is UncertaintyKind.OWN:
        require_own_uncertainty(predictor)
    else:
        with pytest.raises(UsageError, match="m@1 has no uncertainty of its own"):
            require_own_uncertainty(predictor)
