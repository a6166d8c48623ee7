"""Choosing where tensors live, and how many threads work on them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ampcli.errors import UsageError, setting

_MOST_THREADS = 4096


def choose_device(name: str) -> torch.device:
    """``auto`` (CUDA where there is one), ``cpu`` or ``cuda``.

    Raises:
        UsageError: an unknown name, or no GPU where one is asked for.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise UsageError(f'unknown device "{name}"', "Known: auto, cpu, cuda.")
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError(
            "no CUDA device is available here", f"Use {setting('device')} cpu, or auto to take what there is."
        )
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def usable_cores() -> int:
    """Cores that this process may use (all of them on systems that do not say, such as macOS).

    Of those that a launcher started on this machine (torchrun), each may use its share.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def set_threads(count: int | None) -> int:
    """Use `count` CPU threads (default: the cores this process may use); returns the number."""
    threads = count if count is not None else usable_cores()
    if not 1 <= threads <= _MOST_THREADS:
        raise UsageError(f"{setting('threads')} {threads}: at least one is needed, and at most {_MOST_THREADS}")
    torch.set_num_threads(threads)
    return threads


@contextmanager
def one_thread() -> Iterator[None]:
    """Sums that must not depend on how many threads share the work: one does it; afterwards as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def tf32_products(wanted: bool) -> Iterator[None]:
    """Products of matrices on CUDA in TF32 (10 bits of mantissa), or not; afterwards as before."""
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = wanted
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before
