"""Processes whose cross section at a hadron collider is infinite, because cuts leave a singularity open."""

from __future__ import annotations

from ampcli.errors import UsageError, setting
from ampcli.phasespace.cuts import LeptonCuts
from ampcli.phasespace.lepton_pair import lepton_pair
from ampcli.process import PARTICLES, Process

_CHARGED = ("e-", "mu-", "ta-")
_HINT = f"Photons have no cuts here: give events of such a process with {setting('momenta')}."


def require_finite(process: Process, leptons: LeptonCuts) -> None:
    """Refuse what cuts on jets (pT, |eta|, Delta R) and on charged leptons do not make finite at tree level.

    Massless quarks and gluons are cut away from the beams and from each other, W, Z, H and t are massive, and
    neutrinos and l nu pairs come from massive bosons.  What is left: a photon, soft or along a charged particle; a
    pair of massless charged leptons of vanishing mass, from a photon, where cuts let it come near; and massless
    particles of UFO models, of which nothing is known.

    Raises:
        UsageError: an infinite cross section, saying why; or a pair beside other particles without colour, whose
            resonance the sampler does not follow.
    """
    names = [leg.name for leg in process.outgoing]
    if "a" in names:
        raise UsageError(f'"{process}" has an infinite cross section: the photon may be soft, or along a quark', _HINT)
    for leg in process.outgoing:
        if leg.kind in ("vector", "scalar", "fermion") and not leg.mass:
            raise UsageError(
                f'"{process}" may have an infinite cross section: {leg.name} has neither a mass nor cuts',
                f"Give events of such a process with {setting('momenta')}.",
            )
    for lepton in _CHARGED:
        partner = next(name for name, leg in PARTICLES.items() if leg.pdg == -PARTICLES[lepton].pdg)
        if lepton not in names or partner not in names:
            continue
        if lepton_pair(process) is None:
            raise UsageError(
                f'"{process}": {lepton} {partner} beside other particles without colour are not sampled',
                f"Give events of such a process with {setting('momenta')}.",
            )
        if not leptons.least_mass:
            raise UsageError(
                f'"{process}" has an infinite cross section: a photon may turn into {lepton} {partner} of any mass',
                f"Give {setting('m_ll_min')}, or {setting('lepton_pt_min')} and {setting('delta_r_ll')}.",
            )
