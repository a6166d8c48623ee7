"""Coverage in bins as plain text: the worst bin of each variable, and the bins that hold too little by name."""

from __future__ import annotations

from collections.abc import Mapping

from ampcli.evaluation.calibration import Calibration
from ampcli.evaluation.coverage import LEAST_COVERAGE, VARIABLES, CoverageBin, worst
from ampcli.evaluation.evaluation import Measured
from ampcli.evaluation.metrics import Proportion
from ampcli.text_table import aligned

_NAMED = 6  # bins that are listed


def coverage_lines(columns: Mapping[str, Measured]) -> list[str]:
    """Of an evaluation's measures: inside and outside the training region, worst bins, verdict; [] without coverage."""
    rows = []
    for measure, found in columns.items():
        for name in ("inside", "outside"):
            if (part := found.calibration_by_certificate.get(name)) is not None:
                rows.append([f"{name} training", measure, "", f"{100 * _share(found, name):.3g}%", *_of_part(part)])
    for name in VARIABLES:
        for measure, found in columns.items():
            if bins := found.coverage.get(name):
                rows.append(coverage_row(name, measure, worst(bins)))
    if not any(found.coverage for found in columns.values()):
        return []
    header = ["coverage; worst bin of", "", "", "share", "in 68%", "95%", "99%"]
    return [*aligned([header, *rows], left=3), _verdict(columns)]


def least_coverage(found: Measured) -> float | None:
    """What the 95 % intervals hold in the worst of all bins; None without bins."""
    return min((worst(bins).intervals["95"].value for bins in found.coverage.values()), default=None)


def _verdict(columns: Mapping[str, Measured]) -> str:
    short = sorted(
        (found.intervals["95"].value, f"{where(name, found)} ({100 * found.share:.2g} % of {measure})")
        for measure, whole in columns.items()
        for name, bins in whole.coverage.items()
        for found in bins
        if found.short
    )
    asked = f"{100 * LEAST_COVERAGE:.0f} %"
    if not short:
        return f"95% intervals hold {asked} or more in all bins"
    lines = [f"  {text}: {100 * held:.1f} %" for held, text in short[:_NAMED]]
    more = [f"  and {len(short) - _NAMED} other bins (--json has all)"] if len(short) > _NAMED else []
    return "\n".join([f"95% intervals hold less than {asked} in", *lines, *more])


def where(name: str, found: CoverageBin) -> str:
    """A bin in words."""
    variable = VARIABLES[name]
    return f"{variable.name} {_range(name, found)}".rstrip()


def _range(name: str, found: CoverageBin) -> str:
    return f"{found.low:.4g} to {found.high:.4g} {VARIABLES[name].unit}".rstrip()


def coverage_row(name: str, measure: str, found: CoverageBin) -> list[str]:
    """Variable, measure, range, share of the weight, what the 68, 95 and 99 % intervals hold."""
    held = (_percent(found.intervals[level]) for level in ("68", "95", "99"))
    return [VARIABLES[name].name, measure, _range(name, found), f"{100 * found.share:.3g}%", *held]


def _of_part(part: Calibration) -> list[str]:
    return [_percent(part.intervals[level].observed) for level in ("68", "95", "99")]


def _share(found: Measured, name: str) -> float:
    return found.by_certificate[name].share.value


def _percent(share: Proportion) -> str:
    return f"{100 * share.value:.1f}({100 * share.error:.1f})%"
