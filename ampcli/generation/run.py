"""Fill a store: points, exact amplitudes, parts, in one process or many."""

from __future__ import annotations

import logging
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import zarr

from ampcli.amplitudes.protocol import FallibleProvider, Provider
from ampcli.amplitudes.values import usable
from ampcli.collisions.base import SampledCollisions
from ampcli.errors import AmpcliError, IntegrityError, LockedError, UsageError, setting
from ampcli.generation.attempts import Attempts, values_file
from ampcli.generation.points import Points, PointSource
from ampcli.interrupt import blocked, held
from ampcli.kinematics import FloatArray
from ampcli.progress import Bars, unseen
from ampcli.store import finalise, parts
from ampcli.store.plan import Plan
from ampcli.store.record import PartRecord

log = logging.getLogger(__name__)

_POLL = 0.2  # seconds between two looks at a part that another process has in work

#: Points per call of the provider: short enough to stop soon after Ctrl-C, long enough to cost nothing.
_BATCH = 8192

#: Of Zarr: a worker is one process with one thread, and several would wait for each other.
ONE_THREAD = {"threading.max_workers": 1, "async.concurrency": 1}


_AnyJob = TypeVar("_AnyJob")


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


@contextmanager
def explained_loss() -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool:  # wherever it shows: from a result, from the next task, from the end
        raise AmpcliError(
            "a worker process died (killed, or out of memory)",
            f"Finished parts are kept: run the same command with {setting('resume')}, perhaps with "
            f"fewer {setting('workers')}.",
        ) from None


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


class Pool(Generic[_AnyJob]):
    """Workers that call methods of a (picklable) job with numbers; with one worker, this process is it."""

    def __init__(self, job: _AnyJob, workers: int) -> None:
        self.job = job
        self._numbers: dict[Future[Any], int] = {}
        self._workers: set[BaseProcess] = set()
        self._executor: ProcessPoolExecutor | None = None
        if workers > 1:
            # spawn, not fork: the parent may hold threads (Zarr, FastJet), which forking breaks
            context = multiprocessing.get_context("spawn")
            with blocked():  # starts the process that tracks semaphores
                self._stop = context.Event()
            self._executor = ProcessPoolExecutor(workers, context, _start_worker, (job, self._stop))

    def __enter__(self) -> Pool[_AnyJob]:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._executor is not None:
            with held():  # workers that still start must find what they need
                if kind is not None:
                    self._stop.set()
                if kind is BrokenProcessPool:  # the lost one may hold what the others wait for
                    for worker in self._workers:
                        worker.kill()
                self._executor.shutdown(wait=True, cancel_futures=True)

    def number_of(self, future: Future[Any]) -> int:
        return self._numbers[future]

    def _submit(self, task: str, number: int) -> Future[Any]:
        if self._executor is None:
            future: Future[Any] = Future()
            try:
                future.set_result(getattr(self.job, task)(number))
            except AmpcliError as error:
                future.set_exception(error)
        else:
            future = self._executor.submit(_work, task, number)
        self._numbers[future] = number
        return future

    def _submit_all(self, task: str, numbers: Iterable[int]) -> list[Future[Any]]:
        others = set(multiprocessing.active_children())
        with blocked():  # workers start here, and inherit this
            futures = [self._submit(task, number) for number in numbers]
        self._workers |= set(multiprocessing.active_children()) - others
        return futures

    def each(self, task: str, numbers: Iterable[int]) -> Iterator[Future[Any]]:
        """Finished tasks, in any order."""
        if self._executor is None:
            yield from (self._submit(task, number) for number in numbers)
            return
        yield from as_completed(self._submit_all(task, numbers))

    def in_order(self, task: str, numbers: Iterable[int]) -> Iterator[Any]:
        """Results in the order of the numbers."""
        if self._executor is None:
            yield from (self._submit(task, number).result() for number in numbers)
        else:
            yield from (future.result() for future in self._submit_all(task, numbers))


_job: Any
_stop: Event


def _start_worker(job: Any, stop: Event) -> None:
    global _job, _stop
    _job, _stop = job, stop
    threading.Thread(target=_die_with_parent, daemon=True).start()
    zarr.config.set(ONE_THREAD)


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(task: str, number: int) -> Any:
    return getattr(_job, task)(number, _stop)
