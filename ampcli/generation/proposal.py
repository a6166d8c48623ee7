"""The surrogate that proposes a store's events: trained once, kept beside the store's adaptation.

Whether its two stages are worth it is decided once as well, from the counts of a pilot; if they are not, the store is
unweighted directly.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ampcli.amplitudes.protocol import Provider
from ampcli.device import one_thread
from ampcli.errors import IntegrityError
from ampcli.files import replacing
from ampcli.generation.quick_surrogate import QuickSurrogate, train_quick_surrogate
from ampcli.kinematics import FloatArray
from ampcli.phasespace.hadron_sampler import BLOCK, TAIL, Adaptation, Drawn, HadronSampler, largest_weight
from ampcli.phasespace.two_stage import PILOT, Choice, Cost, Stages, choose_stages, draw_two_stage
from ampcli.process import Process
from ampcli.progress import Bars, unseen

#: Its file among a store's books.
PROPOSAL = "proposal.npz"

_POINTS, _TRAINING = 120_000, 40_000  # weighted points with exact amplitudes, and how many of them are learned


@dataclass(frozen=True)
class Proposal:
    """A surrogate as its tensors, the maxima of both stages, and what they are expected to cost.

    Attributes:
        choice: None in stores that older versions began.
        w_max: the weight in pb to unweight by directly, where the two stages are not worth it.
    """

    tensors: dict[str, Tensor]
    surrogate: QuickSurrogate
    stages: Stages
    choice: Choice | None = None
    w_max: float | None = None

    @classmethod
    def train(
        cls,
        sampler: HadronSampler,
        adaptation: Adaptation,
        rng: np.random.Generator,
        overweight: float,
        books: Path,
        bars: Bars = unseen,
    ) -> Proposal:
        """Learn from weighted points; those of large weight are more likely to be taken."""
        # thinned points are those of large weight already
        points = _TRAINING if adaptation.thin else _POINTS
        with bars("points", points) as advance:
            drawn, _ = sampler.draw(rng, points, adaptation, False, lambda: None, advance)
        chosen = _likely(drawn.weight, rng)
        seed = int(rng.integers(2**31))
        with one_thread():
            tensors = train_quick_surrogate(
                sampler.process, sampler.provider, drawn.momenta[chosen], drawn.amplitude[chosen], seed, books, bars
            )
            surrogate = QuickSurrogate.restore(tensors, sampler.process, sampler.provider)
            reference = largest_weight(drawn.weight, overweight)
            with bars("points", PILOT) as advance:
                choice = choose_stages(sampler, surrogate, rng, adaptation, overweight, reference, advance)
        if choice is not None and choice.worth_it:
            return cls(tensors, surrogate, choice.stages, choice)
        with bars("points", TAIL * BLOCK) as advance:
            weights = sampler.weights(rng, adaptation, TAIL, lambda: advance(BLOCK))
        w_max = largest_weight(weights, overweight)
        return cls(tensors, surrogate, Stages(reference, 1.0), choice, w_max)

    def draw(
        self,
        sampler: HadronSampler,
        rng: np.random.Generator,
        rows: int,
        adaptation: Adaptation,
        on_pass: Callable[[], None],
    ) -> tuple[Drawn, int, int | None]:
        """Events, how many points were tried, and how many exact amplitudes that took, where they were counted."""
        if self.w_max is not None:
            return *sampler.draw(rng, rows, replace(adaptation, w_max=self.w_max), True, on_pass), None
        with one_thread():
            return draw_two_stage(sampler, self.surrogate, self.stages, rng, rows, adaptation, on_pass)

    @property
    def attributes(self) -> dict[str, Any]:
        """For the store: which way its events were unweighted, and what either was expected to cost per event."""
        way = {"unweighting": "two-stage" if self.w_max is None else "direct"}
        if self.choice is None:
            return way
        return way | {"expected_two_stage": asdict(self.choice.cost), "expected_direct": asdict(self.choice.direct)}

    def save(self, file: Path) -> None:
        arrays: dict[str, Any] = {name: tensor.numpy() for name, tensor in self.tensors.items()}
        if self.choice is not None:
            arrays["costs"] = np.array([[cost.points, cost.exact] for cost in (self.choice.cost, self.choice.direct)])
        if self.w_max is not None:
            arrays["w_max"] = self.w_max
        with replacing(file) as draft, draft.open("wb") as stream:
            np.savez(stream, s_max=self.stages.s_max, r_max=self.stages.r_max, **arrays)

    @classmethod
    def load(cls, file: Path, process: Process, provider: Provider) -> Proposal:
        """What `save` wrote.

        Raises:
            IntegrityError: a damaged file.
        """
        try:
            with file.open("rb") as stream, np.load(stream) as stored:
                arrays = {name: stored[name] for name in stored.files}
            stages = Stages(float(arrays.pop("s_max")), float(arrays.pop("r_max")))
            costs, w_max = arrays.pop("costs", None), arrays.pop("w_max", None)
            choice = None if costs is None else Choice(stages, *(Cost(*cost) for cost in costs.tolist()))
            tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
            surrogate = QuickSurrogate.restore(tensors, process, provider)
            return cls(tensors, surrogate, stages, choice, None if w_max is None else float(w_max))
        except (OSError, TypeError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
            raise IntegrityError(f"{file} cannot be read: {error}", "Generate the store again.") from None


def _likely(weight: FloatArray, rng: np.random.Generator) -> np.ndarray:
    """Rows without repetition, with probabilities like the square root of the weight (Gumbel's trick)."""
    keys = 0.5 * np.log(np.maximum(weight, np.finfo(float).tiny)) + rng.gumbel(size=len(weight))
    return np.sort(np.argsort(-keys)[: min(_TRAINING, len(weight))])
