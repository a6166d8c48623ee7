"""The optional parts of ampcli: what each is for, which packages it takes, and how they are installed."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass

from ampcli.errors import AmpcliError


@dataclass(frozen=True)
class Extra:
    """An extra of the package.

    Attributes:
        purpose: what needs it, in the plural: "plots".
        packages: their names where packages are published.
        pythons: the versions of Python that it is for, where these are not all.
    """

    purpose: str
    packages: tuple[str, ...]
    pythons: str | None = None


#: As in pyproject.toml (a test compares them), without ``dev``.
EXTRAS = {
    "plots": Extra("plots", ("matplotlib", "mplhep", "jinja2")),
    "pyamplicol": Extra("amplitudes beyond ampcli's own, and UFO models,", ("pyamplicol",)),
    "lhc": Extra("proton collisions", ("madspace", "pythia8mc"), "Python 3.11 and 3.12"),
    "hdf5": Extra("event files in HDF5", ("pylhe",)),
    "onnx": Extra("exports to ONNX", ("onnx",)),
    "equivariant": Extra("the networks lgatr and lloca", ("lgatr", "lloca")),
    "hpc": Extra("jobs", ("submitit",)),
    "remote": Extra("stores at URLs", ("obstore",)),
    "cuda": Extra("own kernels on GPUs", ("cuda-core",)),
}


def remedy(extra: str) -> str:
    """How to install an extra: the hint of an error."""
    pythons = EXTRAS[extra].pythons
    return f'Install it: pip install "ampcli[{extra}]"{f" ({pythons})" if pythons else ""}.'


def missing(extra: str) -> list[str]:
    """The packages of an extra that are not installed."""
    return [package for package in EXTRAS[extra].packages if _version(package) is None]


def require(extra: str) -> None:
    """Nothing, where an extra is installed: asked before long work.

    Raises:
        AmpcliError: one of its packages is not installed.
    """
    if lacking := missing(extra):
        many = "s" if len(lacking) > 1 else ""
        raise AmpcliError(f"{EXTRAS[extra].purpose} need the package{many} {' and '.join(lacking)}", remedy(extra))


def version_of(package: str, extra: str) -> str:
    """The version of a package of an extra, which is not imported.

    Raises:
        AmpcliError: it is not installed.
    """
    if (found := _version(package)) is None:
        raise AmpcliError(f"{EXTRAS[extra].purpose} need the package {package}", remedy(extra))
    return found


def states() -> dict[str, str]:
    """Of every extra, its packages with their versions, or what is missing and how to install it."""
    found = {}
    for name, extra in EXTRAS.items():
        if lacking := missing(name):
            found[name] = f"{', '.join(lacking)} not installed: {extra.purpose.rstrip(',')}. {remedy(name)}"
        else:
            found[name] = ", ".join(f"{package} {_version(package)}" for package in extra.packages)
    return found


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
