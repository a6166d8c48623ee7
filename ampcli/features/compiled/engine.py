"""The compiled engine of radiations on a CPU or GPU: radiation.h and inputs.h."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ampcli.instructions import compiled_module, instruction_set

if TYPE_CHECKING:
    from ampcli.features.compiled import _baseline
else:
    _baseline = compiled_module("ampcli.features.compiled", "baseline")  # says so where it was not compiled

SOURCE = Path(__file__).with_name("threads.cu")

#: Makes what there is to do out of the choices and the one or two emissions of a process.
Choices, Step, make_task = _baseline.Choices, _baseline.Step, _baseline.task


def compute(task: bytes, final: Tensor, on: str | None = None) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Undo the emissions of a task.

    Args:
        final: outgoing momenta (n, n_final, 4) float64 in GeV, on a CPU or a CUDA device.
        on: the instruction set of a CPU (default: the best); numbers do not depend on it.

    Returns:
        For s emissions, on the same device: legs (n, 3 s), variables (n, 2 s), kernel (n,) in GeV^(-2 s), momenta of
        the reduced event (n, n_external - s, 4) with the beams first, and inputs (n, columns).

    Raises:
        ValueError: momenta of another shape.
    """
    if final.device.type == "cuda":
        return on_gpu(task, final.contiguous())
    module = compiled_module("ampcli.features.compiled", on or instruction_set())
    legs, variables, kernel, reduced, inputs = (
        torch.from_numpy(array) for array in module.compute(task, final.contiguous().numpy(), torch.get_num_threads())
    )
    return legs, variables, kernel, reduced, inputs


def on_gpu(task: bytes, final: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """`compute` by a CUDA kernel, one event a thread."""
    from ampcli import gpu

    nothing = compute(task, torch.empty((0, *final.shape[1:]), dtype=final.dtype))  # checks the shape, and knows others
    legs, variables, kernel, reduced, inputs = (final.new_empty((len(final), *array.shape[1:])) for array in nothing)
    if len(final):
        described = torch.frombuffer(bytearray(task), dtype=torch.uint8).to(final.device)
        blocks = min(-(-len(final) // gpu.BLOCK), 1 << 16)
        results = (legs, variables, kernel, reduced, inputs)
        gpu.launch(SOURCE, "radiation_features", blocks, len(final), final, described, *results)
    return legs, variables, kernel, reduced, inputs
