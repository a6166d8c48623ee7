"""Phase space of jets and massive particles in proton collisions, with cuts on jets, in one compiled pass.

At high energies |M|^2 is large where partons stand in rapidity as along their colour flow, each with dpT^2 / pT^2, and
where neighbours are close to each other.  So the coordinates are those of `ampcli/phasespace/compiled/jets.h`, and a
grid of VEGAS follows what is left.  The legs of gluons are exchanged at random; a coordinate of the grid chooses where
quarks stand among them and which leg balances the others: channels with weights like mT^2, the square of its
transverse mass.  (Were it always the massive one, two hard jets beside it would be rare events of large weight.)

A pair of leptons takes the place of a massive particle, of a mass that is drawn along the resonance and the photon's
pole, and decays (compiled/pair.h).

Each event comes with a guide, a sum over colour flows that is like its |M|^2 (compiled/guide.h); not with a pair and
more quarks than one line, or none in the beams.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ampcli.amplitudes.native.quark_line import find_quark_line
from ampcli.kinematics import FloatArray
from ampcli.phasespace.candidates import Candidates
from ampcli.phasespace.compiled.engine import phase_space
from ampcli.phasespace.cuts import JetCuts, LeptonCuts
from ampcli.phasespace.lepton_pair import LeptonPair, guide_couplings, lepton_pair
from ampcli.phasespace.vegas import VegasGrid
from ampcli.process import Process

#: Written into plans.  It changes whenever the same random numbers would become other events.
VERSION = "jets 2"

#: Versions whose stores can be finished, the newest first.  In 1, a massive leg was always the one that balances.
VERSIONS = (VERSION, "jets 1")

#: The same, of processes with a pair of leptons, beside it.
PAIR_VERSION = "leptons 1"

_MOST_GLUONS, _MOST_LEGS = 7, 10  # outgoing ones
_NO_CUTS = LeptonCuts(0.0, 100.0, 0.0, 0.0)  # of neutrinos


@dataclass(frozen=True)
class JetMap:
    """A map of random numbers to partonic events of a hadron collision at `energy` GeV.

    Attributes:
        on: the instruction set (default: the best); numbers do not depend on it.
        leptons: cuts on charged leptons, where there are any.
        version: stores that an older one began are finished with it.
    """

    process: Process
    energy: float
    cuts: JetCuts
    on: str | None = None
    leptons: LeptonCuts | None = None
    version: str = VERSION

    @staticmethod
    def covers(process: Process) -> bool:
        """Whether the guide is good: gluons, at most one line of quarks, at most one massive particle (of a beam's).

        Or a pair of leptons, and nothing else without colour.
        """
        quarks, gluons, others = _flow(process)
        if lepton_pair(process) is not None:
            return len(process.final_positions("gluon")) <= _MOST_GLUONS and process.n_final <= _MOST_LEGS
        line = (not quarks and not others and len(gluons) > 2) or (len(quarks) == 2 and (not others or min(quarks) < 2))
        return (
            line
            and len(others) <= 1
            and all(leg > 1 and process.legs[leg].mass > 0 for leg in others)
            and len(process.final_positions("gluon")) <= _MOST_GLUONS
            and 2 <= process.n_final <= _MOST_LEGS
        )

    @cached_property
    def _map(self) -> Any:
        quarks, gluons, others = _flow(self.process)
        jets = [leg - 2 for leg in self.process.jet_legs]
        heavy = [leg for leg in range(self.process.n_final) if leg not in jets]
        masses = self.process.final_masses
        module, decaying = phase_space(self.on), {}
        if self._pair is not None:
            heavy = heavy[:1]
            decaying = {"pair": module.Pair(**self._decay(self._pair))}
            if not self.guided:
                quarks, gluons, others = [], [], []
            elif (line := find_quark_line(self.process)) is not None:
                quarks = [line.quark, line.antiquark]
        return module.JetMap(
            jets=len(jets),
            masses=[0.0] * len(jets) + [masses[leg] for leg in heavy],
            energy=self.energy,
            pt_min=self.cuts.pt_min,
            eta_max=self.cuts.eta_max,
            delta_r=self.cuts.delta_r,
            arrangements=_arrangements(self.process, jets, heavy, self.version == VERSION),
            labels=self._labels,
            quarks=quarks,
            gluons=gluons,
            others=others,
            **decaying,
        )

    @cached_property
    def _pair(self) -> LeptonPair | None:
        return lepton_pair(self.process)

    def _decay(self, pair: LeptonPair) -> dict[str, Any]:
        cuts = self.leptons or _NO_CUTS
        known = guide_couplings(self.process)
        return {
            "legs": [pair.lepton - 2, pair.antilepton - 2],
            "charged": list(pair.charged),
            "mass2": pair.mass2_range(self.energy, cuts),
            "cuts": [cuts.pt_min, cuts.eta_max, cuts.delta_r_ll, cuts.delta_r_jl, cuts.m_ll_min],
            "couplings": known or [pair.mass, pair.mass * pair.width, 0.0, 0.0, 0.0, 0.0, 0.0],
        }

    @property
    def guided(self) -> bool:
        """Whether events come with what |M|^2 is like."""
        if self._pair is None:
            return True
        return guide_couplings(self.process) is not None and min(_flow(self.process)[0]) < 2

    @cached_property
    def _labels(self) -> list[list[int]]:
        """All exchanges of outgoing gluons."""
        gluons = self.process.final_positions("gluon")
        exchanged = [dict(zip(gluons, order, strict=True)) for order in itertools.permutations(gluons)]
        return [[names.get(leg, leg) for leg in range(self.process.n_final)] for names in exchanged]

    @property
    def axes(self) -> int:
        """See `EventMap`."""
        return int(self._map.axes)

    def choices(self, rng: np.random.Generator, n: int) -> npt.NDArray[np.int64]:
        """How the legs of gluons are exchanged, (n,)."""
        return rng.integers(len(self._labels), size=n)

    def candidates(self, cube: FloatArray, choices: npt.NDArray[np.integer], grid: VegasGrid) -> Candidates:
        """See `EventMap`; the volume has the Jacobian already."""
        kept, *found = self._map.events(cube, grid.edges, choices)
        rows, momenta, x, volume, half_ht, guide = (array[:kept] for array in found)
        return Candidates(rows, momenta, x, volume, np.ones(kept), half_ht, guide if self.guided else None)


def _flow(process: Process) -> tuple[list[int], list[int], list[int]]:
    """Quarks, gluons and legs without colour, among all legs."""
    kinds = [leg.kind for leg in process.legs]
    quarks = [leg for leg, kind in enumerate(kinds) if kind in ("quark", "antiquark")]
    gluons = [leg for leg, kind in enumerate(kinds) if kind == "gluon"]
    return quarks, gluons, [leg for leg in range(len(kinds)) if leg not in quarks and leg not in gluons]


def _arrangements(process: Process, jets: list[int], heavy: list[int], any_balances: bool) -> list[list[int]]:
    """Outgoing legs in their slots, gluons in order, and the slot of the leg that balances the others."""
    slots = len(jets) + len(heavy)
    gluons = process.final_positions("gluon")
    quarks = [leg for leg in jets if leg not in gluons]
    # of two legs, one recoils against the other anyway
    balances = range(slots) if (any_balances and slots > 2) or not heavy else [slots - 1]
    found = []
    for places in itertools.permutations(range(len(jets)), len(quarks)):
        rest = iter(gluons)
        legs = [quarks[places.index(slot)] if slot in places else next(rest) for slot in range(len(jets))]
        found += [[*legs, *heavy, balance] for balance in balances]
    return found
