"""Does the confidence of `ampcli speedup` hold, and is its factor that of the mixture executed?

    python benchmarks/speedup_confidence.py [--repeats 100] [--events 25000 75000] [--tolerances 1e-3 1e-4 3e-5 1e-5]
    python benchmarks/speedup_confidence.py --store STORE MODEL MODEL [--provider native] [--registry registry]

The first form draws events of surrogates whose rates of wrong decisions are known in closed form (Gaussian errors of
ln|M|^2, of the predicted width), chooses and certifies thresholds as the command does, and counts how often the true
rate exceeds the tolerance asked for: at most 5 % of the repeats may.  `before` is the rule of earlier versions:
thresholds that were chosen on the same points, with expected - 1.645 sqrt(expected) wrong decisions.

The second form times the parts of mixtures and the mixtures executed, on a quiet machine.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from ampcli.device import set_threads
from ampcli.evaluation.metrics import Floats
from ampcli.inference.load import load_predictor
from ampcli.registry.search import find_registry
from ampcli.speedup.candidates import rank_candidates
from ampcli.speedup.cascades import Cascade, Seconds, cascades
from ampcli.speedup.certify import WeightSpread, certified_scale, critical_scales
from ampcli.speedup.measure import measure_speedup, providers_of
from ampcli.speedup.points import PredictedPoints
from ampcli.speedup.spent import trained_networks
from ampcli.speedup.thresholds import scaled
from ampcli.store.reader import open_store
from ampcli.uncertainty.covariance import combine_by_covariance

ACCURACY, EXACT = 0.03, 300e-6
SURROGATES = ((-5.6, 0.75, 7e-6), (-5.1, 0.7, 6e-6), (-5.3, 0.8, 8e-6))  # mean and deviation of ln sigma, seconds
POPULATION = 100_000


def population(rng: np.random.Generator) -> Floats:
    """Widths (surrogates, `POPULATION`), a common part in all."""
    common = rng.normal(size=POPULATION)
    return np.array(
        [np.exp(mean + width * (0.7 * common + 0.7 * rng.normal(size=POPULATION))) for mean, width, _ in SURROGATES]
    )


def draw(widths: Floats, n: int, rng: np.random.Generator) -> PredictedPoints:
    """Events of the population with errors of their own."""
    some = widths[:, rng.integers(0, widths.shape[1], n)]
    predicted = np.exp(some * rng.normal(size=some.shape))
    return PredictedPoints(np.empty((n, 0, 4)), np.ones(n), np.ones(n), list(predicted), list(some))


def wrong_rate(widths: Floats) -> Floats:
    """Of events whose ln|M|^2 is off by so much (1 sigma)."""
    low, high = (math.log1p(side) / math.sqrt(2) for side in (-ACCURACY, ACCURACY))
    erf = np.vectorize(math.erf)
    return np.asarray(1 - 0.5 * (erf(high / widths) - erf(low / widths)))


class Truth:
    """True rates of wrong decisions, from the widths of the whole population."""

    def __init__(self, cascade: Cascade, widths: Floats) -> None:
        self.steps = []
        for asked in cascade.asks:
            sizes = widths[list(asked)]
            if len(asked) == 1:
                self.steps.append((sizes[0], wrong_rate_table(sizes[0])))
                continue
            assert cascade.correlation is not None
            relative = torch.from_numpy(sizes)
            share = torch.exp(torch.tensor([[1.0], [0.0]]).double()).expand(2, sizes.shape[1])
            value, size = combine_by_covariance(share, relative, cascade.correlation)
            first = value.log().numpy()  # the weight of the first prediction in the logarithm
            width = np.hypot(first * sizes[0], (1 - first) * sizes[1])
            self.steps.append((size.numpy(), wrong_rate_table(width)))

    def __call__(self, thresholds: Sequence[float]) -> float:
        left, total = np.ones(len(self.steps[0][0]), dtype=bool), 0.0
        for (size, rate), threshold in zip(self.steps, thresholds, strict=True):
            sure = left & (size < threshold)
            total += float(rate[sure].sum())
            left &= ~sure
        return total / len(left)


_GRID = np.geomspace(1e-5, 10, 4000)
_RATES = wrong_rate(_GRID)


def wrong_rate_table(widths: Floats) -> Floats:
    """`wrong_rate`, interpolated."""
    return np.interp(widths, _GRID, _RATES)


def certify(
    cascade: Cascade, choosing: PredictedPoints, certifying: PredictedPoints, tolerance: float
) -> list[float] | None:
    """Thresholds as `ampcli speedup` finds them; None: no threshold."""
    stages = cascade.stages(choosing)
    chosen = cascade.search(stages, ACCURACY, choosing.weight).best(tolerance, EXACT)
    unseen = cascade.stages(certifying)
    critical = critical_scales(unseen, chosen, ACCURACY)
    known = WeightSpread.of(choosing.weight).counting(len(certifying), tolerance)
    scale = certified_scale(critical, certifying.weight, known, tolerance)
    return None if scale is None else scaled(unseen, chosen, scale)


def before(cascade: Cascade, choosing: PredictedPoints, tolerance: float) -> list[float]:
    """Thresholds of earlier versions."""
    expected = tolerance * len(choosing)
    allowed = max(int(expected - 1.645 * math.sqrt(expected)), 0)
    stages = cascade.stages(choosing)
    return cascade.search(stages, ACCURACY, choosing.weight).best((allowed + 0.5) / len(choosing), EXACT)


def simulate(repeats: int, sizes: Sequence[int], tolerances: Sequence[float]) -> None:
    rng = np.random.default_rng(1)
    widths = population(rng)
    print("share of the repeats in which unseen events exceed the tolerance: before, now (no threshold)")
    for n in sizes:
        for tolerance in tolerances:
            old, new, none = Counter[str](), Counter[str](), Counter[str]()
            for _ in range(repeats):
                choosing, certifying = draw(widths, n, rng), draw(widths, n, rng)
                certifying = certifying.rows(np.arange(n) % 5 > 0)
                seconds = Seconds([s for _, _, s in SURROGATES])
                ranked = rank_candidates(choosing, seconds, ACCURACY, tolerance, EXACT)[0]
                cases = [("", [0, 1], ""), ("best of all", ranked.models, ranked.strategy)]
                for label, models, only in cases:
                    pieces = [points.of_models(models) for points in (choosing, certifying)]
                    for cascade in cascades(
                        pieces[0], Seconds([seconds.surrogates[i] for i in models]), range(len(models))
                    ):
                        if only and cascade.name != only:
                            continue
                        truth = Truth(cascade, widths[models])
                        name = label or cascade.name
                        old[name] += truth(before(cascade, pieces[0], tolerance)) > tolerance
                        found = certify(cascade, *pieces, tolerance)
                        none[name] += found is None
                        new[name] += found is not None and truth(found) > tolerance
            print(f"n = {n}, tolerance {tolerance:g}")
            for name in new:
                print(
                    f"  {name:28}{old[name] / repeats:8.1%}{new[name] / repeats:8.1%}   ({none[name] / repeats:.0%})",
                    flush=True,
                )


def execute(store: str, models: Sequence[str], names: Sequence[str], registry: str) -> None:
    set_threads(1)
    opened, root = open_store(Path(store)), find_registry(Path(registry))
    predictors = [load_predictor(model, registry, "cpu") for model in models]
    trainings = [trained_networks(root, predictor.manifest) for predictor in predictors]
    report = measure_speedup(
        predictors, trainings, opened, providers_of(opened, names), accuracy=0.03, tolerance=1e-3, batch=8192
    )
    print(f"{'':28}{'provider':12}{'parts':>8}{'executed':>10}")
    for s in report.strategies:
        print(f"{s.name:28}{s.provider:12}{s.outcome.factor:8.2f}{s.executed:10.2f}{'' if s.certified else '  none'}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*")
    parser.add_argument("--store")
    parser.add_argument("--provider", nargs="*", default=[])
    parser.add_argument("--registry", default="registry")
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--events", type=int, nargs="+", default=[25_000, 75_000])
    parser.add_argument("--tolerances", type=float, nargs="+", default=[1e-3, 1e-4, 3e-5, 1e-5])
    chosen = parser.parse_args()
    if chosen.store:
        execute(chosen.store, chosen.models, chosen.provider, chosen.registry)
    else:
        simulate(chosen.repeats, chosen.events, chosen.tolerances)


if __name__ == "__main__":
    main()
