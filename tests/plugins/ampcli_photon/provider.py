"""Exact amplitudes of e- e+ -> q q~ g by the exchange of a photon alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ampcli.amplitudes.protocol import Provider, ProviderKind
from ampcli.kinematics import FloatArray, checked_momenta
from ampcli.process import Process
from ampcli.records.provider import ProviderRecord

DEFAULTS = {"alpha_s": 0.118, "alpha_ew": 1 / 132.507}


def dot(p: FloatArray, i: int, j: int) -> FloatArray:
    """p_i.p_j in GeV^2 of momenta (n, legs, 4); (n,)."""
    return np.asarray(p[:, i, 0] * p[:, j, 0] - (p[:, i, 1:] * p[:, j, 1:]).sum(axis=1))


@dataclass(frozen=True)
class Photon:
    """|M|^2 = 8 e^4 Q^2 g^2 [(p1.p3)^2 + (p1.p4)^2 + (p2.p3)^2 + (p2.p4)^2] / (p1.p2 p3.p5 p4.p5), averaged over spins.

    J. Ellis, M.K. Gaillard, G.G. Ross, Nucl. Phys. B111 (1976) 253; 8 = 2 N_c C_F.
    """

    process: Process
    parameters: Mapping[str, float]

    @property
    def fault(self) -> None:
        """Right, for the exchange of a photon."""
        return None

    def identity(self) -> ProviderRecord:
        return ProviderRecord(name="photon", version="1.0", parameters=dict(self.parameters))

    def evaluate(self, momenta: FloatArray) -> FloatArray:
        p = checked_momenta(momenta, self.process)
        quark, antiquark, gluon = (2 + self.process.final_positions(k)[0] for k in ("quark", "antiquark", "gluon"))
        charge = 2 / 3 if self.process.legs[quark].pdg % 2 == 0 else -1 / 3
        electric, strong = (4 * math.pi * self.parameters[name] for name in ("alpha_ew", "alpha_s"))
        squares = sum(dot(p, beam, parton) ** 2 for beam in (0, 1) for parton in (quark, antiquark))
        singular = dot(p, 0, 1) * dot(p, quark, gluon) * dot(p, antiquark, gluon)
        return np.asarray(8 * electric**2 * charge**2 * strong * squares / singular)


class _PhotonKind(ProviderKind):
    name = "photon"
    version = "1.0"
    parameters = tuple(DEFAULTS)
    place = 10

    def covers(self, process: Process, unchecked: bool = False) -> str | None:
        incoming = sorted(leg.name for leg in process.incoming)
        kinds = sorted(leg.kind for leg in process.outgoing)
        covered = incoming == ["e+", "e-"] and kinds == ["antiquark", "gluon", "quark"] and process.n_jets == 3
        same = len({abs(leg.pdg) for leg in process.outgoing if leg.kind != "gluon"}) == 1
        return None if covered and same else "it is for e- e+ > q q~ g"

    def make(self, process: Process, parameters: Mapping[str, float], unchecked: bool = False) -> Provider:
        return Photon(process, DEFAULTS | dict(parameters))


PHOTON = _PhotonKind()
