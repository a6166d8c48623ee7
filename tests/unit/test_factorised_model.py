"""Surrogates that correct kernel x reduced amplitude: ansatz, network, optimiser, and training from end to end."""

from __future__ import annotations

import itertools
import math
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from ampcli.amplitudes.native.provider import Native
from ampcli.errors import InterruptedRun, NotFoundError, UsageError
from ampcli.features.blocks import default_choices, make_block
from ampcli.features.radiation import RadiationBlock
from ampcli.generation.generate import GenerationRequest, generate, prepare
from ampcli.generation.given_points import GivenFile
from ampcli.inference.load import load_predictor
from ampcli.inference.probe import check_probe
from ampcli.kinematics import min_invariant, with_beams
from ampcli.models import factorised
from ampcli.models.ansatz import Batch, shapes_of
from ampcli.models.factorised import FactorisedAnsatz
from ampcli.models.kinds import recipe_settings
from ampcli.models.mlp import Mlp
from ampcli.models.options import LikelihoodOptions
from ampcli.models.presets import hidden_layers
from ampcli.phasespace.rambo import rambo, with_masses
from ampcli.process import Process, parse_process
from ampcli.records.training import Recipe
from ampcli.registry.manifest import read_manifest
from ampcli.registry.resolve import resolve
from ampcli.registry.storage import read_probe, read_weights
from ampcli.store.features import write_features
from ampcli.store.reader import Store, open_store
from ampcli.training.adam import Adam
from ampcli.training.train import TrainingRun, train

CPU = torch.device("cpu")
PROCESS = "d d~ > z g g g g"
DOUBLE = torch.float64


def sample(process: Process, n: int, seed: int = 1) -> np.ndarray:
    """Final states (n, n_final, 4) of jets with some distance, of 0.7 to 1.4 TeV, in frames that move along z."""
    rng = np.random.default_rng(seed)
    final = np.ascontiguousarray(rambo(rng.random((20 * n + 200, process.n_final, 4)), 1000.0))
    transverse = np.hypot(final[..., 1], final[..., 2]).min(axis=1)
    final = final[(min_invariant(final) > 3e-4 * 1000**2) & (transverse > 20)][:n]
    assert len(final) == n
    energy = 1000 * rng.uniform(0.7, 1.4, n)
    final *= (energy / 1000)[:, None, None]
    masses = np.array(process.final_masses)
    final = with_masses(final, process.final_masses)
    y = rng.uniform(-1.5, 1.5, (n, 1))
    final[..., 3] = np.cosh(y) * final[..., 3] + np.sinh(y) * final[..., 0]
    final[..., 0] = np.sqrt((final[..., 1:] ** 2).sum(axis=2) + masses**2)
    return final


@pytest.fixture(scope="module", params=["fg1", "fg1^2", "invariants"])
def known(request):
    """Arrays of a block and exact amplitudes."""
    process = parse_process(PROCESS)
    final = sample(process, 300)
    momenta = torch.from_numpy(final)
    arrays = {"momenta": momenta, **make_block(request.param, process, {}).compute(momenta)}
    return process, arrays, torch.from_numpy(Native(process).evaluate(with_beams(final)))


def fitted(known) -> FactorisedAnsatz:
    process, arrays, amplitude = known
    return FactorisedAnsatz.fit(process, arrays, amplitude, LikelihoodOptions())


def correction(arrays, amplitude) -> torch.Tensor:
    """What the network has to add to the logarithm."""
    if "kernel" not in arrays:
        return amplitude.log()
    return (amplitude / (arrays["kernel"] * arrays["reduced_amplitude"])).log()


def test_scales(known):
    _, arrays, amplitude = known
    ansatz = fitted(known)
    target = correction(arrays, amplitude)
    columns = arrays["inputs"].shape[1] + ("kernel" in arrays)
    assert (ansatz.n_inputs, ansatz.n_outputs) == (columns, 2)
    assert float(ansatz.correction.mean) == pytest.approx(float(target.mean()), rel=1e-12)
    assert float(ansatz.correction.deviation) == pytest.approx(float(target.std(correction=0)), rel=1e-12)
    inputs = ansatz.inputs(arrays)
    assert inputs.dtype == torch.float32
    assert inputs.shape == (300, columns)
    torch.testing.assert_close(inputs.mean(0), torch.zeros(columns), rtol=0, atol=1e-5)
    torch.testing.assert_close(inputs.std(0, correction=0), torch.ones(columns), rtol=1e-5, atol=0)
    if "kernel" in arrays:
        base = (arrays["kernel"] * arrays["reduced_amplitude"]).log()
        expected = (base - base.mean()) / base.std(correction=0)
        torch.testing.assert_close(inputs[:, -1], expected.float(), rtol=1e-5, atol=1e-5)
    raw = arrays["inputs"]
    expected = (raw - raw.mean(0)) / raw.std(0, correction=0)
    torch.testing.assert_close(inputs[:, : raw.shape[1]], expected.float(), rtol=1e-5, atol=1e-5)


def test_the_table(known):
    _, arrays, amplitude = known
    table = fitted(known).table(arrays, amplitude)
    target = correction(arrays, amplitude)
    expected = (target - target.mean()) / target.std(correction=0)
    torch.testing.assert_close(table.target, expected.float(), rtol=1e-5, atol=1e-6)
    assert torch.equal(table.inputs, fitted(known).inputs(arrays))
    assert table.terms.shape == (300, 0)


def test_scales_survive_saving(known):
    process, arrays, amplitude = known
    before = fitted(known)
    scales = {name: tensor.clone() for name, tensor in before.scales().items()}
    after = FactorisedAnsatz.restore(process, shapes_of(arrays), LikelihoodOptions(), scales)
    assert after.scales().keys() == before.scales().keys()
    for name, tensor in before.scales().items():
        assert tensor.dtype == DOUBLE
        assert torch.equal(after.scales()[name], tensor)
    assert (after.n_inputs, after.n_outputs) == (before.n_inputs, before.n_outputs)
    for field in ("inputs", "terms", "target"):
        first, second = (getattr(ansatz.table(arrays, amplitude), field) for ansatz in (before, after))
        assert torch.equal(first, second)


def test_the_exact_correction_gives_the_exact_amplitude(known):
    _, arrays, amplitude = known
    ansatz = fitted(known)
    outputs = torch.zeros((2, 300, 2), dtype=DOUBLE)
    outputs[..., 0] = ansatz.correction.apply(correction(arrays, amplitude))
    outputs[1, :, 0] += 0.5
    found = ansatz.amplitude(outputs, arrays)
    assert found.dtype == DOUBLE
    torch.testing.assert_close(found[0], amplitude, rtol=1e-12, atol=0)
    off = torch.exp(0.5 * ansatz.correction.deviation) * amplitude
    torch.testing.assert_close(found[1], off, rtol=1e-12, atol=0)
    single = ansatz.amplitude(outputs.float(), arrays)
    torch.testing.assert_close(single[0], amplitude, rtol=1e-5, atol=0)


def test_a_factor_of_the_kernel_is_learnt_by_the_scales(known):
    # F is normalised arbitrarily: the correction's mean takes it up.
    process, arrays, amplitude = known
    if "kernel" not in arrays:
        other, shift = amplitude * 7, math.log(7)
    else:
        arrays = {**arrays, "kernel": arrays["kernel"] * 7}
        other, shift = amplitude, -math.log(7)
    ansatz = FactorisedAnsatz.fit(process, arrays, other, LikelihoodOptions())
    usual = fitted(known)
    assert float(ansatz.correction.mean - usual.correction.mean) == pytest.approx(shift, rel=1e-10)
    torch.testing.assert_close(ansatz.correction.deviation, usual.correction.deviation, rtol=1e-10, atol=0)


def random_batch(replicas: int = 3, rows: int = 50) -> tuple[torch.Tensor, Batch]:
    generator = torch.Generator().manual_seed(6)
    outputs = torch.randn((replicas, rows, 2), generator=generator, dtype=DOUBLE)
    target = torch.randn((replicas, rows), generator=generator, dtype=DOUBLE)
    return outputs, Batch(torch.empty(replicas, rows, 0), torch.empty(replicas, rows, 0), target)


def test_the_loss(known):
    outputs, batch = random_batch()
    loss, penalty = fitted(known).losses(outputs, batch)
    mean, sigma, target = outputs[..., 0].numpy(), np.exp(outputs[..., 1].numpy()), batch.target.numpy()
    expected = ((target - mean) ** 2 / (2 * sigma**2) + np.log(sigma)).mean(axis=1)
    np.testing.assert_allclose(loss, expected, rtol=1e-13)
    assert torch.equal(penalty, torch.zeros(3, dtype=DOUBLE))


def test_the_best_uncertainty_is_the_residual(known):
    ansatz = fitted(known)
    outputs, batch = random_batch(1)
    residual = (batch.target - outputs[..., 0]).abs()
    outputs[..., 1] = residual.log()
    outputs.requires_grad_()
    least = ansatz.losses(outputs, batch)[0]
    (gradient,) = torch.autograd.grad(least.sum(), outputs)
    assert gradient[..., 1].abs().max() < 1e-14
    assert gradient[..., 0].abs().min() > 1e-3  # while the mean still has to move
    least = float(least.detach())
    for shift in (-1.0, -0.01, 0.01, 1.0):
        moved = outputs.detach().clone()
        moved[..., 1] += shift
        assert float(ansatz.losses(moved, batch)[0]) > least


def test_gradient_of_the_loss(known):
    outputs, batch = random_batch(1, 5)
    outputs.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: sum(fitted(known).losses(x, batch)), (outputs,))


def test_gradients_of_the_beta_likelihood(known):
    # Each point's gradient is that of the likelihood, times sigma^(2 beta); judged without gradients it is the same.
    process, arrays, amplitude = known
    usual = fitted(known)
    weighted = FactorisedAnsatz.fit(process, arrays, amplitude, LikelihoodOptions(beta=0.5))
    outputs, batch = random_batch(2, 30)
    assert torch.equal(weighted.losses(outputs, batch)[0], usual.losses(outputs, batch)[0])
    outputs.requires_grad_()
    plain, other = (torch.autograd.grad(a.losses(outputs, batch)[0].sum(), outputs)[0] for a in (usual, weighted))
    sigma = outputs.detach()[..., 1:].exp()
    torch.testing.assert_close(other, plain * sigma, rtol=1e-12, atol=1e-15)
    assert (sigma.std() > 0.5).all()


@pytest.mark.parametrize("size", [1e3, -1e3])
def test_extreme_outputs_stay_finite(known, size):
    ansatz = fitted(known)
    for column in (0, 1):
        outputs = torch.zeros((1, 4, 2))
        outputs[..., column] = size
        outputs.requires_grad_()
        loss, penalty = ansatz.losses(outputs, Batch(torch.empty(1, 4, 0), torch.empty(1, 4, 0), torch.ones(1, 4)))
        (gradient,) = torch.autograd.grad((loss + penalty).sum(), outputs)
        assert torch.isfinite(loss).all()
        assert torch.isfinite(gradient).all()
        relative = ansatz.relative_uncertainty(outputs.detach())
        assert torch.isfinite(relative).all()
        assert (relative > 0).all()


def test_relative_uncertainty(known):
    ansatz = fitted(known)
    outputs = torch.zeros((2, 3, 2))
    outputs[0, :, 1] = torch.tensor([0.0, math.log(2), -1.0])
    outputs[1, :, 0] = 5.0  # does not matter
    found = ansatz.relative_uncertainty(outputs)
    assert found.dtype == DOUBLE
    expected = ansatz.correction.deviation * torch.tensor([[1, 2, math.exp(-1)], [1, 1, 1]], dtype=DOUBLE)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize(("activation", "module"), [("tanh", torch.nn.Tanh), ("gelu", torch.nn.GELU)])
@pytest.mark.parametrize("widths", [(5, 3), (5, 7, 3), (9, 12, 16, 8, 2)])
def test_activations_are_those_of_torch(activation, module, widths):
    generator = torch.Generator().manual_seed(4)
    network = Mlp(widths, activation)
    parameters = (
        network.initialise([1, 2]) + 0.1 * torch.randn((2, network.n_parameters), generator=generator)
    ).double()
    parameters.requires_grad_()
    inputs = torch.randn((2, 11, widths[0]), generator=generator, dtype=DOUBLE)
    outputs = network.forward(network.split(parameters), inputs)
    (gradient,) = torch.autograd.grad(outputs.square().sum(), parameters)
    for replica in range(2):
        layers: list[torch.nn.Module] = []
        pieces = network.split(parameters.detach())
        for (n_in, n_out), (weight, bias) in zip(itertools.pairwise(widths), pieces, strict=True):
            layer = torch.nn.Linear(n_in, n_out, dtype=DOUBLE)
            with torch.no_grad():
                layer.weight.copy_(weight[replica].T)
                layer.bias.copy_(bias[replica, 0])
            layers += [layer, module()]
        theirs = torch.nn.Sequential(*layers[:-1])
        expected = theirs(inputs[replica])
        torch.testing.assert_close(outputs[replica], expected, rtol=1e-12, atol=1e-13)
        expected.square().sum().backward()
        linear = [layer for layer in theirs if isinstance(layer, torch.nn.Linear)]
        grads = [piece.reshape(-1) for layer in linear for piece in (layer.weight.grad.T, layer.bias.grad)]
        torch.testing.assert_close(gradient[replica], torch.cat(grads), rtol=1e-11, atol=1e-12)


def test_a_residual_network_by_hand():
    network = Mlp((3, 4, 4, 4, 4, 4, 2), "tanh", residual=True)
    parameters = network.initialise([1, 2]).double() * 2
    inputs = torch.randn((2, 9, 3), generator=torch.Generator().manual_seed(2), dtype=DOUBLE)
    found = network.forward(network.split(parameters), inputs)
    for replica in range(2):
        (w0, b0), (w1, b1), (w2, b2), (w3, b3), (w4, b4), (w5, b5) = (
            (weight[replica].numpy(), bias[replica].numpy()) for weight, bias in network.split(parameters)
        )
        x = np.tanh(inputs[replica].numpy() @ w0 + b0)
        x = x + np.tanh(x @ w1 + b1) @ w2 + b2
        x = x + np.tanh(x @ w3 + b3) @ w4 + b4
        np.testing.assert_allclose(found[replica], x @ w5 + b5, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("hidden", [(4, 5, 4), (4, 4), (4, 4, 4, 4)])
def test_layers_that_cannot_be_skipped(hidden):
    with pytest.raises(UsageError, match="an odd number of one width"):
        Mlp((3, *hidden, 2), residual=True)


def test_networks_forward_does_not_change_its_inputs():
    for activation in ("tanh", "gelu"):
        network = Mlp((3, 4, 2), activation)
        inputs = torch.ones((1, 5, 3))
        network.forward(network.split(network.initialise([1])), inputs)
        assert torch.equal(inputs, torch.ones((1, 5, 3)))


@pytest.mark.parametrize("weight_decay", [0.01, 0.3])
def test_weight_decay_is_that_of_torch(weight_decay):
    generator = torch.Generator().manual_seed(1)
    start = torch.randn((3, 40), generator=generator, dtype=DOUBLE)
    rates = [1e-3, 3e-2, 0.0]
    ours, undecayed = start.clone(), start.clone()
    adam, plain = Adam.start(ours), Adam.start(undecayed)
    theirs = [torch.nn.Parameter(row.clone()) for row in start]
    optimisers = [
        torch.optim.AdamW([p], lr=rate, betas=(0.9, 0.999), eps=1e-7, weight_decay=weight_decay)
        for p, rate in zip(theirs, rates, strict=True)
    ]
    for step in range(20):
        gradient = torch.randn((3, 40), generator=generator, dtype=DOUBLE) * 10.0 ** (step % 4 - 4)
        adam.step(ours, gradient, torch.tensor(rates, dtype=DOUBLE), weight_decay)
        plain.step(undecayed, gradient, torch.tensor(rates, dtype=DOUBLE))
        for p, row, optimiser in zip(theirs, gradient, optimisers, strict=True):
            p.grad = row.clone()
            optimiser.step()
        torch.testing.assert_close(ours, torch.stack([p.detach() for p in theirs]), rtol=1e-12, atol=1e-14)
    assert (ours - undecayed)[:2].abs().max() > 1e-4
    assert torch.equal(ours[2], start[2])


@pytest.mark.parametrize(
    ("model", "kind", "block"),
    [
        ("fame", "fame", "fame"),
        ("plain", "plain", None),
        ("nofa", "factorised", "invariants"),
        ("fg1", "factorised", "fg1"),
        ("FQ2", "factorised", "fq2"),
        ("ig1", "factorised", "ig1"),
        ("iq3", "factorised", "iq3"),
        ("fg1^2", "factorised", "fg1^2"),
    ],
)
def test_settings_of_models(model, kind, block):
    settings = recipe_settings(model)
    hidden = hidden_layers(settings["preset"], None)
    recipe = Recipe.model_validate({**settings, "hidden": hidden, "seeds": (1,), "dataset_digest": "d"})
    assert (recipe.kind, recipe.block) == (kind, block)
    if kind == "factorised":  # Table 2 of the paper
        assert hidden == (128, 256, 256, 128, 128, 64)
        assert (recipe.activation, recipe.schedule, recipe.batch_size) == ("gelu", "cosine", 256)
        assert (recipe.learning_rate, recipe.floor, recipe.weight_decay, recipe.epochs) == (1e-3, 1e-8, 0.01, 1000)
        assert Mlp((44, *hidden, 2), "gelu").n_parameters == pytest.approx(1.6e5, rel=0.05)
    else:
        assert hidden == (20, 40, 20)
        assert (recipe.activation, recipe.schedule, recipe.batch_size) == ("tanh", "plateau", 4096)
        assert recipe.weight_decay == 0


@pytest.mark.parametrize(("model", "block"), [("fg1+", "fg1+"), ("IQ1^2+", "iq1^2+"), ("nofa+", "invariants")])
def test_settings_of_improved_models(model, block):
    settings = recipe_settings(model)
    hidden = hidden_layers(settings["preset"], None)
    recipe = Recipe.model_validate({**settings, "hidden": hidden, "seeds": (1,), "dataset_digest": "d"})
    assert (recipe.kind, recipe.block, recipe.residual) == ("factorised", block, True)
    assert (recipe.optimiser, recipe.schedule, recipe.weight_decay) == ("soap", "one-cycle", 0.0)
    assert recipe.options == LikelihoodOptions(beta=0.5)
    assert Mlp((44, *hidden, 2), recipe.activation, recipe.residual).n_parameters == pytest.approx(1.6e5, rel=0.05)


@pytest.mark.parametrize("model", ["", "oracle", "factorised", "fg", "fg0", "fg1^3", "invariants"])
def test_unknown_models(model):
    with pytest.raises(UsageError, match=re.escape(f"model {model}: unknown")):
        recipe_settings(model)


@pytest.fixture(scope="module")
def z_store(tmp_path_factory) -> Store:
    """3000 given points, alpha_s = 0.13, features fg1 and invariants.  Read only."""
    folder = tmp_path_factory.mktemp("z_store")
    np.savez(folder / "events.npz", momenta=with_beams(sample(parse_process(PROCESS), 3000)))
    request = GenerationRequest(
        PROCESS, folder / "z.zarr", None, GivenFile(folder / "events.npz"), parameters={"alpha_s": 0.13}
    )
    generate(prepare(request))
    store = open_store(folder / "z.zarr")
    assert store.sqrt_s is None
    for name in ("fg1", "invariants"):
        write_features(store, name, CPU)
    return store


def z_recipe(store: Store, model: str, **changes: object) -> Recipe:
    settings = {
        **recipe_settings(model),
        "preset": "custom",
        "hidden": (32, 32),
        "seeds": (1,),
        "epochs": 8,
        "batch_size": 64,
        "learning_rate": 3e-3,
        "dataset_digest": store.digest,
    }
    return Recipe.model_validate(settings | changes)


@dataclass(frozen=True)
class Trained:
    """Published models fg1@1, fg1@2 and nofa@1.  Read only."""

    root: Path
    store: Store


@pytest.fixture(scope="module")
def trained(tmp_path_factory, z_store) -> Trained:
    root = tmp_path_factory.mktemp("z_registry")
    train(TrainingRun(z_store, "fg1", root, CPU), z_recipe(z_store, "fg1", seeds=(1, 2)))
    train(TrainingRun(z_store, "nofa", root, CPU), z_recipe(z_store, "nofa"))
    return Trained(root, z_store)


def test_features_know_the_parameters_of_the_store(trained):
    options = {"provider": "native", "parameters": trained.store.plan.provider.parameters}
    options |= default_choices("fg1")
    assert options["parameters"]["alpha_s"] == 0.13
    for reference in ("fg1@1", "fg1@2"):
        manifest = read_manifest(resolve(trained.root, reference))
        assert manifest.kind == "factorised"
        assert (manifest.features.block, manifest.features.version) == ("fg1", 3)
        assert manifest.features.options == options
        assert manifest.architecture.activation == "gelu"
        assert manifest.training.block == "fg1"
    assert read_manifest(resolve(trained.root, "nofa")).features.block == "invariants"
    computed = make_block("fg1", trained.store.process, options)
    arrays = computed.compute(torch.from_numpy(trained.store.read("momenta", slice(0, 200))))
    for name, tensor in arrays.items():
        np.testing.assert_allclose(trained.store.read(f"features/fg1/{name}", slice(0, 200)), tensor, rtol=1e-12)


@pytest.mark.parametrize("reference", ["fg1@1", "fg1@2", "nofa"])
def test_loaded_models_predict_what_their_probe_says(trained, reference):
    folder = resolve(trained.root, reference)
    manifest = read_manifest(folder)
    check_probe(folder, manifest)
    probe = read_probe(folder, manifest)
    amplitude, _ = load_predictor(reference, trained.root, "cpu").predict(probe["momenta"].numpy())
    assert len(amplitude) == 64
    np.testing.assert_allclose(amplitude, probe["amplitude"], rtol=1e-6)
    np.testing.assert_array_equal(probe["momenta"], trained.store.read_split("momenta", "validation")[:64])


@pytest.mark.parametrize("reference", ["fg1@1", "nofa"])
def test_loaded_models_are_network_and_ansatz(trained, reference):
    # The stored features, the saved weights and the formula of the ansatz, without the predictor.
    folder = resolve(trained.root, reference)
    manifest = read_manifest(folder)
    tensors = read_weights(folder, manifest)
    scales = {name.removeprefix("scale."): t for name, t in tensors.items() if name.startswith("scale.")}
    store, block = trained.store, manifest.features.block
    momenta = store.read_split("momenta", "test")
    inputs = torch.from_numpy(store.read_split(f"features/{block}/inputs", "test"))
    base = torch.zeros(len(inputs), dtype=DOUBLE)
    if block == "fg1":
        kernel, reduced = (store.read_split(f"features/fg1/{name}", "test") for name in ("kernel", "reduced_amplitude"))
        base = torch.from_numpy(np.log(kernel) + np.log(reduced))
        inputs = torch.cat([inputs, base[:, None]], dim=1)
    x = ((inputs - scales["features.mean"]) / scales["features.deviation"]).float()[None]
    network = Mlp.of(manifest.architecture)
    outputs = network.forward(network.split(tensors["parameters"][None]), x)[0].double()
    mean, deviation = scales["correction.mean"], scales["correction.deviation"]
    expected = torch.exp(base + mean + deviation * outputs[:, 0])
    relative = deviation * torch.exp(outputs[:, 1])
    found = load_predictor(reference, trained.root, "cpu").predicted(momenta)
    np.testing.assert_allclose(found.amplitude, expected, rtol=1e-4)
    np.testing.assert_allclose(found.bare, expected * relative, rtol=1e-3)


@pytest.mark.parametrize("reference", ["fg1@1", "nofa"])
def test_predictions_with_beams_and_from_the_store(trained, reference):
    model = load_predictor(reference, trained.root, "cpu")
    final = trained.store.read("momenta", slice(0, 500))
    amplitude, uncertainty = model.predict(final)
    for other in (model.predict(with_beams(final)), model.predict_final(final)):
        np.testing.assert_array_equal(other[0], amplitude)
        np.testing.assert_array_equal(other[1], uncertainty)


@pytest.mark.parametrize("reference", ["fg1@1", "nofa"])
def test_uncertainties_are_the_networks_own(trained, reference):
    model = load_predictor(reference, trained.root, "cpu")
    exact = trained.store.read_split("amplitude", "test")
    amplitude, uncertainty = model.predict(trained.store.read_split("momenta", "test"))
    relative = uncertainty / amplitude
    assert (amplitude > 0).all()
    assert (relative > 0).all()
    assert relative.std() > 0.05 * relative.mean()
    assert len(np.unique(relative)) > 0.9 * len(relative)
    # Of the size of the errors, and larger where they are larger.
    error = np.abs(np.log(amplitude / exact))
    assert 0.3 < np.median(error / relative) / 0.6745 < 3
    order = relative.argsort()
    half = len(order) // 2
    assert np.median(error[order[half:]]) > np.median(error[order[:half]])


def test_factorisation_helps(trained):
    exact = trained.store.read_split("amplitude", "test")
    momenta = trained.store.read_split("momenta", "test")
    median = {}
    for reference in ("fg1@1", "nofa"):
        amplitude, _ = load_predictor(reference, trained.root, "cpu").predict(momenta)
        median[reference] = np.median(np.abs(amplitude / exact - 1))
        metrics = read_manifest(resolve(trained.root, reference)).metrics
        assert metrics["median_abs_delta"].value == pytest.approx(median[reference], rel=0.3)
    arrays = {key: trained.store.read_split(f"features/fg1/{key}", "test") for key in ("kernel", "reduced_amplitude")}
    bare = np.log(arrays["kernel"] * arrays["reduced_amplitude"] / exact)
    uncorrected = np.median(np.abs(np.exp(bare - np.median(bare)) - 1))
    assert median["fg1@1"] < 0.9 * median["nofa"]
    assert median["fg1@1"] < 0.8 * uncorrected


def weights_of(root: Path, reference: str) -> dict[str, torch.Tensor]:
    folder = resolve(root, reference)
    return read_weights(folder, read_manifest(folder))


def assert_same_weights(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name


def test_two_runs_are_equal(tmp_path, trained):
    settings = z_recipe(trained.store, "fg1", seeds=(1, 2), epochs=2)
    for name in ("one", "two"):
        train(TrainingRun(trained.store, name, tmp_path, CPU), settings)
    for version in (1, 2):
        assert_same_weights(weights_of(tmp_path, f"one@{version}"), weights_of(tmp_path, f"two@{version}"))
    assert not torch.equal(weights_of(tmp_path, "one@1")["parameters"], weights_of(tmp_path, "one@2")["parameters"])


@pytest.mark.parametrize("model", ["fg1", "nofa"])
def test_an_interrupted_training_publishes_the_same_model(tmp_path, trained, model):
    settings = z_recipe(trained.store, model, epochs=2)
    train(TrainingRun(trained.store, "whole", tmp_path, CPU), settings)
    asked = iter(range(1000))
    with pytest.raises(InterruptedRun):
        train(TrainingRun(trained.store, "broken", tmp_path, CPU), settings, stop=lambda: next(asked) == 40)
    assert not (tmp_path / "broken").exists()
    train(TrainingRun(trained.store, "broken", tmp_path, CPU), settings)
    assert_same_weights(weights_of(tmp_path, "whole"), weights_of(tmp_path, "broken"))


def test_weight_decay_reaches_the_training(tmp_path, trained):
    for name, decay in (("none", 0.0), ("strong", 20.0)):
        settings = z_recipe(trained.store, "fg1", epochs=2, weight_decay=decay)
        train(TrainingRun(trained.store, name, tmp_path, CPU), settings)
    none, strong = (weights_of(tmp_path, name)["parameters"].norm() for name in ("none", "strong"))
    assert strong < 0.7 * none


def test_models_keep_the_kernel_of_their_features(tmp_path, trained):
    shutil.copytree(trained.store.path, tmp_path / "paper.zarr")
    store = open_store(tmp_path / "paper.zarr")
    with pytest.raises(UsageError, match="replace"):
        write_features(store, "fg1", CPU, chosen={"kernel": "paper"})
    write_features(store, "fg1", CPU, chosen={"kernel": "paper"}, replace=True)
    before = trained.store.read("features/fg1/kernel")
    assert (np.abs(store.read("features/fg1/kernel") / before - 1) > 1e-3).mean() > 0.9
    (manifest,) = train(TrainingRun(store, "model", tmp_path / "registry", CPU), z_recipe(store, "fg1", epochs=2))
    assert manifest.features.options["kernel"] == "paper"
    model = load_predictor("model", tmp_path / "registry", "cpu")
    (network,) = model.networks
    assert isinstance(network.block, RadiationBlock)
    assert network.block.choices.kernel == "paper"
    amplitude, _ = model.predict(store.read_split("momenta", "validation"))
    delta = np.abs(amplitude / store.read_split("amplitude", "validation") - 1)
    assert np.median(delta) == pytest.approx(manifest.metrics["median_abs_delta"].value, rel=1e-5)


def test_missing_features(tmp_path, trained):
    run = TrainingRun(trained.store, "model", tmp_path, CPU)
    with pytest.raises(NotFoundError, match=r"ampcli features .*z\.zarr iq1"):
        train(run, z_recipe(trained.store, "iq1"))


@pytest.mark.parametrize("name", ["fg1", "invariants"])
def test_rounding_is_no_input_at_a_fixed_energy(name):
    """ln p_0.p_1 is constant up to rounding: it must not be standardised to noise of order one."""
    process = parse_process("e- e+ > d d~ g g")
    final = np.ascontiguousarray(rambo(np.random.default_rng(3).random((500, 4, 4)), 1000.0))
    block = make_block(name, process, {"provider": "native"} if name == "fg1" else {})
    arrays = block.compute(torch.from_numpy(final))
    amplitude = torch.from_numpy(Native(process).evaluate(with_beams(final)))
    ansatz = FactorisedAnsatz.fit(process, arrays, amplitude, LikelihoodOptions())
    moved = block.compute(torch.from_numpy(final * (1 + 1e-12)))
    torch.testing.assert_close(ansatz.inputs(moved), ansatz.inputs(arrays), rtol=0, atol=1e-5)


def test_radiations_are_taken_logarithms_of_once(known, monkeypatch):
    process, arrays, amplitude = known
    ansatz = fitted(known)
    outputs = torch.zeros((1, len(amplitude), ansatz.n_outputs))
    counted = []
    found = factorised._log_radiations
    monkeypatch.setattr(factorised, "_log_radiations", lambda arrays: (counted.append(1), found(arrays))[1])
    for use in (
        lambda: FactorisedAnsatz.fit(process, arrays, amplitude, LikelihoodOptions()),
        lambda: ansatz.table(arrays, amplitude),
        lambda: ansatz.inputs(arrays),
        lambda: ansatz.amplitude(outputs, arrays),
    ):
        counted.clear()
        use()
        assert len(counted) == 1
