"""Order and contract files of the Binoth Les Houches accord, version 2 (arXiv:1308.3462)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ampcli.errors import AmpcliError, UsageError

_HEAD = "InterfaceVersion BLHA2\nModel SMdiag\nCorrectionType QCD\nIRregularisation CDR\n"


def order_text(codes: Sequence[int], amplitude: str, qcd: int, qed: int) -> str:
    """The order of one process.

    Args:
        codes: PDG codes of the legs, the first two incoming.
        amplitude: the accord's ``AmplitudeType``: Tree or Loop.
        qcd: power of alpha_s in the Born |M|^2; qed: that of alpha.
    """
    powers = f"CouplingPower QCD {qcd}\nCouplingPower QED {qed}\n"
    return f"{_HEAD}AmplitudeType {amplitude}\n{powers}{_process(codes)}\n"


def _process(codes: Sequence[int]) -> str:
    incoming, outgoing = (" ".join(map(str, side)) for side in (codes[:2], codes[2:]))
    return f"{incoming} -> {outgoing}"


def find_subprocess(contract: str, codes: Sequence[int], amplitude: str) -> tuple[int, list[int]]:
    """The label of a process in a contract, and for each of its legs which of ours it is.

    Args:
        codes, amplitude: as in `order_text`; legs of a side may stand there in another order.

    Raises:
        UsageError: it is not there, or was refused.
        AmpcliError: its answer makes no sense.
    """
    given = "Loop"  # the accord's default
    refused = others = ""
    for asked, answer in _lines(contract):
        if answer.lower().startswith("error") and not refused:
            refused = f'"{asked}": {answer}'
        words = asked.split()
        if words[0].lower() == "amplitudetype" and len(words) > 1:
            given = words[1]
        order = _matching(asked, codes)
        if order is None:
            continue
        if given.lower() != amplitude.lower():
            others = given
        elif not answer.lower().startswith("error"):
            return _label(asked, answer), order
    if refused:
        raise UsageError(f"the library refuses the order: {refused}", "Take a process and a value that it has.")
    if others:
        raise UsageError(f"its contract has this process with AmplitudeType {others}, and not {amplitude}")
    raise UsageError(f'its contract does not have "{_process(codes)}"')


def _lines(contract: str) -> Iterator[tuple[str, str]]:
    for line in contract.splitlines():
        asked, _, answer = line.partition("#")[0].partition("|")
        if asked.strip():
            yield asked.strip(), answer.strip()


def _matching(line: str, codes: Sequence[int]) -> list[int] | None:
    """Which of our legs each leg of a line is; None if the line is no such process."""
    sides = [side.split() for side in line.split("->")]
    if len(sides) != 2 or len(sides[0]) != 2:
        return None
    order: list[int] = []
    for side, ours in zip(sides, (range(2), range(2, len(codes))), strict=True):
        left = list(ours)
        for word in side:
            found = next((leg for leg in left if str(codes[leg]) == word), None)
            if found is None:
                return None
            left.remove(found)
            order.append(found)
        if left:
            return None
    return order


def _label(asked: str, answer: str) -> int:
    words = answer.split()
    if len(words) != 2 or words[0] != "1" or not words[1].isdigit():
        raise AmpcliError(
            f'the contract answers "{asked}" with "{answer}"', 'One subprocess is wanted: "1 LABEL" behind the bar.'
        )
    return int(words[1])
