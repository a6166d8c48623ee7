"""The page of `ampcli speedup`."""

from __future__ import annotations

from collections.abc import Sequence

from ampcli.plots.style import Plot
from ampcli.reports.page import Page, Section, Table
from ampcli.speedup.report import Report


def speedup_page(report: Report, about: str, text: str, plots: Sequence[Plot], lineage: Sequence[Section]) -> Page:
    """What surrogates save over exact amplitudes, and where all of it comes from.

    Args:
        text: the result in words, as the command prints it.
    """
    asked = (
        f"Asked for: at most {report.tolerance:g} of the events off by more than {100 * report.accuracy:g} %, at 95 % "
        f"confidence. Thresholds were chosen on {report.points['chose']} validation events, certified on "
        f"{report.points['certified']} test events and judged on {report.points['judged']} others."
    )
    notes = [*report.seen, *([] if report.uncertified is None else [report.uncertified])]
    sections = [
        Section("Result", [asked], notes=notes, tables=[_strategies(report), _times(report)]),
        *([Section("Models compared", tables=[_candidates(report)])] if report.candidates else []),
        Section("Plots", plots=plots),
        Section("In words", code={"As the command says it:": text}),
    ]
    return Page(f"Speed-up by {', '.join(report.models)}", about, [*sections, *lineage])


def _strategies(report: Report) -> Table:
    rows = []
    for s in report.strategies:
        o = s.outcome
        found = (
            [
                f"{s.executed:.3g}",
                f"{o.factor:.3g}",
                *(f"{sum(o.used):.1%}", f"{o.tolerance:.2e} +- {o.tolerance_error:.1e}"),
            ]
            if s.certified
            else ["no threshold", "-", "-", "-"]
        )
        rows.append([f"{s.name} over {s.provider}", *found, ", ".join(f"{u:.4g}" for u in o.thresholds)])
    columns = ["strategy", "times faster, as run", "from parts", "events decided", "share off", "thresholds"]
    return Table(columns, rows, "Surrogates before the exact amplitude; 1 is the speed of the exact amplitude.")


def _times(report: Report) -> Table:
    rows = [[f"exact, {name}", _us(seconds), "", "", ""] for name, seconds in report.exact.items()]
    for number, (model, t) in enumerate(zip(report.models, report.surrogates, strict=True), 1):
        parts = (t.total, t.features, t.reduced_amplitude, t.network)
        rows.append([f"surrogate {number}, {model}", *map(_us, parts)])
    rows.append(["checks of momenta", _us(report.checks), "", "", ""])
    if len(report.models) == 2:
        rows.append(["combination of two", _us(report.combination), "", "", ""])
    columns = ["what", "in all", "features", "reduced amplitude", "network"]
    return Table(columns, rows, f"Time in µs per event: one thread, batches of {report.batch} events.")


def _candidates(report: Report) -> Table:
    rows = [
        [", ".join(report.compared[i] for i in c.models), c.strategy, "never" if c.value is None else f"{c.value:.4g}"]
        for c in report.candidates
    ]
    return Table(["models", "strategy", f"{report.objective}"], rows, "On validation points, the best first.")


def _us(seconds: float) -> str:
    return f"{1e6 * seconds:.3f}"
