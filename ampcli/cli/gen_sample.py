"""`ampcli gen` of a process with multiparticles: what it does, and what it says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ampcli.cli.command import Result, progress_bar, resumable, save_configuration
from ampcli.cli.gen_report import closure_text
from ampcli.text_table import aligned

if TYPE_CHECKING:
    from ampcli.channels.generate import SampleJob
    from ampcli.channels.multiparticles import Definitions
    from ampcli.channels.totals import Totals
    from ampcli.generation.generate import GenerationRequest


def gen_sample(
    request: GenerationRequest,
    definitions: Definitions,
    workers: int,
    share: tuple[int, int],
    resume: bool,
    dry_run: bool,
    finish: bool,
) -> Result:
    """Make a sample of all channels, or say what would be made."""
    from ampcli.channels.generate import begin, generate_sample, prepare_sample
    from ampcli.channels.totals import totals

    if dry_run:
        return _planned(request, definitions)
    with resumable("nothing was written", "Run the same command again."), progress_bar("channels", None) as advance:
        job = prepare_sample(request, definitions, advance)
    note = request.collisions.note
    path = request.store
    with resumable(f"{path} keeps what is finished", "Go on with --resume."):
        with progress_bar("surveys", len(job.jobs)) as advance:
            job = begin(job, workers, resume or share[1] > 1, advance)
        save_configuration(path, "gen", leave_out=("part", "resume"))
        with progress_bar("points", job.plan.points) as advance:
            attributes = generate_sample(job, workers, share, resume, advance, finish, progress_bar)
    if attributes is None:
        return Result(
            {"store": str(path), "finished": False}, f"{path}: this share is done, the sample is not finished"
        )
    return _finished(path, job, totals(job.plan, attributes), note)


def _planned(request: GenerationRequest, definitions: Definitions) -> Result:
    """What would be made; no provider makes its code for that."""
    from ampcli.amplitudes.providers import asked_kind
    from ampcli.channels.generate import channels_asked, reports_asked
    from ampcli.channels.multiparticles import used

    note = request.collisions.note
    asked, settings = channels_asked(request, definitions)
    reports = reports_asked(request, asked)
    kinds = [
        asked_kind(request.provider, each.process, request.unchecked, request.signed, request.limits) for each in asked
    ]
    for each, kind in zip(asked, kinds, strict=True):
        settings.require_possible(each.process)
        kind.require_settable(request.parameters)
    collisions = settings.collisions_of(asked[0].process, request.seed)
    channels = [
        {
            "name": each.name,
            "process": str(each.process),
            "provider": kind.name,
            "surrogate": str(reports[each.name]) if each.name in reports else None,
            "flavours": [flavours.model_dump(mode="json") for flavours in each.flavours],
        }
        for each, kind in zip(asked, kinds, strict=True)
    ]
    plan = {
        "process": request.process,
        "definitions": used(request.process, definitions),
        "points": request.points,
        "parameters": dict(request.parameters),
        "collisions": collisions.model_dump(mode="json"),
        "channels": channels,
    }
    rows = [["channel", "provider", "processes"]]
    rows += [
        [
            each.name,
            f"surrogate, {kind.name}" if each.name in reports else kind.name,
            ", ".join(flavours.process for flavours in each.flavours),
        ]
        for each, kind in zip(asked, kinds, strict=True)
    ]
    what = f"{request.points} points of {request.process}, {len(asked)} channels -> {request.store}"
    text = [what, *([note] if note else []), *aligned(rows, left=3)]
    return Result({"plan": plan, **({"note": note} if note else {})}, "\n".join(text))


def _finished(path: Path, job: SampleJob, found: Totals, note: str | None) -> Result:
    plan = job.plan
    document: dict[str, Any] = {"store": str(path), "finished": True, "points": plan.points, **found.document}
    rows = [["channel", "processes", "cross section [pb]", "error", "share", "points"]]
    for each in found.channels:
        numbers = [f"{each.cross_section:.6g}", f"{each.error:.2g}", f"{each.share:.2%}", f"{each.points}"]
        rows.append([each.name, str(len(each.processes)), *numbers])
    rows.append(["all", str(sum(len(each.processes) for each in found.channels)), f"{found.cross_section:.6g}",
                 f"{found.error:.2g}", "", str(plan.points)])  # fmt: skip
    text = [note] if note else []
    text += [f"{path}: {plan.points} points of {plan.process}, digest {found.digest[:16]}", *aligned(rows)]
    text += [f"{each.name}: {line}" for each in found.channels for line in closure_text(each.closure)]
    text += [f"worth {found.effective_points:.0f} events of equal weight"]
    return Result(document | ({"note": note} if note else {}), "\n".join(text))
