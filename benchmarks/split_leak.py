"""Test events of one store that were training events of another of the same seed, by both rules of splitting.

Writes stores into a temporary folder (about two minutes) and prints a table; asserts nothing.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from ampcli.generation.generate import GenerationRequest, generate, prepare
from ampcli.generation.lepton_points import LeptonSettings
from ampcli.generation.proton_points import ProtonSettings
from ampcli.store.reader import Store, open_store

_EE, _Z = "e- e+ > d d~ g g", "d d~ > z g g"

#: Process, points and y_cut of the training store and of the tested one.
_PAIRS: list[tuple[str, tuple[int, float], tuple[int, float]]] = [
    (_EE, (200_000, 1e-4), (50_000, 1e-4)),
    (_EE, (200_000, 1e-4), (500_000, 1e-4)),
    (_EE, (100_000, 1e-4), (500_000, 1e-4)),
    (_EE, (50_000, 1e-4), (100_000, 1e-4)),
    (_EE, (200_000, 1e-4), (200_000, 1e-3)),
    (_EE, (200_000, 1e-4), (200_000, 1e-2)),
    (_Z, (40_000, 0.0), (10_000, 0.0)),
    (_Z, (10_000, 0.0), (40_000, 0.0)),
]


def make(folder: Path, process: str, points: int, y_cut: float) -> Store:
    """A store of seed 1; y_cut 0: unweighted events of proton collisions."""
    path = folder / f"{process.count('g')}-{points}-{y_cut:g}.zarr"
    if not path.exists():
        collisions = LeptonSettings(1000.0, y_cut) if y_cut else ProtonSettings("lhc13", unweighted=True)
        generate(prepare(GenerationRequest(process, path, points, collisions, provider="native")))
    return open_store(path)


def seen(trained: Store, tested: Store) -> tuple[float, float]:
    """Shares: of the tested store's events that the other has too, of its test events that were training events."""

    def events(store: Store, rows: np.ndarray) -> np.ndarray:
        momenta = np.ascontiguousarray(store.read("momenta")[rows])
        return momenta.reshape(len(rows), -1).view(f"V{momenta[0].nbytes}")[:, 0]

    everything = np.isin(events(tested, tested.split_rows("all")), events(trained, trained.split_rows("all")))
    leaked = np.isin(events(tested, tested.split_rows("test")), events(trained, trained.split_rows("train")))
    return float(everything.mean()), float(leaked.mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of points")
    scale = parser.parse_args().scale
    print(f"{'process':18}{'trained on':>18}{'tested on':>18}{'common':>9}{'seen: by rows':>15}{'by events':>11}")
    with tempfile.TemporaryDirectory() as folder:
        for process, *sizes in _PAIRS:
            trained, tested = (make(Path(folder), process, int(n * scale), y_cut) for n, y_cut in sizes)
            common, by_rows = seen(trained.split_by("rows"), tested.split_by("rows"))
            _, by_events = seen(trained, tested)
            names = [f"{n * scale:.0f}" + (f", {y_cut:g}" if y_cut else "") for n, y_cut in sizes]
            print(f"{process:18}{names[0]:>18}{names[1]:>18}{common:9.1%}{by_rows:15.1%}{by_events:11.1%}", flush=True)


if __name__ == "__main__":
    main()
