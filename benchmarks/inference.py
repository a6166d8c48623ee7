"""Speed of trained models on one core: compiled, in torch, and exact amplitudes; what matrix products alone cost.

    python benchmarks/inference.py [MODEL ...] [--registry DIR] [--events 8192] [--repeats 9] [--json FILE]

Everything is timed in turn, `repeats` times, so that a drift of the machine's speed hits all alike; medians and medians
of ratios within a turn.  Microseconds of the process per event (one thread: other work on the machine counts little),
from outgoing momenta to the amplitude and its uncertainty:

- torch: features, reduced amplitude (both compiled), network and ansatz as torch operations;
- single, split: the compiled pass, with products in single precision or, where the processor has a matrix unit (AMX),
  in split bfloat16; "of it": features and reduced amplitude, and the network with its ansatz;
- exact: the native amplitude of the same events, checks of the momenta included;
- products: the network's matrix products alone, in float32 by torch, batches of 2048.

The events are those of the model's probe, repeated.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ampcli.amplitudes.native.provider import Native
from ampcli.inference.compiled.engine import Member, bundle_of, ways
from ampcli.inference.load import load_predictor
from ampcli.inference.network import TrainedNetwork
from ampcli.inference.probe import read_probe
from ampcli.instructions import instruction_set
from ampcli.kinematics import with_beams
from ampcli.models.mlp import Mlp
from ampcli.registry.resolve import resolve
from ampcli.registry.search import find_registry

MODELS = ("ddx-zgggg-fg1", "ddx-zgggg-iq1", "ddx-zgggg-nofa", "dg-zdggg-fg1", "dg-zdggg-fq1", "ee-5jets")


def in_turn(calls: dict[str, Callable[[], object]], events: int, repeats: int) -> dict[str, list[float]]:
    """Microseconds per event of each call, turn by turn."""
    for call in calls.values():
        call()
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            begun = time.process_time()
            call()
            found[name].append((time.process_time() - begun) / events * 1e6)
    return found


def products(network: Mlp, events: int) -> Callable[[], object]:
    """The matrix products of a network, into memory that is there already."""
    rows = min(events, 2048)
    generator = torch.Generator().manual_seed(1)
    layers = [
        (torch.randn((rows, a), generator=generator), torch.randn((a, b), generator=generator), torch.empty((rows, b)))
        for a, b in network.shapes
    ]

    def run() -> None:
        for _ in range(events // rows):
            for x, weight, out in layers:
                torch.mm(x, weight, out=out)

    return run


def calls_of(network: TrainedNetwork, final: Tensor, exact: Native) -> dict[str, Callable[[], object]]:
    """What is timed of a model."""
    momenta = with_beams(final.numpy())
    calls: dict[str, Callable[[], object]] = {
        "torch": lambda: network.predict(network.arrays(final)),
        "exact": lambda: exact.evaluate(momenta),
        "products": products(network.network, len(final)),  # type: ignore[arg-type]
    }
    content = bundle_of(network.network, network.ansatz, network.block)
    if content is not None:
        for way in ways():
            member = Member({**content, "parameters": network.parameters.numpy()}, way)
            calls[way] = lambda member=member: member.predict(final)  # type: ignore[misc]
            calls[f"{way} features"] = lambda member=member: member.inputs(final)  # type: ignore[misc]
    return calls


def measure(name: str, registry: Path | None, events: int, repeats: int) -> dict[str, Any]:
    """A row of the table."""
    predictor = load_predictor(name, registry, device="cpu")
    [network] = predictor.networks
    probe = read_probe(resolve(find_registry(registry), name), predictor.manifest)["momenta"]
    final = probe.repeat(-(-events // len(probe)), 1, 1)[:events].contiguous()
    turns = in_turn(calls_of(network, final, Native(predictor.process)), events, repeats)
    row: dict[str, Any] = {"model": name, "us": {key: statistics.median(values) for key, values in turns.items()}}
    for way in ways():
        if way in turns:
            columns = (way, f"{way} features", "torch", "exact", "products")
            pairs = list(zip(*(turns[name] for name in columns), strict=True))
            row[way] = {
                "times_faster_than_torch": statistics.median(t / w for w, _, t, _, _ in pairs),
                "times_faster_than_exact": statistics.median(e / w for w, _, _, e, _ in pairs),
                "network_over_products": statistics.median((w - f) / p for w, f, _, _, p in pairs),
            }
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=MODELS, metavar="MODEL")
    parser.add_argument("--registry", type=Path)
    parser.add_argument("--events", type=int, default=8192)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows = [measure(name, given.registry, given.events, given.repeats) for name in given.models]
    how = f"{given.events} events, medians of {given.repeats} turns, us of the process per event"
    print(f"one core, {instruction_set()}, {how}")
    for row in rows:
        print(f"{row['model']:18s}", *(f"{key} {us:.2f} " for key, us in row["us"].items()))
        for way in ways():
            if way in row:
                print(f"  {way:6s}", *(f" {key.replace('_', ' ')}: {value:.2f}" for key, value in row[way].items()))
    if given.json:
        given.json.write_text(json.dumps({"instructions": instruction_set(), **vars(given), "rows": rows}, default=str))


if __name__ == "__main__":
    main()
