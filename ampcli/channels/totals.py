"""Cross sections of the channels of a finished sample, and their sum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ampcli.channels.record import SamplePlan


@dataclass(frozen=True)
class ChannelTotal:
    """One channel of a sample.

    Attributes:
        processes: that it stands for.
        points: in its store; tried: for them.
        cross_section, error: in pb; share: of the sum of all channels.
        closure: what exact amplitudes say of it, where surrogates had a part (`ampcli.generation.closure`).
        name: of the channel.
    """

    name: str
    processes: list[str]
    points: int
    tried: int
    cross_section: float
    error: float
    share: float
    closure: dict[str, Any] | None


@dataclass(frozen=True)
class Totals:
    """A whole sample.

    Attributes:
        cross_section, error: in pb; channels have seeds of their own, so that squares of errors add up.
        effective_points: Kish's number of events of equal weight, of all channels together.
        digest: of the plan and all stores.
        channels: in the order of the plan.
    """

    cross_section: float
    error: float
    effective_points: float
    digest: str
    channels: list[ChannelTotal]

    @property
    def document(self) -> dict[str, Any]:
        return asdict(self)


def totals(plan: SamplePlan, attributes: Sequence[Mapping[str, Any]]) -> Totals:
    """What the attributes of the stores of all channels say together."""
    found = [each["statistics"] for each in attributes]
    sigma = [each["mean_weighted_amplitude"] for each in found]
    errors = [each["mean_weighted_amplitude_error"] for each in found]
    total = sum(sigma)
    # every store's weights, relative to its cross section, have the squares 1 / effective_points
    squares = sum(part**2 / each["effective_points"] for part, each in zip(sigma, found, strict=True) if part)
    channels = [
        ChannelTotal(
            channel.name,
            [each.process for each in channel.flavours],
            channel.points or 0,
            int(each["tried"]),
            value,
            error,
            value / total if total else 0.0,
            each.get("closure"),
        )
        for channel, each, value, error in zip(plan.channels, attributes, sigma, errors, strict=True)
    ]
    return Totals(
        total,
        sum(error**2 for error in errors) ** 0.5,
        total**2 / squares if squares else 0.0,
        plan.digest([str(each["digest"]) for each in attributes]),
        channels,
    )
