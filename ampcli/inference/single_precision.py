"""Momenta that come in single precision: legs put back on their mass shell, events back into balance.

float32 moves a leg off its shell by 6e-8 of its energy, which is far more than s_ij of a collinear pair.  The angles
survive to 6e-8, so that s_ij has a relative error of about 1e-7/theta afterwards; everything else is double precision.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ampcli.errors import UsageError
from ampcli.kinematics import FloatArray, with_beams
from ampcli.process import Process

#: Largest relative fault that is taken for rounding; float32 resolves 6e-8, sums of legs and boosts a few of them.
SINGLE_TOLERANCE = 1e-5


def restored(momenta: npt.NDArray[Any], process: Process, sqrt_s: float | None) -> FloatArray:
    """External momenta (n, n_external, 4) in double precision, physical to rounding, for float32 ones.

    Energies are computed anew from three-momenta and masses; a boost takes away what is left of the total transverse
    momentum (at fixed energy: of the total momentum, and a scale factor brings the energy to `sqrt_s`).

    Args:
        momenta: (n, n_final, 4), or (n, n_external, 4) with the beams first, in GeV.
        sqrt_s: of the collisions, in GeV, if it is fixed.

    Raises:
        UsageError: a wrong shape, or an event that is off by more than rounding.
    """
    shapes = ((process.n_final, 4), (process.n_external, 4))
    if momenta.ndim != 3 or momenta.shape[1:] not in shapes:
        raise UsageError(f"momenta of {process} must have the shape (events, {process.n_external}, 4)")
    final = momenta[:, -process.n_final :].astype(np.float64)
    energies = np.sqrt((final[..., 1:] ** 2).sum(axis=-1) + np.square(process.final_masses))
    _require(np.abs(final[..., 0] - energies) <= SINGLE_TOLERANCE * energies, "leg {} is off its mass shell")
    final[..., 0] = energies
    total = final.sum(axis=1)
    axes = slice(1, 3) if sqrt_s is None else slice(1, 4)
    small = np.abs(total[:, axes]) <= SINGLE_TOLERANCE * total[:, :1]
    _require(small, "the outgoing momenta do not balance")
    velocity = np.zeros((len(final), 3))
    velocity[:, : small.shape[1]] = -total[:, axes] / total[:, :1]
    final = _boosted(final, velocity)
    if sqrt_s is not None:
        energy = final[..., 0].sum(axis=1)
        _require((np.abs(energy - sqrt_s) <= SINGLE_TOLERANCE * sqrt_s)[:, None], f"the energy is not {sqrt_s:g} GeV")
        if not any(process.final_masses):
            final *= (sqrt_s / energy)[:, None, None]
    external = with_beams(final)
    if momenta.shape[1] == process.n_external:
        off = np.abs(momenta[:, :2] - external[:, :2]).max(axis=2)
        _require(off <= SINGLE_TOLERANCE * total[:, :1], "beam {} is not massless along the z axis")
    return external


def _boosted(momenta: FloatArray, velocity: FloatArray) -> FloatArray:
    """Momenta (n, legs, 4) seen after a small boost (n, 3), with energies from the boosted mass shell."""
    squared = (velocity**2).sum(axis=1)
    gamma = (1.0 / np.sqrt(1.0 - squared))[:, None]
    along = np.einsum("nla,na->nl", momenta[..., 1:], velocity)
    mass2 = np.maximum(momenta[..., 0] ** 2 - (momenta[..., 1:] ** 2).sum(axis=-1), 0.0)
    factor = gamma**2 / (gamma + 1.0) * along + gamma * momenta[..., 0]
    three = momenta[..., 1:] + factor[..., None] * velocity[:, None]
    return np.concatenate([np.sqrt((three**2).sum(axis=-1) + mass2)[..., None], three], axis=-1)


def _require(good: npt.NDArray[np.bool_], what: str) -> None:
    """All of (n, columns), where NaN is not good."""
    if not good.all():
        event, column = np.argwhere(~good)[0]
        raise UsageError(
            f"event {event} (from 0): {what.format(column)} by more than single precision explains",
            "Give physical momenta, best in double precision.",
        )
