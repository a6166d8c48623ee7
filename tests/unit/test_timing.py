"""Times of exact amplitudes, surrogates and mixtures, by a clock that only what is timed moves on."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from counted import Counted

from ampcli.amplitudes.native.provider import Native
from ampcli.generation.generate import generate, prepare
from ampcli.inference.load import load_predictor
from ampcli.inference.predictor import Predicted
from ampcli.kinematics import with_beams
from ampcli.process import Process
from ampcli.progress import nothing
from ampcli.registry.manifest import Manifest
from ampcli.speedup import mixture, timing
from ampcli.speedup.measure import measure_speedup
from ampcli.store.reader import Store, open_store
from ampcli.uncertainty.kind import UncertaintyKind

SURROGATE, EXACT, CHECK, COMBINATION = 2e-5, 1e-3, 5e-6, 1e-6  # seconds per event
SURE_BELOW = 380.0  # GeV, of the energy of the first jet


@dataclass
class Clock:
    now: float = 0.0
    calls: int = 0

    def spend(self, seconds: float) -> None:
        self.now += seconds

    def work(self, costs: Iterable[float] | float) -> Callable[[], None]:
        """A call that takes these seconds, in turn."""
        each = iter(costs if not isinstance(costs, float) else itertools.repeat(costs))

        def call() -> None:
            self.calls += 1
            self.now += next(each)

        return call


@pytest.fixture
def clock(monkeypatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("ampcli.speedup.timing.time.perf_counter", lambda: made.now)
    return made


def test_quick_calls_are_repeated_for_a_tenth_of_a_second(clock):
    assert timing.seconds_per_event(clock.work(0.03), 4) == pytest.approx(0.03 / 4, rel=1e-12)
    assert clock.calls == 1 + 5 * 4  # 0.12 s each


def test_the_first_call_does_not_count_and_the_median_does(clock):
    found = timing.seconds_per_event(clock.work([9.0, 0.2, 0.3, 5.0, 0.25, 0.4]), 10)
    assert found == pytest.approx(0.03, rel=1e-12)
    assert clock.calls == 6


@pytest.mark.parametrize(("seconds", "repeats"), [(1.9, 5), (3.0, 4), (6.0, 2), (11.0, 1), (300.0, 1)])
def test_slow_calls_are_repeated_less_often(clock, seconds, repeats):
    assert timing.seconds_per_event(clock.work(seconds), 2) == pytest.approx(seconds / 2)
    assert clock.calls == 1 + repeats


def test_what_slows_the_machine_slows_both_of_a_ratio(clock):
    slowness = [1.0, 4.0, 0.5, 9.0, 2.0, 1.0]
    mine, other = clock.work([0.2 * s for s in slowness]), clock.work([0.6 * s for s in slowness])
    assert timing.times_faster(mine, 10, other, 5) == pytest.approx((0.6 / 5) / (0.2 / 10))


@dataclass
class Exact:
    """The amplitudes of a process at a price, in seconds per event."""

    clock: Clock
    process: Process
    price: float

    def evaluate(self, momenta):
        self.clock.now += self.price * len(momenta)
        return Native(self.process).evaluate(momenta)


def test_times_of_the_parts_of_an_ensemble(clock):
    """Two networks with features; the reduced amplitude of each has two terms for every event."""
    forward = 3e-4
    provider = SimpleNamespace(evaluate=lambda momenta: clock.spend(EXACT * len(momenta)))
    block = SimpleNamespace(name="fg1,ig1", provider=provider)
    reduced = torch.rand((50, 2, 3, 4), dtype=torch.float64) + 1.0

    def evaluated(layers, inputs):
        assert inputs.shape == (4, 50, 7)  # members, events, inputs
        clock.spend(forward * inputs.shape[1])

    network = SimpleNamespace(
        arrays=lambda batch: {"reduced_momenta": reduced},
        block=block,
        ansatz=SimpleNamespace(inputs=lambda arrays: torch.zeros((1, 50, 7))),
        n_members=4,
        network=SimpleNamespace(forward=evaluated),
        layers=None,
        compiled=None,
    )
    total = 2 * (2 * EXACT + forward) + 4e-4
    predictor = SimpleNamespace(
        networks=[network, network],
        device=torch.device("cpu"),
        predict_final=lambda final: clock.spend(total * len(final)),
    )
    found = timing.surrogate_times(predictor, np.zeros((50, 3, 4)))
    assert found.total == pytest.approx(total, rel=1e-9)
    assert found.reduced_amplitude == pytest.approx(2 * 2 * EXACT, rel=1e-9)
    assert found.network == pytest.approx(2 * forward, rel=1e-9)
    assert found.features == pytest.approx(4e-4, rel=1e-6)


def test_times_of_the_parts_of_a_compiled_network(clock):
    """What the compiled pass takes beyond the network's inputs is the network's."""
    member = SimpleNamespace(
        predict=lambda batch: clock.spend(9e-4 * len(batch)), inputs=lambda batch: clock.spend(5e-4 * len(batch))
    )
    network = SimpleNamespace(arrays=lambda batch: {}, block=None, compiled=member)
    predictor = SimpleNamespace(
        networks=[network], device=torch.device("cpu"), predict_final=lambda final: clock.spend(1e-3 * len(final))
    )
    found = timing.surrogate_times(predictor, np.zeros((50, 3, 4)))
    assert found.network == pytest.approx(4e-4, rel=1e-9)
    assert found.features == pytest.approx(6e-4, rel=1e-9)


@dataclass
class Surrogate:
    """Right to 0.1 % where it is sure; elsewhere it is unsure and off by 20 %."""

    clock: Clock
    process: Process
    manifest: Manifest
    sure_below: float  # GeV, energy of the first jet
    networks = ()
    device = torch.device("cpu")
    uncertainty_kind = UncertaintyKind.OWN

    def predict_final(self, final):
        self.clock.now += SURROGATE * len(final)
        sure = final[:, 0, 0] < self.sure_below
        amplitude = Native(self.process).evaluate(with_beams(final)) * np.where(sure, 1.001, 1.2)
        return amplitude, amplitude * np.where(sure, 0.01, 0.3)

    def predicted(self, final, features=None, on_rows=nothing):
        on_rows(len(final))
        amplitude, uncertainty = self.predict_final(final)
        return Predicted(amplitude, uncertainty, uncertainty, amplitude[None])


@pytest.fixture(scope="module")
def store(store3, request_for, tmp_path_factory) -> Store:
    """The points of store3 as events that count alike."""
    folder = tmp_path_factory.mktemp("alike")
    np.savez(folder / "events.npz", momenta=with_beams(store3.read("momenta"), store3.sqrt_s))
    generate(prepare(request_for(folder / "s.zarr", momenta=folder / "events.npz")))
    return open_store(folder / "s.zarr")


def test_the_numbers_of_a_report(clock, store, registry, monkeypatch):
    """What surrogate and exact amplitudes cost, and where the surrogate decides, gives the numbers of the report."""

    def checked(momenta, process):
        clock.spend(CHECK * len(momenta))
        return momenta

    monkeypatch.setattr(timing, "checked_momenta", checked)
    monkeypatch.setattr(mixture, "checked_momenta", checked)
    monkeypatch.setattr(timing, "combine_by_covariance", lambda a, r, c: clock.spend(COMBINATION * a.shape[1]))
    manifest = load_predictor("fame3@1", registry, "cpu").manifest
    prices = {"dear": EXACT, "cheap": EXACT / 10}
    providers = {name: Exact(clock, store.process, price) for name, price in prices.items()}
    surrogate = Surrogate(clock, store.process, manifest, SURE_BELOW)
    bars = Counted()
    report = measure_speedup([surrogate], [[manifest]], store, providers, 0.03, 0.05, batch=100, bars=bars)

    assert bars.complete == ["points", "amplitudes", "surrogates", "points", "strategies"]
    assert report.exact == pytest.approx(prices, rel=1e-9)
    assert report.yardstick == "dear"
    assert report.checks == pytest.approx(CHECK, rel=1e-9)
    assert report.combination == pytest.approx(COMBINATION, rel=1e-9)
    assert report.surrogates[0].total == pytest.approx(SURROGATE, rel=1e-9)
    test = store.read_split("momenta", "test")
    judged = test[::5]
    chose = len(store.read_split("momenta", "validation"))
    assert report.points == {"chose": chose, "certified": len(test) - len(judged), "judged": len(judged)}
    assert report.spent.events == 3000
    assert report.spent.seconds == manifest.seconds

    sure = judged[:, 0, 0] < SURE_BELOW
    run = np.resize(sure, 100)  # one batch
    assert 0.2 < sure.mean() < 0.8
    assert [strategy.provider for strategy in report.strategies] == ["dear", "cheap"]
    for strategy, price in zip(report.strategies, prices.values(), strict=True):
        assert strategy.certified
        assert strategy.events_needed == 59  # 0.95^59 is below 0.05
        assert strategy.outcome.used == [sure.mean()]
        assert strategy.outcome.tolerance == 0.0
        assert strategy.outcome.factor == pytest.approx(price / (SURROGATE + CHECK + (1 - sure.mean()) * price))
        assert strategy.executed == pytest.approx(price / (SURROGATE + CHECK + (1 - run.mean()) * price))
        # The strictest tolerances would need more events than there are: the exact amplitude alone.
        assert strategy.curve[0] == (pytest.approx(1e-5), 0.0, 1.0)
        saved = price * (1 - 1 / strategy.executed)
        paid = 3000 * price + manifest.seconds
        assert report.break_even_events[strategy.provider] == pytest.approx(paid / saved)
    assert report.bounds.correlated == pytest.approx(0.001, rel=1e-6)  # the largest error of what it decides
    assert sum(report.signed.above) == sure.sum()
    assert sum(report.signed.below) == 0
    # The scan ends at the largest uncertainty, that of all unsure events, which is not below itself.
    assert report.scan.factor[-1] == pytest.approx(EXACT / (SURROGATE + CHECK + EXACT * (1 - sure.mean())))
    assert report.unweighting is None  # of weighted points only
