"""What an unweighted event costs, seed by seed: points tried and exact amplitudes, directly and in two stages.

    python benchmarks/two_stage.py "d d~ > z g g g" [--events 2000] [--seeds 1 2 3 4 5] [--only-two-stages]

Both ways share the adaptation of a seed.  Prints two lines per seed; times mean little on a busy machine, the counts do
not depend on it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from ampcli.generation.generate import GenerationRequest, prepare
from ampcli.generation.proton_points import ProtonPoints, ProtonSettings
from ampcli.phasespace.hadron_sampler import BLOCK, Adaptation


def cost(process: str, books: Path, events: int, seed: int, two_stage: bool) -> tuple[float, float, float, float]:
    """Points tried and exact amplitudes per event, share of the cross section in excess weights, seconds per event."""
    settings = ProtonSettings("lhc13", unweighted=not two_stage, two_stage=two_stage)
    request = GenerationRequest(process, books, events, settings, seed)
    source = prepare(request).source
    assert isinstance(source, ProtonPoints)
    source.prepare(books)
    start = time.perf_counter()
    points = source.points(0, slice(0, events), books, lambda: None)
    seconds = (time.perf_counter() - start) / events
    assert points.amplitude is not None
    if two_stage and hasattr(source, "attributes"):
        print("     ", source.attributes(books))
    weight = points.weight * points.amplitude
    within = 1.0 if points.exact is None else points.exact / events
    if points.exact is None:  # directly: every tried point within the cuts
        adaptation, rng = Adaptation.load(books / "adaptation.npz"), np.random.default_rng(1)
        passed = sum(len(source.sampler.proposals(rng, adaptation)[0]) for _ in range(4))
        within = points.tried / events * passed / (4 * BLOCK)
    return points.tried / events, within, float((weight - weight.min()).sum() / weight.sum()), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("process")
    parser.add_argument("--events", type=int, default=2000)
    parser.add_argument("--direct", type=int, help="events of the direct way, where they are dear")
    parser.add_argument("--only-two-stages", action="store_true")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("seed  way         points/event  exact/event  excess   preparation [s]  ms/event")
    for seed in arguments.seeds:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "locks").mkdir()
            for two_stage in (True,) if arguments.only_two_stages else (False, True):
                events = arguments.events if two_stage else arguments.direct or arguments.events
                start = time.perf_counter()
                tried, exact, excess, seconds = cost(arguments.process, Path(folder), events, seed, two_stage)
                before = time.perf_counter() - start - seconds * events
                way = "two stages" if two_stage else "direct"
                print(
                    f"{seed:4d}  {way:10s} {tried:13.1f} {exact:12.2f} {excess:8.5f} {before:12.1f}"
                    f" {1e3 * seconds:12.2f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
