"""What the rows of a store count: as points of phase space, and as events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ampcli.store.reader import Split, Store
from ampcli.weighted import Floats, effective_number, significant

#: As many effective rows make a measure's tails known well enough to be quoted, or to calibrate with.
ENOUGH = 1000

_APART = 0.05


@dataclass(frozen=True)
class Measures:
    """Two weights of n rows.

    Attributes:
        points: (n,) such that the rows stand for phase space: flat in e+e- collisions, as sampled in those of protons
            and for given points (None: all rows alike).
        events: (n,) such that they stand for the cross section, in pb: weight x |M|^2, so that the excess weights of
            unweighted events count; of given points the weights that their file has.  None where it is not known.
    """

    points: Floats | None = None
    events: Floats | None = None

    def apart(self, rows: int) -> dict[str, Floats | None]:
        """By name: points, and events where they are known and more than a twentieth of their weight lies elsewhere."""
        found: dict[str, Floats | None] = {"points": self.points}
        if self.events is not None:
            points = np.full(rows, 1 / rows) if self.points is None else self.points / self.points.sum()
            if np.abs(self.events / self.events.sum() - points).sum() / 2 > _APART:
                found["events"] = self.events
        return found

    def known(self, rows: int) -> dict[str, Floats | None]:
        """By name, those that so many rows know well: the one of more effective rows, and the other if it has `ENOUGH`
        of them.
        """
        found = {"points": significant(self.points)}
        if self.events is not None:
            found["events"] = significant(self.events)
        effective = {name: effective_number(weight, rows) for name, weight in found.items()}
        best = max(effective, key=lambda name: effective[name])
        return {name: weight for name, weight in found.items() if name == best or effective[name] >= ENOUGH}


def balanced(known: Mapping[str, Floats | None], rows: int) -> Floats | None:
    """Weights under which some measures (`Measures.known`) have the same total; None where all rows count alike."""
    shares = [np.full(rows, 1 / rows) if weight is None else weight / weight.sum() for weight in known.values()]
    return significant(np.sum(shares, axis=0))


def measures(store: Store, split: Split) -> Measures:
    """The measures of a split of a store."""
    if not store.plan.source.are_sampled:
        if "event_weight" not in store.plan.arrays:
            return Measures()
        events = store.read_split("event_weight", split)
        return Measures(events=events if (events >= 0).all() and events.any() else None)
    weight = store.read_split("weight", split)
    flat = weight if store.plan.source.have_flat_weights else None
    if store.plan.provider.signed:
        return Measures(flat)
    return Measures(flat, weight * store.read_split("amplitude", split))
