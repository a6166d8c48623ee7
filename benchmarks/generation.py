"""How much of the provider's own throughput `ampcli gen` keeps, and its peak memory.

    python benchmarks/generation.py [--points 1000000] [--workers 2] [--repeats 3] [--process "e- e+ > d d~ g g"]
        [--provider native]

The provider alone: as many processes as workers evaluate accepted points, already in memory, at the same time;
start-up is not counted.  `ampcli gen`: the real command; its start-up (a run of the smallest store) is shown apart.
The two alternate, so that a drift of the machine's speed hits both.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np

from ampcli.amplitudes.providers import make_provider
from ampcli.kinematics import with_beams
from ampcli.phasespace.sampler import LeptonSampler
from ampcli.phasespace.selection import Selection
from ampcli.process import parse_process

SQRT_S, Y_CUT = 1000.0, 1e-3
POOL = 65536


def provider_worker(name: str, process: str, points: int, barrier: Barrier) -> None:
    parsed = parse_process(process)
    sampler = LeptonSampler(parsed, Selection(SQRT_S, Y_CUT))
    momenta = with_beams(sampler.draw(np.random.default_rng(1), POOL).momenta, SQRT_S)
    provider = make_provider(name, parsed)
    provider.evaluate(momenta[:1000])
    barrier.wait()
    done = 0
    while done < points:
        start = done % POOL
        batch = momenta[start : start + min(8192, points - done)]
        provider.evaluate(batch)
        done += len(batch)
    barrier.wait()


def provider_seconds(name: str, process: str, points: int, workers: int) -> float:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(workers + 1)
    share = points // workers
    pool = [context.Process(target=provider_worker, args=(name, process, share, barrier)) for _ in range(workers)]
    for worker in pool:
        worker.start()
    barrier.wait()
    started = time.perf_counter()
    barrier.wait()
    elapsed = time.perf_counter() - started
    for worker in pool:
        worker.join()
    return elapsed


def descendants(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            found += [int(child) for child in task.read_text().split()]
    return found


def memory_mib(pid: int) -> float:
    """Proportional set size of a process and its descendants."""
    total = 0
    for process in descendants(pid):
        try:
            rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
        except OSError:
            continue
        total += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return total / 1024


def gen_seconds(name: str, process: str, points: int, workers: int, folder: Path) -> tuple[float, float]:
    """Seconds and peak MiB (all processes together) of one `ampcli gen`."""
    store = folder / f"{points}-{time.time_ns()}.zarr"
    call = [sys.executable, "-m", "ampcli", "gen", process, str(store), "--points", str(points)]
    call += ["--y-cut", str(Y_CUT), "--workers", str(workers), "--provider", name, "-q"]
    peak = 0.0
    started = time.perf_counter()
    command = subprocess.Popen(call)
    ended = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not ended.wait(0.05):
            try:
                peak = max(peak, memory_mib(command.pid))
            except (OSError, StopIteration):  # a process ended while it was read
                continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    if command.wait() != 0:
        raise SystemExit("ampcli gen failed")
    elapsed = time.perf_counter() - started
    ended.set()
    watcher.join()
    return elapsed, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--process", default="e- e+ > d d~ g g")
    parser.add_argument("--provider", default="native", help="or pyamplicol")
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    make_provider(given.provider, parse_process(given.process)).identity()
    alone, whole, startup, peak = [], [], [], 0.0
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(given.repeats):
            alone.append(provider_seconds(given.provider, given.process, given.points, given.workers))
            seconds, memory = gen_seconds(given.provider, given.process, given.points, given.workers, Path(folder))
            whole.append(seconds)
            peak = max(peak, memory)
            startup.append(gen_seconds(given.provider, given.process, 1000, given.workers, Path(folder))[0])
    steady = [w - s for w, s in zip(whole, startup, strict=True)]
    per_point = 1e6 / given.points
    print(f"{given.process}, {given.points} points, y_cut {Y_CUT:g}, {given.workers} workers, {given.repeats} repeats")
    print(f"{'':28}{'median s':>10}{'us/point':>10}{'of provider':>13}")
    for name, values in (("provider alone", alone), ("gen without start-up", steady), ("gen, whole command", whole)):
        ratio = statistics.median(a / v for a, v in zip(alone, values, strict=True))
        print(f"{name:28}{statistics.median(values):10.3f}{statistics.median(values) * per_point:10.3f}{ratio:13.1%}")
    print(f"{'start-up':28}{statistics.median(startup):10.3f}")
    print(f"peak memory of all processes of gen: {peak:.0f} MiB")


if __name__ == "__main__":
    main()
