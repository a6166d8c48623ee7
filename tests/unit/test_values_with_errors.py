"""Values with statistical errors and of either sign: likelihood, pulls, metrics, recalibration, the ratio ansatz."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from ampcli.amplitudes.values import usable
from ampcli.errors import UsageError
from ampcli.evaluation.calibration import calibrate
from ampcli.evaluation.coverage import coverage_in_bins
from ampcli.evaluation.metrics import measure
from ampcli.evaluation.noise import label_noise
from ampcli.evaluation.reference import over_reference
from ampcli.models.likelihood import heteroscedastic_loss, heteroscedastic_slopes
from ampcli.models.options import LikelihoodOptions
from ampcli.models.ratio import RatioAnsatz
from ampcli.process import parse_process
from ampcli.uncertainty.pulls import GAUSSIAN, informative, own_errors
from ampcli.uncertainty.recalibration import fit_recalibration, recalibrated

N = 40_000


def test_usable_values() -> None:
    values = np.array([1.0, -1.0, 0.0, np.nan, np.inf])
    assert usable(values, signed=False).tolist() == [True, False, False, False, False]
    assert usable(values, signed=True).tolist() == [True, True, False, False, False]


@pytest.mark.parametrize("beta", [0.0, 0.5])
def test_slopes_of_the_likelihood_with_noise(beta: float) -> None:
    """Written out and by torch's graph, where the clamp holds log_sigma and where it does not."""
    generator = torch.Generator().manual_seed(3)
    error, noise = torch.randn((2, 500), generator=generator), torch.rand((2, 500), generator=generator)
    log_sigma = 3 * torch.randn((2, 500), generator=generator) - 2
    log_sigma[:, :5] = 7.0
    leaves = [error.requires_grad_(), log_sigma.requires_grad_()]
    loss = heteroscedastic_loss(*leaves, beta, noise)
    expected = torch.autograd.grad(loss.sum(), leaves)
    found = heteroscedastic_slopes(error.detach(), log_sigma.detach(), beta, noise)
    torch.testing.assert_close(found[0], loss.detach())
    torch.testing.assert_close(found[1], expected[0])
    torch.testing.assert_close(found[2], expected[1])


def test_the_likelihood_adds_variances() -> None:
    """At sigma^2 + noise^2 = error^2 the likelihood of a point is the largest."""
    error, noise = torch.tensor([[0.5]]), torch.tensor([[0.3]])
    at_best = torch.tensor([[math.log(0.4)]])
    best = heteroscedastic_loss(error, at_best, 0.0, noise)
    assert best.item() == pytest.approx(0.5 + math.log(0.5))
    assert all(heteroscedastic_loss(error, at_best + step, 0.0, noise) > best for step in (-0.1, 0.1))


@pytest.mark.parametrize("ratio", [0.3, 3.0])
def test_own_errors_hold_what_gaussians_hold(rng: np.random.Generator, ratio: float) -> None:
    errors = ratio * np.exp(rng.normal(0, 0.3, N))
    difference = rng.normal(size=N) + errors * rng.normal(size=N)
    for deviations, level in ((1.0, 0.6827), (GAUSSIAN["95"], 0.95), (GAUSSIAN["99"], 0.99)):
        within = own_errors(difference, errors, deviations) <= deviations
        assert within.mean() == pytest.approx(level, abs=0.008)
    np.testing.assert_array_equal(own_errors(difference, None, 2.0), np.abs(difference))


def test_noise_hides_uncertainties() -> None:
    told = informative(np.array([1.0, 1.0, np.nan]), np.array([1.0, 3.0, 1.0]))
    np.testing.assert_allclose(told, [0.25, 0.01, 0.0])
    np.testing.assert_array_equal(informative(np.array([2.0, np.nan]), None), [1.0, 0.0])


def noisy(rng: np.random.Generator, own: float, noise: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values with errors, predictions that are off by `own`, and the errors of the values."""
    predicted = np.exp(rng.normal(-3, 2, N))
    truth = predicted * (1 + own * rng.normal(size=N))
    errors = noise * truth
    return truth + errors * rng.normal(size=N), predicted, errors


def test_the_labels_noise_is_subtracted(rng: np.random.Generator) -> None:
    exact, predicted, errors = noisy(rng, 0.003, 0.01)
    found = label_noise(exact, predicted, errors)
    assert found.labels == pytest.approx(0.01, rel=1e-3)
    assert found.model_error is not None
    assert found.model_error < 2e-4
    assert abs(found.model - 0.003) < 4 * found.model_error
    assert found.gain == pytest.approx(10 / 3, rel=0.2)
    nothing = label_noise(exact, exact, errors)
    assert nothing.model == 0
    assert nothing.gain is None


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_recalibration_without_the_labels_noise(rng: np.random.Generator, factor: float) -> None:
    exact, predicted, errors = noisy(rng, 0.01, 0.01)
    claimed = 0.01 * predicted / factor
    recalibration = fit_recalibration(exact, predicted, claimed, errors=errors)
    honest = predicted * recalibrated(torch.from_numpy(claimed / predicted), recalibration).numpy()
    np.testing.assert_allclose(honest / predicted, 0.01, rtol=0.05)
    found = calibrate(exact, predicted, honest, recalibration.intervals, errors=errors)
    assert found is not None
    assert found.pull_std == pytest.approx(1.0, abs=0.02)
    assert found.intervals["95"].observed.value == pytest.approx(0.95, abs=0.005)
    pulls, noise = (predicted - exact) / honest, errors / honest
    bins = coverage_in_bins({"x": rng.random(N)}, pulls, recalibration.intervals, noise=noise)["x"]
    assert all(abs(each.intervals["68"].value - 0.6827) < 0.06 for each in bins)
    with pytest.raises(UsageError, match="hide the model's own"):
        fit_recalibration(exact, predicted, claimed * 1e-3, errors=errors)


def test_metrics_of_signed_values() -> None:
    exact = np.array([1.0, -2.0, -1.0])
    found = measure(exact, np.array([1.1, -2.2, 0.5]), 0.0, 1.0)
    assert found.negative == 1
    assert found.mean_abs_delta == pytest.approx((0.1 + 0.1 + 1.5) / 3)
    assert found.mean_log_ratio == pytest.approx(math.log10(1.1))
    ratio = over_reference(exact, exact + 0.1, np.array([2.0, 2.0, 4.0]))
    assert ratio.mean == pytest.approx(-0.25)
    assert (ratio.median_abs, ratio.mean_abs) == (pytest.approx(0.05), pytest.approx(0.125 / 3))


def test_the_ratio_ansatz() -> None:
    generator = torch.Generator().manual_seed(1)
    arrays = {
        "inputs": torch.randn((300, 4), generator=generator, dtype=torch.float64),
        "base": torch.rand(300, generator=generator, dtype=torch.float64) + 0.1,
    }
    value = arrays["base"] * (0.3 * arrays["inputs"][:, 0] - 0.1)
    ansatz = RatioAnsatz.fit(parse_process("e- e+ > u u~ g"), arrays, value, LikelihoodOptions(beta=0.5))
    batch = ansatz.table(arrays, value)
    outputs = torch.stack([batch.target, torch.full_like(batch.target, -3.0)], dim=-1)[None]
    torch.testing.assert_close(ansatz.amplitude(outputs, arrays)[0], value, rtol=1e-5, atol=1e-8)
    sigma = ansatz.relative_uncertainty(outputs)
    assert sigma is not None
    expected = (ansatz.ratio.deviation * math.exp(-3.0) * arrays["base"])[None]
    torch.testing.assert_close(sigma * ansatz.amplitude(outputs, arrays).abs(), expected)
    error = 0.02 * value.abs()
    noise = ansatz.noise(arrays, value, error)
    torch.testing.assert_close(noise.double(), error / arrays["base"] / ansatz.ratio.deviation, rtol=1e-6, atol=0)
    again = RatioAnsatz.restore(
        parse_process("e- e+ > u u~ g"),
        {name: tuple(array.shape[1:]) for name, array in arrays.items()},
        LikelihoodOptions(beta=0.5),
        ansatz.scales(),
    )
    torch.testing.assert_close(again.inputs(arrays), ansatz.inputs(arrays))
    wide = torch.randn((2, 300, 2), generator=generator)
    both = batch.changed(lambda tensor: tensor.expand(2, *tensor.shape))
    for found, graph in zip(ansatz.slopes(wide, both), super(RatioAnsatz, ansatz).slopes(wide, both), strict=True):
        torch.testing.assert_close(found, graph)
