"""Stores of e+e- points where the cross section is: mixed and unweighted ones, through the real command."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ampcli.cli.main import run
from ampcli.store.reader import Store, open_store

POINTS = 20_000


def generate(path: Path, *options: str, process: str = "e- e+ > d d~ g", y_cut: float = 1e-3) -> Store:
    code = run(["gen", process, str(path), "--points", str(POINTS), "--y-cut", str(y_cut), "-q", *options])
    assert code == 0
    return open_store(path)


def cross_section(store: Store) -> tuple[float, float]:
    """In pb, with its error."""
    statistics: dict[str, Any] = store.attributes["statistics"]
    return statistics["mean_weighted_amplitude"], statistics["mean_weighted_amplitude_error"]


def dalitz(y_cut: float) -> float:
    """Integral of (x1^2 + x2^2)/((1-x1)(1-x2)) over 1 - x_i > y_cut: what three jets are proportional to."""
    # a = 1 - x1 and b = 1 - x2; the inner integral over b from y to 1 - y - a in closed form
    nodes, weights = np.polynomial.legendre.leggauss(200)
    low, high = math.log(y_cut), math.log(1 - 2 * y_cut)
    a = np.exp(0.5 * (high - low) * nodes + 0.5 * (high + low))
    top = 1 - y_cut - a
    logarithm, length = np.log(top / y_cut), top - y_cut
    inner = ((1 - a) ** 2 + 1) * logarithm - 2 * length + 0.5 * (top**2 - y_cut**2)
    return float(0.5 * (high - low) * (weights * inner).sum())


@pytest.mark.parametrize("option", ["--sampling=mixed", "--unweighted"])
def test_cross_sections_of_three_jets(tmp_path: Path, option: str) -> None:
    found = {y: cross_section(generate(tmp_path / f"{y}.zarr", option, y_cut=y)) for y in (1e-4, 1e-2)}
    (fine, fine_error), (coarse, coarse_error) = found[1e-4], found[1e-2]
    expected = dalitz(1e-4) / dalitz(1e-2)
    error = expected * math.hypot(fine_error / fine, coarse_error / coarse)
    assert abs(fine / coarse - expected) < 4 * error
    assert error < 0.02 * expected  # flat points: 10 %


def test_unweighted_events_have_one_weight(tmp_path: Path) -> None:
    store = generate(tmp_path / "s.zarr", "--unweighted", process="e- e+ > d d~ g g")
    size = store.read("weight") * store.read("amplitude")
    excess = size > size.min() * (1 + 1e-9)
    share = (size[excess] - size.min()).sum() / size.sum()
    assert 0.001 < share < 0.006  # 0.003 is asked for
    assert size.sum() / store.tried == pytest.approx(cross_section(store)[0])
    mixed, error = cross_section(generate(tmp_path / "m.zarr", "--sampling=mixed", process="e- e+ > d d~ g g"))
    assert abs(mixed - cross_section(store)[0]) < 4 * math.hypot(error, cross_section(store)[1])


def test_events_do_not_depend_on_workers_or_shares(tmp_path: Path, ampcli: Callable[..., Any]) -> None:
    whole = generate(tmp_path / "whole.zarr", "--unweighted")
    two = tmp_path / "two.zarr"
    ampcli("gen", "e- e+ > d d~ g", two, "--points", POINTS, "--unweighted", "--workers", 2)
    assert open_store(two).digest == whole.digest
    for part in ("2/2", "1/2"):
        shared = ["gen", "e- e+ > d d~ g", str(tmp_path / "shared.zarr"), "--points", str(POINTS), "--unweighted"]
        assert run([*shared, "--part", part, "-q"]) == 0
    assert open_store(tmp_path / "shared.zarr").digest == whole.digest


def test_plans_tell_samplings_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mixed = generate(tmp_path / "s.zarr", "--sampling=mixed")
    assert mixed.plan.source.model_dump()["sampling"] == "mixed"
    assert "sampling" not in generate(tmp_path / "flat.zarr").plan.source.model_dump()
    code = run(["gen", "e- e+ > d d~ g", str(mixed.path), "--points", str(POINTS), "--resume"])
    assert code == 2
    assert "sampling" in capsys.readouterr().err
