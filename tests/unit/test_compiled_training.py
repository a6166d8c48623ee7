"""Compiled steps of trainings against torch in double precision; instruction sets, threads, replicas."""

from __future__ import annotations

import pytest
import torch

from ampcli.instructions import instruction_set
from ampcli.models.ansatz import Batch
from ampcli.models.factorised import FactorisedAnsatz
from ampcli.models.mlp import Mlp
from ampcli.models.scaling import Standardiser
from ampcli.training.adam import Adam
from ampcli.training.compiled.engine import steps
from ampcli.training.gradient import DenseGradient, GraphGradient

_ORDER = ["baseline", "avx2", "avx512"]
COMPILED = _ORDER[: _ORDER.index(instruction_set()) + 1]  # those that this processor runs
KERNELS = COMPILED + ["halves"] * steps().halves_usable()
NETWORKS = [
    Mlp((5, 7)),
    Mlp((5, 7), "gelu"),
    Mlp((33, 40, 2), "tanh"),
    Mlp((28, 128, 96, 64, 2), "gelu"),
    Mlp((3, 24, 24, 24, 50), "gelu", residual=True),
    Mlp((21, *(160,) * 5, 3), "tanh", residual=True),
]


def ansatz(beta: float = 0.0) -> FactorisedAnsatz:
    return FactorisedAnsatz(Standardiser.unfitted(3), Standardiser.unfitted(), beta, radiations=1)


def sample(network: Mlp, replicas: int, rows: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Parameters, inputs and slopes."""
    generator = torch.Generator().manual_seed(3)
    parameters = network.initialise(range(replicas))
    parameters += 0.05 * torch.randn(parameters.shape, generator=generator)
    inputs = 2.0 * torch.randn((replicas, rows, network.widths[0]), generator=generator)
    return parameters, inputs, torch.randn((replicas, rows, network.widths[-1]), generator=generator)


def compiled(network: Mlp, kernel: str, parameters, inputs, slopes, threads: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Outputs, and the gradient of their sum weighted with slopes; twice, as memory is used again."""
    passes = steps(None if kernel == "halves" else kernel).Dense(
        widths=list(network.widths),
        residual=network.residual,
        activation=network.activation,
        halves=kernel == "halves",
    )
    outputs, gradient = torch.empty_like(slopes), torch.full_like(parameters, torch.nan)
    for weight in (-1.0, 1.0):
        passes.forward((weight * parameters).numpy(), inputs.numpy(), outputs.numpy(), threads)
        passes.backward((weight * slopes).numpy(), gradient.numpy(), threads)
    return outputs, gradient


def by_graph(network: Mlp, parameters, inputs, slopes) -> tuple[torch.Tensor, torch.Tensor]:
    parameters = parameters.double().requires_grad_()
    outputs = network.forward(network.split(parameters), inputs.double())
    return outputs.detach(), torch.autograd.grad((outputs * slopes.double()).sum(), parameters)[0]


def assert_near(found: torch.Tensor, expected: torch.Tensor, tolerance: float) -> None:
    """In units of the expected values' root mean square."""
    size = expected.square().mean().sqrt()
    assert float((found - expected).abs().max() / size) < tolerance


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(("replicas", "rows", "threads"), [(1, 1, 1), (2, 300, 1), (1, 777, 3), (3, 256, 2)])
def test_outputs_and_gradients_are_those_of_the_graph(kernel, network, replicas, rows, threads):
    drawn = sample(network, replicas, rows)
    outputs, gradient = compiled(network, kernel, *drawn, threads)
    expected, expected_gradient = by_graph(network, *drawn)
    rounding = 10.0 if kernel == "halves" else 1.0
    assert_near(outputs, expected, 2e-5 * rounding)
    assert_near(gradient, expected_gradient, 5e-5 * rounding)


@pytest.mark.parametrize("on", COMPILED)
@pytest.mark.parametrize("activation", ["gelu", "tanh"])
def test_activations_over_their_whole_range(on, activation):
    network = Mlp((1, 1, 1), activation)
    x = torch.cat([torch.linspace(-60, 60, 4001), torch.linspace(-1e-3, 1e-3, 101), torch.tensor([-1e30, 1e30])])
    one = torch.tensor([[1.0, 0.0, 1.0, 0.0]])
    inputs, slopes = x[None, :, None], torch.ones(1, len(x), 1)
    outputs, _ = compiled(network, on, one, inputs, slopes, 1)
    expected, _ = by_graph(network, one, inputs, slopes)
    torch.testing.assert_close(outputs, expected.float(), rtol=3e-7, atol=3e-7)
    for at in range(0, len(x) - 2, 97):  # the derivative, as that of the bias
        _, slope = compiled(network, on, one, inputs[:, at : at + 1], slopes[:, :1], 1)
        _, expected = by_graph(network, one, inputs[:, at : at + 1], slopes[:, :1])
        assert float(slope[0, 1]) == pytest.approx(float(expected[0, 1]), abs=4e-7)


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_same_threads_give_the_same_bits(kernel):
    network = NETWORKS[-1]
    drawn = sample(network, 2, 1500)
    first, second = (compiled(network, kernel, *drawn, 3) for _ in range(2))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("network", [NETWORKS[2], NETWORKS[3]])
def test_numbers_that_are_none_are_not_hidden(kernel, network):
    parameters, inputs, slopes = sample(network, 1, 40)
    inputs[0, 7, 3] = torch.nan
    outputs, gradient = compiled(network, kernel, parameters, inputs, slopes, 1)
    assert outputs[0, 7].isnan().all()
    assert not outputs[0, 8].isnan().any()
    assert gradient.isnan().any()


def test_arrays_of_other_shapes_are_refused():
    passes = steps().Dense(widths=[3, 4, 2], residual=False, activation="tanh", halves=False)
    parameters, inputs, outputs = torch.zeros(1, 26), torch.zeros(1, 9, 3), torch.zeros(1, 9, 2)
    with pytest.raises(ValueError, match="parameters"):
        passes.forward(parameters[:, 1:].contiguous().numpy(), inputs.numpy(), outputs.numpy(), 1)
    with pytest.raises(ValueError, match="inputs"):
        passes.forward(parameters.numpy(), outputs.numpy(), outputs.numpy(), 1)
    with pytest.raises(ValueError, match="outputs"):
        passes.forward(parameters.numpy(), inputs.numpy(), inputs.numpy(), 1)
    with pytest.raises(ValueError, match="slopes"):
        passes.backward(outputs.numpy(), parameters.numpy(), 1)


@pytest.mark.parametrize("beta", [0.0, 0.5])
def test_losses_of_a_batch(beta):
    network = NETWORKS[3]
    parameters, inputs, noise = sample(network, 2, 500)
    batch = Batch(inputs, inputs.new_empty((2, 500, 0)), noise[..., 0])
    ours = DenseGradient(network, ansatz(beta))(parameters, batch, None, 1000)
    theirs = GraphGradient(network, ansatz(beta))(parameters, batch, None, 1000)
    torch.testing.assert_close(ours.error, theirs.error, rtol=2e-4, atol=0)
    assert torch.equal(ours.penalty, theirs.penalty)
    assert_near(ours.gradient, theirs.gradient, 1e-3)


@pytest.mark.parametrize("beta", [0.0, 0.5])
def test_slopes_of_the_likelihood_are_those_of_its_graph(beta):
    generator = torch.Generator().manual_seed(4)
    outputs = 3.0 * torch.randn((2, 900, 2), generator=generator, dtype=torch.float64)
    outputs[:, :200, 1] *= 5.0  # beyond both bounds
    outputs[0, 300:303, 1] = torch.tensor([-12.0, 4.0, torch.nan])
    batch = Batch(torch.empty(0), torch.empty(2, 900, 0), torch.randn((2, 900), generator=generator))
    assert (outputs[..., 1] < -12).any()
    assert (outputs[..., 1] > 4).any()
    found, expected = ansatz(beta).slopes(outputs, batch), super(FactorisedAnsatz, ansatz(beta)).slopes(outputs, batch)
    for ours, graph in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, graph, rtol=1e-12, atol=0, equal_nan=True)
    assert found[0][1].isfinite()


def test_adam_with_weight_decay_is_that_of_its_formulas():
    generator = torch.Generator().manual_seed(1)
    start = torch.randn((2, 1037), generator=generator)
    ours, theirs = start.clone(), start.double()
    single, double = Adam.start(ours), Adam.start(theirs)
    rates = torch.tensor([1e-2, 1e-4])
    for _ in range(10):
        gradient = torch.randn(start.shape, generator=generator)
        single.step(ours, gradient, rates, 0.1)
        double.step(theirs, gradient.double(), rates.double(), 0.1)
    torch.testing.assert_close(ours.double(), theirs, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(single.second.double(), double.second, rtol=1e-5, atol=1e-9)
