"""Whether a store holds what a model describes."""

from __future__ import annotations

import math

from ampcli.amplitudes import coverage
from ampcli.errors import UsageError
from ampcli.kinematics import ENERGY
from ampcli.registry.manifest import Manifest
from ampcli.store.reader import Store


def require_described(manifest: Manifest, store: Store) -> None:
    """Make sure that a store holds the amplitudes that a model is for: the one check that all commands make.

    Raises:
        UsageError: another process, energy, parameters or amplitudes (corrected, unchecked), naming the differences.
    """
    known = manifest.provider.get("parameters")
    parameters = known if isinstance(known, dict) else {}
    # Providers name different parameters, and may write them with other last digits.
    shared = sorted(set(parameters) & set(store.plan.provider.parameters))
    described, found = (
        {name: f"{side[name]:.12g}" for name in shared} for side in (parameters, store.plan.provider.parameters)
    )
    energy = store.sqrt_s
    if energy is not None and manifest.sqrt_s is not None and math.isclose(energy, manifest.sqrt_s, rel_tol=ENERGY):
        energy = manifest.sqrt_s
    options = manifest.provider.get("options")
    marks = [
        coverage.marks(side) for side in (options if isinstance(options, dict) else {}, store.plan.provider.options)
    ]
    mine = (manifest.process, manifest.sqrt_s, described, marks[0])
    theirs = (store.plan.process, energy, found, marks[1])
    if mine != theirs:
        what = [
            f"{name}: {a} in the model, {b} in the store"
            for name, a, b in zip(("process", "sqrt(s)", "parameters", "amplitudes"), mine, theirs, strict=True)
            if a != b
        ]
        raise UsageError(f"{manifest.reference} does not describe {store.path}: " + "; ".join(what))
