"""The settings of a training, saved in checkpoint and manifest."""

from __future__ import annotations

from typing import Literal

import pydantic


class Recipe(pydantic.BaseModel):
    """Defaults are those of FAME, Sec. 2.4.2; `penalty` as in docs/physics.md."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    kind: Literal["fame", "plain"]
    preset: str = "small"
    hidden: tuple[int, ...]
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
    precision: Literal["float32", "tf32"] = "float32"
    dataset_digest: str
    init_from: str | None = None

    def differences(self, other: Recipe) -> list[str]:
        """Names of the settings in which two recipes differ."""
        return [name for name in type(self).model_fields if getattr(self, name) != getattr(other, name)]
