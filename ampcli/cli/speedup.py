"""`ampcli speedup`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ampcli.cli import names
from ampcli.cli.command import RegistryOption, Result, command, progress_bar, save_configuration, say_above
from ampcli.cli.effect import only_if
from ampcli.cli.names import provider_names, starting_with
from ampcli.cli.output import shown
from ampcli.cli.over_channels import Values, arguments_at, over_channels, store_of_arguments
from ampcli.cli.report_option import ReportOption
from ampcli.objects import place
from ampcli.text_table import aligned

if TYPE_CHECKING:
    from ampcli.speedup.objective import Objective
    from ampcli.speedup.report import Report


_SHOWN = 8  # candidates


def add(app: typer.Typer) -> None:
    command(app, "speedup", "ampcli speedup z4-iq1 z4-fg1 z4.zarr --tolerance 0.03:1e-3 --out plots/speedup")(speedup)


def _whole(values: Values, done: Mapping[str, Result]) -> Result:
    """All events of the sample, each at the price of its channel."""
    from ampcli.channels.record import read_sample_plan
    from ampcli.speedup.whole import Part, whole_speedup

    plan = read_sample_plan(store_of_arguments(values))
    events = {channel.name: channel.points or 0 for channel in plan.channels}
    parts = [Part(events[name], each.found[0]) for name, each in done.items()]
    whole = whole_speedup(parts, sum(events.values()))
    return Result({"whole": whole.model_dump(mode="json")}, f"whole sample: {whole.text}")


@over_channels(store_of_arguments, arguments_at, whole=_whole)
def speedup(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="[MODEL...] STORE",
            help="One or two models, the quicker first; of more, or of all in the registry, the best one or two.",
            autocompletion=names.models,
        ),
    ],
    tolerance: Annotated[
        str, typer.Option(help="ACCURACY:FRACTION: at most FRACTION of the events may have |Delta| > ACCURACY.")
    ] = "0.03:1e-3",
    batch: Annotated[int, typer.Option(min=1, max=10_000_000, help="Events in a batch for the times.")] = 8192,
    provider: Annotated[
        list[str] | None,
        typer.Option(
            help="Exact amplitudes to compare with; the first is the yardstick. Several times for several.",
            show_default="all that cover the process, those for most processes first",
            autocompletion=starting_with(provider_names),
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for speedup.json and the plots.", show_default="no files")
    ] = None,
    report: ReportOption = None,
    objective: Annotated[
        Literal["mixture", "unweighting", "break-even"],
        typer.Option(
            help="What the best of more models has: the largest speed-up of the mixture, that of two-stage unweighting "
            "(one model alone, weighted points), or the fewest events until its training is paid back."
        ),
        only_if(lambda values: len(values["arguments"]) not in (2, 3), "with one or two models: nothing is chosen"),
    ] = "mixture",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    registry: RegistryOption = None,
) -> Result:
    """Measure the speed-up when surrogates replace exact amplitudes where their predicted uncertainty is small."""
    from ampcli.cli.numbers import parse_tolerance
    from ampcli.device import set_threads
    from ampcli.extras import require
    from ampcli.inference.load import load_predictor
    from ampcli.registry.search import find_registry
    from ampcli.speedup.candidates import surrogates_for
    from ampcli.speedup.measure import measure_speedup, providers_of
    from ampcli.speedup.objective import Objective
    from ampcli.speedup.spent import trained_networks
    from ampcli.store.reader import open_store

    *models, store = arguments
    accuracy, fraction = parse_tolerance("--tolerance", tolerance)
    if out is not None:
        require("plots")
    set_threads(1)  # times are those of one core
    opened, root = open_store(place(store)), find_registry(registry)
    opened.require_exact()
    goal = Objective(objective)
    goal.require_possible(opened)
    if not models:
        models = surrogates_for(opened, root)
    predictors = [load_predictor(model, registry, device) for model in models]
    trainings = [trained_networks(root, predictor.manifest) for predictor in predictors]
    providers = providers_of(opened, provider or [], _say)
    measured = measure_speedup(
        predictors, trainings, opened, providers, accuracy, fraction, batch, goal, _say, progress_bar
    )
    text = _text(measured)
    described = {"store": store, "dataset_digest": opened.digest, "plan": opened.plan.model_dump(mode="json")}
    document = {**described, **measured.model_dump(mode="json")}
    if out is None and report is None:
        return Result(document, text, found=(measured,))

    def write() -> str:
        from ampcli.cli.report_option import lineage
        from ampcli.evaluation.about import about_split
        from ampcli.plots.speedup import speedup_plots, write_speedup

        about = about_split(opened, "test", measured.points["judged"])
        plots, lines = speedup_plots(measured, about), [""]
        if out is not None:
            lines.append(f"{len(write_speedup(document, plots, out))} files in {out}")
            save_configuration(out, "speedup")
        if report is not None:
            from ampcli.reports.page import write_page
            from ampcli.reports.speedup import speedup_page

            used = [p for p in predictors if p.manifest.reference in measured.models]
            sources = lineage("speedup", used[0].device, [p.manifest for p in used], registry, opened)
            write_page(speedup_page(measured, about, text, plots, sources), report)
            lines.append(f"report in {report}")
        return "\n".join(lines)

    return Result(document, text, write, (measured,))


def _say(step: str) -> None:
    if not shown.quiet:
        say_above(step)


def _text(report: Report) -> str:
    pieces = [_candidates(report), _times(report), _strategies(report), _mixture(report), _paid(report)]
    pieces += [_unweighting(report), report.seen]
    return "\n\n".join("\n".join(lines) for lines in pieces if lines)


def _us(seconds: float) -> str:
    return f"{1e6 * seconds:.3f}"


def _ratio(factor: float) -> str:
    """A ratio of times in words."""
    return f"{factor:.3g} times faster" if factor >= 1 else f"{1 / factor:.3g} times slower"


def _candidates(report: Report) -> list[str]:
    if not report.candidates:
        return []
    objective = report.objective
    models = f"of {len(report.compared)} models" + (" and their pairs" if objective.of_pairs else "")
    lines = [f"{models}, the best for --objective {objective} on validation points:"]
    for candidate in report.candidates[:_SHOWN]:
        names = ", ".join(report.compared[i] for i in candidate.models)
        strategy = f": {candidate.strategy}" if objective.of_pairs else ""
        lines.append(f"{_value(candidate.value, objective):>20}  {names}{strategy}")
    return lines


def _value(value: float | None, objective: Objective) -> str:
    """Of an objective in words."""
    if objective == "break-even":
        return "never" if value is None else f"{_count(value)} events"
    assert value is not None
    return _ratio(value)


def _times(report: Report) -> list[str]:
    rows = [["what", "time"], *([f"exact, {name}", _us(seconds)] for name, seconds in report.exact.items())]
    about = ["", *[""] * len(report.exact)]
    for number, (model, t) in enumerate(zip(report.models, report.surrogates, strict=True), 1):
        rows.append([f"surrogate {number}, {model}", _us(t.total)])
        about.append(f"features {_us(t.features)}, reduced {_us(t.reduced_amplitude)}, network {_us(t.network)}")
    rows.append(["checks of momenta", _us(report.checks)])
    about.append("in the exact times, and added to mixtures")
    if len(report.models) == 2:
        rows.append(["combination of two", _us(report.combination)])
        about.append("")
    noted = [f"  {row}  ({note})" if note else f"  {row}" for row, note in zip(aligned(rows), about, strict=True)]
    return [f"us per event (one thread, batches of {report.batch})", *noted[1:]]


def _strategies(report: Report) -> list[str]:
    n = report.points
    lines = [
        f"at most {report.tolerance:g} of the events off by more than {100 * report.accuracy:g} %, at 95 % confidence",
        f"(chosen on {n['chose']} validation events, certified on {n['certified']} test events, judged on "
        f"{n['judged']} others):",
    ]
    rows = [["", "provider", "executed", "from parts", "used", "off", "thresholds"]]
    for s in report.strategies:
        if not s.certified:
            rows.append([s.name, s.provider, "no threshold", "", "", "", ""])
            continue
        o = s.outcome
        used, thresholds = ", ".join(f"{u:.1%}" for u in o.used), ", ".join(f"{u:.4g}" for u in o.thresholds)
        off = f"{o.tolerance:.2e} +- {o.tolerance_error:.1e}"
        rows.append([s.name, s.provider, _ratio(s.executed), f"{o.factor:.3g}", used, off, thresholds])
    lines += [f"  {line}" for line in aligned(rows, left=2)]
    if report.uncertified is not None:
        lines.append(f"  {report.uncertified}")
    return lines


def _mixture(report: Report) -> list[str]:
    if not all(s.certified for s in report.strategies if s.name == report.best):
        return []
    b = report.bounds
    lines = [
        f"mixture by the strategy that is best over {report.yardstick} ({report.best}):",
        f"  any observable: off by at most {100 * b.correlated:.2g} % if all errors are as large as the largest and of "
        f"one sign, {100 * b.uncorrelated:.2g} % if independent ({b.effective_events:.0f} effective events)",
        f"  (larger errors: less than {b.beyond:.1e} of unseen events, at 95 % confidence; "
        f"largest predicted one sigma {100 * b.predicted:.2g} %)",
    ]
    for name, found in report.biases.items():
        lines.append(
            f"  {name:10} bins are off by {100 * found.rms:.2g} % (rms), {100 * found.largest:.2g} % at most: "
            f"{found.rms_in_errors:.2g} and {found.largest_in_errors:.2g} statistical errors"
        )
    return lines


def _paid(report: Report) -> list[str]:
    s = report.spent
    paid = ", ".join(f"{name}: {_count(events)}" for name, events in report.break_even_events.items())
    most = "at most " if s.at_most else ""
    lines = [
        f"training ({s.seconds:.0f} s) and its exact amplitudes ({most}{s.events:.3g} for stored events and points "
        f"tried for them, {s.copies:.3g} for perturbed copies)",
        f"are paid back after so many events, all computed by that provider: {paid}",
    ]
    return lines + [f"  not in this: {what}" for what in s.unknown]


def _unweighting(report: Report) -> list[str]:
    if report.unweighting is None:
        return ["two-stage unweighting: needs a store of weighted points"]
    lines = []
    for name, u in report.unweighting.items():
        lines.append(
            f"two-stage unweighting over {name}: {_ratio(u.factor)} "
            f"(efficiencies {u.exact_efficiency:.2g} alone; {u.first_efficiency:.2g} and {u.second_efficiency:.2g})"
        )
        mixed = next(s for s in report.strategies if (s.name, s.provider) == (report.best, name)).executed
        winner = (
            "two-stage unweighting wins, and is unbiased"
            if u.factor >= mixed
            else "the mixture wins, within its tolerance"
        )
        lines.append(f"  unweighting with the mixture of surrogate and {name} instead: {_ratio(mixed)}; {winner}")
    return lines


def _count(events: float | None) -> str:
    return "never" if events is None else f"{events:.2g}"
