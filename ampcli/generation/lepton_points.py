"""Points of e+e- collisions for `ampcli gen`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ampcli.amplitudes.protocol import Provider
from ampcli.collisions import AnyCollisions
from ampcli.collisions.leptons import LeptonCollisions
from ampcli.errors import IntegrityError, UsageError, setting
from ampcli.files import read_file, replacing
from ampcli.generation.points import Points, require_positive
from ampcli.generation.trial import ROWS, Trial, timed_amplitudes
from ampcli.kinematics import with_beams
from ampcli.locks import locked
from ampcli.phasespace.hadron_sampler import excess_threshold
from ampcli.phasespace.rambo import cross_section_weight
from ampcli.phasespace.sampler import LeptonSampler, Sampling
from ampcli.phasespace.selection import Cuts
from ampcli.process import Process
from ampcli.progress import Bars, unseen
from ampcli.seal import check_seal, sealed

IntArray = npt.NDArray[np.int64]

#: Of collisions in GeV, far beyond any machine: squares and fourth powers are still numbers.
_ENERGIES = (1e-6, 1e12)

_LARGEST_WEIGHT = "weight.json"
_PILOT = 2**17  # points from which the largest weight follows
_BATCH = 8192  # points between two looks at whether to stop


@dataclass(frozen=True)
class LeptonSettings:
    """What the user chose: energy in GeV, smallest s_ij / s, and how points are drawn within the cuts.

    Attributes:
        overweight: share of the cross section in excess weights of unweighted events; None: all points are kept.
    """

    sqrt_s: float = 1000.0
    y_cut: float = 1e-3
    cuts: Cuts = "durham"
    sampling: Sampling = "flat"
    overweight: float | None = None

    note: ClassVar[None] = None

    def require_possible(self, process: Process) -> None:
        """See `ampcli.generation.points.Settings`."""
        if not _ENERGIES[0] <= self.sqrt_s <= _ENERGIES[1]:
            raise UsageError(
                f"{setting('sqrt_s')} {self.sqrt_s:g}: energies in GeV lie between {_ENERGIES[0]:g} "
                f"and {_ENERGIES[1]:g}"
            )
        if not self.y_cut >= 0:
            raise UsageError(
                f"{setting('y_cut')} {self.y_cut:g}: a share of s is needed", "Typical values are 1e-2 to 1e-4."
            )
        if self.y_cut == 0:
            raise UsageError(
                f"{setting('y_cut')} 0: soft and collinear partons make the cross section infinite", "Give one above 0."
            )
        if self.overweight is not None and not 0 < self.overweight < 1:
            raise UsageError(f"{setting('overweight')} {self.overweight:g}: a share between 0 and 1 is needed")

    def points(self, process: Process, provider: Provider, seed: int) -> LeptonPoints:
        """See `ampcli.generation.points.Settings`."""
        if self.overweight is not None:
            require_positive(provider)
        sampling = self.sampling if self.overweight is None else "mixed"
        collisions = LeptonCollisions(
            sqrt_s=self.sqrt_s,
            y_cut=self.y_cut,
            seed=seed,
            cuts=self.cuts,
            sampling=sampling,
            overweight=self.overweight,
            sampler=2 if sampling == "flat" and process.n_jets == process.n_final else 1,
        )
        drawn = LeptonPoints(process, collisions, provider)
        drawn.sampler  # noqa: B018 - refuses impossible cuts before anything is generated
        return drawn


@dataclass(frozen=True)
class LeptonPoints:
    """Points within the e+e- selection; the stream of a part is SeedSequence(seed, part)."""

    process: Process
    collisions: LeptonCollisions
    provider: Provider

    intake: ClassVar[None] = None

    @cached_property
    def sampler(self) -> LeptonSampler:
        drawn = self.collisions
        return LeptonSampler(self.process, drawn.selection, drawn.sampling, drawn.sampler)

    def as_begun(self, begun: AnyCollisions) -> LeptonPoints:
        """See `PointSource`."""
        if not isinstance(begun, LeptonCollisions) or begun.sampler > self.collisions.sampler:
            return self
        return replace(self, collisions=self.collisions.model_copy(update={"sampler": begun.sampler}))

    def _stream(self, *key: int) -> np.random.Generator:
        return np.random.Generator(np.random.SFC64(np.random.SeedSequence(self.collisions.seed, spawn_key=key)))

    def _sample(self, rng: np.random.Generator, rows: int) -> tuple[Points, IntArray]:
        """Points with their phase-space weights, and how many were tried for each."""
        outgoing, relative, tries = self.sampler.draw(rng, rows)
        beams = with_beams(outgoing[:1], self.collisions.sqrt_s)[:, :2]
        weight = cross_section_weight(self.process.n_final, self.collisions.sqrt_s) * relative
        return Points(np.broadcast_to(beams, (rows, 2, 4)), outgoing, weight, int(tries[-1])), tries

    def prepare(self, books: Path, bars: Bars = unseen) -> None:
        """Find the weight to unweight by, unless another share of the store has done it."""
        if self.collisions.overweight is None:
            return
        file = books / _LARGEST_WEIGHT
        with locked(books / "locks" / "weight.lock", f"{books} is being prepared", "Wait.", seconds=-1):
            if not file.is_file():
                points, _ = self._sample(self._stream(0, 0), _PILOT)
                amplitude = np.empty(_PILOT)
                with bars("points", _PILOT) as advance:
                    for start in range(0, _PILOT, _BATCH):
                        rows = slice(start, start + _BATCH)
                        amplitude[rows] = self.provider.evaluate(points.batch(rows))
                        advance(_BATCH)
                largest = excess_threshold(points.weight * amplitude, self.collisions.overweight)
                with replacing(file) as draft:
                    draft.write_text(json.dumps(sealed({"largest_weight": largest})))

    def attributes(self, books: Path) -> dict[str, Any]:
        return {}

    def trial(self) -> Trial:
        """See `PointSource`."""
        rng = self._stream(0, 1)
        self._sample(rng, ROWS)  # the first call takes longer
        begun = time.perf_counter()
        points, _ = self._sample(rng, ROWS)
        seconds = time.perf_counter() - begun
        if self.collisions.overweight is None:
            return Trial(points, points.tried, ROWS, seconds)
        amplitude, each = timed_amplitudes(self.provider, points.batch(slice(None)))
        size = points.weight[: len(amplitude)] * np.nan_to_num(amplitude)
        share = np.minimum(size / excess_threshold(size, self.collisions.overweight), 1.0).mean()
        tested = replace(points, amplitude=np.resize(amplitude, ROWS))
        seconds += ROWS * each
        return Trial(tested, points.tried, ROWS * float(share), seconds, _PILOT / ROWS * seconds)

    def points(self, part: int, rows: slice, books: Path, on_pass: Callable[[], None]) -> Points:
        n = rows.stop - rows.start
        if self.collisions.overweight is None:
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
        incoming, outgoing, weights, amplitudes = (
            np.concatenate([getattr(piece, name) for piece in pieces])
            for name in ("incoming", "outgoing", "weight", "amplitude")
        )
        return Points(incoming, outgoing, weights, tried, amplitudes, exact)


def _read_largest_weight(file: Path) -> float:
    """In the unit of the points' weights.

    Raises:
        IntegrityError: a damaged file.
    """
    hint = f"Remove it and run the same command again with {setting('resume')}, or generate the store again."
    try:
        document = json.loads(read_file(file))
        check_seal(document, file, hint)
        return float(document["largest_weight"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise IntegrityError(f"{file} cannot be read: {error}", hint) from None
