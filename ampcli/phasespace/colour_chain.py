"""Phase space of hadron collisions, sampled along a colour-ordered chain of partons, with cuts on jets (madspace)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ampcli.errors import AmpcliError, UsageError
from ampcli.kinematics import TOLERANCE, FloatArray
from ampcli.phasespace.candidates import Candidates
from ampcli.phasespace.cuts import JetCuts, LeptonCuts
from ampcli.phasespace.partons import require_madspace
from ampcli.phasespace.vegas import VegasGrid
from ampcli.process import Process

_ROUNDING = 1e-10  # of the event's energy: what boosts and sums may have left of a leg's energy

_JET = 21  # the code under which madspace's cuts know every jet


def chain(process: Process) -> list[int]:
    """Legs in the order in which phase space is built: along the colour flow from beam 0 to beam 1.

    Raises:
        UsageError: a process without colour in both beams, or with one outgoing particle.
    """
    kinds = [leg.kind for leg in process.legs]
    gluons = [i for i, kind in enumerate(kinds) if kind == "gluon" and i > 1]
    quarks = [i for i, kind in enumerate(kinds) if kind in ("quark", "antiquark") and i > 1]
    others = [i for i in range(2, process.n_external) if i not in gluons and i not in quarks]
    incoming = kinds[:2]
    if not all(kind in ("quark", "antiquark", "gluon") for kind in incoming):
        raise UsageError(f'"{process}" has no partons in both beams', "Hadron collisions need quarks and gluons.")
    if process.n_final < 2:
        raise UsageError(f'"{process}" has one outgoing particle', "Phase space needs at least two.")
    if "gluon" not in incoming:
        return [0, *gluons, *quarks, 1, *others]
    half = (len(gluons) + 1) // 2
    middle = [*gluons[:half], *others, *quarks, *gluons[half:]]
    if len(quarks) == 1 and incoming[0] != "gluon":
        # the gluons between the two ends of the quark line are few, those towards the gluon beam many
        middle = [*gluons[:1], *others, *quarks, *gluons[1:]]
    elif len(quarks) == 1:
        middle = [*gluons[1:], *quarks, *others, *gluons[:1]]
    return [0, *middle, 1]


@dataclass(frozen=True)
class ChainMap:
    """A map of random numbers to partonic events of a hadron collision at `energy` GeV."""

    process: Process
    energy: float
    cuts: JetCuts
    leptons: LeptonCuts | None = None

    @cached_property
    def _mapping(self) -> Any:
        madspace = require_madspace()
        observable, quantity = madspace.Observable, madspace.Observable.ObservableOption
        codes = [_JET if leg.mass == 0 and leg.kind != "lepton" else leg.pdg for leg in self.process.legs]
        items = [
            madspace.CutItem(observable(codes, quantity.obs_pt, [[_JET]]), min=self.cuts.pt_min),
            madspace.CutItem(observable(codes, quantity.obs_eta_abs, [[_JET]]), max=self.cuts.eta_max),
        ]
        if codes[2:].count(_JET) > 1:
            pairs = observable(codes, quantity.obs_delta_r, [[_JET, _JET]])
            items.append(madspace.CutItem(pairs, min=self.cuts.delta_r))
        return madspace.PhaseSpaceMapping(
            [leg.mass for leg in self.process.legs],
            self.energy,
            mode=madspace.PhaseSpaceMapping.TChannelMode.color_ordered,
            cuts=madspace.Cuts(items),
            color_order=chain(self.process),
        )

    @cached_property
    def _function(self) -> Any:
        madspace = require_madspace()
        return madspace.FunctionRuntime(self._mapping.forward_function(), madspace.Context(1))

    @property
    def axes(self) -> int:
        """Random numbers that an event takes."""
        return int(self._mapping.random_dim())

    @property
    def branches(self) -> int:
        """Two-fold choices that an event takes."""
        return int(self._mapping.discrete_dim())

    def choices(self, rng: np.random.Generator, n: int) -> npt.NDArray[np.int32]:
        """Branches (n, branches), 0 or 1."""
        return rng.integers(0, 2, (n, self.branches), dtype=np.int32)

    def candidates(self, cube: FloatArray, choices: npt.NDArray[np.integer], grid: VegasGrid) -> Candidates:
        """See `EventMap`."""
        mapped, jacobian, _ = grid.map(cube)
        rows, momenta, x, volume = self.events(mapped, choices)
        return Candidates(rows, momenta, x, volume, jacobian[rows])

    def events(
        self, random: FloatArray, branch: npt.NDArray[np.integer]
    ) -> tuple[npt.NDArray[np.int64], FloatArray, FloatArray, FloatArray]:
        """Events within the cuts.

        Args:
            random: (n, axes) in (0, 1).
            branch: (n, branches), 0 or 1.

        Returns:
            Which of the n they are (k,); momenta (k, n_external, 4) in GeV, beams along +-z; momentum fractions
            (k, 2); and the weight (k,) of dx1 dx2 dPhi, in GeV^(2 n_final - 4), of which the mean over all n
            integrates phase space.
        """
        arguments = (random, branch) if self.branches else (random,)
        momenta, first, second, weight = (np.asarray(output) for output in self._function(*arguments))
        # a branch is drawn with probability 1/2, which madspace leaves to its caller
        kept = np.flatnonzero(weight > 0)
        if self.leptons is not None:
            kept = kept[self.leptons.passed(momenta[kept, 2:], self.process)]
        fractions = np.stack([first[kept], second[kept]], axis=1)
        physical = on_shell(np.ascontiguousarray(momenta[kept]), self.process)
        return kept, physical, fractions, weight[kept] * 2.0**self.branches


def on_shell(momenta: FloatArray, process: Process) -> FloatArray:
    """Sampled momenta (n, n_external, 4) with the energies of their mass shells, where rounding has moved a leg off.

    Boosts leave errors of 1e-16 of the event's energy, which is much for a leg that has next to nothing of it, and
    nothing for the balance of the event.

    Raises:
        AmpcliError: a point that is not physical: a region where double precision does not suffice.
    """
    masses2 = np.array([leg.mass for leg in process.legs]) ** 2
    energy = momenta[..., 0]
    squared = (momenta[..., 1:] ** 2).sum(axis=-1) + masses2
    off = (np.abs(energy**2 - squared) > 0.1 * TOLERANCE * energy**2) | ~(energy > 0)
    if off.any():
        right = np.where(off, np.sqrt(squared), energy)
        small = np.abs(right - energy) <= _ROUNDING * momenta[:, :2, 0].sum(axis=1, keepdims=True)
        if not (small & (right > 0)).all():
            event = int(np.argmin((small & (right > 0)).all(axis=1)))
            raise AmpcliError(
                f"the sampler made a point of {process} that is beyond double precision: {momenta[event].tolist()}",
                "Tighter cuts may keep it away from there; please report this with the command that you ran.",
            )
        momenta[..., 0] = right
    return momenta
