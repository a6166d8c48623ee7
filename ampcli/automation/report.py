"""Forecasts and what came of them as plain text for the terminal."""

from __future__ import annotations

from ampcli.automation.forecast import Row
from ampcli.automation.surrogate import Forecast, Made
from ampcli.automation.trials import Tried
from ampcli.text_table import aligned


def text(found: Forecast, made: Made | None) -> str:
    """What was tried, what is expected, what to do; and what came out."""
    alone = found.exact_seconds * found.events
    lines = [
        f"{found.process}: {found.exact_seconds * 1e6:.3g} us for an exact amplitude by {found.provider}; "
        f"{found.events:.3g} of them take {_time(alone)} on one core"
    ]
    if not found.tried:
        return "\n".join([*lines, "No surrogate pays: exact amplitudes are ready before any is trained."])
    lines += ["", *aligned([_TRIED, *(_tried(each) for each in found.tried)], left=2)]
    lines += [f"not tried: {model}: {why}" for model, why in found.refused.items()]
    share = f"at most {100 * found.tolerance:.3g} % of the events off by more than {100 * found.accuracy:.3g} %"
    lines += ["", f"{found.model}, {found.preset}; {share}:", "", *aligned([_ROWS, *(_row(row) for row in found.rows)])]
    lines += ["", _verdict(found), f"(The trials took {_time(found.trial_seconds)}.)"]
    if made is not None and found.chosen is not None:
        lines += ["", f"{made.model}:", "", *aligned([["", "forecast", "came out"], *_compared(found.chosen, made)])]
    return "\n".join(lines)


_TRIED = ["model", "network", "spread of ln", "us/event", "mean |Delta| in %", "with events", "falls like n^"]
_ROWS = ["events", "mean |Delta|", "exact", "times faster", "training", "making", "break-even", "all events", "saved"]


def _tried(each: Tried) -> list[str]:
    curve = each.curve
    return [
        each.model,
        each.preset,
        "-" if each.spread is None else f"{each.spread:.3f}",
        f"{each.seconds * 1e6:.3g}",
        ", ".join(f"{100 * error:.3g}" for error in curve.errors),
        ", ".join(f"{events / 1000:.3g}k" for events in curve.events),
        f"-{curve.exponent:.2f}",
    ]


def _row(row: Row) -> list[str]:
    return [
        f"{row.events / 1000:.4g}k",
        f"{100 * row.error:.3g} %",
        f"{100 * row.exact_share:.3g} %",
        f"{row.factor:.3g}",
        _time(row.training_seconds),
        _time(row.making_seconds),
        _count(row.break_even),
        _time(row.total),
        f"{100 * row.saved:.3g} %",
    ]


def _verdict(found: Forecast) -> str:
    best = found.chosen
    assert best is not None
    if found.pays:
        return (
            f"A surrogate pays: trained on {best.events / 1000:.4g}k events it takes {_time(best.total)} for all of "
            f"them, {100 * best.saved:.3g} % less than exact amplitudes alone."
        )
    if all(row.factor == 1.0 for row in found.rows):
        return (
            "No surrogate pays: the weights of such events differ too much, or they are too few, to certify the "
            "tolerance. Take events of equal weight (gen --unweighted with a small --overweight), or more."
        )
    reached = "no number of events is paid back" if best.break_even is None else f"from {_count(best.break_even)} on"
    return (
        f"No surrogate pays for {found.events:.3g} events: with one they take {_time(best.total)} in place of "
        f"{_time(found.exact_seconds * found.events)}; {reached}."
    )


def _compared(row: Row, made: Made) -> list[list[str]]:
    return [
        ["mean |Delta|", f"{100 * row.error:.3g} %", f"{100 * made.error:.3g} %"],
        ["exact", f"{100 * row.exact_share:.3g} %", f"{100 * made.exact_share:.3g} %"],
        ["times faster", f"{row.factor:.3g}", f"{made.factor:.3g} as run"],
        ["training", _time(row.training_seconds), _time(made.training_seconds)],
        ["break-even", _count(row.break_even), _count(made.break_even)],
    ]


def _count(events: float | None) -> str:
    return "never" if events is None else f"{events:.3g}"


def _time(seconds: float) -> str:
    for unit, size in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
