"""Plots: the numbers behind them are right, the files are complete, and a failure leaves nothing behind."""

import json
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest

from ampcli.errors import UsageError
from ampcli.evaluation.comparison import Comparison
from ampcli.evaluation.cross_section import Curve
from ampcli.plots.cross_section import plot_cross_section
from ampcli.plots.errors import plot_errors
from ampcli.plots.evaluation import comparison_plots
from ampcli.plots.regions import plot_regions
from ampcli.plots.style import Plot, save
from ampcli.store.measures import Measures


def numbers(plot, folder):
    paths = save(plot, folder)
    assert [path.suffix for path in paths] == [".png", ".pdf", ".json"]
    assert sorted(folder.iterdir()) == sorted(paths)  # no temporary files left
    assert paths[0].read_bytes().startswith(b"\x89PNG")
    assert paths[1].read_bytes().startswith(b"%PDF")
    return json.loads(paths[2].read_text())


def test_errors(tmp_path):
    good = np.array([0.0, 0.5e-2, -0.5e-2, 0.5e-2])
    bad = np.array([1e-2, 3.0, -2.0, -1.0])
    found = numbers(plot_errors({"good": good, "bad, 50 %": bad}), tmp_path / "new" / "folder")
    left = found["log10_abs_delta_percent"]
    histogram = left["histograms"]["good"]
    assert histogram["underflow"] == 1
    assert histogram["overflow"] == 0
    assert histogram["counts"][0] == 1  # the exact prediction, kept in the first bin
    edges = np.array(left["edges"])
    assert histogram["counts"][int(np.searchsorted(edges, np.log10(0.5))) - 1] == 3
    assert np.sum(histogram["density"] * np.diff(edges)) == pytest.approx(1)
    assert left["histograms"]["bad, 50 %"]["overflow"] == 2  # 300 % and 200 %
    right = found["log10_ratio"]["histograms"]["bad, 50 %"]
    assert right["not_positive"] == 2
    assert sum(right["counts"]) == right["points"] == 2


def test_ratio_axis_adapts_to_the_errors(tmp_path):
    delta = 1e-4 * np.random.default_rng(0).normal(size=20_000)
    found = numbers(plot_errors({"model": delta}), tmp_path)["log10_ratio"]["histograms"]["model"]
    expected = 2.807 * 1e-4 / np.log(10)  # the 99.5 % quantile of a Gaussian's size
    assert found["edges"][-1] == pytest.approx(expected, rel=0.05)
    assert found["underflow"] + found["overflow"] == pytest.approx(100, abs=2)
    assert sum(found["counts"]) == 20_000


@pytest.mark.parametrize("delta", [0.0, -2.0])
def test_errors_of_degenerate_models(tmp_path, delta):
    found = numbers(plot_errors({"model": np.full(3, delta)}), tmp_path)
    assert sum(found["log10_ratio"]["histograms"]["model"]["counts"]) == (3 if delta > -1 else 0)


def test_cross_section(tmp_path):
    curve = Curve(points=[10, 20, 30], relative_difference=[1e-3, 0.0, -2e-4], monte_carlo_error=[0.1, 0.07, 0.06])
    found = numbers(plot_cross_section({"fame@1": curve, "single@2": curve}), tmp_path)
    assert found == {"fame@1": curve.model_dump(), "single@2": curve.model_dump()}


def test_cross_section_of_a_perfect_network(tmp_path):
    curve = Curve(points=[1], relative_difference=[0.0], monte_carlo_error=[0.0])
    assert numbers(plot_cross_section({"perfect": curve}), tmp_path)["perfect"]["points"] == [1]


def test_regions(tmp_path):
    rng = np.random.default_rng(1)
    min_sij = 10 ** rng.uniform(-5, 0, 4000)
    delta = np.where(min_sij < 1e-3, 0.05, -0.001)
    found = numbers(plot_regions(delta, min_sij, 1e-3), tmp_path)
    edges, points = np.array(found["min_sij_edges"]), np.array(found["points"])
    assert edges[0] == pytest.approx(min_sij.min())
    assert edges[-1] == pytest.approx(min_sij.max())
    assert points.sum() == 4000
    assert points.min() >= 20
    for values in found["abs_delta_percent"].values():
        assert np.array(values)[edges[1:] < 1e-3] == pytest.approx(5)
        assert np.array(values)[edges[:-1] > 1e-3] == pytest.approx(0.1)


@pytest.mark.parametrize("min_sij", [np.array([0.3]), np.zeros(5), np.array([0.1, 0.2]), np.geomspace(1e-9, 1, 30)])
def test_regions_of_few_points(tmp_path, min_sij):
    found = numbers(plot_regions(np.full(len(min_sij), 0.01), min_sij, None), tmp_path)
    assert sum(found["points"]) == len(min_sij)
    assert found["abs_delta_percent"]["50%"] == pytest.approx([1.0] * len(found["points"]))


def test_nothing_to_plot():
    empty = np.empty(0)
    with pytest.raises(UsageError, match="at least one point"):
        plot_errors({"model": empty})
    with pytest.raises(UsageError, match="at least one point"):
        plot_errors({})
    with pytest.raises(UsageError, match="at least one curve"):
        plot_cross_section({})
    with pytest.raises(UsageError, match=r"\(3,\) and \(2,\)"):
        plot_regions(np.ones(3), np.ones(2), None)


def test_a_failed_plot_leaves_the_old_one_whole(tmp_path):
    (tmp_path / "plot.json").write_text("old")
    with pytest.raises(ValueError, match="JSON"):
        save(Plot("plot", "", (), {"value": float("nan")}), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["plot.json"]
    assert (tmp_path / "plot.json").read_text() == "old"


def test_plots_leave_matplotlib_as_it_was_and_repeat_exactly(tmp_path):
    before = dict(matplotlib.rcParams)
    curve = Curve(points=[1, 2], relative_difference=[0.1, 0.2], monte_carlo_error=[0.3, 0.2])
    first = [path.read_bytes() for path in save(plot_cross_section({"a": curve}), tmp_path)]
    second = [path.read_bytes() for path in save(plot_cross_section({"a": curve}), tmp_path)]
    assert dict(matplotlib.rcParams) == before
    assert first == second


def test_events_beside_points():
    rng = np.random.default_rng(4)
    delta = np.concatenate([0.001 * rng.normal(size=2000), 0.02 * rng.normal(size=2000)])
    events = np.repeat([1.0, 3.0], 2000)  # the worse half has three quarters of the cross section
    comparison = Comparison(
        SimpleNamespace(y_cut=None, growth=[], cross_section=None),
        delta,
        np.full(4000, 0.1),
        np.repeat([0.001, 0.02], 2000),
        Measures(events=events),
    )
    plots = comparison_plots({"m": comparison}, "4000 points")
    assert {plot.about for plot in plots} == {"4000 points"}
    found = {plot.name: plot.numbers for plot in plots}
    fractions = found["cumulative"]["fraction_above"]
    assert set(fractions) == {"m", "m, events"}
    above = int(np.searchsorted(found["cumulative"]["abs_delta"], 0.005))
    assert fractions["m, events"][above] == pytest.approx(1.5 * fractions["m"][above], rel=0.01)
    assert sum(found["uncertainty"]["pulls"]["counts"]) == 4000
    assert sum(found["uncertainty"]["events"]["pulls"]["counts"]) == pytest.approx(8000)
    for measure in (found["uncertainty"], found["uncertainty"]["events"]):
        ratio = np.divide(measure["quantile68"]["abs_delta"], measure["quantile68"]["uncertainty"])
        np.testing.assert_allclose(ratio, 1, atol=0.25)
    near = Measures(events=np.repeat([1.0, 1.01], 2000))
    assert list(near.apart(4000)) == ["points"]
