"""Fill a store: points, exact amplitudes, parts, in one process or many."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from ampcli.amplitudes.protocol import FallibleProvider, Provider
from ampcli.amplitudes.values import usable
from ampcli.collisions.base import SampledCollisions
from ampcli.errors import AmpcliError, IntegrityError, LockedError, UsageError, setting
from ampcli.generation.attempts import Attempts, values_file
from ampcli.generation.points import Points, PointSource
from ampcli.generation.pool import ONE_THREAD, Pool, explained_loss
from ampcli.kinematics import FloatArray
from ampcli.progress import Bars, unseen
from ampcli.store import finalise, parts
from ampcli.store.plan import Plan
from ampcli.store.record import PartRecord

log = logging.getLogger(__name__)

_POLL = 0.2  # seconds between two looks at a part that another process has in work

#: Points per call of the provider: short enough to stop soon after Ctrl-C, long enough to cost nothing.
_BATCH = 8192


class Stopped(Exception):
    """A worker was asked to stop."""


@dataclass(frozen=True)
class Job:
    """All that a worker needs to make any part of a store."""

    path: Path
    plan: Plan
    source: PointSource
    provider: Provider
    note: str | None = None
    """What the user should know of it."""
    exact: Provider | None = None
    """Exact amplitudes for the closure test of a sample that surrogates had a part in."""
    skip_bad: bool = False
    """Leave out points at which the provider fails."""

    def make(self, number: int, stop: Event | None = None) -> int:
        """Sample, evaluate and write one part, unless another process does; returns its rows, 0 of a part of others."""
        if number in parts.parts_in_work(self.path):
            return 0
        try:
            return self._make(number, _check_of(stop))
        except LockedError:
            return 0

    def await_part(self, number: int, stop: Event | None = None) -> int:
        """The same, once the process has ended it, or has died, that had the part in work."""
        check_stop, said = _check_of(stop), False
        while True:
            check_stop()
            try:
                return self._make(number, check_stop)
            except LockedError as error:
                if not said:
                    log.warning("waiting: %s", error.what)
                said = True
                time.sleep(_POLL)

    def _make(self, number: int, check_stop: Callable[[], None]) -> int:
        with parts.working(self.path, number):
            return 0 if parts.has_marker(self.path, number) else self._write(number, check_stop)

    def make_again(self, number: int, stop: Event | None = None) -> int:
        """Write a damaged part again, unless another process has done so; returns its rows."""
        with parts.working(self.path, number, -1):
            try:
                self.check(number, stop)
            except IntegrityError:
                return self._write(number, _check_of(stop))
        return 0

    def _write(self, number: int, check_stop: Callable[[], None]) -> int:
        points, failed = self._points(number, check_stop)
        amplitude = self._amplitudes(points, check_stop) if points.amplitude is None else points.amplitude
        first = self.plan.rows_of(number).start
        _require_values(amplitude, self.plan.provider.signed, points.outgoing, first)
        part = parts.Part(points.outgoing, amplitude, points.weight, points.tried, points.exact, points.columns, failed)
        parts.put_part(self.path, self.plan, number, part)
        values_file(self.path / parts.BOOKS, number).unlink(missing_ok=True)
        return len(amplitude)

    def attempt(self, number: int, stop: Event | None = None) -> list[int]:
        """Evaluate one part and keep its values among the books; returns the rows of the store that have none.

        Raises:
            AmpcliError: the provider fails at too many points.
        """
        rows, check_stop = self.plan.rows_of(number), _check_of(stop)
        points = self.source.points(number, rows, self.path / parts.BOOKS, check_stop)
        attempts = self._attempts(number, check_stop)
        attempts.evaluate(points)
        attempts.keep()
        return [rows.start + row for row in sorted(attempts.failures)]

    def _attempts(self, number: int, check_stop: Callable[[], None]) -> Attempts:
        assert isinstance(self.provider, FallibleProvider)
        label = f"part {number + 1} of {self.plan.parts}"
        file = values_file(self.path / parts.BOOKS, number)
        return Attempts(self.provider, self.plan.provider.name, file, label, check_stop)

    def _points(self, number: int, check_stop: Callable[[], None]) -> tuple[Points, int | None]:
        """The points of a part, and at how many others the provider failed, where they are left out."""
        books, rows = self.path / parts.BOOKS, self.plan.rows_of(number)
        points = self.source.points(number, rows, books, check_stop)
        if points.amplitude is not None or not isinstance(self.provider, FallibleProvider):
            return points, None

        def more(count: int) -> Points:
            return self.source.points(number, slice(rows.start, rows.start + count), books, check_stop)

        attempts = self._attempts(number, check_stop)
        replaced = self.skip_bad and self.plan.source.are_sampled
        points = attempts.completed(points, more if replaced else None)
        return points, len(attempts.failures) if replaced else None

    def _amplitudes(self, points: Points, check_stop: Callable[[], None]) -> FloatArray:
        amplitude = np.empty(len(points.outgoing))
        momenta = np.empty((min(_BATCH, len(amplitude)), self.plan.n_final + 2, 4))  # fresh memory costs time
        for start in range(0, len(amplitude), _BATCH):
            check_stop()
            batch = slice(start, start + _BATCH)
            try:
                amplitude[batch] = self.provider.evaluate(points.batch(batch, momenta[: len(amplitude) - start]))
            except UsageError as error:
                if not self.plan.source.are_sampled:
                    raise
                raise AmpcliError(
                    f"the sampler made a point of {self.plan.process} that the provider refuses: {error.what}",
                    "Please report this with the command that you ran.",
                ) from error
        return amplitude

    @property
    def evidence(self) -> dict[str, Any]:
        """What the attributes say of the closure test, once all parts are there."""
        if self.exact is None or not isinstance(self.plan.source, SampledCollisions):
            return {}
        from ampcli.generation.closure import closure_of

        return {"closure": closure_of(self.path, self.plan, self.exact, self.plan.source.seed).model_dump(mode="json")}

    def check(self, number: int, stop: Event | None = None) -> tuple[PartRecord, finalise.PartSums]:
        if stop is not None and stop.is_set():
            raise Stopped
        return finalise.check_part(self.path, self.plan, number)


def _check_of(stop: Event | None) -> Callable[[], None]:
    """What a worker calls now and then: it raises `Stopped` once it was asked to stop."""

    def check_stop() -> None:
        if stop is not None and stop.is_set():
            raise Stopped

    return check_stop


def _require_values(amplitude: FloatArray, signed: bool, outgoing: FloatArray, first_row: int) -> None:
    bad = ~usable(amplitude, signed)
    if bad.any():
        event = int(np.argmax(bad))
        wanted = "a value is finite and not 0" if signed else "a squared amplitude is positive"
        raise AmpcliError(
            f"|M|^2 of point {first_row + event} is {amplitude[event]}; {wanted} "
            f"(outgoing momenta {outgoing[event].tolist()})",
            "The point is too singular for double precision, or the provider is broken."
            + ("" if signed or not amplitude[event] < 0 else f" Values of either sign need {setting('signed')}."),
        )


def fill(
    job: Job,
    chosen: Iterable[int],
    workers: int,
    resume: bool,
    on_rows: Callable[[int], None],
    finish: bool = True,
    bars: Bars = unseen,
) -> dict[str, Any] | None:
    """Make the missing ones of the `chosen` parts; finalise the store once all its parts are there.

    Args:
        resume: write parts that do not match their checksums again instead of failing.
        on_rows: told the number of rows of each finished part.
        finish: finalise it.
        bars: show how far the preparation is.

    Returns:
        The store's attributes, or None while parts chosen by other processes are missing.
    """
    with explained_loss(), zarr.config.set(ONE_THREAD), Pool(job, min(workers, job.plan.parts)) as pool:
        ours = set(chosen)
        for how in ("make", "await_part"):  # what others are making comes last: most of it is done then
            _make(pool, how, sorted(ours.intersection(parts.missing_parts(job.path, job.plan))), on_rows, bars)
        if not finish or parts.missing_parts(job.path, job.plan):
            return None
        return finalise.finalise(
            job.path,
            job.plan,
            lambda numbers: _mended(pool, on_rows) if resume else pool.in_order("check", numbers),
            lambda: job.source.attributes(job.path / parts.BOOKS) | job.evidence,
        )


def _make(pool: Pool[Job], how: str, numbers: list[int], on_rows: Callable[[int], None], bars: Bars = unseen) -> None:
    if numbers:
        pool.job.source.prepare(pool.job.path / parts.BOOKS, bars)
    for future in pool.each(how, numbers):
        on_rows(future.result())


def _mended(pool: Pool[Job], on_rows: Callable[[int], None]) -> list[tuple[PartRecord, finalise.PartSums]]:
    """What was found when every part was checked, after those that are damaged were made again."""
    job, found = pool.job, {}
    for future in pool.each("check", range(job.plan.parts)):
        with suppress(IntegrityError):
            found[pool.number_of(future)] = future.result()
    damaged = [number for number in range(job.plan.parts) if number not in found]
    _make(pool, "make_again", damaged, on_rows)
    found.update(zip(damaged, pool.in_order("check", damaged), strict=True))
    return [found[number] for number in range(job.plan.parts)]
