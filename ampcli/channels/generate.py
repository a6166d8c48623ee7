"""`ampcli gen` with multiparticles: from a process string to a sample of all its channels."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from ampcli.amplitudes.providers import AUTO, kind_named
from ampcli.channels.expansion import expand
from ampcli.channels.groups import Channel, channels_of
from ampcli.channels.multiparticles import Definitions, used
from ampcli.channels.record import (
    CHANNELS,
    ChannelPlan,
    SamplePlan,
    channel_path,
    is_sample,
    read_sample_plan,
    write_sample_plan,
)
from ampcli.channels.survey import allotted, short_folder, surveyed
from ampcli.errors import UsageError, setting
from ampcli.files import drafted
from ampcli.generation.generate import GenerationRequest, generate, prepare
from ampcli.generation.left_out import cannot_skip
from ampcli.generation.proton_points import ADAPTATION, ProtonPoints, ProtonSettings
from ampcli.generation.run import Job
from ampcli.locks import locked
from ampcli.progress import Bars, unseen
from ampcli.store.metadata import write_group
from ampcli.store.plan import flat

SURVEY = "survey"


@dataclass(frozen=True)
class SampleJob:
    """All that is needed to make a sample; the jobs of channels, in the order of the plan, get their points later."""

    path: Path
    plan: SamplePlan
    jobs: list[Job]


def channels_asked(request: GenerationRequest, definitions: Definitions) -> tuple[list[Channel], ProtonSettings]:
    """The channels of a sample and its collisions, of a request checked as far as that goes without amplitudes.

    Raises:
        UsageError: an impossible request, or fewer points than channels.
    """
    if request.points is None:
        raise UsageError("how many points?", f"Give {setting('points')} N.")
    if not isinstance(request.collisions, ProtonSettings):
        raise UsageError(
            f'"{request.process}" has multiparticles', f"They are for proton beams: give {setting('beams')} lhc13."
        )
    if request.provider != AUTO and not kind_named(request.provider).flavour_blind:
        raise UsageError(
            f'"{request.process}" has multiparticles, whose flavours may differ in a UFO model',
            "Name one channel, such as u u~ > z g.",
        )
    if request.skip_bad:
        raise cannot_skip()
    grouped = channels_of(expand(request.process, definitions))
    if request.points < len(grouped):
        raise UsageError(
            f"{setting('points')} {request.points}: there are {len(grouped)} channels", "Each needs one at least."
        )
    return grouped, request.collisions


def prepare_sample(
    request: GenerationRequest, definitions: Definitions, on_channel: Callable[[int], None] = lambda channel: None
) -> SampleJob:
    """Check the request, and make ready the amplitudes of all channels (providers may generate code, once).

    Args:
        request: for the whole; `surrogate` is the folder of the reports that `ampcli speedup --out` wrote for a sample.
        definitions: of all multiparticles that may be used.

    Raises:
        UsageError: as `channels_asked`, or a channel without amplitudes.
    """
    grouped, collisions = channels_asked(request, definitions)
    reports = reports_asked(request, grouped)
    channels, jobs = [], []
    for channel in grouped:
        seed = _seed_of(request.seed, str(channel.process))
        several = channel.flavours if len(channel.flavours) > 1 else ()
        job = prepare(
            replace(
                request,
                process=str(channel.process),
                store=channel_path(request.store, channel.name),
                collisions=replace(collisions, flavours=several),
                seed=seed,
                surrogate=reports.get(channel.name),
            )
        )
        jobs.append(job)
        channels.append(
            ChannelPlan(
                name=channel.name,
                process=str(channel.process),
                flavours=channel.flavours,
                seed=seed,
                provider=job.plan.provider,
            )
        )
        on_channel(1)
    plan = SamplePlan(
        process=" ".join(request.process.lower().split()),
        definitions=used(request.process, definitions),
        points=cast(int, request.points),
        collisions=collisions.collisions_of(grouped[0].process, request.seed),
        channels=tuple(channels),
    )
    return SampleJob(request.store, plan, jobs)


def reports_asked(request: GenerationRequest, channels: list[Channel]) -> dict[str, Path]:
    """The reports of channels that certified something, by the channel's name; the others take exact amplitudes.

    Raises:
        UsageError: there is none at all.
        IntegrityError: a damaged one.
    """
    if request.surrogate is None:
        return {}
    from ampcli.speedup.certified import REPORT, Certified  # needs torch

    files = {channel.name: request.surrogate / channel.name / REPORT for channel in channels}
    found = {name: file for name, file in files.items() if file.is_file() and Certified.read(file).certifies}
    if not found:
        raise UsageError(
            f"{setting('surrogate')} {request.surrogate}: no channel of this sample has a report there that certifies "
            "anything",
            "`ampcli speedup MODEL SAMPLE --out FOLDER` writes FOLDER/CHANNEL/speedup.json.",
        )
    return found


def _seed_of(seed: int, process: str) -> int:
    """The seed of a channel: others than those of the other channels, so that their errors are independent."""
    return int.from_bytes(hashlib.sha256(f"{seed} {process}".encode()).digest()[:6], "big")


def begin(job: SampleJob, workers: int, may_exist: bool, on_channel: Callable[[int], None]) -> SampleJob:
    """Make the sample's folder and its survey, or find them; the job with the points of every channel.

    Raises:
        UsageError: something else is there, or the sample is, and `may_exist` is false; cuts that nothing passes.
    """
    created = not job.path.exists()
    if created:
        _create(job)
    elif not is_sample(job.path):
        raise UsageError(f"{job.path} is there, and is no sample of many channels", "Choose another name.")
    _require_same(job)
    if not created and not may_exist:
        raise UsageError(f"{job.path} exists already", f"Continue it with {setting('resume')}, or choose another name.")
    (job.path / SURVEY).mkdir(exist_ok=True)
    try:
        with locked(job.path / SURVEY / "survey.lock", f"{job.path} is being surveyed", "Wait.", seconds=-1):
            plan = read_sample_plan(job.path)
            if not plan.is_surveyed:
                plan = _surveyed(job, workers, on_channel)
                write_sample_plan(job.path, plan)
    except UsageError:  # cuts that (almost) nothing passes show only while sampling: leave no empty sample behind
        if created:
            shutil.rmtree(job.path)
        raise
    jobs = [_decided(each, channel) for each, channel in zip(job.jobs, plan.channels, strict=True)]
    return SampleJob(job.path, plan, jobs)


def _decided(job: Job, channel: ChannelPlan) -> Job:
    """The job of a channel with what its survey decided."""
    plan = job.plan.model_copy(update={"points": channel.points})
    if channel.adaptation == "full":
        return replace(job, plan=plan)
    source = cast(ProtonPoints, job.source).shortly
    return replace(job, plan=plan.model_copy(update={"source": source.collisions}), source=source)


def _create(job: SampleJob) -> None:
    with drafted(job.path) as draft:
        for group in (draft, draft / CHANNELS):
            group.mkdir(exist_ok=True)
            write_group(group, {})
        (draft / SURVEY).mkdir()
        write_sample_plan(draft, job.plan)
        try:
            draft.rename(job.path)
        except OSError:
            if not is_sample(job.path):  # else another process was quicker
                raise


def _require_same(job: SampleJob) -> None:
    here, there = (flat(plan.model_dump(mode="json")) for plan in (job.plan, read_sample_plan(job.path).asked))
    if differ := [name for name in {**here, **there} if here.get(name) != there.get(name)]:
        shown = [f"{n}: {here.get(n)} here, {there.get(n)} there" for n in differ if n != "channels"]
        raise UsageError(
            f"{job.path} holds something else: {'; '.join(shown) or 'other channels, or amplitudes of these'}",
            "Choose another name for the new sample, or remove the old one.",
        )


def _surveyed(job: SampleJob, workers: int, on_channel: Callable[[int], None]) -> SamplePlan:
    sources = [cast(ProtonPoints, each.source) for each in job.jobs]
    folders = [_survey_folder(job, channel) for channel in job.plan.channels]
    found = surveyed(sources, folders, workers, on_channel)
    points = allotted([survey for survey, _ in found], job.plan.points, job.plan.collisions.are_unweighted)
    channels = tuple(
        channel.model_copy(update={"survey": survey, "points": count, "adaptation": "short" if short else "full"})
        for channel, (survey, short), count in zip(job.plan.channels, found, points, strict=True)
    )
    return job.plan.model_copy(update={"channels": channels})


def _survey_folder(job: SampleJob, channel: ChannelPlan) -> Path:
    folder = job.path / SURVEY / channel.name
    return short_folder(folder) if channel.adaptation == "short" else folder


def generate_sample(
    job: SampleJob,
    workers: int = 1,
    part: tuple[int, int] = (1, 1),
    resume: bool = False,
    on_rows: Callable[[int], None] = lambda rows: None,
    finish: bool = True,
    bars: Bars = unseen,
) -> list[dict[str, Any]] | None:
    """Fill the stores of all channels of a sample that was begun.

    Returns:
        The attributes of their stores, or None while shares of other processes are missing.
    """
    found = []
    for each, channel in zip(job.jobs, job.plan.channels, strict=True):
        adapted = _survey_folder(job, channel) / ADAPTATION
        prepared = [adapted] if adapted.is_file() else []  # where it was removed, the store adapts again, to the same
        found.append(generate(each, workers, part, resume, on_rows, prepared, finish, bars=bars))
    finished = [attributes for attributes in found if attributes is not None]
    return finished if len(finished) == len(found) else None
