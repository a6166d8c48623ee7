"""``ampcli registry compare``."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ampcli.cli.command import RegistryOption, Result, command, show
from ampcli.cli.effect import only_with
from ampcli.cli.registry.arguments import Models
from ampcli.cli.registry.tables import number, table, wrapped
from ampcli.cli.report_option import ReportOption
from ampcli.errors import BarNotMetError, NotFoundError
from ampcli.extras import require

if TYPE_CHECKING:
    from ampcli.registry.compare import Row
    from ampcli.registry.manifest import Manifest
    from ampcli.registry.search import Registry

_LEAST = (
    "MSE(log)", "68 %", ">5%", ">0.1%", "events >1%", "events median", "seconds", "median", "events mean", "points",
    ">1%", "kind",
)  # fmt: skip


def add(app: typer.Typer) -> None:
    command(app, "compare", "ampcli registry compare ee-4jets@1 ee-4jets@2 --store ee4.zarr")(compare_models)


def compare_models(
    models: Models = None,
    require: Annotated[
        list[str] | None,
        typer.Option(metavar="BAR", help="METRIC<=VALUE or METRIC>=VALUE; repeatable. Exit code 3 if missed."),
    ] = None,
    process: Annotated[
        str | None, typer.Option(help="Only models of this process; * and ? stand for anything.", show_default="all")
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(
            help="Compare on the same points of this store; how significant are differences to the first model?",
            show_default="the metrics of the manifests",
        ),
    ] = None,
    split: Annotated[
        Literal["test", "validation", "all"], typer.Option(help="Which points of the store."), only_with("store")
    ] = "test",
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for evaluation.json and the overlay plots.", show_default="no files"),
        only_with("store"),
    ] = None,
    report: Annotated[ReportOption, only_with("store")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda."), only_with("store")] = "auto",
    threads: Annotated[
        int | None, typer.Option(help="CPU threads.", show_default="all cores"), only_with("store")
    ] = None,
    registry: RegistryOption = None,
) -> Result:
    """Compare models side by side: of sets their members (by default the newest version of every model)."""
    from ampcli.registry.compare import compare, parse_requirement
    from ampcli.registry.naming import expand_ranges
    from ampcli.registry.search import find_registry
    from ampcli.registry.summary import matches

    bars = [parse_requirement(text) for text in require or []]
    found = find_registry(registry)
    manifests = [each for each in _manifests(found, expand_ranges(models or [])) if matches(each.process, process)]
    if not manifests:  # no model meets a bar, either
        raise NotFoundError(f"there are no models to compare in {found}")
    missed = [why for bar in bars for manifest in manifests if (why := bar.missed_by(manifest)) is not None]
    if store is None:
        rows = compare(manifests)
        result = Result({"models": [row.document for row in rows]}, _side_by_side(rows))
    else:
        result = _on_store(found, manifests, store, split, out, report, device, threads)
    result.document["missed"] = missed
    if missed:
        show(result)
        raise BarNotMetError("; ".join(missed))
    return result


def _manifests(registry: Registry, models: list[str]) -> list[Manifest]:
    from ampcli.registry.manifest import Manifest
    from ampcli.registry.search import newest
    from ampcli.registry.sets import manifests_of, read_entry

    if models:
        return [each for model in models for each in manifests_of(registry, model)]
    entries = [read_entry(folder) for folder in newest(registry.own)]
    return [entry for entry in entries if isinstance(entry, Manifest)]


def _side_by_side(rows: list[Row]) -> str:
    """A table for each process."""
    from ampcli.registry.words import LEGEND, metric_name, metric_text

    parts = []
    for process, group in itertools.groupby(sorted(rows, key=lambda row: row.process), key=lambda row: row.process):
        own = list(group)
        metrics = [name for name in own[0].metrics if any(row.metrics[name] is not None for row in own)]
        cells = [["model", "kind", "points", "seconds", *map(metric_name, metrics)]]
        for row in own:
            measured = [metric_text(name, row.metrics[name]) for name in metrics]
            cells.append([row.model, row.trained_as, str(row.training_points), number(row.seconds), *measured])
        parts.append(f"{process}\n{table(cells, [name for name in _LEAST if name in cells[0]])}")
    return "\n\n".join([*parts, wrapped(LEGEND)])


def _on_store(
    registry: Registry,
    manifests: list[Manifest],
    store: Path,
    split: Literal["test", "validation", "all"],
    out: Path | None,
    report: Path | None,
    device: str,
    threads: int | None,
) -> Result:
    from ampcli.device import set_threads
    from ampcli.evaluation.comparison import compare
    from ampcli.evaluation.report import notes, summary_table
    from ampcli.evaluation.significance import pairs
    from ampcli.inference.load import load_predictor
    from ampcli.store.reader import open_store

    if out is not None:
        require("plots")
    set_threads(threads)
    names = [manifest.reference for manifest in manifests]
    opened = open_store(store)
    predictors = [load_predictor(name, registry, device) for name in names]
    comparisons = dict(zip(names, compare(predictors, opened, split), strict=True))
    found = pairs(comparisons)
    evaluations = {name: each.evaluation for name, each in comparisons.items()}
    document: dict[str, Any] = {
        "store": str(store),
        "dataset_digest": opened.digest,
        "split": split,
        "models": {name: each.model_dump(mode="json") for name, each in evaluations.items()},
        "pairs": [each.document for each in found],
        "notes": notes(next(iter(evaluations.values()))),
    }
    text = "\n".join([f"{store} ({split})", "", summary_table(evaluations), "", *(each.text for each in found)])
    if out is None and report is None:
        return Result(document, text)

    def write() -> str:
        from ampcli.cli.report_option import lineage
        from ampcli.evaluation.about import about_split
        from ampcli.plots.evaluation import overlay_plots, write_comparisons

        about = about_split(opened, split, next(iter(evaluations.values())).points)
        plots, lines = overlay_plots(comparisons, about), [""]
        if out is not None:
            lines.append(f"{len(write_comparisons(document, plots, out))} files in {out}")
        if report is not None:
            from ampcli.reports.evaluation import evaluation_page
            from ampcli.reports.page import write_page

            sources = lineage("registry compare", predictors[0].device, manifests, registry, opened)
            write_page(evaluation_page(evaluations, about, plots, sources, [each.text for each in found]), report)
            lines.append(f"report in {report}")
        return "\n".join(lines)

    return Result(document, text, write)
