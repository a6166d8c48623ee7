"""The kinds single and fks-ensemble: FKS partition, regions, separate networks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import ampcli
from ampcli.errors import NotFoundError, UsageError
from ampcli.kinematics import min_invariant, pair_positions
from ampcli.models.ansatz import Batch, shapes_of
from ampcli.models.fks import FksAnsatz, partition
from ampcli.models.kinds import recipe_settings
from ampcli.models.mlp import Mlp
from ampcli.models.options import FksOptions, MomentumOptions
from ampcli.models.separate import SeparateNetworks
from ampcli.models.single import SingleAnsatz
from ampcli.phasespace.rambo import rambo
from ampcli.process import parse_process
from ampcli.publishing.ensemble import build_ensemble
from ampcli.registry.naming import expand_range
from ampcli.training.optimiser import OPTIMISERS
from ampcli.training.train import TrainingRun, train

CPU = torch.device("cpu")
PROCESS = parse_process("e- e+ > d d~ g g")


@pytest.fixture(scope="module")
def final() -> torch.Tensor:
    cube = np.random.default_rng(2).random((400, 4, 4))
    return torch.from_numpy(np.ascontiguousarray(rambo(cube, 1000.0)))


@pytest.fixture(scope="module")
def amplitude(final) -> torch.Tensor:
    return 1.0 / torch.from_numpy(min_invariant(final.numpy())) + 1e-5


def test_partition_by_hand(final):
    shares, smallest = partition(final)
    s = np.array([min_invariant(final.numpy()[:, pair]) for pair in pair_positions(4)]).T
    inverse = 1.0 / s
    np.testing.assert_allclose(shares, inverse / inverse.sum(axis=1, keepdims=True), rtol=1e-9)
    np.testing.assert_allclose(smallest, s.min(axis=1) / 1e6, rtol=1e-9)
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(len(final), dtype=torch.float64))


def test_a_collinear_pair_has_the_whole_share():
    a, b = np.array([1.0, 0, 0, 1]), np.array([1.0, 1e-9, 0, 1])
    event = 250.0 * np.stack([a, b, [1.0, 0, 0, -1], [1.0, 0, 0, -1]])
    event[2:, 1], event[2:, 2] = [0, 0], [0.6 * 250, -0.6 * 250]
    event[2:, 3] = -0.8 * 250
    shares, _ = partition(torch.from_numpy(event[None]))
    assert shares[0, 0] == pytest.approx(1.0, abs=1e-12)
    assert torch.isfinite(shares).all()


def fitted(final, amplitude, near: float = 0.02) -> FksAnsatz:
    return FksAnsatz.fit(PROCESS, {"momenta": final}, amplitude, FksOptions(near=near))


def test_targets_of_the_regions(final, amplitude):
    ansatz = fitted(final, amplitude)
    shares, smallest = partition(final)
    near = smallest < 0.02
    assert 50 < int(near.sum()) < 350
    parts = shares[near] * amplitude[near, None]
    torch.testing.assert_close(ansatz.targets.mean[:-1], parts.mean(0))
    torch.testing.assert_close(ansatz.targets.deviation[:-1], parts.std(0, correction=0))
    torch.testing.assert_close(ansatz.targets.mean[-1], amplitude[~near].mean())
    assert (ansatz.n_inputs, ansatz.n_outputs) == (16, 7)


def exact_outputs(ansatz: FksAnsatz, final, amplitude) -> torch.Tensor:
    """What perfect networks would say; nonsense where a network is not asked."""
    shares, smallest = partition(final)
    near = (smallest < ansatz.near)[:, None]
    goal = torch.cat([shares * amplitude[:, None], amplitude[:, None]], dim=1)
    asked = torch.cat([near.expand(-1, shares.shape[1]), ~near], dim=1)
    return torch.where(asked, ansatz.targets.apply(goal), torch.full_like(goal, 1e3))[None]


def test_perfect_networks_give_the_amplitude_and_no_loss(final, amplitude):
    ansatz = fitted(final, amplitude)
    outputs = exact_outputs(ansatz, final, amplitude)
    torch.testing.assert_close(ansatz.amplitude(outputs, {"momenta": final})[0], amplitude, rtol=1e-10, atol=0)
    table = ansatz.table({"momenta": final}, amplitude)
    loss, penalty = ansatz.losses(outputs.float(), Batch(table.inputs[None], table.terms[None], table.target[None]))
    assert float(loss) < 1e-9
    assert float(penalty) == 0.0


def test_the_loss_is_a_mean_over_each_region(final, amplitude):
    """A shift of one network's output by d adds d^2, however many points its region has."""
    ansatz = fitted(final, amplitude)
    table = ansatz.table({"momenta": final}, amplitude)
    batch = Batch(table.inputs[None], table.terms[None], table.target[None])
    for network in (0, 6):
        outputs = exact_outputs(ansatz, final, amplitude).float()
        outputs[..., network] += 0.5
        assert float(ansatz.losses(outputs, batch)[0]) == pytest.approx(0.25, rel=1e-3)


def test_scales_survive_saving(final, amplitude):
    arrays = {"momenta": final}
    for ansatz, options in (
        (fitted(final, amplitude, 0.015), FksOptions(near=0.015)),
        (SingleAnsatz.fit(PROCESS, arrays, amplitude, MomentumOptions()), MomentumOptions()),
    ):
        scales = {name: tensor.clone() for name, tensor in ansatz.scales().items()}
        restored = type(ansatz).restore(PROCESS, shapes_of(arrays), options, scales)
        outputs = torch.randn((2, 400, ansatz.n_outputs), generator=torch.Generator().manual_seed(3))
        assert torch.equal(restored.amplitude(outputs, arrays), ansatz.amplitude(outputs, arrays))
        before, after = (a.table(arrays, amplitude) for a in (ansatz, restored))
        assert torch.equal(before.terms, after.terms)
        assert torch.equal(before.target, after.target)


def test_empty_regions_are_refused(final, amplitude):
    with pytest.raises(UsageError, match="near 1e-12: 0 of 400"):
        fitted(final, amplitude, 1e-12)
    with pytest.raises(UsageError, match="400 of 400"):
        fitted(final, amplitude, 0.99)


def test_single_is_linear(final, amplitude):
    ansatz = SingleAnsatz.fit(PROCESS, {"momenta": final}, amplitude, MomentumOptions())
    outputs = torch.tensor([0.0, 1.0, -5.0]).view(1, 3, 1)
    found = ansatz.amplitude(outputs, {"momenta": final[:3]})[0]
    mean, deviation = amplitude.mean(), amplitude.std(correction=0)
    torch.testing.assert_close(found, torch.stack([mean, mean + deviation, mean - 5 * deviation]))
    assert float(found[2]) < 0


def test_separate_networks_are_networks_one_by_one():
    one = Mlp((5, 8, 6, 1))
    network = SeparateNetworks(one, 3)
    parameters = network.initialise([1, 2])
    assert parameters.shape == (2, 3 * one.n_parameters)
    assert len(torch.unique(parameters[:, 0])) == 2
    x = torch.randn((2, 11, 5), generator=torch.Generator().manual_seed(1))
    found = network.forward(network.split(parameters), x)
    assert found.shape == (2, 11, 3)
    for replica in range(2):
        for copy in range(3):
            own = parameters[replica].view(3, -1)[copy][None]
            alone = one.forward(one.split(own), x[replica][None])[0, :, 0]
            torch.testing.assert_close(found[replica, :, copy], alone)


def test_gradients_of_separate_networks_do_not_mix():
    network = SeparateNetworks(Mlp((5, 8, 1)), 3)
    parameters = network.initialise([1, 2]).requires_grad_()
    x = torch.ones((2, 4, 5))
    network.forward(network.split(parameters), x)[0, :, 1].sum().backward()
    changed = parameters.grad.view(2, 3, -1).abs().sum(dim=2) > 0
    assert changed.tolist() == [[False, True, False], [False, False, False]]


def test_second_order_steps_are_for_one_network():
    network = SeparateNetworks(Mlp((5, 8, 1)), 3)
    with pytest.raises(UsageError, match="separate"):
        OPTIMISERS["soap"].start(network, network.initialise([1]))


@pytest.mark.parametrize(
    ("model", "kind", "network"), [("single", "single", "mlp"), ("fks-ensemble", "fks", "separate")]
)
def test_trained_models_predict(tmp_path, store4, recipe_for, model, kind, network):
    options = {**recipe_settings(model)["options"], **({"near": 0.03} if kind == "fks" else {})}
    recipe = recipe_for(store4, model, seeds=(1, 2), epochs=8, options=options)
    assert (recipe.kind, recipe.network) == (kind, network)
    train(TrainingRun(store4, model, tmp_path, CPU), recipe)
    build_ensemble(tmp_path, "mean", [f"{model}@1-2"], "mean", store4)
    final, exact = (store4.read_split(name, "test") for name in ("momenta", "amplitude"))
    members = [ampcli.load(f"{model}@{version}", tmp_path).predict(final)[0] for version in (1, 2)]
    mean, error = ampcli.load("mean", tmp_path).predict(final)
    np.testing.assert_allclose(mean, np.mean(members, axis=0), rtol=1e-12)
    np.testing.assert_allclose(error, np.abs(members[0] - members[1]) / 2, rtol=1e-9, atol=1e-30)
    # Squared error over that of predicting the mean: 0.3 to 0.6 were measured after this short training.
    assert np.mean((mean - exact) ** 2) < 0.9 * np.var(exact)


def test_ranges_of_versions(tmp_path, registry):
    assert expand_range("m@2-4") == ["m@2", "m@3", "m@4"]
    assert expand_range("m@7-7") == ["m@7"]
    assert expand_range("m@best") == ["m@best"]
    assert expand_range("my-model-2-3") == ["my-model-2-3"]
    with pytest.raises(UsageError, match=r"Write m@2-4"):
        expand_range("m@4-2")
    with pytest.raises(NotFoundError, match="no version 4"):
        build_ensemble(registry, "too-many", ["fame3@1-4"], "mean")
