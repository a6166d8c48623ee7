"""Choosing where tensors live, and how many threads work on them."""

from __future__ import annotations

import os

import torch

from ampcli.errors import UsageError

_MOST_THREADS = 4096


def choose_device(name: str) -> torch.device:
    """``auto`` (CUDA where there is one), ``cpu`` or ``cuda``.

    Raises:
        UsageError: an unknown name, or no GPU where one is asked for.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise UsageError(f'unknown device "{name}"', "Known: auto, cpu, cuda.")
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("no CUDA device is available here", "Use --device cpu, or auto to take what there is.")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def usable_cores() -> int:
    """Cores that this process may use (all of them on systems that do not say, such as macOS)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def set_threads(count: int | None) -> int:
    """Use `count` CPU threads (default: the cores this process may use); returns the number."""
    threads = count if count is not None else usable_cores()
    if not 1 <= threads <= _MOST_THREADS:
        raise UsageError(f"--threads {threads}: at least one is needed, and at most {_MOST_THREADS}")
    torch.set_num_threads(threads)
    return threads
