"""Networks of many sizes: error against time per event, and the speed-up over exact amplitudes that each gives.

    python benchmarks/sizes.py FOLDER [NETWORK ...] [--epochs 20] [--points 400k] [--json FILE]

From scratch by the commands of ampcli: events to train on and others to judge by, features, a training of each network
(one thread, equal epochs, the recipe of recipes/z-jets-ddx.toml).  What lies in FOLDER already is not made again.
A NETWORK is WIDTHxDEPTH or a preset of `ampcli train`, then what differs from a residual network with GELU:
160x7, 64x5-tanh, 64x5-plain, surrogate-plain.

Columns: weights; mean |Delta| and the shares of the errors within 1 and 3 predicted sigma, on events of another seed;
microseconds per event of the compiled pass, all networks in turn, medians, with products in single precision and,
where there is a matrix unit (AMX), split bfloat16 (features and reduced amplitude, also printed, are part of it);
events that the mixture certified at --tolerance decides, how many times faster than the native amplitude it should be
by these times (momenta not checked), and how many times faster it was as `ampcli speedup` ran it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from inference import in_turn

from ampcli.amplitudes.native.provider import Native
from ampcli.evaluation.report import with_error
from ampcli.inference.compiled.engine import Member, bundle_of, ways
from ampcli.inference.load import load_predictor
from ampcli.instructions import instruction_set
from ampcli.kinematics import with_beams
from ampcli.models.presets import PRESETS
from ampcli.store.reader import open_store
from ampcli.text_table import aligned

NETWORKS = (
    *("32x5", "64x3", "64x5", "64x7", "96x3", "96x5", "128x3", "128x5", "160x3", "160x5", "160x7"),
    *("surrogate-plain", "64x5-plain", "64x5-tanh"),
)
_BATCH = 8192
_HEADER = ["network", "weights", "mean |Delta|", "in 1 sigma", "in 3", *ways(), "decided", "by parts", "executed"]


def ampcli(*arguments: object) -> dict[str, Any]:
    """What a command says as JSON."""
    words = [sys.executable, "-m", "ampcli", *map(str, arguments), "--json", "--quiet"]
    done = subprocess.run(words, check=True, stdout=subprocess.PIPE, env=os.environ | {"OMP_NUM_THREADS": "1"})
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def store(file: Path, process: str, points: str, seed: int, block: str) -> Path:
    """Unweighted events with features."""
    if not file.exists():
        ampcli(
            *("gen", process, file, "--beams", "lhc13", "--unweighted", "--points", points),
            *("--seed", seed, "--overweight", 0.0003),
        )
        ampcli("features", file, block)
    return file


def options_of(network: str) -> list[str]:
    """Flags of `ampcli train` for the name of a network."""
    layers, *others = network.split("-")
    if layers in PRESETS:
        flags = ["--preset", layers]
    else:
        width, depth = layers.split("x")
        flags = ["--hidden", ",".join([width] * int(depth))]
    for other in others:
        flags += ["--no-residual"] if other == "plain" else ["--activation", other]
    return flags


def times(networks: list[str], registry: Path, events: Path, repeats: int) -> dict[str, dict[str, float]]:
    """Microseconds per event of each network by each way, of the features alone, and of the exact amplitude."""
    final = torch.from_numpy(open_store(events).read("momenta", slice(_BATCH))).contiguous()
    calls: dict[str, Callable[[], object]] = {}
    for name in networks:
        predictor = load_predictor(name, registry, "cpu")
        [network] = predictor.networks
        content = bundle_of(network.network, network.ansatz, network.block)
        assert content is not None
        for way in ways():
            member = Member({**content, "parameters": network.parameters.numpy()}, way)
            calls[f"{name} {way}"] = lambda member=member: member.predict(final)  # type: ignore[misc]
            calls["features features"] = lambda member=member: member.inputs(final)  # type: ignore[misc]
    exact, momenta = Native(predictor.process), with_beams(final.numpy())
    calls["exact exact"] = lambda: exact.evaluate(momenta)
    found: dict[str, dict[str, float]] = {}
    for key, turns in in_turn(calls, _BATCH, repeats).items():
        name, way = key.split()
        found.setdefault(name, {})[way] = statistics.median(turns)
    return found


def weights(name: str, registry: Path) -> int:
    """Parameters of a network."""
    return len(load_predictor(name, registry, "cpu").networks[0].parameters)


def accuracy(name: str, registry: Path, unseen: Path) -> dict[str, Any]:
    """Metrics and coverage on all events of a store."""
    found = ampcli("eval", name, unseen, "--split", "all", "--registry", registry, "--threads", 1)
    return {"overall": found["overall"], "coverage": found["calibration"]["coverage"]}


def speedup(name: str, registry: Path, certified: Path, tolerance: str) -> dict[str, Any]:
    """The certified mixture on the test split of a store."""
    found = ampcli(
        *("speedup", name, certified, "--registry", registry, "--provider", "native", "--tolerance", tolerance)
    )
    return next(s for s in found["strategies"] if s["name"] == found["best"])


def once(file: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What a file says, or what is made and written to it."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(make()))
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def row(found: dict[str, Any]) -> list[str]:
    """Cells of a network."""
    overall, coverage = found["overall"], found["coverage"]
    return [
        found["network"],
        str(found["weights"]),
        f"{with_error(overall['mean_abs_delta'], overall['mean_abs_delta_error'], 1000)}e-3",
        *(f"{100 * coverage[sigmas]['observed']['value']:.1f} %" for sigmas in "13"),
        *(f"{found['us'][way]:.2f}" for way in ways()),
        f"{100 * found['decided']:.1f} %",
        f"{found['by_parts']:.2f}",
        f"{found['executed']:.2f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("networks", nargs="*", default=NETWORKS, metavar="NETWORK")
    parser.add_argument("--process", default="d d~ > z g g g g")
    parser.add_argument("--model", default="fg1+")
    parser.add_argument("--points", default="400k")
    parser.add_argument("--unseen", default="100k")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--tolerance", default="0.03:1e-3")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.folder.mkdir(parents=True, exist_ok=True)
    registry = given.folder / "registry"
    train = store(given.folder / "S.zarr", given.process, given.points, 96, given.model)
    unseen = store(given.folder / "T.zarr", given.process, given.unseen, 97, given.model)
    for name in given.networks:
        if not (registry / name).exists():
            ampcli(
                *("train", train, "--name", name, "--model", given.model, "--perturb", 0.15, "--threads", 1),
                *("--epochs", given.epochs, "--registry", registry, *options_of(name)),
            )
    us = times(given.networks, registry, unseen, given.repeats)
    rows = []
    for name in given.networks:
        measured = once(given.folder / "accuracy" / name, partial(accuracy, name, registry, unseen))
        mixture = once(given.folder / "speedup" / name, partial(speedup, name, registry, train, given.tolerance))
        decided, exact = sum(mixture["outcome"]["used"]), us["exact"]["exact"]
        by_parts = exact / (min(us[name].values()) + (1 - decided) * exact)
        gain = {"decided": decided, "by_parts": by_parts, "executed": mixture["executed"]}
        rows.append({"network": name, "weights": weights(name, registry), "us": us[name], **gain, **measured})
    parts = f"features and reduced amplitude {us['features']['features']:.2f}, exact {us['exact']['exact']:.2f}"
    print(f"one core, {instruction_set()}; {given.epochs} epochs of {given.points} events; us per event: {parts}")
    print("\n".join(aligned([_HEADER, *map(row, rows)], left=1)))
    if given.json:
        given.json.write_text(
            json.dumps({"instructions": instruction_set(), **vars(given), "us": us, "rows": rows}, default=str)
        )


if __name__ == "__main__":
    main()
