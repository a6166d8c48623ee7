"""The objects of a UFO model (arXiv:1108.2040): what a generator reads of them."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Parameter:
    name: str
    nature: str
    value: float | str
    lhablock: str | None = None
    lhacode: list[int] | None = None
    type: str = "real"

    @property
    def texname(self) -> str:
        return self.name


@dataclass(frozen=True)
class Particle:
    pdg_code: int
    name: str
    antiname: str
    spin: int
    color: int
    mass: Parameter
    width: Parameter
    charge: float
    LeptonNumber: int = 0
    GhostNumber: int = 0

    @property
    def texname(self) -> str:
        return self.name

    @property
    def antitexname(self) -> str:
        return self.antiname

    def anti(self) -> Particle:
        return replace(
            self,
            pdg_code=-self.pdg_code,
            name=self.antiname,
            antiname=self.name,
            color=-self.color if self.color == 3 else self.color,
            charge=-self.charge,
            LeptonNumber=-self.LeptonNumber,
        )


@dataclass(frozen=True)
class CouplingOrder:
    name: str
    expansion_order: int
    hierarchy: int


@dataclass(frozen=True)
class Lorentz:
    name: str
    spins: list[int]
    structure: str


@dataclass(frozen=True)
class Coupling:
    name: str
    value: str
    order: dict[str, int]


@dataclass(frozen=True)
class Vertex:
    name: str
    particles: list[Particle]
    color: list[str]
    lorentz: list[Lorentz]
    couplings: dict[tuple[int, int], Coupling]
