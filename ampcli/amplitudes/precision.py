"""What double precision leaves of an amplitude at extreme momenta.

Arithmetic with the energies of an event that is boosted along the beams by gamma loses gamma^2 of its relative
precision: E - p_z of a forward leg is the difference of two large numbers.  Light-cone momenta from transverse masses
keep all digits, so such events are brought to rest first.  What is lost then, to collinear pairs and soft legs, is
estimated.
"""

from __future__ import annotations

import numpy as np

from ampcli.errors import UsageError
from ampcli.kinematics import TOLERANCE, FloatArray
from ampcli.process import Process

#: Events that are boosted less are evaluated as they are: at 1000, at most 1e-9 is lost.  No proton beams reach it.
LARGEST_BOOST = 1000.0

#: Largest relative error of an amplitude that is handed out.
LARGEST_ERROR = 1e-3

# Relative errors of amplitudes from energies at face value: times the angle squared (median), and times a soft leg's
# fraction of a beam's energy (largest).  Measured against 200-bit numbers.
_COLLINEAR = 7e-16
_SOFT = 5e-14


def at_rest(momenta: FloatArray, process: Process) -> FloatArray:
    """Bring events that are strongly boosted along z to their centre-of-mass frame, with all their digits.

    Args:
        momenta: physical, (n, n_external, 4) in GeV.

    Returns:
        The same array if there are none (massless beams along z and gamma above `LARGEST_BOOST`), else a new one.
    """
    total = momenta[:, 0] + momenta[:, 1]
    moving = total[:, 0] - np.abs(total[:, 3]) <= total[:, 0] / (2 * LARGEST_BOOST**2)
    if not moving.any() or any(leg.mass for leg in process.incoming):
        return momenta
    events = np.flatnonzero(moving)
    beams = momenta[events, :2]
    along_z = np.abs(beams[..., 1:3]).max(axis=(1, 2)) <= TOLERANCE * total[events, 0]
    events = events[along_z & (beams[:, 0, 3] * beams[:, 1, 3] < 0)]
    if len(events) == 0:
        return momenta
    rest = momenta.copy()
    rest[events] = _boosted(momenta[events], np.array(process.final_masses))
    return rest


def _boosted(momenta: FloatArray, masses: FloatArray) -> FloatArray:
    final = momenta[:, 2:]
    transverse2 = final[..., 1] ** 2 + final[..., 2] ** 2 + masses**2
    large = np.sqrt(transverse2 + final[..., 3] ** 2) + np.abs(final[..., 3])
    small = transverse2 / large
    forward = final[..., 3] > 0
    plus, minus = np.where(forward, large, small), np.where(forward, small, large)
    stretch = np.sqrt(minus.sum(axis=1) / plus.sum(axis=1))[:, None]
    plus, minus = plus * stretch, minus / stretch
    boosted = np.zeros_like(momenta)
    boosted[:, 2:, 1:3] = final[..., 1:3]
    boosted[:, 2:, 0], boosted[:, 2:, 3] = (plus + minus) / 2, (plus - minus) / 2
    beam = plus.sum(axis=1) / 2
    boosted[:, 0, 0] = boosted[:, 1, 0] = boosted[:, 0, 3] = beam
    boosted[:, 1, 3] = -beam
    boosted[:, :2, 3] *= np.sign(momenta[:, :1, 3])
    return boosted


def require_digits(momenta: FloatArray, process: Process) -> None:
    """Make sure that energies at face value leave digits of the amplitude.

    Args:
        momenta: physical, (n, n_external, 4) in GeV, not strongly boosted (`at_rest`).

    Raises:
        UsageError: naming the first event of which they leave fewer than three, and why.
    """
    massless = [i for i, leg in enumerate(process.legs) if i >= 2 and leg.mass == 0]
    softest = momenta[:, massless, 0].min(axis=1, initial=np.inf) / momenta[:, :2, 0].max(axis=1)
    angle2 = _smallest_angle2(momenta, _singular_pairs(process))
    bad = np.flatnonzero((softest < _SOFT / LARGEST_ERROR) | (angle2 < _COLLINEAR / LARGEST_ERROR))
    if len(bad) == 0:
        return
    event = bad[0]
    if softest[event] < _SOFT / LARGEST_ERROR:
        what = f"a leg with {softest[event]:.2g} of a beam's energy"
    else:
        what = f"two massless legs at an angle of {np.sqrt(angle2[event]):.2g}"
    raise UsageError(
        f"event {event} (from 0): {what} leaves no digits of the exact amplitude in double precision",
        "Leave such events out; the provider native, where it covers the process, keeps its digits there.",
    )


def _singular_pairs(process: Process) -> list[tuple[int, int]]:
    """Pairs of massless legs whose amplitude grows when they are collinear: they join in a massless particle."""
    codes = [-leg.pdg if i < 2 else leg.pdg for i, leg in enumerate(process.legs)]

    def joins(i: int, j: int) -> bool:
        first, second = process.legs[i], process.legs[j]
        bosons, others = (
            [x for x in (first, second) if x.name in "ga"],
            [x for x in (first, second) if x.name not in "ga"],
        )
        if not bosons:
            return first.kind != "scalar" and codes[i] == -codes[j] and abs(codes[i]) not in (12, 14, 16)
        if not others:
            return first.name == second.name == "g"
        return others[0].kind in ("quark", "antiquark") or (
            bosons[0].name == "a" and abs(others[0].pdg) in (11, 13, 15)
        )

    massless = [i for i, leg in enumerate(process.legs) if leg.mass == 0]
    return [(i, j) for i in massless for j in massless if i < j and j >= 2 and joins(i, j)]


def _smallest_angle2(p: FloatArray, pairs: list[tuple[int, int]]) -> FloatArray:
    """Smallest squared angle (of small angles) of pairs of legs (n, legs, 4); shape (n,)."""
    direction = np.ascontiguousarray(np.moveaxis(p[..., 1:] / p[..., :1], 0, 2))
    smallest = np.full(len(p), np.inf)
    for i, j in pairs:
        difference = direction[i] - direction[j]
        np.minimum(smallest, (difference * difference).sum(axis=0), out=smallest)
    return smallest
