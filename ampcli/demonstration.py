"""`ampcli demo`: the chain of commands that a newcomer would type, and a table of what came out."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ampcli.device import choose_device, usable_cores
from ampcli.errors import AmpcliError, UsageError
from ampcli.evaluation.model import evaluate_model
from ampcli.evaluation.report import with_error
from ampcli.inference.predictor import load_predictor
from ampcli.plots.errors import plot_errors
from ampcli.store.reader import open_store

_REPLICAS = 3
_COLUMNS = ("model", "jets", "test points", "median |Delta|", "mean |Delta|", "> 1 %", "> 5 %", "cross section")

# Sizes that take about five minutes on two cores.
_JETS: dict[int, dict[str, Any]] = {
    3: {"process": "e- e+ > d d~ g", "points": 60_000, "hidden": "64,64,64", "epochs": 80, "batch": 256},
    4: {"process": "e- e+ > d d~ g g", "points": 240_000, "hidden": "64,128,128,64", "epochs": 45, "batch": 256},
}
_PLUS: dict[str, Any] = {"hidden": "96,96,96,96,96", "epochs": 12}  # of fame+; the rest are its defaults


def run_demo(folder: Path, scale: float) -> tuple[dict[str, Any], str]:
    """Run the demonstration in a new folder; returns the document and the table.

    Raises:
        UsageError: the folder holds something.
        AmpcliError: one of the commands failed.
    """
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty", "Choose another folder, or remove it.")
    folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "AMPCLI_REGISTRY": str(folder / "registry")}
    workers = str(min(2, usable_cores()))
    started = time.monotonic()
    models: list[dict[str, Any]] = []
    for jets, size in _JETS.items():
        store = folder / f"ee-{jets}jets.zarr"
        points = str(max(int(size["points"] * scale), 2000))
        epochs = str(max(int(size["epochs"] * scale), 2))
        learning = ["--hidden", size["hidden"], "--epochs", epochs, "--batch-size", str(size["batch"])]
        learning += ["--schedule", "cosine", "--orient"]
        _ampcli(environment, "gen", size["process"], store, "--points", points, "--y-cut", "1e-3", "--workers", workers)
        _ampcli(environment, "features", store, "fame", "antenna")
        fame, plain, plus = (f"ee-{jets}jets-{kind}" for kind in ("fame", "plain", "plus"))
        _ampcli(environment, "train", store, "--model", "plain", "--name", plain, *learning)
        _ampcli(environment, "train", store, "--model", "fame", "--name", fame, "--replicas", _REPLICAS, *learning)
        members = [f"{fame}@{version}" for version in range(1, _REPLICAS + 1)]
        _ampcli(environment, "ensemble", f"{fame}-mean", *members, "--data", store)
        better = ["--hidden", _PLUS["hidden"], "--epochs", str(max(int(_PLUS["epochs"] * scale), 2))]
        _ampcli(environment, "train", store, "--model", "fame+", "--name", plus, *better)
        names = (plain, f"{fame}@1", f"{fame}-mean", plus)
        for name in names:
            out = folder / "plots" / name.replace("@", "-")
            _ampcli(environment, "eval", name, store, "--out", out, "-q")
            models.append({"jets": jets, **json.loads((out / "evaluation.json").read_text())})
        _compare(folder, store, names, jets)
        out = folder / "plots" / f"trajectories-{jets}jets"
        _ampcli(environment, "trajectory", plain, f"{fame}-mean", plus, "--count", "20", "--out", out, "-q")
    _ampcli(environment, "registry", "verify")
    seconds = time.monotonic() - started
    text = f"\n{_table(models)}\n\n{seconds:.0f} s in all; stores, models and plots are in {folder}/"
    return {"seconds": seconds, "models": models}, text


def _ampcli(environment: dict[str, str], *words: object) -> None:
    """Show and run one command; its summary goes to stderr, so that `--json` keeps stdout for the document."""
    arguments = [str(word) for word in words]
    sys.stderr.write(f"$ ampcli {shlex.join(arguments)}\n")
    sys.stderr.flush()
    done = subprocess.run([sys.executable, "-m", "ampcli", *arguments], env=environment, stdout=sys.stderr, check=False)
    if done.returncode != 0:
        raise AmpcliError(f"`ampcli {shlex.join(arguments)}` failed with exit code {done.returncode}")


def _compare(folder: Path, store: Path, names: tuple[str, ...], jets: int) -> None:
    """The error distributions of several models in one plot."""
    opened = open_store(store)
    device = str(choose_device("auto"))
    deltas = {
        name: evaluate_model(load_predictor(name, folder / "registry", device), opened, "test").delta for name in names
    }
    plot_errors(deltas, folder / "plots", f"errors-{jets}jets")


def _table(models: list[dict[str, Any]]) -> str:
    rows: list[tuple[str, ...]] = [_COLUMNS]
    for m in models:
        overall, sigma = m["overall"], m["cross_section"]
        rows.append(
            (
                m["model"],
                str(m["jets"]),
                str(m["points"]),
                with_error(overall["median_abs_delta"], overall["median_abs_delta_error"], 100) + " %",
                with_error(overall["mean_abs_delta"], overall["mean_abs_delta_error"], 100) + " %",
                f"{100 * overall['outside']['1%']['value']:.2f} %",
                f"{100 * overall['outside']['5%']['value']:.2f} %",
                with_error(sigma["relative_difference"], sigma["relative_difference_error"], 100) + " %",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)
