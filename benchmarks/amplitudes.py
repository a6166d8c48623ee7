"""Microseconds per event and core: native amplitudes beside pyamplicol, in one run.

    python benchmarks/amplitudes.py [--batches 1,64,1024,8192,65536] [--seconds 0.3] [--repeats 3] [PROCESS ...]

Worker processes (one per core, one thread each) evaluate batches of points that are already in memory, checks of the
momenta included; the two providers alternate, so that a drift of the machine's speed hits both, and medians over the
repeats are printed.  "2 cores": two processes at once; "2 threads": one native process with two threads.  A provider
whose single call would take longer than --longest seconds is left out ("-").
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import statistics
import time
from multiprocessing.connection import Connection
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import torch
from agreement import sample

from ampcli.amplitudes.providers import make_provider
from ampcli.instructions import instruction_set
from ampcli.process import parse_process
from ampcli.provenance import hardware

PROCESSES = [
    *("e- e+ > d d~" + " g" * n for n in (1, 2, 3, 4)),
    *("d d~ > z" + " g" * n for n in (1, 2, 3, 4)),
    *("d g > z d" + " g" * n for n in (1, 2, 3)),
    *("g g > z d d~" + " g" * n for n in (0, 1, 2)),
]
POOL = 8192


def worker(pipe: Connection) -> None:
    """Answers (provider, process, batch, seconds, threads) with microseconds per event."""
    providers: dict[tuple[str, str], Any] = {}
    pools: dict[str, Any] = {}
    while (task := pipe.recv()) is not None:
        name, process, batch, seconds, threads = task
        parsed = parse_process(process)
        if process not in pools:
            pools[process] = sample(parsed, POOL, seed=1)
        provider = providers.setdefault((name, process), make_provider(name, parsed))
        provider.threads = threads
        pool = pools[process]
        momenta = np.ascontiguousarray(pool[:batch] if batch <= POOL else np.concatenate([pool] * (batch // POOL)))
        provider.evaluate(momenta[:8])
        events, started = 0, time.perf_counter()
        while events == 0 or time.perf_counter() - started < seconds:
            provider.evaluate(momenta)
            events += len(momenta)
        pipe.send(1e6 * (time.perf_counter() - started) / events)


class Workers:
    """One process per core."""

    def __init__(self, cores: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipes = []
        for _ in range(cores):
            ours, theirs = context.Pipe()
            context.Process(target=worker, args=(theirs,), daemon=True).start()
            self.pipes.append(ours)

    def stop(self) -> None:
        for pipe in self.pipes:
            pipe.send(None)

    def measure(self, cores: int, *task: object) -> float:
        for pipe in self.pipes[:cores]:
            pipe.send(task)
        return statistics.mean(pipe.recv() for pipe in self.pipes[:cores])


def cell(values: list[float]) -> str:
    return f"{statistics.median(values):10.3f}" if values else f"{'-':>10}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", default="1,16,256,4096,65536")
    parser.add_argument("--seconds", type=float, default=0.3)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--longest", type=float, default=20.0, help="seconds")
    parser.add_argument("--native-only", action="store_true")
    parser.add_argument("process", nargs="*")
    given = parser.parse_args()
    workers = Workers(2)
    machine = hardware(torch.device("cpu"))
    print(f"{machine['device']}, {machine['cores']} cores, {instruction_set()}; us per event and core")
    print(f"{'process':22}{'batch':>7}  {'':6}{'native':>10}{'2 threads':>10}{'pyamplicol':>11}{'ratio':>8}")
    for process in given.process or PROCESSES:
        theirs_per_event = math.inf
        if not given.native_only:
            make_provider("pyamplicol", parse_process(process)).identity()  # generates once
            theirs_per_event = 1e-6 * workers.measure(1, "pyamplicol", process, 16, 0.0, 1)
        for batch in map(int, given.batches.split(",")):
            for cores in (1, 2):
                ours: list[float] = []
                threaded: list[float] = []
                theirs: list[float] = []
                for _ in range(given.repeats):
                    ours.append(workers.measure(cores, "native", process, batch, given.seconds, 1))
                    if cores == 2:
                        threaded.append(2 * workers.measure(1, "native", process, batch, given.seconds, 2))
                    if theirs_per_event * batch < given.longest:
                        theirs.append(workers.measure(cores, "pyamplicol", process, batch, given.seconds, 1))
                ratios = [b / a for a, b in zip(ours, theirs, strict=False)]
                shown = f"{process:22}{batch:7}  {cores} core{'s' if cores > 1 else ' '}"
                ratio = f"{statistics.median(ratios):8.1f}" if ratios else f"{'-':>8}"
                print(f"{shown}{cell(ours)}{cell(threaded)} {cell(theirs)}{ratio}", flush=True)
    workers.stop()


if __name__ == "__main__":
    main()
