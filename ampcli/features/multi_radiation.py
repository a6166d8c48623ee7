"""Blocks of several radiations at once (fg1,ig1,fq1): an amplitude as a sum over ways to undo an emission.

L. Beccatini et al., "Amplitude Surrogates for Multi-Jet Processes" (2025), Eq. 13.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ampcli.amplitudes.protocol import Provider
from ampcli.errors import UsageError
from ampcli.features.radiation import RadiationBlock
from ampcli.library.bundle import Value


class MultiRadiationBlock:
    """Arrays of `RadiationBlock` with the R radiations side by side.

    kernel and reduced_amplitude (n, R), reduced_momenta (n, R, legs, 4); legs, variables and inputs one after another.

    Args:
        name: in the store and in manifests, such as ``fg1,ig1+``.
        blocks: of one process and with the same options; all undo one emission, or all two.

    Raises:
        UsageError: one emission in one block and two in another, or the same one twice.
    """

    def __init__(self, name: str, blocks: Sequence[RadiationBlock]) -> None:
        radiations = [block.radiation for block in blocks]
        if len({radiation.steps for radiation in radiations}) > 1 or len(set(radiations)) < len(radiations):
            raise UsageError(
                f"the features {name} mix one emission with two, or name one twice",
                "Name different radiations, such as fg1,ig1.",
            )
        self.name = name
        self.blocks = list(blocks)
        self.version = max(block.version for block in blocks) - 1
        self.options: dict[str, Any] = blocks[0].options

    @property
    def provider(self) -> Provider:
        """Of the reduced amplitudes, which all belong to one process."""
        return self.blocks[0].provider

    def shapes(self) -> dict[str, tuple[int, ...]]:
        every = [block.shapes() for block in self.blocks]
        side_by_side = {key: (len(every), *every[0][key]) for key in _STACKED}
        return side_by_side | {key: (sum(shapes[key][0] for shapes in every),) for key in _JOINED}

    def bundle(self) -> dict[str, Value] | None:
        """As that of one radiation."""
        every = [block.bundle() for block in self.blocks]
        if not every or any(content is None for content in every):
            return None
        tasks = np.stack([np.frombuffer(block.task, dtype=np.uint8) for block in self.blocks])
        return {**(every[0] or {}), "tasks": tasks}

    def compute(self, momenta: Tensor) -> dict[str, Tensor]:
        every = [block.compute(momenta) for block in self.blocks]
        stacked = {key: torch.stack([arrays[key] for arrays in every], dim=1) for key in _STACKED}
        return stacked | {key: torch.cat([arrays[key] for arrays in every], dim=1) for key in _JOINED}


_STACKED = ("kernel", "reduced_momenta", "reduced_amplitude")
_JOINED = ("legs", "variables", "inputs")
