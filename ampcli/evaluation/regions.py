"""Phase-space regions: decades of the smallest two-particle invariant, from singular to hard."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ampcli.evaluation.metrics import Floats

BELOW_CUT = "below y_cut"
_LOWEST = -12  # decades of s below this are rounding noise of the momenta: one region


def regions(min_sij: Floats, y_cut: float | None) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield (name, (n,) mask) of every populated region, the most singular first; each row is in exactly one.

    Args:
        min_sij: (n,) min s_ij / s, dimensionless, in [0, 1].
        y_cut: the cut on s_ij / s of the training points, or None.  With it the regions are decades above it
            ("1-10 y_cut", ...) and "below y_cut", where the model extrapolates; without it, decades of s.
    """
    if y_cut is not None:
        below = min_sij < y_cut
        if below.any():
            yield BELOW_CUT, below
        decade = _decade(min_sij / y_cut, lowest=0)
        for k in _present(decade[~below]):
            yield f"{10.0**k:g}-{10.0 ** (k + 1):g} y_cut", ~below & (decade == k)
        return
    decade = np.minimum(_decade(min_sij, lowest=_LOWEST), -1)  # s_ij = s belongs to the last decade
    for k in _present(decade):
        yield (f"below 1e{k + 1} s" if k == _LOWEST else f"1e{k} to 1e{k + 1} s"), decade == k


def _decade(values: Floats, lowest: int) -> NDArray[np.int64]:
    """(n,) k with 10^k <= value < 10^(k+1), at least `lowest`; compares with powers, so edges are exact."""
    edges = 10.0 ** np.arange(lowest + 1, 17)
    return np.searchsorted(edges, values, side="right") + lowest


def _present(decade: NDArray[np.int64]) -> list[int]:
    return [int(k) for k in np.unique(decade)]
