"""Bayesian networks against closed forms, equivariant ones against Lorentz transformations, and both in training."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ampcli.errors import InterruptedRun, UsageError
from ampcli.generation.generate import GenerationRequest, generate, prepare
from ampcli.generation.lepton_points import LeptonSettings
from ampcli.inference.load import load_predictor
from ampcli.models.bayesian import MEMBERS, BayesianMlp, mixture
from ampcli.models.factorised import FactorisedAnsatz
from ampcli.models.kinds import recipe_settings
from ampcli.models.mlp import Mlp
from ampcli.models.network import NETWORKS, Network
from ampcli.models.options import LikelihoodOptions
from ampcli.process import parse_process
from ampcli.records.architecture import Architecture
from ampcli.records.training import Recipe
from ampcli.registry.manifest import read_manifest
from ampcli.registry.resolve import resolve
from ampcli.store.features import write_features
from ampcli.store.reader import Store, open_store
from ampcli.training.optimiser import OPTIMISERS
from ampcli.training.train import TrainingRun, train

CPU = torch.device("cpu")
DENSE = Mlp((3, 8, 8, 2), "gelu")
PARTICLES = (1, -1, 23, 21, 21)


def test_the_divergence_from_the_prior():
    network = BayesianMlp(DENSE)
    parameters = network.initialise([1, 2]).double()
    generator = torch.Generator().manual_seed(1)
    parameters += 0.3 * torch.randn(parameters.shape, generator=generator, dtype=torch.float64)
    means, logs = parameters.chunk(2, dim=1)
    theirs = torch.distributions.kl_divergence(
        torch.distributions.Normal(means, logs.exp()), torch.distributions.Normal(0.0, 1.0)
    ).sum(dim=1)
    torch.testing.assert_close(network.complexity(parameters), theirs, rtol=1e-10, atol=0)
    nothing = torch.zeros_like(parameters)
    torch.testing.assert_close(network.complexity(nothing), torch.zeros(2, dtype=torch.float64))


def test_without_noise_the_means_predict():
    network = BayesianMlp(DENSE)
    parameters = network.initialise([3])
    inputs = torch.randn((1, 20, 3), generator=torch.Generator().manual_seed(1))
    found = network.forward(network.split(parameters), inputs)
    expected = DENSE.forward(DENSE.split(parameters[:, : DENSE.n_parameters]), inputs)
    torch.testing.assert_close(found, expected)


def test_local_noise_is_that_of_the_weights():
    # For one linear layer the distribution is known: mean x mu + b, variance x^2 sigma^2 + sigma_b^2.
    network = BayesianMlp(Mlp((3, 2)))
    parameters = network.initialise([1]).double()
    parameters[:, 8:] = torch.linspace(-1.5, -0.2, 8, dtype=torch.float64)
    x = torch.tensor([[0.5, -1.0, 2.0]], dtype=torch.float64)
    noise = torch.Generator().manual_seed(5)
    drawn = network.forward(network.split(parameters), x.expand(1, 200_000, 3), noise)[0]
    (weight, bias, log_weight, log_bias) = (piece[0] for piece in network.split(parameters)[0])
    mean = x @ weight + bias
    variance = x.square() @ (2 * log_weight).exp() + (2 * log_bias).exp()
    torch.testing.assert_close(drawn.mean(0), mean[0], rtol=0, atol=0.01)
    torch.testing.assert_close(drawn.var(0), variance[0], rtol=0.02, atol=0)


def test_members_are_draws_and_always_the_same():
    network = BayesianMlp(DENSE)
    parameters = network.initialise([1])[0]
    parameters[DENSE.n_parameters :] = -1.0
    first, again = network.members(parameters), network.members(parameters)
    assert all(torch.equal(a, b) for one, two in zip(first, again, strict=True) for a, b in zip(one, two, strict=True))
    weights = torch.cat([layer[0].flatten(1) for layer in first], dim=1)
    assert weights.shape[0] == MEMBERS
    means = torch.cat([layer[0].flatten() for layer in network.split(parameters[None])])
    assert float((weights - means).std()) == pytest.approx(np.exp(-1), rel=0.05)
    inputs = torch.ones((MEMBERS, 4, 3))
    outputs = network.forward(first, inputs)
    assert torch.isfinite(outputs).all()
    assert (outputs[0] != outputs[1]).all()


def test_the_law_of_total_variance():
    logs = torch.tensor([[0.0, 1.0], [0.2, 1.4]], dtype=torch.float64)
    relative = torch.tensor([[0.1, 0.3], [0.2, 0.1]], dtype=torch.float64)
    amplitude, uncertainty = mixture(logs.exp(), relative)
    torch.testing.assert_close(amplitude[0], torch.tensor([0.1, 1.2], dtype=torch.float64).exp())
    expected = torch.tensor([(0.01 + 0.04) / 2 + 0.01, (0.09 + 0.01) / 2 + 0.04], dtype=torch.float64).sqrt()
    torch.testing.assert_close(uncertainty[0], expected)


def transformed(momenta: torch.Tensor) -> torch.Tensor:
    """Boosted along x and turned about y."""
    gamma, beta = 1.25, 0.6
    boost = torch.eye(4, dtype=momenta.dtype)
    boost[:2, :2] = torch.tensor([[gamma, gamma * beta], [gamma * beta, gamma]])
    turn = torch.eye(4, dtype=momenta.dtype)
    c, s = np.cos(1.1), np.sin(1.1)
    turn[1, 1], turn[1, 3], turn[3, 1], turn[3, 3] = c, s, -s, c
    return momenta @ (turn @ boost).T


def events(n: int) -> torch.Tensor:
    rng = np.random.default_rng(4)
    space = rng.normal(size=(n, 5, 3))
    energy = np.sqrt((space**2).sum(-1) + np.array([0, 0, 0.3, 0, 0]))
    return torch.from_numpy(np.concatenate([energy[..., None], space], axis=2)).float()


def on_particles(kind: str) -> Network:
    return NETWORKS[kind].make(Architecture(hidden=(), network=kind, particles=PARTICLES, inputs=20, outputs=2))


@pytest.mark.parametrize("kind", ["lgatr", "lloca"])
def test_equivariant_networks(kind):
    pytest.importorskip(kind)
    network = on_particles(kind)
    parameters = network.initialise([1])
    assert parameters.shape == (1, network.n_parameters)
    assert torch.equal(parameters, network.initialise([1]))
    assert not torch.equal(parameters, network.initialise([2]))
    momenta = events(50)
    layers = network.split(parameters)
    found = network.forward(layers, momenta.flatten(1)[None])
    assert found.shape == (1, 50, 2)
    assert found.std(1).min() > 1e-4
    moved = network.forward(layers, transformed(momenta).flatten(1)[None])
    torch.testing.assert_close(moved, found, rtol=0, atol=2e-3 * float(found.std()))
    exchanged = momenta[:, [0, 1, 2, 4, 3]]  # gluons are alike
    same = network.forward(layers, exchanged.flatten(1)[None])
    torch.testing.assert_close(same, found, rtol=0, atol=2e-3 * float(found.std()))
    swapped = network.forward(layers, momenta[:, [2, 1, 0, 3, 4]].flatten(1)[None])
    assert (swapped - found).abs().max() > 0.01 * found.std()


def test_soap_is_for_matrices():
    pytest.importorskip("lgatr")
    network = on_particles("lgatr")
    with pytest.raises(UsageError, match="optimiser soap is for dense networks"):
        OPTIMISERS["soap"].start(network, network.initialise([1]))


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    """Three jets in e+e-, as momenta and as invariants."""
    path = tmp_path_factory.mktemp("networks") / "ee3.zarr"
    generate(prepare(GenerationRequest("e- e+ > d d~ g", path, 500, LeptonSettings(1000.0, 0.01), 7)))
    for name in ("invariants", "momenta"):
        write_features(open_store(path), name, CPU)
    return open_store(path)


def recipe_of(store: Store, model: str, **changes) -> Recipe:
    settings = {**recipe_settings(model), "hidden": (), "seeds": (1,), "epochs": 2, "dataset_digest": store.digest}
    return Recipe.model_validate({**settings, "batch_size": 32, "learning_rate": 3e-3, **changes})


CASES = [
    ("nofa", {"network": "bayesian", "hidden": (16, 16), "epochs": 8}),
    ("lgatr", {"epochs": 3}),
    ("lloca", {"epochs": 6}),
]


@pytest.mark.parametrize(("model", "changes"), CASES)
def test_training_publishing_and_resuming(tmp_path, store, model, changes):
    if model != "nofa":
        pytest.importorskip(model)
    settings = recipe_of(store, model, **changes)
    (made,) = train(TrainingRun(store, "whole", tmp_path, CPU), settings)
    asked = iter(range(1000))
    with pytest.raises(InterruptedRun):
        train(TrainingRun(store, "broken", tmp_path, CPU), settings, stop=lambda: next(asked) == 17)
    (again,) = train(TrainingRun(store, "broken", tmp_path, CPU), settings)
    assert again.metrics == made.metrics
    manifest = read_manifest(resolve(tmp_path, "whole"))
    assert manifest.architecture.network == settings.network
    amplitude, uncertainty = load_predictor("whole", tmp_path, "cpu").predict_final(store.read("momenta"))
    exact = store.read("amplitude")
    assert np.corrcoef(np.log(amplitude), np.log(exact))[0, 1] > 0.3
    assert (uncertainty > 0).all()
    other, _ = load_predictor("broken", tmp_path, "cpu").predict_final(store.read("momenta"))
    np.testing.assert_array_equal(other, amplitude)


def test_networks_that_train_alone(tmp_path, store):
    settings = recipe_of(store, "nofa", network="bayesian", hidden=(16,), seeds=(1, 2))
    with pytest.raises(UsageError, match="train alone"):
        train(TrainingRun(store, "two", tmp_path, CPU), settings)


def test_momenta_keep_one_unit(store):
    arrays = {"inputs": torch.from_numpy(store.read("features/momenta/inputs"))}
    amplitude = torch.from_numpy(store.read("amplitude"))
    ansatz = FactorisedAnsatz.fit(
        parse_process("e- e+ > d d~ g"), arrays, amplitude, LikelihoodOptions(), one_unit=True
    )
    ratio = arrays["inputs"] / ansatz.inputs(arrays).double()
    assert float(ratio[ratio.isfinite()].std()) < 1e-3 * float(ratio[ratio.isfinite()].mean())
