"""Where exact amplitudes came from."""

from __future__ import annotations

import pydantic

from ampcli.process import Kind, Particle, Process, parse_process, with_boson_masses
from ampcli.records.base import Frozen, without_later

#: The name of amplitudes that are those of surrogates where these are sure, exact elsewhere.
MIXTURE = "mixture"

_COLOURED: dict[tuple[int, int], Kind] = {(2, 3): "quark", (2, -3): "antiquark"}
_COLOURLESS: dict[int, Kind] = {1: "scalar", 2: "fermion", 3: "vector"}
_LEPTONS = range(11, 17)


class ParticleRecord(Frozen):
    """A particle of a UFO model, as its files have it (arXiv:1108.2040).

    Attributes:
        pdg: code of the particle.
    """

    name: str
    """ampcli's, of a particle of the Standard Model."""
    pdg: int
    spin: int
    """2 s + 1."""
    colour: int
    """Dimension of the representation, negative for antiparticles."""
    charge: float
    """Electric, in units of the proton's."""
    mass: float
    """In GeV."""

    @property
    def kind(self) -> Kind | None:
        """What it is to ampcli; None where there are no amplitudes with it as a leg."""
        if self.colour != 1:
            massless_gluon = (self.spin, self.colour, self.mass) == (3, 8, 0.0)
            return "gluon" if massless_gluon else _COLOURED.get((self.spin, self.colour))
        lepton = self.spin == 2 and abs(self.pdg) in _LEPTONS
        return "lepton" if lepton else _COLOURLESS.get(self.spin)

    @property
    def particle(self) -> Particle:
        """The particle that a process has."""
        assert self.kind is not None
        return Particle(self.name, self.pdg, self.kind, self.mass)


class ProviderRecord(Frozen):
    """What must agree for two stores to hold the same function: part of a store's digest.

    Attributes:
        name: as for `gen --provider`.
        version: of the provider's amplitudes.
        options: of the provider.
        parameters: of the amplitude (couplings; masses and widths in GeV).
    """

    name: str
    version: str
    options: dict[str, str] = {}
    parameters: dict[str, float] = {}
    signed: bool = False
    """Values of either sign (loop corrections, interferences), which are no squared amplitudes."""
    particles: tuple[ParticleRecord, ...] = ()
    """Of the process's legs, each once, where they are those of a UFO model."""

    @pydantic.model_serializer(mode="wrap")
    def _as_before(self, dump: pydantic.SerializerFunctionWrapHandler) -> dict[str, object]:
        return without_later(self, dump, "signed", "particles")

    @property
    def exact_name(self) -> str:
        """The provider of exact amplitudes: this one, or the one that a mixture falls back on."""
        return self.options["exact"].split()[0] if self.name == MIXTURE else self.name

    def described(self, process: str) -> Process:
        """A process with the particles and masses that its amplitudes were computed with."""
        if self.particles:
            return parse_process(process, {each.name.lower(): each.particle for each in self.particles})
        return with_boson_masses(parse_process(process), self.parameters)

    @property
    def model(self) -> str | None:
        """The UFO model of exact amplitudes, ``NAME@DIGEST``; None: that of the provider."""
        return self.exact_name.partition(":")[2] if self.particles else None
