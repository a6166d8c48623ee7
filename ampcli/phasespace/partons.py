"""Parton densities: grids in LHAPDF's format, interpolated by madspace, and continued beyond as LHAPDF does."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ampcli.errors import AmpcliError, IntegrityError, NotFoundError, UsageError, setting
from ampcli.extras import remedy
from ampcli.files import read_file
from ampcli.kinematics import FloatArray

_INSIDE = 1e-12  # relative: madspace compares logarithms, and takes points on the edge for points beyond it
_LINEAR = 1e-3  # LHAPDF continues smaller x f linearly, not its logarithm


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
            remedy("lhc"),
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
        f"Give a grid file with {setting('pdf')}, set LHAPDF_DATA_PATH, or install pythia8mc (`pip "
        'install "ampcli[lhc]"`).',
    )


def file_sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@dataclass(frozen=True)
class PdfGrid:
    """Knots of a grid in x and Q [GeV], both ascending, and the partons (PDG codes) that it knows."""

    file: Path
    x: FloatArray
    q: FloatArray
    partons: tuple[int, ...]
    table: Any

    @classmethod
    def read(cls, file: Path) -> PdfGrid:
        """A grid in LHAPDF's format.

        Raises:
            IntegrityError: a damaged grid.
            AmpcliError: madspace is not installed.
        """
        madspace = require_madspace()
        try:
            _require_complete(read_file(file).decode("ascii"))
            table = madspace.PdfGrid(str(file))
            knots = [np.array(knots, dtype=float) for knots in (table.x, table.q)]
            for name, found in zip("xQ", knots, strict=True):
                if len(found) < 4 or not (np.isfinite(found).all() and found[0] > 0 and (np.diff(found) >= 0).all()):
                    raise ValueError(f"its knots in {name} are not at least four ascending, positive numbers")
            if not 0.99 <= knots[0][-1] <= 1:
                raise ValueError(f"its last knot in x is {knots[0][-1]:g}, not 1")
            if not np.isfinite(np.array(table.values, dtype=float)).all():
                raise ValueError("it has values that are not numbers")
        except (ValueError, RuntimeError, IndexError, OverflowError, MemoryError) as error:
            raise IntegrityError(f"{file} is no sound grid of parton densities: {error}", "Install it again.") from None
        return cls(file, np.unique(knots[0]), np.unique(knots[1]), tuple(table.pids), table)


def _require_complete(text: str) -> None:
    """Every block has as many rows as its knots want."""
    blocks = [block for block in text.replace("\r\n", "\n").split("\n---")[1:] if block.strip()]
    if not blocks:
        raise ValueError("it has no values")
    for number, block in enumerate(blocks, start=1):
        lines = [line for line in block.split("\n") if line.strip()]
        wanted = len(lines[0].split()) * len(lines[1].split()) if len(lines) > 2 else 0
        if wanted == 0 or len(lines) - 3 != wanted:
            raise ValueError(f"block {number} has {max(len(lines) - 3, 0)} rows, not {wanted}")


@lru_cache
def pdf_grid(file: Path) -> PdfGrid:
    """The grid of a file, read once; see `PdfGrid.read`."""
    return PdfGrid.read(file)


@lru_cache
def _interpolation(file: Path, pdg: int) -> Any:
    madspace = require_madspace()
    grid = pdf_grid(file)
    if pdg not in grid.partons:
        raise NotFoundError(f"{file} has no density of the parton {pdg}", f"Choose another {setting('pdf')}.")
    context = madspace.Context(1)
    grid.table.initialize_globals(context)
    return madspace.FunctionRuntime(madspace.PartonDensity(grid.table, [pdg]).function(), context)


def density(file: Path, pdg: int, x: FloatArray, scale: FloatArray) -> FloatArray:
    """f(x, scale) of a parton (PDG code) in the proton; x and scale [GeV] are (n,).

    Beyond the grid, at small x and at large scales, x f goes on as LHAPDF's default ("continuation") has it: along a
    straight line through the last two knots in ln x or ln Q, of its logarithm where both are above 1e-3.  Above the
    last knot in x (`PdfGrid.read` wants 0.99 at least) it stays.  Negative densities, which sets may have, are taken
    as 0.

    Raises:
        UsageError: a scale below the grid.
        NotFoundError: no such parton.
        IntegrityError: a damaged grid.
    """
    interpolation, grid = _interpolation(file, pdg), pdf_grid(file)
    if len(scale) and scale.min() < grid.q[0] * (1 - _INSIDE):
        raise UsageError(
            f"{file} begins at Q = {grid.q[0]:g} GeV", f"Give a larger {setting('scale')} or {setting('pt_min')}."
        )

    def inside(at_x: FloatArray, at_q: FloatArray) -> FloatArray:
        return np.asarray(interpolation(at_x, at_q)).reshape(len(at_x))

    outside = (x <= grid.x[0]) | (x >= grid.x[-1]) | (scale <= grid.q[0]) | (scale >= grid.q[-1])
    if not outside.any():
        found = inside(x, scale)
    else:
        found = np.empty(len(x))
        found[~outside] = inside(x[~outside], scale[~outside])
        found[outside] = _continued(inside, grid, x[outside], scale[outside])
    if not np.isfinite(found).all():
        raise IntegrityError(f"{file} has no sound density of the parton {pdg}", f"Choose another {setting('pdf')}.")
    return np.asarray(np.maximum(found, 0.0) / x)


def _continued(
    inside: Callable[[FloatArray, FloatArray], FloatArray], grid: PdfGrid, x: FloatArray, q: FloatArray
) -> FloatArray:
    """x f on the edges of the grid and beyond them."""
    (low, above_low), (below_high, high) = grid.x[:2], grid.q[-2:]

    def at(at_x: FloatArray) -> FloatArray:
        edge = np.clip(at_x, grid.x[0] * (1 + _INSIDE), grid.x[-1] * (1 - _INSIDE))
        within = inside(edge, np.clip(q, grid.q[0] * (1 + _INSIDE), high * (1 - _INSIDE)))
        return np.where(q > high, _line(q, high, below_high, within, inside(edge, np.full(len(q), below_high))), within)

    first, second = at(np.full(len(x), low)), at(np.full(len(x), above_low))
    return np.where(x < low, _line(x, low, above_low, first, second), at(x))


def _line(at: FloatArray, one: float, other: float, here: FloatArray, there: FloatArray) -> FloatArray:
    """Through `here` at `one` and `there` at `other`, straight in the logarithm of the position."""
    t = np.log(at / one) / np.log(other / one)
    both = (here > _LINEAR) & (there > _LINEAR)
    safe_here, safe_there = np.where(both, here, 1.0), np.where(both, there, 1.0)
    return np.asarray(np.where(both, safe_here * (safe_there / safe_here) ** t, here + t * (there - here)))
