"""Batches of four-momenta: validation and invariants.

Momenta are float64 arrays (..., legs, 4) of (E, px, py, pz) in GeV, incoming legs first, metric (+,-,-,-).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ampcli.errors import UsageError, setting
from ampcli.process import Particle, Process

FloatArray = npt.NDArray[np.float64]

#: Largest |E^2 - p^2 - m^2| / E^2 of a leg and largest |sum p_in - sum p_out| / sum E of an event.  It passes
#: event files written with 10 digits and fails momenta that went through float32 (6e-8).
TOLERANCE = 1e-8

#: Largest relative fault that is taken for rounding; float32 resolves 6e-8, sums of legs and boosts a few of them.
REPAIRABLE = 1e-5

#: Largest relative difference of an energy from that of a model's training.
ENERGY = 1e-6

_BLOCK = 4096  # events checked at a time: the temporaries stay in cache


def shaped_momenta(momenta: npt.ArrayLike, process: Process) -> FloatArray:
    """Momenta of `process` as a C-contiguous float64 array (n, n_external, 4); their values are not looked at.

    Raises:
        UsageError: a wrong shape or dtype.
    """
    array = plain_array(momenta)
    expected = f"(events, {process.n_external}, 4)"
    if array.ndim != 3 or array.shape[1:] != (process.n_external, 4):
        raise UsageError(
            f"momenta of {process} must have the shape {expected}, not {array.shape}",
            "Legs are ordered as in the process string, incoming first, each as E, px, py, pz in GeV.",
        )
    require_double(array)
    return np.ascontiguousarray(array)


def require_double(momenta: npt.NDArray[Any]) -> None:
    """Make sure that momenta are in double precision.

    Raises:
        UsageError: they are not.
    """
    if momenta.dtype != np.float64:
        raise UsageError(
            f"momenta must be float64, not {momenta.dtype}",
            "Give them in double precision (astype(float)); lower precision moves legs off their mass shell.",
        )


def plain_array(momenta: npt.ArrayLike) -> npt.NDArray[Any]:
    """As an array of this machine's byte order.

    Raises:
        UsageError: some of the momenta are masked.
    """
    if np.ma.is_masked(momenta):
        raise UsageError("some of the momenta are masked", "Leave those events out before.")
    array = np.asarray(momenta)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def checked_momenta(momenta: npt.ArrayLike, process: Process) -> FloatArray:
    """Momenta of `process` as a C-contiguous float64 array (n, n_external, 4), proven physical.

    Raises:
        UsageError: a wrong shape or dtype; or, naming the first bad event and why: values that are not
            finite, energies that are not positive, legs off their mass shell, momentum not conserved.
    """
    array = shaped_momenta(momenta, process)
    require_physical(array, process, _suspects(array, process))
    return array


def require_physical(momenta: FloatArray, process: Process, suspects: npt.NDArray[np.int64]) -> None:
    """Look carefully at some events.

    Raises:
        UsageError: naming the first one that is not physical, and why.
    """
    for event in suspects:
        if fault := find_fault(momenta[event], process):
            what, hint = fault
            raise UsageError(f"event {event} (from 0): {what}", hint)


def physical_events(momenta: FloatArray, process: Process) -> npt.NDArray[np.bool_]:
    """Which events of momenta (n, n_external, 4) are physical; shape (n,)."""
    physical = np.ones(len(momenta), dtype=bool)
    suspects = _suspects(momenta, process)
    p = momenta[suspects]
    masses2 = np.array([leg.mass for leg in process.legs]) ** 2
    with np.errstate(invalid="ignore", over="ignore"):  # as carefully as `find_fault`
        off_shell = np.abs(p[..., 0] ** 2 - (p[..., 1:] ** 2).sum(axis=2) - masses2)
        good = (p[..., 0] > 0) & (off_shell <= TOLERANCE * p[..., 0] ** 2) & np.isfinite(p).all(axis=2)
        imbalance, scale = _imbalance(p)
        physical[suspects] = good.all(axis=1) & (imbalance <= TOLERANCE * scale)
    return physical


def _suspects(momenta: FloatArray, process: Process) -> npt.NDArray[np.int64]:
    """Events that a quick check does not pass.  The careful one names faults, or lets rounding pass."""
    masses = np.array([leg.mass for leg in process.legs])
    blocks = range(0, len(momenta), _BLOCK)
    found = [start + np.flatnonzero(~_physical(momenta[start : start + _BLOCK], masses)) for start in blocks]
    return np.concatenate(found) if found else np.empty(0, dtype=np.int64)


def _physical(p: FloatArray, masses: FloatArray) -> npt.NDArray[np.bool_]:
    with np.errstate(invalid="ignore", over="ignore"):
        energy2 = p[:, :, 0] * p[:, :, 0]
        off_shell = np.abs((p * p) @ np.array([1.0, -1.0, -1.0, -1.0]) - masses**2)
        on_shell = (off_shell <= TOLERANCE * energy2).all(axis=1) & (p[:, :, 0] > 0).all(axis=1)
        imbalance, scale = _imbalance(p)
        return np.asarray(on_shell & (imbalance <= TOLERANCE * scale) & (scale < np.inf))


@lru_cache
def _flows(legs: int) -> tuple[FloatArray, FloatArray]:
    """Matrices (4 legs, 4) and (4 legs,) that give the momentum's flow and the sum of the energies."""
    signs = np.ones((legs, 1))
    signs[:2] = -1.0
    return np.kron(signs, np.eye(4)).astype(np.float64), np.kron(np.ones(legs), np.eye(4)[0])


def _imbalance(p: FloatArray) -> tuple[FloatArray, FloatArray]:
    flow, energies = _flows(p.shape[1])
    flat = p.reshape(len(p), 4 * p.shape[1])
    return np.asarray(np.abs(flat @ flow).max(axis=1)), np.asarray(flat @ energies)


def find_fault(event: FloatArray, process: Process) -> tuple[str, str] | None:
    """What is wrong with an event (legs, 4), and what to do about it; None if it is physical."""
    with np.errstate(invalid="ignore", over="ignore"):
        return _find_fault(event, process)


def _find_fault(event: FloatArray, process: Process) -> tuple[str, str] | None:
    for leg, (p, particle) in enumerate(zip(event, process.legs, strict=True)):
        if not np.isfinite(p).all():
            return f"leg {leg} has values that are not finite: {p.tolist()}", "Remove such events."
        if not p[0] > 0:
            return (
                f"leg {leg} has the energy {p[0]:.6g} GeV; energies must be positive",
                "Give incoming legs with their physical, positive energies.",
            )
        mass2 = p[0] ** 2 - (p[1:] ** 2).sum()
        relative = abs(mass2 - particle.mass**2) / p[0] ** 2
        if not relative <= TOLERANCE:
            rounding = relative <= 2 * REPAIRABLE
            what = (
                f"leg {leg} is off its mass shell ({particle.name}, m = {particle.mass:.6g} GeV): "
                f"|E^2 - p^2 - m^2| / E^2 = {relative:.2g}, more than {TOLERANCE:.0g}"
            )
            if rounding and not particle.mass:
                return (
                    what,
                    f"Momenta with too few digits, such as those of event files, are put right by {setting('repair')}.",
                )
            measured = mass2**0.5 if mass2 > 0 else 0.0
            hint = mass_hint(particle, measured) + (
                f" Too few digits are put right by {setting('repair')}." if rounding else ""
            )
            return f"{what}; E and p are those of m = {measured:.6g} GeV", hint
    imbalance, scale = _imbalance(event[None])
    if not imbalance[0] <= TOLERANCE * scale[0]:
        return (
            f"momentum is not conserved: incoming and outgoing differ by {imbalance[0]:.3g} GeV",
            f"Momenta with too few digits are put right by {setting('repair')}."
            if imbalance[0] <= REPAIRABLE * scale[0]
            else "Check the order of the legs (incoming first) and that no leg is missing.",
        )
    return None


def mass_hint(particle: Particle, mass: float) -> str:
    """What to do about events in which a particle has another mass (GeV) than ours."""
    if particle.mass and mass < 0.01 * particle.mass:
        return f"Check the order of the legs: where the {particle.name} belongs stands a massless one."
    if particle.name == "z":
        return f"`ampcli gen --parameter m_z={mass:.6g}` (provider native) computes with such a Z."
    known = f"has {particle.mass:.6g} GeV" if particle.mass else "is massless"
    return f"In ampcli {particle.name} {known}: make the events so."


def beams_along_z(momenta: FloatArray, tolerance: float = TOLERANCE) -> npt.NDArray[np.bool_]:
    """Which events have massless beams with leg 0 along +z and leg 1 along -z; shape (n,).

    Args:
        momenta: (n, n_external, 4).
    """
    first, second = momenta[:, 0], momenta[:, 1]
    off_axis = np.abs(momenta[:, :2, 1:3]).max(axis=(1, 2))
    forward = np.abs(first[:, 0] - first[:, 3]) + np.abs(second[:, 0] + second[:, 3])
    return np.asarray(np.maximum(off_axis, forward) <= tolerance * (first[:, 0] + second[:, 0]))


def at_rest(momenta: FloatArray, sqrt_s: float) -> npt.NDArray[np.bool_]:
    """Which events (n, n_external, 4) have the total momentum (`sqrt_s`, 0, 0, 0), to `ENERGY`; shape (n,)."""
    total = momenta[:, 2:].sum(axis=1) - np.array([sqrt_s, 0.0, 0.0, 0.0])
    return np.asarray(np.abs(total).max(axis=1) <= ENERGY * sqrt_s)


def with_beams(final: FloatArray, sqrt_s: float | None = None) -> FloatArray:
    """Put massless beams along +-z in front of final-state momenta: (n, n_final, 4) -> (n, n_final + 2, 4).

    Args:
        final: outgoing momenta in GeV.
        sqrt_s: centre-of-mass energy in GeV of beams of equal energy; without it, the beams' energies are
            (E +- pz)/2 of the final state (hadron collisions, given events).
    """
    external = np.zeros((len(final), final.shape[1] + 2, 4))
    fill_external(external, final)
    if sqrt_s is not None:
        external[:, :2, 0] = 0.5 * sqrt_s
        external[:, :2, 3] = 0.5 * sqrt_s, -0.5 * sqrt_s
    return external


def fill_external(external: Any, final: Any) -> None:
    """Fill arrays or tensors of zeros (n, n_final + 2, 4) with final-state momenta and the beams along z they need."""
    external[:, 2:] = final
    total = final.sum(1)
    external[:, 0, 0] = 0.5 * (total[:, 0] + total[:, 3])
    external[:, 1, 0] = 0.5 * (total[:, 0] - total[:, 3])
    external[:, 0, 3] = external[:, 0, 0]
    external[:, 1, 3] = -external[:, 1, 0]


def longitudinal_rest(final: Any) -> tuple[Any, Any]:
    """E and pz, (n, legs) each, of momenta (n, legs, 4) boosted along z to where their sum has pz = 0.

    Of arrays or tensors, in GeV.
    """
    total = final.sum(1)
    mass = ((total[:, 0] + total[:, 3]) * (total[:, 0] - total[:, 3])) ** 0.5
    gamma, boost = total[:, 0, None] / mass[:, None], total[:, 3, None] / mass[:, None]
    energy, pz = final[..., 0], final[..., 3]
    return gamma * energy - boost * pz, gamma * pz - boost * energy


def scaled_to_energy(final: FloatArray, masses: Sequence[float], energy: float | FloatArray, steps: int) -> FloatArray:
    """Scale three-momenta until legs of given masses have a given energy together (Newton's method).

    Args:
        final: momenta (n, legs, 4) in GeV on their mass shells.
        masses: of the legs in GeV.
        energy: of each event in GeV, (n,) or one number.
        steps: of the iteration; massless legs need one.
    """
    scaled = final.copy()
    for _ in range(steps):
        slope = ((scaled[..., 1:] ** 2).sum(axis=-1) / scaled[..., 0]).sum(axis=1)
        factor = 1.0 + (energy - scaled[..., 0].sum(axis=1)) / slope
        scaled[..., 1:] *= factor[:, None, None]
        scaled[..., 0] = on_shell_energies(scaled, masses)
    return scaled


def on_shell_energies(final: FloatArray, masses: Sequence[float]) -> FloatArray:
    """Energies (..., legs) in GeV of momenta (..., legs, 4), whose own energies are not looked at."""
    return np.asarray(np.sqrt((final[..., 1:] ** 2).sum(axis=-1) + np.square(masses)))


def pair_positions(n: int) -> list[tuple[int, int]]:
    """All pairs i < j of n legs, in lexicographic order."""
    return [(i, j) for i in range(n) for j in range(i + 1, n)]


def dot(p: Any, q: Any) -> Any:
    """Minkowski product of component-first momenta, p = (E, px, py, pz)."""
    return p[0] * q[0] - p[1] * q[1] - p[2] * q[2] - p[3] * q[3]


def massless_product(p: Any, q: Any, where: Callable[..., Any] = np.where) -> Any:
    """p.q of massless component-first momenta, without cancellation, for arrays or (`where` of torch) tensors.

    For directions in one hemisphere |p x q|^2 / (E_p E_q + p . q) replaces the difference of two nearly equal numbers:
    the relative error at an angle theta is about 1e-16/theta, that of the momenta themselves, instead of
    1e-16/theta^2.
    """
    energies = p[0] * q[0]
    cosine = p[1] * q[1] + p[2] * q[2] + p[3] * q[3]
    cross = (p[2] * q[3] - p[3] * q[2]) ** 2 + (p[3] * q[1] - p[1] * q[3]) ** 2 + (p[1] * q[2] - p[2] * q[1]) ** 2
    sharp = cosine > 0
    return where(sharp, cross / where(sharp, energies + cosine, 1.0), energies - cosine)


def min_invariant(final: FloatArray, masses: Sequence[float] | None = None) -> FloatArray:
    """Smallest s_ij = (p_i + p_j)^2 in GeV^2 over pairs of final-state legs; (n, n_final, 4) -> (n,).

    Args:
        final: outgoing momenta in GeV.
        masses: of the legs in GeV (default: none has one).
    """
    p = np.moveaxis(final, (0, 1, 2), (2, 1, 0))
    smallest = np.full(p.shape[2], np.inf)
    for i, j in pair_positions(p.shape[1]):
        squares = 0.0 if masses is None else masses[i] ** 2 + masses[j] ** 2
        product = massless_product if squares == 0.0 else dot
        np.minimum(smallest, squares + 2.0 * product(p[:, i], p[:, j]), out=smallest)
    return smallest
