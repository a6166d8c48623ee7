"""An amplitude of one's own: e- e+ > u u~ g by the exchange of a photon alone.

    cd examples/python
    ampcli gen "e- e+ > u u~ g" photon.zarr --points 100k --y-cut 1e-3 --provider python:photon:squared
    ampcli features photon.zarr fame
    ampcli train photon.zarr --model fame --name photon --epochs 100

The closed form: J. Ellis, M.K. Gaillard, G.G. Ross, Nucl. Phys. B111 (1976) 253.
"""

import math

import numpy as np

CHARGE = 2 / 3  # of the up quark


def squared(momenta, *, alpha_s=0.118, alpha=1 / 132.507):
    """|M|^2 in GeV^-2, summed over final and averaged over initial spins and colours.

    Args:
        momenta: (n, 5, 4), each E, px, py, pz in GeV: e-, e+, u, u~, g.
        alpha_s, alpha: couplings; `ampcli gen --parameter alpha_s=0.13` sets one.
    """

    def product(i, j):
        p, q = momenta[:, i], momenta[:, j]
        return p[:, 0] * q[:, 0] - np.sum(p[:, 1:] * q[:, 1:], axis=1)

    electron, positron, quark, antiquark, gluon = range(5)
    couplings = (4 * math.pi) ** 3 * alpha**2 * alpha_s * CHARGE**2
    squares = sum(product(beam, parton) ** 2 for beam in (electron, positron) for parton in (quark, antiquark))
    return 8 * couplings * squares / product(electron, positron) / product(quark, gluon) / product(antiquark, gluon)
