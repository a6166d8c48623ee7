"""The engine on an NVIDIA GPU: threads.cu, compiled at run time, on torch tensors without a host copy."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from ampcli.amplitudes.native.couplings import Parameters
from ampcli.amplitudes.native.engine import constants
from ampcli.amplitudes.native.quark_line import QuarkLine
from ampcli.amplitudes.native.tables import tables
from ampcli.errors import AmpcliError

Precision = Literal["float64", "float32"]

_SOURCE = Path(__file__).with_name("threads.cu")
_BLOCK = 128  # threads; __launch_bounds__ of threads.cu
_BLOCKS_PER_PROCESSOR = 3  # 168 registers a thread: three blocks fill a multiprocessor


def compiled(architecture: str) -> Any:
    """The kernels for an architecture such as "sm_90" (a `cuda.core.ObjectCode`).

    Raises:
        AmpcliError: cuda.core or NVRTC is missing.
    """
    try:
        from cuda.core import Program, ProgramOptions

        options = ProgramOptions(name=_SOURCE.name, arch=architecture, std="c++17", include_path=[str(_SOURCE.parent)])
        return Program(_SOURCE.read_text(), "c++", options).compile("cubin")
    except (ImportError, RuntimeError) as error:
        raise AmpcliError(
            f"amplitudes on the GPU need cuda-core and NVRTC: {error}",
            'Install them with `pip install "ampcli[cuda]"` (for a CUDA 12 torch: `pip install "cuda-core[cu12]"`).',
        ) from error


@lru_cache
def _kernel(device: int, name: str) -> Any:
    from cuda.core import Device

    Device(device).set_current()  # the context that torch uses
    major, minor = torch.cuda.get_device_capability(device)
    return _object(f"sm_{major}{minor}").get_kernel(name)


_object = lru_cache(compiled)


def scratch_size(gluons: int) -> int:
    """Numbers of scratch memory a thread needs (`Scratch::size` of amplitude.h)."""
    _, slots, orderings, basis = (int(n) for n in tables(gluons).ints[:4])
    return 7 * (1 << gluons) + 18 * slots + 6 * basis + 7 * orderings


class _Stream:
    """A torch stream as cuda.core takes it."""

    def __init__(self, stream: torch.cuda.Stream) -> None:
        self.stream = stream

    def __cuda_stream__(self) -> tuple[int, int]:
        return 0, self.stream.cuda_stream


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
    from cuda.core import LaunchConfig, launch

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
        block_bytes = scratch_size(gluons) * _BLOCK * number.itemsize
        wanted = min(processors * _BLOCKS_PER_PROCESSOR, -(-len(momenta) // _BLOCK))
        blocks = max(1, min(wanted, int(free * 0.5) // block_bytes))
        scratch = torch.empty(blocks * _BLOCK * scratch_size(gluons), dtype=number, device=device)
        constants = _constants(line, parameters, device)
        polarisations = 3 if line.leptons is None else 2
        kernel = _kernel(torch.cuda.current_device(), f"evaluate_{precision}_{polarisations}")
        pointers = [tensor.data_ptr() for tensor in (momenta, values, bad, *constants, scratch)]
        stream = _Stream(torch.cuda.current_stream(device))
        launch(stream, LaunchConfig(grid=blocks, block=_BLOCK), kernel, len(momenta), *pointers)
    return values, bad.bool()


@lru_cache(maxsize=64)
def _constants(line: QuarkLine, parameters: Parameters, device: torch.device) -> tuple[Tensor, ...]:
    return tuple(torch.from_numpy(array).to(device) for array in constants(line, parameters))
