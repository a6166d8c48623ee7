"""The kernel of colour flows: its limits, and how near it brings the ansatz to the exact amplitude."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ampcli.amplitudes.native.provider import Native
from ampcli.factorisation.radiation import Kernel, colour_string
from ampcli.features.blocks import default_choices, make_block
from ampcli.kinematics import FloatArray, with_beams
from ampcli.phasespace.rambo import rambo
from ampcli.process import Process, parse_process


def sample(process: Process, n: int) -> FloatArray:
    final = rambo(np.random.default_rng(3).random((n, process.n_final, 4)), 1000.0)
    final[..., 0] = np.sqrt((final[..., 1:] ** 2).sum(axis=2) + np.array(process.final_masses) ** 2)
    return final


def computed(process: Process, name: str, kernel: Kernel, final: FloatArray) -> dict[str, torch.Tensor]:
    choices = {**default_choices(name), "provider": "native", "kernel": kernel}
    return make_block(name, process, choices).compute(torch.from_numpy(final))


def split(final: FloatArray, leg: int, angle: float) -> FloatArray:
    """Events in which one leg has become two, the last of them, at an angle (turned about the beams)."""
    share, cosine, sine = 0.7, np.cos(angle), np.sin(angle)
    parent = final[:, leg]
    turned = parent.copy()
    turned[:, 1:3] = parent[:, 1:3] @ np.array([[cosine, sine], [-sine, cosine]])
    found = np.concatenate([final, (1 - share) * turned[:, None]], axis=1)
    found[:, leg] = share * parent
    found[:, 0, 1:3] -= found[..., 1:3].sum(axis=1)  # what is missing now
    mass2 = final[:, 0, 0] ** 2 - (final[:, 0, 1:] ** 2).sum(axis=1)
    found[:, 0, 0] = np.sqrt((found[:, 0, 1:] ** 2).sum(axis=1) + mass2)
    return np.ascontiguousarray(found)


# At leading colour a quark has the charge C_A / 2 in place of C_F.
@pytest.mark.parametrize(
    ("name", "reduced", "whole", "leg", "ratio"),
    [
        ("fg1+", "d d~ > z g g g", "d d~ > z g g g g", 3, 1.0),
        ("fg1+", "e- e+ > d d~ g g", "e- e+ > d d~ g g g", 3, 1.0),
        ("fg1+", "g g > g g g", "g g > g g g g", 2, 1.0),
        ("fq1+", "e- e+ > d d~", "e- e+ > d d~ g", 1, 9 / 8),
        ("fq1+", "d g > z d g g", "d g > z d g g g", 1, 9 / 8),
    ],
)
def test_collinear_partons_have_the_splitting_kernel(name, reduced, whole, leg, ratio):
    final = split(sample(parse_process(reduced), 50), leg, 1e-4)
    flows, kernel = (computed(parse_process(whole), name, kind, final)["kernel"] for kind in ("flows", "corrected"))
    torch.testing.assert_close(flows / kernel, torch.full_like(kernel, ratio), rtol=2e-3, atol=0)


@pytest.mark.parametrize("name", ["fg1+", "iq1+", "fg1^2+"])
def test_it_is_nearer_to_the_exact_amplitude(name):
    process = parse_process("d d~ > z g g g g")
    final = sample(process, 2000)
    final[..., 1:3] /= 3  # nearer to the beams
    final[..., 0] = np.sqrt((final[..., 1:] ** 2).sum(axis=2) + np.array(process.final_masses) ** 2)
    exact = np.log(Native(process).evaluate(with_beams(final)))
    spread = {}
    for kernel in ("flows", "corrected"):
        arrays = computed(process, name, kernel, final)
        spread[kernel] = np.std(exact - (arrays["kernel"] * arrays["reduced_amplitude"]).log().numpy())
    assert spread["flows"] < 0.6 * spread["corrected"]


@pytest.mark.parametrize(
    ("process", "ends", "numerator"),
    [
        ("d d~ > z g g g g", (0, 1), 2),
        ("g d > z d g g", (1, 3), 2),
        ("e- e+ > d d~ g g g", (2, 3), 2),
        ("u g > u g g g", (0, 2), 3),
        ("g g > g g g g", (0, 0), 4),
    ],
)
def test_the_string(process, ends, numerator):
    string = colour_string(parse_process(process))
    assert string is not None
    assert (string.ends, string.numerator) == (ends, numerator)


def test_two_quark_lines_keep_the_splitting_kernel():
    process = parse_process("d u > d u g g")
    assert colour_string(process) is None
    final = sample(process, 20)
    flows, kernel = (computed(process, "fg1+", kind, final) for kind in ("flows", "corrected"))
    assert flows["inputs"].shape == kernel["inputs"].shape
    assert torch.equal(flows["kernel"], kernel["kernel"])
