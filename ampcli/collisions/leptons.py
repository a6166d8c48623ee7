"""Collisions of leptons at a fixed energy, into jets."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pydantic

from ampcli.collisions.base import BoolArray, Energy, IntArray, SampledCollisions
from ampcli.kinematics import FloatArray, min_invariant
from ampcli.phasespace.jets import exclusive_jets
from ampcli.phasespace.selection import Selection, smallest_product
from ampcli.process import Process
from ampcli.records.base import without_later
from ampcli.records.region import Region


class LeptonCollisions(SampledCollisions):
    """Phase space of e+e- collisions within a selection (`ampcli.phasespace.selection`).

    Attributes:
        kind: of collisions: phase space at one energy.
        sqrt_s: centre-of-mass energy in GeV.
        y_cut: smallest s_ij / s.
        cuts: durham or jade (`gen --cuts`).
        sampling: flat, or mixed (`gen --sampling`).
    """

    kind: Literal["rambo"] = "rambo"
    sqrt_s: Energy
    y_cut: float
    cuts: Literal["durham", "jade"] = "durham"
    sampling: Literal["flat", "mixed"] = "flat"
    overweight: float | None = None
    """Of unweighted events: share of the cross section in excess weights, for which the largest weight was chosen."""
    sampler: Literal[1, 2] = 1
    """Version of flat sampling (`ampcli.phasespace.sampler`)."""

    @pydantic.model_serializer(mode="wrap")
    def _as_before(self, dump: pydantic.SerializerFunctionWrapHandler) -> dict[str, object]:
        return without_later(self, dump, "cuts", "sampling", "overweight", "sampler", "refined")

    @property
    def have_flat_weights(self) -> bool:
        return True

    @property
    def described(self) -> str:
        jets = f", n - 1 Durham jets at d_cut = {self.selection.d_cut:g} GeV^2" if self.cuts == "durham" else ""
        events = "unweighted events" if self.are_unweighted else f"{self.sampling} sampling of phase space"
        return f"sqrt(s) = {self.sqrt_s:g} GeV, min s_ij > {self.y_cut:g} s{jets}; {events}"

    @property
    def are_unweighted(self) -> bool:
        return self.overweight is not None or self.refined is not None

    @property
    def selection(self) -> Selection:
        """The cuts on the points."""
        return Selection(self.sqrt_s, self.y_cut, self.cuts)

    def jets(self, final: FloatArray, process: Process) -> IntArray:
        """Exclusive jets at the resolution of the selection; the partons, where there are other legs."""
        if process.n_jets != process.n_final:
            return np.full(len(final), process.n_jets)
        return exclusive_jets(final, self.selection.d_cut)

    def outside(self, final: FloatArray, process: Process, region: Region) -> dict[str, BoolArray]:
        smallest = self.y_cut or region.min_sij_over_s
        found = smallest_product if any(process.final_masses) else min_invariant  # as the selection cuts
        reasons = {} if smallest is None else {"min_sij": found(final) < smallest * self.sqrt_s**2}
        if self.cuts == "durham":
            reasons["jets"] = self.jets(final, process) < process.n_final - 1
        return reasons
