"""Full-colour tree amplitudes from pyamplicol's generated code, evaluated without Symbolica."""

from __future__ import annotations

import sys
import threading
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ampcli.amplitudes import artifacts
from ampcli.amplitudes.protocol import ProviderIdentity
from ampcli.errors import IntegrityError
from ampcli.kinematics import FloatArray, checked_momenta
from ampcli.process import Process

# Handles belong to the thread that made them; elsewhere they raise a BaseException.
_handles = threading.local()

_PARAMETERS = {
    "normalization.alpha_s_me_check": "alpha_s",
    "normalization.alpha_ew": "alpha_ew",
    "particle.23.mass": "m_z",
    "particle.23.width": "gamma_z",
}


def _open(folder: Path) -> Any:
    """The runtime of an artifact, one per thread.

    Symbolica is blocked from import first: with it importable, pyamplicol takes a slot that one process per user
    has, and every further process is aborted.
    """
    runtimes: dict[Path, Any] = _handles.__dict__.setdefault("runtimes", {})
    if folder not in runtimes:
        sys.modules.setdefault("symbolica", None)  # type: ignore[arg-type]
        from pyamplicol import Runtime

        try:
            runtimes[folder] = Runtime.load(folder, mute_warnings=True)
        except Exception as error:
            raise IntegrityError(
                f"the cached amplitude {folder} cannot be loaded: {error}",
                "Remove that folder; the next run generates it again.",
            ) from error
    return runtimes[folder]


@lru_cache
def _parameters(folder: Path) -> dict[str, float]:
    known = {p.name: p.default_real for p in _open(folder).physics.model_parameters}
    return {ours: known[theirs] for theirs, ours in _PARAMETERS.items() if theirs in known}


class PyAmplicol:
    """The provider ``pyamplicol``: any Standard-Model tree process, full colour (pyamplicol 1.0)."""

    def __init__(self, process: Process) -> None:
        self.process = process

    @cached_property
    def artifact(self) -> Path:
        """Folder of the generated code, which is made first where it is missing."""
        return artifacts.ensure_artifact(self.process)

    def identity(self) -> ProviderIdentity:
        folder = self.artifact
        return ProviderIdentity("pyamplicol", artifacts.generator_version(), artifacts.OPTIONS, _parameters(folder))

    def evaluate(self, momenta: FloatArray) -> FloatArray:
        physical = checked_momenta(momenta, self.process)
        if len(physical) == 0:
            return np.empty(0)
        values = _open(self.artifact).evaluate(physical)
        return np.array(values).real.copy()
