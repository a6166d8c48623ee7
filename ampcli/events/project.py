"""Legs of other masses than ours moved onto our mass shells: an on-shell projection at the energy of the event.

Event files hold quarks of 0.33 to 4.8 GeV where amplitudes have massless ones, and resonances off their peak.  In the
rest frame of the final state all three-momenta are scaled by one factor, as parton showers and RAMBO do (R. Kleiss,
W. J. Stirling, S. D. Ellis, Comput. Phys. Commun. 40 (1986) 359): directions and the invariant mass of the event stay.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ampcli.events.repair import Repaired, boosted, fixed_energy, repair, require_legs
from ampcli.kinematics import REPAIRABLE, on_shell_energies, scaled_to_energy, with_beams
from ampcli.process import Process

_STEPS = 12  # of Newton's method; it starts from masses that may be far off, and converges quadratically
_ROOM = 1e-9  # of the energy, which three-momenta need at least


def project(momenta: npt.NDArray[Any], process: Process, sqrt_s: float | None = None) -> Repaired:
    """Put outgoing legs on the mass shells of the process, and massless beams along z before them.

    Args:
        momenta: (n, n_final, 4), or (n, n_external, 4) with the beams first, in GeV.
        sqrt_s: of the collisions, in GeV, if it is fixed; else lepton beams of one energy tell it, event by event.

    Raises:
        UsageError: a wrong shape.
    """
    if process.n_final == 1:
        return repair(momenta, process, sqrt_s)  # at its energy one leg has the mass that it has
    beams, given = require_legs(momenta, process)
    faults: list[tuple[npt.NDArray[np.bool_], str]] = []
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        heavy = given[..., 0] > 0
        if beams is not None:
            heavy = np.concatenate([beams[..., 0] > 0, heavy], axis=1)
        faults.append((heavy, "leg {} has no energy"))
        total = given.sum(axis=1)
        scale = REPAIRABLE * total[:, :1]
        balance = np.abs(total[:, 1:3] if beams is None else total - beams.sum(axis=1)) <= scale
        faults.append((balance, "the outgoing momenta do not balance"))
        fixed = fixed_energy(process, beams) if sqrt_s is None else np.full(len(given), sqrt_s)
        velocity = total[:, 1:] / total[:, :1]
        rest = boosted(given, -velocity)
        inside = np.sqrt(np.maximum(total[:, 0] ** 2 - (total[:, 1:] ** 2).sum(axis=1), 0.0))
        energy = inside if fixed is None else fixed
        enough = (energy * (1.0 - _ROOM) > sum(process.final_masses)) & (np.abs(energy - inside) <= scale[:, 0])
        rest[..., 0] = on_shell_energies(rest, process.final_masses)
        rest = scaled_to_energy(rest, process.final_masses, energy, _STEPS)
        if fixed is None:
            velocity[:, :2] = 0.0
            final = boosted(rest, velocity)
            final[..., 0] = on_shell_energies(final, process.final_masses)
        else:
            final = rest
        external = with_beams(final)
        enough &= np.isfinite(external).all(axis=(1, 2))
        faults.append((enough[:, None], "legs of these masses cannot have the energy of the event"))
        shift = (np.abs(final - given).max(axis=2) / given[..., 0]).max(axis=1)
    good = np.logical_and.reduce([mask.all(axis=1) for mask, _ in faults])
    return Repaired(external, shift, good, faults)
