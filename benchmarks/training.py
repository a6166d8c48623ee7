"""Speed of a training on CPU: against a textbook loop, and against the matrix products that it cannot do without.

    python benchmarks/training.py [--inputs 28] [--rows 32768] [--repeats 9] [--threads 1] [--json FILE]

Three networks with a heteroscedastic loss train for an epoch each, in turn, `repeats` times, so that a drift of the
machine's speed hits all of them; medians, and medians of ratios within a turn:

- surrogate (Amplitude Surrogates, Table 2), batches of 256: Adam; the textbook loop; the products.
- residual (160 x 7), batches of 1024: SOAP and Adam; the textbook loop of plain layers of that width; the products.

The textbook loop: a DataLoader over a TensorDataset, nn.Sequential, torch.optim.AdamW, the loss in torch operations.
The products: in float32, of the same shapes, by torch: forward, and backward to weights and to inputs (not those of the
first layer), written to memory that is there already.  Validation and checkpoints are not part of either.  Seconds are
those of the process on one thread, so that others on the machine count little, and those of the clock on several.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from ampcli.models.ansatz import Batch
from ampcli.models.factorised import FactorisedAnsatz
from ampcli.models.mlp import Mlp
from ampcli.models.options import LikelihoodOptions
from ampcli.models.presets import PRESETS
from ampcli.models.scaling import Standardiser
from ampcli.records.training import Recipe
from ampcli.training.loop import Trainer
from ampcli.training.table import Table

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Case:
    """A network and how it is trained."""

    preset: str
    batch: int
    optimisers: tuple[str, ...]
    residual: bool = False

    def widths(self, inputs: int) -> tuple[int, ...]:
        return (inputs, *PRESETS[self.preset], 2)


CASES = (Case("surrogate", 256, ("adam",)), Case("residual", 1024, ("adam", "soap"), residual=True))


def rows(inputs: int, count: int) -> Batch:
    """Points with a smooth target and a little noise."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn((count, inputs), generator=generator)
    target = torch.sin(x @ torch.randn(inputs, generator=generator) / inputs**0.5)
    return Batch(x, x.new_empty((count, 0)), target + 0.01 * torch.randn(count, generator=generator))


def ours(case: Case, optimiser: str, data: Batch) -> Callable[[], object]:
    """An epoch of ampcli's training."""
    inputs, count = data.inputs.shape[1], len(data.target)
    network = Mlp(case.widths(inputs), "gelu", case.residual)
    recipe = Recipe(
        kind="factorised",
        options=LikelihoodOptions(),
        hidden=PRESETS[case.preset],
        seeds=(1,),
        dataset_digest="none",
        optimiser=optimiser,
        batch_size=case.batch,
        weight_decay=0.01,
        residual=case.residual,
        activation="gelu",
    )
    ansatz = FactorisedAnsatz(Standardiser.unfitted(inputs), Standardiser.unfitted(), beta=0.0, radiations=1)
    trainer = Trainer(recipe, network, ansatz, CPU, network.initialise([1]))
    table = Table(data)

    def epoch() -> None:
        trainer.state.step = 0
        trainer.train_epoch(table)
        trainer.state.epoch += 1

    assert count >= case.batch
    return epoch


def likelihood(outputs: Tensor, target: Tensor) -> Tensor:
    log_sigma = outputs[:, 1].clamp(-12.0, 4.0)
    return (0.5 * (target - outputs[:, 0]).square() * torch.exp(-2 * log_sigma) + log_sigma).mean()


def textbook(case: Case, data: Batch) -> Callable[[], object]:
    """An epoch of the loop that tutorials of torch have."""
    widths = case.widths(data.inputs.shape[1])
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(widths):
        layers += [nn.Linear(before, after), nn.GELU()]
    network = nn.Sequential(*layers[:-1])
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.01)
    loader = DataLoader(TensorDataset(data.inputs, data.target), batch_size=case.batch, shuffle=True, drop_last=True)

    def epoch() -> None:
        for inputs, target in loader:
            loss = likelihood(network(inputs), target)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    return epoch


def products(case: Case, data: Batch) -> Callable[[], object]:
    """The products of an epoch."""
    widths = case.widths(data.inputs.shape[1])
    layers = []
    for number, (before, after) in enumerate(itertools.pairwise(widths)):
        x, w, slope = (torch.randn(shape) for shape in ((case.batch, before), (before, after), (case.batch, after)))
        layers.append((number, x, w, slope, torch.empty_like(x), torch.empty_like(w), torch.empty_like(slope)))

    def epoch() -> None:
        for _ in range(len(data.target) // case.batch):
            for _, x, w, _, _, _, y in layers:
                torch.mm(x, w, out=y)
            for number, x, w, slope, to_x, to_w, _ in reversed(layers):
                torch.mm(x.T, slope, out=to_w)
                if number > 0:
                    torch.mm(slope, w.T, out=to_x)

    return epoch


def measured(case: Case, data: Batch, repeats: int, clock: Callable[[], float]) -> dict[str, list[float]]:
    """Seconds per row of each, turn by turn."""
    epochs = {name: ours(case, name, data) for name in case.optimisers}
    epochs |= {"textbook": textbook(case, data), "products": products(case, data)}
    count = len(data.target) // case.batch * case.batch
    found: dict[str, list[float]] = {name: [] for name in epochs}
    for turn in range(repeats + 1):
        for name, epoch in epochs.items():
            started = clock()
            epoch()
            if turn > 0:  # the first one warms up
                found[name].append((clock() - started) / count)
    return found


def ratio(of: list[float], to: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(of, to, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=28)
    parser.add_argument("--rows", type=int, default=32768)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    clock = time.process_time if given.threads == 1 else time.perf_counter
    data = rows(given.inputs, given.rows)
    report = []
    for case in CASES:
        found = measured(case, data, given.repeats, clock)
        print(f"{case.preset}, batches of {case.batch}, {given.inputs} inputs, {given.threads} thread(s)")
        print(f"{'':12}{'rows/s':>12}{'us/row':>10}{'x textbook':>12}{'of products':>13}{'x adam':>8}")
        for name, seconds in found.items():
            line = {
                "preset": case.preset,
                "batch": case.batch,
                "inputs": given.inputs,
                "threads": given.threads,
                "name": name,
                "rows_per_second": 1 / statistics.median(seconds),
                "us_per_row": 1e6 * statistics.median(seconds),
                "speed_over_textbook": ratio(found["textbook"], seconds),
                "of_products_limit": ratio(found["products"], seconds),
                "cost_over_adam": ratio(seconds, found["adam"]),
            }
            report.append(line)
            print(
                f"{name:12}{line['rows_per_second']:12.0f}{line['us_per_row']:10.2f}"
                f"{line['speed_over_textbook']:12.2f}{line['of_products_limit']:13.1%}{line['cost_over_adam']:8.2f}"
            )
    if given.json:
        given.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
