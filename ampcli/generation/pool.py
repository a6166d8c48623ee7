"""Processes that work on the parts of a store, and end with the one that started them."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from typing import Any, Generic, TypeVar

import zarr

from ampcli.errors import AmpcliError, setting
from ampcli.interrupt import blocked, held

#: Of Zarr: a worker is one process with one thread, and several would wait for each other.
ONE_THREAD = {"threading.max_workers": 1, "async.concurrency": 1}

_AnyJob = TypeVar("_AnyJob")


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


class Pool(Generic[_AnyJob]):
    """Workers that call methods of a (picklable) job with numbers; with one worker, this process is it."""

    def __init__(self, job: _AnyJob, workers: int) -> None:
        self.job = job
        self._numbers: dict[Future[Any], int] = {}
        self._workers: set[BaseProcess] = set()
        self._executor: ProcessPoolExecutor | None = None
        if workers > 1:
            # spawn, not fork: the parent may hold threads (Zarr), which forking breaks
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
