"""Whether a store holds what a model describes."""

from __future__ import annotations

import math

from ampcli.amplitudes import coverage
from ampcli.errors import UsageError
from ampcli.kinematics import ENERGY
from ampcli.records.provider import ProviderRecord
from ampcli.registry.manifest import Manifest
from ampcli.store.reader import Store


def require_described(manifest: Manifest, store: Store) -> None:
    """Make sure that a store holds the amplitudes that a model is for: the one check that all commands make.

    Raises:
        UsageError: another process, energy, UFO model, parameters or amplitudes (corrected, unchecked), naming the
            differences.
    """
    require_amplitudes(manifest, store.plan.process, store.sqrt_s, store.plan.provider, str(store.path))


def require_amplitudes(
    manifest: Manifest, process: str, sqrt_s: float | None, provider: ProviderRecord, where: str
) -> None:
    """`require_described` of amplitudes that need not be in a store.

    Args:
        sqrt_s: centre-of-mass energy in GeV; None where it varies.
        where: whose they are, for the message.
    """
    mine, theirs = manifest.provider, provider
    # Providers name different parameters, and may write them with other last digits.
    shared = sorted(set(mine.parameters) & set(theirs.parameters))
    written = [{name: f"{side.parameters[name]:.12g}" for name in shared} for side in (mine, theirs)]
    parameters = [{name: side[name] for name in shared if written[0][name] != written[1][name]} for side in written]
    marks = [coverage.marks(side.options) for side in (mine, theirs)]
    energy = sqrt_s
    if energy is not None and manifest.sqrt_s is not None and math.isclose(energy, manifest.sqrt_s, rel_tol=ENERGY):
        energy = manifest.sqrt_s
    facts = {
        "process": (manifest.process, process),
        "sqrt(s)": (manifest.sqrt_s, energy),
        "model": (mine.model, theirs.model),
        "parameters": parameters,
        "amplitudes": marks,
    }
    if what := [f"{name}: {a} in the model, {b} in the store" for name, (a, b) in facts.items() if a != b]:
        message = f"{manifest.reference} does not describe {where}: " + "; ".join(what)
        reordered = process != manifest.process and sorted(process.split()) == sorted(manifest.process.split())
        raise UsageError(message, *([f'The order of the legs counts: "{manifest.process}".'] if reordered else []))
