"""Which points a model is trained on, is validated on and is tested on: 4:1:1 by a hash of the event."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from ampcli.errors import UsageError
from ampcli.kinematics import FloatArray

Split = Literal["train", "validation", "test", "all"]

#: What is hashed: the event, or, as models of ampcli 0.x were trained, the number of its row.
SplitRule = Literal["events", "rows"]

_CODES: dict[str, tuple[int, ...]] = {"train": (0, 1, 2, 3), "validation": (4,), "test": (5,)}
#: Of the events, about.
SHARES = {name: len(codes) / 6 for name, codes in _CODES.items()}
_MANTISSA = 18  # bits


def event_codes(momenta: FloatArray) -> npt.NDArray[np.uint8]:
    """0 to 5 for each event, (n,), from its outgoing momenta (n, n_final, 4) in GeV.

    The sum of the squared transverse momenta is hashed, which neither another order of the legs changes, nor a
    rotation about the beams, a boost along them, or their exchange: the same event has the same code wherever it
    stands.  Its last digits are rounded away, because event files round theirs: of momenta with 8 digits two events in
    a thousand change their codes.  Events that share the 18 leading bits share their code.
    """
    squared = (momenta[:, :, 1] ** 2 + momenta[:, :, 2] ** 2).sum(axis=1)
    mantissa, exponent = np.frexp(squared)
    rounded = np.ldexp(np.rint(np.ldexp(mantissa, _MANTISSA)), exponent - _MANTISSA)
    return _codes(rounded.view(np.uint64))


def row_codes(rows: int) -> npt.NDArray[np.uint8]:
    """0 to 5 for each row of a store, (rows,): the rule of models that were trained before there was `event_codes`."""
    return _codes(np.arange(rows, dtype=np.uint64))


def rows_in(codes: npt.NDArray[np.uint8], split: Split) -> npt.NDArray[np.int64]:
    """Numbers of the rows of a split.

    Raises:
        UsageError: an unknown split.
    """
    if split == "all":
        return np.arange(len(codes))
    if split not in _CODES:
        raise UsageError(f'unknown split "{split}"', "Known: train, validation, test, all.")
    return np.flatnonzero(np.isin(codes, _CODES[split]))


def _codes(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint8]:
    """The finaliser of SplitMix64 (G.L. Steele et al., OOPSLA 2014), modulo 6."""
    z = numbers + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return (z % np.uint64(6)).astype(np.uint8)
