"""The settings of a training, saved in checkpoint and manifest, and what came of it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, SerializeAsAny, ValidationError, ValidationInfo, field_validator

from ampcli.models.kinds import KINDS
from ampcli.models.options import Options
from ampcli.records.settings import Settings
from ampcli.store.splits import SplitRule


class Recipe(Settings):
    """What a training is, before it runs.

    Attributes:
        kind: one of `ampcli.models.kinds.KINDS`.
        hidden: widths of hidden layers.
        network: kind of network.
        seeds: of all replicas.
        epochs: at most.
        precision: float32, or tf32 for products on CUDA.
        dataset_digest: of the store.
        init_from: model whose weights it starts from; None: random ones.

    Raises:
        UsageError: there is no such kind of model.
    """

    kind: str
    block: str | None = None
    """Name of the features: fame, fg1, iq1+, fg1^2, invariants, ...; None for models on plain momenta."""
    features: dict[str, Any] = {}
    """Version and options of the features, from the store."""
    options: SerializeAsAny[Options] = Field(default_factory=Options, validate_default=True)
    """The kind's own."""
    hidden: tuple[int, ...]
    network: str = "mlp"
    seeds: tuple[int, ...]
    epochs: int = Field(default=1000, ge=1)
    perturb: float = Field(default=0.0, ge=0, le=1)
    """Size of the shifts of perturbed copies, with exact labels, that every epoch but the first is trained on."""
    copy_epochs: int = Field(default=1, ge=1)
    """How many epochs each set of these copies serves."""
    training_points: int | None = Field(default=None, ge=1)
    """Train on the first of the training events only; None: on all."""
    precision: Literal["float32", "tf32"] = "float32"
    dataset_digest: str
    split_rule: SplitRule = "rows"
    """How the store is split (`ampcli.store.splits`); runs of older versions had "rows"."""
    init_from: str | None = None

    @field_validator("options", mode="before")
    @classmethod
    def _of_the_kind(cls, given: object, info: ValidationInfo) -> object:
        """As the kind declares them."""
        if "kind" not in info.data:  # found wanting already
            return given
        try:
            return KINDS[info.data["kind"]].options.model_validate(
                given.model_dump() if isinstance(given, Options) else given
            )
        except ValidationError as error:  # in one line
            found = error.errors()[0]
            raise ValueError(f"{'.'.join(map(str, found['loc']))}: {found['msg']}") from None

    def differences(self, other: Recipe) -> list[str]:
        """Names of the settings in which two recipes differ."""
        return [name for name in type(self).model_fields if getattr(self, name) != getattr(other, name)]


class Training(Recipe):
    """A recipe and what came of it, for one of its seeds.

    Attributes:
        epochs_done: epochs that were run.
    """

    run: str | None = None
    """Tells this training from all others of the same recipe; None for models of older versions."""
    epochs_done: int
    labelled_points: int | None = None
    """Exact amplitudes of perturbed copies; None for models of older versions, which did not count."""
    best_epoch: int
    """From 1."""
    best_validation_loss: float | None
    """None if no epoch had a finite one."""
