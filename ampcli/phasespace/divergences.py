"""Processes whose cross section at a hadron collider is infinite, because cuts on jets leave a singularity open."""

from __future__ import annotations

from ampcli.errors import UsageError, setting
from ampcli.process import PARTICLES, Process

_CHARGED = ("e-", "mu-", "ta-")
_HINT = f"Leptons and photons have no cuts here: give events of such a process with {setting('momenta')}."


def require_finite(process: Process) -> None:
    """Refuse what cuts on jets (pT, |eta|, Delta R) do not make finite at tree level.

    Massless quarks and gluons are cut away from the beams and from each other, W, Z, H and t are massive, and
    neutrinos and l nu pairs come from massive bosons.  What is left: a photon, soft or along a charged particle, and a
    pair of massless charged leptons of vanishing mass, from a photon.

    Raises:
        UsageError: an infinite cross section; it says why.
    """
    names = [leg.name for leg in process.outgoing]
    if "a" in names:
        raise UsageError(f'"{process}" has an infinite cross section: the photon may be soft, or along a quark', _HINT)
    for lepton in _CHARGED:
        partner = next(name for name, leg in PARTICLES.items() if leg.pdg == -PARTICLES[lepton].pdg)
        if lepton in names and partner in names:
            raise UsageError(
                f'"{process}" has an infinite cross section: a photon may turn into {lepton} {partner} of any mass',
                _HINT,
            )
