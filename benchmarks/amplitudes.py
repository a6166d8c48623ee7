"""Microseconds per event and core: native amplitudes beside pyamplicol in the best of its modes, in one run.

    python benchmarks/amplitudes.py [--batches 1,64,1024,8192,65536] [--seconds 0.3] [--repeats 3] [--modes ...]
                                    [PROCESS ...]

Worker processes (one per core, one thread each) evaluate batches of points that are already in memory, checks of the
momenta included; the two providers alternate, so that a drift of the machine's speed hits both, and medians over the
repeats are printed.  "2 cores": two processes at once; "2 threads": one native process with two threads.  A provider
whose single call would take longer than --longest seconds is left out ("-").

All execution modes of pyamplicol (full colour; its exact colour sum by FFT is chosen by itself in "recurrence" and
"on-the-fly" where it supports the process) are measured first, in batches of 1024; the fastest one is compared.  Each
process is generated once in each mode, seconds to minutes, and kept.
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

from ampcli.amplitudes import artifacts
from ampcli.amplitudes.providers import make_provider
from ampcli.amplitudes.pyamplicol import PyAmplicol
from ampcli.instructions import instruction_set
from ampcli.process import Process, parse_process
from ampcli.provenance import hardware

PROCESSES = [
    *("e- e+ > d d~" + " g" * n for n in (1, 2, 3, 4)),
    *("d d~ > z" + " g" * n for n in (1, 2, 3, 4)),
    *("d g > z d" + " g" * n for n in (1, 2, 3)),
    *("g g > z d d~" + " g" * n for n in (0, 1, 2)),
    *("u d > u d" + " g" * n for n in (0, 1, 2)),
    *("u d > z u d" + " g" * n for n in (0, 1, 2)),
    *("u u > z u u" + " g" * n for n in (0, 1)),
    *("u d~ > w+ u u~" + " g" * n for n in (0, 1, 2)),
    *("g g > g g" + " g" * n for n in (0, 1, 2)),
]
POOL = 8192
MODES = ("compiled", "recurrence", "eager", "on-the-fly")
MODE_BATCH = 1024


def opened(name: str, process: Process) -> Any:
    """The provider of a name such as "native" or "pyamplicol recurrence"."""
    name, _, mode = name.partition(" ")
    if not mode:
        return make_provider(name, process)
    usual = artifacts.OPTIONS
    artifacts.OPTIONS = {**usual, "execution-mode": mode}
    try:
        provider = PyAmplicol(process)
        provider.identity()  # generates where that was not done before
    finally:
        artifacts.OPTIONS = usual
    return provider


def worker(pipe: Connection) -> None:
    """Answers (provider, process, batch, seconds, threads) with microseconds per event."""
    providers: dict[tuple[str, str], Any] = {}
    pools: dict[str, Any] = {}
    while (task := pipe.recv()) is not None:
        name, process, batch, seconds, threads = task
        parsed = parse_process(process)
        if process not in pools:
            pools[process] = sample(parsed, POOL, seed=1)
        if (name, process) not in providers:
            providers[name, process] = opened(name, parsed)
        provider = providers[name, process]
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


def fastest(workers: Workers, process: str, modes: list[str], seconds: float, repeats: int) -> str:
    """Measures and prints the modes of pyamplicol beside the native amplitudes; the name of the fastest."""
    names = ["native", *(f"pyamplicol {mode}" for mode in modes)]
    for name in names[1:]:
        opened(name, parse_process(process))  # generates once
    runs = [[workers.measure(1, name, process, MODE_BATCH, seconds, 1) for name in names] for _ in range(repeats)]
    medians = [statistics.median(column) for column in zip(*runs, strict=True)]
    ratios = [statistics.median(row[i] / row[0] for row in runs) for i in range(len(names))]
    shown = [f"{mode} {m:.3g} ({r:.3g})" for mode, m, r in zip(modes, medians[1:], ratios[1:], strict=True)]
    print(
        f"{process:22}{MODE_BATCH:7}  native {medians[0]:.3g}; us and ratio of pyamplicol: {', '.join(shown)}",
        flush=True,
    )
    return min(zip(medians[1:], names[1:], strict=True))[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", default="1,16,256,4096,65536")
    parser.add_argument("--seconds", type=float, default=0.3)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--longest", type=float, default=20.0, help="seconds")
    parser.add_argument("--native-only", action="store_true")
    parser.add_argument("--modes", default=",".join(MODES), help="of pyamplicol")
    parser.add_argument("process", nargs="*")
    given = parser.parse_args()
    workers = Workers(2)
    machine = hardware(torch.device("cpu"))
    print(f"{machine['device']}, {machine['cores']} cores, {instruction_set()}; us per event and core")
    print(f"{'process':22}{'batch':>7}  {'':6}{'native':>10}{'2 threads':>10}{'pyamplicol':>11}{'ratio':>8}")
    for process in given.process or PROCESSES:
        best, theirs_per_event = "", math.inf
        if not given.native_only:
            best = fastest(workers, process, given.modes.split(","), given.seconds, given.repeats)
            theirs_per_event = 1e-6 * workers.measure(1, best, process, 16, 0.0, 1)
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
                        theirs.append(workers.measure(cores, best, process, batch, given.seconds, 1))
                ratios = [b / a for a, b in zip(ours, theirs, strict=False)]
                shown = f"{process:22}{batch:7}  {cores} core{'s' if cores > 1 else ' '}"
                ratio = f"{statistics.median(ratios):8.1f}" if ratios else f"{'-':>8}"
                print(f"{shown}{cell(ours)}{cell(threaded)} {cell(theirs)}{ratio}", flush=True)
    workers.stop()


if __name__ == "__main__":
    main()
