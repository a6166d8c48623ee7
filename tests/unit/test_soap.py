"""SOAP: closed form of the first steps, rotations, replicas, and where it is meant to beat Adam."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ampcli.models.mlp import Mlp
from ampcli.training.adam import Adam
from ampcli.training.optimiser import OPTIMISERS
from ampcli.training.soap import REFRESH, Soap

DOUBLE = torch.float64


def flat(matrices: list[torch.Tensor]) -> torch.Tensor:
    """Layers (R, inputs + 1, outputs) as one row of parameters per replica."""
    return torch.cat([matrix.reshape(len(matrix), -1) for matrix in matrices], dim=1)


def gradients(network: Mlp, steps: int, replicas: int = 2, seed: int = 3) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn((replicas, network.n_parameters), generator=generator, dtype=DOUBLE) * (1 + step % 3)
        for step in range(steps)
    ]


def matrices(network: Mlp, parameters: torch.Tensor) -> list[torch.Tensor]:
    """Views (R, inputs + 1, outputs) of the layers."""
    return [m for group in Soap(network, parameters).groups for m in group.matrices(parameters).unbind(1)]


def test_matrices_are_the_layers():
    network = Mlp((3, 4, 4, 4, 2))
    parameters = torch.arange(2.0 * network.n_parameters).view(2, -1)
    layers = matrices(network, parameters)
    assert torch.equal(flat(layers), parameters)
    for matrix, (weight, bias) in zip(layers, network.split(parameters), strict=True):
        assert torch.equal(matrix[:, :-1], weight)
        assert torch.equal(matrix[:, -1:], bias)
    layers[0].zero_()  # they are views
    assert (parameters[:, :16] == 0).all()


def test_the_first_steps():
    # The first gradient sets the bases U, V; the second moves W by rate x U sign(U^T G V) V^T, as Adam would there.
    network = Mlp((5, 3))
    first, second = gradients(network, 2)
    start = torch.zeros((2, network.n_parameters), dtype=DOUBLE)
    parameters = start.clone()
    soap = Soap(network, parameters)
    rates = torch.tensor([1e-2, 3e-3], dtype=DOUBLE)
    soap.step(parameters, first, rates)
    assert torch.equal(parameters, start)
    soap.step(parameters, second, rates)
    for replica in range(2):
        known, new = (gradient[replica].view(6, 3).numpy() for gradient in (first, second))
        u, _, v = np.linalg.svd(known)
        expected = -float(rates[replica]) * u @ np.sign(u.T @ new @ v.T) @ v
        # The null space of G G^T is any basis of three vectors: compare where it does not matter.
        found = parameters[replica].view(6, 3).numpy()
        np.testing.assert_allclose(u[:, :3].T @ found, u[:, :3].T @ expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("side", ["inputs", "outputs"])
def test_rotations_of_a_layer_rotate_the_steps(side):
    # The eigenbases turn with the gradients: no other coordinates are better or worse (Adam's are).
    network = Mlp((4, 6))
    size = 5 if side == "inputs" else 6
    turn = torch.linalg.qr(torch.randn(size, size, generator=torch.Generator().manual_seed(8), dtype=DOUBLE))[0]

    def turned(rows: torch.Tensor) -> torch.Tensor:
        (matrix,) = matrices(network, rows)
        return flat([turn @ matrix if side == "inputs" else matrix @ turn])

    parameters = torch.zeros((2, network.n_parameters), dtype=DOUBLE)
    ours, theirs = parameters.clone(), parameters.clone()
    straight, rotated = Soap(network, ours), Soap(network, theirs)
    adam_ours, adam_theirs = parameters.clone(), parameters.clone()
    adam, adam_rotated = Adam.start(parameters), Adam.start(parameters)
    rates = torch.full((2,), 1e-2, dtype=DOUBLE)
    # Gradients of full rank, so that no eigenvalue is repeated.
    start = torch.stack([torch.diag_embed(torch.arange(1.0, 6.0, dtype=DOUBLE))] * 2)
    first = flat([torch.cat([start, torch.ones((2, 5, 1), dtype=DOUBLE)], dim=2)])
    for step, gradient in enumerate([first, *gradients(network, 3 * REFRESH)]):
        mixed = gradient + 3 * first
        straight.step(ours, mixed, rates)
        rotated.step(theirs, turned(mixed), rates)
        adam.step(adam_ours, mixed, rates)
        adam_rotated.step(adam_theirs, turned(mixed), rates)
        if side == "inputs" or step == 0:
            torch.testing.assert_close(theirs, turned(ours), rtol=0, atol=1e-7)
    torch.testing.assert_close(theirs, turned(ours), rtol=0, atol=1e-3 if side == "outputs" else 1e-7)
    assert (adam_theirs - turned(adam_ours)).abs().max() > 1e-2


@pytest.mark.parametrize("network", [Mlp((4, 5, 2)), Mlp((20, 40, 40, 40, 33)), Mlp((7, 100))])
@pytest.mark.parametrize("threads", [1, 3])
def test_steps_in_single_precision_are_those_in_double(network, threads):
    # On processors with AMX, products in 8 bits are behind this.
    generator = torch.Generator().manual_seed(6)
    single = 0.1 * torch.randn((2, network.n_parameters), generator=generator)
    double = single.double()
    start = single.clone()
    ours, theirs = Soap(network, single), Soap(network, double)
    rates = torch.tensor([1e-2, 3e-3])
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for step, gradient in enumerate(gradients(network, 12)):
            ours.step(single, gradient.float(), rates, 0.01)
            theirs.step(double, gradient, rates.double(), 0.01)
            if step == 0:  # bases of a null space are any: those of one side of the comparison for both
                theirs.restore({name: tensor.double() for name, tensor in ours.tensors().items()}, ours.steps)
    finally:
        torch.set_num_threads(before)
    moved = (double - start).square().mean().sqrt()
    assert (single - double).square().mean().sqrt() < 0.03 * moved


def test_replicas_do_not_see_each_other():
    network = Mlp((4, 5, 2))
    together = torch.zeros((3, network.n_parameters), dtype=DOUBLE)
    alone = together[1:2].clone()
    soap, single = Soap(network, together), Soap(network, alone)
    rates = torch.tensor([1e-2, 2e-2, 0.0], dtype=DOUBLE)
    for gradient in gradients(network, 2 * REFRESH + 3, replicas=3):
        soap.step(together, gradient, rates)
        single.step(alone, gradient[1:2], rates[1:2])
    torch.testing.assert_close(together[1:2], alone, rtol=0, atol=1e-10)
    assert (together[2] == 0).all()  # it rests at rate 0


def test_a_badly_conditioned_regression_is_learned_faster_than_by_adam():
    generator = torch.Generator().manual_seed(5)
    mix = torch.linalg.qr(torch.randn(12, 12, generator=generator, dtype=DOUBLE))[0]
    inputs = torch.randn(400, 12, generator=generator, dtype=DOUBLE) * torch.logspace(0, -2, 12, dtype=DOUBLE) @ mix
    target = inputs @ torch.randn(12, 3, generator=generator, dtype=DOUBLE) + 0.5
    network = Mlp((12, 3))
    losses = {}
    for name in ("adam", "soap"):
        parameters = torch.zeros((1, network.n_parameters), dtype=DOUBLE)
        optimiser = OPTIMISERS[name].start(network, parameters)
        for step in range(400):
            leaf = parameters.detach().requires_grad_()
            loss = (network.forward(network.split(leaf), inputs[None])[0] - target).square().mean()
            (gradient,) = torch.autograd.grad(loss, leaf)
            rate = torch.full((1,), 0.03 * (1 - step / 400), dtype=DOUBLE)
            optimiser.step(parameters, gradient, rate, 0.0)
        losses[name] = float(loss.detach())
    assert losses["soap"] < 0.1 * losses["adam"]


def test_going_on_from_its_tensors():
    network = Mlp((4, 5, 2))
    parameters = torch.zeros((1, network.n_parameters), dtype=DOUBLE)
    rates = torch.tensor([1e-2], dtype=DOUBLE)
    soap = Soap(network, parameters)
    all_gradients = gradients(network, 2 * REFRESH, replicas=1)
    for gradient in all_gradients[:REFRESH]:
        soap.step(parameters, gradient, rates)
    again, other = parameters.clone(), Soap(network, parameters)
    other.restore({name: tensor.clone() for name, tensor in soap.tensors().items()}, soap.steps)
    for gradient in all_gradients[REFRESH:]:
        soap.step(parameters, gradient, rates)
        other.step(again, gradient, rates)
    assert torch.equal(parameters, again)


def test_weight_decay_shrinks_the_weights():
    network = Mlp((2, 2))
    parameters = torch.ones((1, network.n_parameters), dtype=DOUBLE)
    soap = Soap(network, parameters)
    rate = torch.tensor([0.1], dtype=DOUBLE)
    for _ in range(3):
        soap.step(parameters, torch.zeros_like(parameters), rate, weight_decay=0.5)
    torch.testing.assert_close(parameters, torch.full_like(parameters, 0.95**2), rtol=1e-12, atol=0)
