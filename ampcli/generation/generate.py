"""`ampcli gen`: from a process string to a finished store."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy.random  # noqa: F401 - numpy imports it late, and an import in the middle of a run would swallow Ctrl-C

from ampcli.amplitudes.protocol import FallibleProvider, Limits
from ampcli.amplitudes.providers import AUTO, asked_process, make_provider
from ampcli.amplitudes.table import Table
from ampcli.errors import AmpcliError, UsageError, setting
from ampcli.executors.jobs import array_share
from ampcli.files import replacing
from ampcli.generation.given_points import GivenFile, GivenPoints
from ampcli.generation.left_out import leave_out_failed, require_can_skip
from ampcli.generation.points import PointSource, Settings
from ampcli.generation.run import Job, fill
from ampcli.objects import ObjectPath
from ampcli.obstacles import clear
from ampcli.progress import Bars, unseen
from ampcli.store import parts
from ampcli.store.plan import Plan
from ampcli.store.record import read_plan

_LARGE = 1e11  # bytes


@dataclass(frozen=True)
class GenerationRequest:
    """What the user asked for.

    Attributes:
        points: how many; None: all events of a file.
        collisions: their class, and what is asked of them.
        provider: of exact amplitudes, by name (`ampcli.amplitudes.providers`).
        parameters: couplings and masses that differ from the provider's.
        unchecked: take an amplitude that is not known to be right.
        signed: take values of either sign.
        limits: beyond which a library fails at a point; None: its defaults.
        skip_bad: leave out points at which a library fails.
        device: where amplitudes are computed: cpu, cuda or auto.
        surrogate: a report of `ampcli speedup`, whose mixture of surrogates and exact amplitudes is taken.
        refine: a model; points are added where it is unsure.
        registry: where models are.
    """

    process: str
    store: Path
    points: int | None
    collisions: Settings
    seed: int = 1
    provider: str = "auto"
    parameters: Mapping[str, float] = field(default_factory=dict)
    unchecked: bool = False
    signed: bool = False
    limits: Limits | None = None
    skip_bad: bool = False
    device: str = "cpu"
    surrogate: Path | None = None
    refine: str | None = None
    registry: Path | None = None


def prepare(request: GenerationRequest) -> Job:
    """Check the request and make ready what it needs (the provider may generate code once).

    Raises:
        UsageError: an impossible request.
    """
    name = _exact_name(request)
    process = asked_process(name, request.process, request.parameters)
    if request.seed < 0:
        raise UsageError(f"{setting('seed')} {request.seed}: seeds are non-negative integers")
    request.collisions.require_possible(process)
    provider = make_provider(name, process, request.parameters, request.unchecked, request.signed, request.limits)
    if isinstance(provider, Table) and not isinstance(request.collisions, GivenFile):
        raise UsageError(
            f"the provider {request.provider} takes |M|^2 from a file with its momenta",
            f"Give it with {setting('momenta')} FILE.npz.",
        )
    if request.unchecked and provider.fault is None:
        raise UsageError(
            f'{setting("unchecked")} has no effect: the amplitude of "{process}" is right', "Leave it out."
        )
    if request.device != "cpu":
        from ampcli.amplitudes.tensors import on_device  # needs torch

        provider = on_device(provider, request.device)
    newest: PointSource = request.collisions.points(process, provider, request.seed)
    exact = provider if newest.collisions.are_proposed else None
    if request.surrogate is not None:
        from ampcli.speedup.certified import mixture_of  # needs torch

        exact, provider = provider, mixture_of(request.surrogate, provider, newest.collisions, request.registry)
        newest = request.collisions.points(process, provider, request.seed)
    if request.refine is not None:
        from ampcli.generation.refined_points import refined_points  # needs torch

        newest = refined_points(newest, provider, request.refine, request.registry)
    if request.skip_bad:
        require_can_skip(provider, newest)
    source, note = _as_begun(request.store, newest)
    collisions = source.collisions  # reads a file of events
    plan = Plan(
        process=str(process),
        points=_points(request, source),
        n_final=process.n_final,
        provider=provider.identity(),
        source=collisions,
    )
    _require_space(request.store, plan)
    return Job(request.store, plan, source, provider, note, exact, request.skip_bad)


def _exact_name(request: GenerationRequest) -> str:
    """The provider of exact amplitudes: the one that was named, or the yardstick of a report."""
    if request.surrogate is None or request.provider != AUTO:
        return request.provider
    from ampcli.speedup.certified import Certified  # needs torch

    return Certified.read(request.surrogate).yardstick


def _as_begun(store: Path, source: PointSource) -> tuple[PointSource, str | None]:
    """The source with the sampler that a store was begun with, and what to say about it."""
    try:
        begun = read_plan(store).source
    except AmpcliError:  # none, or damaged: said where it is used
        return source, None
    earlier = source.as_begun(begun)
    if earlier is source or earlier.collisions == source.collisions:
        return source, None
    if not begun.are_sampled:  # without events that were left out
        return earlier, None
    return earlier, (
        f"{store} was begun by an older ampcli and goes on with its sampler, which is slower: new stores have another"
    )


def _points(request: GenerationRequest, source: PointSource) -> int:
    """How many points a store is going to have.

    Raises:
        UsageError: nobody said, none, or more than there are.
    """
    points = request.points
    if source.intake is not None:
        available = source.intake.taken
        points = available if points is None else points
        if points > available:
            raise UsageError(f"{setting('points')} {points}: {source.intake.events.path} has only {available}")
        if isinstance(source, GivenPoints):
            points -= len(source.failed)
    if points is None:
        raise UsageError("how many points?", f"Give {setting('points')} N, or events with {setting('momenta')} FILE.")
    if points < 1:
        raise UsageError(f"{setting('points')} {points}: at least one point is needed")
    return points


def _require_space(store: Path, plan: Plan) -> None:
    """Refuse a large new store that its disk cannot hold; a smaller one that fills the disk goes on with --resume."""
    if isinstance(store, ObjectPath) or store.exists():
        return
    place = next(folder for folder in (*store.absolute().parents, Path(os.sep)) if folder.is_dir())
    free = shutil.disk_usage(place).free
    if plan.size > max(free, _LARGE):
        raise UsageError(
            f"{setting('points')} {plan.points}: the store takes {plan.size / 1e9:.3g} GB, and the disk of {place} has "
            f"{free / 1e9:.3g} GB left",
            "Take fewer, or a larger disk.",
        )


def parse_part(text: str | None) -> tuple[int, int]:
    """``I/N`` with 1 <= I <= N: this process makes the I-th of N shares of the parts; ``slurm``: as the array says."""
    if text is None:
        return 1, 1
    if text == "slurm":
        return array_share(os.environ)
    try:
        share, shares = (int(word) for word in text.split("/"))
    except ValueError:
        raise UsageError(f"{setting('part')} {text}: write it as I/N, for example 3/16, or slurm") from None
    if not 1 <= share <= shares:
        raise UsageError(f"{setting('part')} {text}: I runs from 1 to N")
    return share, shares


def generate(
    job: Job,
    workers: int = 1,
    part: tuple[int, int] = (1, 1),
    resume: bool = False,
    on_rows: Callable[[int], None] = lambda rows: None,
    prepared: Sequence[Path] = (),
    finish: bool = True,
    on_begun: Callable[[], None] = lambda: None,
    bars: Bars = unseen,
) -> dict[str, Any] | None:
    """Fill the store of a prepared job.

    Args:
        prepared: files for a new store's books, such as an adaptation that a survey made.
        finish: finish the store if all its parts are there.
        on_begun: called once the store is there.
        bars: show how far the preparation is.

    Returns:
        The finished store's attributes, or None while shares of other processes are missing.

    Raises:
        UsageError: the store exists and holds something else, or it exists and neither `resume` nor a share
            of the parts was asked for.
    """
    share, shares = part
    if workers < 1:
        raise UsageError(f"{setting('workers')} {workers}: at least one is needed")
    created = not job.path.exists()
    if created:
        parts.initialise(job.path, job.plan)
        for file in prepared:
            with replacing(job.path / parts.BOOKS / file.name) as draft:
                shutil.copyfile(file, draft)
    else:
        if not resume and shares == 1:
            parts.require_same(job.path, job.plan)
            raise UsageError(
                f"{job.path} exists already", f"Continue it with {setting('resume')}, or choose another name."
            )
        parts.join(job.path, job.plan)
    chosen = range(share - 1, job.plan.parts, shares)
    on_begun()
    try:
        if job.skip_bad and isinstance(job.provider, FallibleProvider) and not job.plan.source.are_sampled:
            if shares > 1:
                raise UsageError(
                    f"{setting('part')} with {setting('skip_bad')}: which events are left out is known at the end only",
                    f"Leave out {setting('part')}; {setting('workers')} share the work.",
                )
            job = leave_out_failed(job, workers, on_rows)
            chosen = range(job.plan.parts)
        return fill(job, chosen, workers, resume, on_rows, finish, bars)
    except UsageError:  # cuts that (almost) nothing passes show only while sampling: leave no empty store behind
        if created and len(parts.missing_parts(job.path, job.plan)) == job.plan.parts:
            clear(job.path)
        raise
