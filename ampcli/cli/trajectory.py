"""`ampcli trajectory`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ampcli.cli import names
from ampcli.cli.command import RegistryOption, Result, command, progress_bar, save_configuration
from ampcli.cli.effect import not_with, only_with
from ampcli.cli.report_option import ReportOption


def add(app: typer.Typer) -> None:
    command(app, "trajectory", "ampcli trajectory ee-5jets ee-5jets-plain --count 50 --out plots/trajectories")(
        trajectory
    )


def trajectory(
    models: Annotated[
        list[str],
        typer.Argument(
            help="Models of one e+e- process: name, name@3, name@1-3 or name@alias.", autocompletion=names.models
        ),
    ],
    count: Annotated[int, typer.Option(min=1, max=1_000_000, help="Trajectories.")] = 50,
    points: Annotated[int, typer.Option(min=2, max=1_000_000, help="Points on each.")] = 400,
    seed: Annotated[int, typer.Option(min=0, help="Seed of their ends."), not_with("seeds")] = 1,
    seeds: Annotated[
        str | None,
        typer.Option(help="Several: 1-12 (or 12), with the spread over them.", show_default="one seed"),
    ] = None,
    y_cut: Annotated[
        float | None, typer.Option(help="Cut on s_ij / s for the regions.", show_default="each model's own")
    ] = None,
    show: Annotated[
        int | None,
        typer.Option(min=0, help="The trajectory to draw, from 0.", show_default="the one of the largest span"),
        only_with("out", "report"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for trajectories.json, trajectories.npz and the plots.", show_default="no files"),
    ] = None,
    report: ReportOption = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int | None, typer.Option(help="CPU threads.", show_default="all cores")] = None,
    registry: RegistryOption = None,
) -> Result:
    """Follow models along random trajectories through phase space, into regions that they were not trained on."""
    from ampcli.device import set_threads
    from ampcli.errors import UsageError
    from ampcli.evaluation.trajectories import TrajectoryResult, follow
    from ampcli.evaluation.trajectory_seeds import SeedsResult, follow_seeds, parse_seeds
    from ampcli.evaluation.trajectory_table import seeds_table, trajectory_table
    from ampcli.extras import require
    from ampcli.inference.load import load_predictor
    from ampcli.registry.naming import expand_ranges

    if show is not None and show >= count:
        raise UsageError(f"--show {show}: there are {count} trajectories, counted from 0")
    if out is not None:
        require("plots")
    set_threads(threads)
    predictors = [load_predictor(model, registry, device) for model in expand_ranges(models)]
    result: TrajectoryResult | SeedsResult
    every = None if seeds is None else parse_seeds(seeds)
    with progress_bar("points", count * points * len(predictors) * (1 if every is None else len(every))) as advance:
        if every is None:
            followed, one_seed = follow(predictors, count, points, seed, y_cut, advance)
            result, text = one_seed, trajectory_table(one_seed)
        else:
            followed, over_seeds = follow_seeds(predictors, count, points, every, y_cut, advance)
            result, text = over_seeds, seeds_table(over_seeds)
    document = result.model_dump(mode="json")
    if out is None and report is None:
        return Result(document, text)

    def write() -> str:
        from ampcli.cli.report_option import lineage
        from ampcli.plots.trajectory_files import trajectory_plots, write_trajectories

        plots, lines = trajectory_plots(followed, predictors[0].process, result.sqrt_s, show), [""]
        if out is not None:
            lines.append(f"{len(write_trajectories(followed, document, plots, out))} files in {out}")
            save_configuration(out, "trajectory")
        if report is not None:
            from ampcli.reports.page import write_page
            from ampcli.reports.trajectory import trajectory_page

            learned = {p.manifest.reference: p.manifest for p in predictors}.values()
            sources = lineage("trajectory", predictors[0].device, learned, registry)
            write_page(trajectory_page(result, plots, sources), report)
            lines.append(f"report in {report}")
        return "\n".join(lines)

    return Result(document, text, write)
