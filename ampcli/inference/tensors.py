"""Whether the tensors of a model are those that its manifest describes: names, types, shapes, finite numbers.

Checksums say that nothing changed; a model of somebody else may be consistent in itself and no model all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor

from ampcli.errors import IntegrityError
from ampcli.features.blocks import FeatureBlock
from ampcli.models.ansatz import Ansatz
from ampcli.models.kinds import KINDS
from ampcli.models.network import NETWORKS
from ampcli.models.options import Options
from ampcli.process import Process
from ampcli.records.architecture import Architecture

SCALE = "scale."
PARAMETERS = "parameters"

_PROBE_TYPES = {
    "momenta": torch.float64,
    "amplitude": torch.float64,
    "uncertainty": torch.float64,
    "outside": torch.bool,
}

#: Numbers of an ansatz that older versions saved among the scales, although they follow from the manifest, under the
#: names of its attributes (dots for those of attributes).
_DERIVED = {
    "sizes": ("n_dipoles", "n_azimuths"),
    "penalty": ("penalty",),
    "momenta.legs_and_orient": ("momenta.n_final", "momenta.orient"),
    "near": ("near",),
    "n_terms": ("n_terms",),
    "radiations": ("radiations",),
}


def restored_ansatz(
    kind: str, options: Options, process: Process, block: FeatureBlock | None, tensors: Mapping[str, Tensor]
) -> Ansatz[Any]:
    """The ansatz of a model from its tensors, of which those of scales are used.

    Raises:
        IntegrityError: they are not those of the kind, for these features.
    """
    shapes = {"momenta": (process.n_final, 4), **(block.shapes() if block is not None else {})}
    ansatz = KINDS[kind].ansatz
    try:
        bare: Ansatz[Any] = ansatz.unfitted(process, shapes, options)
    except (KeyError, IndexError) as missing:
        raise IntegrityError(f"models of the kind {kind} need other features: {missing}") from None
    scales = {name.removeprefix(SCALE): tensor for name, tensor in tensors.items() if name.startswith(SCALE)}
    scales = _without_derived(scales, bare)
    expected = bare.scales()
    _require_names(scales, set(expected))
    for name, tensor in scales.items():
        _require(tensor.dtype == torch.float64 and tensor.shape == expected[name].shape, SCALE + name, tensor)
        _require(bool(tensor.isfinite().all()), SCALE + name, tensor)
    return ansatz.restore(process, shapes, options, scales)


def network_parameters(architecture: Architecture, process: Process, tensors: Mapping[str, Tensor]) -> Tensor:
    """The parameters (P,) of a model's network from its tensors.

    Raises:
        IntegrityError: they are none, there are tensors that belong to nothing, or the network is for another process.
    """
    own = {name: tensor for name, tensor in tensors.items() if not name.startswith(SCALE)}
    if (widths := own.pop("widths", None)) is not None:  # older versions saved them
        same = widths.dtype == torch.int64 and torch.equal(widths, torch.tensor(architecture.widths))
        _require(same, "widths", widths)
    _require_names(own, {PARAMETERS})
    parameters = own[PARAMETERS]
    _require(parameters.dtype == torch.float32 and parameters.ndim == 1, PARAMETERS, parameters)
    _require(bool(parameters.isfinite().all()), PARAMETERS, parameters)
    legs = tuple(leg.pdg for leg in process.legs)
    if NETWORKS[architecture.network].on_particles and architecture.particles != legs:
        raise IntegrityError(f"a network of the particles {list(architecture.particles)} is none of {process}")
    return parameters


def _without_derived(scales: Mapping[str, Tensor], ansatz: Ansatz[Any]) -> dict[str, Tensor]:
    kept = dict(scales)
    for name, attributes in _DERIVED.items():
        if name in kept and all(hasattr(ansatz, attribute.partition(".")[0]) for attribute in attributes):
            found = kept.pop(name)
            expected = torch.tensor([float(attrgetter(path)(ansatz)) for path in attributes], dtype=torch.float64)
            same = expected if len(attributes) > 1 else expected[0]
            _require(found.dtype == torch.float64 and torch.equal(found, same), SCALE + name, found)
    return kept


def require_probe(probe: Mapping[str, Tensor], process: Process) -> None:
    """Make sure that a probe holds momenta of a process and what was predicted for them.

    Raises:
        IntegrityError: it does not.
    """
    older = {"momenta", "amplitude"}
    _require_names(probe, older if set(probe) == older else set(_PROBE_TYPES))
    points = len(probe["momenta"]) if probe["momenta"].ndim else 0
    for name, tensor in probe.items():
        shape = (points, process.n_final, 4) if name == "momenta" else (points,)
        _require(tensor.dtype == _PROBE_TYPES[name] and tensor.shape == shape and points > 0, name, tensor)
        unknown = tensor.isnan() if name == "uncertainty" else False
        _require(bool((tensor.isfinite() | unknown).all()), name, tensor)


def _require_names(tensors: Mapping[str, Tensor], needed: set[str]) -> None:
    if missing := needed - set(tensors):
        raise IntegrityError(f"there is no tensor {', '.join(sorted(missing))}")
    if unknown := set(tensors) - needed:
        raise IntegrityError(f"there is a tensor {', '.join(sorted(unknown))[:200]!r}, which belongs to nothing")


def _require(holds: bool, name: str, tensor: Tensor) -> None:
    if not holds:
        kind = str(tensor.dtype).removeprefix("torch.")
        raise IntegrityError(f"its tensor {name} ({kind}, shape {list(tensor.shape)}) is not what it should be")
