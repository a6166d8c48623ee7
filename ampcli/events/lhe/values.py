"""Values that stand in the events of a Les Houches event file: ``<wgt id='NAME'>`` of their <rwgt>."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ampcli.events.lhe.blocks import EventBlocks
from ampcli.kinematics import FloatArray

_WEIGHT = re.compile(rb"""<wgt\s[^>]*?\bid\s*=\s*(?:'([^']*)'|"([^"]*)")[^>]*>([^<]*)</wgt\s*>""")


def value_names(path: Path) -> list[str]:
    """Names of the values of the first event.

    Raises:
        IntegrityError: a damaged file.
    """
    first = next(iter(EventBlocks(path)), b"")
    return [name.decode(errors="replace") for name, _ in _values(first)]


def read_values(path: Path, name: str) -> FloatArray:
    """The values of this name, of all events of the file in order, (events,); NaN where an event has none.

    Raises:
        IntegrityError: a damaged file.
    """
    wanted, found = name.encode(), []
    for block in EventBlocks(path):
        found.append(next((number for known, number in _values(block) if known == wanted), np.nan))
    return np.array(found)


def _values(block: bytes) -> list[tuple[bytes, float]]:
    return [(one or other, _number(text)) for one, other, text in _WEIGHT.findall(block)]


def _number(text: bytes) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan
