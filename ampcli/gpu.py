"""CUDA kernels: compiled at run time, launched on torch's current stream."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ampcli.errors import AmpcliError
from ampcli.extras import remedy

BLOCK = 128
"""Threads of a block; __launch_bounds__ of the kernels."""


@lru_cache
def compiled(source: Path, architecture: str) -> Any:
    """The kernels of a file for an architecture such as "sm_90" (a `cuda.core.ObjectCode`).

    Raises:
        AmpcliError: cuda.core or NVRTC is missing.
    """
    try:
        from cuda.core import Program, ProgramOptions

        options = ProgramOptions(name=source.name, arch=architecture, std="c++17", include_path=[str(source.parent)])
        return Program(source.read_text(), "c++", options).compile("cubin")
    except (ImportError, RuntimeError) as error:
        raise AmpcliError(
            f"computations on the GPU need cuda-core and NVRTC: {error}",
            f'{remedy("cuda")} For a CUDA 12 torch: pip install "cuda-core[cu12]".',
        ) from error


@lru_cache
def _kernel(device: int, source: Path, name: str) -> Any:
    from cuda.core import Device

    Device(device).set_current()  # the context that torch uses
    major, minor = torch.cuda.get_device_capability(device)
    return compiled(source, f"sm_{major}{minor}").get_kernel(name)


class _Stream:
    """A torch stream as cuda.core takes it."""

    def __init__(self, stream: torch.cuda.Stream) -> None:
        self.stream = stream

    def __cuda_stream__(self) -> tuple[int, int]:
        return 0, self.stream.cuda_stream


def launch(source: Path, name: str, blocks: int, events: int, *tensors: Tensor) -> None:
    """Run a kernel of the arguments (events, pointers to the tensors) on the device where these lie.

    Raises:
        AmpcliError: cuda.core or NVRTC is missing.
    """
    device = tensors[0].device
    with torch.cuda.device(device):
        kernel = _kernel(torch.cuda.current_device(), source, name)
        from cuda.core import LaunchConfig
        from cuda.core import launch as start

        stream = _Stream(torch.cuda.current_stream(device))
        start(
            stream, LaunchConfig(grid=blocks, block=BLOCK), kernel, events, *(tensor.data_ptr() for tensor in tensors)
        )
