"""Networks and ansaetze: scales, exact cases, losses."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from samples import read_fame

from ampcli.errors import UsageError
from ampcli.factorisation.representative import oriented
from ampcli.features.fame import FameBlock
from ampcli.models.ansatz import Batch, shapes_of
from ampcli.models.fame import FameAnsatz
from ampcli.models.kinds import KINDS
from ampcli.models.mlp import Mlp
from ampcli.models.options import FameOptions, MomentumOptions
from ampcli.models.plain import PlainAnsatz
from ampcli.models.presets import PRESETS, hidden_layers
from ampcli.models.scaling import MomentumInputs, Standardiser
from ampcli.process import parse_process


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(4)


@pytest.fixture(params=[3, 4, 5])
def known(request, fame_reference):
    """Process, arrays of the block fame and made-up amplitudes of the reference points."""
    jets = request.param
    process = parse_process("e- e+ > d d~" + " g" * (jets - 2))
    momenta = torch.from_numpy(fame_reference(jets)["momenta"][:, 2:].copy())
    arrays = {"momenta": momenta, **FameBlock(process).compute(momenta)}
    generator = torch.Generator().manual_seed(jets)
    amplitude = torch.exp(3 * torch.randn(len(momenta), generator=generator, dtype=torch.float64))
    return process, arrays, amplitude


def test_standardiser_of_columns(generator):
    values = 3 + 2 * torch.randn((400, 5), generator=generator, dtype=torch.float64) * torch.arange(1, 6)
    fitted = Standardiser.fit(values)
    scaled = fitted.apply(values)
    torch.testing.assert_close(scaled.mean(0), torch.zeros(5, dtype=torch.float64), atol=1e-12, rtol=0)
    torch.testing.assert_close(scaled.std(0, correction=0), torch.ones(5, dtype=torch.float64))
    torch.testing.assert_close(fitted.undo(scaled), values)


def test_standardiser_of_a_vector():
    fitted = Standardiser.fit(torch.tensor([1.0, 3.0]))
    assert (float(fitted.mean), float(fitted.deviation)) == (2.0, 1.0)
    assert fitted.apply(torch.tensor([1.0, 3.0])).tolist() == [-1.0, 1.0]


def test_a_constant_column_stays_finite():
    fitted = Standardiser.fit(torch.tensor([[1.0, 5.0], [2.0, 5.0]]))
    assert fitted.apply(torch.tensor([[1.5, 5.0]])).tolist() == [[0.0, 0.0]]


def test_four_scales_are_shared_by_the_legs(known):
    _, arrays, _ = known
    momenta = arrays["momenta"]
    fitted = MomentumInputs.fit(momenta, orient=False)
    mean, deviation = fitted.standardiser.mean, fitted.standardiser.deviation
    assert mean.shape == (4,)
    torch.testing.assert_close(mean, momenta.mean((0, 1)))
    flat = fitted.inputs(momenta)
    assert flat.shape == (60, 4 * momenta.shape[1])
    assert flat.dtype == torch.float32
    assert flat[7, 8] == ((momenta[7, 2, 0] - mean[0]) / deviation[0]).float()


def turned(momenta: torch.Tensor, angle: torch.Tensor) -> torch.Tensor:
    """Each event turned about the z axis."""
    rotation = torch.eye(4, dtype=torch.float64).repeat(len(momenta), 1, 1)
    rotation[:, 1, 1] = rotation[:, 2, 2] = angle.cos()
    rotation[:, 2, 1], rotation[:, 1, 2] = angle.sin(), -angle.sin()
    return torch.einsum("nab,nib->nia", rotation, momenta)


def test_orientation(known):
    _, arrays, _ = known
    momenta = arrays["momenta"]
    found = oriented(momenta)
    assert found[:, 0, 2].abs().max() < 1e-12 * 1000
    assert (found[:, 0, 1] >= 0).all()
    # A rotation about the z axis: energies, pz and all scalar products stay.
    torch.testing.assert_close(found[..., [0, 3]], momenta[..., [0, 3]], rtol=0, atol=0)
    gram = [torch.einsum("nia,nja->nij", p[..., 1:], p[..., 1:]) for p in (found, momenta)]
    torch.testing.assert_close(*gram, rtol=1e-12, atol=1e-6)
    torch.testing.assert_close(oriented(found), found, rtol=1e-12, atol=1e-9)
    # No reflection: the sign of the triple product of the z axis and two legs stays.
    triple = [p[:, 0, 1] * p[:, 1, 2] - p[:, 0, 2] * p[:, 1, 1] for p in (found, momenta)]
    torch.testing.assert_close(*triple, rtol=1e-10, atol=1e-6)


def test_oriented_inputs_do_not_know_the_azimuth(known):
    _, arrays, _ = known
    momenta = arrays["momenta"]
    angle = torch.linspace(0.0, 6.0, len(momenta), dtype=torch.float64)
    for orient in (True, False):
        fitted = MomentumInputs.fit(momenta, orient)
        difference = (fitted.inputs(turned(momenta, angle)) - fitted.inputs(momenta)).abs().max()
        assert (difference < 1e-5) == orient


def test_orientation_is_finite_along_the_beam():
    momenta = torch.tensor([[[5.0, 0, 0, 5], [5.0, 3, 4, 0]]], dtype=torch.float64)
    assert torch.isfinite(oriented(momenta)).all()


@pytest.mark.parametrize("kind", ["fame", "plain"])
@pytest.mark.parametrize("orient", [False, True])
def test_scales_survive_saving(known, kind, orient):
    process, arrays, amplitude = known
    options = KINDS[kind].options(orient=orient)
    fitted = KINDS[kind].ansatz.fit(process, arrays, amplitude, options)
    scales = {name: tensor.clone() for name, tensor in fitted.scales().items()}
    restored = KINDS[kind].ansatz.restore(process, shapes_of(arrays), options, scales)
    assert restored.scales().keys() == fitted.scales().keys()
    for name, tensor in fitted.scales().items():
        assert tensor.dtype == torch.float64
        assert torch.equal(restored.scales()[name], tensor)
    assert (restored.n_inputs, restored.n_outputs) == (fitted.n_inputs, fitted.n_outputs)
    before, after = (a.table(arrays, amplitude) for a in (fitted, restored))
    for field in ("inputs", "terms", "target"):
        assert torch.equal(getattr(before, field), getattr(after, field))


def test_sizes_of_fame(known):
    process, arrays, amplitude = known
    ansatz = FameAnsatz.fit(process, arrays, amplitude, FameOptions(penalty=0))
    dipoles, outputs = {3: (2, 2), 4: (10, 12), 5: (27, 33)}[process.n_final]
    assert (ansatz.n_inputs, ansatz.n_outputs) == (4 * process.n_final + dipoles, outputs)
    assert ansatz.inputs(arrays).shape == (60, ansatz.n_inputs)


def test_fame_without_spin_correlations_or_recoil_factors(known):
    """The terms and inputs that are left out have no outputs and no influence."""
    process, arrays, amplitude = known
    whole = FameAnsatz.fit(process, arrays, amplitude, FameOptions(penalty=1e-5))
    options = FameOptions(penalty=1e-5, spin=False, recoil=False)
    ansatz = FameAnsatz.fit(process, arrays, amplitude, options)
    n = whole.n_dipoles
    assert (ansatz.n_inputs, ansatz.n_outputs) == (4 * process.n_final, n)
    assert torch.equal(ansatz.inputs(arrays), whole.inputs(arrays)[:, : 4 * process.n_final])
    outputs = torch.randn((1, 60, whole.n_outputs), generator=torch.Generator().manual_seed(2))
    outputs[..., n:] = 0.0
    torch.testing.assert_close(ansatz.amplitude(outputs[..., :n], arrays), whole.amplitude(outputs, arrays))
    table = ansatz.table(arrays, amplitude)
    assert torch.equal(table.terms, whole.table(arrays, amplitude).terms[:, :n])
    batch = Batch(table.inputs[None], table.terms[None], table.target[None])
    assert all(torch.isfinite(loss).all() for loss in ansatz.losses(outputs[..., :n], batch))
    restored = FameAnsatz.restore(process, shapes_of(arrays), options, ansatz.scales())
    assert torch.equal(restored.inputs(arrays), ansatz.inputs(arrays))


def test_scales_of_fame_are_those_of_the_paper(known):
    process, arrays, amplitude = known
    ansatz = FameAnsatz.fit(process, arrays, amplitude, FameOptions(penalty=0))
    n = ansatz.n_dipoles
    assert ansatz.s_pred == amplitude.min()
    assert ansatz.s_dipole == arrays["dipoles"][:, :n].mean()
    table = ansatz.table(arrays, amplitude)
    target = torch.asinh(amplitude / amplitude.min())
    expected = (target - target.mean()) / target.std(correction=0)
    torch.testing.assert_close(table.target, expected.float())
    log_y = torch.log(arrays["recoil"])
    expected = (log_y - log_y.mean(0)) / log_y.std(0, correction=0)
    torch.testing.assert_close(table.inputs[:, 4 * process.n_final :], expected.float(), atol=1e-5, rtol=1e-4)


def exact_outputs(ansatz: FameAnsatz, arrays, amplitude) -> torch.Tensor:
    """Outputs (1, n, n_outputs) for which the sum of the terms is |M|^2: all of it from the first dipole."""
    coefficient = amplitude / arrays["dipoles"][:, 0]
    outputs = torch.zeros((1, len(amplitude), ansatz.n_outputs), dtype=torch.float64)
    outputs[0, :, 0] = torch.asinh(coefficient * ansatz.s_dipole / ansatz.s_pred)
    return outputs


def test_exact_coefficients_give_the_amplitude_and_no_loss(known):
    process, arrays, amplitude = known
    ansatz = FameAnsatz.fit(process, arrays, amplitude, FameOptions(penalty=0))
    outputs = exact_outputs(ansatz, arrays, amplitude)
    torch.testing.assert_close(ansatz.amplitude(outputs, arrays)[0], amplitude, rtol=1e-12, atol=0)
    table = ansatz.table(arrays, amplitude)
    batch = Batch(table.inputs[None], table.terms[None], table.target[None])
    error, penalty = ansatz.losses(outputs.float(), batch)
    assert float(error) < 1e-10
    assert float(penalty) == 0.0


def test_loss_is_the_mean_squared_error_of_the_standardised_target(known):
    process, arrays, amplitude = known
    ansatz = FameAnsatz.fit(process, arrays, amplitude, FameOptions(penalty=0))
    wrong = 1.3 * amplitude
    table = ansatz.table(arrays, amplitude)
    outputs = exact_outputs(ansatz, arrays, wrong).float().expand(2, -1, -1)
    batch = Batch(*(tensor.expand(2, *tensor.shape) for tensor in (table.inputs, table.terms, table.target)))
    error, _ = ansatz.losses(outputs, batch)
    shift = torch.asinh(wrong / ansatz.s_pred) - torch.asinh(amplitude / ansatz.s_pred)
    expected = (shift / ansatz.target.deviation).square().mean()
    torch.testing.assert_close(error, expected.float().expand(2), rtol=1e-3, atol=0)


def test_penalty_is_that_of_the_paper(known):
    process, arrays, amplitude = known
    j = 1e-3
    ansatz = FameAnsatz.fit(process, arrays, amplitude, FameOptions(penalty=j))
    generator = torch.Generator().manual_seed(1)
    outputs = torch.randn((2, 60, ansatz.n_outputs), generator=generator)
    table = ansatz.table(arrays, amplitude)
    batch = Batch(*(tensor.expand(2, *tensor.shape) for tensor in (table.inputs, table.terms, table.target)))
    _, penalty = ansatz.losses(outputs, batch)
    # J S_pred sum_i |C_i D_i| / S_pred D_i^-2 / sum_j D_j^-2, with a pair's strength for its cos and sin terms.
    n, m = ansatz.n_dipoles, ansatz.n_azimuths
    d = arrays["dipoles"]
    size = d.clone()
    if m:
        strength = torch.hypot(d[:, n : n + m], d[:, n + m :])
        size[:, n:] = torch.cat([strength, strength], dim=1)
    weights = size**-2 / (size**-2).sum(1, keepdim=True)
    coefficients = torch.sinh(outputs.double()) * ansatz.s_pred / ansatz.s_dipole
    expected = j * ((coefficients * d).abs() / ansatz.s_pred * weights).sum(2).mean(1)
    torch.testing.assert_close(penalty.double(), expected, rtol=1e-4, atol=0)


@pytest.mark.parametrize("vanishing", ["cos", "sin"])
def test_weights_stay_finite_where_a_spin_term_vanishes(vanishing):
    terms = torch.ones((1, 4, 12))
    terms[..., 10 if vanishing == "cos" else 11] = 0.0
    one, scale = torch.tensor(1.0), Standardiser(torch.tensor(0.0), torch.tensor(1.0))
    momenta = MomentumInputs(scale, 4, orient=False)
    ansatz = FameAnsatz(momenta, scale, scale, one, one, n_dipoles=10, n_azimuths=1, penalty=1.0)
    outputs = torch.full((1, 4, 12), 0.5, requires_grad=True)
    error, penalty = ansatz.losses(outputs, Batch(torch.zeros(1, 4, 26), terms, torch.zeros(1, 4)))
    (gradient,) = torch.autograd.grad((error + penalty).sum(), outputs)
    assert torch.isfinite(gradient).all()
    # Twelve equal weights; eleven terms of size sinh(1/2).
    assert penalty.item() == pytest.approx(11 / 12 * math.sinh(0.5), rel=1e-5)


def test_gradient_of_the_loss(known):
    process, arrays, amplitude = known
    ansatz = FameAnsatz.fit(process, arrays, amplitude, FameOptions(penalty=1e-3))
    table = ansatz.table(arrays, amplitude)
    batch = Batch(*(tensor[None, :3].double() for tensor in (table.inputs, table.terms, table.target)))
    generator = torch.Generator().manual_seed(2)
    outputs = torch.randn((1, 3, ansatz.n_outputs), generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: sum(ansatz.losses(x, batch)), (outputs,))


def test_amplitudes_of_several_members(known):
    process, arrays, amplitude = known
    for kind in ("fame", "plain"):
        ansatz = KINDS[kind].ansatz.fit(process, arrays, amplitude, KINDS[kind].options())
        generator = torch.Generator().manual_seed(3)
        outputs = torch.randn((3, 60, ansatz.n_outputs), generator=generator)
        found = ansatz.amplitude(outputs, arrays)
        assert found.dtype == torch.float64
        for member in range(3):
            torch.testing.assert_close(found[member], ansatz.amplitude(outputs[member : member + 1], arrays)[0])


def test_plain(known):
    process, arrays, amplitude = known
    ansatz = PlainAnsatz.fit(process, {"momenta": arrays["momenta"]}, amplitude, MomentumOptions())
    assert (ansatz.n_inputs, ansatz.n_outputs) == (4 * process.n_final, 1)
    table = ansatz.table(arrays, amplitude)
    outputs = table.target[None, :, None]
    torch.testing.assert_close(ansatz.amplitude(outputs, arrays)[0], amplitude, rtol=1e-5, atol=0)
    batch = Batch(table.inputs[None], table.terms[None], table.target[None])
    error, penalty = ansatz.losses(outputs + 0.5, batch)
    assert float(error) == pytest.approx(0.25, rel=1e-5)
    assert float(penalty) == 0.0
    assert table.terms.shape == (60, 0)


def test_unknown_kind():
    with pytest.raises(UsageError, match='unknown kind of model "transformer"'):
        KINDS["transformer"]


@pytest.mark.parametrize("widths", [(5, 3), (5, 7, 3), (14, 20, 40, 20, 2)])
def test_network_is_that_of_torch(generator, widths):
    network = Mlp(widths)
    parameters = network.initialise([1, 2, 3]) + 0.1 * torch.randn((3, network.n_parameters), generator=generator)
    inputs = torch.randn((3, 11, widths[0]), generator=generator)
    outputs = network.forward(network.split(parameters), inputs)
    assert outputs.shape == (3, 11, widths[-1])
    for replica in range(3):
        layers, start = [], 0
        for n_in, n_out in itertools.pairwise(widths):
            layer = torch.nn.Linear(n_in, n_out)
            row = parameters[replica]
            with torch.no_grad():
                layer.weight.copy_(row[start : start + n_in * n_out].view(n_in, n_out).T)
                layer.bias.copy_(row[start + n_in * n_out : start + (n_in + 1) * n_out])
            start += (n_in + 1) * n_out
            layers += [layer, torch.nn.Tanh()]
        assert start == network.n_parameters == parameters.shape[1]
        expected = torch.nn.Sequential(*layers[:-1])(inputs[replica])
        torch.testing.assert_close(outputs[replica], expected.detach(), rtol=1e-5, atol=1e-6)


def test_gradients_of_the_network_are_those_of_torch(generator):
    network = Mlp((4, 6, 2))
    parameters = network.initialise([1]).requires_grad_()
    inputs = torch.randn((1, 9, 4), generator=generator)
    (gradient,) = torch.autograd.grad(network.forward(network.split(parameters), inputs).square().sum(), parameters)
    first, second = torch.nn.Linear(4, 6), torch.nn.Linear(6, 2)
    with torch.no_grad():
        for layer, (weight, bias) in zip((first, second), network.split(parameters.detach()), strict=True):
            layer.weight.copy_(weight[0].T)
            layer.bias.copy_(bias[0, 0])
    second(first(inputs[0]).tanh()).square().sum().backward()
    grads = (first.weight.grad.T, first.bias.grad, second.weight.grad.T, second.bias.grad)
    expected = torch.cat([grad.reshape(-1) for grad in grads])
    torch.testing.assert_close(gradient[0], expected, rtol=1e-4, atol=1e-5)


def test_first_weights_are_glorot_uniform():
    network = Mlp((30, 50, 10))
    parameters = network.initialise([1, 2, 1])
    assert torch.equal(parameters[0], parameters[2])
    assert not torch.equal(parameters[0], parameters[1])
    for (weight, bias), (n_in, n_out) in zip(network.split(parameters), network.shapes, strict=True):
        limit = math.sqrt(6 / (n_in + n_out))
        assert (weight.abs() <= limit).all()
        assert weight.abs().max() > 0.98 * limit
        count = weight[0].numel()
        assert abs(weight[0].mean()) < 4.5 * limit / math.sqrt(3 * count)
        assert abs(weight[0].var() / (limit**2 / 3) - 1) < 4.5 * math.sqrt(0.8 / count)
        assert (bias == 0).all()


def test_first_weights_do_not_depend_on_the_global_seed():
    torch.manual_seed(1)
    first = Mlp((3, 4, 1)).initialise([5])
    torch.manual_seed(2)
    assert torch.equal(Mlp((3, 4, 1)).initialise([5]), first)


def test_presets():
    assert hidden_layers("small", None) == (20, 40, 20)
    assert hidden_layers("large", None) == (64, 128, 256, 512, 768, 386, 128, 64) == PRESETS["large"]
    assert hidden_layers("fast", None) == (128,) * 5
    assert Mlp((39, *hidden_layers("fast", None), 2), "gelu", residual=True).n_parameters == 71426
    assert hidden_layers("small", "64, 32") == (64, 32)
    assert Mlp((14, 20, 40, 20, 2)).n_parameters == 14 * 20 + 20 + 20 * 40 + 40 + 40 * 20 + 20 + 20 * 2 + 2


@pytest.mark.parametrize("own", ["", "0", "-3", "a", "3,,4", "3.5"])
def test_widths_that_are_none(own):
    with pytest.raises(UsageError, match="hidden"):
        hidden_layers("small", own)


def test_unknown_preset():
    with pytest.raises(UsageError, match='unknown preset "huge"'):
        hidden_layers("huge", None)


def test_arrays_of_a_store_fit_the_ansatz(store4):
    arrays, amplitude = read_fame(store4)
    ansatz = FameAnsatz.fit(store4.process, arrays, amplitude, FameOptions(penalty=0))
    outputs = exact_outputs(ansatz, arrays, amplitude)
    np.testing.assert_allclose(ansatz.amplitude(outputs, arrays)[0], amplitude, rtol=1e-12)
