"""Models of e+e- -> jets on new points of phase space, on events, and along trajectories of many seeds.

    python benchmarks/ee_jets.py ee-3jets ee-4jets ee-5jets [--points 200k] [--seeds 1-12] [--registry registry]

For each model two stores are made within its cuts, with seeds that no training used: flat phase space, and mixed
sampling, whose weights give both measures with many effective points.  The first table has its accuracy, coverage and
certificate in the measures "points" and "events", the cross section, and the effective numbers; the second one
Table 2 of FAME over the seeds.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Literal

from ampcli.cli.numbers import parse_count
from ampcli.collisions.leptons import LeptonCollisions
from ampcli.evaluation.comparison import compare
from ampcli.evaluation.evaluation import Measured
from ampcli.evaluation.report import aligned, with_error
from ampcli.evaluation.trajectory_seeds import follow_seeds, parse_seeds
from ampcli.evaluation.trajectory_table import seeds_table
from ampcli.generation.generate import GenerationRequest, generate, prepare
from ampcli.generation.lepton_points import LeptonSettings
from ampcli.inference.load import load_predictor
from ampcli.inference.predictor import Predictor
from ampcli.store.reader import Store, open_store

_SEEDS = {"flat": 77_001, "mixed": 77_002}
_HEADER = [
    *("model", "sampling", "measure", "effective", "median", "mean|Delta|", ">0.1%", ">1%", "max"),
    *("in 1 sigma", "in 3", "outside", "network/exact - 1"),
]


def store_of(predictor: Predictor, sampling: Literal["flat", "mixed"], points: int, folder: Path) -> Store:
    """New points within a model's cuts."""
    manifest = predictor.manifest
    source, provider = manifest.dataset.source, manifest.provider
    assert isinstance(source, LeptonCollisions)
    request = GenerationRequest(
        manifest.process,
        folder / f"{manifest.reference}-{sampling}.zarr",
        points,
        LeptonSettings(source.sqrt_s, source.y_cut, source.cuts, sampling),
        _SEEDS[sampling],
        provider.name,
        parameters=provider.parameters if provider.name == "native" else {},
    )
    generate(prepare(request))
    return open_store(request.store)


def row(found: Measured) -> list[str]:
    """Cells of a measure; Delta and shares in per cent."""
    m, outside = found.overall, found.by_certificate.get("outside")
    covered = {} if found.calibration is None else found.calibration.coverage
    shares = [m.outside["0.1%"], m.outside["1%"]]
    return [
        f"{found.effective_points:.0f}",
        with_error(m.median_abs_delta, m.median_abs_delta_error, 100),
        with_error(m.mean_abs_delta, m.mean_abs_delta_error, 100),
        *(with_error(share.value, share.error, 100) for share in shares),
        f"{100 * m.max_abs_delta:.3g}",
        *(with_error(covered[k].observed.value, covered[k].observed.error, 100) if covered else "-" for k in "13"),
        "0" if outside is None else with_error(outside.share.value, outside.share.error, 100),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--registry", default=None)
    parser.add_argument("--points", default="200k", help="of each store")
    parser.add_argument("--seeds", default="1-12", help="of the trajectories; 0 for none")
    given = parser.parse_args()
    predictors = [load_predictor(model, given.registry, "cpu") for model in given.models]
    points = parse_count("--points", given.points)
    rows = [_HEADER]
    with tempfile.TemporaryDirectory() as folder:
        for predictor in predictors:
            for sampling in ("flat", "mixed"):
                store = store_of(predictor, sampling, points, Path(folder))
                found = compare([predictor], store, "all")[0].evaluation
                c = found.cross_section
                assert found.events is not None
                assert c is not None
                ratio = with_error(c.relative_difference, c.relative_difference_error, 100)
                name = predictor.manifest.reference
                rows.append([name, sampling, "points", *row(found), ""])
                rows.append([name, sampling, "events", *row(found.events), ratio])
    print("in %; on new points within each model's cuts", *aligned(rows, left=3), sep="\n", flush=True)
    if given.seeds != "0":
        for predictor in predictors:
            print(
                "", seeds_table(follow_seeds([predictor], 50, 400, parse_seeds(given.seeds))[1]), sep="\n", flush=True
            )


if __name__ == "__main__":
    main()
