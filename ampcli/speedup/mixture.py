"""A mixture of surrogates and exact amplitudes, executed: what it takes, gathers and small batches included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ampcli.amplitudes.protocol import Provider
from ampcli.evaluation.metrics import Floats
from ampcli.inference.predictor import Predictor
from ampcli.kinematics import FloatArray, checked_momenta
from ampcli.speedup.cascades import Cascade
from ampcli.speedup.points import relative_or_unsure


@dataclass(frozen=True)
class Mixture:
    """Surrogates with their thresholds, and the exact amplitude for what they leave."""

    predictors: Sequence[Predictor]
    cascade: Cascade
    thresholds: Sequence[float]
    provider: Provider

    def run(self, momenta: FloatArray, batch: int) -> tuple[Floats, list[int]]:
        """Amplitudes of events, batch after batch.

        Each batch goes through all stages: those that a stage leaves undecided are gathered for the next one.

        Args:
            momenta: (n, n_external, 4) in GeV.

        Returns:
            Amplitudes (n,), and how many events each stage decided and how many were computed exactly.
        """
        amplitude = np.empty(len(momenta))
        counts = [0] * (len(self.thresholds) + 1)
        for start in range(0, len(momenta), batch):
            rows = slice(start, start + batch)
            amplitude[rows], found = self._batch(momenta[rows])
            counts = [a + b for a, b in zip(counts, found, strict=True)]
        return amplitude, counts

    def _batch(self, momenta: FloatArray) -> tuple[Floats, list[int]]:
        checked = checked_momenta(momenta, self.provider.process)
        result = np.empty(len(checked))
        left = np.arange(len(checked))
        known: dict[int, tuple[Floats, Floats]] = {}  # amplitude and relative uncertainty of the events left
        counts = []
        for asked, threshold in zip(self.cascade.asks, self.thresholds, strict=True):
            if len(left) == 0:
                counts.append(0)
                continue
            final = np.ascontiguousarray(checked[left, 2:])
            for number in asked:
                if number not in known:
                    amplitude, uncertainty = self.predictors[number].predict_final(final)
                    known[number] = amplitude, relative_or_unsure(amplitude, uncertainty)
            predicted, relative = zip(*(known[number] for number in asked), strict=True)
            value, size = self.cascade.joined(predicted, relative)
            sure = (size < threshold) & (value > 0)
            result[left[sure]] = value[sure]
            counts.append(int(np.count_nonzero(sure)))
            left = left[~sure]
            known = {number: (a[~sure], u[~sure]) for number, (a, u) in known.items()}
        if len(left):
            result[left] = self.provider.evaluate(checked[left])
        return result, [*counts, len(left)]
