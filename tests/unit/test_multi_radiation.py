"""Several radiations at once: arrays side by side, and |M|^2 as their sum with positive coefficients."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ampcli.amplitudes.native.provider import Native
from ampcli.errors import UsageError
from ampcli.features.blocks import default_choices, make_block
from ampcli.features.radiations import parse_radiations
from ampcli.kinematics import with_beams
from ampcli.models.ansatz import shapes_of
from ampcli.models.factorised import FactorisedAnsatz
from ampcli.models.options import LikelihoodOptions
from ampcli.phasespace.rambo import rambo
from ampcli.process import parse_process

PROCESS = parse_process("d g > z d g g g")
NAME = "fg1,ig1,fq1+"
DOUBLE = torch.float64


def block(name, **changes):
    return make_block(name, PROCESS, {**default_choices(name), "provider": "native", **changes})


@pytest.fixture(scope="module")
def final() -> torch.Tensor:
    momenta = rambo(np.random.default_rng(3).random((200, PROCESS.n_final, 4)), 1000.0)
    masses = np.array(PROCESS.final_masses)
    momenta[..., 0] = np.sqrt((momenta[..., 1:] ** 2).sum(axis=2) + masses**2)
    return torch.from_numpy(np.ascontiguousarray(momenta))


@pytest.fixture(scope="module")
def known(final):
    return block(NAME).compute(final), torch.from_numpy(Native(PROCESS).evaluate(with_beams(final.numpy())))


def test_arrays_are_those_of_the_radiations(final):
    together = block(NAME)
    found = together.compute(final)
    assert {key: tuple(array.shape[1:]) for key, array in found.items()} == together.shapes()
    alone = [block(name).compute(final) for name in ("fg1+", "ig1+", "fq1+")]
    for key in ("kernel", "reduced_momenta", "reduced_amplitude"):
        assert torch.equal(found[key], torch.stack([arrays[key] for arrays in alone], dim=1))
    for key in ("legs", "variables", "inputs"):
        assert torch.equal(found[key], torch.cat([arrays[key] for arrays in alone], dim=1))
    assert (together.name, together.options) == (NAME, block("fg1+").options)


@pytest.mark.parametrize(
    ("name", "radiations"),
    [("fg1", 1), ("fg1+", 1), ("fg1,ig1", 2), ("fg1,ig1,iq2+", 3), ("fg1,nofa", None), ("fg1,", None), ("", None)],
)
def test_names(name, radiations):
    found = parse_radiations(name)
    assert (None if found is None else len(found)) == radiations


@pytest.mark.parametrize("name", ["fg1,ig1^2", "fg1,fg1", "fg1+,ig1"])
def test_names_that_mean_nothing(name):
    with pytest.raises(UsageError, match=r"different radiations|unknown features"):
        block(name)


def fitted(known) -> FactorisedAnsatz:
    return FactorisedAnsatz.fit(PROCESS, *known, LikelihoodOptions())


def test_the_amplitude_is_the_sum_with_coefficients(known):
    arrays, _ = known
    ansatz = fitted(known)
    assert (ansatz.n_inputs, ansatz.n_outputs) == (arrays["inputs"].shape[1] + 3, 4)
    outputs = torch.randn((2, 200, 4), generator=torch.Generator().manual_seed(1), dtype=DOUBLE)
    coefficients = torch.exp(ansatz.correction.mean + ansatz.correction.deviation * outputs[..., :3])
    expected = (coefficients * arrays["kernel"] * arrays["reduced_amplitude"]).sum(dim=2)
    torch.testing.assert_close(ansatz.amplitude(outputs, arrays), expected, rtol=1e-10, atol=0)
    relative = ansatz.correction.deviation * outputs[..., 3].exp()
    torch.testing.assert_close(ansatz.relative_uncertainty(outputs), relative, rtol=1e-12, atol=0)


def test_the_loss_vanishes_for_the_exact_amplitude(known):
    arrays, amplitude = known
    ansatz = fitted(known)
    table = ansatz.table(arrays, amplitude)
    assert table.terms.shape == (200, 3)
    torch.testing.assert_close(table.terms.exp().sum(dim=1), torch.ones(200), rtol=1e-5, atol=0)
    # The same coefficient of every radiation that turns the sum into the amplitude.
    outputs = torch.zeros((1, 200, 4))
    outputs[0, :, :3] = table.target[:, None]
    outputs[..., 3] = np.log(0.01)
    loss, _ = ansatz.losses(outputs, table)
    assert float(loss) == pytest.approx(np.log(0.01), abs=1e-4)


def test_scales_survive_saving(known):
    before = fitted(known)
    scales = {name: tensor.clone() for name, tensor in before.scales().items()}
    after = FactorisedAnsatz.restore(PROCESS, shapes_of(known[0]), LikelihoodOptions(), scales)
    assert (after.radiations, after.n_outputs) == (3, 4)


def test_one_radiation_is_a_sum_of_one(final, known):
    _, amplitude = known
    arrays = block("fg1+").compute(final)
    single = {**arrays, "kernel": arrays["kernel"][:, None], "reduced_amplitude": arrays["reduced_amplitude"][:, None]}
    usual, summed = (FactorisedAnsatz.fit(PROCESS, a, amplitude, LikelihoodOptions()) for a in (arrays, single))
    outputs = torch.randn((1, 200, 2), generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(usual.amplitude(outputs, arrays), summed.amplitude(outputs, single), rtol=1e-12, atol=0)
    torch.testing.assert_close(usual.inputs(arrays), summed.inputs(single))
