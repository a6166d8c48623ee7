"""The settings of a training, saved in checkpoint and manifest."""

from __future__ import annotations

from typing import Any, Literal

import pydantic

from ampcli.errors import UsageError
from ampcli.factorisation.radiation import parse_radiation
from ampcli.models.mlp import Activation

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


def model_settings(model: str) -> dict[str, Any]:
    """What a kind of model as the user names it means for a recipe: kind, features, and its paper's settings.

    Raises:
        UsageError: an unknown model.
    """
    if model in ("fame", "plain"):
        return {"kind": model, **_SMALL}
    if model == "nofa":
        return {"kind": "factorised", "block": "invariants", **_SURROGATE}
    if (radiation := parse_radiation(model)) is not None:
        return {"kind": "factorised", "block": radiation.name, **_SURROGATE}
    raise UsageError(f"--model {model}: unknown", "Known: fame, plain, nofa, and fg1, fq2, ig1, iq1, fg1^2 and such.")


class Recipe(pydantic.BaseModel):
    """Defaults are those of FAME, Sec. 2.4.2; `penalty` as in docs/physics.md."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    kind: Literal["fame", "plain", "factorised"]
    block: str | None = None
    """Features of a factorised model: fg1, iq1, fg1^2, ..., invariants."""
    features: dict[str, Any] = {}
    """Version and options of the features, from the store."""
    preset: str = "small"
    hidden: tuple[int, ...]
    activation: Activation = "tanh"
    seeds: tuple[int, ...]
    epochs: int = pydantic.Field(default=1000, ge=1)
    batch_size: int = pydantic.Field(default=4096, ge=1)
    learning_rate: float = pydantic.Field(default=1e-3, gt=0)
    schedule: Literal["plateau", "cosine"] = "plateau"
    factor: float = 0.7
    patience: int = 20
    cooldown: int = 1
    floor: float = 1e-6
    stop_patience: int = 40
    penalty: float = pydantic.Field(default=1e-6, ge=0)
    orient: bool = False
    weight_decay: float = pydantic.Field(default=0.0, ge=0)
    precision: Literal["float32", "tf32"] = "float32"
    dataset_digest: str
    init_from: str | None = None

    def differences(self, other: Recipe) -> list[str]:
        """Names of the settings in which two recipes differ."""
        return [name for name in type(self).model_fields if getattr(self, name) != getattr(other, name)]
