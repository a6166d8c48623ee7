"""`ampcli eval`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import typer

from ampcli.cli import names
from ampcli.cli.command import RegistryOption, Result, command, progress_bar, save_configuration
from ampcli.cli.executor import one_job
from ampcli.cli.over_channels import Values, arguments_at, over_channels, store_of_arguments
from ampcli.cli.report_option import ReportOption
from ampcli.objects import place


def add(app: typer.Typer) -> None:
    command(app, "eval", "ampcli eval ee-4jets ee4.zarr --out plots/ee-4jets", jobs=one_job())(evaluate)


def _whole(values: Values, done: Mapping[str, Result]) -> Result:
    """A line for each model or set, over the cross section of the sample."""
    from ampcli.channels.sample import open_sample
    from ampcli.channels.totals import totals
    from ampcli.evaluation.whole import Part, whole_evaluation
    from ampcli.registry.naming import expand_ranges

    plan, stores = open_sample(store_of_arguments(values))
    sample = totals(plan, [store.attributes for store in stores])
    sections = {channel.name: channel.cross_section for channel in sample.channels}
    *models, _ = values["arguments"]
    models = expand_ranges(models)
    wholes = {
        model: whole_evaluation(
            [Part(sections[name], each.found[number]) for name, each in done.items()], sample.cross_section
        )
        for number, model in enumerate(models)
    }
    document = {"whole": {model: each.model_dump(mode="json") for model, each in wholes.items()}}
    return Result(document, "\n".join(f"whole sample, {model}: {each.text}" for model, each in wholes.items()))


@over_channels(store_of_arguments, arguments_at, whole=_whole)
def evaluate(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL... STORE",
            help="name, name@3, name@1-3 or name@alias; a store (sample) with exact amplitudes.",
            autocompletion=names.models,
        ),
    ],
    split: Annotated[
        Literal["train", "validation", "test", "all"], typer.Option(help="Which points of the store.")
    ] = "test",
    out: Annotated[
        Path | None, typer.Option(help="Folder for evaluation.json and the plots.", show_default="no files")
    ] = None,
    report: ReportOption = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int | None, typer.Option(help="CPU threads.", show_default="all cores")] = None,
    registry: RegistryOption = None,
) -> Result:
    """Measure how well a model reproduces exact amplitudes: per point, per region, and in the cross section."""
    from ampcli.amplitudes.providers import note_on
    from ampcli.device import set_threads
    from ampcli.errors import UsageError
    from ampcli.evaluation.comparison import compare
    from ampcli.evaluation.report import notes, summary_table, table
    from ampcli.extras import require
    from ampcli.inference.load import load_predictor
    from ampcli.registry.naming import expand_ranges
    from ampcli.store.reader import open_store

    *models, store = arguments
    if not models:
        raise UsageError("no model given", "Name one or more before the store: ampcli eval ee-4jets ee4.zarr")
    if out is not None:
        require("plots")
    set_threads(threads)
    predictors = [load_predictor(model, registry, device) for model in expand_ranges(models)]
    opened = open_store(place(store))
    with progress_bar("points", len(opened.split_rows(split)) * len(predictors)) as advance:
        found = compare(predictors, opened, split, advance)
    comparisons = {p.manifest.reference: each for p, each in zip(predictors, found, strict=True)}
    note = note_on(opened.plan.provider, opened.process)
    common = {"store": store, "dataset_digest": opened.digest, "split": split, **({"note": note} if note else {})}
    evaluations = {name: comparison.evaluation for name, comparison in comparisons.items()}
    if len(evaluations) == 1:
        [(reference, evaluation)] = evaluations.items()
        document = {"model": reference, **common, **evaluation.model_dump(mode="json"), "notes": notes(evaluation)}
        text = f"{reference} on {store} ({split})\n\n{table(evaluation)}"
    else:
        models_found = {name: e.model_dump(mode="json") for name, e in evaluations.items()}
        document = {**common, "models": models_found, "notes": notes(next(iter(evaluations.values())))}
        text = f"{store} ({split})\n\n{summary_table(evaluations)}"
    text += f"\n\n{note}" if note else ""
    results = tuple(evaluations[p.manifest.reference] for p in predictors)
    if out is None and report is None:
        return Result(document, text, found=results)

    def write() -> str:
        from ampcli.cli.report_option import lineage
        from ampcli.evaluation.about import about_split
        from ampcli.plots.evaluation import comparison_plots, write_comparisons

        about = about_split(opened, split, results[0].points)
        plots, lines = comparison_plots(comparisons, about), [""]
        if out is not None:
            lines.append(f"{len(write_comparisons(document, plots, out))} files in {out}")
            save_configuration(out, "eval")
        if report is not None:
            from ampcli.reports.evaluation import evaluation_page
            from ampcli.reports.page import write_page

            models = {p.manifest.reference: p.manifest for p in predictors}.values()
            sources = lineage("eval", predictors[0].device, models, registry, opened)
            write_page(evaluation_page(evaluations, about, plots, sources), report)
            lines.append(f"report in {report}")
        return "\n".join(lines)

    return Result(document, text, write, results)
