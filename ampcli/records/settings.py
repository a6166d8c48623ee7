"""How networks are made and trained, apart from what they learn."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ampcli.records.base import Frozen

Activation = Literal["tanh", "gelu"]
Schedule = Literal["plateau", "cosine", "one-cycle"]


class Settings(Frozen):
    """Defaults are those of FAME, Sec. 2.4.2."""

    preset: str = "small"
    """Of hidden layers (`ampcli.models.mlp.PRESETS`)."""
    activation: Activation = "tanh"
    residual: bool = False
    batch_size: int = Field(default=4096, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    optimiser: str = "adam"
    schedule: Schedule = "plateau"
    factor: float = 0.7
    patience: int = 20
    cooldown: int = 1
    floor: float = 1e-6
    stop_patience: int = 40
    weight_decay: float = Field(default=0.0, ge=0)
