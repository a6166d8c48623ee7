"""What `ampcli gen` says of a store: before it is made, and when it is finished."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from ampcli.cli.command import Result
from ampcli.cli.numbers import duration
from ampcli.errors import UsageError
from ampcli.text_table import plus_minus

if TYPE_CHECKING:
    from ampcli.generation.forecast import Forecast
    from ampcli.generation.run import Job

log = logging.getLogger(__name__)


def planned(job: Job, note: str | None, workers: int, measured: bool = True) -> Result:
    """What would be made, and what it is expected to take, if that is measured."""
    from ampcli.generation.forecast import forecast

    plan = job.plan
    expected: Forecast | None = None
    said: list[str] = []
    try:
        if measured:
            expected = forecast(job, workers)
            said = _expected(expected)
    except UsageError as error:  # such as cuts that next to nothing passes: the plan is one nevertheless
        said = [f"no estimate: {error.what}"]
    document = {
        "plan": plan.model_dump(mode="json"),
        "parts": plan.parts,
        "rows_per_part": plan.shard_rows,
        "bytes": plan.size,
        "estimate": None if expected is None else expected.model_dump(mode="json"),
        **_facts(job, note),
    }
    what = f"{plan.points} points of {plan.process}, exact amplitudes of {plan.provider.name}"
    text = [f"{what}, {plan.size / 1e6:.3g} MB in {plan.parts} parts -> {job.path}", *([note] if note else [])]
    return Result(document, "\n".join([*text, *said]))


def _expected(found: Forecast) -> list[str]:
    cores = f"{found.cores} cores" if found.cores > 1 else "one core"
    ready = f", of which {duration(found.preparation_seconds)} to get ready" if found.preparation_seconds else ""
    return [
        f"estimate: {'at most ' if found.at_most else ''}{duration(found.seconds)} on {cores}{ready}; "
        f"{found.peak_memory / 1e6:.3g} MB of memory",
        f"  measured with {found.points} points, here and now: {found.us_per_point:.3g} us and "
        f"{found.bytes_per_point:.4g} bytes per point, acceptance {found.acceptance:.2g}",
    ]


def finished(job: Job, attributes: dict[str, Any], note: str | None) -> Result:
    """What was made, from the attributes of the store."""
    points = attributes["plan"]["points"]  # fewer than were asked for, where events were left out
    document = {"store": str(job.path), "finished": True, "points": points, **attributes, **_facts(job, note)}
    if failed := attributes.get("failed_points", len(attributes["plan"]["source"].get("failed", ()))):
        document["failed_points"] = failed
        log.warning("%s failed at %d points, which were left out", job.plan.provider.name, failed)
    text = [note] if note else []
    text += [f"{job.path}: {points} points of {job.plan.process}, digest {attributes['digest'][:16]}"]
    text += _sampled(points, attributes) if job.source.intake is None else job.source.intake.text
    return Result(
        document, "\n".join([*text, *_unweighted(points, attributes), *closure_text(attributes.get("closure"))])
    )


def _facts(job: Job, note: str | None) -> dict[str, Any]:
    intake = {} if job.source.intake is None else {"intake": job.source.intake.document}
    return intake | ({"note": note} if note else {})


def _sampled(points: int, attributes: dict[str, Any]) -> list[str]:
    statistics = attributes["statistics"]
    return [
        f"acceptance {points / attributes['tried']:.4f}, cross section "
        f"{plus_minus(statistics['mean_weighted_amplitude'], statistics['mean_weighted_amplitude_error'])} pb, "
        f"worth {statistics['effective_points']:.0f} events of equal weight"
    ]


def _unweighted(points: int, attributes: dict[str, Any]) -> list[str]:
    text = []
    if attributes.get("unweighting") == "direct" and "expected_two_stage" in attributes:
        two, direct = (attributes[f"expected_{way}"] for way in ("two_stage", "direct"))
        text += [
            f"unweighted directly: two stages would try {two['points']:.3g} points and take {two['exact']:.3g} exact "
            f"amplitudes per event, directly it is {direct['points']:.3g} and {direct['exact']:.3g}"
        ]
    elif attributes.get("unweighting") == "direct":
        text += ["unweighted directly: the surrogate of the two stages finds next to no events"]
    if "exact_amplitudes" in attributes:
        per_event = attributes["exact_amplitudes"] / points
        text += [f"{per_event:.3g} exact amplitudes per event, and those of the adaptation"]
    return text


def closure_text(found: dict[str, Any] | None) -> list[str]:
    """What a closure test found, if there was one."""
    if found is None:
        return []
    worst = max((bias["largest"] for bias in found["distributions"].values()), default=0.0)
    return [
        f"closure, {found['events']} exact amplitudes of {found['provider']}: cross section x "
        f"{found['cross_section']:.6f} +- {found['cross_section_error']:.1g}, {found['off_by_3_percent']:.2g} of it "
        f"off by more than 3 %, largest deviation {found['largest']:.2g}, bins off by {worst:.2g} at most; worth "
        f"{found['effective_events']:.0f} events of equal weight"
    ]
