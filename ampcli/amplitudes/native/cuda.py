"""The engine on an NVIDIA GPU: threads.cu, compiled at run time, on torch tensors without a host copy."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from ampcli import gpu
from ampcli.amplitudes.native.couplings import Parameters
from ampcli.amplitudes.native.engine import PACKAGE, constants
from ampcli.amplitudes.native.quark_line import QuarkLine
from ampcli.amplitudes.native.tables import tables
from ampcli.instructions import compiled_module

Precision = Literal["float64", "float32"]

SOURCE = Path(__file__).with_name("threads.cu")
_BLOCKS_PER_PROCESSOR = 3  # 168 registers a thread: three blocks fill a multiprocessor


def scratch_size(gluons: int) -> int:
    """Numbers of scratch memory a thread needs."""
    return int(compiled_module(PACKAGE, "baseline").scratch_size(tables(gluons).ints))


def evaluate(
    line: QuarkLine, parameters: Parameters, momenta: Tensor, precision: Precision = "float64"
) -> tuple[Tensor, Tensor]:
    """Exact |M|^2 of momenta (n, n_external, 4) on a CUDA device, on its current stream.

    Args:
        momenta: float64, contiguous, in GeV.
        precision: of the currents; kinematics and results are float64.

    Returns:
        Values (n,), float64, and which events are not physical (n,), on the same device.
    """
    device = momenta.device
    gluons = len(line.gluons)
    number = torch.float64 if precision == "float64" else torch.float32
    values = torch.empty(len(momenta), dtype=torch.float64, device=device)
    bad = torch.empty(len(momenta), dtype=torch.uint8, device=device)
    if len(momenta) == 0:
        return values, bad.bool()
    with torch.cuda.device(device):
        processors = torch.cuda.get_device_properties(device).multi_processor_count
        free, _ = torch.cuda.mem_get_info(device)
        block_bytes = scratch_size(gluons) * gpu.BLOCK * number.itemsize
        wanted = min(processors * _BLOCKS_PER_PROCESSOR, -(-len(momenta) // gpu.BLOCK))
        blocks = max(1, min(wanted, int(free * 0.5) // block_bytes))
        scratch = torch.empty(blocks * gpu.BLOCK * scratch_size(gluons), dtype=number, device=device)
        constants = _constants(line, parameters, device)
        arguments = (momenta, values, bad, *constants, scratch)
        gpu.launch(SOURCE, f"evaluate_{precision}_{line.vector.states}", blocks, len(momenta), *arguments)
    return values, bad.bool()


@lru_cache(maxsize=64)
def _constants(line: QuarkLine, parameters: Parameters, device: torch.device) -> tuple[Tensor, ...]:
    return tuple(torch.from_numpy(array).to(device) for array in constants(line, parameters))
