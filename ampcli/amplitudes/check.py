"""A generated amplitude, held against the brute-force trees of `ampcli.amplitudes.trees` at a few points."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from ampcli import files, seal
from ampcli.amplitudes.trees import Trees
from ampcli.errors import AmpcliError, IntegrityError
from ampcli.kinematics import FloatArray
from ampcli.phasespace.rambo import rambo
from ampcli.process import Process

#: Largest relative difference of two right amplitudes; gauge cancellations at high energies leave 1e-10.
TOLERANCE = 1e-8

# What trees may cost, in their units: about a second, and gluons cost more than other legs.
_LARGEST_COST = 500_000

_ENERGIES = (4.0, 20.0)  # in units of the sum of masses, or of 100 GeV
_RECORD_FORMAT = 1
_ROUNDING = 1e-24  # of |M|^2 in units of sqrt(s), where diagrams cancel


def affordable(process: Process) -> bool:
    """Whether the trees of a process take about a second or less for the points of a check."""
    gluons = sum(leg.kind == "gluon" for leg in process.legs)
    quark_lines = sum(leg.kind in ("quark", "antiquark") for leg in process.legs) // 2
    return Trees(process).cost() * (1 + gluons) * max(quark_lines, 1) <= _LARGEST_COST


def vanishes(process: Process) -> bool:
    """Whether all tree diagrams of the Standard Model together give zero, or there are none."""
    momenta = events(process, _ENERGIES)
    natural = momenta[:, :2, 0].sum(axis=1) ** (4.0 - 2.0 * process.n_final)
    return bool((Trees(process).squares(momenta) < _ROUNDING * natural).all())


def difference(process: Process, evaluate: Callable[[FloatArray], FloatArray]) -> float:
    """Largest relative difference of an amplitude from the trees, at energies far apart (a wrong one grows with s).

    Where the trees are too dear: from itself, when the event is turned and identical legs change places.
    """
    momenta = events(process, _ENERGIES)
    found = evaluate(momenta)
    if affordable(process):
        return _largest(found, Trees(process).squares(momenta, leading_order(process)))
    return _largest(found, evaluate(_turned(momenta)[:, _exchanged(process)]))


def difference_in_frames(process: Process, evaluate: Callable[[FloatArray], FloatArray]) -> float:
    """Largest relative difference of an amplitude from itself, in another frame: turned, moving, identical legs
    exchanged."""
    momenta = events(process, _ENERGIES)
    found = evaluate(momenta)
    others = _turned(momenta)[:, _exchanged(process)], _moving(momenta)
    return max(_largest(found, evaluate(other)) for other in others)


def scaling_difference(
    process: Process, evaluate: Callable[[FloatArray], FloatArray], doubled: Callable[[FloatArray], FloatArray]
) -> float:
    """How far |M|^2 is from a power of alpha_s, that of coloured legs but two; `doubled` has twice the alpha_s."""
    momenta = events(process, _ENERGIES)
    return _largest(doubled(momenta), 2.0**process.alpha_s_power * evaluate(momenta))


def _largest(found: FloatArray, exact: FloatArray) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        largest = float(np.abs(found / exact - 1.0).max())
    return largest if math.isfinite(largest) and (found > 0).all() else math.inf


def _moving(momenta: FloatArray) -> FloatArray:
    """Seen from a frame that moves at 0.6 of the speed of light, along no axis."""
    direction = np.array([1.0, -2.0, 2.0]) / 3.0
    along = momenta[..., 1:] @ direction
    moving = np.empty_like(momenta)
    moving[..., 0] = 1.25 * momenta[..., 0] - 0.75 * along
    moving[..., 1:] = momenta[..., 1:] + (0.25 * along - 0.75 * momenta[..., 0])[..., None] * direction
    return moving


def _turned(momenta: FloatArray) -> FloatArray:
    axes = [0, 2, 3, 1]  # a third of a turn about the diagonal
    return np.ascontiguousarray(momenta[..., axes])


def _exchanged(process: Process) -> list[int]:
    """An order of the legs that reverses every group of identical outgoing ones."""
    order = list(range(process.n_external))
    for name in {leg.name for leg in process.outgoing}:
        group = [i for i, leg in enumerate(process.legs) if i >= 2 and leg.name == name]
        for i, j in zip(group, reversed(group), strict=True):
            order[i] = j
    return order


def leading_order(process: Process) -> int | None:
    """Powers of e in the amplitude that are kept: one for each colourless leg, which is leading in alpha_s.

    With at most one quark line there are no others: None.
    """
    quarks = sum(leg.kind in ("quark", "antiquark") for leg in process.legs)
    return None if quarks <= 2 else sum(leg.kind in ("lepton", "vector", "scalar") for leg in process.legs)


def recorded_difference(record: Path, key: str, compute: Callable[[], float]) -> float:
    """The difference that a file in the cache holds, computed and written first where it is missing or damaged."""
    try:
        document: Any = json.loads(files.read_file(record))
        if not isinstance(document, dict):
            raise IntegrityError(f"{record} is no record")
        seal.check_seal(document, record, "")
        if document["format"] == _RECORD_FORMAT and document["key"] == key:
            return float(document["difference"])
    except (OSError, ValueError, KeyError, TypeError, IntegrityError):
        pass
    found = compute()
    document = {"format": _RECORD_FORMAT, "key": key, "difference": found if math.isfinite(found) else 1e300}
    with suppress(AmpcliError), files.replacing(record) as draft:  # a cache that is only read: computed again next time
        files.write_durably(draft, json.dumps(seal.sealed(document), indent=2).encode())
    return found


def events(process: Process, energies: tuple[float, ...]) -> FloatArray:
    """One event for each energy in units of the sum of all masses (100 GeV if there are none), in the rest frame.

    Returns:
        (energies, n_external, 4) in GeV; the beams lie askew, so that no direction is special.
    """
    unit = sum(leg.mass for leg in process.legs) or 100.0
    cube = np.random.default_rng(20240611).random((len(energies), process.n_final, 4))
    made = [_event(process, cube[i : i + 1], max(e * unit, 500.0)) for i, e in enumerate(energies)]
    return np.concatenate(made)


def _event(process: Process, cube: FloatArray, sqrt_s: float) -> FloatArray:
    masses = np.array(process.final_masses)
    if process.n_final == 1:
        sqrt_s = masses[0]
        final = np.array([[[sqrt_s, 0.0, 0.0, 0.0]]])
    else:
        final = _with_masses(rambo(cube, sqrt_s), masses, sqrt_s)
    first, second = (leg.mass for leg in process.incoming)
    size = math.sqrt((sqrt_s**2 - first**2 - second**2) ** 2 - 4 * (first * second) ** 2) / (2 * sqrt_s)
    axis = np.array([2.0, 3.0, 6.0]) / 7.0
    event = np.zeros((1, process.n_external, 4))
    event[0, 0, 1:], event[0, 1, 1:] = size * axis, -size * axis
    event[0, :2, 0] = math.hypot(size, first), math.hypot(size, second)
    event[:, 2:] = final
    return event


def _with_masses(massless: FloatArray, masses: FloatArray, sqrt_s: float) -> FloatArray:
    """Shrink three-momenta until the energies of massive legs add up to sqrt(s) (Newton's method)."""
    squares = (massless[..., 1:] ** 2).sum(axis=-1)
    shrink = 1.0
    for _ in range(100):
        energies = np.sqrt(shrink**2 * squares + masses**2)
        shrink -= float((energies.sum() - sqrt_s) / (shrink * squares / energies).sum())
    final = massless * shrink
    final[..., 0] = np.sqrt((final[..., 1:] ** 2).sum(axis=-1) + masses**2)
    return np.asarray(final)
