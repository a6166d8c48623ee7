"""`ampcli gen --dry-run`: seconds, bytes and memory of a run, from a short one in memory."""

from __future__ import annotations

import resource
import sys
import time

from pydantic import FiniteFloat

from ampcli.device import usable_cores
from ampcli.generation.points import Points
from ampcli.generation.run import Job
from ampcli.generation.trial import timed_amplitudes
from ampcli.records.base import Frozen
from ampcli.store.plan import Plan
from ampcli.store.record import checksums
from ampcli.store.shards import compressed

_COPIES = 3  # of a part's rows at a time: as they are drawn, joined, and compressed
_DIGITS = 3


class Forecast(Frozen):
    """What a run is expected to take on this machine, as busy as it is now.

    Attributes:
        points: drawn for the measurement.
        acceptance: rows of the store for each point tried.
        us_per_point: microseconds of one core for a row.
        preparation_seconds: before the first part: adaptation, the largest weight; not the training of `--two-stage`.
        seconds: of all, on `cores`, once the command has started.
        cores: that work at once.
        at_most: seconds are an upper limit: the sampler was not adapted for the measurement.
        bytes, bytes_per_point: of the store.
        peak_memory: bytes of all processes together.
    """

    points: int
    acceptance: FiniteFloat
    us_per_point: FiniteFloat
    preparation_seconds: FiniteFloat
    seconds: FiniteFloat
    at_most: bool
    cores: int
    bytes: int
    bytes_per_point: FiniteFloat
    peak_memory: int


def forecast(job: Job, workers: int) -> Forecast:
    """Measure with some points, of which nothing is written.

    Raises:
        UsageError: next to no point passes the cuts.
    """
    trial, plan = job.source.trial(), job.plan
    each = trial.seconds / trial.kept
    if trial.points.amplitude is None:
        each += timed_amplitudes(job.provider, trial.points.batch(slice(None)))[1]
    storing, row = _stored(trial.points, plan)
    each += storing
    workers = min(workers, plan.parts)
    cores = min(workers, usable_cores())
    busiest = min(-(-plan.parts // cores) * plan.shard_rows, plan.points)  # rows of a core
    process = _peak_memory() + _COPIES * plan.size / plan.points * min(plan.shard_rows, plan.points)
    return Forecast(
        points=len(trial.points.outgoing),
        acceptance=_rounded(trial.kept / trial.tried),
        us_per_point=_rounded(1e6 * each),
        preparation_seconds=_rounded(trial.preparation),
        seconds=_rounded(trial.preparation + each * busiest),
        at_most=trial.at_most,
        cores=cores,
        bytes=int(_rounded(row * plan.points)),
        bytes_per_point=_rounded(row),
        peak_memory=int(_rounded(process * (workers + 1 if workers > 1 else 1))),
    )


def _stored(points: Points, plan: Plan) -> tuple[float, float]:
    """Seconds and bytes for a row when it is stored, and checked at the end; the disk itself is not asked."""
    known = {"momenta": points.outgoing, "weight": points.weight, **points.columns}
    arrays = {name: known.get(name, points.weight).reshape(-1, *row) for name, row in plan.arrays.items()}
    begun = time.perf_counter()
    checksums(arrays)
    size = sum(len(compressed(values)) for values in arrays.values())
    checksums(arrays)
    rows = len(points.outgoing)
    return (time.perf_counter() - begun) / rows, size / rows


def _peak_memory() -> int:
    """Of this process, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
