"""Rounding of given momenta put right: legs back on their mass shell, events back into balance.

Event files of 7 to 9 digits and float32 move a leg off its shell by 1e-9 to 1e-7 of its energy, which can be far more
than s_ij of a collinear pair.  The angles survive to these digits, so that s_ij has a relative error of about
1e-7/theta (float32) afterwards; everything else is double precision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ampcli.errors import UsageError
from ampcli.kinematics import REPAIRABLE, FloatArray, on_shell_energies, scaled_to_energy, with_beams
from ampcli.process import Process

_BY_MORE = " by more than rounding explains"


@dataclass
class Repaired:
    """Momenta that are physical to rounding.

    Attributes:
        momenta: (n, n_external, 4), beams first.
        shift: how far the outgoing leg that moved most has moved, relative to its energy; (n,).
        good: which events were off by no more than rounding; the others mean nothing; (n,).
        faults: what is wrong with the bad ones: pairs of a mask (n, columns) of what is right, and words.
    """

    momenta: FloatArray
    shift: FloatArray
    good: npt.NDArray[np.bool_]
    faults: list[tuple[npt.NDArray[np.bool_], str]]

    def fault(self, event: int) -> str:
        """What is wrong with a bad event."""
        mask, words = next((mask, words) for mask, words in self.faults if not mask[event].all())
        return words.format(int(np.argmin(mask[event])))


def restored(momenta: npt.NDArray[Any], process: Process, sqrt_s: float | None) -> FloatArray:
    """External momenta (n, n_external, 4) in double precision, physical to rounding, for float32 ones.

    Raises:
        UsageError: a wrong shape, or an event that is off by more than rounding.
    """
    found = repair(momenta, process, sqrt_s)
    if not found.good.all():
        event = int(np.argmin(found.good))
        raise UsageError(f"event {event} (from 0): {found.fault(event)}", "Give physical momenta in double precision.")
    return found.momenta


def repair(momenta: npt.NDArray[Any], process: Process, sqrt_s: float | None = None) -> Repaired:
    """Put rounding right.

    Energies are computed anew from three-momenta and masses; a boost takes away what is left of the total transverse
    momentum.  At fixed energy it takes away all of the total momentum, and a scale factor of the three-momenta brings
    the energy to that of the collision.  The beams follow from the final state.

    Args:
        momenta: (n, n_final, 4), or (n, n_external, 4) with the beams first, in GeV.
        sqrt_s: of the collisions, in GeV, if it is fixed; else lepton beams of one energy tell it, event by event.

    Raises:
        UsageError: a wrong shape.
    """
    beams, given = require_legs(momenta, process)
    faults: list[tuple[npt.NDArray[np.bool_], str]] = []
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        energies = on_shell_energies(given, process.final_masses)
        on_shell = np.abs(given[..., 0] - energies) <= REPAIRABLE * energies
        if beams is not None:
            on_shell = np.concatenate([np.ones((len(given), 2), dtype=bool), on_shell], axis=1)
        faults.append((on_shell, "leg {} is off its mass shell" + _BY_MORE))
        final = given.copy()
        final[..., 0] = energies
        total = final.sum(axis=1)
        fixed = fixed_energy(process, beams) if sqrt_s is None else np.full(len(final), sqrt_s)
        axes = slice(1, 3) if fixed is None else slice(1, 4)
        small = np.abs(total[:, axes]) <= REPAIRABLE * total[:, :1]
        faults.append((small, "the outgoing momenta do not balance" + _BY_MORE))
        velocity = np.zeros((len(final), 3))
        velocity[:, : small.shape[1]] = -total[:, axes] / total[:, :1]
        final = boosted(final, velocity)
        if fixed is not None:
            reached = final[..., 0].sum(axis=1)
            there = (np.abs(reached - fixed) <= REPAIRABLE * fixed)[:, None]
            faults.append(
                (there, f"the energy is not {'that of the beams' if sqrt_s is None else f'{sqrt_s:g} GeV'}{_BY_MORE}")
            )
            steps = 3 if any(process.final_masses) else 1  # from nearly the right energy
            final = scaled_to_energy(final, process.final_masses, fixed, steps)
        external = with_beams(final)
        if fixed is not None:
            external[:, :2, 0] = 0.5 * fixed[:, None]
            external[:, :2, 3] = 0.5 * fixed[:, None] * np.array([1.0, -1.0])
        if beams is not None:
            off = np.abs(beams - external[:, :2]).max(axis=2)
            faults.append((off <= REPAIRABLE * total[:, :1], "beam {} is not massless along the z axis" + _BY_MORE))
        shift = (np.abs(final - given).max(axis=2) / given[..., 0]).max(axis=1)
    good = np.logical_and.reduce([mask.all(axis=1) for mask, _ in faults])
    return Repaired(external, shift, good, faults)


def require_legs(momenta: npt.NDArray[Any], process: Process) -> tuple[FloatArray | None, FloatArray]:
    """Beams (n, 2, 4), where there are some, and final state (n, n_final, 4) in double precision.

    Raises:
        UsageError: a wrong shape.
    """
    shapes = ((process.n_final, 4), (process.n_external, 4))
    if momenta.ndim != 3 or momenta.shape[1:] not in shapes:
        raise UsageError(f"momenta of {process} must have the shape (events, {process.n_external}, 4)")
    with np.errstate(invalid="ignore", over="ignore"):
        array = momenta.astype(np.float64)
    return (array[:, :2] if len(process.legs) == array.shape[1] else None), array[:, -process.n_final :]


def fixed_energy(process: Process, beams: FloatArray | None) -> FloatArray | None:
    """The energy of collisions of lepton beams that are alike, (n,)."""
    if beams is None or any(leg.kind != "lepton" for leg in process.incoming):
        return None
    energies = beams[..., 0]
    alike = np.abs(energies[:, 0] - energies[:, 1]) <= REPAIRABLE * energies[:, 0]
    return energies.sum(axis=1) if alike.all() else None


def boosted(momenta: FloatArray, velocity: FloatArray) -> FloatArray:
    """Momenta (n, legs, 4) seen after a boost by velocities (n, 3), with energies from the boosted mass shell."""
    squared = (velocity**2).sum(axis=1)
    gamma = (1.0 / np.sqrt(1.0 - squared))[:, None]
    along = np.einsum("nla,na->nl", momenta[..., 1:], velocity)
    mass2 = np.maximum(momenta[..., 0] ** 2 - (momenta[..., 1:] ** 2).sum(axis=-1), 0.0)
    factor = gamma**2 / (gamma + 1.0) * along + gamma * momenta[..., 0]
    three = momenta[..., 1:] + factor[..., None] * velocity[:, None]
    return np.concatenate([np.sqrt((three**2).sum(axis=-1) + mass2)[..., None], three], axis=-1)
