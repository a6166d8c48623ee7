"""Points at which a library fails, left out: where that can be, and the events of a file without them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import numpy as np
import zarr

from ampcli.amplitudes.protocol import FallibleProvider, Provider
from ampcli.collisions.leptons import LeptonCollisions
from ampcli.errors import AmpcliError, UsageError, setting
from ampcli.files import drafted, put_in_place
from ampcli.generation.attempts import kept_values, values_file, write_values
from ampcli.generation.given_points import GivenPoints
from ampcli.generation.points import PointSource
from ampcli.generation.pool import ONE_THREAD, Pool, explained_loss
from ampcli.generation.run import Job, fill
from ampcli.kinematics import FloatArray
from ampcli.store import parts
from ampcli.store.rows import read_rows


def require_can_skip(provider: Provider, source: PointSource) -> None:
    """Make sure that points at which a provider fails can be left out.

    Raises:
        UsageError: they cannot, or it does not fail.
    """
    collisions = source.collisions
    if not collisions.are_sampled:
        return
    if not isinstance(provider, FallibleProvider):
        raise UsageError(
            f"{setting('skip_bad')} has no effect: the provider {provider.identity().name} does not fail at points",
            "Leave it out.",
        )
    if not isinstance(collisions, LeptonCollisions) or collisions.are_unweighted:
        raise cannot_skip()


def cannot_skip() -> UsageError:
    """Why points are not left out where amplitudes decide which ones are drawn."""
    return UsageError(
        f"{setting('skip_bad')}: points can be left out of weighted points of e+e- collisions, and of events of a "
        "file; here amplitudes decide which points are drawn",
        f"Leave it out, or make the events first and give them with {setting('momenta')}.",
    )


def leave_out_failed(job: Job, workers: int, on_rows: Callable[[int], None]) -> Job:
    """Evaluate the events of a file, and make the store anew without those at which the library fails.

    Returns:
        The job of the store that is there then; its parts may still have to be written, but nothing to be evaluated.

    Raises:
        AmpcliError: the library fails at too many.
    """
    missing = parts.missing_parts(job.path, job.plan)
    failed: list[int] = []
    with explained_loss(), zarr.config.set(ONE_THREAD), Pool(job, min(workers, job.plan.parts)) as pool:
        if missing:
            job.source.prepare(job.path / parts.BOOKS)
        for future in pool.each("attempt", missing):
            failed += future.result()
    if not failed:
        return job
    if len(failed) == job.plan.points:
        raise AmpcliError(f"{job.provider.identity().name} fails at all events")
    source = cast(GivenPoints, job.source).without(sorted(failed))
    plan = job.plan.model_copy(update={"points": job.plan.points - len(failed), "source": source.collisions})
    with drafted(job.path) as folder:
        fresh = replace(job, path=folder / "store", plan=plan, source=source)
        parts.initialise(fresh.path, plan)
        values = _values(job)
        for number in range(plan.parts):
            write_values(values_file(fresh.path / parts.BOOKS, number), values[plan.rows_of(number)])
        fill(fresh, range(plan.parts), 1, False, on_rows)
        put_in_place(fresh.path, job.path)
    return replace(fresh, path=job.path)


def _values(job: Job) -> FloatArray:
    """What is known of all rows, without those that failed: of written parts, and of those that wait for it."""
    missing = set(parts.missing_parts(job.path, job.plan))
    values: FloatArray = np.concatenate(
        [
            kept_values(values_file(job.path / parts.BOOKS, number))
            if number in missing
            else read_rows(job.path, job.plan, "amplitude", job.plan.rows_of(number))
            for number in range(job.plan.parts)
        ]
    )
    return values[np.isfinite(values)]
