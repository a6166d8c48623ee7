"""Collisions of protons, with cuts on jets and charged leptons."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pydantic

from ampcli.collisions.base import BoolArray, Energy, IntArray, Perturbation, SampledCollisions
from ampcli.collisions.flavours import Flavours
from ampcli.kinematics import FloatArray
from ampcli.phasespace.cuts import JetCuts, LeptonCuts, described
from ampcli.phasespace.perturb import perturbed_events, recoiling_legs
from ampcli.phasespace.running_coupling import ONE_LOOP, Running
from ampcli.process import Process
from ampcli.records.base import without_later
from ampcli.records.region import Region


class ProtonCollisions(SampledCollisions):
    """Proton-proton collisions with cuts on jets and charged leptons.

    Attributes:
        kind: of collisions: protons.
        pt_min: smallest pT of a jet, GeV.
        eta_max: largest |eta| of a jet.
        delta_r: smallest Delta R of two jets.
        pdf: name of the parton density.
        pdf_sha256: of its grid.
        sampler: who drew the points, with its version.
    """

    kind: Literal["hadron"] = "hadron"
    energy: Energy
    """Of the collision, in GeV."""
    pt_min: float
    eta_max: float
    delta_r: float
    scale: float | None
    """Renormalisation and factorisation scale in GeV; None: H_T/2."""
    pdf: str
    pdf_sha256: str
    alpha_s_mz: float
    """The coupling that runs with the scale; amplitudes in the store are at the provider's alpha_s."""
    running: Running = ONE_LOOP
    """How it runs."""
    unweighted: bool | Literal["two-stage"]
    """Events of equal weight; two-stage: proposed by a surrogate that was trained for the store."""
    overweight: float
    """Share of the cross section in excess weights of unweighted events, for which w_max was chosen."""
    sampler: str
    flavours: tuple[Flavours, ...] = ()
    """Processes that the store stands for, with the |M|^2 of its own, where they are several (`ampcli.channels`)."""
    leptons: LeptonCuts | None = None
    """Cuts on charged leptons, of processes that have any."""
    adaptation: Literal["full", "short"] = "full"
    """How many points the sampler adapted with: short for small channels of a sample (`ampcli.channels.survey`)."""

    @pydantic.model_serializer(mode="wrap")
    def _as_before(self, dump: pydantic.SerializerFunctionWrapHandler) -> dict[str, object]:
        return without_later(self, dump, "running", "flavours", "leptons", "adaptation", "refined")

    @property
    def sqrt_s(self) -> None:
        return None

    @property
    def y_cut(self) -> None:
        return None

    @property
    def described(self) -> str:
        scale = "H_T/2" if self.scale is None else f"{self.scale:g} GeV"
        events = "unweighted" if self.are_unweighted else "weighted"
        return (
            f"protons at {self.energy / 1000:g} TeV, {described(self.cuts, self.leptons)}; scale {scale}; "
            f"PDF {self.pdf}; {events} events"
        )

    @property
    def are_unweighted(self) -> bool:
        return bool(self.unweighted) or self.refined is not None

    @property
    def are_proposed(self) -> bool:
        return self.unweighted == "two-stage"

    @property
    def arrays(self) -> dict[str, tuple[int, ...]]:
        """The momentum fractions of both partons, and which of the flavours an event has."""
        return {"x": (2,)} | ({"flavour": ()} if self.flavours else {})

    @property
    def cuts(self) -> JetCuts:
        """The cuts on all jets."""
        return JetCuts(self.pt_min, self.eta_max, self.delta_r)

    def jets(self, final: FloatArray, process: Process) -> IntArray:
        """The cuts keep every parton a jet of its own."""
        return np.full(len(final), process.n_jets)

    def outside(self, final: FloatArray, process: Process, region: Region) -> dict[str, BoolArray]:
        passed = self.cuts.passed(final, process)
        if self.leptons is not None:
            passed &= self.leptons.passed(final, process)
        return {"cuts": ~passed}

    @property
    def can_be_perturbed(self) -> bool:
        return True

    def perturbation(self, process: Process, size: float) -> Perturbation:
        recoiling_legs(process)

        def shaken(final: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, BoolArray]:
            return perturbed_events(final, process, size, rng, self.cuts, self.energy, self.leptons)

        return shaken
