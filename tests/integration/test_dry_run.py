"""`ampcli gen --dry-run`: what it says before anything is spent, and what is spent then."""

from __future__ import annotations

import pytest

RUNS = {
    "weighted e+e-": ("e- e+ > d d~ g", "--points", "3000", "--y-cut", "0.01"),
    "unweighted e+e-": ("e- e+ > d d~ g", "--points", "2000", "--y-cut", "0.01", "--unweighted"),
    "protons": ("d d~ > z g", "--points", "3000", "--beams", "lhc13", "--unweighted"),
    "two partons, no guide": ("u d > z u d", "--points", "2000", "--beams", "lhc13"),
}


@pytest.mark.parametrize("run", RUNS)
def test_an_estimate_comes_from_a_short_run(ampcli, tmp_path, run):
    store = tmp_path / "s.zarr"
    said = ampcli("gen", RUNS[run][0], store, *RUNS[run][1:], "--dry-run", "--json").document
    assert not store.exists()
    found = said["estimate"]
    assert 0 < found["acceptance"] <= 1
    assert found["points"] >= 1000
    assert found["us_per_point"] > 0
    assert found["preparation_seconds"] >= 0
    assert found["seconds"] > 0.99 * (
        found["preparation_seconds"] + 1e-6 * found["us_per_point"] * said["plan"]["points"]
    )
    assert not found["at_most"]
    assert found["peak_memory"] > found["bytes"]
    made = ampcli("gen", RUNS[run][0], store, *RUNS[run][1:], "--json").document
    arrays = (file for name in ("momenta", "amplitude", "weight", "x") for file in (store / name).rglob("*"))
    written = sum(file.stat().st_size for file in arrays if file.is_file())
    assert found["bytes"] == pytest.approx(written, rel=0.3)
    assert found["acceptance"] == pytest.approx(made["plan"]["points"] / made["tried"], rel=0.5)


def test_an_estimate_of_given_points_and_in_words(ampcli, tmp_path):
    ampcli("gen", "e- e+ > d d~ g", tmp_path / "s.zarr", "--points", "100")
    given = ("gen", "e- e+ > d d~ g", tmp_path / "t.zarr", "--momenta", tmp_path / "s.zarr", "--dry-run")
    found = ampcli(*given, "--json").document["estimate"]
    assert (found["points"], found["acceptance"]) == (100, 1.0)
    said = ampcli(*given).stdout
    assert "estimate: " in said
    assert "measured with 100 points, here and now" in said
