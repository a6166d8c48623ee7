"""One way to use surrogates before one exact amplitude: certified, judged and executed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ampcli.kinematics import FloatArray, with_beams
from ampcli.speedup.judged import JudgedCascade
from ampcli.speedup.mixture import Mixture
from ampcli.speedup.report import Strategy
from ampcli.speedup.timing import times_faster

TOLERANCES = tuple(map(float, np.geomspace(1e-5, 1e-2, 13)))
"""Of each strategy's curve."""
_EXECUTED_SECONDS = 0.5  # about, of a mixture: as many batches as take so long


def measure_strategy(
    cascade: JudgedCascade,
    provider: str,
    mixture: Mixture,
    final: FloatArray,
    tolerance: float,
    exact_seconds: float,
    batch: int,
) -> Strategy:
    """Thresholds, what they give, and the time of the mixture as a whole.

    Args:
        mixture: of the same cascade; its thresholds do not matter.
        final: momenta of points that judge, (n, n_final, 4) in GeV.
        exact_seconds: of the provider, per event.
        batch: events in a batch.
    """
    curve = []
    for target in TOLERANCES:
        thresholds = cascade.certified(cascade.chosen(target, exact_seconds), target)
        judged = cascade.judged(thresholds, exact_seconds)
        curve.append((target, judged.tolerance, judged.factor))
    chosen = cascade.chosen(tolerance, exact_seconds)
    thresholds = cascade.certified(chosen, tolerance)
    judged = cascade.judged(thresholds, exact_seconds)
    executed = 1.0
    if thresholds is not None:
        mixture = replace(mixture, thresholds=thresholds)
        executed = _executed(mixture, final, exact_seconds / judged.factor, batch)
    correlation = cascade.cascade.correlation
    return Strategy(
        name=cascade.cascade.name,
        provider=provider,
        asks=[list(asked) for asked in cascade.cascade.asks],
        correlation=None if correlation is None else correlation.tolist(),
        certified=thresholds is not None,
        events_needed=cascade.counting[tolerance].needed,
        validation=cascade.before(chosen, exact_seconds),
        outcome=judged,
        executed=executed,
        curve=curve,
    )


def _executed(mixture: Mixture, final: FloatArray, expected: float, batch: int) -> float:
    """How many times faster a mixture runs than the exact amplitude, in whole batches of momenta (n, n_final, 4).

    Args:
        expected: seconds per event of the mixture; batches for about half a second are taken.
    """
    batches = max(min(len(final) // batch, round(_EXECUTED_SECONDS / (expected * batch))), 1)
    momenta = with_beams(np.resize(final, (batches * batch, *final.shape[1:])))
    one = momenta[:batch]
    return times_faster(
        lambda: mixture.run(momenta, batch), len(momenta), lambda: mixture.provider.evaluate(one), batch
    )
