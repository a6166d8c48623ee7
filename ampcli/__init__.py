"""ampcli: factorisation-aware surrogates of exact scattering amplitudes.

>>> import ampcli
>>> model = ampcli.load("ee-4jets@best")                            # doctest: +SKIP
>>> amplitude, uncertainty = model.predict(momenta)                 # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from pathlib import Path

    from ampcli.inference.predictor import Predictor


def load(name: str, registry: str | Path | None = None, device: str = "auto") -> Predictor:
    """Load a model from the registry: ``name``, ``name@3`` or ``name@alias``.

    Args:
        name: model name with an optional version or alias; without one, the newest version.
        registry: folder of the registry, or several with `os.pathsep` between them; by default ``AMPCLI_REGISTRY``,
            then ``./registry``.  Models that ship with ampcli are found after those of all these.
        device: ``auto`` (CUDA where there is one), ``cpu`` or ``cuda``.

    Raises:
        NotFoundError: no such registry, model, version or alias.
        IntegrityError: the manifest or the weights do not verify.
    """
    from ampcli.inference.load import load_predictor

    return load_predictor(name, registry, device)
