"""What `ampcli export` writes: a folder with a model, the library that computes it, and what a compiler needs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ampcli import __version__
from ampcli.errors import AmpcliError, UsageError
from ampcli.files import drafted, read_file, rename_if_free, sync_folder, write_durably
from ampcli.library.bundle import Value, write_bundle

if TYPE_CHECKING:
    from ampcli.inference.predictor import Predictor

BUNDLE: Final = "model.bundle"
MANIFEST: Final = "manifest.json"
LIBRARY: Final = "libampcli.so"
ONNX: Final = "model.onnx"
INTERFACES: Final = ("ampcli.h", "ampcli.f90")

#: Version of the interface, AMPCLI_VERSION of ampcli.h.
INTERFACE: Final = 1

_HERE = Path(__file__).parent


def write_library(content: Mapping[str, Value], out: Path, about: Mapping[str, Any]) -> dict[str, Any]:
    """Write a folder that needs neither ampcli nor Python.

    Args:
        content: of the bundle (`ampcli.library.contents`).
        out: a new folder, or an empty one.
        about: more of what the model is, for the manifest.

    Returns:
        The manifest: what the model is, and the SHA-256 of every other file.

    Raises:
        UsageError: there is something at `out` already.
        AmpcliError: the library was not compiled, or nothing can be written there.
    """
    require_free(out)
    files = {BUNDLE: write_bundle(content), LIBRARY: _library()}
    files |= {name: read_file(_HERE / name) for name in INTERFACES}
    manifest = {
        "ampcli": __version__,
        "interface": INTERFACE,
        **{name: content[name] for name in ("name", "kind", "process", "digest")},
        "pdg": _listed(content["pdg"]),
        "masses": _listed(content["masses"]),
        **about,
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
    }
    files[MANIFEST] = (json.dumps(manifest, indent=2) + "\n").encode()
    write_folder(out, files)
    return manifest


def write_onnx(predictor: Predictor, out: Path) -> dict[str, Any]:
    """Write a folder with a trained model as an ONNX file.

    Returns:
        The manifest: what the model is, its inputs, and the SHA-256 of the file.

    Raises:
        UsageError: there is something at `out` already, or ONNX files cannot hold a model of its kind.
        AmpcliError: the package onnx is missing, or nothing can be written there.
    """
    from ampcli.library.onnx_model import input_shapes, onnx_model

    require_free(out)
    graph, model = onnx_model(predictor), predictor.manifest
    features = None if model.features is None else model.features.model_dump(mode="json")
    manifest = {
        "ampcli": __version__,
        "name": model.reference,
        "kind": model.kind,
        "process": model.process,
        "sqrt_s": model.sqrt_s,
        "provider": model.provider.model_dump(mode="json"),
        "features": features,
        "inputs": {name: list(shape) for name, shape in input_shapes(graph).items()},
        "outputs": ["amplitude", "uncertainty"],
        "files": {ONNX: hashlib.sha256(graph).hexdigest()},
    }
    write_folder(out, {ONNX: graph, MANIFEST: (json.dumps(manifest, indent=2) + "\n").encode()})
    return manifest


def require_free(out: Path) -> None:
    """Make sure that a new folder can be made at a place.

    Raises:
        UsageError: something is there already.
    """
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise UsageError(f"{out} is there already", "Choose another folder, or remove that one.")


def write_folder(out: Path, files: Mapping[str, bytes]) -> None:
    """Write a folder that appears whole or not at all.

    Raises:
        UsageError: something appeared at `out` meanwhile.
        AmpcliError: nothing can be written there.
    """
    with drafted(out) as draft:
        for name, data in files.items():
            write_durably(draft / name, data)
            (draft / name).chmod(0o755 if name == LIBRARY else 0o644)
        sync_folder(draft)
        if not rename_if_free(draft, out):
            raise UsageError(f"{out} is there already", "Choose another folder, or remove that one.")


def _library() -> bytes:
    try:
        return read_file(_HERE / LIBRARY)
    except FileNotFoundError:
        raise AmpcliError(
            "the library of ampcli was not compiled",
            "Install ampcli again with a C++17 compiler at hand (`pip install .` in its folder).",
        ) from None


def _listed(value: Value) -> list[Any]:
    return list(np.asarray(value).tolist())
