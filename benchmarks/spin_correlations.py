"""Do models know the spin correlations of collinear gluons?  (FAME, Eq. 2.4)

A gluon pair at a small angle, turned about its common momentum by phi, changes |M|^2 as a + b cos 2 phi + c sin 2 phi.
For random events this prints how much of the exact modulation b + i c a model has, as the coefficient of a linear fit
over events (1: all of it), what it leaves over, relative to the exact one, and the median |Delta|.  The smaller angles
lie far below the cuts of every training: there a model shows whether its coefficients have a limit.

    python benchmarks/spin_correlations.py MODEL... [--registry R]
"""

from __future__ import annotations

import argparse

import numpy as np
import numpy.typing as npt

from ampcli.amplitudes.providers import make_provider
from ampcli.inference.load import load_predictor
from ampcli.kinematics import FloatArray, with_beams
from ampcli.phasespace.rambo import rambo
from ampcli.phasespace.selection import Selection

SQRT_S = 1000.0
STEPS = 8
PAIR_ANGLES = (0.3, 0.1, 0.03, 0.01, 0.001)


def rotations(final: FloatArray, pair: tuple[int, int], size: float) -> FloatArray:
    """Events (n, n_final, 4) with two legs put `size` radians apart and turned about their sum: (n, STEPS, n_final, 4).

    All are at rest at the energy of the collision.
    """
    i, j = pair
    parent = final[:, i, 1:] + final[:, j, 1:]
    length = np.linalg.norm(parent, axis=1, keepdims=True)
    axis = parent / length
    side = np.cross(axis, [0.36, 0.48, 0.8])
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    share = (final[:, i, 0] / (final[:, i, 0] + final[:, j, 0]))[:, None]
    found = np.repeat(final[:, None], STEPS, axis=1)
    for step, phi in enumerate(2 * np.pi * np.arange(STEPS) / STEPS):
        across = np.cos(phi) * side + np.sin(phi) * np.cross(axis, side)
        # Transverse momentum of a pair at this angle: length * z (1 - z) * angle, for small ones.
        kick = length * share * (1 - share) * size * across
        for leg, three in ((i, share * parent + kick), (j, (1 - share) * parent - kick)):
            found[:, step, leg] = np.concatenate([np.linalg.norm(three, axis=1)[:, None], three], axis=1)
    return at_rest(found.reshape(-1, *final.shape[1:])).reshape(found.shape)


def at_rest(events: FloatArray) -> FloatArray:
    total = events.sum(axis=1)
    mass = np.sqrt(total[:, 0] ** 2 - (total[:, 1:] ** 2).sum(axis=1))
    boost, gamma = -total[:, 1:] / mass[:, None], total[:, 0] / mass
    along = np.einsum("nla,na->nl", events[..., 1:], boost)
    three = events[..., 1:] + (along / (1 + gamma[:, None]) + events[..., 0])[..., None] * boost[:, None]
    three *= (SQRT_S / mass)[:, None, None]
    return np.concatenate([np.linalg.norm(three, axis=-1)[..., None], three], axis=-1)


def modulation(amplitude: FloatArray) -> npt.NDArray[np.complex128]:
    """b + i c over a of (n, STEPS) amplitudes."""
    harmonics = np.fft.rfft(amplitude, axis=1)
    return np.asarray(2 * harmonics[:, 2] / harmonics[:, 0].real)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--registry")
    parser.add_argument("--events", type=int, default=2000)
    arguments = parser.parse_args()
    predictors = [load_predictor(name, arguments.registry, "cpu") for name in arguments.models]
    process = predictors[0].process
    provider = make_provider("native", process, {})
    pair = process.final_positions("gluon")[:2]
    cube = np.random.default_rng(1).random((20 * arguments.events, process.n_final, 4))
    final = rambo(cube, SQRT_S)
    final = np.ascontiguousarray(final[Selection(SQRT_S, 0.01).accepts(final)][: arguments.events])
    print(f"{process}, {len(final)} events, gluons {pair[0]} and {pair[1]}")
    print(f"{'model':24} {'angle':>6} {'exact size':>11} {'captured':>9} {'left over':>10} {'|Delta| in %':>13}")
    for size in PAIR_ANGLES:
        events = rotations(final, (pair[0], pair[1]), size).reshape(-1, process.n_final, 4)
        amplitude = provider.evaluate(with_beams(events, SQRT_S))
        exact = modulation(amplitude.reshape(-1, STEPS))
        norm = np.sum(np.abs(exact) ** 2)
        for predictor in predictors:
            predicted = predictor.predict_final(events)[0]
            found = modulation(predicted.reshape(-1, STEPS))
            captured = np.sum((np.conj(exact) * found).real) / norm
            left = np.sqrt(np.sum(np.abs(found - exact) ** 2) / norm)
            typical = np.sqrt(norm / len(exact))
            error = 100 * np.median(np.abs(predicted / amplitude - 1))
            name = predictor.manifest.reference
            print(f"{name:24} {size:6.3f} {typical:11.4f} {captured:9.3f} {left:10.3f} {error:13.3f}")


if __name__ == "__main__":
    main()
