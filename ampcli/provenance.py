"""Where a result was made: packages, commit, hardware."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from contextlib import suppress
from pathlib import Path

import torch

from ampcli.plugins import plugin_packages

_PACKAGES = ("ampcli", "torch", "numpy", "zarr", "pyamplicol", "safetensors")


def package_versions() -> dict[str, str]:
    """Versions of Python and of the packages that results depend on, plug-ins included: those that are installed."""
    versions = {"python": platform.python_version()}
    for package in (*_PACKAGES, *plugin_packages()):
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions


def git_commit() -> str | None:
    """The commit of the source tree that runs, with ``-dirty`` for uncommitted changes; None outside of one."""
    folder = Path(__file__).parent
    if not (folder.parent / ".git").exists():
        return None
    # `git describe --dirty` would write the index: whoever is killed meanwhile leaves a lock that stops every commit
    command = ["git", "--no-optional-locks", "-C", str(folder), "status", "--porcelain=v2", "--branch"]
    try:
        done = subprocess.run([*command, "--untracked-files=no"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    lines = done.stdout.splitlines()
    commit = next((line.split()[2] for line in lines if line.startswith("# branch.oid ")), "(initial)")
    changed = any(not line.startswith("#") for line in lines)
    return None if commit == "(initial)" else f"{commit}{'-dirty' if changed else ''}"


def hardware(device: torch.device) -> dict[str, str | int]:
    """The device, its threads and the machine's kind."""
    found: dict[str, str | int] = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else _cpu_name(),
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count() or 1,
        "system": f"{platform.system()} {platform.machine()}",
    }
    return found


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
