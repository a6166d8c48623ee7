"""What an unweighted event costs, seed by seed: points tried and exact amplitudes, directly and in two stages.

    python benchmarks/two_stage.py "d d~ > z g g g" [--events 2000] [--seeds 1 2 3 4 5] [--only-two-stages]
    python benchmarks/two_stage.py "d d~ > z g g g g g" --trained MODEL --report SPEEDUP_JSON --registry FOLDER

All ways share the adaptation of a seed.  `trained`: the first stage is a model of the registry instead of the quick
surrogate, the second one exact as ever.  `mixture`: the quick surrogate, and instead of exact amplitudes those of `gen
--surrogate`, within the report's tolerance.  Seconds are of this process's CPU, per event without the preparation; on a
busy machine they mean less than the counts.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from ampcli.generation.generate import GenerationRequest, prepare
from ampcli.generation.points import Points
from ampcli.generation.proton_points import ADAPTATION, ProtonPoints, ProtonSettings
from ampcli.inference.load import load_predictor
from ampcli.kinematics import FloatArray
from ampcli.phasespace.hadron_sampler import BLOCK, Adaptation
from ampcli.phasespace.two_stage import choose_stages, draw_two_stage
from ampcli.registry.search import find_registry


def source_of(arguments: argparse.Namespace, books: Path, seed: int, two_stage: bool, report: Path | None = None):
    """The points of a seed."""
    settings = ProtonSettings("lhc13", unweighted=not two_stage, two_stage=two_stage)
    request = GenerationRequest(
        arguments.process, books, 1, settings, seed, surrogate=report, registry=arguments.registry
    )
    source = prepare(request).source
    assert isinstance(source, ProtonPoints)
    return source


def by_trained(arguments: argparse.Namespace, source: ProtonPoints, books: Path, seed: int):
    """Prepares two stages with a model of the registry; returns what draws so many events."""
    predictor = load_predictor(arguments.trained, find_registry(arguments.registry), "cpu")

    def surrogate(momenta: FloatArray) -> FloatArray:
        amplitude, _ = predictor.predict_final(np.ascontiguousarray(momenta[:, 2:]))
        return np.maximum(np.nan_to_num(amplitude), np.finfo(float).tiny)

    adaptation, rng = Adaptation.load(books / ADAPTATION), np.random.default_rng(seed)
    share = source.collisions.overweight
    choice = choose_stages(source.sampler, surrogate, rng, adaptation, share, adaptation.w_max)
    assert choice is not None
    print("     ", choice.cost)

    def draw(events: int) -> Points:
        drawn, tried, exact = draw_two_stage(
            source.sampler, surrogate, choice.stages, rng, events, adaptation, lambda: None
        )
        p = drawn.momenta
        return Points(p[:, :2], p[:, 2:], drawn.weight / drawn.amplitude, tried, drawn.amplitude, exact, {"x": drawn.x})

    return draw


def row(way: str, arguments: argparse.Namespace, books: Path, seed: int) -> str:
    """Points tried and exact amplitudes per event, share of the cross section in excess weights, seconds."""
    begun = time.process_time()
    source = source_of(arguments, books, seed, way != "direct", arguments.report if way == "mixture" else None)
    source.prepare(books)

    def draw(events: int) -> Points:
        return source.points(0, slice(0, events), books, lambda: None)

    if way == "trained":
        draw = by_trained(arguments, source, books, seed)
    elif way != "direct":
        print("     ", source.attributes(books))
    events = arguments.direct or arguments.events if way == "direct" else arguments.events
    start = time.process_time()
    points = draw(events)
    seconds = (time.process_time() - start) / events
    assert points.amplitude is not None
    weight = points.weight * points.amplitude
    if points.exact is None:  # directly: every tried point within the cuts
        adaptation, rng = Adaptation.load(books / ADAPTATION), np.random.default_rng(1)
        passed = sum(len(source.sampler.proposals(rng, adaptation)[0]) for _ in range(4))
        exact = points.tried / events * passed / (4 * BLOCK)
    else:
        exact = points.exact / events
    excess = float((weight - weight.min()).sum() / weight.sum())
    return (
        f"{seed:4d}  {way:10s} {points.tried / events:13.1f} {exact:12.2f} {excess:8.5f} {start - begun:12.1f}"
        f" {1e3 * seconds:12.3f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("process")
    parser.add_argument("--events", type=int, default=2000)
    parser.add_argument("--direct", type=int, help="events of the direct way, where they are dear")
    parser.add_argument("--only-two-stages", action="store_true")
    parser.add_argument("--trained", help="a model of the registry")
    parser.add_argument("--report", type=Path, help="speedup.json of `ampcli speedup --out`")
    parser.add_argument("--registry", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    ways = ["two stages"] if arguments.only_two_stages else ["direct", "two stages"]
    ways += ["trained"] if arguments.trained else []
    ways += ["mixture"] if arguments.report else []
    print("seed  way         points/event  exact/event  excess   preparation [s]  ms/event")
    for seed in arguments.seeds:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "locks").mkdir()
            for way in ways:
                print(row(way, arguments, Path(folder), seed), flush=True)


if __name__ == "__main__":
    main()
