"""madspace integrates an exported library over its own phase space."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ampcli.phasespace.cuts import JetCuts
from ampcli.process import parse_process

if TYPE_CHECKING:
    from commands import Ampcli

PROCESS = "d d~ > z g g"


def test_the_cross_section_is_that_of_gen(
    ampcli: Ampcli, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within 5 standard errors, and these are small."""
    pytest.importorskip("madspace")
    file = repository / "benchmarks" / "madspace_library.py"
    monkeypatch.syspath_prepend(file.parent)
    benchmark = importlib.import_module(file.stem)
    ampcli("export", PROCESS, tmp_path / "zgg")
    library = tmp_path / "zgg" / "libampcli.so"
    integral = benchmark.MadspaceIntegral(parse_process(PROCESS), library, tmp_path, 40_000, JetCuts())
    found, error = integral.result(seed=1, rounds=5, of_adaptation=5)
    statistics = ampcli("gen", PROCESS, tmp_path / "s.zarr", "--points", "20k", "--beams", "lhc13", "--json").document[
        "statistics"
    ]
    expected = statistics["mean_weighted_amplitude"]
    together = np.hypot(error, statistics["mean_weighted_amplitude_error"])
    assert together < 0.02 * expected
    assert abs(found - expected) < 5 * together
