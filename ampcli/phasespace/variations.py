"""Other scales, parton densities and values of alpha_s for events that are there already.

The weight of an event of proton collisions is f_a(x_1, mu_F) f_b(x_2, mu_F) alpha_s(mu_R)^k times what depends on none
of these, |M|^2 at a fixed coupling among it.  So another choice changes it by a ratio, exactly.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ampcli.collisions.protons import ProtonCollisions
from ampcli.errors import IntegrityError, UsageError, setting
from ampcli.kinematics import FloatArray
from ampcli.phasespace.partons import density, file_sha256, find_pdf
from ampcli.phasespace.pdf_sets import PROTON, pdf_set
from ampcli.phasespace.running_coupling import Running, running_alpha_s

IntArray = npt.NDArray[np.int64]

_TIMES = (0.5, 1.0, 2.0)
_APART = 2.0  # the 7 points leave out mu_R and mu_F that are more than this factor apart


@dataclass(frozen=True)
class Choice:
    """Scales, densities and coupling.

    Attributes:
        mu_r, mu_f: renormalisation and factorisation scale in units of the event's scale.
        pdf: grid file of the densities.
        alpha_s_mz: the coupling at M_Z.
        running: how it runs.
    """

    mu_r: float
    mu_f: float
    pdf: Path
    alpha_s_mz: float
    running: Running

    @classmethod
    def of(cls, source: ProtonCollisions) -> Choice:
        """What events were drawn with.

        Raises:
            NotFoundError: their densities are not there.
            IntegrityError: other ones have their name.
        """
        grid = find_pdf(source.pdf)
        if file_sha256(grid) != source.pdf_sha256:
            raise IntegrityError(
                f"{grid} is not the grid that the events were drawn with: weights would be wrong",
                "Put the grid with their checksum first in LHAPDF_DATA_PATH.",
            )
        return cls(1.0, 1.0, grid, source.alpha_s_mz, source.running)

    def with_alpha_s(self, at_z: float) -> Choice:
        """Another value at M_Z, which runs by the beta function: values that a set brings belong to its own."""
        if at_z == self.alpha_s_mz:
            return self
        return replace(self, alpha_s_mz=at_z, running=replace(self.running, scales=(), values=()))

    def factors(self, x: FloatArray, partons: IntArray, scale: FloatArray, power: int) -> FloatArray:
        """f_a(x_1) f_b(x_2) alpha_s^power of events, (n,).

        Args:
            x: momentum fractions (n, 2).
            partons: PDG codes of the incoming partons (n, 2).
            scale: of the events in GeV, (n,).

        Raises:
            UsageError: scales below the densities, or where the coupling is not perturbative.
        """
        mu_f = self.mu_f * scale
        found = running_alpha_s(self.mu_r * scale, self.alpha_s_mz, self.running) ** power
        for side in (0, 1):
            for pdg in np.unique(partons[:, side]):
                rows = np.flatnonzero(partons[:, side] == pdg)
                found[rows] *= density(self.pdf, int(pdg), x[rows, side], mu_f[rows])
        return np.asarray(found)


@dataclass(frozen=True)
class Variation:
    """A choice by its name, in a group of choices that belong together."""

    group: str
    name: str
    choice: Choice


def scale_variations(central: Choice, points: int) -> list[Variation]:
    """mu_R and mu_F at 1/2, 1 and 2 times the event's scale: all 9 pairs, or the 7 that are not 4 apart; central first.

    Raises:
        UsageError: another number of points.
    """
    if points not in (7, 9):
        raise UsageError(f"{setting('scale_weights')} {points}: 7 or 9 points are known")
    pairs = [(r, f) for r in _TIMES for f in _TIMES if points == 9 or max(r, f) <= _APART * min(r, f)]
    pairs.sort(key=lambda pair: pair != (1.0, 1.0))
    return [Variation("scales", f"mu_R x {r:g}, mu_F x {f:g}", replace(central, mu_r=r, mu_f=f)) for r, f in pairs]


def pdf_variations(central: Choice, sets: Sequence[str]) -> list[Variation]:
    """Every member that is there of each set, or one grid file; with the coupling that goes with the set, where known.

    Raises:
        NotFoundError: no such set.
        UsageError: the densities of another particle.
    """
    found = []
    for name in sets:
        first = find_pdf(name)
        stem = re.sub(r"_\d{4}$", "", first.stem)
        files = [first] if Path(name).is_file() else sorted(first.parent.glob(f"{stem}_[0-9][0-9][0-9][0-9].dat"))
        for file in files:
            known = pdf_set(file)
            if known.particle != PROTON:
                raise UsageError(f"{setting('pdf_weights')} {name}: the densities of another particle than the proton")
            choice = replace(central, pdf=file)
            if known.alpha_s_mz is not None:
                choice = replace(choice, alpha_s_mz=known.alpha_s_mz, running=known.running)
            found.append(Variation(f"densities {stem}", file.stem, choice))
    return found


def alpha_s_variations(central: Choice, values: Sequence[float]) -> list[Variation]:
    """Other values of alpha_s(M_Z), which run by the beta function; the densities stay.

    Raises:
        UsageError: a value that is not between 0 and 1.
    """
    for value in values:
        if not 0 < value < 1:
            raise UsageError(f"{setting('alpha_s_weights')} {value:g}: a number between 0 and 1 is needed")
    return [Variation("alpha_s", f"alpha_s(M_Z) = {value:g}", central.with_alpha_s(value)) for value in values]


def ratios(
    variations: Sequence[Variation], central: Choice, x: FloatArray, partons: IntArray, scale: FloatArray, power: int
) -> FloatArray:
    """Weights of events over their central one, (n, len(variations)); arguments as in `Choice.factors`.

    The central factor of every event must be positive: an event whose densities vanish has the weight 0.
    """
    usual = central.factors(x, partons, scale, power)
    found = [variation.choice.factors(x, partons, scale, power) / usual for variation in variations]
    return np.stack(found, axis=1) if found else np.empty((len(x), 0))
