"""How errors fall with the number of training events."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import FiniteFloat

from ampcli.records.base import Frozen
from ampcli.weighted import Floats

#: Falls by more than the first power of the number of events, or none at all, are fluctuations.
_EXPONENTS = (0.0, 1.0)


class LearningCurve(Frozen):
    """error = scale x (events / 1000)^-exponent, through errors that were measured.

    Attributes:
        events: of the trainings; errors: their mean |Delta|.
        scale: error at 1000 events.
        exponent: how fast it falls.
    """

    events: list[int]
    errors: list[FiniteFloat]
    scale: FiniteFloat
    exponent: FiniteFloat

    @classmethod
    def through(cls, events: Sequence[int], errors: Sequence[float]) -> LearningCurve:
        """The power that fits two or more trainings best, ln by ln; it goes through the one of most events.

        That one is nearest to where the curve is needed; the others tell the slope.
        """
        x, y = np.log(np.asarray(events, dtype=float)), np.log(np.asarray(errors))
        slope = float(np.sum((x - x.mean()) * (y - y.mean())) / np.sum((x - x.mean()) ** 2))
        exponent = float(np.clip(-slope, *_EXPONENTS))
        last = int(np.argmax(x))
        scale = float(errors[last] * (events[last] / 1000) ** exponent)
        return cls(events=list(events), errors=list(errors), scale=scale, exponent=exponent)

    def at(self, events: float | Floats) -> Floats:
        """Errors that are expected after trainings on so many events."""
        return np.asarray(self.scale * (np.asarray(events, dtype=float) / 1000) ** -self.exponent)
