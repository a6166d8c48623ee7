"""Tables of text."""

from __future__ import annotations

import pytest

from ampcli.text_table import aligned

ROWS = [["model", "", "points"], ["a", "of b", "7"], ["longer", "", ""]]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["model         points", "a       of b       7", "longer"]),
        ({"left": 2}, ["model         points", "a       of b       7", "longer"]),
        ({"left": 0}, [" model        points", "     a  of b       7", "longer"]),
        ({"left": None}, ["model         points", "a       of b  7", "longer"]),
        ({"left": None, "ruled": True}, ["model         points", "------  ----  ------", "a       of b  7", "longer"]),
    ],
)
def test_columns(options, expected):
    assert aligned(ROWS, **options) == expected


def test_rows_of_other_lengths_are_mistakes():
    with pytest.raises(ValueError, match="zip"):
        aligned([["a", "b"], ["c"]])
