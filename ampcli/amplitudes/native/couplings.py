"""Couplings and masses of the native amplitudes, and what the engine makes of them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ampcli.amplitudes.native.gluons import Gluons
from ampcli.amplitudes.native.quark_line import QuarkLine
from ampcli.amplitudes.native.two_lines import TwoLines
from ampcli.errors import UsageError
from ampcli.kinematics import TOLERANCE, FloatArray
from ampcli.process import Particle


@dataclass(frozen=True)
class Parameters:
    """Couplings and masses in GeV; the defaults are those of both papers (MadGraph5_aMC@NLO's)."""

    alpha_s: float = 0.118
    alpha_ew: float = 1 / 132.507
    m_z: float = 91.188
    gamma_z: float = 2.441404  # between leptons and quarks; an outgoing Z is on shell
    sin2_theta_w: float = 0.4714302554840723**2
    gamma_w: float = 2.0476  # of processes with a W only

    @classmethod
    def of(cls, values: Mapping[str, float]) -> Parameters:
        """Defaults with changes.

        Raises:
            UsageError: a value that no parameter can have.
        """
        for name, value in values.items():
            limit = 1.0 if name == "sin2_theta_w" else math.inf
            if not 0 < value < limit:
                raise UsageError(f"{name} = {value:g}: it must be positive{' and below 1' if limit == 1 else ''}")
        return cls(**{name: float(value) for name, value in values.items()})

    @property
    def m_w(self) -> float:
        return self.m_z * math.sqrt(1 - self.sin2_theta_w)

    def as_dict(self) -> dict[str, float]:
        return dataclasses.asdict(self)

    def of_line(self, line: QuarkLine | TwoLines | Gluons) -> dict[str, float]:
        """Those that are named with amplitudes; no more than before there was a W."""
        off_shell_w = not isinstance(line, Gluons) and line.vector.leptons and line.vector.charge
        return {name: value for name, value in self.as_dict().items() if name != "gamma_w" or off_shell_w}


DEFAULTS = Parameters()


def charge(fermion: Particle) -> float:
    """Electric charge, in units of the positron's, of a quark or lepton (not of its antiparticle)."""
    if fermion.kind == "lepton":
        return -1.0 if abs(fermion.pdg) % 2 == 1 else 0.0
    return 2 / 3 if abs(fermion.pdg) % 2 == 0 else -1 / 3


def z_couplings(fermion: Particle, parameters: Parameters) -> tuple[float, float]:
    """g_L and g_R of the Z's vertex: e/(s_w c_w) (T_3 - Q s_w^2) and e/(s_w c_w) (-Q s_w^2)."""
    s2 = parameters.sin2_theta_w
    scale = math.sqrt(4 * math.pi * parameters.alpha_ew / (s2 * (1 - s2)))
    isospin = 0.5 if abs(fermion.pdg) % 2 == 0 else -0.5
    return scale * (isospin - charge(fermion) * s2), -scale * charge(fermion) * s2


def w_coupling(parameters: Parameters) -> float:
    """g / sqrt(2) of the W's vertex with left-handed fermions of one doublet."""
    return math.sqrt(2 * math.pi * parameters.alpha_ew / parameters.sin2_theta_w)


def _average(line: QuarkLine | TwoLines | Gluons) -> float:
    """1 / (initial spins x colours x identical particles)."""
    colours = {"quark": 3, "antiquark": 3, "gluon": 8, "lepton": 1}
    states = math.prod(2 * colours[leg.kind] for leg in line.process.incoming)
    return 1 / (states * line.process.identical_factor)


def engine_parameters(line: QuarkLine, parameters: Parameters) -> FloatArray:
    """The numbers that `struct Parameters` of currents.h begins with."""
    norm = _average(line) * (4 * math.pi * parameters.alpha_s) ** len(line.gluons)
    vector = line.vector
    if vector.states == 1:
        return np.array([0.0, 0.0, norm, 0.0, 0.0, 0.0, 0.0, 0.0, TOLERANCE])
    mass = parameters.m_w if vector.charge else parameters.m_z
    left, right = (w_coupling(parameters), 0.0) if vector.charge else z_couplings(line.flavour, parameters)
    if vector.leptons is None:
        return np.array([mass, 0.0, norm * (left**2 + right**2), 0.0, 0.0, 0.0, 0.0, 0.0, TOLERANCE])
    if vector.charge:
        return np.array([mass, mass * parameters.gamma_w, norm, 0.0, left**2, 0.0, 0.0, 0.0, TOLERANCE])
    lepton = line.process.legs[vector.leptons[0]]
    lepton_left, lepton_right = z_couplings(lepton, parameters)
    photon = 4 * math.pi * parameters.alpha_ew * charge(lepton) * charge(line.flavour)
    same = [lepton_left * left, lepton_right * right]
    flip = [lepton_left * right, lepton_right * left]
    return np.array([mass, mass * parameters.gamma_z, norm, photon, *same, *flip, TOLERANCE])


def _form(first: tuple[float, float], second: tuple[float, float]) -> list[float]:
    """Weight, share, rest: sum_k (first_k x + second_k y)^2 = weight (x + share y)^2 + rest y^2."""
    weight = first[0] ** 2 + first[1] ** 2
    determinant = first[0] * second[1] - first[1] * second[0]
    return [weight, (first[0] * second[0] + first[1] * second[1]) / weight, determinant**2 / weight]


def two_lines_parameters(lines: TwoLines, parameters: Parameters) -> FloatArray:
    """The numbers that `struct TwoLinesParameters` of two_lines.h begins with."""
    norm = _average(lines) * (4 * math.pi * parameters.alpha_s) ** (2 + len(lines.gluons))
    vector, mass, width, forms = lines.vector, 0.0, 0.0, [2.0, 0.0, 0.0, 2.0, 0.0, 0.0]
    photon, exchanged = np.zeros(2), np.zeros((2, 2, 2))  # exchanged: line, its chirality, that of the leptons
    if vector.charge:  # left-handed fermions at the first line
        mass, width = parameters.m_w, parameters.m_w * parameters.gamma_w
        weak = w_coupling(parameters) ** 2
        forms, exchanged[0, 0, 0] = [weak, 0.0, 0.0, weak, 0.0, 0.0], weak
    elif vector.states > 1:
        mass, width = parameters.m_z, parameters.m_z * parameters.gamma_z
        # lines of the same chirality, left or right, then of opposite ones
        first, second = (z_couplings(flavour, parameters) for flavour in lines.flavours)
        forms = _form(first, second) + _form(first, second[::-1])
        if vector.leptons is not None:
            lepton = lines.process.legs[vector.leptons[0]]
            charges = np.array([charge(flavour) for flavour in lines.flavours])
            photon = 4 * math.pi * parameters.alpha_ew * charge(lepton) * charges
            exchanged = np.multiply.outer([first, second], z_couplings(lepton, parameters))
    return np.array([mass, width, norm, TOLERANCE, *forms, *photon, *exchanged.ravel()])


def gluons_parameters(line: Gluons, parameters: Parameters) -> FloatArray:
    """The numbers that `struct GluonsParameters` of gluons.h begins with."""
    return np.array([_average(line) * (4 * math.pi * parameters.alpha_s) ** (len(line.gluons) - 2), TOLERANCE])
