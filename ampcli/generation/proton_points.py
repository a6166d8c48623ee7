"""Points of proton-proton collisions for `ampcli gen`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ampcli.amplitudes.protocol import Provider
from ampcli.collisions import AnyCollisions
from ampcli.collisions.flavours import Flavours
from ampcli.collisions.protons import ProtonCollisions
from ampcli.errors import UsageError, setting
from ampcli.generation.points import Points, require_positive
from ampcli.generation.proposal import PROPOSAL, Proposal
from ampcli.generation.proton_trial import proton_trial
from ampcli.generation.trial import Trial
from ampcli.kinematics import FloatArray
from ampcli.locks import locked
from ampcli.phasespace.colour_chain import chain
from ampcli.phasespace.cuts import JetCuts, LeptonCuts, charged_leptons
from ampcli.phasespace.divergences import require_finite
from ampcli.phasespace.hadron_sampler import BLOCK, TAIL, Adaptation, HadronSampler
from ampcli.phasespace.jet_map import PAIR_VERSION, VERSIONS, JetMap
from ampcli.phasespace.lepton_pair import lepton_pair
from ampcli.phasespace.partons import file_sha256, find_pdf, pdf_grid, require_madspace
from ampcli.phasespace.pdf_sets import PROTON, PdfSet, pdf_set
from ampcli.phasespace.running_coupling import Running, running_alpha_s
from ampcli.process import Process, parse_process
from ampcli.progress import Bars, unseen

#: Collision energy in GeV of the beams that `--beams` knows.
BEAMS = {"lhc13": 13000.0, "lhc13.6": 13600.0, "lhc14": 14000.0, "fcc100": 100_000.0}

#: Its file among a store's books.
ADAPTATION = "adaptation.npz"

_SURVEY = 12  # passes from which a survey has its cross section
_SHORTER = 8  # by what a short adaptation divides its points
_SHORT_SURVEY = 3


@dataclass(frozen=True)
class ProtonSettings:
    """What the user chose: cuts and scale (GeV; None: H_T/2), densities, alpha_s(M_Z) (None: theirs), unweighting.

    `flavours` are the processes of a channel.
    Cuts on leptons are for processes with charged ones.
    """

    beams: str
    cuts: JetCuts = field(default_factory=JetCuts)
    scale: float | None = None
    pdf: str = "NNPDF23_lo_as_0130_qed"
    alpha_s_mz: float | None = None
    unweighted: bool = False
    overweight: float = 0.003
    two_stage: bool = False
    flavours: tuple[Flavours, ...] = ()
    leptons: LeptonCuts = field(default_factory=LeptonCuts)

    def require_possible(self, process: Process) -> None:
        """See `ampcli.generation.points.Settings`."""
        require_possible(process, self.collisions_of(process, 0))

    def points(self, process: Process, provider: Provider, seed: int) -> ProtonPoints:
        """See `ampcli.generation.points.Settings`."""
        require_positive(provider)
        made = provider.identity()
        if "alpha_s" not in made.parameters:
            raise UsageError(
                f"the provider {made.name} does not say its alpha_s, which has to run with the scale",
                f"Choose another {setting('provider')}; a function of yours needs a parameter alpha_s: "
                "f(momenta, *, alpha_s=0.118).",
            )
        collisions = self.collisions_of(process, seed)
        if JetMap.covers(process):
            made_by = VERSIONS[0] if lepton_pair(process) is None else f"{VERSIONS[0]}, {PAIR_VERSION}"
            collisions = collisions.model_copy(update={"sampler": f"{made_by}, {collisions.sampler}"})
        return ProtonPoints(process, collisions, provider, made.parameters["alpha_s"])

    def collisions_of(self, process: Process, seed: int) -> ProtonCollisions:
        """The record for a store's plan; raises as `collisions`."""
        leptons = self.leptons if charged_leptons(process) else None
        return self.collisions(seed).model_copy(update={"leptons": leptons})

    def collisions(self, seed: int) -> ProtonCollisions:
        """The record for a store's plan, without the cuts on leptons, which depend on the process.

        Raises:
            UsageError: unknown beams, impossible cuts, densities of another particle, or an unknown alpha_s(M_Z).
            NotFoundError: no such parton density.
            IntegrityError: a damaged grid or .info file.
            AmpcliError: madspace is not installed.
        """
        if self.beams not in BEAMS:
            raise UsageError(f"{setting('beams')} {self.beams}: unknown", f"Known: {', '.join(BEAMS)}.")
        positive = {
            setting("pt_min"): self.cuts.pt_min,
            setting("eta_max"): self.cuts.eta_max,
            setting("delta_r"): self.cuts.delta_r,
        }
        positive |= {} if self.alpha_s_mz is None else {setting("alpha_s_mz"): self.alpha_s_mz}
        positive |= {} if self.scale is None else {setting("scale"): self.scale}
        for option, value in positive.items():
            if not 0 < value < np.inf:
                raise UsageError(f"{option} {value:g}: a positive number is needed")
        self._require_lepton_cuts(BEAMS[self.beams])
        if not 0 < self.overweight < 1:
            raise UsageError(f"{setting('overweight')} {self.overweight:g}: a share between 0 and 1 is needed")
        file, known = find_pdf(self.pdf), self._set
        grid = pdf_grid(file)
        if self.scale is not None and not grid.q[0] <= self.scale <= grid.q[-1]:
            raise UsageError(
                f"{setting('scale')} {self.scale:g}: {self.pdf} reaches from {grid.q[0]:g} to {grid.q[-1]:g} GeV"
            )
        if known.particle != PROTON:
            raise UsageError(
                f"{setting('pdf')} {self.pdf}: the densities of another particle than the proton "
                f"(PDG code {known.particle})",
                "Choose a set of proton densities.",
            )
        at_z = known.alpha_s_mz if self.alpha_s_mz is None else self.alpha_s_mz
        if at_z is None:
            raise UsageError(
                f"{setting('pdf')} {self.pdf}: no .info file beside it says with which alpha_s(M_Z) it goes",
                f"Put the set's .info file there, or give {setting('alpha_s_mz')} (it then runs with one loop).",
            )
        return ProtonCollisions(
            energy=BEAMS[self.beams],
            pt_min=self.cuts.pt_min,
            eta_max=self.cuts.eta_max,
            delta_r=self.cuts.delta_r,
            scale=self.scale,
            pdf=self.pdf,
            pdf_sha256=file_sha256(file),
            alpha_s_mz=at_z,
            running=self._running,
            unweighted="two-stage" if self.two_stage else self.unweighted,
            overweight=self.overweight,
            seed=seed,
            sampler=f"madspace {_madspace_version()}",
            flavours=self.flavours,
        )

    def _require_lepton_cuts(self, energy: float) -> None:
        cuts = self.leptons
        least = {
            "lepton_pt_min": cuts.pt_min,
            "delta_r_ll": cuts.delta_r_ll,
            "delta_r_jl": cuts.delta_r_jl,
            "m_ll_min": cuts.m_ll_min,
        }
        for name, value in least.items():
            if not 0 <= value < np.inf:
                raise UsageError(f"{setting(name)} {value:g}: zero or a positive number is needed")
        if not 0 < cuts.eta_max < np.inf:
            raise UsageError(f"{setting('lepton_eta_max')} {cuts.eta_max:g}: a positive number is needed")
        if cuts.least_mass >= energy:
            raise UsageError(f"two charged leptons of {cuts.least_mass:g} GeV or more do not fit into {energy:g} GeV")

    @cached_property
    def _set(self) -> PdfSet:
        return pdf_set(find_pdf(self.pdf))

    @property
    def _running(self) -> Running:
        """The set's, or its beta function alone where its own values belong to another alpha_s(M_Z)."""
        known = self._set
        if self.alpha_s_mz in (None, known.alpha_s_mz) or not known.running.scales:
            return known.running
        return replace(known.running, scales=(), values=())

    @property
    def note(self) -> str | None:
        """What the user should know of this choice."""
        known = self._set.alpha_s_mz
        if self.alpha_s_mz is None or known is None or self.alpha_s_mz == known:
            return None
        return f"alpha_s(M_Z) is {self.alpha_s_mz:g} as asked for, where {self.pdf} goes with {known:g}"


def _madspace_version() -> str:
    from importlib.metadata import version

    require_madspace()
    return version("madspace")


def require_possible(process: Process, collisions: ProtonCollisions) -> None:
    """Refuse what cannot be sampled, before anything is generated or written.

    Raises:
        UsageError: a process without a chain of partons or with an infinite cross section, a parton that the set
            lacks, or scales below it.
    """
    chain(process)
    cuts = collisions.leptons or LeptonCuts()
    require_finite(process, cuts)
    grid = pdf_grid(find_pdf(collisions.pdf))
    named = (parse_process(each.process) for each in collisions.flavours)
    for parton in (*process.incoming, *(leg for each in named for leg in each.incoming)):
        if parton.pdg not in grid.partons:
            raise UsageError(
                f"{collisions.pdf} has no density of the parton {parton.name}", f"Choose another {setting('pdf')}."
            )
    leptons = charged_leptons(process)
    least = [
        collisions.pt_min if i in process.jet_legs else cuts.pt_min if i in leptons else leg.mass
        for i, leg in enumerate(process.legs)
    ]
    lowest = collisions.scale or 0.5 * sum(least[2:])
    if lowest < grid.q[0]:
        raise UsageError(
            f"H_T/2 may be as small as {lowest:g} GeV, where {collisions.pdf} begins at {grid.q[0]:g} GeV",
            f"Give a fixed {setting('scale')}, or a larger {setting('pt_min')}.",
        )
    # raises where the coupling is not perturbative
    running_alpha_s(np.array([lowest]), collisions.alpha_s_mz, collisions.running)


@dataclass(frozen=True)
class ProtonPoints:
    """Points of a plan's hadron source; every part has a stream of its own, all share one adaptation."""

    process: Process
    collisions: ProtonCollisions
    provider: Provider
    alpha_s: float

    intake: ClassVar[None] = None

    def __getstate__(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}  # no compiled functions

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)

    @cached_property
    def sampler(self) -> HadronSampler:
        drawn = self.collisions
        return HadronSampler(
            self.process,
            self.provider,
            self.alpha_s,
            drawn.energy,
            drawn.cuts,
            drawn.scale,
            find_pdf(drawn.pdf),
            drawn.alpha_s_mz,
            drawn.overweight,
            drawn.running,
            next((version for version in VERSIONS if drawn.sampler.startswith(f"{version}, ")), None),
            tuple((legs[0].pdg, legs[1].pdg) for legs in (parse_process(each.process).legs for each in drawn.flavours)),
            drawn.leptons,
        )

    def as_begun(self, begun: AnyCollisions) -> ProtonPoints:
        """See `PointSource`."""
        madspace = f"madspace {_madspace_version()}"
        known = {madspace}
        if self.collisions.sampler != madspace:
            known |= {f"{version}, {madspace}" for version in VERSIONS}
        if not isinstance(begun, ProtonCollisions) or begun.sampler not in known:
            return self
        earlier: dict[str, object] = {"sampler": begun.sampler}
        if begun.leptons is None:  # before there were cuts on leptons
            earlier["leptons"] = None
        return replace(self, collisions=self.collisions.model_copy(update=earlier))

    def _stream(self, *key: int) -> np.random.Generator:
        return np.random.Generator(np.random.SFC64(np.random.SeedSequence(self.collisions.seed, spawn_key=key)))

    def prepare(self, books: Path, bars: Bars = unseen) -> None:
        """Adapt the sampler to the process, unless another share of the store has done it."""
        file = books / ADAPTATION
        with locked(books / "locks" / "adaptation.lock", f"{books} is being prepared", "Wait.", seconds=-1):
            if not file.is_file():
                self.adapted(bars).save(file)
            if self.collisions.unweighted == "two-stage" and not (books / PROPOSAL).is_file():
                adaptation = Adaptation.load(file)
                proposal = Proposal.train(
                    self.sampler, adaptation, self._stream(0, 1), self.collisions.overweight, books, bars
                )
                proposal.save(books / PROPOSAL)

    def trial(self) -> Trial:
        """See `PointSource`; two stages count as direct unweighting, which is what they are to be quicker than."""
        unweighted = bool(self.collisions.unweighted)
        tail = TAIL if self.collisions.unweighted is True else 0
        return proton_trial(self.sampler, self._stream(0, 3), self.shortly.adapted, _SHORTER, unweighted, tail)

    def adapted(self, bars: Bars = unseen) -> Adaptation:
        """The sampler's adaptation to the process, from the seed."""
        shorter = _SHORTER if self.collisions.adaptation == "short" else 1
        tail = TAIL // shorter if self.collisions.unweighted is True else 0
        thin = bool(self.collisions.unweighted)
        with bars("points", self.sampler.adapting(tail, shorter)) as advance:
            return self.sampler.adapt(self._stream(0, 0), tail, thin, shorter, lambda: advance(BLOCK))

    @property
    def shortly(self) -> ProtonPoints:
        """The same points, from a sampler that adapts with fewer."""
        return replace(self, collisions=self.collisions.model_copy(update={"adaptation": "short"}))

    def surveyed(self, adaptation: Adaptation) -> FloatArray:
        """Weights in pb of points for a survey, from the seed: 0 for those beyond the cuts."""
        passes = _SHORT_SURVEY if self.collisions.adaptation == "short" else _SURVEY
        found = self.sampler.weights(self._stream(0, 2), adaptation, passes)
        return np.concatenate([found, np.zeros(passes * BLOCK - len(found))])

    def attributes(self, books: Path) -> dict[str, Any]:
        """See `PointSource`; how the surrogate's proposals did."""
        if self.collisions.unweighted != "two-stage":
            return {}
        return Proposal.load(books / PROPOSAL, self.process, self.provider).attributes

    def points(self, part: int, rows: slice, books: Path, on_pass: Callable[[], None]) -> Points:
        adaptation = Adaptation.load(books / ADAPTATION)
        n = rows.stop - rows.start
        stream, exact = self._stream(part), None
        if self.collisions.unweighted == "two-stage":
            proposal = Proposal.load(books / PROPOSAL, self.process, self.provider)
            drawn, tried, exact = proposal.draw(self.sampler, stream, n, adaptation, on_pass)
        else:
            drawn, tried = self.sampler.draw(stream, n, adaptation, self.collisions.unweighted, on_pass)
        columns = {"x": drawn.x}
        if self.collisions.flavours:
            columns["flavour"] = self.sampler.flavours(stream, drawn)
        outgoing = np.ascontiguousarray(drawn.momenta[:, 2:])
        # weight x |M|^2 is what adds up to a cross section, as in every store
        weight = drawn.weight / drawn.amplitude
        return Points(drawn.momenta[:, :2], outgoing, weight, tried, drawn.amplitude, exact, columns)
