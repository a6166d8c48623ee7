"""Do predictions depend on how an event was written down?

    python benchmarks/symmetries.py MODEL ... --store STORE [--registry registry] [--events 2000]

The median and the largest change of predictions, and the largest in the model's own sigma, under exact symmetries of
|M|^2: all labellings of identical particles (the worst one of each event), a rotation about the beams, a reflection, a
boost along them.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ampcli.inference.load import load_predictor
from ampcli.kinematics import FloatArray
from ampcli.process import Process
from ampcli.store.reader import open_store


def labellings(final: FloatArray, process: Process) -> Iterator[FloatArray]:
    """Events with the identical outgoing particles in every other order."""
    kinds = [leg.pdg for leg in process.outgoing]
    groups = [[i for i, pdg in enumerate(kinds) if pdg == kind] for kind in dict.fromkeys(kinds)]
    for orders in itertools.product(*map(itertools.permutations, groups)):
        places = np.empty(len(kinds), dtype=int)
        for group, order in zip(groups, orders, strict=True):
            places[group] = order
        yield np.ascontiguousarray(final[:, places])


def mixed(final: FloatArray, first: int, second: int, matrix: list[list[float]]) -> FloatArray:
    """Events with two components of all momenta replaced by combinations of both."""
    found = final.copy()
    found[..., [first, second]] = final[..., [first, second]] @ np.array(matrix).T
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--registry", default="registry")
    parser.add_argument("--events", type=int, default=2000)
    chosen = parser.parse_args()
    store = open_store(chosen.store)
    final = store.read_split("momenta", "test")[: chosen.events]
    c, s, ch, sh = np.cos(2.0), np.sin(2.0), np.cosh(0.7), np.sinh(0.7)
    changes = {
        "labels": list(labellings(final, store.process)),
        "rotation": [mixed(final, 1, 2, [[c, -s], [s, c]])],
        "reflection": [mixed(final, 1, 2, [[1.0, 0.0], [0.0, -1.0]])],
        "boost 0.7": [mixed(final, 0, 3, [[ch, sh], [sh, ch]])],
    }
    for model in chosen.models:
        predictor = load_predictor(model, chosen.registry, "cpu")
        usual, sigma = predictor.predict_final(final)
        print(predictor.manifest.reference)
        for name, events in changes.items():
            shift = np.max([np.abs(predictor.predict_final(other)[0] - usual) for other in events], axis=0)
            relative = shift / usual
            print(
                f"  {name:12}median {np.median(relative):8.1e}, largest {relative.max():8.1e}, "
                f"in sigma {np.max(shift / sigma):8.1e}"
            )


if __name__ == "__main__":
    main()
