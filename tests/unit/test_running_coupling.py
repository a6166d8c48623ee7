"""The running of alpha_s against an independent integral of the beta function, and along a set's own values."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ampcli.errors import UsageError
from ampcli.phasespace.running_coupling import LOOPS, ONE_LOOP, Running, beta_coefficients, running_alpha_s

M_Z = 91.188


def time_between(one: float, other: float, loops: int, flavours: int) -> float:
    """ln mu^2 that alpha_s takes from one value to another: the integral of d alpha / beta(alpha)."""
    nodes, weights = np.polynomial.legendre.leggauss(60)
    alpha = one + (other - one) * (nodes + 1) / 2
    n, pi = flavours, math.pi
    zeta3 = 1.2020569031595942
    known = [
        (33 - 2 * n) / (12 * pi),
        (153 - 19 * n) / (24 * pi**2),
        (2857 - 5033 * n / 9 + 325 * n**2 / 27) / (128 * pi**3),
        (
            (149753 / 6 + 3564 * zeta3)
            - (1078361 / 162 + 6508 * zeta3 / 27) * n
            + (50065 / 162 + 6472 * zeta3 / 81) * n**2
            + 1093 * n**3 / 729
        )
        / (256 * pi**4),
    ]
    beta = -sum(b * alpha ** (k + 2) for k, b in enumerate(known[:loops]))
    return float((weights / beta).sum() * (other - one) / 2)


@pytest.mark.parametrize("loops", LOOPS)
@pytest.mark.parametrize("at_z", [0.110, 0.118, 0.130])
def test_between_thresholds(loops, at_z):
    running = Running(loops, M_Z, 5, (1.5, 4.75))
    for scale in (4.76, 10.0, 90.0, 500.0, 7000.0):
        found = float(running_alpha_s(np.array([scale]), at_z, running)[0])
        assert time_between(at_z, found, loops, 5) == pytest.approx(math.log(scale**2 / M_Z**2), rel=1e-8)
    assert running_alpha_s(np.array([M_Z]), at_z, running) == pytest.approx(at_z, rel=1e-12)


@pytest.mark.parametrize("loops", LOOPS)
def test_through_thresholds(loops):
    bottom, top = 4.75, 173.0
    running = Running(loops, M_Z, 6, (1.5, bottom, top))
    at_bottom, at_top, low, high = running_alpha_s(np.array([bottom, top, 2.5, 5000.0]), 0.118, running)
    assert time_between(0.118, at_bottom, loops, 5) == pytest.approx(math.log(bottom**2 / M_Z**2), rel=1e-8)
    assert time_between(at_bottom, low, loops, 4) == pytest.approx(math.log(2.5**2 / bottom**2), rel=1e-8)
    assert time_between(0.118, at_top, loops, 5) == pytest.approx(math.log(top**2 / M_Z**2), rel=1e-8)
    assert time_between(at_top, high, loops, 6) == pytest.approx(math.log(5000**2 / top**2), rel=1e-8)
    five = running_alpha_s(np.array([5000.0]), 0.118, Running(loops, M_Z, 5, (1.5, bottom, top)))
    assert five < high  # more flavours, slower


def test_one_loop_is_what_it_was():
    scale = np.geomspace(5, 1e4, 50)
    by_hand = 0.130 / (1 + 0.130 * (33 - 10) / (12 * math.pi) * np.log(scale**2 / M_Z**2))
    np.testing.assert_array_equal(running_alpha_s(scale, 0.130), by_hand)
    kinked = running_alpha_s(scale, 0.130, Running(1, M_Z, 5, (1.5, 4.75)))
    np.testing.assert_allclose(kinked, by_hand, rtol=1e-9)


def test_coefficients_of_five_flavours():
    four_pi = 4 * math.pi
    found = [b * four_pi ** (k + 1) for k, b in enumerate(beta_coefficients(4, 5))]
    np.testing.assert_allclose(found, [7.666667, 38.666667, 180.907407, 4826.156328], rtol=1e-6)


def test_more_loops_change_less_and_less():
    at = [float(running_alpha_s(np.array([10.0]), 0.118, Running(loops))[0]) for loops in LOOPS]
    steps = np.abs(np.diff(at))
    assert steps[0] > 4 * steps[1] > 4 * steps[2] > 0


@pytest.mark.parametrize("running", [ONE_LOOP, *(Running(loops, M_Z, 5, (1.5, 4.75)) for loops in LOOPS)])
def test_no_value_where_the_coupling_is_strong(running):
    with pytest.raises(UsageError, match="not perturbative"):
        running_alpha_s(np.array([100.0, 0.1]), 0.118, running)


# --- a set's own values -------------------------------------------------------------------------------------------


def own(scales, values):
    return Running(2, scales=tuple(scales), values=tuple(values))


def test_values_at_the_knots_and_between():
    truth = Running(2, M_Z, 5, (1.5, 4.75))
    scales = [*np.geomspace(1.6, 4.75, 12), *np.geomspace(4.75, 1e4, 40)]  # 4.75 twice
    values = running_alpha_s(np.array(scales), 0.118, truth)
    running = own(scales, values)
    np.testing.assert_allclose(running_alpha_s(np.array(scales), np.nan, running), values, rtol=1e-12)
    between = np.geomspace(1.61, 9.9e3, 777)
    np.testing.assert_allclose(
        running_alpha_s(between, np.nan, running), running_alpha_s(between, 0.118, truth), rtol=1e-3
    )


def test_values_by_hand():
    """Four knots: in the middle piece, slopes are the means of the differences on both sides."""
    scales = np.exp([0.0, 0.5, 1.0, 1.5])  # ln Q^2 = 0, 1, 2, 3
    running = own(scales, [0.5, 0.3, 0.2, 0.16])
    start, end = -0.15, -0.07
    half = 0.5 * (0.3 + 0.2) + (start - end) / 8
    assert running_alpha_s(np.array([math.exp(0.75)]), np.nan, running) == pytest.approx(half, rel=1e-12)


def test_beyond_the_values():
    running = own([1.0, 2.0, 4.0, 8.0, 16.0], [0.5, 0.4, 0.3, 0.25, 0.2])
    power = math.log(0.4 / 0.5) / math.log(4)
    found = running_alpha_s(np.array([0.25, 0.5, 16.0, 17.0, 1e4]), np.nan, running)
    np.testing.assert_allclose(found, [0.5 * 0.0625**power, 0.5 * 0.25**power, 0.2, 0.2, 0.2], rtol=1e-12)
