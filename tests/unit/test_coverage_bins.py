"""Coverage in bins: Gaussian pulls, a corner that is too optimistic, weights, and what the report says of it."""

from __future__ import annotations

import numpy as np
import pytest
from samples import evaluated

from ampcli.evaluation.coverage import coverage_in_bins, kinematic_variables, worst
from ampcli.evaluation.report import table
from ampcli.process import parse_process
from ampcli.uncertainty.certificate import Certificate
from ampcli.uncertainty.kind import UncertaintyKind

N = 100_000


def test_honest_pulls_are_covered_everywhere(rng):
    values = rng.random(N)
    [bins] = coverage_in_bins({"x": values}, rng.normal(size=N)).values()
    assert [b.share for b in bins] == pytest.approx(
        [0.01, 0.01, 0.03, 0.05, *[0.1] * 8, 0.05, 0.03, 0.01, 0.01], abs=1e-4
    )
    assert [b.high for b in bins][:-1] == [b.low for b in bins][1:]
    assert sum(b.points for b in bins) == N
    for found in bins:
        for name, nominal in {"68": 0.6827, "95": 0.95, "99": 0.99}.items():
            assert abs(found.intervals[name].value - nominal) < 4 * found.intervals[name].error
    assert not any(b.short for b in bins)


def test_a_corner_is_found_and_named(rng):
    values = rng.random(N)
    pulls = rng.normal(size=N) * np.where(values < 0.02, 1.5, 1.0)
    found = coverage_in_bins({"x": values, "y": rng.random(N)}, pulls)
    assert [b.short for b in found["x"]] == [True, True, *[False] * 14]
    assert worst(found["x"]).intervals["95"].value == pytest.approx(0.8086, abs=0.03)  # erf(1.96 / 1.5 / sqrt 2)
    assert not any(b.short for b in found["y"])
    wider = coverage_in_bins({"x": values}, pulls, {"95": 1.5 * 1.96})
    assert not any(b.short for b in wider["x"])


def test_bins_hold_equal_shares_of_the_weight_and_rows_enough(rng):
    values = rng.random(20_000)
    weight = np.where(values < 0.5, 9.0, 1.0)
    weight[:1000] = 0.0
    pulls = rng.normal(size=20_000)
    pulls[1000:1100] = np.nan  # not known
    [bins] = coverage_in_bins({"x": values}, pulls, weight=weight).values()
    assert sum(b.points for b in bins) == 18_900
    assert sum(b.share for b in bins) == pytest.approx(1)
    assert [b.share for b in bins[1:-1]] == pytest.approx([0.1] * len(bins[1:-1]), abs=0.051)
    assert min(b.effective_points for b in bins) > 250
    assert bins[0].low == values[1100:].min()


def test_variables_that_tell_nothing_are_left_out(rng):
    assert coverage_in_bins({"x": np.ones(N)}, rng.normal(size=N)) == {}
    assert coverage_in_bins({"x": rng.random(900)}, rng.normal(size=900)) == {}
    assert coverage_in_bins({"x": rng.random(N)}, np.full(N, np.nan)) == {}


def test_kinematic_variables_by_hand():
    def massless(pt, eta, phi):
        return [pt * np.cosh(eta), pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)]

    final = np.array([[[100.0, 0, 0, 0], massless(30, 0.0, 3.0), massless(50, 1.0, -3.0), massless(20, -2, 0.5)]])
    found = kinematic_variables(final, parse_process("d d~ > z g g g"))
    assert found["pt_hardest"] == pytest.approx([50])
    assert found["pt_softest"] == pytest.approx([20])
    assert found["min_delta_r"] == pytest.approx([np.hypot(1, 2 * np.pi - 6)])
    assert kinematic_variables(final, parse_process("e- e+ > d d~ g g")) == {}


def test_the_report_names_bins_and_says_what_holds_outside(rng):
    exact = np.exp(rng.normal(size=N))
    far = rng.random(N) < 0.03
    pulls = rng.normal(size=N) * np.where(far, 3.0, 1.0)
    relative = np.where(far, 0.02, 0.01) * rng.uniform(1, 1.1, N)
    evaluation = evaluated(
        exact=exact,
        predicted=exact * (1 + relative * pulls / (1 - relative * pulls)),  # the uncertainty is one of the prediction
        uncertainty=exact / (1 - relative * pulls) * relative,
        kind=UncertaintyKind.OWN,
        certificate=Certificate({"spread": far}, N),
        weight=1 / exact,
        tried=2.0 * N,
        n_jets=np.full(N, 3.0),
        min_sij=np.full(N, 0.1),
        y_cut=None,
        log_mean=0.0,
        log_std=1.0,
    )
    inside, outside = (evaluation.calibration_by_certificate[name].intervals["95"] for name in ("inside", "outside"))
    assert inside.observed.value == pytest.approx(0.95, abs=0.005)
    assert outside.observed.value == pytest.approx(0.4865, abs=0.03)  # erf(1.96 / 3 / sqrt 2)
    short = [b for b in evaluation.coverage["relative_uncertainty"] if b.short]
    assert min(b.high for b in short) > 0.02
    assert sum(b.share for b in short) == pytest.approx(0.05)  # the uppermost bins
    assert not any(b.short for b in evaluation.coverage["log_amplitude"])
    said = table(evaluation)
    assert "95% intervals hold less than 92 % in" in said
    assert "predicted uncertainty / |M|^2 0.02" in said
