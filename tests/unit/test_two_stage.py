"""Two-stage unweighting: exact whatever the surrogate predicts, and cheap in exact amplitudes when it is good."""

from __future__ import annotations

import itertools
import shutil

import numpy as np
import pytest
import torch
from counted import Counted

from ampcli.cli.main import run
from ampcli.errors import IntegrityError
from ampcli.generation import proposal, quick_surrogate
from ampcli.generation.generate import GenerationRequest, generate, prepare
from ampcli.generation.proposal import PROPOSAL, Proposal
from ampcli.generation.proton_points import ProtonPoints, ProtonSettings
from ampcli.generation.quick_surrogate import QuickSurrogate, proposal_block, train_quick_surrogate
from ampcli.phasespace import two_stage
from ampcli.phasespace.hadron_sampler import TAIL, Adaptation, HadronSampler, event_scales, excess_threshold
from ampcli.phasespace.two_stage import Choice, Cost, Stages, choose_stages, draw_two_stage
from ampcli.process import parse_process
from ampcli.store.reader import open_store

pytest.importorskip("madspace")

PROCESS = "d d~ > z g g"
ROWS = 6000


@pytest.fixture(scope="module")
def sampler(tmp_path_factory) -> HadronSampler:
    job = prepare(GenerationRequest(PROCESS, tmp_path_factory.mktemp("two") / "z", 10, ProtonSettings("lhc13")))
    assert isinstance(job.source, ProtonPoints)
    return job.source.sampler


@pytest.fixture(scope="module")
def adaptation(sampler) -> Adaptation:
    return sampler.adapt(np.random.default_rng(1), TAIL)


@pytest.fixture(scope="module")
def weighted(sampler, adaptation):
    return sampler.draw(np.random.default_rng(2), 60_000, adaptation, False, lambda: None)


def perfect(sampler):
    return sampler.provider.evaluate


def poor(sampler):
    """Off by factors that depend on the event."""

    def predict(momenta):
        return sampler.provider.evaluate(momenta) * np.exp(0.7 * np.sin(40 * momenta[:, 3, 0] / momenta[:, 2, 0]))

    return predict


def wild(sampler):
    """Mostly right, but now and then too large by four orders of magnitude, or too small by one."""

    def predict(momenta):
        number = (1e6 * momenta[:, 3, 0]) % 1000
        factor = np.where(number < 1, 1e4, np.where(number > 998, 0.1, 1.0))
        return sampler.provider.evaluate(momenta) * factor

    return predict


def useless(sampler):
    """Knows nothing, over six orders of magnitude."""

    def predict(momenta):
        return 1e-6 * 10 ** (6 * ((1e6 * momenta[:, 3, 0]) % 1))

    return predict


def chosen(sampler, adaptation, surrogate, rng, share=0.003):
    return choose_stages(sampler, surrogate, rng, adaptation, share, adaptation.w_max)


def cross_section(drawn, tried) -> tuple[float, float]:
    mean = drawn.weight.sum() / tried
    return mean, np.sqrt((drawn.weight**2).sum() / tried - mean**2) / np.sqrt(tried)


@pytest.mark.parametrize("kind", [perfect, poor, wild])
def test_the_distribution_is_exact_whatever_is_predicted(sampler, adaptation, weighted, kind):
    surrogate, rng = kind(sampler), np.random.default_rng(3)
    stages = chosen(sampler, adaptation, surrogate, rng).stages
    drawn, tried, exact = draw_two_stage(sampler, surrogate, stages, rng, ROWS, adaptation, lambda: None)
    assert len(drawn.weight) == ROWS
    assert exact >= ROWS
    known, error = cross_section(*weighted)
    found, own_error = cross_section(drawn, tried)
    assert abs(found - known) < 4 * np.hypot(error, own_error)
    edges = np.quantile(event_scales(weighted[0].momenta, sampler.process, None), np.linspace(0.02, 0.98, 9))
    theirs, ours = (event_scales(d.momenta, sampler.process, None) for d in (weighted[0], drawn))
    for low, high in itertools.pairwise(edges):
        one, two = ((scale >= low) & (scale < high) for scale in (theirs, ours))
        expected, spread = weighted[0].weight[one].sum() / weighted[1], np.sqrt((weighted[0].weight[one] ** 2).sum())
        counted, noise = drawn.weight[two].sum() / tried, np.sqrt((drawn.weight[two] ** 2).sum())
        assert abs(counted - expected) < 4.5 * np.hypot(spread / weighted[1], noise / tried)


def test_a_good_surrogate_saves_exact_amplitudes(sampler, adaptation):
    calls = {}
    for kind in (perfect, poor, wild):
        rng = np.random.default_rng(4)
        stages = chosen(sampler, adaptation, kind(sampler), rng).stages
        _, _, exact = draw_two_stage(sampler, kind(sampler), stages, rng, 2000, adaptation, lambda: None)
        calls[kind] = exact / 2000
    assert 1 <= calls[perfect] < 1.6  # at few points per event, points are worth as much as exact amplitudes
    assert 1.5 < calls[poor] < 10
    assert calls[wild] < 3


@pytest.mark.parametrize("kind", [perfect, poor, wild])
def test_costs_are_those_expected(sampler, adaptation, kind):
    """Points tried and exact amplitudes per event, from a pilot of other points."""
    rng = np.random.default_rng(7)
    choice = chosen(sampler, adaptation, kind(sampler), rng)
    assert choice.worth_it
    drawn, tried, exact = draw_two_stage(sampler, kind(sampler), choice.stages, rng, ROWS, adaptation, lambda: None)
    assert tried / ROWS == pytest.approx(choice.cost.points, rel=0.1)
    assert exact / ROWS == pytest.approx(choice.cost.exact, rel=0.1)
    excess = 1 - choice.stages.s_max * choice.stages.r_max * ROWS / drawn.weight.sum()
    assert 0 < excess < 0.003 * 2.5  # few events carry it
    _, directly = sampler.draw(rng, ROWS, adaptation, True, lambda: None)
    assert directly / ROWS == pytest.approx(choice.direct.points, rel=0.3)  # w_max follows from few weights
    assert choice.cost.points < 4 * choice.direct.points  # wild predictions set no maximum


def test_a_share_of_the_excess_in_either_way(rng):
    """Copies of weights count as if the weights stood there as many times."""
    weights, copies = rng.exponential(size=300), rng.integers(1, 9, 300)
    repeated = np.repeat(weights, copies)
    for share in (0.001, 0.03, 0.4):
        expected = excess_threshold(repeated, share)
        assert excess_threshold(weights, share, copies.astype(float)) == pytest.approx(expected, rel=1e-12)


def test_a_useless_surrogate_is_noticed(sampler, adaptation, monkeypatch):
    monkeypatch.setattr(two_stage, "_PILOT_PASSES", 10)
    choice = chosen(sampler, adaptation, useless(sampler), np.random.default_rng(8))
    assert choice is None or not choice.worth_it
    nothing = choose_stages(
        sampler, lambda p: np.full(len(p), 1e-300), np.random.default_rng(8), adaptation, 0.003, 1.0
    )
    assert nothing is None


def test_events_have_equal_weight_but_for_the_excess(sampler, adaptation):
    rng = np.random.default_rng(5)
    surrogate = poor(sampler)
    stages = chosen(sampler, adaptation, surrogate, rng).stages
    drawn, _, _ = draw_two_stage(sampler, surrogate, stages, rng, ROWS, adaptation, lambda: None)
    usual = stages.s_max * stages.r_max
    assert drawn.weight.min() == pytest.approx(usual)
    assert 0 < (drawn.weight > 1.0001 * usual).mean() < 0.12
    assert (drawn.weight - usual).sum() / drawn.weight.sum() < 0.01


@pytest.fixture(scope="module")
def trained(sampler, weighted, tmp_path_factory):
    drawn, scratch = weighted[0], tmp_path_factory.mktemp("scratch")
    rows = np.arange(0, 60_000, 10)
    tensors = train_quick_surrogate(
        sampler.process, sampler.provider, drawn.momenta[rows], drawn.amplitude[rows], 1, scratch
    )
    assert list(scratch.iterdir()) == []
    return tensors


def test_the_quick_surrogate_is_good_enough(sampler, weighted, trained):
    surrogate = QuickSurrogate.restore(trained, sampler.process, sampler.provider)
    drawn = weighted[0].chosen(np.arange(5, 60_000, 10))
    delta = surrogate(drawn.momenta) / drawn.amplitude - 1
    assert np.median(np.abs(delta)) < 0.05


def test_predictions_are_positive_and_finite_anywhere(sampler, trained):
    class Broken:
        def predict_momenta(self, final):
            values = torch.tensor([float("nan"), float("inf"), 0.0, 1e-5], dtype=torch.float64)
            return values, values

    usual = QuickSurrogate.restore(trained, sampler.process, sampler.provider)
    broken = QuickSurrogate(Broken(), usual.lowest, usual.highest)
    found = broken(np.ones((4, 5, 4)))
    assert (found > 0).all()
    assert np.isfinite(found).all()
    assert found[3] == 1e-5


def test_saving_and_damage(sampler, trained, tmp_path):
    surrogate = QuickSurrogate.restore(trained, sampler.process, sampler.provider)
    stages = Stages(2.0, 3.0)
    choice = Choice(stages, Cost(100.0, 1.5), Cost(90.0, 40.0))
    for before in (
        Proposal(trained, surrogate, stages),  # as older versions saved it
        Proposal(trained, surrogate, stages, choice),
        Proposal(trained, surrogate, stages, None, 5.0),
        Proposal(trained, surrogate, stages, choice, 5.0),
    ):
        before.save(tmp_path / PROPOSAL)
        after = Proposal.load(tmp_path / PROPOSAL, sampler.process, sampler.provider)
        assert (after.stages, after.choice, after.w_max) == (before.stages, before.choice, before.w_max)
    momenta = sampler.draw(np.random.default_rng(6), 50, Adaptation(sampler_grid(sampler), 1.0), False, lambda: None)[0]
    np.testing.assert_array_equal(after.surrogate(momenta.momenta), surrogate(momenta.momenta))
    (tmp_path / PROPOSAL).write_bytes((tmp_path / PROPOSAL).read_bytes()[:300])
    with pytest.raises(IntegrityError, match="Generate the store again"):
        Proposal.load(tmp_path / PROPOSAL, sampler.process, sampler.provider)


def sampler_grid(sampler):
    from ampcli.phasespace.vegas import VegasGrid

    return VegasGrid.flat(sampler.map.axes)


def test_a_store_with_surrogates_and_its_resumption(tmp_path):
    settings, threads = ProtonSettings("lhc13", two_stage=True), torch.get_num_threads()
    request = GenerationRequest("d d~ > z g g", tmp_path / "a", 2000, settings)
    bars = Counted()
    attributes = generate(prepare(request), bars=bars)
    assert bars.complete[:3] == ["points", "points", "epochs"]  # of adaptation, surrogate, training; then the pilot
    assert [unit for unit, _, _ in bars.seen] == ["points", "points", "epochs", "points"]
    store = open_store(tmp_path / "a")
    assert store.plan.source.unweighted == "two-stage"
    assert 1 < attributes["exact_amplitudes"] / 2000 < 3
    assert attributes["unweighting"] == "two-stage"
    expected = attributes["expected_two_stage"]["exact"]  # the last pass of every part makes more than are taken
    assert 0.9 * expected < attributes["exact_amplitudes"] / 2000 < 2.0 * expected
    assert attributes["expected_two_stage"]["exact"] < attributes["expected_direct"]["exact"]
    assert torch.get_num_threads() == threads
    weights = np.sort(store.read("weight") * store.read("amplitude"))[:-1]  # one event may have a large excess
    assert weights.sum() ** 2 / (weights**2).sum() > 1900
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    (tmp_path / "b" / ".ampcli" / "parts" / "000001.json").unlink()
    again = prepare(GenerationRequest(PROCESS, tmp_path / "b", 2000, settings))
    assert generate(again, resume=True)["digest"] == attributes["digest"]


def test_a_store_where_two_stages_are_not_worth_it(tmp_path, monkeypatch, capsys):
    """The same events as those of direct unweighting, but for the stream; said, and decided alike when resumed."""
    monkeypatch.setattr(two_stage, "_PILOT_PASSES", 10)
    monkeypatch.setattr(quick_surrogate, "_EPOCHS", 1)
    monkeypatch.setattr(proposal, "TAIL", 20)
    monkeypatch.setattr(QuickSurrogate, "__call__", lambda self, momenta: np.full(len(momenta), self.lowest * 1e-6))
    call = ["gen", PROCESS, str(tmp_path / "a"), "--points", "1500", "--beams", "lhc13", "--two-stage"]
    assert run(call) == 0
    assert "unweighted directly" in capsys.readouterr().out
    attributes = open_store(tmp_path / "a").attributes
    assert attributes["unweighting"] == "direct"
    assert "exact_amplitudes" not in attributes
    assert abs(attributes["statistics"]["mean_weighted_amplitude"] - 147.3) < 15
    (tmp_path / "a" / ".ampcli" / "parts" / "000001.json").unlink()
    assert run([*call, "--resume"]) == 0
    assert open_store(tmp_path / "a").digest == attributes["digest"]


def test_processes_that_undo_nothing_use_invariants(sampler):
    assert proposal_block(parse_process("d d~ > z g"), sampler.provider).name == "invariants"
    assert proposal_block(parse_process("d d~ > z g g g"), sampler.provider).name == "fg1+"
