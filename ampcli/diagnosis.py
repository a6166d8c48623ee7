"""`ampcli doctor`: what an installation has, and whether its parts work."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ampcli.amplitudes.cache import cache_root
from ampcli.amplitudes.providers import PROVIDERS
from ampcli.device import usable_cores
from ampcli.errors import AmpcliError
from ampcli.instructions import instruction_set
from ampcli.kinematics import with_beams
from ampcli.phasespace.rambo import rambo
from ampcli.process import parse_process
from ampcli.provenance import hardware, package_versions
from ampcli.registry.search import Registry


def diagnose(registry: Registry) -> dict[str, Any]:
    """Findings by name.

    Raises:
        AmpcliError: a part that every command needs does not work.
    """
    cache = cache_root()
    _require_writable(cache)
    process = parse_process("e- e+ > d d~ g")
    momenta = with_beams(np.ascontiguousarray(rambo(np.random.default_rng(1).random((10, 3, 4)), 1000.0)), 1000.0)
    ours = [kind for kind in map(PROVIDERS.__getitem__, PROVIDERS.ours) if kind.covers(process) is None]
    values = [kind.make(process, {}).evaluate(momenta) for kind in ours]
    names = " and ".join(kind.name for kind in ours)
    if not all(np.allclose(other, values[0], rtol=1e-9, atol=0.0) for other in values):
        found = ", ".join(str(each.tolist()) for each in values)
        raise AmpcliError(f"the providers {names} disagree on {process}: {found}", "Install ampcli again.")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return {
        **package_versions(),
        **{str(key): value for key, value in hardware(device).items()},
        "usable cores": usable_cores(),
        "cache": str(cache),
        "cache free": f"{shutil.disk_usage(cache).free / 2**30:.1f} GiB",
        "registry": registry.listed,
        "amplitudes": f"ok ({names} agree on {process})" if len(ours) > 1 else f"ok ({names})",
        "providers": ", ".join(f"{kind.name} {kind.version}" for kind in PROVIDERS),
        "instruction set": instruction_set(),
    }


def _require_writable(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / f".doctor-{uuid.uuid4().hex}"
    try:
        probe.write_bytes(b"")
    except OSError as error:
        raise AmpcliError(
            f"the cache {folder} cannot be written: {error.strerror}", "Set AMPCLI_CACHE to another folder."
        ) from None
    probe.unlink()
