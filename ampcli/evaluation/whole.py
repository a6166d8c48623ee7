"""A whole sample of many channels from the evaluations of these, each counted by its part of the cross section."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import FiniteFloat

from ampcli.evaluation.evaluation import Evaluation
from ampcli.evaluation.metrics import Metrics, Proportion
from ampcli.records.base import Frozen


@dataclass(frozen=True)
class Part:
    """One channel: its cross section in pb, and what was measured over it."""

    cross_section: float
    evaluation: Evaluation


class WholeEvaluation(Frozen):
    """All evaluated channels together, over the cross section.

    Attributes:
        covered: the share of the sample's cross section that was evaluated.
        mean_abs_delta: of |predicted/exact - 1|.
        beyond_1_percent: share of the events that are further off.
        channels: how many were evaluated.
        mean_abs_delta_error: statistical error of `mean_abs_delta`.
    """

    channels: int
    covered: FiniteFloat
    mean_abs_delta: FiniteFloat
    mean_abs_delta_error: FiniteFloat | None
    beyond_1_percent: Proportion

    @property
    def text(self) -> str:
        """In one line."""
        error = "" if self.mean_abs_delta_error is None else f" +- {100 * self.mean_abs_delta_error:.2g}"
        beyond = self.beyond_1_percent
        return (
            f"mean |Delta| {100 * self.mean_abs_delta:.4g}{error} %; {100 * beyond.value:.4g} +- "
            f"{100 * beyond.error:.2g} % of the events are off by more than 1 % ({self.channels} channels, "
            f"{100 * self.covered:.4g} % of the cross section)"
        )


def whole_evaluation(parts: Sequence[Part], cross_section: float) -> WholeEvaluation:
    """Averages over channels; these have independent points, so that squares of errors add up.

    Args:
        parts: channels that were evaluated, of positive cross section together.
        cross_section: of the whole sample in pb.
    """
    total = sum(part.cross_section for part in parts)
    shares = [part.cross_section / total for part in parts]
    found = [_over_events(part.evaluation) for part in parts]
    errors = [each.mean_abs_delta_error for each in found]
    known = [share * error for share, error in zip(shares, errors, strict=True) if error is not None]
    beyond = [each.outside["1%"] for each in found]
    return WholeEvaluation(
        channels=len(parts),
        covered=total / cross_section,
        mean_abs_delta=sum(share * each.mean_abs_delta for share, each in zip(shares, found, strict=True)),
        mean_abs_delta_error=None if len(known) < len(parts) else _together(known),
        beyond_1_percent=Proportion(
            value=sum(share * each.value for share, each in zip(shares, beyond, strict=True)),
            error=_together([share * each.error for share, each in zip(shares, beyond, strict=True)]),
        ),
    )


def _over_events(evaluation: Evaluation) -> Metrics:
    return (evaluation.events or evaluation).overall


def _together(errors: Sequence[float]) -> float:
    return math.hypot(*errors)
