"""`ampcli demo`: the chain of commands that a newcomer would type, and a table of what came out."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from ampcli.chain import Chain
from ampcli.device import choose_device, usable_cores
from ampcli.evaluation.about import about_split
from ampcli.evaluation.comparison import compare
from ampcli.files import replacing, write_durably
from ampcli.inference.load import load_predictor
from ampcli.plots.errors import plot_errors
from ampcli.plots.style import save
from ampcli.store.reader import open_store
from ampcli.text_table import aligned, with_error

_REPLICAS = 3
_COLUMNS = ("model", "jets", "test points", "median |Delta|", "mean |Delta|", "> 1 %", "> 5 %", "cross section")

# Sizes that take about five minutes on two cores.
_JETS: dict[int, dict[str, Any]] = {
    3: {"process": "e- e+ > d d~ g", "points": 60_000, "hidden": "64,64,64", "epochs": 80, "batch": 256},
    4: {"process": "e- e+ > d d~ g g", "points": 240_000, "hidden": "64,128,128,64", "epochs": 45, "batch": 256},
}
_PLUS: dict[str, Any] = {"hidden": "96,96,96,96,96", "epochs": 12}  # of fame+; the rest are its defaults


def run_demo(folder: Path, scale: float) -> tuple[dict[str, Any], str]:
    """Run the demonstration in a folder, or the rest of it; returns the document and the table, which are kept there.

    Raises:
        UsageError: the folder holds something else, or a demonstration of another scale.
        AmpcliError: one of the commands failed.
    """
    run = Chain.of(
        folder,
        "demo.json",
        {"scale": scale},
        {**os.environ, "AMPCLI_REGISTRY": str(folder / "registry")},
        f"{folder} holds a demonstration with other settings",
    )
    workers = str(min(2, usable_cores()))
    started = time.monotonic()
    models: list[dict[str, Any]] = []
    for jets, size in _JETS.items():
        store = folder / f"ee-{jets}jets.zarr"
        points = str(max(int(size["points"] * scale), 2000))
        epochs = str(max(int(size["epochs"] * scale), 2))
        learning = ["--hidden", size["hidden"], "--epochs", epochs, "--batch-size", str(size["batch"])]
        learning += ["--schedule", "cosine", "--orient"]
        sampling = ["--points", points, "--y-cut", "1e-3", "--workers", workers, "--resume"]
        run("gen", size["process"], store, *sampling)
        run("features", store, "fame", "antenna")
        fame, plain, plus = (f"ee-{jets}jets-{kind}" for kind in ("fame", "plain", "plus"))
        run("train", store, "--model", "plain", "--name", plain, *learning)
        run("train", store, "--model", "fame", "--name", fame, "--replicas", _REPLICAS, *learning)
        members = [f"{fame}@{version}" for version in range(1, _REPLICAS + 1)]
        run("ensemble", f"{fame}-mean", *members, "--data", store)
        better = ["--hidden", _PLUS["hidden"], "--epochs", str(max(int(_PLUS["epochs"] * scale), 2))]
        run("train", store, "--model", "fame+", "--name", plus, *better)
        names = (plain, f"{fame}@1", f"{fame}-mean", plus)
        for name in names:
            out = folder / "plots" / name.replace("@", "-")
            run("eval", name, store, "--out", out, "-q")
            models.append({"jets": jets, **json.loads((out / "evaluation.json").read_text())})
        _compare(folder, store, names, jets)
        out = folder / "plots" / f"trajectories-{jets}jets"
        run("trajectory", plain, f"{fame}-mean", plus, "--count", "20", "--out", out, "-q")
    run("registry", "verify")
    seconds = time.monotonic() - started
    document, table = {"seconds": seconds, "models": models}, _table(models)
    for name, content in (("results.txt", table), ("results.json", json.dumps(document, indent=1))):
        with replacing(folder / name) as fresh:
            write_durably(fresh, f"{content}\n".encode())
    text = (
        f"\n{table}\n\n{seconds:.0f} s in all; stores, models, plots and this table (results.txt) are in {folder}/\n"
        f"Look at {folder}/plots/errors-4jets.png next, and at docs/tutorial.md."
    )
    return document, text


def _compare(folder: Path, store: Path, names: tuple[str, ...], jets: int) -> None:
    """The error distributions of several models in one plot."""
    opened = open_store(store)
    device = str(choose_device("auto"))
    predictors = [load_predictor(name, folder / "registry", device) for name in names]
    found = compare(predictors, opened, "test")
    deltas = {name: comparison.delta for name, comparison in zip(names, found, strict=True)}
    about = about_split(opened, "test", len(found[0].delta))
    save(replace(plot_errors(deltas, f"errors-{jets}jets"), about=about), folder / "plots")


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
    return "\n".join(aligned(rows, left=None))
