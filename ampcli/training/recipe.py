"""The settings of a training, saved in checkpoint and manifest."""

from __future__ import annotations

from typing import Any, Literal

import pydantic

from ampcli.errors import UsageError
from ampcli.features.radiations import IMPROVED_MARK, parse_radiations
from ampcli.models.mlp import Activation
from ampcli.models.network import EQUIVARIANT, NetworkKind
from ampcli.store.splits import SplitRule
from ampcli.training.optimiser import OptimiserName

_SMALL = {"preset": "small"}
# Amplitude Surrogates, Table 2
_SURROGATE = {
    "preset": "surrogate",
    "activation": "gelu",
    "batch_size": 256,
    "schedule": "cosine",
    "floor": 1e-8,
    "weight_decay": 0.01,
}


# What docs/results/z-jets.md and fame.md found better.
_IMPROVED = {
    "preset": "residual",
    "residual": True,
    "activation": "gelu",
    "batch_size": 1024,
    "optimiser": "soap",
    "learning_rate": 1e-2,
    "schedule": "one-cycle",
    "beta": 0.5,
}


_EQUIVARIANT = {"preset": "own", "batch_size": 256, "schedule": "cosine", "floor": 1e-8}


def model_settings(model: str) -> dict[str, Any]:
    """What a kind of model as the user names it means for a recipe: kind, features, and its paper's settings.

    Raises:
        UsageError: an unknown model.
    """
    if model in ("fame", "plain", "single"):
        return {"kind": model, **_SMALL}
    if model == "fks-ensemble":
        return {"kind": "fks", "network": "separate", **_SMALL}
    if model == "fame+":
        return {"kind": "antenna", **_IMPROVED, "learning_rate": 5e-3}
    if model.lower() in EQUIVARIANT:
        return {"kind": "factorised", "block": "momenta", "network": model.lower(), **_EQUIVARIANT}
    paper = model.lower().removesuffix(IMPROVED_MARK)
    settings = _SURROGATE if model.lower() == paper else _IMPROVED
    if paper == "nofa":
        return {"kind": "factorised", "block": "invariants", **settings}
    if parse_radiations(paper) is not None:
        return {"kind": "factorised", "block": model.lower(), **settings}
    raise UsageError(
        f"--model {model}: unknown",
        "Known: fame, fame+, single, fks-ensemble, plain, lgatr, lloca, nofa, nofa+; "
        "fg1, fq2, ig1, iq1, fg1^2, fg1,ig1, fg1+ and such.",
    )


class Recipe(pydantic.BaseModel):
    """Defaults are those of FAME, Sec. 2.4.2; `penalty` as in docs/physics.md."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    kind: Literal["fame", "antenna", "plain", "single", "fks", "factorised"]
    block: str | None = None
    """Features of a factorised model: fg1, iq1, fg1^2, ..., invariants."""
    features: dict[str, Any] = {}
    """Version and options of the features, from the store."""
    preset: str = "small"
    hidden: tuple[int, ...]
    activation: Activation = "tanh"
    residual: bool = False
    network: NetworkKind = "mlp"
    seeds: tuple[int, ...]
    epochs: int = pydantic.Field(default=1000, ge=1)
    batch_size: int = pydantic.Field(default=4096, ge=1)
    learning_rate: float = pydantic.Field(default=1e-3, gt=0)
    optimiser: OptimiserName = "adam"
    schedule: Literal["plateau", "cosine", "one-cycle"] = "plateau"
    factor: float = 0.7
    patience: int = 20
    cooldown: int = 1
    floor: float = 1e-6
    stop_patience: int = 40
    penalty: float = pydantic.Field(default=1e-6, ge=0)
    spin: bool = True
    recoil: bool = True
    near: float = pydantic.Field(default=0.02, gt=0, lt=1)
    orient: bool = False
    weight_decay: float = pydantic.Field(default=0.0, ge=0)
    beta: float = pydantic.Field(default=0.0, ge=0, le=1)
    """Of the beta-NLL loss of models that predict their uncertainty; 0 is the likelihood itself."""
    perturb: float = pydantic.Field(default=0.0, ge=0, le=1)
    """Size of the shifts of perturbed copies, with exact labels, that every epoch but the first is trained on."""
    precision: Literal["float32", "tf32"] = "float32"
    dataset_digest: str
    split_rule: SplitRule = "rows"
    """How the store is split (`ampcli.store.splits`); runs of older versions had "rows"."""
    init_from: str | None = None

    def differences(self, other: Recipe) -> list[str]:
        """Names of the settings in which two recipes differ."""
        return [name for name in type(self).model_fields if getattr(self, name) != getattr(other, name)]
