"""Whether the tensors of a model are those that its manifest describes: names, types, shapes, finite numbers.

Checksums say that nothing changed; a model of somebody else may be consistent in itself and no model all the same.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ampcli.errors import IntegrityError
from ampcli.features.blocks import FeatureBlock
from ampcli.models.ansatz import Settings
from ampcli.models.kinds import ansatz_class
from ampcli.models.network import EQUIVARIANT
from ampcli.process import Process
from ampcli.registry.manifest import Manifest

SCALE = "scale."

#: Scales that models of older versions lack, whose value was 1 throughout.
_LATER = {"radiations"}
_PROBE_TYPES = {
    "momenta": torch.float64,
    "amplitude": torch.float64,
    "uncertainty": torch.float64,
    "outside": torch.bool,
}


def scales_of(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Those of the tensors that belong to the ansatz, by their names there."""
    return {name.removeprefix(SCALE): tensor for name, tensor in tensors.items() if name.startswith(SCALE)}


def require_tensors(
    manifest: Manifest, process: Process, block: FeatureBlock | None, tensors: dict[str, Tensor]
) -> None:
    """Make sure that a network can be built from its tensors, all but the number of its parameters.

    Raises:
        IntegrityError: they do not fit the manifest, naming the first that does not.
    """
    _require_names(tensors, {"parameters", "widths"}, {name for name in tensors if name.startswith(SCALE)})
    shapes = {"momenta": (process.n_final, 4), **(block.shapes() if block is not None else {})}
    spin, recoil = (manifest.training.get(name) is not False for name in ("spin", "recoil"))
    try:
        settings = Settings(penalty=0.0, orient=False, spin=spin, recoil=recoil)
        template = ansatz_class(manifest.kind).template(process, shapes, settings)
    except (KeyError, IndexError) as missing:
        raise IntegrityError(f"models of the kind {manifest.kind} need other features: {missing}") from None
    _require_scales(scales_of(tensors), template)
    widths, parameters = tensors["widths"], tensors["parameters"]
    hidden = manifest.architecture.get("hidden")
    _require(widths.dtype == torch.int64 and widths.ndim == 1, "widths", widths)
    _require(len(widths) >= 2 and bool((widths >= 1).all()) and widths[1:-1].tolist() == hidden, "widths", widths)
    _require(parameters.dtype == torch.float32 and parameters.ndim == 1, "parameters", parameters)
    _require(bool(parameters.isfinite().all()), "parameters", parameters)
    if manifest.architecture.get("network") in EQUIVARIANT:
        particles = manifest.architecture.get("particles")
        if particles != [leg.pdg for leg in process.legs]:
            raise IntegrityError(f"a network of the particles {particles} is none of {process}")


def require_probe(probe: Mapping[str, Tensor], process: Process) -> None:
    """Make sure that a probe holds momenta of a process and what was predicted for them.

    Raises:
        IntegrityError: it does not.
    """
    older = {"momenta", "amplitude"}
    _require_names(probe, older if set(probe) == older else set(_PROBE_TYPES), set())
    points = len(probe["momenta"]) if probe["momenta"].ndim else 0
    for name, tensor in probe.items():
        shape = (points, process.n_final, 4) if name == "momenta" else (points,)
        _require(tensor.dtype == _PROBE_TYPES[name] and tensor.shape == shape and points > 0, name, tensor)
        unknown = tensor.isnan() if name == "uncertainty" else False
        _require(bool((tensor.isfinite() | unknown).all()), name, tensor)


def _require_names(tensors: Mapping[str, Tensor], needed: set[str], allowed: set[str]) -> None:
    if missing := needed - set(tensors):
        raise IntegrityError(f"there is no tensor {', '.join(sorted(missing))}")
    if unknown := set(tensors) - needed - allowed:
        raise IntegrityError(f"there is a tensor {', '.join(sorted(unknown))[:200]!r}, which belongs to nothing")


def _require_scales(scales: Mapping[str, Tensor], template: Mapping[str, Tensor]) -> None:
    _require_names(scales, set(template) - _LATER, set(template) & _LATER)
    for name, expected in template.items():
        found = scales.get(name, torch.ones_like(expected))
        _require(found.dtype == torch.float64 and found.shape == expected.shape, SCALE + name, found)
        known = expected.isfinite()
        _require(bool(found.isfinite().all()) and torch.equal(found[known], expected[known]), SCALE + name, found)


def _require(holds: bool, name: str, tensor: Tensor) -> None:
    if not holds:
        kind = str(tensor.dtype).removeprefix("torch.")
        raise IntegrityError(f"its tensor {name} ({kind}, shape {list(tensor.shape)}) is not what it should be")


def require_parameters(expected: int, tensors: dict[str, Tensor]) -> None:
    """Make sure that a network has its number of parameters.

    Raises:
        IntegrityError: it has another.
    """
    if (found := len(tensors["parameters"])) != expected:
        raise IntegrityError(f"its tensor parameters has {found} numbers, its layers {expected}")
