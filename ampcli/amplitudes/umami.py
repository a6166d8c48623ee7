"""Libraries of UMAMI, the interface of MadGraph7's matrix elements (``umami:LIBRARY``)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ampcli.amplitudes.protocol import Limits
from ampcli.amplitudes.shared_library import ALPHA_S, Interface, LibraryKind
from ampcli.kinematics import FloatArray
from ampcli.process import Process

_CARD = "param_card.dat"
_TOGETHER = 64  # points of a call


class UmamiKind(LibraryKind):
    """A library of one process."""

    usage = "umami:LIBRARY"

    def __init__(self, library: str | None = None, signed: bool = False, limits: Limits | None = None) -> None:
        super().__init__(library, signed, limits)
        self.name = "umami" if library is None else f"umami:{library}"

    def of(self, argument: str) -> UmamiKind:
        return UmamiKind(argument or None)

    def of_either_sign(self) -> UmamiKind:
        return UmamiKind(self.library, True, self.limits)

    def within(self, limits: Limits) -> UmamiKind:
        return UmamiKind(self.library, self.signed, limits)

    @property
    def beside(self) -> tuple[Path, ...]:
        """The parameter card, if there is one."""
        card = self.path.with_name(_CARD)
        return (card,) if card.is_file() else ()

    def defaults(self, process: Process) -> dict[str, float]:
        return {"alpha_s": ALPHA_S}

    def interface(self, process: Process, parameters: Mapping[str, float], given: set[str]) -> Interface:
        asked = {
            "interface": "umami",
            "library": str(self.path),
            "card": next((str(file) for file in self.beside), ""),
            "masses": [leg.mass for leg in process.legs],
            "parameters": [(name, value, name in given) for name, value in parameters.items()],
            "alpha_s": parameters["alpha_s"],
        }
        return Interface(asked, _pack, _TOGETHER, is_one_call=True)


def _pack(momenta: FloatArray) -> bytes:
    """Column-major, events first."""
    return np.ascontiguousarray(momenta.transpose(2, 1, 0)).tobytes()


UMAMI = UmamiKind()
