"""`ampcli gen`: from a process string to a finished store."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy.random  # noqa: F401 - numpy imports it late, and an import in the middle of a run would swallow Ctrl-C

from ampcli.amplitudes.providers import make_provider
from ampcli.errors import UsageError
from ampcli.generation.given_points import GivenPoints
from ampcli.generation.hadron_points import HadronPoints, HadronSettings, require_possible
from ampcli.generation.points import PointSource, SampledPoints
from ampcli.generation.run import Job, fill
from ampcli.phasespace.sampler import Sampling
from ampcli.phasespace.selection import Cuts
from ampcli.process import described_process
from ampcli.store import parts
from ampcli.store.plan import GivenSource, HadronSource, Plan, ProviderRecord, RamboSource

#: Of collisions in GeV, far beyond any machine: squares and fourth powers are still numbers.
_ENERGIES = (1e-6, 1e12)

_LARGE = 1e11  # bytes


@dataclass(frozen=True)
class GenerationRequest:
    """What the user asked for."""

    process: str
    store: Path
    points: int | None
    sqrt_s: float | None
    y_cut: float
    seed: int
    provider: str
    momenta: Path | None = None
    process_only: bool = False
    skip_bad: bool = False
    repair: bool = False
    parameters: Mapping[str, float] = field(default_factory=dict)
    hadrons: HadronSettings | None = None
    cuts: Cuts = "durham"
    sampling: Sampling = "flat"
    overweight: float | None = None
    """Of unweighted e+e- events: share of the cross section in excess weights."""
    unchecked: bool = False
    """Take an amplitude of pyamplicol that is not known to be right."""


def prepare(request: GenerationRequest) -> Job:
    """Check the request and make ready what it needs (the provider may generate code once).

    Raises:
        UsageError: an impossible request.
    """
    process = described_process(request.process, request.parameters)
    sqrt_s = 1000.0 if request.sqrt_s is None else request.sqrt_s
    if not _ENERGIES[0] <= sqrt_s <= _ENERGIES[1]:
        raise UsageError(f"--sqrt-s {sqrt_s:g}: energies in GeV lie between {_ENERGIES[0]:g} and {_ENERGIES[1]:g}")
    if request.hadrons is not None and (request.sqrt_s is not None or request.momenta is not None):
        raise UsageError("--beams goes with neither --sqrt-s nor --momenta", "Give one of them.")
    if request.seed < 0:
        raise UsageError(f"--seed {request.seed}: seeds are non-negative integers")
    hadrons = None
    if request.hadrons is not None:
        hadrons = request.hadrons.source(request.seed)
        require_possible(process, hadrons)
    elif request.momenta is None and request.y_cut == 0:
        raise UsageError("--y-cut 0: soft and collinear partons make the cross section infinite", "Give one above 0.")
    provider = make_provider(request.provider, process, request.parameters, request.unchecked)
    if request.unchecked and getattr(provider, "fault", None) is None:
        raise UsageError(f'--unchecked has no effect: the amplitude of "{process}" is right', "Leave it out.")
    source: PointSource
    record: RamboSource | GivenSource | HadronSource
    if request.momenta is None:
        for option in ("process_only", "skip_bad", "repair"):
            if getattr(request, option):
                raise UsageError(
                    f"--{option.replace('_', '-')} is for points of a file",
                    "Give events with --momenta FILE, or leave it out.",
                )
    if request.cuts != "durham" and (request.momenta is not None or request.hadrons is not None):
        raise UsageError("--cuts is for sampled points of e+e- collisions", "Leave it out.")
    if request.overweight is not None and not 0 < request.overweight < 1:
        raise UsageError(f"--overweight {request.overweight:g}: a share between 0 and 1 is needed")
    if request.momenta is not None:
        source = GivenPoints(process, request.momenta, request.process_only, request.skip_bad, request.repair)
        record = source.source()
        available = len(source.momenta)
        points = available if request.points is None else request.points
        if points > available:
            raise UsageError(f"--points {points}: {request.momenta} has only {available}")
    elif hadrons is not None:
        points = _required(request.points)
        record = hadrons
        source = HadronPoints(process, record, provider, provider.identity().parameters["alpha_s"])
    else:
        record = RamboSource(
            sqrt_s=sqrt_s,
            y_cut=request.y_cut,
            seed=request.seed,
            cuts=request.cuts,
            sampling=request.sampling if request.overweight is None else "mixed",
            overweight=request.overweight,
        )
        source = SampledPoints(process, record, provider)
        source.sampler  # noqa: B018 - refuses impossible cuts before anything is generated
        points = _required(request.points)
    if points < 1:
        raise UsageError(f"--points {points}: at least one point is needed")
    plan = Plan(
        process=str(process),
        points=points,
        n_final=process.n_final,
        provider=ProviderRecord.model_validate(provider.identity().as_dict()),
        source=record,
    )
    _require_space(request.store, plan)
    return Job(request.store, plan, source, provider)


def _require_space(store: Path, plan: Plan) -> None:
    """Refuse a large new store that its disk cannot hold; a smaller one that fills the disk goes on with --resume."""
    if store.exists():
        return
    place = next(folder for folder in (*store.absolute().parents, Path(os.sep)) if folder.is_dir())
    free = shutil.disk_usage(place).free
    if plan.size > max(free, _LARGE):
        raise UsageError(
            f"--points {plan.points}: the store takes {plan.size / 1e9:.3g} GB, and the disk of {place} has "
            f"{free / 1e9:.3g} GB left",
            "Take fewer, or a larger disk.",
        )


def _required(points: int | None) -> int:
    if points is None:
        raise UsageError("how many points?", "Give --points N, or events with --momenta FILE.")
    return points


def parse_part(text: str | None) -> tuple[int, int]:
    """``I/N`` with 1 <= I <= N: this process makes the I-th of N shares of the parts."""
    if text is None:
        return 1, 1
    try:
        share, shares = (int(word) for word in text.split("/"))
    except ValueError:
        raise UsageError(f"--part {text}: write it as I/N, for example 3/16") from None
    if not 1 <= share <= shares:
        raise UsageError(f"--part {text}: I runs from 1 to N")
    return share, shares


def generate(
    job: Job,
    workers: int = 1,
    part: tuple[int, int] = (1, 1),
    resume: bool = False,
    on_rows: Callable[[int], None] = lambda rows: None,
) -> dict[str, Any] | None:
    """Fill the store of a prepared job.

    Returns:
        The finished store's attributes, or None while shares of other processes are missing.

    Raises:
        UsageError: the store exists and holds something else, or it exists and neither `resume` nor a share
            of the parts was asked for.
    """
    share, shares = part
    if workers < 1:
        raise UsageError(f"--workers {workers}: at least one is needed")
    created = not job.path.exists()
    if created:
        parts.initialise(job.path, job.plan)
    else:
        if not resume and shares == 1:
            parts.require_same(job.path, job.plan)
            raise UsageError(f"{job.path} exists already", "Continue it with --resume, or choose another name.")
        parts.join(job.path, job.plan)
    chosen = range(share - 1, job.plan.parts, shares)
    try:
        return fill(job, chosen, workers, resume, on_rows)
    except UsageError:  # cuts that (almost) nothing passes show only while sampling: leave no empty store behind
        if created and len(parts.missing_parts(job.path, job.plan)) == job.plan.parts:
            shutil.rmtree(job.path)
        raise
