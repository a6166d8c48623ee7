"""What `ampcli check` says, for people."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ampcli.events.check.run import Checked
from ampcli.text_table import aligned

_MOST_ROWS = 20  # of a table
_MOST_REASONS = 10


def report(checked: Checked) -> str:
    """Tables of subprocesses and processes, then what was found."""
    found = checked.document
    lines = [f"{checked.path}: {checked.events} events"]
    if checked.init is not None:
        beams = " and ".join(f"{code} of {energy:g} GeV" for code, energy in
                             zip(checked.init.beams, checked.init.energies, strict=True))  # fmt: skip
        lines.append(f"beams {beams}; IDWTUP {checked.init.weighting}: {found['normalisation']}")
    lines += [f"scale {found['scale']['rule']}; alpha_s {found['alpha_s']['rule']}", ""]
    lines += _limited(
        ["id", "events", "sum of weights", "pb by weights", "error", "pb by <init>", "error"],
        [[str(row["id"]), str(row["events"]), *_numbers(row, "sum_of_weights", "cross_section", "error",
                                                        "stated_cross_section", "stated_error")]
         for row in found["subprocesses"]],
    )  # fmt: skip
    lines.append("")
    lines += _limited(
        ["process", "events", "|M|^2 by", "of", "mean", "smallest", "largest"],
        [[row["process"], str(row["events"]), row["provider"] or "-", str(row["amplitudes"]),
          *_numbers(row, "mean", "smallest", "largest")] for row in found["processes"]],
    )  # fmt: skip
    reasons: Counter[str] = Counter()
    for row in found["processes"]:
        reasons.update(row["not_computed"])
    lines += [f"no |M|^2 for {count} events: {why}" for why, count in reasons.most_common(_MOST_REASONS)]
    lines.append("")
    lines += [f"note: {finding.text}" for finding in checked.findings.notes]
    lines += [f"wrong: {finding.text}" for finding in checked.findings.wrong]
    return "\n".join(lines if checked.findings.wrong else [*lines, "nothing is wrong"])


def _numbers(row: dict[str, Any], *names: str) -> list[str]:
    return ["-" if row[name] is None else f"{row[name]:.4g}" for name in names]


def _limited(heading: list[str], rows: list[list[str]]) -> list[str]:
    table = aligned([heading, *rows[:_MOST_ROWS]], ruled=True)
    return [*table, f"and {len(rows) - _MOST_ROWS} more (--json)"] if len(rows) > _MOST_ROWS else table
