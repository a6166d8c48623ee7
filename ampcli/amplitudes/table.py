"""Values of |M|^2 that were computed elsewhere and stand beside momenta in a file of events (``table:COLUMN``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from ampcli.amplitudes.protocol import Provider, ProviderKind
from ampcli.errors import UsageError, setting
from ampcli.kinematics import FloatArray
from ampcli.process import Process
from ampcli.records.provider import ProviderRecord

_COLUMN = "amplitude"


@dataclass(frozen=True)
class Table(Provider):
    """The values of one column; `ampcli.generation.given_points` reads them with the momenta."""

    process: Process
    column: str
    signed: bool = False

    def identity(self) -> ProviderRecord:
        """Which values they are is told by the digest of the points (`ampcli.collisions.given`)."""
        return ProviderRecord(name=f"table:{self.column}", version="1", signed=self.signed)

    def evaluate(self, momenta: FloatArray) -> NoReturn:
        """Nothing is known beside the file's own points.

        Raises:
            UsageError: always.
        """
        raise UsageError(
            f'|M|^2 of "{self.process}" stands in a table, for the points of its own file alone',
            f"Take another {setting('provider')}, or leave out what needs |M|^2 elsewhere ({setting('perturb')}).",
        )


class _TableKind(ProviderKind):
    place = 100
    alone = True
    version = "1"

    def __init__(self, column: str | None = None, signed: bool = False) -> None:
        self.name = "table" if column is None else f"table:{column}"
        self.column, self.signed = column, signed

    def of(self, argument: str) -> _TableKind:
        return _TableKind(argument or _COLUMN)

    def of_either_sign(self) -> _TableKind:
        return _TableKind(self.column, signed=True)

    def covers(self, process: Process, unchecked: bool = False) -> str | None:
        return None if self.column is not None else "it takes values from a file, if it is asked for by its name"

    def make(self, process: Process, parameters: Mapping[str, float], unchecked: bool = False) -> Table:
        return Table(process, self.column or _COLUMN, self.signed)


TABLE = _TableKind()
