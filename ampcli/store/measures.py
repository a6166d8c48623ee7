"""What the rows of a store count: as points of phase space, and as events."""

from __future__ import annotations

from dataclasses import dataclass

from ampcli.store.plan import GivenSource, RamboSource
from ampcli.store.reader import Split, Store
from ampcli.weighted import Floats


@dataclass(frozen=True)
class Measures:
    """Two weights of n rows.

    Attributes:
        points: (n,) such that the rows stand for phase space: flat in e+e- collisions, as sampled in those of protons
            and for given points (None: all rows alike).
        events: (n,) such that they stand for the cross section, in pb: weight x |M|^2, so that the excess weights of
            unweighted events count.  None where it is not known: given points.
    """

    points: Floats | None = None
    events: Floats | None = None


def measures(store: Store, split: Split) -> Measures:
    """The measures of a split of a store."""
    if isinstance(store.plan.source, GivenSource):
        return Measures()
    weight = store.read_split("weight", split)
    is_flat = isinstance(store.plan.source, RamboSource)
    return Measures(weight if is_flat else None, weight * store.read_split("amplitude", split))
