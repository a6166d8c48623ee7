"""A native amplitude as the arrays of a bundle, which `bundled.h` reads."""

from __future__ import annotations

from ampcli.amplitudes.native.engine import constants
from ampcli.amplitudes.native.provider import Native
from ampcli.library.bundle import Value


def bundle_arrays(provider: Native, prefix: str) -> dict[str, Value]:
    """What the compiled amplitude needs beside momenta.

    Args:
        prefix: of the names, such as "exact/".

    Returns:
        {prefix}ints, colour (`tables.Tables`), legs (`QuarkLine.engine_legs`), parameters
        (`couplings.engine_parameters`).
    """
    names = ("ints", "colour", "legs", "parameters")
    arrays = constants(provider.line, provider.parameters)
    return {f"{prefix}{name}": array for name, array in zip(names, arrays, strict=True)}
