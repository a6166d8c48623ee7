"""Tree amplitudes of the Standard Model by brute force: slow, general, and independent of every generator.

The classical equations of motion of gluons, W^1 W^2 W^3 B, fermions and the Higgs (unitary gauge, fixed widths) are
solved order by order in the waves of the external legs: the fields of a set of legs come from those of its subsets
(F.A. Berends, W.T. Giele, Nucl. Phys. B306 (1988) 759, for all of the Standard Model).  There is no list of vertices
that could lack one: all couplings follow from the covariant derivative, the field strength and the Higgs' expectation
value.  Spins and colours are summed state by state.

Fields carry one axis for the events and one for the states of every leg, of length 1 for legs that a field does not
hold: subsets combine by broadcasting, and nothing is computed twice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ampcli.amplitudes.standard_model import (
    CHIRAL,
    COLOUR_GENERATORS,
    GAMMA,
    METRIC,
    ComplexArray,
    Constants,
    Doublet,
    charges,
    doublet_of,
    electroweak_direction,
    is_fermion,
    polarisations,
    slash,
    spinors,
)
from ampcli.kinematics import FloatArray
from ampcli.process import Particle, Process

_EPSILON = np.zeros((4, 4, 4))  # structure constants of W^1, W^2, W^3, B
for _a, _b, _c in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
    _EPSILON[_a, _b, _c], _EPSILON[_a, _c, _b] = 1.0, -1.0

_LOWER_GAMMA = GAMMA * METRIC[:, None, None]
_CHIRAL_GAMMA = [GAMMA @ projector for projector in CHIRAL]
_CHIRAL_LOWER = [_LOWER_GAMMA @ projector for projector in CHIRAL]
_TOP: Doublet = (True, 2)


@dataclass
class _Fields:
    """Fields of a set of legs, or their sources; what is missing vanishes.

    Axes after those of events and states: psi and bar (2, colours, 4), gluons (4, 3, 3) as V^a T^a, electroweak
    (4, 4) as gauge component and Lorentz index, their strengths with one Lorentz index more.
    """

    momentum: FloatArray
    psi: dict[Doublet, ComplexArray] = field(default_factory=dict)
    bar: dict[Doublet, ComplexArray] = field(default_factory=dict)
    other: dict[str, ComplexArray] = field(default_factory=dict)

    def add(self, name: str, value: ComplexArray) -> None:
        self.other[name] = self.other[name] + value if name in self.other else value

    def add_fermion(self, kind: str, doublet: Doublet, value: ComplexArray) -> None:
        fields: dict[Doublet, ComplexArray] = getattr(self, kind)
        fields[doublet] = fields[doublet] + value if doublet in fields else value


class Trees:
    """|M|^2 of a process from all of its tree diagrams.

    Args:
        process: any 2 -> n process of the Standard Model.
        constants: couplings, masses, widths.
    """

    def __init__(self, process: Process, constants: Constants | None = None) -> None:
        self.process = process
        self.constants = constants or Constants()
        # the leg with the most states closes the diagrams: its states are not expanded
        counts = [_states(leg) for leg in process.legs]
        self._order = sorted(range(process.n_external), key=lambda i: counts[i])
        self._legs = [process.legs[i] for i in self._order]
        self._fermionic = [is_fermion(leg) for leg in self._legs]

    def squares(self, momenta: FloatArray, electroweak: int | None = None) -> FloatArray:
        """|M|^2 in GeV^(4 - 2 n_final) as `Provider.evaluate` defines it; (n, n_external, 4) -> (n,).

        Args:
            electroweak: keep the terms of the amplitude with so many powers of e only; all of them otherwise.
                Powers differ by two: those of a gluon and of an electroweak boson between two quark lines.
        """
        if electroweak is None:
            amplitudes = self._amplitudes(momenta, 1.0)
        elif electroweak == 0:
            amplitudes = self._amplitudes(momenta, 0.0)
        else:  # with k quark lines there are k powers, two apart: turned e, they add up to a Fourier series
            lines = sum(leg.kind in ("quark", "antiquark") for leg in self._legs) // 2
            phases = np.exp(1j * math.pi * np.arange(max(lines, 1)) / max(lines, 1))
            turned = [self._amplitudes(momenta, phase) / phase**electroweak for phase in phases]
            amplitudes = np.mean(turned, axis=0)
        total = (np.abs(amplitudes) ** 2).reshape(len(momenta), -1).sum(axis=1)
        average = math.prod(_states(leg) for leg in self.process.incoming) * self.process.identical_factor
        return np.asarray(total / average)

    def cost(self) -> int:
        """States of all legs but the last, times pairs of subsets: what an event takes, in units of about 0.1 us."""
        return int(math.prod(_states(leg) for leg in self._legs[:-1]) * 2 ** len(self._legs))

    def _amplitudes(self, momenta: FloatArray, phase: complex) -> ComplexArray:
        """All amplitudes, e turned by a phase; (n, states of each leg in our order..., states of the last)."""
        n = len(self._legs)
        model = _Model(self.constants, phase)
        waves = [self._wave(model, i, momenta[:, self._order[i]]) for i in range(n)]
        table = {1 << i: waves[i] for i in range(n - 1)}
        everything = (1 << (n - 1)) - 1
        for subset in range(1, everything + 1):
            if subset not in table:
                source = self._source(model, table, subset)
                if subset != everything:
                    table[subset] = model.propagated(source)
        return _joined(source, waves[-1], len(momenta))

    def _wave(self, model: _Model, position: int, p: FloatArray) -> _Fields:
        """The fields of one leg, all of its states along its axis."""
        leg, incoming = self._legs[position], self._order[position] < 2
        axes = (len(p), *(_states(leg) if i == position else 1 for i in range(len(self._legs))))
        fields = _Fields(p if incoming else -p)
        if is_fermion(leg):
            doublet = doublet_of(leg)
            spin, colours = spinors(leg, p, incoming), 3 if doublet[0] else 1
            wave = np.zeros((len(p), spin.shape[1], colours, 2, colours, 4), dtype=complex)
            for colour in range(colours):
                wave[:, :, colour, abs(leg.pdg) % 2, colour] = spin
            kind = fields.psi if (leg.pdg > 0) == incoming else fields.bar
            kind[doublet] = wave.reshape(*axes, 2, colours, 4)
        elif leg.kind == "gluon":
            vectors = polarisations(p, 0.0)
            wave = np.einsum("nsm,aij->nsamij", vectors, COLOUR_GENERATORS * math.sqrt(2))
            fields.other["gluon"] = wave.reshape(*axes, 4, 3, 3) / math.sqrt(2)
        elif leg.kind == "scalar":
            fields.other["higgs"] = np.ones(axes, dtype=complex)
        else:
            direction = electroweak_direction(leg, incoming, self.constants)
            wave = np.einsum("a,nsm->nsam", direction, polarisations(p, leg.mass))
            fields.other["electroweak"] = wave.reshape(*axes, 4, 4)
        return model.with_strengths(fields)

    def _sign(self, first: int, second: int) -> float:
        """Of bringing the fermions of two sets of legs in the order of the legs."""
        legs = [
            i for subset in (first, second) for i in range(len(self._legs)) if subset >> i & 1 and self._fermionic[i]
        ]
        inversions = sum(a > b for k, a in enumerate(legs) for b in legs[k + 1 :])
        return -1.0 if inversions % 2 else 1.0

    def _source(self, model: _Model, table: dict[int, _Fields], subset: int) -> _Fields:
        """The sources of the fields of a set of legs: all ways to split it in two."""
        momenta = [table[1 << i].momentum for i in range(len(self._legs)) if subset >> i & 1]
        source = _Fields(np.sum(momenta, axis=0))
        first = (subset - 1) & subset
        while first:
            model.add_product(source, table[first], table[subset ^ first], self._sign(first, subset ^ first))
            first = (first - 1) & subset
        return model.completed(source)


def _states(leg: Particle) -> int:
    """Spin states times colours."""
    if is_fermion(leg):
        return (1 if abs(leg.pdg) in (12, 14, 16) else 2) * (1 if leg.kind == "lepton" else 3)
    if leg.kind == "vector":
        return 3 if leg.mass else 2
    return 16 if leg.kind == "gluon" else 1


def _joined(source: _Fields, last: _Fields, n: int) -> ComplexArray:
    """The last leg's waves in the sources of all the others."""
    parts = [np.einsum("...fci,...fci->...", source.bar[d], w) for d, w in last.psi.items() if d in source.bar]
    parts += [np.einsum("...fci,...fci->...", source.psi[d], w) for d, w in last.bar.items() if d in source.psi]
    both = last.other.keys() & source.other.keys()
    if "gluon" in both:  # V^a K^a = 2 Tr V K
        parts += [2 * np.einsum("...mij,...mji,m->...", source.other["gluon"], last.other["gluon"], METRIC)]
    if "electroweak" in both:
        parts += [np.einsum("...am,...am,m->...", source.other["electroweak"], last.other["electroweak"], METRIC)]
    if "higgs" in both:
        parts += [source.other["higgs"] * last.other["higgs"]]
    return np.asarray(sum(parts)) if parts else np.zeros(n, dtype=complex)


class _Model:
    """The equations of motion.  A phase turns all electroweak couplings, which tells their orders apart."""

    def __init__(self, constants: Constants, phase: complex) -> None:
        self.constants = constants
        e = phase * math.sqrt(4 * math.pi * constants.alpha_ew)
        self.g, self.g_prime = e / constants.sin_theta_w, e / constants.cos_theta_w
        self.g_s = math.sqrt(4 * math.pi * constants.alpha_s)
        self.inverse_v = self.g / (2 * constants.m_w)

    def add_product(self, source: _Fields, a: _Fields, b: _Fields, sign: float) -> None:
        """Add the products of fields of `a` with fields of `b`, in this order, to the sources."""
        electroweak, gluon, higgs = (a.other.get(name) for name in ("electroweak", "gluon", "higgs"))
        for doublet, psi in b.psi.items():
            for term in self._currents(doublet, psi, a, left=False):
                source.add_fermion("psi", doublet, sign * term)
        for doublet, bar in a.bar.items():
            for term in self._currents(doublet, bar, b, left=True):
                source.add_fermion("bar", doublet, sign * term)
            if doublet in b.psi:
                self._add_pair(source, doublet, bar, b.psi[doublet], sign)
        if gluon is not None:
            if (other := b.other.get("gluon")) is not None:
                source.add("gluon pairs", sign * np.einsum("...mij,...njk->...mnik", gluon, other))
            if (strength := b.other.get("gluon strength")) is not None:
                low = gluon * METRIC[:, None, None]
                commutator = np.einsum("...mij,...mnjk->...nik", low, strength)
                commutator = commutator - np.einsum("...mnij,...mjk->...nik", strength, low)
                source.add("gluon", sign * 1j * self.g_s * commutator)
        if electroweak is not None:
            self._add_electroweak(source, electroweak, b, sign)
        if higgs is not None:
            if (other := b.other.get("higgs")) is not None:
                source.add("higgs pairs", sign * higgs * other)
            if (pairs := b.other.get("higgs pairs")) is not None:
                source.add("higgs", -sign / 2 * (self.constants.m_h * self.inverse_v) ** 2 * higgs * pairs)
            if (masses := b.other.get("mass term")) is not None:
                source.add("higgs", sign * self.inverse_v**2 * higgs * masses)

    def _add_electroweak(self, source: _Fields, vector: ComplexArray, b: _Fields, sign: float) -> None:
        if (other := b.other.get("electroweak")) is not None:
            pairs = np.einsum("abc,...bm,...cn->...amn", _EPSILON, vector, other, optimize=True)
            source.add("electroweak pairs", -sign * self.g * pairs)
            source.add("mass term", sign * np.einsum("...am,...am,m->...", self._masses(vector), other, METRIC))
        if (strength := b.other.get("electroweak strength")) is not None:
            turned = np.einsum("abc,...bm,...cmn->...an", _EPSILON, vector * METRIC, strength, optimize=True)
            source.add("electroweak", -sign * self.g * turned)
        for name, factor in (("higgs", 2 * self.inverse_v), ("higgs pairs", self.inverse_v**2)):
            if (scalar := b.other.get(name)) is not None:
                source.add("electroweak", sign * factor * self._masses(vector) * scalar[..., None, None])

    def _masses(self, vector: ComplexArray) -> ComplexArray:
        """M^2 V of the electroweak fields."""
        cos, sin = self.constants.cos_theta_w, self.constants.sin_theta_w
        z = self.constants.m_z**2 * (cos * vector[..., 2, :] - sin * vector[..., 3, :])
        heavy = self.constants.m_w**2 * vector[..., :2, :]
        return np.concatenate([heavy, np.stack([cos * z, -sin * z], axis=-2)], axis=-2)

    def _currents(self, doublet: Doublet, spinor: ComplexArray, b: _Fields, left: bool) -> list[ComplexArray]:
        """V-slash psi and (m/v) h psi, or psi-bar V-slash and so on where the spinor stands on the left."""
        found = []
        if (vector := b.other.get("electroweak")) is not None:
            for gamma, charge in zip(_CHIRAL_LOWER, charges(doublet, self.g, self.g_prime), strict=True):
                matrix = np.einsum("...am,afg->...fgm", vector, charge)
                if left:
                    rotated = np.einsum("...gci,mij->...mgcj", spinor, gamma)
                    found.append(np.einsum("...gfm,...mgcj->...fcj", matrix, rotated))
                else:
                    rotated = np.einsum("mij,...gcj->...mgci", gamma, spinor)
                    found.append(np.einsum("...fgm,...mgci->...fci", matrix, rotated))
        if doublet[0] and (gluon := b.other.get("gluon")) is not None:
            if left:
                rotated = np.einsum("...fci,mij->...mfcj", spinor, _LOWER_GAMMA)
                found.append(self.g_s * np.einsum("...mcd,...mfcj->...fdj", gluon, rotated))
            else:
                rotated = np.einsum("mij,...fcj->...mfci", _LOWER_GAMMA, spinor)
                found.append(self.g_s * np.einsum("...mcd,...mfdi->...fci", gluon, rotated))
        if doublet == _TOP and (higgs := b.other.get("higgs")) is not None:
            found.append(self._yukawa() * spinor * higgs[..., None, None, None])
        return found

    def _yukawa(self) -> ComplexArray:
        return np.asarray(self.inverse_v * np.array([self.constants.m_t, 0.0])[:, None, None])

    def _add_pair(self, source: _Fields, doublet: Doublet, bar: ComplexArray, psi: ComplexArray, sign: float) -> None:
        """- g psi-bar gamma^mu T^a psi and - (m/v) psi-bar psi."""
        for gamma, charge in zip(_CHIRAL_GAMMA, charges(doublet, self.g, self.g_prime), strict=True):
            rotated = np.einsum("mij,...gcj->...mgci", gamma, psi)
            pairs = np.einsum("...fci,...mgci->...fgm", bar, rotated)
            source.add("electroweak", -sign * np.einsum("afg,...fgm->...am", charge, pairs))
        if doublet[0]:
            rotated = np.einsum("mij,...fcj->...mfci", GAMMA, psi)
            octet = np.einsum("...fdi,...mfci->...mcd", bar, rotated) / 2  # T^a T^a = (1 - trace/3)/2
            trace = np.einsum("...mcc->...m", octet)[..., None, None] * np.eye(3) / 3
            source.add("gluon", -sign * self.g_s * (octet - trace))
        if doublet == _TOP:
            source.add("higgs", -sign * np.einsum("...fci,...fci->...", bar, self._yukawa() * psi))

    def completed(self, source: _Fields) -> _Fields:
        """Derivatives of the pairs in the field strengths, and what the expectation value makes of pairs."""
        other, low = source.other, source.momentum * METRIC
        if "gluon pairs" in other:
            pairs = other.pop("gluon pairs")
            strength = 1j * self.g_s * (pairs - np.swapaxes(pairs, -3, -4))
            other["gluon strength"] = strength
            source.add("gluon", -1j * np.einsum("e...m,e...mnij->e...nij", _spread(low, strength.ndim - 3), strength))
        if "electroweak pairs" in other:
            strength = other.pop("electroweak pairs")
            other["electroweak strength"] = strength
            source.add(
                "electroweak", -1j * np.einsum("e...m,e...amn->e...an", _spread(low, strength.ndim - 2), strength)
            )
        if "mass term" in other:
            source.add("higgs", self.inverse_v * other["mass term"])
        if "higgs pairs" in other:
            source.add("higgs", -1.5 * self.constants.m_h**2 * self.inverse_v * other["higgs pairs"])
        return source

    def propagated(self, source: _Fields) -> _Fields:
        """The fields that belong to sources."""
        c, p = self.constants, source.momentum
        square = (p * p * METRIC).sum(axis=1)
        fields = _Fields(p, other={k: v for k, v in source.other.items() if k in ("higgs pairs", "mass term")})
        for kind, sign in (("psi", 1), ("bar", -1)):
            for doublet, current in getattr(source, kind).items():
                mass, width = (np.array([x if doublet == _TOP else 0.0, 0.0]) for x in (c.m_t, c.gamma_t))
                dim = current.ndim
                inverse = _spread(1 / (square[:, None] - mass**2 + 1j * mass * width), dim - 2)[..., None, None]
                order = "e...ij,e...fcj->e...fci" if kind == "psi" else "e...ji,e...fcj->e...fci"
                moved = np.einsum(order, _spread(sign * slash(p), dim - 2), current)
                getattr(fields, kind)[doublet] = (moved + mass[:, None, None] * current) * inverse
        if (gluon := source.other.get("gluon")) is not None:
            fields.other["gluon"] = gluon / _spread(square, gluon.ndim)
        if (vector := source.other.get("electroweak")) is not None:
            fields.other["electroweak"] = self._electroweak_field(p, square, vector)
        if (higgs := source.other.get("higgs")) is not None:
            fields.other["higgs"] = -higgs / _spread(square - c.m_h**2 + 1j * c.m_h * c.gamma_h, higgs.ndim)
        return self.with_strengths(fields, source)

    def _electroweak_field(self, p: FloatArray, square: FloatArray, source: ComplexArray) -> ComplexArray:
        c, dim = self.constants, source.ndim - 1
        cos, sin = c.cos_theta_w, c.sin_theta_w
        momentum = _spread(p, dim)

        def massive(current: ComplexArray, mass: float, width: float) -> ComplexArray:
            along = (momentum * current * METRIC).sum(axis=-1, keepdims=True) / mass**2
            return np.asarray((current - momentum * along) / _spread(square - mass**2 + 1j * mass * width, dim))

        w = [massive(source[..., k, :], c.m_w, c.gamma_w) for k in (0, 1)]
        z = massive(cos * source[..., 2, :] - sin * source[..., 3, :], c.m_z, c.gamma_z)
        photon = (sin * source[..., 2, :] + cos * source[..., 3, :]) / _spread(square, dim)
        return np.stack([*w, cos * z + sin * photon, cos * photon - sin * z], axis=-2)

    def with_strengths(self, fields: _Fields, source: _Fields | None = None) -> _Fields:
        """Add d_mu V_nu - d_nu V_mu to what the pairs give."""
        pairs = {} if source is None else source.other
        for name, letters in (("gluon", "e...m,e...nij->e...mnij"), ("electroweak", "e...m,e...an->e...amn")):
            key = f"{name} strength"
            if (vector := fields.other.get(name)) is not None:
                inner = 3 if name == "gluon" else 2
                half = -1j * np.einsum(letters, _spread(fields.momentum, vector.ndim - inner + 1), vector)
                fields.other[key] = half - np.swapaxes(half, -1 - 2 * (name == "gluon"), -2 - 2 * (name == "gluon"))
            if key in pairs:
                fields.other[key] = fields.other[key] + pairs[key] if key in fields.other else pairs[key]
        return fields


def _spread(values: npt.NDArray[Any], dimensions: int) -> ComplexArray:
    """(n, inner...) -> (n, 1, ..., 1, inner...) with so many dimensions."""
    extra = dimensions - values.ndim
    return np.asarray(values.reshape(values.shape[0], *(1,) * extra, *values.shape[1:]))
