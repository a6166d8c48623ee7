"""Parton densities and the running coupling at hadron colliders."""

from __future__ import annotations

import hashlib
import math
import os
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ampcli.errors import AmpcliError, NotFoundError
from ampcli.kinematics import FloatArray

_M_Z = 91.188
_FLAVOURS = 5


def require_madspace() -> Any:
    """The module madspace.

    Raises:
        AmpcliError: it is not installed.
    """
    try:
        import madspace
    except ImportError as error:
        raise AmpcliError(
            f"hadron collisions need the package madspace: {error}",
            'Install it with `pip install "ampcli[lhc]"` (Python 3.11 and 3.12).',
        ) from error
    return madspace


def find_pdf(name: str) -> Path:
    """The grid file (LHAPDF format) of a parton density: a path, or the name of a set.

    Sets are looked for in LHAPDF_DATA_PATH and among the grids that the package pythia8mc brings.

    Raises:
        NotFoundError: there is no such file.
    """
    if Path(name).is_file():
        return Path(name)
    folders = [Path(folder) / name for folder in os.environ.get("LHAPDF_DATA_PATH", "").split(os.pathsep) if folder]
    folders.append(Path(sys.prefix) / "share" / "Pythia8" / "pdfdata")
    for folder in folders:
        if (file := folder / f"{name}_0000.dat").is_file():
            return file
    raise NotFoundError(
        f'no parton density "{name}": looked for {name}_0000.dat in {", ".join(map(str, folders))}',
        'Give a grid file with --pdf, set LHAPDF_DATA_PATH, or install pythia8mc (`pip install "ampcli[lhc]"`).',
    )


def file_sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def running_alpha_s(scale: FloatArray, at_z: float) -> FloatArray:
    """One-loop alpha_s with five flavours at scales in GeV; `at_z` is its value at M_Z."""
    slope = (33 - 2 * _FLAVOURS) / (12 * math.pi)
    return np.asarray(at_z / (1 + at_z * slope * np.log(scale**2 / _M_Z**2)))


@lru_cache
def _density(file: Path, pdg: int) -> Any:
    madspace = require_madspace()
    context = madspace.Context(1)
    grid = madspace.PdfGrid(str(file))
    if pdg not in grid.pids:
        raise NotFoundError(f"{file} has no density of the parton {pdg}", "Choose another --pdf.")
    grid.initialize_globals(context)
    return madspace.FunctionRuntime(madspace.PartonDensity(grid, [pdg]).function(), context)


def density(file: Path, pdg: int, x: FloatArray, scale: FloatArray) -> FloatArray:
    """f(x, scale) of a parton (PDG code) in the proton, never negative; x and scale [GeV] are (n,)."""
    found = np.asarray(_density(file, pdg)(x, scale)).reshape(len(x))
    return np.asarray(np.maximum(found, 0.0) / x)
