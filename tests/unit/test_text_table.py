"""Tables of text."""

from __future__ import annotations

import pytest

from ampcli.text_table import aligned, plus_minus

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


@pytest.mark.parametrize(
    ("value", "error", "expected"),
    [
        (162.7941, 4.347, "162.8 +- 4.3"),
        (0.04595511, 0.00191, "0.0460 +- 0.0019"),
        (98765.4, 1234.0, "98800 +- 1200"),
        (3.0, 9.96, "3 +- 10"),
        (0.0402462, 0.0, "0.0402462"),
        (1.5e-12, 2e-13, "1.5000e-12 +- 2.0e-13"),
        (1.5e12, 2e9, "1.5000e+12 +- 2.0e+09"),
    ],
)
def test_values_have_as_many_digits_as_their_errors_allow(value, error, expected):
    assert plus_minus(value, error) == expected
