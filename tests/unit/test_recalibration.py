"""Recalibration: closed forms, coverage of new points, order kept, and models that carry it."""

from __future__ import annotations

import math
import shutil

import numpy as np
import pytest
import torch

from ampcli.errors import AmpcliError, UsageError
from ampcli.evaluation.calibration import calibrate
from ampcli.inference.load import load_predictor
from ampcli.publishing.calibrate import publish_calibrated
from ampcli.registry.manifest import Recalibration, read_manifest
from ampcli.registry.resolve import resolve
from ampcli.store.measures import Measures
from ampcli.uncertainty.recalibration import INTERVALS, fit_recalibration, recalibrated
from ampcli.weighted import ONE_SIGMA

N = 40_000


def errors(rng, wrong, tails=False):
    """Exact and predicted amplitudes, and uncertainties that are off by the factor `wrong(sigma)`."""
    sigma = np.exp(rng.normal(-4.5, 0.8, N))
    noise = rng.standard_t(4, N) if tails else rng.normal(size=N)
    predicted = np.exp(rng.normal(-12, 2, N))
    return predicted * (1 - sigma * noise), predicted, predicted * sigma / wrong(sigma)


def adjusted(uncertainty, predicted, recalibration):
    return predicted * recalibrated(torch.from_numpy(uncertainty / predicted), recalibration).numpy()


def test_a_constant_factor_is_found(rng):
    exact, predicted, uncertainty = errors(rng, lambda sigma: 3.0)
    recalibration = fit_recalibration(exact, predicted, uncertainty)
    np.testing.assert_allclose(recalibration.scales, 3.0, rtol=0.1)
    assert recalibration.intervals["95"] == pytest.approx(1.96, rel=0.02)
    assert recalibration.intervals["99"] == pytest.approx(2.576, rel=0.02)


@pytest.mark.parametrize("tails", [False, True])
def test_new_points_are_covered_at_every_size(rng, tails):
    def wrong(sigma):
        return 1.5 * (sigma / 0.01) ** 0.4

    recalibration = fit_recalibration(*errors(rng, wrong, tails))
    exact, predicted, uncertainty = errors(rng, wrong, tails)
    honest = adjusted(uncertainty, predicted, recalibration)
    pulls = np.abs(predicted - exact) / honest
    order = np.argsort(honest)
    for rows in np.array_split(order, 5):
        assert (pulls[rows] < 1).mean() == pytest.approx(ONE_SIGMA, abs=0.025)
    found = calibrate(exact, predicted, honest, recalibration.intervals)
    for name, level in {"68": ONE_SIGMA, **INTERVALS}.items():
        assert found.intervals[name].observed.value == pytest.approx(level, abs=0.008)
        assert found.intervals[name].nominal == pytest.approx(level, abs=1e-4)
    before = calibrate(exact, predicted, uncertainty)
    assert abs(before.intervals["68"].observed.value - ONE_SIGMA) > 0.05


def test_the_order_of_uncertainties_is_kept(rng):
    # Errors that do not depend on the predicted uncertainty at all: the worst there can be.
    predicted = np.ones(N)
    uncertainty = np.exp(rng.normal(-4.5, 0.8, N))
    recalibration = fit_recalibration(1 + 0.01 * rng.normal(size=N), predicted, uncertainty)
    order = np.argsort(uncertainty)
    honest = adjusted(uncertainty, predicted, recalibration)[order]
    assert (np.diff(honest) >= -1e-15).all()
    assert (np.abs(honest[1000:-1000] / 0.01 - 1) < 0.1).all()


def test_by_hand():
    recalibration = Recalibration(log_sigma=[-5.0, -3.0], log_scale=[0.0, math.log(2)], intervals={})
    relative = torch.tensor([-9.0, -5.0, -4.0, -3.0, 1.0], dtype=torch.float64).exp()
    expected = relative * torch.tensor([1, 1, math.sqrt(2), 2, 2], dtype=torch.float64)
    torch.testing.assert_close(recalibrated(relative, recalibration), expected, rtol=1e-12, atol=0)
    single = Recalibration(log_sigma=[-5.0], log_scale=[math.log(3)], intervals={})
    torch.testing.assert_close(recalibrated(relative, single), 3 * relative, rtol=1e-12, atol=0)


def test_uncertainties_that_are_all_the_same(rng):
    exact, predicted = 1 + 0.02 * rng.normal(size=N), np.ones(N)
    recalibration = fit_recalibration(exact, predicted, np.full(N, 0.5))
    assert len(recalibration.log_sigma) == 1
    assert recalibration.scales[0] * 0.5 == pytest.approx(0.02, rel=0.05)


def test_extreme_values_stay_finite():
    predicted = np.concatenate([np.full(150, 1e-200), np.zeros(10), np.full(150, -3.0)])
    recalibration = fit_recalibration(np.ones(310), predicted, np.concatenate([np.zeros(100), np.ones(210)]))
    assert np.isfinite([*recalibration.log_sigma, *recalibration.log_scale, *recalibration.intervals.values()]).all()


def test_too_few_points():
    with pytest.raises(UsageError, match="99 validation points are too few"):
        fit_recalibration(np.ones(99), np.ones(99), np.ones(99))


@pytest.mark.parametrize(("knots", "scales"), [([1.0, 1.0], [0.0, 0.0]), ([2.0, 1.0], [0.0, 0.0]), ([1.0], [0.0, 0.0])])
def test_impossible_knots(knots, scales):
    with pytest.raises(AmpcliError, match="knots"):
        Recalibration(log_sigma=knots, log_scale=scales, intervals={})


def test_a_calibrated_model(tmp_path, registry, store3):
    # FAME's networks know no uncertainty of their own: the 68 % quantile, which holds on average already.
    shutil.copytree(registry, tmp_path / "registry")
    root = tmp_path / "registry"
    made = publish_calibrated(root, "fame3@1", store3)
    assert (made.reference, made.parents) == ("fame3@4", ["fame3@1"])
    assert read_manifest(resolve(root, "fame3@4")).recalibration == made.recalibration
    momenta = store3.read_split("momenta", "validation")
    before, after = (load_predictor(name, root, "cpu") for name in ("fame3@1", "fame3@4"))
    bare, honest = before.predicted(momenta), after.predicted(momenta)
    np.testing.assert_array_equal(bare.amplitude, honest.amplitude)
    np.testing.assert_array_equal(bare.uncertainty, honest.bare)
    scale = after.predict_final(momenta)[1] / before.predict_final(momenta)[1]
    np.testing.assert_allclose(scale, made.recalibration.scales[0], rtol=1e-9)
    assert publish_calibrated(root, "fame3@4", store3, "other").recalibration == made.recalibration


def test_a_store_of_something_else(registry, store4):
    with pytest.raises(UsageError, match="does not describe"):
        publish_calibrated(registry, "fame3@1", store4)


def two_populations(rng):
    """Points that are easy, and events, where the cross section is, that are hard and underestimated."""
    n = 60_000
    log_amplitude = rng.normal(0, 1.5, n)
    sigma = 1e-3 * np.exp(0.7 * log_amplitude + rng.normal(0, 0.3, n))
    predicted = np.exp(log_amplitude)
    exact = predicted * (1 - sigma * rng.normal(size=n) * np.exp(0.5 * np.maximum(log_amplitude, 0)))
    counted = Measures(points=np.exp(-log_amplitude / 2), events=np.exp(log_amplitude / 2))  # a sample between both
    return exact, predicted, predicted * sigma, counted


def test_one_sigma_holds_for_points_and_for_events(rng):
    found = {}
    fitted = two_populations(rng)
    exact, predicted, uncertainty, counted = two_populations(rng)
    for name, measures in {"points": Measures(points=fitted[3].points), "both": fitted[3]}.items():
        recalibration = fit_recalibration(*fitted[:3], measures)
        assert recalibration.measures == (["points"] if name == "points" else ["points", "events"])
        honest = adjusted(uncertainty, predicted, recalibration)
        found[name] = [
            calibrate(exact, predicted, honest, recalibration.intervals, weight).intervals["68"].observed.value
            for weight in (counted.points, counted.events)
        ]
    assert found["points"][0] == pytest.approx(ONE_SIGMA, abs=0.02)
    assert found["points"][1] < 0.62
    assert found["both"] == pytest.approx([ONE_SIGMA, ONE_SIGMA], abs=0.02)


def test_measures_that_change_nothing(rng):
    arguments = errors(rng, lambda sigma: 2.0)
    plain = fit_recalibration(*arguments)
    few = np.zeros(N)
    few[:900] = 1.0  # events that are too few to calibrate with
    for counted in (Measures(np.full(N, 0.3)), Measures(events=few)):
        assert fit_recalibration(*arguments, counted) == plain
    same = fit_recalibration(*arguments, Measures(np.full(N, 0.3), np.full(N, 7.0)))
    assert same == plain.model_copy(update={"measures": ["points", "events"]})


def test_groups_have_enough_effective_points(rng):
    exact, predicted, uncertainty = errors(rng, lambda sigma: 1.0)
    weight = np.exp(rng.normal(0, 1, N)) * uncertainty / predicted  # few rows carry the upper half
    recalibration = fit_recalibration(exact, predicted, uncertainty, Measures(points=weight))
    assert 1 < len(recalibration.log_sigma) < 20
    assert recalibration.scales == pytest.approx([1.0] * len(recalibration.scales), rel=0.35)


def test_uncertainties_that_are_not_known_are_left_out(rng):
    exact, predicted, uncertainty = errors(rng, lambda sigma: 2.0)
    unknown = np.concatenate([uncertainty, np.full(500, np.nan)])
    more = (np.concatenate([exact, np.ones(500)]), np.concatenate([predicted, np.ones(500)]))
    assert fit_recalibration(*more, unknown) == fit_recalibration(exact, predicted, uncertainty)
    with pytest.raises(UsageError, match="0 validation points"):
        fit_recalibration(exact, predicted, np.full(N, np.nan))
