"""Evaluation against closed forms: known Delta, constant integrands, Gaussian pulls; and its error paths."""

import math

import numpy as np
import pytest
from samples import evaluated

from ampcli.errors import IntegrityError, UsageError
from ampcli.evaluation.cross_section import monte_carlo
from ampcli.evaluation.evaluation import Evaluation
from ampcli.evaluation.growth import growth
from ampcli.evaluation.metrics import proportion
from ampcli.evaluation.regions import regions
from ampcli.evaluation.report import table
from ampcli.text_table import with_error
from ampcli.uncertainty.certificate import Certificate
from ampcli.weighted import mean_error, median_error


def inputs(n=1000, delta=0.005, **changes):
    """n points of spread-out amplitudes, all predictions off by `delta`; `changes` replace arguments."""
    rng = np.random.default_rng(7)
    exact = np.exp(rng.normal(-2, 1.5, n))
    log = np.log(exact)
    arguments = {
        "exact": exact,
        "predicted": exact * (1 + delta),
        "uncertainty": None,
        "weight": rng.uniform(0.5, 2, n),
        "tried": 3.0 * n,
        "n_jets": rng.integers(3, 6, n).astype(float),
        "min_sij": 10 ** rng.uniform(-5, -0.5, n),
        "y_cut": 1e-4,
        "log_mean": float(log.mean()),
        "log_std": float(log.std()),
    }
    return arguments | changes


def changed(name, row, value, **changes):
    arguments = inputs(**changes)
    arguments[name] = np.array(arguments[name], dtype=np.float64)
    arguments[name][row] = value
    return arguments


def test_constant_delta():
    arguments = inputs(delta=0.005)
    m = evaluated(**arguments).overall
    assert m.points == 1000
    assert m.negative == 0
    for value in (m.median_abs_delta, m.mean_abs_delta, m.rms_delta, m.max_abs_delta):
        assert value == pytest.approx(0.005, rel=1e-12)
    assert m.mean_abs_delta_error == pytest.approx(0, abs=1e-15)
    assert m.median_abs_delta_error == pytest.approx(0, abs=1e-15)
    assert {key: share.value for key, share in m.outside.items()} == {"0.1%": 1, "1%": 0, "5%": 0}
    assert m.mean_log_ratio == pytest.approx(math.log10(1.005))
    assert m.std_log_ratio == pytest.approx(0, abs=1e-15)
    assert m.mse_standardised_log == pytest.approx((math.log(1.005) / arguments["log_std"]) ** 2)
    assert m.mse_training_mean == pytest.approx(1)


def test_two_values_of_delta():
    sign = np.where(np.arange(1000) % 4 == 0, -1, 1)  # a quarter at -8 %, the rest at +8 % / 4
    arguments = inputs()
    delta = np.where(sign < 0, -0.08, 0.02)
    arguments["predicted"] = arguments["exact"] * (1 + delta)
    m = evaluated(**arguments).overall
    assert m.mean_abs_delta == pytest.approx(0.25 * 0.08 + 0.75 * 0.02)
    assert m.rms_delta == pytest.approx(math.sqrt(0.25 * 0.08**2 + 0.75 * 0.02**2))
    assert m.median_abs_delta == pytest.approx(0.02)
    assert m.outside["5%"].value == 0.25
    assert m.outside["5%"].error == pytest.approx(math.sqrt(0.25 * 0.75 / 1000), rel=2e-3)
    assert m.mean_abs_delta_error == pytest.approx(0.06 * math.sqrt(0.25 * 0.75 / 999))


def test_negative_predictions_leave_the_logarithms_out():
    arguments = inputs(delta=0.0)
    arguments["predicted"][:10] = [0.0, *[-1.0] * 9]
    evaluation = evaluated(**arguments)
    assert evaluation.overall.negative == 10
    assert evaluation.overall.mean_log_ratio == 0
    assert evaluation.overall.max_abs_delta > 1
    assert "10 predictions are 0 or of the wrong sign" in table(evaluation)


def test_only_negative_predictions():
    evaluation = evaluated(**inputs(delta=-2.0))
    assert evaluation.overall.mean_log_ratio is None
    assert evaluation.overall.mse_standardised_log is None
    assert evaluation.cross_section.relative_difference == pytest.approx(-2)
    assert Evaluation.model_validate_json(evaluation.model_dump_json()) == evaluation


def test_groups_partition_the_points():
    arguments = inputs()
    evaluation = evaluated(**arguments)
    assert list(evaluation.by_multiplicity) == ["3", "4", "5"]
    assert list(evaluation.by_region) == [
        "below y_cut",
        "1-10 y_cut",
        "10-100 y_cut",
        "100-1000 y_cut",
        "1000-10000 y_cut",
    ]
    for groups in (evaluation.by_multiplicity, evaluation.by_region):
        assert sum(m.points for m in groups.values()) == 1000
    assert evaluation.by_region["below y_cut"].points == np.sum(arguments["min_sij"] < 1e-4)
    assert evaluation.by_multiplicity["4"].points == np.sum(arguments["n_jets"] == 4)


def test_a_bad_region_shows_up_only_there():
    arguments = inputs(delta=0.0)
    singular = arguments["min_sij"] < 1e-4
    arguments["predicted"] = np.where(singular, 1.5, 1.0) * arguments["exact"]
    by_region = evaluated(**arguments).by_region
    assert by_region.pop("below y_cut").mean_abs_delta == pytest.approx(0.5)
    assert all(m.mean_abs_delta == 0 for m in by_region.values())


def test_region_edges():
    values = np.array([0.0, 9.99e-5, 1e-4, 9.99e-4, 1e-3, 1.0])
    found = {name: np.flatnonzero(rows).tolist() for name, rows in regions(values, 1e-4)}
    assert found == {
        "below y_cut": [0, 1],
        "1-10 y_cut": [2, 3],
        "10-100 y_cut": [4],
        "10000-100000 y_cut": [5],
    }
    found = {name: np.flatnonzero(rows).tolist() for name, rows in regions(values, None)}
    assert found == {
        "below 1e-11 s": [0],
        "1e-5 to 1e-4 s": [1],
        "1e-4 to 1e-3 s": [2, 3],
        "1e-3 to 1e-2 s": [4],
        "1e-1 to 1e0 s": [5],
    }


def test_numbers_do_not_depend_on_the_order_of_the_rows():
    arguments = inputs()
    rng = np.random.default_rng(3)
    arguments["predicted"] = arguments["exact"] * (1 + 0.01 * rng.normal(size=1000))
    arguments["uncertainty"] = 0.01 * arguments["exact"]
    order = rng.permutation(1000)
    shuffled = {k: v[order] if isinstance(v, np.ndarray) else v for k, v in arguments.items()}
    before, after = (evaluated(**a).model_dump(exclude={"cross_section": {"curve"}}) for a in (arguments, shuffled))
    assert_close(before, after)


def assert_close(a, b):
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_close(a[key], b[key])
    elif a is None:
        assert b is None
    else:
        assert a == pytest.approx(b, rel=1e-9)


def test_units_of_the_amplitude_drop_out_of_the_accuracy():
    arguments = inputs()
    scaled = arguments | {
        "exact": 1e-30 * arguments["exact"],
        "predicted": 1e-30 * arguments["predicted"],
        "log_mean": arguments["log_mean"] - 30 * math.log(10),
    }
    before, after = evaluated(**arguments), evaluated(**scaled)
    assert_close(
        before.overall.model_dump(exclude={"std_log_ratio"}),
        after.overall.model_dump(exclude={"std_log_ratio"}),
    )
    assert after.cross_section.sigma_exact == pytest.approx(1e-30 * before.cross_section.sigma_exact)


def test_constant_integrand_with_known_acceptance():
    # 1000 of 4000 tried points pass, each with w A = 6: sigma = 1.5, variance that of a binomial fraction.
    ones = np.ones(1000)
    arguments = inputs(exact=2 * ones, predicted=2.02 * ones, weight=3 * ones, tried=4000.0)
    arguments["uncertainty"] = 0.02 * ones
    c = evaluated(**arguments).cross_section
    assert c.sigma_exact == pytest.approx(1.5)
    assert c.sigma_exact_error == pytest.approx(6 * math.sqrt(0.25 * 0.75 / 4000))
    assert c.sigma_network == pytest.approx(1.515)
    assert c.relative_difference == pytest.approx(0.01)
    assert c.relative_difference_error == pytest.approx(0.01 / 1000)  # one more such point could be missing
    assert c.effective_events == pytest.approx(1000)
    assert c.network_error_correlated == pytest.approx(0.015)
    assert c.network_error_uncorrelated == pytest.approx(0.015 / math.sqrt(1000))
    assert c.curve.points == list(range(20, 1001, 20))
    assert c.curve.relative_difference == pytest.approx([0.01] * 50)
    expected = [math.sqrt(3 / (4 * k)) for k in c.curve.points]  # sqrt((1 - p) / p) / sqrt(N), p = 1/4, N = 4k
    assert c.curve.monte_carlo_error == pytest.approx(expected)


def test_full_acceptance_of_a_constant_has_no_error():
    assert monte_carlo(np.full(100, 0.1), 100.0) == (pytest.approx(0.1), pytest.approx(0, abs=1e-16))


def test_monte_carlo_error_is_the_textbook_variance():
    f = np.random.default_rng(0).exponential(size=500)
    tried = 800.0
    mean, error = monte_carlo(f, tried)
    assert mean == pytest.approx(f.sum() / tried)
    assert error**2 == pytest.approx((np.sum(f**2) / tried - mean**2) / tried)


def test_relative_difference_error_is_that_of_the_paired_differences():
    # Independent Delta of width 1 % on equal amplitudes: the ratio of sums is known to 1 % / sqrt(n).
    n = 4000
    delta = 0.01 * np.random.default_rng(5).normal(size=n)
    ones = np.ones(n)
    arguments = inputs(n, exact=ones, predicted=1 + delta, weight=ones, tried=10.0 * n, log_mean=0.0, log_std=1.0)
    c = evaluated(**arguments).cross_section
    assert c.relative_difference == pytest.approx(delta.mean())
    unseen = np.abs(delta).max() / n
    assert c.relative_difference_error == pytest.approx(math.hypot(delta.std() / math.sqrt(n), unseen), rel=1e-4)
    assert c.relative_difference_error < 0.02 * c.sigma_exact_error / c.sigma_exact


def test_curve_ends_at_the_total_and_skips_weightless_points():
    arguments = inputs()
    arguments["weight"][:100] = 0
    c = evaluated(**arguments).cross_section
    assert c.curve.points[0] == 120
    assert c.curve.points[-1] == 1000
    assert c.curve.relative_difference[-1] == c.relative_difference
    assert c.curve.monte_carlo_error[-1] == pytest.approx(c.sigma_exact_error / c.sigma_exact)


def test_gaussian_pulls_have_nominal_coverage():
    n = 40_000
    arguments = inputs(n)
    rng = np.random.default_rng(11)
    sigma = arguments["exact"] * rng.uniform(0.001, 0.02, n)
    arguments["predicted"] = arguments["exact"] + sigma * rng.normal(size=n)
    arguments["uncertainty"] = sigma.copy()
    arguments["uncertainty"][:7] = 0
    c = evaluated(**arguments).calibration
    assert c.points == n - 7
    assert c.without_uncertainty == 7
    assert c.pull_mean == pytest.approx(0, abs=4 / math.sqrt(n))
    assert c.pull_std == pytest.approx(1, abs=4 / math.sqrt(2 * n))
    assert c.median_relative_uncertainty == pytest.approx(0.0105, rel=0.03)
    for key, nominal in {"1": 0.682689, "2": 0.954500, "3": 0.997300}.items():
        assert c.coverage[key].nominal == pytest.approx(nominal, abs=1e-6)
        assert c.coverage[key].observed.value == pytest.approx(nominal, abs=4 * c.coverage[key].observed.error)


def test_doubled_uncertainty_halves_the_pulls():
    arguments = inputs(delta=0.01)
    arguments["uncertainty"] = 0.02 * arguments["exact"]
    c = evaluated(**arguments).calibration
    assert c.pull_mean == pytest.approx(0.5)
    assert c.pull_std == pytest.approx(0, abs=1e-9)
    assert c.coverage["1"].observed.value == 1


def test_no_calibration_without_uncertainties():
    assert evaluated(**inputs()).calibration is None
    assert evaluated(**inputs(uncertainty=np.zeros(1000))).calibration is None


def test_median_error_covers_the_true_median():
    rng = np.random.default_rng(2)
    samples = rng.exponential(size=(2000, 101))
    far = [abs(np.median(x) - math.log(2)) > median_error(x) for x in samples]
    assert np.mean(far) == pytest.approx(0.317, abs=0.06)
    assert median_error(np.array([1.0, 2.0, 3.0])) is None
    assert median_error(np.array([4.0, 1.0, 2.0, 3.0])) == 1.5


def test_errors_of_small_samples():
    assert mean_error(np.array([1.0])) is None
    assert mean_error(np.array([1.0, 3.0])) == pytest.approx(1)
    nothing = proportion(np.zeros(99, dtype=bool))
    assert nothing.value == 0
    assert nothing.error == pytest.approx(0.5 / 100)  # 1/(2n) / (1 + 1/n)
    one = evaluated(**inputs(1, log_mean=0.0, log_std=1.0)).overall
    assert one.points == 1
    assert one.mean_abs_delta_error is None
    assert one.median_abs_delta_error is None


def test_json_round_trip():
    arguments = inputs()
    evaluation = evaluated(**arguments | {"uncertainty": 0.01 * arguments["exact"]})
    assert Evaluation.model_validate_json(evaluation.model_dump_json()) == evaluation


@pytest.mark.parametrize("name", ["exact", "predicted", "weight", "min_sij", "n_jets", "uncertainty"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_not_finite(name, value):
    arguments = changed(name, 17, value, **({"uncertainty": np.ones(1000)} if name == "uncertainty" else {}))
    with pytest.raises(IntegrityError, match=rf"^{name} is .* at row 17 \(1 of 1000"):
        evaluated(**arguments)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("exact", 0.0, "exact is 0 at row 3"),
        ("exact", -1.0, "must be positive"),
        ("weight", -2.0, "weight is -2 at row 3"),
        ("n_jets", 2.5, "n_jets is 2.5 at row 3"),
        ("min_sij", 1.1, "between 0 and 1"),
        ("min_sij", -0.1, "between 0 and 1"),
        ("predicted", 1e200, "predicted / exact is .* at row 3"),
        ("exact", 1e300, r"weight \* exact is .* at row 3"),
    ],
)
def test_impossible_values(name, value, said):
    with pytest.raises(IntegrityError, match=said):
        evaluated(**changed(name, 3, value))


def test_impossible_uncertainties():
    with pytest.raises(IntegrityError, match="uncertainty is -1 at row 0"):
        evaluated(**inputs(uncertainty=-np.ones(1000)))
    with pytest.raises(IntegrityError, match=r"/ uncertainty is .* at row 0"):
        evaluated(**inputs(uncertainty=np.full(1000, 1e-200)))


def test_zero_weights():
    with pytest.raises(IntegrityError, match="weight is zero in all 1000 rows"):
        evaluated(**inputs(weight=np.zeros(1000)))


@pytest.mark.parametrize("name", ["predicted", "weight", "n_jets", "min_sij", "uncertainty"])
def test_wrong_shape(name):
    with pytest.raises(UsageError, match=rf"^{name} has shape \(999,\), not \(1000,\)"):
        evaluated(**inputs(**{name: np.ones(999)}))


def test_column_instead_of_vector():
    with pytest.raises(UsageError, match=r"^exact has shape \(1000, 1\), not \(n,\)"):
        evaluated(**inputs(exact=np.ones((1000, 1))))


def test_empty_split():
    with pytest.raises(UsageError, match="the split is empty"):
        evaluated(**inputs(exact=np.empty(0)))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tried": 999.0}, "tried = 999"),
        ({"tried": math.inf}, "tried = inf"),
        ({"y_cut": 0.0}, "y_cut = 0"),
        ({"y_cut": 2.0}, "y_cut = 2"),
        ({"log_std": 0.0}, "log_std = 0"),
        ({"log_mean": math.nan}, "log_mean = nan"),
    ],
)
def test_impossible_numbers(changes, said):
    with pytest.raises(UsageError, match=said):
        evaluated(**inputs(**changes))


def test_table_is_aligned_and_complete():
    arguments = inputs()
    evaluation = evaluated(**arguments | {"uncertainty": 0.01 * arguments["exact"]})
    lines = table(evaluation).splitlines()
    body = [line for line in lines if line.startswith(("3 jets", "4 jets", "5 jets")) or "y_cut  " in line]
    assert len(body) == 3 + 5
    header = next(line for line in lines if "rows  points  events" in line)
    assert {len(line) for line in body} == {len(header)}
    assert header.split() == ["rows", *["points", "events"] * 6]
    overall = lines[5 : lines.index("", 5)]
    assert overall[0].split() == ["points", "events"]
    assert {len(line) for line in overall} == {len(overall[0])}
    assert sum(line.startswith("cross-section") for line in lines) == 2
    for level in ("1 sigma (Gaussian 68.3%)", "the 68% interval", "the 95% interval", "the 99% interval"):
        assert next(line for line in overall if line.startswith(f"in {level}")).split()[-2:] == ["100.0%", "100.0%"]
    without = table(evaluated(**arguments | {"weight": None}))
    assert "cross-section" not in without
    assert "events  " not in without


@pytest.mark.parametrize(
    ("value", "error", "shown"),
    [
        (0.057341, 0.00213, "0.0573(21)"),
        (379.4, 12.3, "379(12)"),
        (167.49, 141.2, "170(140)"),
        (1234567.0, 4321.0, "1.2346e+06 +- 4.3e+03"),
        (0.5, None, "0.5"),
        (0.5, 0.0, "0.5"),
        (1.0, 0.0996, "1.00(10)"),
    ],
)
def test_value_with_error(value, error, shown):
    assert with_error(value, error) == shown


def test_growth_of_an_ensemble_by_hand():
    exact = np.array([1.0, 2.0])
    members = np.array([[1.2, 2.0], [0.9, 2.2], [0.9, 1.5]])
    one, two, three = growth(exact, members)
    assert [g.members for g in (one, two, three)] == [1, 2, 3]
    assert one.mean_abs_delta == pytest.approx(0.1)
    assert one.median_relative_error is None
    assert two.mean_abs_delta == pytest.approx((0.05 + 0.05) / 2)  # means 1.05 and 2.1
    # Standard errors of two: half their distance, 0.15 and 0.1.
    assert two.median_relative_error == pytest.approx(np.median([0.15 / 1.05, 0.1 / 2.1]))
    assert two.covered["1"].value == 1.0
    assert three.rms_delta == pytest.approx(np.sqrt((0.0 + (1.9 / 2 - 1) ** 2) / 2))


def test_coverage_of_the_standard_error():
    """Members scattered around the exact value: the mean of R is covered as Student's t with R - 1 says."""
    rng = np.random.default_rng(3)
    exact = np.ones(20_000)
    found = growth(exact, 1.0 + 0.01 * rng.standard_normal((20, 20_000)))
    assert found[1].covered["1"].value == pytest.approx(0.5, abs=0.02)  # t with 1 degree of freedom
    assert found[19].covered["1"].value == pytest.approx(0.670, abs=0.02)
    assert found[19].mean_abs_delta / found[4].mean_abs_delta == pytest.approx(0.5, rel=0.03)


def test_points_outside_the_training_region():
    far, spread = np.zeros(1000, dtype=bool), np.zeros(1000, dtype=bool)
    far[:10], spread[5:20] = True, True
    certificate = Certificate({"min_sij": far, "jets": np.zeros(1000, dtype=bool), "spread": spread}, 1000)
    found = evaluated(**inputs(certificate=certificate)).by_certificate
    assert {name: m.points for name, m in found.items()} == {"inside": 980, "outside": 20, "min_sij": 10, "spread": 15}
    assert evaluated(**inputs()).by_certificate == {}
    text = table(evaluated(**inputs(certificate=certificate)))
    assert "outside training" in text
    assert "flag: spread" in text


def test_growth_is_shown():
    members = inputs()["exact"] * np.array([[1.1], [0.9], [1.02]])
    found = evaluated(**inputs(members=members))
    assert [g.members for g in found.growth] == [1, 2, 3]
    assert "standard error" in table(found)
