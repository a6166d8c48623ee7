"""An evaluation as plain text for the terminal."""

from __future__ import annotations

from collections.abc import Mapping

from ampcli.evaluation.calibration import Calibration, Coverage
from ampcli.evaluation.cross_section import CrossSection
from ampcli.evaluation.evaluate import Evaluation
from ampcli.evaluation.growth import Growth
from ampcli.evaluation.metrics import THRESHOLDS, Metrics

_HEADER = [
    "",
    "points",
    "median|Delta|",
    "mean|Delta|",
    "rms",
    "max",
    *(f">{name}" for name in THRESHOLDS),
    "log10 ratio",
    "MSE(log)",
]


def table(evaluation: Evaluation) -> str:
    """Aligned table, Delta in per cent: overall, each multiplicity, each region; then the cross-sections."""
    rows = [
        _row("all", evaluation.overall),
        *(_row(f"{name} jets", metrics) for name, metrics in evaluation.by_multiplicity.items()),
        *(_row(name, metrics) for name, metrics in evaluation.by_region.items()),
        *(_row(_flagged(name), metrics) for name, metrics in evaluation.by_certificate.items()),
    ]
    lines = [
        "Delta = predicted/exact - 1 in %, (..) its error in the last digits; >1%: points above;",
        "log10 ratio: mean +- spread of log10(predicted/exact); MSE(log): of the standardised ln A",
        "",
        *aligned([_HEADER, *rows]),
    ]
    if evaluation.cross_section is not None:
        lines += ["", *_cross_section(evaluation.cross_section)]
    if evaluation.calibration is not None:
        lines += ["", *_calibration(evaluation.calibration)]
    if evaluation.before_recalibration is not None:
        lines += ["before the recalibration on validation points:", *_calibration(evaluation.before_recalibration)]
    if evaluation.growth:
        lines += ["", *_growth(evaluation.growth)]
    if evaluation.overall.negative:
        lines += ["", f"{evaluation.overall.negative} predictions are <= 0 and left out of the log columns"]
    return "\n".join(lines)


def summary_table(evaluations: Mapping[str, Evaluation]) -> str:
    """One line for each model, from the most accurate one on (AS, Table 4, and the mean accuracies of Figs. 5 to 9)."""
    rows = []
    for name, e in sorted(evaluations.items(), key=lambda item: item[1].overall.mean_abs_delta):
        inside = ["-"] * 3 if e.calibration is None else [f"{100 * x.observed.value:.1f}%" for x in _levels(e)]
        rows.append([*_row(name, e.overall), *inside])
    lines = [
        "Delta = predicted/exact - 1 in %, (..) its error in the last digits; >1%: points above;",
        "log10 ratio: mean +- spread of log10(predicted/exact); MSE(log): of the standardised ln A;",
        "in 68%, 95%, 99%: points within these intervals of the predicted uncertainty",
        "",
        *aligned([[*_HEADER, "in 68%", "95%", "99%"], *rows]),
    ]
    return "\n".join(lines)


def _flagged(name: str) -> str:
    return f"{name} training" if name in ("inside", "outside") else f"flag: {name}"


def _growth(found: list[Growth]) -> list[str]:
    """A line for 1, 2, 3, 5, 10, ... members, and for all."""
    shown = [g for g in found if g.members in (1, 2, 3, 5, 10) or g is found[-1]]
    rows = [
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
    header = ["members", "median|Delta|", "mean|Delta|", "standard error", "in 1", "2", "3"]
    return [
        "mean of so many members, in %, and points within 1, 2, 3 standard errors of it:",
        *aligned([header, *rows]),
    ]


def _levels(evaluation: Evaluation) -> list[Coverage]:
    assert evaluation.calibration is not None
    return [evaluation.calibration.intervals[name] for name in ("68", "95", "99")]


def with_error(value: float, error: float | None, scale: float = 1.0) -> str:
    """`value` times `scale` with its error in brackets, in units of the last digits: ``0.0573(21)``."""
    value *= scale
    if not error:
        return f"{value:.4g}"
    error *= scale
    decimals = 1 - int(f"{error:.1e}".partition("e")[2])
    if not 0 <= decimals <= 8:
        return f"{value:.4e} +- {error:.1e}"
    return f"{value:.{decimals}f}({error * 10**decimals:.0f})"


def _row(name: str, m: Metrics) -> list[str]:
    ratio = "-" if m.mean_log_ratio is None else f"{m.mean_log_ratio:+.1e} +- {m.std_log_ratio:.1e}"
    return [
        name,
        str(m.points),
        with_error(m.median_abs_delta, m.median_abs_delta_error, 100),
        with_error(m.mean_abs_delta, m.mean_abs_delta_error, 100),
        f"{100 * m.rms_delta:.3g}",
        f"{100 * m.max_abs_delta:.3g}",
        *(f"{100 * m.outside[key].value:.3g}%" for key in THRESHOLDS),
        ratio,
        "-" if m.mse_standardised_log is None else f"{m.mse_standardised_log:.2e}",
    ]


def aligned(rows: list[list[str]], left: int = 1) -> list[str]:
    """Lines of a table whose first `left` columns are flush left, the others right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _cross_section(c: CrossSection) -> list[str]:
    lines = [
        f"cross-section, exact    {with_error(c.sigma_exact, c.sigma_exact_error)} pb (Monte Carlo)",
        f"cross-section, network  {with_error(c.sigma_network, c.sigma_network_error)} pb (Monte Carlo)",
        f"network/exact - 1       {with_error(c.relative_difference, c.relative_difference_error, 100)} %"
        " (same points)",
    ]
    if c.network_error_correlated is not None and c.network_error_uncorrelated is not None:
        lines.append(
            f"network uncertainty     {c.network_error_correlated:.2e} pb if the same at all points, "
            f"{c.network_error_uncorrelated:.2e} pb if independent"
        )
    return lines


def _calibration(c: Calibration) -> list[str]:
    covered = ", ".join(
        f"{100 * x.observed.value:.1f}% in {k} sigma (Gaussian {100 * x.nominal:.1f}%)" for k, x in c.coverage.items()
    )
    within = ", ".join(f"{100 * x.observed.value:.1f}% in the {name}% interval" for name, x in c.intervals.items())
    return [
        f"pulls                   {c.pull_mean:+.2f} +- {c.pull_std:.2f} (mean +- std)",
        f"coverage                {covered}",
        f"intervals               {within}",
    ]
