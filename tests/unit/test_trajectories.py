"""Random trajectories, the regions of unresolved partons, and the accuracy table."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ampcli.cli.main import run
from ampcli.errors import UsageError
from ampcli.evaluation.trajectories import TrajectoryPoints, follow, most_varied
from ampcli.evaluation.trajectory_seeds import follow_seeds, parse_seeds
from ampcli.evaluation.trajectory_table import seeds_table, trajectory_table
from ampcli.inference.load import load_predictor
from ampcli.kinematics import checked_momenta, min_invariant, with_beams
from ampcli.phasespace.jets import exclusive_jets, jets_of_partons
from ampcli.phasespace.rambo import rambo
from ampcli.phasespace.selection import Selection
from ampcli.phasespace.trajectories import trajectories
from ampcli.phasespace.unresolved import REGIONS, singular_invariant, unresolved_regions
from ampcli.process import parse_process

E = 1000.0
FIVE_JETS = parse_process("e- e+ > d d~ g g g")


def test_trajectories_are_events():
    found = trajectories(3, 20, 5, E, seed=4)
    assert found.shape == (3, 20, 5, 4)
    checked_momenta(with_beams(found.reshape(-1, 5, 4), E), FIVE_JETS)
    np.testing.assert_allclose(found[..., 0].sum(axis=-1), E, rtol=1e-12)


def test_a_trajectory_is_a_line_in_the_cube():
    points = 7
    found = trajectories(2, points, 4, E, seed=9)[1]
    ends = np.random.default_rng(np.random.SeedSequence(9, spawn_key=(1,))).random((2, 4, 4))
    for k in range(points):
        fraction = (k + 0.5) / points
        np.testing.assert_allclose(found[k], rambo((1 - fraction) * ends[:1] + fraction * ends[1:], E)[0], rtol=1e-9)


def test_trajectories_do_not_depend_on_their_number():
    many, few = trajectories(5, 10, 3, E, seed=1), trajectories(2, 10, 3, E, seed=1)
    np.testing.assert_array_equal(many[:2], few)
    assert np.abs(trajectories(2, 10, 3, E, seed=2) - few).max() > 1.0


def event(directions: list[tuple[float, float, float]], energies: list[float]) -> np.ndarray:
    """Massless legs (1, n, 4); they need not balance: clustering and invariants do not ask."""
    axes = np.array(directions) / np.linalg.norm(directions, axis=1, keepdims=True)
    return (np.array(energies)[:, None] * np.concatenate([np.ones((len(axes), 1)), axes], axis=1))[None]


X, Y, Z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
MINUS_X, MINUS_Y = (-1.0, 0.0, 0.0), (0.0, -1.0, 0.0)
NEAR_X, NEARER_X, NEAR_Y = (1.0, 0.05, 0.0), (1.0, 0.0, 0.05), (0.0, 1.0, 0.05)

CLUSTERS = {  # legs q, q~, g, g, g
    "resolved": ([X, Y, MINUS_X, MINUS_Y, Z], set()),
    "one pair": ([X, Y, NEAR_X, MINUS_Y, Z], set()),
    "two pairs": ([X, Y, NEAR_X, NEAR_Y, Z], {"pink"}),
    "three in one": ([X, Y, NEAR_X, NEARER_X, Z], {"purple"}),
    "three and two": ([X, Y, NEAR_X, NEARER_X, NEAR_Y], {"blue"}),
    "quark pair": ([X, NEAR_X, MINUS_X, Y, Z], set()),
    "quark pair and a gluon pair": ([X, NEAR_X, Y, NEAR_Y, Z], set()),
    "quark pair and a gluon in one": ([X, NEAR_X, NEARER_X, Y, Z], {"purple"}),
    "four in one": ([X, Y, NEAR_X, NEARER_X, (1.0, 0.05, 0.05)], {"grey"}),
}


@pytest.mark.parametrize("case", CLUSTERS)
def test_regions_of_clusters(case):
    directions, expected = CLUSTERS[case]
    # The pairs' s_ij / s is about 1e-4 at equal energies: above this y_cut.
    found = unresolved_regions(event(directions, [200.0] * 5), FIVE_JETS, Selection(E, 1e-6))
    assert {name for name in REGIONS if name != "white" and found[name][0]} == expected
    assert found["white"][0] == (not expected)


def test_a_soft_gluon_is_one_unresolved_parton():
    selection = Selection(E, 1e-6)
    energies = [200.0, 200.0, 200.0, 200.0, 1.0]
    assert unresolved_regions(event([X, Y, MINUS_X, MINUS_Y, Z], energies), FIVE_JETS, selection)["white"][0]
    # It goes to the jet at the smallest angle.
    with_minus_y, with_x = ([X, Y, NEAR_X, MINUS_Y, soft] for soft in ((0.0, -1.0, 1.0), (1.0, 0.0, 1.0)))
    assert unresolved_regions(event(with_minus_y, energies), FIVE_JETS, selection)["pink"][0]
    assert unresolved_regions(event(with_x, energies), FIVE_JETS, selection)["purple"][0]


def test_the_quark_pair_is_not_red():
    close = [X, (1.0, 0.001, 0.0), MINUS_X, Y, Z]
    assert not unresolved_regions(event(close, [200.0] * 5), FIVE_JETS, Selection(E, 1e-4))["red"][0]
    exchanged = [close[k] for k in (0, 2, 1, 3, 4)]  # quark and gluon close instead
    assert unresolved_regions(event(exchanged, [200.0] * 5), FIVE_JETS, Selection(E, 1e-4))["red"][0]
    final = trajectories(2, 100, 5, E, 1).reshape(-1, 5, 4)
    assert (singular_invariant(final, FIVE_JETS) >= min_invariant(final) * (1 - 1e-6) - 1e-6).all()


def test_jets_of_partons():
    final = trajectories(4, 50, 5, E, 3).reshape(-1, 5, 4)
    d_cut = 0.01 * E**2
    labels = jets_of_partons(final, d_cut)
    counts = exclusive_jets(final, d_cut)
    assert len(np.unique(counts)) > 1
    for row, count in zip(labels, counts, strict=True):
        assert sorted(set(row.tolist())) == list(range(count))


@pytest.fixture(scope="module")
def followed(registry):
    predictors = [load_predictor(name, registry, "cpu") for name in ("fame3@1", "plain3")]
    return follow(predictors, count=6, points=40, seed=2)


def test_what_is_reported_is_what_the_points_say(followed):
    points, result = followed
    assert set(result.models) == {"fame3@1", "plain3@1"}
    for reference, model in points.models.items():
        delta = np.abs(model.amplitude / points.exact - 1.0)
        for name, accuracy in result.models[reference].regions.items():
            rows = model.regions[name]
            assert accuracy.points == rows.sum()
            assert accuracy.fraction == pytest.approx(rows.mean())
            if rows.any():
                assert accuracy.median_abs_delta == pytest.approx(np.median(delta[rows]))
                assert accuracy.outside["5%"].value == pytest.approx((delta[rows] > 0.05).mean())
        inside = result.models[reference].certificate["inside"]
        assert inside.points == (~model.outside).sum()
    total = sum(result.models["fame3@1"].certificate[name].points for name in ("inside", "outside"))
    assert total == 240


def test_exact_amplitudes_are_the_providers(followed, amplitude_provider):
    points, _ = followed
    final = points.momenta.reshape(-1, 3, 4)
    np.testing.assert_allclose(points.exact.ravel(), amplitude_provider.evaluate(with_beams(final, E)), rtol=1e-12)
    np.testing.assert_allclose(points.min_sij.ravel() * E**2, min_invariant_without_quarks(final), rtol=1e-6, atol=1e-6)


def min_invariant_without_quarks(final: np.ndarray) -> np.ndarray:
    return np.minimum(min_invariant(final[:, [0, 2]]), min_invariant(final[:, [1, 2]]))


@pytest.fixture(scope="module")
def amplitude_provider():
    from ampcli.amplitudes.providers import make_provider

    return make_provider("native", parse_process("e- e+ > d d~ g"), {})


def test_the_table_has_a_line_for_each_populated_region(followed):
    _, result = followed
    lines = trajectory_table(result).splitlines()
    for reference, model in result.models.items():
        for name in REGIONS:
            mine = [line for line in lines if line.startswith(name) and f" {reference} " in line]
            assert len(mine) == (1 if model.regions[name].points else 0)


def test_the_most_varied_trajectory(followed):
    points, _ = followed
    number = most_varied(points)
    assert 0 <= number < 6
    wild = TrajectoryPoints(
        points.momenta,
        np.where(np.arange(6)[:, None] == 4, points.exact ** np.linspace(1, 2, 40), points.exact),
        points.min_sij,
        {
            reference: type(model)(
                model.amplitude, model.uncertainty, model.outside, {"white": np.ones((6, 40), dtype=bool)}
            )
            for reference, model in points.models.items()
        },
    )
    assert most_varied(wild) == 4


def test_models_that_do_not_belong_together(registry, repository):
    three, four = (load_predictor(name, registry, "cpu") for name in ("fame3@1", "fame4"))
    with pytest.raises(UsageError, match="one process and energy"):
        follow([three, four], 1, 10, 1)
    with pytest.raises(UsageError, match=r"e\+e- collisions"):
        follow([load_predictor("ddx-zgggg-fg1", repository / "registry", "cpu")], 1, 10, 1)
    with pytest.raises(UsageError, match=r"^count 0 and points"):
        follow([three], 0, 10, 1)


@pytest.mark.parametrize(
    ("text", "seeds"), [("1-12", range(1, 13)), ("12", range(1, 13)), ("5-5", range(5, 6)), (" 0-2 ", range(3))]
)
def test_seeds(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "0", "-3", "3-1", "1-", "1,2", "a-b", "1-1000000", "1.5", "1-²", "9" * 50])
def test_impossible_seeds(text):
    with pytest.raises(UsageError, match=r"^seeds "):
        parse_seeds(text)


def test_the_spread_over_seeds(registry):
    predictors = [load_predictor("fame3@1", registry, "cpu")]
    shown, found = follow_seeds(predictors, 4, 30, [2, 3, 4])
    single = [follow(predictors, 4, 30, seed)[1] for seed in (2, 3, 4)]
    assert found.by_seed == single
    np.testing.assert_array_equal(shown.momenta, trajectories(4, 30, 3, E, seed=2).reshape(shown.momenta.shape))
    model = found.models["fame3@1"]
    for kind in ("regions", "certificate"):
        for name, accuracy in getattr(model, kind).items():
            each = [getattr(result.models["fame3@1"], kind)[name] for result in single]
            assert accuracy.fraction.mean == pytest.approx(np.mean([a.fraction for a in each]))
            assert accuracy.fraction.spread == pytest.approx(np.std([a.fraction for a in each], ddof=1))
            assert accuracy.points == sum(a.points for a in each)
            shares = [a.outside["1%"].value for a in each if a.points]
            assert accuracy.seeds == len(shares)
            if shares:
                assert accuracy.outside["1%"].mean == pytest.approx(np.mean(shares))
                assert accuracy.outside["1%"].largest == max(shares)
            else:
                assert accuracy.outside == {}
                assert accuracy.median_abs_delta is None
            wrong = sum(round(a.outside["1%"].value * a.points) for a in each if a.points)
            assert accuracy.outside_points["1%"] == wrong
    assert sum(model.certificate[name].points for name in ("inside", "outside")) == 360
    lines = seeds_table(found).splitlines()
    assert "seed, 2 to 4; in %," in lines[0]
    assert f"{model.certificate['inside'].outside_points['1%']} of " in lines[-1]


def test_the_command_with_seeds(registry, tmp_path, capsys):
    arguments = ["trajectory", "fame3@1", "--registry", str(registry), "--count", "3", "--points", "20"]
    assert run([*arguments, "--seeds", "2-3", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["seeds"] == [2, 3]
    assert run([*arguments, "--seed", "3", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == document["by_seed"][1]
    assert run([*arguments, "--seeds", "2-3", "--seed", "3"]) == 2
    assert "--seed has no effect with --seeds" in capsys.readouterr().err
