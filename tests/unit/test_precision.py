"""Exact amplitudes at extreme momenta: boosts, soft legs, collinear pairs."""

from __future__ import annotations

import numpy as np
import pytest

from ampcli.amplitudes.precision import LARGEST_BOOST, at_rest, require_digits
from ampcli.amplitudes.providers import make_provider
from ampcli.errors import UsageError
from ampcli.kinematics import with_beams
from ampcli.phasespace.rambo import rambo
from ampcli.process import parse_process

PROCESSES = {"ee_ddg": "e- e+ > d d~ g", "ddx_zgg": "d d~ > z g g", "dg_zdg": "d g > z d g"}


def boosted(momenta: np.ndarray, masses: np.ndarray, gamma: float, direction: int = 1) -> np.ndarray:
    """Along z, from light-cone momenta: no digit is lost but by writing energies and p_z."""
    large = momenta[..., 0] + np.abs(momenta[..., 3])
    small = (momenta[..., 1] ** 2 + momenta[..., 2] ** 2 + masses**2) / large
    forward = momenta[..., 3] > 0
    stretch = (gamma + np.sqrt(gamma**2 - 1)) ** direction
    plus, minus = np.where(forward, large, small) * stretch, np.where(forward, small, large) / stretch
    moved = momenta.copy()
    moved[..., 0], moved[..., 3] = (plus + minus) / 2, (plus - minus) / 2
    return moved


@pytest.mark.parametrize("name", PROCESSES)
@pytest.mark.parametrize("gamma", [2e3, 1e5, 1e6, 1e7])
@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("provider", ["native", "pyamplicol"])
def test_boosts_cost_no_digits(amplitude_reference, name, gamma, direction, provider):
    process = parse_process(PROCESSES[name])
    momenta = amplitude_reference[f"{name}/regular/momenta"]
    moved = boosted(momenta, np.array([leg.mass for leg in process.legs]), gamma, direction)
    found = make_provider(provider, process).evaluate(moved)
    np.testing.assert_allclose(found, amplitude_reference[f"{name}/regular/me2"], rtol=1e-11)


def test_beams_the_other_way_round(amplitude_reference):
    process = parse_process("d g > z d g")
    momenta = amplitude_reference["dg_zdg/regular/momenta"] * [1, 1, -1, -1]
    rest = at_rest(boosted(momenta, np.array([leg.mass for leg in process.legs]), 1e5), process)
    np.testing.assert_allclose(rest, momenta, rtol=1e-7, atol=1e-6)


def test_ordinary_events_are_left_alone(amplitude_reference):
    process = parse_process("d g > z d g")
    momenta = amplitude_reference["dg_zdg/regular/momenta"]
    assert at_rest(momenta, process) is momenta
    moved = boosted(momenta, np.array([leg.mass for leg in process.legs]), LARGEST_BOOST / 10)
    assert at_rest(moved, process) is moved


def test_unphysical_events_are_not_mended_by_the_boost(amplitude_reference):
    process = parse_process("d g > z d g")
    momenta = amplitude_reference["dg_zdg/regular/momenta"]
    moved = boosted(momenta, np.array([leg.mass for leg in process.legs]), 1e4)
    moved[5, 3, 0] *= 1.001
    for provider in ("native", "pyamplicol"):
        with pytest.raises(UsageError, match="event 5 "):
            make_provider(provider, process).evaluate(moved)


def corner(angle: float | None, fraction: float | None) -> np.ndarray:
    """Three events of e- e+ > d d~ g; the second has a pair at a small angle, or a soft gluon."""
    final = np.ascontiguousarray(rambo(np.random.default_rng(3).random((3, 3, 4)), 1000.0))
    if angle is not None:
        first = np.array([300.0, 0, 0, 300.0])
        second = 200.0 * np.array([1, np.sin(angle), 0, np.cos(angle)])
        final[1] = np.stack([first, np.append(500.0, -(first + second)[1:]), second])[:, [0, 3, 1, 2]]
    if fraction is not None:
        final[1] = 500.0 * np.array([[1, 1, 0, 0], [1, -1, 0, 0], [fraction, 0, fraction, 0]])
    return with_beams(final, 1000.0)


@pytest.mark.parametrize(
    ("angle", "fraction", "said"),
    [
        (1e-7, None, "angle of 1e-07"),
        (1e-12, None, "angle of"),
        (None, 1e-12, "1e-12 of a beam"),
        (None, 1e-300, "1e-300"),
    ],
)
def test_events_without_digits_are_named(angle, fraction, said):
    process = parse_process("e- e+ > d d~ g")
    with pytest.raises(UsageError, match=rf"event 1 \(from 0\): .*{said}"):
        require_digits(corner(angle, fraction), process)
    with pytest.raises(UsageError, match="event 1 "):
        make_provider("pyamplicol", process).evaluate(corner(angle, fraction))


def test_legs_along_the_beams():
    """Refused where a massless particle may be exchanged only."""
    final = 500.0 * np.array([[[1.0, 0, 0, 1], [1, 0, 0, -1]]])
    require_digits(with_beams(final, 1000.0), parse_process("e- e+ > mu- mu+"))
    require_digits(with_beams(final, 1000.0), parse_process("e- d > d e-"))
    for text in ("e- e+ > e- e+", "u u > u u", "g u > u g", "e- e+ > a a"):
        with pytest.raises(UsageError, match="event 0 "):
            require_digits(with_beams(final, 1000.0), parse_process(text))


@pytest.mark.parametrize(("angle", "fraction"), [(None, None), (1e-5, None), (None, 1e-9)])
def test_events_with_digits_pass(angle, fraction):
    require_digits(corner(angle, fraction), parse_process("e- e+ > d d~ g"))
