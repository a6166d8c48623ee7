"""`ampcli speedup`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ampcli.cli.command import RegistryOption, Result, command, save_configuration

if TYPE_CHECKING:
    from ampcli.evaluation.mixed import Report


_SHOWN = 8  # candidates


def add(app: typer.Typer) -> None:
    command(app, "speedup", "ampcli speedup z4-iq1 z4-fg1 z4.zarr --tolerance 0.03:1e-3 --out plots/speedup")(speedup)


def speedup(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="[MODEL...] STORE",
            help="One or two models, the quicker first; of more, or of all in the registry, the best one or two.",
        ),
    ],
    tolerance: Annotated[
        str, typer.Option(help="ACCURACY:FRACTION, so many events may be off by more than this.")
    ] = "0.03:1e-3",
    batch: Annotated[int, typer.Option(min=1, help="Events in a batch when times are measured.")] = 8192,
    out: Annotated[
        Path | None, typer.Option(help="Folder for speedup.json and the plot.", show_default="no files")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    registry: RegistryOption = None,
) -> Result:
    """Measure how much faster events come when surrogates decide where they are sure of themselves."""
    from ampcli.cli.numbers import parse_tolerance
    from ampcli.device import set_threads
    from ampcli.evaluation.mixed import measure_speedup
    from ampcli.evaluation.model import surrogates_for
    from ampcli.inference.predictor import load_predictor
    from ampcli.registry.resolve import registry_root
    from ampcli.store.reader import open_store

    *models, store = arguments
    accuracy, fraction = parse_tolerance("--tolerance", tolerance)
    set_threads(1)  # times are those of one core
    opened = open_store(Path(store))
    if not models:
        models = surrogates_for(opened, registry_root(registry))
    predictors = [load_predictor(model, registry, device) for model in models]
    report = measure_speedup(predictors, opened, accuracy, fraction, batch)
    text = _text(report)
    document = {"store": store, "dataset_digest": opened.digest, **report.model_dump(mode="json")}
    if out is None:
        return Result(document, text)

    def write() -> str:
        import json

        from ampcli.plots.speedup import plot_scan, plot_speedup
        from ampcli.store.parts import write_atomically

        out.mkdir(parents=True, exist_ok=True)
        write_atomically(out / "speedup.json", json.dumps(document, indent=1) + "\n")
        written = plot_speedup(report, out, "speedup-curves") + plot_scan(report, out, "speedup-thresholds")
        save_configuration(out, "speedup")
        return f"\n{1 + len(written)} files in {out}"

    return Result(document, text, write)


def _text(report: Report) -> str:
    lines = []
    if report.candidates:
        lines += [f"of {len(report.compared)} models and their pairs, the quickest on validation points:"]
        for candidate in report.candidates[:_SHOWN]:
            names = ", ".join(report.compared[i] for i in candidate.models)
            lines.append(f"{candidate.validation.factor:8.2f} times faster  {names}: {candidate.strategy}")
        lines += [""]
    lines += [f"us per event (one thread, batches of {report.batch})"]
    lines += [f"  exact, {name:24}{1e6 * seconds:10.3f}" for name, seconds in report.exact.items()]
    for model, t in zip(report.models, report.surrogates, strict=True):
        parts = (
            f"features {1e6 * t.features:.3f}, reduced {1e6 * t.reduced_amplitude:.3f}, network {1e6 * t.network:.3f}"
        )
        lines.append(f"  {model:31}{1e6 * t.total:10.3f}   ({parts})")
    lines += [
        "",
        f"at most {report.tolerance:g} of the events off by more than {100 * report.accuracy:g} % (test points):",
    ]
    lines.append(f"  {'':26}{'provider':12}{'faster':>8}{'used':>16}{'off':>20}  thresholds")
    for s in report.strategies:
        o = s.outcome
        used, thresholds = ", ".join(f"{u:.1%}" for u in o.used), ", ".join(f"{u:.4g}" for u in o.thresholds)
        off = f"{o.tolerance:.2e} +- {o.tolerance_error:.1e}"
        lines.append(f"  {s.name:26}{s.provider:12}{o.factor:8.2f}{used:>16}{off:>20}  {thresholds}")
    b = report.bounds
    lines += ["", f"mixture by the strategy that is best over pyamplicol ({report.best}):"]
    lines.append(
        f"  any observable: off by at most {100 * b.correlated:.2g} % if all errors agree, "
        f"{100 * b.uncorrelated:.2g} % if independent ({b.effective_events:.0f} effective events)"
    )
    for name, found in report.biases.items():
        lines.append(
            f"  {name:10} bins are off by {100 * found.rms:.2g} % (rms), {100 * found.largest:.2g} % at most: "
            f"{found.rms_in_errors:.2g} and {found.largest_in_errors:.2g} statistical errors"
        )
    paid = ", ".join(f"{name}: {_count(events)}" for name, events in report.break_even_events.items())
    lines += ["", f"training and the amplitudes of its points are paid back after so many events: {paid}"]
    if report.unweighting is None:
        lines.append("two-stage unweighting: needs a store of weighted points")
    else:
        for name, u in report.unweighting.items():
            lines.append(
                f"two-stage unweighting over {name}: {u.factor:.2f} times faster "
                f"(efficiencies {u.exact_efficiency:.2g} alone; {u.first_efficiency:.2g} and {u.second_efficiency:.2g})"
            )
            mixed = next(s for s in report.strategies if (s.name, s.provider) == (report.best, name)).outcome
            unbiased = u.factor >= mixed.factor
            lines.append(
                f"  unweighting with the mixture of surrogate and {name} instead: {mixed.factor:.2f} times; "
                + (
                    "two-stage unweighting wins, and is unbiased"
                    if unbiased
                    else "the mixture wins, within its tolerance"
                )
            )
    return "\n".join(lines)


def _count(events: float | None) -> str:
    return "never" if events is None else f"{events:.2g}"
