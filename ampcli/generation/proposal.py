"""The surrogate that proposes a store's events: trained once, kept beside the store's adaptation."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ampcli.amplitudes.protocol import Provider
from ampcli.errors import IntegrityError
from ampcli.generation.quick_surrogate import QuickSurrogate, train_quick_surrogate
from ampcli.kinematics import FloatArray
from ampcli.phasespace.hadron_sampler import Adaptation, Drawn, HadronSampler
from ampcli.phasespace.two_stage import Stages, choose_stages, draw_two_stage
from ampcli.phasespace.vegas import VegasGrid
from ampcli.process import Process

#: Its file among a store's books.
PROPOSAL = "proposal.npz"

_POINTS, _TRAINING = 120_000, 40_000  # weighted points with exact amplitudes, and how many of them are learned


@dataclass(frozen=True)
class Proposal:
    """A surrogate as its tensors, and the maxima of both stages."""

    tensors: dict[str, Tensor]
    surrogate: QuickSurrogate
    stages: Stages

    @classmethod
    def train(
        cls, sampler: HadronSampler, grid: VegasGrid, rng: np.random.Generator, overweight: float, books: Path
    ) -> Proposal:
        """Learn from weighted points; those of large weight are more likely to be taken."""
        drawn, _ = sampler.draw(rng, _POINTS, Adaptation(grid, 1.0), False, lambda: None)
        chosen = _likely(drawn.weight, rng)
        seed = int(rng.integers(2**31))
        tensors = train_quick_surrogate(
            sampler.process, sampler.provider, drawn.momenta[chosen], drawn.amplitude[chosen], seed, books
        )
        surrogate = QuickSurrogate.restore(tensors, sampler.process, sampler.provider)
        return cls(tensors, surrogate, choose_stages(sampler, surrogate, rng, grid, overweight))

    def draw(
        self,
        sampler: HadronSampler,
        rng: np.random.Generator,
        rows: int,
        grid: VegasGrid,
        on_pass: Callable[[], None],
    ) -> tuple[Drawn, int, int]:
        """See `draw_two_stage`."""
        torch.set_num_threads(1)  # every worker is a process of its own
        return draw_two_stage(sampler, self.surrogate, self.stages, rng, rows, grid, on_pass)

    def save(self, file: Path) -> None:
        draft = file.with_suffix(".draft")
        arrays: dict[str, Any] = {name: tensor.numpy() for name, tensor in self.tensors.items()}
        with draft.open("wb") as stream:
            np.savez(stream, s_max=self.stages.s_max, r_max=self.stages.r_max, **arrays)
        draft.replace(file)

    @classmethod
    def load(cls, file: Path, process: Process, provider: Provider) -> Proposal:
        """
        Raises:
            IntegrityError: a damaged file.
        """
        try:
            with file.open("rb") as stream, np.load(stream) as stored:
                arrays = {name: stored[name] for name in stored.files}
            stages = Stages(float(arrays.pop("s_max")), float(arrays.pop("r_max")))
            tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
            return cls(tensors, QuickSurrogate.restore(tensors, process, provider), stages)
        except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
            raise IntegrityError(f"{file} cannot be read: {error}", "Generate the store again.") from None


def _likely(weight: FloatArray, rng: np.random.Generator) -> np.ndarray:
    """Rows without repetition, with probabilities like the square root of the weight (Gumbel's trick)."""
    keys = 0.5 * np.log(np.maximum(weight, np.finfo(float).tiny)) + rng.gumbel(size=len(weight))
    return np.sort(np.argsort(-keys)[: min(_TRAINING, len(weight))])
