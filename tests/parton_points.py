"""Points of partonic processes for tests of amplitudes, and what is done with them."""

from __future__ import annotations

import math

import numpy as np

from ampcli.instructions import instruction_set
from ampcli.kinematics import min_invariant, with_beams
from ampcli.phasespace.rambo import rambo
from ampcli.process import parse_process

E = 1000.0

_ORDER = ("baseline", "avx2", "avx512")
COMPILED = _ORDER[: _ORDER.index(instruction_set()) + 1]  # those that this processor runs


def events(final: np.ndarray, masses: tuple[float, ...]) -> np.ndarray:
    """Outgoing momenta with energies from their mass shells, and beams along z."""
    energies = np.sqrt((final[..., 1:] ** 2).sum(axis=2) + np.array(masses) ** 2)
    return with_beams(np.concatenate([energies[..., None], final[..., 1:]], axis=2))


def sample(process: str, n: int = 60, seed: int = 3, y_cut: float = 1e-3) -> np.ndarray:
    """Points whose partons are well apart from each other and from the beams."""
    legs = parse_process(process)
    final = np.ascontiguousarray(rambo(np.random.default_rng(seed).random((200 * n, legs.n_final, 4)), E))
    forward = (final[..., 0] - np.abs(final[..., 3])).min(axis=1) * E  # the smaller of 2 p.p_a and 2 p.p_b
    final = final[(min_invariant(final) > y_cut * E**2) & (forward > y_cut * E**2)][:n]
    assert len(final) == n
    return events(final, legs.final_masses)


def rotated(p: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    turn *= np.linalg.det(turn)
    return np.concatenate([p[..., :1], p[..., 1:] @ turn.T], axis=2)


def boosted(p: np.ndarray, beta: np.ndarray) -> np.ndarray:
    gamma = 1 / math.sqrt(1 - beta @ beta)
    along = p[..., 1:] @ beta
    energy = gamma * (p[..., 0] + along)
    space = p[..., 1:] + (gamma**2 / (gamma + 1) * along + gamma * p[..., 0])[..., None] * beta
    return np.concatenate([energy[..., None], space], axis=2)


def product(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """p.q of massless momenta, without cancellation at small angles."""
    cosine = (p[:, 1:] * q[:, 1:]).sum(axis=1)
    crossed = (np.cross(p[:, 1:], q[:, 1:]) ** 2).sum(axis=1)
    acute = crossed / (p[:, 0] * q[:, 0] + np.maximum(cosine, 0))
    return np.where(cosine > 0, acute, p[:, 0] * q[:, 0] - cosine)


def chain_of(tags: np.ndarray) -> tuple[int, ...]:
    """Coloured legs from the outgoing quark to the antiquark, along the colour lines of one event."""
    colour, anticolour = np.concatenate([tags[:2, ::-1], tags[2:]]).T.tolist()  # all outgoing
    lines = sorted(filter(None, colour))
    assert lines == sorted(set(lines)) == sorted(filter(None, anticolour))  # each from one leg to one
    chain = [next(leg for leg in range(len(colour)) if colour[leg] and not anticolour[leg])]
    while number := colour[chain[-1]]:
        chain.append(anticolour.index(number))
    return tuple(chain)
