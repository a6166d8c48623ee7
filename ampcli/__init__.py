"""ampcli: factorisation-aware surrogates of exact scattering amplitudes.

>>> import ampcli
>>> model = ampcli.load("ee-4jets@best")                            # doctest: +SKIP
>>> amplitude, uncertainty = model.predict(momenta)                 # doctest: +SKIP
>>> exact = ampcli.exact("e- e+ > d d~ g g").evaluate(momenta)      # doctest: +SKIP

What stands in `__all__` is public; `docs/python.md` describes it.  Nothing heavy is imported before it is used.
"""

from __future__ import annotations

import typing as _typing

if _typing.TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ampcli.amplitudes.protocol import Provider as Provider
    from ampcli.inference.predictor import Predictor as Predictor
    from ampcli.store.reader import Store as Store
    from ampcli.uncertainty.certificate import Certificate as Certificate
    from ampcli.uncertainty.certificate import Prediction as Prediction

__version__ = "0.1.0"

#: Classes that are imported when they are asked for, and where they are.
_CLASSES = {
    "Certificate": "ampcli.uncertainty.certificate",
    "Prediction": "ampcli.uncertainty.certificate",
    "Predictor": "ampcli.inference.predictor",
    "Provider": "ampcli.amplitudes.protocol",
    "Store": "ampcli.store.reader",
}

__all__ = [
    "Certificate",
    "Prediction",
    "Predictor",
    "Provider",
    "Store",
    "__version__",
    "errors",
    "exact",
    "list_models",
    "load",
    "open_store",
]


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name == "errors":
        return import_module("ampcli.errors")
    if name not in _CLASSES:
        raise AttributeError(f"module 'ampcli' has no attribute '{name}'; it has {', '.join(__all__)}")
    return getattr(import_module(_CLASSES[name]), name)


def __dir__() -> list[str]:
    return __all__


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


def list_models(registry: str | Path | None = None) -> list[str]:
    """All versions of all models, as ``name@version``, those that ship with ampcli among them.

    Args:
        registry: as in `load`.

    Raises:
        NotFoundError: the registry that is asked for is not there.
    """
    from ampcli.registry.resolve import references
    from ampcli.registry.search import find_registry

    found = find_registry(registry)
    folders = found.folders if registry is None else [*found.own, *found.folders]
    return list(dict.fromkeys(model for folder in folders for model in references(folder)))


def exact(process: str, provider: str = "auto", parameters: Mapping[str, float] | None = None) -> Provider:
    """The exact amplitude of a process; its method `evaluate` takes momenta.

    Args:
        process: as for ``ampcli gen``: ``"d d~ > z g g"``.
        provider: ``auto``, ``native``, ``pyamplicol``, ``python:MODULE:FUNCTION``, ... (docs/amplitudes.md).
        parameters: couplings and masses (GeV) that differ from the defaults: ``{"alpha_s": 0.13}``.

    Raises:
        UsageError: a process that cannot be read or that the provider does not cover, or parameters it cannot change.
    """
    from ampcli.amplitudes.providers import asked_process, make_provider

    parameters = parameters or {}
    return make_provider(provider, asked_process(provider, process, parameters), parameters)


def open_store(path: str | Path) -> Store:
    """Open a finished store for reading.

    Raises:
        NotFoundError: nothing there.
        UsageError: not a store.
        IntegrityError: unfinished, damaged or of a newer format.
    """
    from pathlib import Path

    from ampcli.store import reader

    return reader.open_store(Path(path))
