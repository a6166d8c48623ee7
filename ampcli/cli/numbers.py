"""Numbers as people write them: counts (500k, 2M, 1e6) and named values (alpha_s=0.13)."""

from __future__ import annotations

from collections.abc import Sequence

from ampcli.errors import UsageError

_MOST = 10**15
_SUFFIXES = {"k": 1_000, "m": 1_000_000, "g": 1_000_000_000}


def parse_count(option: str, text: str) -> int:
    """Read a non-negative whole number with an optional suffix k, M or G.

    Raises:
        UsageError: naming the option.
    """
    number, factor = text.strip(), 1
    if number and number[-1].lower() in _SUFFIXES:
        number, factor = number[:-1], _SUFFIXES[number[-1].lower()]
    try:
        value = float(number) * factor
        whole = int(value)
    except (ValueError, OverflowError):
        raise UsageError(f"{option} {text}: not a number", "Write it as 500000, 500k, 5e5 or 2M.") from None
    if whole != value or whole < 0:
        raise UsageError(f"{option} {text}: a whole number is needed, not negative")
    if whole > _MOST:
        raise UsageError(f"{option} {text}: more than any disk holds", f"Take fewer than {_MOST:.0e}.")
    return whole


def parse_parameters(option: str, texts: Sequence[str]) -> dict[str, float]:
    """Read NAME=VALUE pairs.

    Raises:
        UsageError: naming the option.
    """
    found: dict[str, float] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if not equals or number != number:
            raise UsageError(f"{option} {text}: write it as NAME=VALUE, for example alpha_s=0.13")
        if name.strip() in found:
            raise UsageError(f"{option} {text}: {name.strip()} is given twice", "Give every parameter one value.")
        found[name.strip()] = number
    return found


def parse_tolerance(option: str, text: str) -> tuple[float, float]:
    """Read ACCURACY:FRACTION, such as 0.03:1e-3.

    Raises:
        UsageError: naming the option.
    """
    accuracy, _, fraction = text.partition(":")
    try:
        numbers = float(accuracy), float(fraction)
    except ValueError:
        numbers = (0.0, 0.0)
    if not (0 < numbers[0] < float("inf") and 0 < numbers[1] < 1):
        raise UsageError(f"{option} {text}: write it as ACCURACY:FRACTION, for example 0.03:1e-3")
    return numbers


def duration(seconds: float) -> str:
    """Seconds in a unit that suits them, with two digits."""
    for unit, size in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.1f} {unit}" if seconds < 9.95 * size else f"{seconds / size:.0f} {unit}"
    return f"{seconds:.2g} s"
