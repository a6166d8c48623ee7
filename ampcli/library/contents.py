"""What a bundle says of a model beside its numbers: what `ampcli_info` tells."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

from ampcli.amplitudes.native.bundled import bundle_arrays
from ampcli.amplitudes.native.provider import Native
from ampcli.library.bundle import Value, write_bundle
from ampcli.process import Process

EXACT = "exact/"
"""Prefix of the exact amplitude, in the bundle of a surrogate too."""


def description(
    *,
    name: str,
    kind: str,
    process: Process,
    sqrt_s: float,
    alpha_s: float,
    alpha_s_power: int,
    parameters: Mapping[str, float],
) -> dict[str, Value]:
    """Names that every bundle has.

    Args:
        name: of the model, for people.
        kind: "exact", or the engine that reads the rest.
        process: with the masses of the amplitude.
        sqrt_s: in GeV, 0 for any.
        alpha_s: of the amplitudes, which go with its power `alpha_s_power`.
        parameters: couplings and masses of the amplitudes, which `ampcli_parameter` tells.
    """
    return {
        "name": name,
        "kind": kind,
        "process": str(process),
        "pdg": np.array([leg.pdg for leg in process.legs], dtype=np.int32),
        "masses": np.array([leg.mass for leg in process.legs]),
        "sqrt_s": np.array(sqrt_s, dtype=np.float64),
        "alpha_s": np.array(alpha_s, dtype=np.float64),
        "alpha_s_power": np.array(alpha_s_power, dtype=np.int32),
        **{f"parameters/{key}": np.array(value, dtype=np.float64) for key, value in parameters.items()},
    }


def exact_content(provider: Native) -> dict[str, Value]:
    """The bundle of an exact native amplitude."""
    process = provider.process
    about = description(
        name=str(process),
        kind="exact",
        process=process,
        sqrt_s=0.0,
        alpha_s=provider.parameters.alpha_s,
        alpha_s_power=len(provider.line.gluons),
        parameters=provider.parameters.as_dict(),
    )
    return sealed({**about, **bundle_arrays(provider, EXACT)})


def sealed(content: dict[str, Value]) -> dict[str, Value]:
    """With the digest of all else: what has the same digest computes the same."""
    return content | {"digest": hashlib.sha256(write_bundle(content)).hexdigest()}
