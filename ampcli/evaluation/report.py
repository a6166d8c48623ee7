"""An evaluation as plain text for the terminal: points of phase space and events side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ampcli.evaluation.calibration import Calibration
from ampcli.evaluation.coverage_report import coverage_lines, least_coverage
from ampcli.evaluation.cross_section import CrossSection
from ampcli.evaluation.evaluation import Evaluation, Measured
from ampcli.evaluation.growth import Growth
from ampcli.evaluation.metrics import THRESHOLDS, Metrics
from ampcli.evaluation.reference import OverReference
from ampcli.store.measures import ENOUGH
from ampcli.text_table import aligned, with_error

LEGEND = [
    "Delta = predicted/exact - 1 in %, (..) its error in the last digits; >1%: share that is further off;",
    "points: averages over phase space; events: over the cross section;",
    "log10 ratio: mean +- spread of log10(predicted/exact); MSE(log): of the standardised ln A;",
    "y_cut, s: regions of min s_ij, the smallest invariant of two outgoing particles, over y_cut s or s",
]

GROWTH = ("members", "median|Delta|", "mean|Delta|", "standard error", "in 1", "2", "3")
GROWTH_LEGEND = "mean of so many members, in %, and points within 1, 2, 3 standard errors of it"

_HONEST = 0.03  # how far from 68 % one sigma may be

_Cell = Callable[[Metrics], str]


def _beyond(threshold: str) -> _Cell:
    return lambda m: _percent(m.outside[threshold].value)


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%"


_OVERALL: dict[str, _Cell] = {
    "rows": lambda m: str(m.points),
    "effective rows": lambda m: f"{m.effective_points:.0f}",
    "median|Delta|": lambda m: with_error(m.median_abs_delta, m.median_abs_delta_error, 100),
    "mean|Delta|": lambda m: with_error(m.mean_abs_delta, m.mean_abs_delta_error, 100),
    "rms": lambda m: f"{100 * m.rms_delta:.3g}",
    "max": lambda m: f"{100 * m.max_abs_delta:.3g}",
    **{f">{name}": _beyond(name) for name in THRESHOLDS},
    "log10 ratio": lambda m: "-" if m.mean_log_ratio is None else f"{m.mean_log_ratio:+.1e} +- {m.std_log_ratio:.1e}",
    "MSE(log)": lambda m: "-" if m.mse_standardised_log is None else f"{m.mse_standardised_log:.2e}",
}
ACCURACIES = ("median|Delta|", "mean|Delta|", ">1%", "MSE(log)")
OF_MODELS = (*ACCURACIES, "in 68%", "95%", "99%", "least 95%")
OF_GROUPS: dict[str, _Cell] = {
    "share": lambda m: _percent(m.share.value),
    **{name: _OVERALL[name] for name in ("median|Delta|", "mean|Delta|", *(f">{name}" for name in THRESHOLDS))},
}


def table(evaluation: Evaluation) -> str:
    """Aligned tables: all points, then each multiplicity, region and flag; the cross sections; what to know."""
    columns = measures_of(evaluation)
    lines = [*LEGEND, "", *aligned([["", *columns], *overall_rows(evaluation)])]
    if evaluation.uncertainty_kind is not None:
        calibrated = evaluation.before_recalibration is not None
        lines.append(f"uncertainties: {evaluation.uncertainty_kind.described(calibrated)}")
    lines += ["", *aligned([*_two_headers(list(OF_GROUPS), list(columns), "rows"), *group_rows(evaluation)])]
    if covered := coverage_lines(columns):
        lines += ["", *covered]
    if evaluation.cross_section is not None:
        lines += ["", *aligned([[*item] for item in cross_section_fields(evaluation.cross_section).items()], left=None)]
    if evaluation.growth:
        lines += ["", f"{GROWTH_LEGEND}:", *aligned([[*GROWTH], *growth_rows(evaluation.growth)])]
    if evaluation.overall.negative:
        lines += [
            "",
            f"{evaluation.overall.negative} predictions are 0 or of the wrong sign, and left out of the log columns",
        ]
    if found := [*evaluation.seen, *notes(evaluation)]:
        lines += ["", *found]
    return "\n".join(lines)


def summary_table(evaluations: Mapping[str, Evaluation]) -> str:
    """One line for each model, from the most accurate one on (AS, Table 4, and the mean accuracies of Figs. 5 to 9)."""
    measures = list(measures_of(next(iter(evaluations.values()))))
    rows = summary_rows(evaluations)
    lines = [
        *LEGEND[:2],
        "in 68%, 95%, 99%: within these intervals of the predicted uncertainty, which is the model's own,",
        "that of an ensemble, or typical (one relative size for all points: it tells none apart);",
        "least 95%: what they hold in the worst bin of pT, Delta R, ln |M|^2, ... (one model alone says which)",
        "",
        *aligned([*_two_headers(list(OF_MODELS), measures, "uncertainty"), *rows], left=2),
    ]
    told = [note for e in evaluations.values() for note in e.seen]
    if found := [*dict.fromkeys(told), *notes(next(iter(evaluations.values())))]:
        lines += ["", *found]
    return "\n".join(lines)


def summary_rows(evaluations: Mapping[str, Evaluation]) -> list[list[str]]:
    """A row for each model, the most accurate first: name, uncertainty, then each of `OF_MODELS` in each measure."""
    rows = []
    for name, e in sorted(evaluations.items(), key=lambda item: item[1].overall.mean_abs_delta):
        columns = measures_of(e).values()
        cells = [_OVERALL[key](m.overall) for key in ACCURACIES for m in columns]
        cells += [
            "-" if m.calibration is None else _percent(m.calibration.intervals[level].observed.value)
            for level in ("68", "95", "99")
            for m in columns
        ]
        cells += ["-" if (least := least_coverage(m)) is None else _percent(least) for m in columns]
        rows.append([name, "-" if e.uncertainty_kind is None else str(e.uncertainty_kind), *cells])
    return rows


def notes(evaluation: Evaluation) -> list[str]:
    """What the points of the store do not fix, and uncertainties that do not hold for events."""
    found = []
    if evaluation.events is not None and evaluation.events.effective_points < ENOUGH:
        found.append(
            f"events: these {evaluation.points} points are worth {evaluation.events.effective_points:.0f} events of "
            "equal weight, too few to fix their column and the cross section; test with points of "
            "`ampcli gen --unweighted` (e+e-: or `--sampling mixed`)"
        )
    if evaluation.effective_points < min(ENOUGH, evaluation.points / 2):
        found.append(
            f"points: these {evaluation.points} events are worth {evaluation.effective_points:.0f} points of flat "
            "phase space, too few to fix their column; test with points of `ampcli gen --sampling mixed`"
        )
    events = evaluation.events
    kind = evaluation.uncertainty_kind
    if events is not None and events.calibration is not None and kind is not None and kind.by_point:
        within = events.calibration.intervals["68"]
        if events.effective_points >= ENOUGH and abs(within.observed.value - within.nominal) > _HONEST:
            found.append(
                f"events: one sigma holds {100 * within.observed.value:.1f} % of them; `ampcli calibrate MODEL STORE`, "
                "on points that know both measures, makes it hold for events as well"
            )
    return found


def measures_of(evaluation: Evaluation) -> dict[str, Measured]:
    """Points, and events where they are known."""
    columns: dict[str, Measured] = {"points": evaluation}
    return columns if evaluation.events is None else columns | {"events": evaluation.events}


def overall_rows(evaluation: Evaluation) -> list[list[str]]:
    """What was measured, and what was found in each of `measures_of`, over all points."""
    measures = list(measures_of(evaluation).values())
    rows = [[name, *(cell(m.overall) for m in measures)] for name, cell in _OVERALL.items()]
    if evaluation.by_certificate:
        outside = [m.by_certificate.get("outside") for m in measures]
        rows.append(["outside training", *("0%" if m is None else _percent(m.share.value) for m in outside)])
    rows += [*_noise(measures), *_over_reference(measures)]
    rows += _calibration([m.calibration for m in measures], "")
    rows += _calibration([m.before_recalibration for m in measures], "before recalibration: ")
    return rows


def _noise(measures: list[Measured]) -> list[list[str]]:
    found = [m.noise for m in measures]
    if all(noise is None for noise in found):
        return []
    return [
        ["errors of the exact values, rms", *("-" if n is None else f"{100 * n.labels:.3g}" for n in found)],
        [
            "Delta without them, rms",
            *("-" if n is None else with_error(n.model, n.model_error, 100) for n in found),
        ],
    ]


def _over_reference(measures: list[Measured]) -> list[list[str]]:
    found = [m.over_reference for m in measures]
    if all(ratio is None for ratio in found):
        return []
    cells: dict[str, Callable[[OverReference], str]] = {
        "exact/reference": lambda r: f"{r.mean:.4g} +- {r.spread:.2g}",
        "its error in %, median": lambda r: with_error(r.median_abs, r.median_abs_error, 100),
        "its error in %, rms": lambda r: f"{100 * r.rms:.3g}",
    }
    return [[name, *("-" if r is None else cell(r) for r in found)] for name, cell in cells.items()]


def _calibration(found: list[Calibration | None], prefix: str) -> list[list[str]]:
    first = next((c for c in found if c is not None), None)
    if first is None:
        return []

    def row(name: str, cell: Callable[[Calibration], str]) -> list[str]:
        return [prefix + name, *("-" if c is None else cell(c) for c in found)]

    def inside(key: str) -> Callable[[Calibration], str]:
        return lambda c: f"{100 * c.coverage[key].observed.value:.1f}%"

    def interval(name: str) -> Callable[[Calibration], str]:
        return lambda c: f"{100 * c.intervals[name].observed.value:.1f}%"

    unknown = sum(c.without_uncertainty for c in found if c is not None)
    return [
        row("pulls", lambda c: f"{c.pull_mean:+.2f} +- {c.pull_std:.2f}"),
        *(row(f"in {key} sigma (Gaussian {100 * x.nominal:.1f}%)", inside(key)) for key, x in first.coverage.items()),
        *(row(f"in the {name}% interval", interval(name)) for name in first.intervals),
        *([row("unknown", lambda c: str(c.without_uncertainty))] if unknown else []),
    ]


def group_rows(evaluation: Evaluation) -> list[list[str]]:
    """Multiplicities, regions and flags: name, rows, then each of `OF_GROUPS` in each measure."""
    measures = list(measures_of(evaluation).values())
    rows = []
    for groups, label in (
        ([m.by_multiplicity for m in measures], "{} jets"),
        ([m.by_region for m in measures], "{}"),
        ([{_flagged(name): found for name, found in m.by_certificate.items()} for m in measures], "{}"),
    ):
        for name in dict.fromkeys(name for group in groups for name in group):
            found = [group.get(name) for group in groups]
            count = max(m.points for m in found if m is not None)
            cells = ("-" if m is None else cell(m) for cell in OF_GROUPS.values() for m in found)
            rows.append([label.format(name), str(count), *cells])
    return rows


def _two_headers(names: list[str], measures: list[str], first: str) -> list[list[str]]:
    """Names over the measures that they are given in."""
    over = [cell for name in names for cell in (name, *[""] * (len(measures) - 1))]
    return [["", "", *over], ["", first, *measures * len(names)]]


def _flagged(name: str) -> str:
    return f"{name} training" if name in ("inside", "outside") else f"flag: {name}"


def growth_rows(found: list[Growth]) -> list[list[str]]:
    """`GROWTH` for 1, 2, 3, 5, 10, ... members, and for all."""
    shown = [g for g in found if g.members in (1, 2, 3, 5, 10) or g is found[-1]]
    return [
        [
            str(g.members),
            f"{100 * g.median_abs_delta:.4g}",
            f"{100 * g.mean_abs_delta:.4g}",
            "-" if g.median_relative_error is None else f"{100 * g.median_relative_error:.4g}",
            *(f"{100 * share.value:.1f}%" for share in g.covered.values()),
            *(["-"] * (3 - len(g.covered))),
        ]
        for g in shown
    ]


def cross_section_fields(c: CrossSection) -> dict[str, str]:
    """The cross sections of both in words, by name."""
    bound = "; the error is a lower bound" if c.error_is_lower_bound else ""
    found = {
        "cross-section, exact": f"{with_error(c.sigma_exact, c.sigma_exact_error)} pb (Monte Carlo{bound})",
        "cross-section, network": f"{with_error(c.sigma_network, c.sigma_network_error)} pb (Monte Carlo{bound})",
        "network/exact - 1": f"{with_error(c.relative_difference, c.relative_difference_error, 100)} %"
        f" (same points{bound})",
        "worth": f"{c.effective_events:.0f} events of equal weight",
    }
    if c.network_error_correlated is not None and c.network_error_uncorrelated is not None:
        found["network uncertainty"] = (
            f"{c.network_error_correlated:.2e} pb if the same at all points, "
            f"{c.network_error_uncorrelated:.2e} pb if independent"
        )
    return found
