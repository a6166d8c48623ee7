"""Samplers of hadron collisions that adapt with fewer points, for tests of what does not depend on their map."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ampcli.generation import proton_points
from ampcli.phasespace import hadron_sampler

ROUND_BLOCKS, TAIL = 2, 12


@contextmanager
def quick_adaptation() -> Iterator[None]:
    """For a while, in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hadron_sampler, "_ROUND_BLOCKS", ROUND_BLOCKS)
        patch.setattr(proton_points, "TAIL", TAIL)
        yield
