"""Events that were taken from a file."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pydantic

from ampcli.collisions.base import BoolArray, Collisions, Energy, IntArray, Overlap
from ampcli.kinematics import FloatArray, min_invariant
from ampcli.phasespace.jets import exclusive_jets
from ampcli.phasespace.selection import Selection
from ampcli.process import Process
from ampcli.records.base import without_later
from ampcli.records.region import Region

Column = Literal["event", "event_weight", "amplitude_error"]


class GivenEvents(Collisions):
    """Points taken from a file, known by the hash of their momenta and of what else is kept of them.

    Attributes:
        kind: of collisions: points of a file.
        sha256: of the points.
        sqrt_s: centre-of-mass energy in GeV; None where it varies.
    """

    kind: Literal["given"] = "given"
    sha256: str
    sqrt_s: Energy | None
    skipped: int = 0
    """Events of the file that were left out because they are not physical."""
    others: int = 0
    """Events of other processes that were left out."""
    repaired: bool = False
    """Whether momenta moved by more than double precision explains (`ampcli.events.repair`)."""
    columns: tuple[Column, ...] = ()
    """Arrays besides momenta that come from the file: numbers of the events in it, their weights there, and statistical
    errors of the amplitudes where these come from it too."""
    failed: tuple[int, ...] = ()
    """Events of the file that were left out because the provider failed there."""

    @pydantic.model_serializer(mode="wrap")
    def _as_before(self, dump: pydantic.SerializerFunctionWrapHandler) -> dict[str, object]:
        return without_later(self, dump, "others", "repaired", "columns", "failed")

    @property
    def described(self) -> str:
        energy = "sqrt(s) varies" if self.sqrt_s is None else f"sqrt(s) = {self.sqrt_s:g} GeV"
        return f"events of a file (SHA-256 {self.sha256[:12]}...), {energy}; its cuts are not recorded"

    @property
    def are_sampled(self) -> bool:
        return False

    @property
    def y_cut(self) -> None:
        return None

    @property
    def arrays(self) -> dict[str, tuple[int, ...]]:
        return dict.fromkeys(self.columns, ())

    def jets(self, final: FloatArray, process: Process) -> IntArray:
        """Exclusive jets where leptons collide; partons of protons are jets of their own."""
        if process.incoming[0].kind != "lepton":
            return np.full(len(final), process.n_jets)
        total = final.sum(axis=1)
        s = (total[:, 0] ** 2 - (total[:, 1:] ** 2).sum(axis=1)).mean()
        return exclusive_jets(final, Selection(float(np.sqrt(s)), 0.0).d_cut)

    def outside(self, final: FloatArray, process: Process, region: Region) -> dict[str, BoolArray]:
        if self.sqrt_s is None or region.min_sij_over_s is None:
            return {}
        return {"min_sij": min_invariant(final) < region.min_sij_over_s * self.sqrt_s**2}

    def overlap(self, other: Collisions) -> Overlap | None:
        same = isinstance(other, GivenEvents) and (self.sha256, self.skipped) == (other.sha256, other.skipped)
        return "same" if same else "unknown"
