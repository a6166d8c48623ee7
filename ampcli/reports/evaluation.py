"""The page of `ampcli eval`: one model, or several on the same points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ampcli.evaluation.coverage import LEAST_COVERAGE, VARIABLES
from ampcli.evaluation.coverage_report import coverage_row
from ampcli.evaluation.evaluation import Evaluation
from ampcli.evaluation.report import (
    ACCURACIES,
    GROWTH,
    GROWTH_LEGEND,
    OF_GROUPS,
    OF_MODELS,
    cross_section_fields,
    group_rows,
    growth_rows,
    measures_of,
    notes,
    overall_rows,
    summary_rows,
)
from ampcli.plots.style import Plot
from ampcli.reports.page import Page, Section, Table

_TERMS = {
    "Delta": "predicted/exact − 1, in %; the error in the last digits is in brackets",
    "points, events": "averages over phase space, and over the cross section",
    ">1%": "share of what is further off",
    "log10 ratio": "mean +- spread of log10(predicted/exact)",
    "MSE(log)": "mean square error of the standardised ln |M|^2",
    "in 68%, 95%, 99%": "share within these intervals of the predicted uncertainty, which is the model's own, that of "
    "an ensemble, or typical (one relative size for all points)",
    "least 95%": "what the 95% intervals hold in the worst bin of pT, Delta R, ln |M|^2, ...",
    "y_cut, s": "regions of min s_ij, the smallest invariant of two outgoing particles, over y_cut s or s",
}

_COVERAGE = (
    f"Coverage of the intervals in bins, with its error in brackets; short: 95% hold less than {LEAST_COVERAGE:.0%}."
)


def evaluation_page(
    evaluations: Mapping[str, Evaluation],
    about: str,
    plots: Sequence[Plot],
    lineage: Sequence[Section],
    more: Sequence[str] = (),
) -> Page:
    """What was found of models (name@version), of what points, and where all of it comes from.

    Args:
        plots: those of all models, and those of single ones, whose names end in these where there are several models.
        lineage: sections on data, models and command.
        more: what else was found, such as differences between models.
    """
    of_one = {name: [plot for plot in plots if plot.name.endswith(f"-{name}")] for name in evaluations}
    common = [plot for plot in plots if not any(plot in own for own in of_one.values())]
    first = next(iter(evaluations.values()))
    seen = dict.fromkeys(note for each in evaluations.values() for note in each.seen)
    sections = [
        Section("Result", text=more, notes=[*seen, *notes(first)], tables=_summary(evaluations), fields=_TERMS),
        Section("Plots", plots=common),
    ]
    for name, evaluation in evaluations.items():
        sections.append(_model(name, evaluation, of_one[name]))
    return Page(f"Accuracy of {', '.join(evaluations)}", about, [*sections, *lineage])


def _summary(evaluations: Mapping[str, Evaluation]) -> list[Table]:
    """Accuracy and coverage apart: both together are too wide for a page."""
    measures = list(measures_of(next(iter(evaluations.values()))))
    columns, rows = ["model", "uncertainty", *_in_each(OF_MODELS, measures)], summary_rows(evaluations)
    end = 2 + len(ACCURACIES) * len(measures)
    return [
        Table(["model", *columns[2:end]], [[row[0], *row[2:end]] for row in rows], "Models, the best first; Δ in %."),
        Table([*columns[:2], *columns[end:]], [[*row[:2], *row[end:]] for row in rows], "Their uncertainties."),
    ]


def _model(name: str, evaluation: Evaluation, plots: Sequence[Plot]) -> Section:
    measures = measures_of(evaluation)
    tables = [
        Table(["quantity", *measures], overall_rows(evaluation), "All points; Δ in %.", sortable=False),
        Table(
            ["part", "rows", *_in_each(OF_GROUPS, measures)], group_rows(evaluation), "Parts of phase space; Δ in %."
        ),
    ]
    if covered := [
        [*coverage_row(variable, measure, each), "short" if each.short else ""]
        for variable in VARIABLES
        for measure, found in measures.items()
        for each in found.coverage.get(variable, [])
    ]:
        columns = ["variable", "measure", "bin", "share", "in 68%", "95%", "99%", ""]
        tables.append(
            Table(
                columns,
                covered,
                _COVERAGE,
            )
        )
    if evaluation.growth:
        tables.append(Table([*GROWTH], growth_rows(evaluation.growth), f"{GROWTH_LEGEND}."))
    fields = {} if evaluation.cross_section is None else cross_section_fields(evaluation.cross_section)
    return Section(name, fields=fields, tables=tables, plots=plots)


def _in_each(names: Sequence[str] | Mapping[str, object], measures: Sequence[str] | Mapping[str, object]) -> list[str]:
    return [f"{name}, {measure}" for name in names for measure in measures]
