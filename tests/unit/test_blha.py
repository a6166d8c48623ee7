"""Order and contract files of the Binoth Les Houches accord."""

from __future__ import annotations

import re

import pytest

from ampcli.amplitudes.blha import find_subprocess, order_text
from ampcli.errors import AmpcliError, UsageError

CODES = [11, -11, 2, -2, 21]
ORDER = """InterfaceVersion BLHA2
Model SMdiag
CorrectionType QCD
IRregularisation CDR
AmplitudeType Loop
CouplingPower QCD 1
CouplingPower QED 2
11 -11 -> 2 -2 21
"""


def test_order():
    assert order_text(CODES, "Loop", 1, 2) == ORDER


def answered(answer: str, line: str = "11 -11 -> 2 -2 21", kind: str = "Loop") -> str:
    return f"# of a library\nAmplitudeType {kind} | OK\n\n1 -1 -> 22 21 | 1 4\n{line} | {answer}  # found\n"


def test_label():
    assert find_subprocess(answered("1 17"), CODES, "Loop") == (17, [0, 1, 2, 3, 4])
    assert find_subprocess(answered("1 17", kind="loop"), CODES, "Loop")[0] == 17


def test_legs_in_another_order():
    assert find_subprocess(answered("1 3", "-11 11 -> 21 2 -2"), CODES, "Loop") == (3, [1, 0, 4, 2, 3])
    assert find_subprocess(answered("1 3", "21 2 -> 21 21 2"), [2, 21, 2, 21, 21], "Loop") == (3, [1, 0, 3, 4, 2])


def test_the_accords_default_is_a_loop():
    assert find_subprocess("11 -11 -> 2 -2 21 | 1 2\n", CODES, "Loop")[0] == 2


def test_several_kinds_of_amplitudes():
    contract = answered("1 1", kind="Tree") + answered("1 2")
    assert [find_subprocess(contract, CODES, kind)[0] for kind in ("Tree", "Loop")] == [1, 2]


@pytest.mark.parametrize(
    ("contract", "error", "said"),
    [
        (answered("Error: no such process"), UsageError, '"11 -11 -> 2 -2 21": Error: no such process'),
        (answered("1 1", kind="Tree"), UsageError, "AmplitudeType Tree, and not Loop"),
        (answered("1 1", "11 -11 -> 2 -2 22"), UsageError, 'does not have "11 -11 -> 2 -2 21"'),
        ("", UsageError, "does not have"),
        ("IRregularisation CDR | Error: unknown\n", UsageError, '"IRregularisation CDR": Error: unknown'),
        (answered("2 1 2"), AmpcliError, "One subprocess is wanted"),
        (answered(""), AmpcliError, 'answers "11 -11 -> 2 -2 21" with ""'),
    ],
)
def test_what_is_refused(contract, error, said):
    with pytest.raises(error, match=re.escape(said)):
        find_subprocess(contract, CODES, "Loop")
