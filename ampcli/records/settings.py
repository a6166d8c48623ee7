"""How networks are made and trained, apart from what they learn."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ampcli.records.base import Frozen

Activation = Literal["tanh", "gelu"]
Schedule = Literal["plateau", "cosine", "one-cycle"]


class Settings(Frozen):
    """Defaults are those of FAME, Sec. 2.4.2; descriptions are those of the flags of `ampcli train`.

    Attributes:
        factor: of the learning rate where the loss stands still.
        patience: epochs without improvement before that.
        cooldown: epochs after it that do not count.
        floor: smallest learning rate.
        stop_patience: epochs without improvement before the training ends.
    """

    preset: str = Field(
        default="small",
        description="Hidden layers: small, large, surrogate (the papers'), residual or fast (for speed-ups).",
    )
    activation: Activation = Field(default="tanh", description="tanh or gelu.")
    residual: bool = Field(default=False, description="Skip connections between layers of one width.")
    batch_size: int = Field(default=4096, ge=1, description="Points per step.")
    learning_rate: float = Field(
        default=1e-3, gt=0, allow_inf_nan=False, description="First (one-cycle: largest) learning rate."
    )
    optimiser: str = Field(default="adam", description="Optimiser.")
    schedule: Schedule = Field(
        default="plateau", description="plateau (with early stopping); cosine or one-cycle over --epochs."
    )
    factor: float = 0.7
    patience: int = 20
    cooldown: int = 1
    floor: float = 1e-6
    stop_patience: int = 40
    weight_decay: float = Field(default=0.0, ge=0, allow_inf_nan=False, description="Decoupled weight decay.")
