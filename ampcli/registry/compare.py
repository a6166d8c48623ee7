"""Models side by side, and bars that their metrics must meet."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass
from typing import Any

from ampcli.errors import UsageError
from ampcli.registry.manifest import Manifest, Metric
from ampcli.registry.summary import model_of

_REQUIREMENT = re.compile(r"\s*([^\s<>=]+)\s*(<=|>=)\s*(\S+)\s*")


@dataclass(frozen=True)
class Row:
    """One model in a comparison; `metrics` has the same keys in all rows, None where it was not measured.

    Attributes:
        model: name@version.
        kind: as in manifests.
        trained_as: the name for `train --model`, or ensemble.
        process: in MadGraph syntax.
        training_points: how many it was trained on.
        seconds: wall-clock time of the training; None for ensembles.
        metrics: on the validation split, by name (docs/evaluation.md).
    """

    model: str
    kind: str
    trained_as: str
    process: str
    training_points: int
    seconds: float | None
    metrics: dict[str, Metric | None]

    @property
    def document(self) -> dict[str, Any]:
        """For programs."""
        metrics = {name: None if found is None else found.model_dump() for name, found in self.metrics.items()}
        return asdict(self) | {"metrics": metrics}


def compare(manifests: list[Manifest]) -> list[Row]:
    """One row per model, with the union of all metrics in the order of first appearance."""
    union = dict.fromkeys(name for manifest in manifests for name in manifest.metrics)
    return [
        Row(
            manifest.reference,
            manifest.kind,
            model_of(manifest),
            manifest.process,
            manifest.dataset.splits.get("train", manifest.dataset.points),
            manifest.seconds,
            {name: manifest.metrics.get(name) for name in union},
        )
        for manifest in manifests
    ]


@dataclass(frozen=True)
class Requirement:
    """A bar for one metric: its value must be at most (``<=``) or at least (``>=``) the bound."""

    metric: str
    relation: str
    bound: float

    def missed_by(self, manifest: Manifest) -> str | None:
        """How the model misses the bar, or None if it meets it; what was not measured is missed."""
        measured = manifest.metrics.get(self.metric)
        if measured is None:
            known = ", ".join(manifest.metrics) or "none"
            return f"{manifest.reference} has no metric {self.metric} (it has: {known})"
        value = measured.value
        if value <= self.bound if self.relation == "<=" else value >= self.bound:
            return None
        return f"{manifest.reference} has {self.metric} = {value:g}, not {self.relation} {self.bound:g}"


def parse_requirement(text: str) -> Requirement:
    """Read ``METRIC<=VALUE`` or ``METRIC>=VALUE``.

    Raises:
        UsageError: anything else, or a bound that is not a finite number.
    """
    match = _REQUIREMENT.fullmatch(text)
    try:
        bound = math.nan if match is None else float(match[3])
    except ValueError:
        bound = math.nan
    if match is None or not math.isfinite(bound):
        raise UsageError(f'cannot read the requirement "{text}"', 'Write it like "median_abs_delta<=0.01".')
    return Requirement(match[1], match[2], bound)
