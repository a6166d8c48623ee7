"""Samplers of hadron collisions that adapt with fewer points, for tests of what does not depend on their map."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ampcli.generation import proton_points
from ampcli.phasespace import hadron_sampler

ROUND_BLOCKS, TAIL = 2, 12


@contextmanager
def quick_adaptation(round_blocks: int = ROUND_BLOCKS, tail: int = TAIL) -> Iterator[None]:
    """For a while, in this process: so many passes for each step of the grid, and for the weight to unweight by."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hadron_sampler, "_ROUND_BLOCKS", round_blocks)
        patch.setattr(proton_points, "TAIL", tail)
        yield
