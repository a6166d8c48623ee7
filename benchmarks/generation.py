"""How fast `ampcli gen` makes events, how it was before, and how much of its time the exact amplitude takes.

    python benchmarks/generation.py [--process "e- e+ > d d~ g g"] [--points 1000000] [--repeats 3]
        [--beams lhc13 [--unweighted | --two-stage]] [--provider native] [--before CHECKOUT] [--json FILE]

One process with one thread.  Every run is a process of its own; `--before` is another checkout of ampcli with its
compiled modules (a git worktree), whose runs alternate with those of this one, so that a drift of the machine's speed
hits both.  Exact amplitudes are those of the process; a surrogate's reduced amplitudes are not among them.
Core seconds do not count what other work on the machine takes.  Getting ready (grid, quick surrogate) comes once for a
store and is shown apart; imports are not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any


class Timed:
    """A provider that counts the seconds and points of its amplitudes."""

    def __init__(self, provider: Any) -> None:
        self.provider, self.seconds, self.points = provider, 0.0, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.provider, name)

    def evaluate(self, momenta: Any) -> Any:
        started = time.perf_counter()
        values = self.provider.evaluate(momenta)
        self.seconds += time.perf_counter() - started
        self.points += len(momenta)
        return values


def run_here(given: argparse.Namespace) -> dict[str, float]:
    """One store by the ampcli that is imported: seconds, those of the amplitude, and counts."""
    import torch

    from ampcli.generation.generate import GenerationRequest, generate, prepare
    from ampcli.generation.lepton_points import LeptonSettings
    from ampcli.generation.proton_points import ProtonSettings
    from ampcli.store import parts

    torch.set_num_threads(1)
    unweighted = given.unweighted or given.two_stage
    settings: Any = ProtonSettings(given.beams, unweighted=unweighted, two_stage=given.two_stage)
    if given.beams is None:
        settings = LeptonSettings()
    with tempfile.TemporaryDirectory() as folder:
        small = GenerationRequest("e- e+ > d d~ g", Path(folder) / "small", 100, LeptonSettings())
        generate(prepare(small))  # what is imported at first use
        store = Path(folder) / "store"
        request = GenerationRequest(given.process, store, given.points, settings, provider=given.provider)
        job = prepare(request)
        amplitude = Timed(job.provider)
        job = replace(job, provider=amplitude, source=replace(job.source, provider=amplitude))
        parts.initialise(store, job.plan)
        started = time.perf_counter()
        job.source.prepare(store / parts.BOOKS)
        ready, before, points = time.perf_counter() - started, amplitude.seconds, amplitude.points
        started, used = time.perf_counter(), time.process_time()
        attributes = generate(job, resume=True)
        seconds, used = time.perf_counter() - started, time.process_time() - used
    assert attributes is not None
    return {
        "ready": ready,
        "seconds": seconds,
        "core_seconds": used,
        "amplitude": amplitude.seconds - before,
        "tried": attributes["tried"],
        "exact": amplitude.points - points,
        "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def run(checkout: Path, arguments: list[str]) -> dict[str, float]:
    """`run_here` in a process of its own, with the ampcli of a checkout."""
    environment = os.environ | {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    call = [sys.executable, str(Path(__file__).absolute()), *arguments, "--once"]
    done = subprocess.run(call, env=environment, cwd=checkout, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{checkout}: {done.stderr}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def summary(runs: list[dict[str, float]], points: int) -> dict[str, float]:
    """Medians, per event and core."""

    def median(value: Any) -> float:
        return statistics.median(value(one) for one in runs)

    return {
        "events_per_second": points / median(lambda one: one["seconds"]),
        "us_per_event": 1e6 * median(lambda one: one["seconds"]) / points,
        "core_us_per_event": 1e6 * median(lambda one: one["core_seconds"]) / points,
        "fraction_in_the_amplitude": median(lambda one: one["amplitude"] / one["seconds"]),
        "points_tried_per_event": median(lambda one: one["tried"]) / points,
        "exact_amplitudes_per_event": median(lambda one: one["exact"]) / points,
        "seconds_to_get_ready": median(lambda one: one["ready"]),
        "us_per_event_of_the_whole": 1e6 * median(lambda one: one["ready"] + one["seconds"]) / points,
        "peak_mib": median(lambda one: one["mib"]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--process", default="e- e+ > d d~ g g")
    parser.add_argument("--beams", help="lhc13, ...; without them e+e- collisions")
    parser.add_argument("--unweighted", action="store_true")
    parser.add_argument("--two-stage", action="store_true")
    parser.add_argument("--provider", default="native", help="or pyamplicol")
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--before", type=Path, help="another checkout of ampcli")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.once:
        print(json.dumps(run_here(given)))
        return
    arguments = ["--process", given.process, "--provider", given.provider, "--points", str(given.points)]
    arguments += ["--beams", given.beams] if given.beams else []
    arguments += [option for option in ("--unweighted", "--two-stage") if getattr(given, option[2:].replace("-", "_"))]
    checkouts = {"now": Path(__file__).absolute().parents[1]}
    checkouts |= {"before": given.before.absolute()} if given.before else {}
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in checkouts}
    for _ in range(given.repeats):
        for name, checkout in checkouts.items():
            runs[name].append(run(checkout, arguments))
    found: dict[str, Any] = {name: summary(each, given.points) for name, each in runs.items()}
    found |= {"arguments": arguments, "repeats": given.repeats}
    print(f"{' '.join(arguments)}: {given.repeats} runs, one core, medians")
    for name in checkouts:
        print(f"{name}:")
        for quantity, value in found[name].items():
            print(f"    {quantity.replace('_', ' '):28}{value:12.4g}")
    if given.before:
        pairs = list(zip(runs["before"], runs["now"], strict=True))
        found["times_faster"] = statistics.median(old["seconds"] / new["seconds"] for old, new in pairs)
        found["times_faster_in_core_seconds"] = statistics.median(
            old["core_seconds"] / new["core_seconds"] for old, new in pairs
        )
        found["times_faster_with_getting_ready"] = statistics.median(
            (old["ready"] + old["seconds"]) / (new["ready"] + new["seconds"]) for old, new in pairs
        )
        print(f"times faster: {found['times_faster']:.2f}", end="")
        print(f", in core seconds: {found['times_faster_in_core_seconds']:.2f}", end="")
        print(f", with getting ready: {found['times_faster_with_getting_ready']:.2f}")
    if given.json:
        given.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
