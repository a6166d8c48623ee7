"""Points where a model is unsure: proposals of another source, kept the more likely the larger their uncertainty.

The weights are divided by the probability, so that they still give the physical distribution.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from ampcli.amplitudes.protocol import Provider
from ampcli.collisions import AnyCollisions
from ampcli.collisions.base import SampledCollisions
from ampcli.collisions.refined import Refined
from ampcli.device import one_thread
from ampcli.errors import UsageError, setting
from ampcli.generation.points import Points, PointSource
from ampcli.generation.trial import Trial
from ampcli.inference.described import require_amplitudes
from ampcli.inference.load import load_folder, load_predictor
from ampcli.inference.predictor import Predictor
from ampcli.kinematics import FloatArray
from ampcli.progress import Bars, unseen
from ampcli.registry.manifest import manifest_sha256, read_manifest
from ampcli.registry.resolve import resolve
from ampcli.registry.search import find_registry
from ampcli.uncertainty.certificate import largest_usual, relative_size

_LEAST = 0.05
_CHUNK = 1024  # proposals at least that are drawn at once
_STREAMS = 256  # of a part; of each as many proposals as the part has rows, of which one in twenty at least is kept


@dataclass(frozen=True)
class RefinedPoints:
    """Points of `source` where a model is unsure."""

    source: PointSource
    refined: Refined
    registry: Path | None

    intake: ClassVar[None] = None

    @property
    def collisions(self) -> AnyCollisions:
        return self.source.collisions.model_copy(update={"refined": self.refined})

    def __getstate__(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}  # no networks

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)

    @cached_property
    def _predictor(self) -> Predictor:
        return load_predictor(self.refined.model, self.registry, "cpu")

    def as_begun(self, begun: AnyCollisions) -> RefinedPoints:
        """See `PointSource`."""
        earlier = self.source.as_begun(begun)
        return self if earlier is self.source else replace(self, source=earlier)

    def prepare(self, books: Path, bars: Bars = unseen) -> None:
        """See `PointSource`."""
        self.source.prepare(books, bars)

    def attributes(self, books: Path) -> dict[str, Any]:
        """See `PointSource`."""
        return self.source.attributes(books)

    def trial(self) -> Trial:
        """See `PointSource`."""
        found = self.source.trial()
        self._chance(found.points.outgoing)  # the first call takes longer
        begun = time.perf_counter()
        chance = self._chance(found.points.outgoing)
        each = (time.perf_counter() - begun) / len(chance)
        return replace(found, kept=found.kept * float(chance.mean()), seconds=found.seconds + found.kept * each)

    def points(self, part: int, rows: slice, books: Path, on_pass: Callable[[], None]) -> Points:
        """See `PointSource`."""
        wanted = rows.stop - rows.start
        drawn = self.source.collisions
        assert isinstance(drawn, SampledCollisions)
        rng = np.random.Generator(np.random.SFC64(np.random.SeedSequence(drawn.seed, spawn_key=(part, 0, 0))))
        pieces: list[Points] = []
        done = 0
        for number in range(_STREAMS):
            stream = (part + 1) * _STREAMS + number  # other points than those of an ordinary store's first parts
            proposed = self.source.points(stream, slice(0, max(wanted, _CHUNK)), books, on_pass)
            chance = self._chance(proposed.outgoing)
            kept = np.flatnonzero(rng.random(len(chance)) < chance)[: wanted - done]
            done += len(kept)
            # events are spread evenly over the points that were tried for them
            looked = 1.0 if done < wanted else (kept[-1] + 1) / len(chance)
            pieces.append(_kept(proposed, kept, chance[kept], looked))
            if done == wanted:
                return _joined(pieces)
        raise UsageError(
            f"{self.refined.model} is too sure of all events: {done} of {wanted} were kept",
            f"Leave {setting('refine')} out.",
        )

    def _chance(self, final: FloatArray) -> FloatArray:
        """With which probability events (n, n_final, 4) are kept, (n,)."""
        with one_thread():
            found = self._predictor.predicted(final)
        relative = np.nan_to_num(relative_size(found.amplitude, found.uncertainty), nan=np.inf)
        return np.clip(relative / self.refined.kept_from, self.refined.least, 1.0)


def _kept(proposed: Points, rows: np.ndarray, chance: FloatArray, looked: float) -> Points:
    """Some of the proposals, of a share of all that was looked at."""
    return replace(
        proposed,
        incoming=proposed.incoming[rows],
        outgoing=proposed.outgoing[rows],
        weight=proposed.weight[rows] / chance,
        tried=round(proposed.tried * looked),
        amplitude=None if proposed.amplitude is None else proposed.amplitude[rows],
        columns={name: values[rows] for name, values in proposed.columns.items()},
    )


def _joined(pieces: list[Points]) -> Points:
    arrays: dict[str, Any] = {}
    for name in ("incoming", "outgoing", "weight", "amplitude"):
        each = [getattr(piece, name) for piece in pieces]
        arrays[name] = None if each[0] is None else np.concatenate(each)
    columns = {name: np.concatenate([piece.columns[name] for piece in pieces]) for name in pieces[0].columns}
    counts = [piece.exact for piece in pieces]
    exact = None if None in counts else sum(count for count in counts if count is not None)
    return Points(**arrays, tried=sum(piece.tried for piece in pieces), exact=exact, columns=columns)


def refined_points(source: PointSource, provider: Provider, model: str, registry: Path | None) -> RefinedPoints:
    """Points of a source where a model of the registry is unsure.

    Raises:
        UsageError: the model describes other amplitudes, or tells no point from another.
        NotFoundError: no such model.
    """
    found = find_registry(registry)
    folder = resolve(found, model)
    manifest = read_manifest(folder)
    collisions = source.collisions
    require_amplitudes(manifest, str(provider.process), collisions.sqrt_s, provider.identity(), "the new store")
    kind = load_folder(folder, manifest, torch.device("cpu"), found).uncertainty_kind
    largest = largest_usual(manifest)
    if not kind.by_point or largest is None:
        raise UsageError(
            f"{setting('refine')} {model}: {manifest.reference} does not know which points it is unsure of",
            "`ampcli calibrate` adds what is missing to models with an uncertainty of their own; take one of these.",
        )
    refined = Refined(
        model=manifest.reference, manifest_sha256=manifest_sha256(folder), kept_from=largest, least=_LEAST
    )
    return RefinedPoints(source, refined, registry)
