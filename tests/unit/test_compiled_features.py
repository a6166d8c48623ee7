"""The compiled features of radiations against the reference, for all choices; instruction sets, threads, GPUs."""

from __future__ import annotations

import itertools
import shutil
import subprocess

import numpy as np
import pytest
import torch
from radiation_reference import Reference

from ampcli import gpu
from ampcli.amplitudes.native import cuda
from ampcli.factorisation.radiation import SPECTATORS
from ampcli.features.blocks import make_block
from ampcli.features.compiled import engine
from ampcli.features.radiation import RadiationBlock
from ampcli.instructions import instruction_set
from ampcli.phasespace.rambo import rambo
from ampcli.process import Process, parse_process

_ORDER = ["baseline", "avx2", "avx512"]
COMPILED = _ORDER[: _ORDER.index(instruction_set()) + 1]  # those that this processor runs
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
        ("corrected", "paper"), ("product", "delta-r"), SPECTATORS, ("paper", "extended"), (False, True)
    )
] + [
    {"kernel": "flows", "pair": pair, "spectator": "gluon", "inputs": inputs, "orient": True}
    for pair, inputs in (("delta-r", "extended"), ("product", "paper"))
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
@pytest.mark.parametrize("version", [2, 3])
def test_all_choices(process, name, version):
    parsed = parse_process(process)
    final = sample(parsed, 150)
    for choices in CHOICES:
        block = make_block(name, parsed, {"provider": "native", **choices}, version)
        assert isinstance(block, RadiationBlock)
        compiled, reference = block.compute(final), Reference(block).compute(final)
        assert compiled.keys() == reference.keys()
        for key, array in reference.items():
            assert compiled[key].shape == (len(final), *block.shapes()[key])
            torch.testing.assert_close(compiled[key], array, rtol=1e-8, atol=1e-7, msg=lambda m, k=key: f"{k}: {m}")
        assert torch.equal(compiled["legs"], reference["legs"])


@pytest.mark.parametrize(("process", "name"), CASES)
def test_instruction_sets_agree_bit_for_bit(process, name):
    parsed = parse_process(process)
    final = sample(parsed, 150)
    for choices in CHOICES:
        block = make_block(name, parsed, {"provider": "native", **choices})
        baseline = engine.compute(block.task, final, "baseline")
        for instructions in COMPILED[1:]:
            for here, there in zip(engine.compute(block.task, final, instructions), baseline, strict=True):
                assert torch.equal(here, there)


def test_legs_are_refused_that_do_not_fit():
    process = parse_process("d d~ > z g g g g")
    block = make_block("fg1", process, {"provider": "native"})
    for task in (b"", block.task[:-4], block.task + b"0000"):
        with pytest.raises(ValueError, match="task of another"):
            engine.compute(task, sample(process, 2))
    with pytest.raises(ValueError, match="too many legs"):
        engine.Step(last_gluon=16, rank=0, candidates=[(2, 3)], jets=[2], massive=[False] * 17, gluon=[True] * 17)
    with pytest.raises(ValueError, match="too many legs"):
        engine.Step(last_gluon=3, rank=0, candidates=[(2, 3)] * 92, jets=[2], massive=[False] * 6, gluon=[True] * 6)


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="needs nvcc")
def test_it_compiles_for_a_gpu_with_nvcc(tmp_path):
    for source in (engine.SOURCE, cuda.SOURCE):
        cubin = tmp_path / f"{source.parent.name}.cubin"
        subprocess.run(["nvcc", "-std=c++17", "-arch=sm_90", "-cubin", "-o", cubin, source], check=True)
        assert cubin.stat().st_size > 5_000


def test_it_compiles_for_a_gpu_at_run_time():
    pytest.importorskip("cuda.core")
    assert len(gpu.compiled(engine.SOURCE, "sm_90").code) > 5_000


def test_tensors_on_a_gpu_go_there(monkeypatch):
    """The dispatch, with a kernel that runs on the CPU: the same header, one event at a time."""
    process = parse_process("d d~ > z g g g g")
    block = make_block("fg1^2", process, {"provider": "native"})
    final = sample(process, 300)
    launched = []

    def launch(source, name, blocks, events, final, task, *results):
        launched.append((source, name, blocks, events, task.dtype))
        for result, computed in zip(results, engine.compute(bytes(task.tolist()), final), strict=True):
            result.copy_(computed)

    monkeypatch.setattr(gpu, "launch", launch)
    expected = engine.compute(block.task, final)
    for found, known in zip(engine.on_gpu(block.task, final), expected, strict=True):
        assert torch.equal(found, known)
    assert launched == [(engine.SOURCE, "radiation_features", 3, 300, torch.uint8)]
    assert {len(array) for array in engine.on_gpu(block.task, final[:0])} == {0}
    assert len(launched) == 1
    with pytest.raises(ValueError, match="another process"):
        engine.on_gpu(block.task, final[:, :3])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(("process", "name"), CASES)
def test_on_a_gpu(process, name):
    parsed = parse_process(process)
    final = sample(parsed, 1000)
    for choices in CHOICES:
        block = make_block(name, parsed, {"provider": "native", **choices})
        here, there = block.compute(final), block.compute(final.cuda())
        for key, array in here.items():
            assert there[key].device.type == "cuda"
            torch.testing.assert_close(there[key].cpu(), array, rtol=1e-8, atol=1e-7)


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
