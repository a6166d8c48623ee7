"""Forecasts of surrogates: learning curves, costs in closed form, which models a process allows."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from ampcli.amplitudes.providers import choose_kind
from ampcli.automation.ansaetze import ansaetze
from ampcli.automation.forecast import Costs, Trial, cheapest, forecast
from ampcli.automation.learning import LearningCurve
from ampcli.cli.surrogate import _name_of, _options
from ampcli.errors import UsageError
from ampcli.process import parse_process
from ampcli.records.provider import ProviderRecord


def test_learning_curves_are_powers() -> None:
    events = [1000, 4000, 16000]
    curve = LearningCurve.through(events, [0.08 * (n / 1000) ** -0.4 for n in events])
    assert curve.exponent == pytest.approx(0.4)
    assert curve.at(64000) == pytest.approx(0.08 * 64**-0.4)
    assert curve.at(16000) == pytest.approx(curve.errors[-1])


@pytest.mark.parametrize(("errors", "exponent"), [([0.01, 0.02], 0.0), ([1.0, 0.001], 1.0)])
def test_fluctuations_are_not_believed(errors: list[float], exponent: float) -> None:
    curve = LearningCurve.through([1000, 2000], errors)
    assert curve.exponent == exponent
    assert curve.at(2000) == pytest.approx(errors[-1])


def trial(exponent: float, sigma: float = 0.02, n: int = 20_000) -> Trial:
    """Gaussian errors of one size, which the uncertainties know up to a little."""
    rng = np.random.default_rng(1)
    relative = sigma * np.exp(0.3 * rng.normal(size=n))
    curve = LearningCurve.through([4000, 16000], [0.016 * 4**exponent, 0.016])
    return Trial(curve, relative * rng.normal(size=n), relative, np.ones(n), 2e-6, 1e-5, 1_000_000, 20)


COSTS = Costs(exact=1e-4, check=0.0, per_event=3.0, generated=4e-4)


def test_what_a_row_says() -> None:
    """From 16,000 training events to four times as many: errors halve."""
    row = forecast(trial(0.5), COSTS, 1e8, 0.03, 1e-2, [96_000])[0]
    assert row.training == 64_000
    assert row.error == pytest.approx(0.008)
    assert row.epochs == 20
    assert row.training_seconds == pytest.approx(1e-5 * 20 * 64_000)
    assert row.making_seconds == pytest.approx(row.training_seconds + 4e-4 * 96_000)
    assert 0 < row.exact_share < 0.1
    assert row.factor == pytest.approx(1e-4 / (2e-6 + row.exact_share * 1e-4))
    saved = 1e-4 * (1 - 1 / row.factor)
    assert row.break_even == pytest.approx((96_000 * 3e-4 + row.training_seconds) / saved)
    assert row.total == pytest.approx(row.making_seconds + 1e8 * 1e-4 / row.factor)
    assert row.saved == pytest.approx(1 - row.total / 1e4)


def test_more_events_are_better_until_they_cost_more() -> None:
    rows = forecast(trial(0.5), COSTS, 2e7, 0.03, 1e-3, [24_000 * 2**k for k in range(8)])
    assert all(a.exact_share >= b.exact_share for a, b in pairwise(rows))
    best = cheapest(rows)
    assert rows[0].events < best.events < rows[-1].events
    few = cheapest(forecast(trial(0.5), COSTS, 1e5, 0.03, 1e-3, [24_000]))
    assert few.saved < 0


def test_what_cannot_be_certified_is_not_promised() -> None:
    """1e-4 needs 30,000 certifying events."""
    row = forecast(trial(0.5), COSTS, 1e8, 0.03, 1e-4, [96_000])[0]
    assert (row.factor, row.exact_share, row.break_even) == (1.0, 1.0, None)


def test_a_learning_curve_that_does_not_fall() -> None:
    few, many = forecast(trial(0.0), COSTS, 1e8, 0.03, 1e-2, [48_000, 192_000])
    assert few.error == many.error == pytest.approx(0.016)


@pytest.mark.parametrize(
    ("process", "allowed"),
    [
        ("d d~ > z g g g", {"fg1+", "iq1+", "nofa+"}),
        ("g g > t t~ g g", {"ig1+", "nofa+"}),
        ("u d > z u d g", {"fq1+", "iq1+", "nofa+"}),
        ("e- e+ > u u~ g g", {"fg1+", "fq1+", "fa1+", "fame+", "nofa+"}),
    ],
)
def test_what_processes_allow(process: str, allowed: set[str]) -> None:
    legs = parse_process(process)
    found = ansaetze(legs, ProviderRecord(name=choose_kind("auto", legs).name, version="1"))
    assert set(found.features) == allowed
    assert not set(found.features) & set(found.refused)
    if "t~" in process:
        assert "t and t~ are massive: what they emit is not undone" in found.refused["fq1+"]


def test_a_reference_has_to_be_another_amplitude() -> None:
    process = parse_process("d d~ > z g g")
    assert "native computes the exact" in ansaetze(process, ProviderRecord(name="native", version="1")).refused["ratio"]
    assert ansaetze(process, ProviderRecord(name="pyamplicol", version="1")).features["ratio"] == "ratio"


def test_names_and_options() -> None:
    assert _name_of("d d~ > z g g g g") == "ddx-zgggg"
    assert _name_of("e- e+ > u u~ g") == "emep-uuxg"
    assert _options("d d~ > z g", None, 1e-3) == ("--beams", "lhc13", "--unweighted", "--overweight", "0.00025")
    assert _options("e- e+ > u u~ g", None, 1e-3) == ("--unweighted", "--overweight", "0.00025")
    assert _options("d d~ > z g", "--beams lhc14 --define 'j=g u'", 1e-3) == ("--beams", "lhc14", "--define", "j=g u")
    for given, naming in (("--points 5", "--points is set"), ("--seed=3", "--seed=3 is set"), ("'", "No closing")):
        with pytest.raises(UsageError, match=naming):
            _options("d d~ > z g", given, 1e-3)
    with pytest.raises(UsageError, match="many channels"):
        _options("p p > z j", None, 1e-3)
