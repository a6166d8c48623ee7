"""What turns a network's outputs into an amplitude: one class per kind of model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

import torch
from torch import Tensor

from ampcli.process import Process

Arrays = Mapping[str, Tensor]  # momenta (n, n_final, 4) and the feature block's arrays, float64
Shapes = Mapping[str, tuple[int, ...]]  # of such arrays, without n


def exactly(*values: float) -> Tensor:
    """Numbers of a template that are known."""
    return torch.tensor(values, dtype=torch.float64)


def any_of(*shape: int) -> Tensor:
    """Numbers of a template that may be any."""
    return torch.full(shape, torch.nan, dtype=torch.float64)


@dataclass
class Batch:
    """What the loss needs: float32 tensors with leading dimensions (n,) in a table, (R, batch) in training."""

    inputs: Tensor
    terms: Tensor
    target: Tensor


@dataclass(frozen=True)
class Settings:
    """What a recipe says about the ansatz; a kind uses what concerns it."""

    penalty: float
    orient: bool
    beta: float = 0.0
    spin: bool = True
    """Spin-correlation terms in the ansatz (fame)."""
    recoil: bool = True
    """Recoil factors among the inputs (fame)."""
    near: float = 0.02
    """Largest min s_ij / s of the region near a singularity (fks)."""
    one_scale: bool = False
    """All inputs are momenta and keep one unit."""


class Ansatz(Protocol):
    """A kind of model: standardisation, loss and amplitude around a network."""

    kind: ClassVar[str]
    block: ClassVar[str | None]  # feature block it needs
    predicts_uncertainty: ClassVar[bool]  # for each point

    @property
    def n_inputs(self) -> int: ...

    @property
    def n_outputs(self) -> int: ...

    @classmethod
    def fit(cls, process: Process, arrays: Arrays, amplitude: Tensor, settings: Settings) -> Self:
        """Scales from the training split: `arrays` (n, ...) and `amplitude` (n,) in float64."""
        ...

    @classmethod
    def restore(cls, scales: Mapping[str, Tensor]) -> Self:
        """The ansatz of saved scales."""
        ...

    def scales(self) -> dict[str, Tensor]:
        """All that `restore` needs, float64."""
        ...

    @classmethod
    def template(cls, process: Process, shapes: Shapes, settings: Settings) -> dict[str, Tensor]:
        """What `scales` must look like for arrays of these trailing `shapes`: NaN stands for any finite number.

        Raises:
            KeyError: an array that this kind needs is not among them.
        """
        ...

    def to(self, device: torch.device) -> Self:
        """A copy with its scales on `device`."""
        ...

    def inputs(self, arrays: Arrays) -> Tensor:
        """Standardised network inputs (n, n_inputs), float32."""
        ...

    def table(self, arrays: Arrays, amplitude: Tensor) -> Batch:
        """Inputs, terms of the ansatz and standardised target of each point, float32."""
        ...

    def losses(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Squared error of the standardised target and the penalty, mean per replica: (R,), (R,)."""
        ...

    def amplitude(self, outputs: Tensor, arrays: Arrays) -> Tensor:
        """|M|^2 of float32 network outputs (R, n, n_outputs) in float64: (R, n)."""
        ...

    def relative_uncertainty(self, outputs: Tensor) -> Tensor | None:
        """The network's own 1-sigma uncertainty of ln|M|^2, (R, n) float64; None if it predicts none."""
        ...
