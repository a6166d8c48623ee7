"""The compiled features of radiations against the batched ones, for all choices."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from ampcli.features.blocks import make_block
from ampcli.features.radiation import RadiationBlock
from ampcli.phasespace.rambo import rambo
from ampcli.process import Process, parse_process

CASES = [
    ("d d~ > z g g g g", "fg1"), ("d d~ > z g g g g", "fg3"), ("d d~ > z g g g g", "fg1^2"),
    ("d d~ > z g g g g", "iq1"), ("d d~ > z g g g g", "iq2^2"), ("d g > z d g g g", "fq1"),
    ("d g > z d g g g", "fq2^2"), ("d g > z d g g g", "ig1"), ("d g > z d g g g", "ig3^2"),
    ("g d~ > g z g d~", "iq1"), ("g g > z g g d d~", "fg1"), ("g g > z d d~ g g", "ig2"),
    ("d g > z d g g g", "fa1"), ("d g > z d g g g", "fa2^2"), ("g g > z d d~ g g", "fa1"), ("d d~ > z g g g", "fa1"),
    ("e- e+ > d d~ g g", "fg1"), ("e- e+ > d d~ g g", "fq2"),
]  # fmt: skip
CHOICES = [
    {"kernel": kernel, "pair": pair, "spectator": spectator, "inputs": inputs, "orient": orient}
    for kernel, pair, spectator, inputs, orient in itertools.product(
        ("corrected", "paper"), ("product", "delta-r"), ("energetic", "s-ijk"), ("paper", "extended"), (False, True)
    )
]


def sample(process: Process, n: int) -> torch.Tensor:
    rng = np.random.default_rng(2)
    final = rambo(rng.random((n, process.n_final, 4)), 1000.0)
    masses = np.array(process.final_masses)
    if process.incoming[0].kind != "lepton":
        y = rng.uniform(-1.5, 1.5, (n, 1))
        final[..., 3] = np.cosh(y) * final[..., 3] + np.sinh(y) * final[..., 0]
    final[..., 0] = np.sqrt((final[..., 1:] ** 2).sum(axis=2) + masses**2)
    return torch.from_numpy(np.ascontiguousarray(final))


@pytest.mark.parametrize(("process", "name"), CASES)
def test_all_choices(process, name):
    parsed = parse_process(process)
    final = sample(parsed, 300)
    for choices in CHOICES:
        block = make_block(name, parsed, {"provider": "native", **choices})
        assert isinstance(block, RadiationBlock)
        compiled, batched = block.compute(final), block.batched(final)
        assert compiled.keys() == batched.keys()
        for key, array in batched.items():
            torch.testing.assert_close(compiled[key], array, rtol=1e-8, atol=1e-7, msg=lambda m, k=key: f"{k}: {m}")
        assert torch.equal(compiled["legs"], batched["legs"])


def test_threads_share_the_events():
    process = parse_process("d d~ > z g g g g")
    final = sample(process, 1001)
    block = make_block("fg1^2", process, {"provider": "native"})
    alone = block.compute(final)
    torch.set_num_threads(2)
    try:
        together = block.compute(final)
    finally:
        torch.set_num_threads(1)
    for key, array in alone.items():
        torch.testing.assert_close(together[key], array, rtol=0, atol=0)


def test_no_event_and_other_events():
    process = parse_process("d d~ > z g g g")
    block = make_block("fg1", process, {"provider": "native"})
    assert {len(array) for array in block.compute(torch.empty((0, 4, 4), dtype=torch.float64)).values()} == {0}
    with pytest.raises(ValueError, match="another process"):
        block.compute(torch.ones((3, 5, 4), dtype=torch.float64))


def test_events_in_any_memory_layout():
    process = parse_process("d d~ > z g g g")
    final = sample(process, 50)
    block = make_block("fg1", process, {"provider": "native"})
    expected = block.compute(final)["inputs"]
    scattered = final.permute(2, 1, 0).contiguous().permute(2, 1, 0)
    assert not scattered.is_contiguous()
    assert torch.equal(block.compute(scattered)["inputs"], expected)
