"""Where phase-space points come from, and those of e+e- collisions."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ampcli.amplitudes.protocol import Provider
from ampcli.errors import IntegrityError
from ampcli.files import read_file
from ampcli.kinematics import FloatArray, with_beams
from ampcli.locks import locked
from ampcli.phasespace.hadron_sampler import excess_threshold
from ampcli.phasespace.rambo import cross_section_weight
from ampcli.phasespace.sampler import LeptonSampler
from ampcli.phasespace.selection import Selection
from ampcli.process import Process
from ampcli.seal import check_seal, sealed
from ampcli.store.parts import write_atomically
from ampcli.store.plan import RamboSource

IntArray = npt.NDArray[np.int64]

_LARGEST_WEIGHT = "weight.json"
_PILOT = 2**17  # points from which the largest weight follows
_BATCH = 8192  # points between two looks at whether to stop


@dataclass
class Points:
    """Phase-space points before their amplitudes are known."""

    incoming: FloatArray  # (n, 2, 4)
    outgoing: FloatArray  # (n, n_final, 4), C-contiguous
    weight: FloatArray  # (n,)
    tried: int
    amplitude: FloatArray | None = None  # (n,), where sampling needed it
    x: FloatArray | None = None  # (n, 2), of hadron beams
    exact: int | None = None  # exact amplitudes that sampling took, where they were counted
    event: FloatArray | None = None  # (n,), numbers of given events in their file
    event_weight: FloatArray | None = None  # (n,), weights that the file has for them

    def batch(self, rows: slice) -> FloatArray:
        """Momenta (batch, n_external, 4) of some rows, incoming first."""
        return np.concatenate([self.incoming[rows], self.outgoing[rows]], axis=1)


class PointSource(Protocol):
    """Picklable; every part's points are a function of the part alone."""

    def prepare(self, books: Path) -> None:
        """What comes before the first part, once for a store; `books` is the folder to keep it in."""
        ...

    def points(self, part: int, rows: slice, books: Path, on_pass: Callable[[], None]) -> Points:
        """The points of a part; `on_pass` is called now and then, and may raise to stop."""
        ...

    def attributes(self, books: Path) -> dict[str, Any]:
        """What a finished store's attributes say of how its points were drawn."""
        ...


@dataclass(frozen=True)
class SampledPoints:
    """Points within the e+e- selection; the stream of a part is SeedSequence(seed, part)."""

    process: Process
    source: RamboSource
    provider: Provider

    @cached_property
    def sampler(self) -> LeptonSampler:
        selection = Selection(self.source.sqrt_s, self.source.y_cut, self.source.cuts)
        return LeptonSampler(self.process, selection, self.source.sampling)

    def _stream(self, *key: int) -> np.random.Generator:
        return np.random.Generator(np.random.SFC64(np.random.SeedSequence(self.source.seed, spawn_key=key)))

    def _sample(self, rng: np.random.Generator, rows: int) -> tuple[Points, IntArray]:
        """Points with their phase-space weights, and how many were tried for each."""
        outgoing, relative, tries = self.sampler.draw(rng, rows)
        beams = with_beams(outgoing[:1], self.source.sqrt_s)[:, :2]
        weight = cross_section_weight(self.process.n_final, self.source.sqrt_s) * relative
        return Points(np.broadcast_to(beams, (rows, 2, 4)), outgoing, weight, int(tries[-1])), tries

    def prepare(self, books: Path) -> None:
        """Find the weight to unweight by, unless another share of the store has done it."""
        if self.source.overweight is None:
            return
        file = books / _LARGEST_WEIGHT
        with locked(books / "locks" / "weight.lock", f"{books} is being prepared", "Wait.", seconds=-1):
            if not file.is_file():
                points, _ = self._sample(self._stream(0, 0), _PILOT)
                weights = points.weight * self.provider.evaluate(points.batch(slice(None)))
                largest = excess_threshold(weights, self.source.overweight)
                write_atomically(file, json.dumps(sealed({"largest_weight": largest})))

    def attributes(self, books: Path) -> dict[str, Any]:
        return {}

    def points(self, part: int, rows: slice, books: Path, on_pass: Callable[[], None]) -> Points:
        n = rows.stop - rows.start
        if self.source.overweight is None:
            return self._sample(self._stream(part), n)[0]
        largest = _read_largest_weight(books / _LARGEST_WEIGHT)
        rng = self._stream(part)
        pieces: list[Points] = []
        done = tried = exact = 0
        while done < n:
            on_pass()
            points, tries = self._sample(rng, _BATCH)
            amplitude = self.provider.evaluate(points.batch(slice(None)))
            size = points.weight * amplitude
            kept = np.flatnonzero(rng.random(_BATCH) * largest < size)[: n - done]
            done += len(kept)
            exact += _BATCH if done < n else int(kept[-1]) + 1
            tried += points.tried if done < n else int(tries[kept[-1]])
            weight = np.maximum(size[kept], largest) / amplitude[kept]
            pieces.append(
                Points(points.incoming[kept], points.outgoing[kept], weight, tried, amplitude[kept], exact=exact)
            )
        joined = {
            name: np.concatenate([getattr(piece, name) for piece in pieces])
            for name in ("incoming", "outgoing", "weight", "amplitude")
        }
        return Points(**joined, tried=tried, exact=exact)


def _read_largest_weight(file: Path) -> float:
    """
    Raises:
        IntegrityError: a damaged file.
    """
    hint = "Remove it and run the same command again with --resume, or generate the store again."
    try:
        document = json.loads(read_file(file))
        check_seal(document, file, hint)
        return float(document["largest_weight"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise IntegrityError(f"{file} cannot be read: {error}", hint) from None
