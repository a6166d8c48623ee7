"""What turns a network's outputs into an amplitude: one class per kind of model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Generic, Self, TypeVar

import torch
from torch import Tensor

from ampcli.models.options import Options
from ampcli.models.scaling import MomentumInputs, Standardiser
from ampcli.process import Process

Arrays = Mapping[str, Tensor]  # momenta (n, n_final, 4) and the feature block's arrays, float64
Shapes = Mapping[str, tuple[int, ...]]  # of such arrays, without n
Own = TypeVar("Own", bound=Options)


@dataclass
class Batch:
    """What the loss needs, float32; leading dimensions (n,) in a table, (R, batch) in training.

    Attributes:
        inputs: standardised, (..., n_inputs).
        terms: what multiplies the network's outputs, (..., n_terms); (..., 0) of kinds without.
        target: standardised, (...).
        noise: statistical errors of the target, (...), where the exact amplitudes have some.
    """

    inputs: Tensor
    terms: Tensor
    target: Tensor
    noise: Tensor | None = None

    def changed(self, change: Callable[[Tensor], Tensor]) -> Batch:
        """The same of all tensors."""
        noise = None if self.noise is None else change(self.noise)
        return Batch(change(self.inputs), change(self.terms), change(self.target), noise)


def shapes_of(arrays: Arrays) -> dict[str, tuple[int, ...]]:
    """Trailing shapes of arrays."""
    return {name: tuple(array.shape[1:]) for name, array in arrays.items()}


def unknown(*shape: int) -> Tensor:
    """Scales that are not known yet: NaN."""
    return torch.full(shape, torch.nan, dtype=torch.float64)


@dataclass(frozen=True)
class Ansatz(ABC, Generic[Own]):
    """A kind of model: standardisation, loss and amplitude around a network.

    Fields that are a `Tensor`, a `Standardiser` or `MomentumInputs` are its scales: float64, found from the training
    split, saved beside the network's parameters under the names of the fields.  All other fields follow from the
    process, the shapes of the arrays and the options.
    """

    predicts_uncertainty: ClassVar[bool] = False  # for each point
    takes_signs: ClassVar[bool] = False  # learns values of either sign
    takes_errors: ClassVar[bool] = False  # learns from values with statistical errors, and has `noise`
    mean_of_points: ClassVar[bool] = True  # losses are: those of a batch follow from those of its pieces

    @property
    @abstractmethod
    def n_inputs(self) -> int: ...

    @property
    @abstractmethod
    def n_outputs(self) -> int: ...

    @classmethod
    @abstractmethod
    def unfitted(cls, process: Process, shapes: Shapes, options: Own) -> Self:
        """The ansatz for arrays of these trailing shapes, with NaN for all scales.

        Raises:
            KeyError: an array that this kind needs is not among them.
        """

    @classmethod
    @abstractmethod
    def fit(cls, process: Process, arrays: Arrays, amplitude: Tensor, options: Own, one_unit: bool = False) -> Self:
        """Scales from the training split (by `ampcli.models.moments`, where several processes hold it).

        Args:
            arrays: (n, ...) and amplitude (n,), float64.
            one_unit: all inputs are momenta of particles and keep one unit.
        """

    @classmethod
    def restore(cls, process: Process, shapes: Shapes, options: Own, scales: Mapping[str, Tensor]) -> Self:
        """The ansatz of saved scales."""
        bare = cls.unfitted(process, shapes, options)
        return bare._changed(lambda name, _: scales[name])

    def scales(self) -> dict[str, Tensor]:
        """What `restore` needs besides process, shapes and options."""
        found: dict[str, Tensor] = {}
        self._changed(lambda name, tensor: found.setdefault(name, tensor))
        return found

    def to(self, device: torch.device) -> Self:
        """A copy with its scales on `device`."""
        return self._changed(lambda _, tensor: tensor.to(device))

    def _changed(self, change: Callable[[str, Tensor], Tensor]) -> Self:
        """A copy with other scales, from their names and what they are."""

        def of(name: str, value: Any) -> Any:
            match value:
                case Tensor():
                    return change(name, value)
                case Standardiser():
                    return Standardiser(
                        change(f"{name}.mean", value.mean), change(f"{name}.deviation", value.deviation)
                    )
                case MomentumInputs():
                    return replace(value, standardiser=of(name, value.standardiser))
            return value

        return replace(self, **{f.name: of(f.name, getattr(self, f.name)) for f in fields(self)})

    @abstractmethod
    def inputs(self, arrays: Arrays) -> Tensor:
        """Standardised network inputs (n, n_inputs), float32."""

    @abstractmethod
    def table(self, arrays: Arrays, amplitude: Tensor) -> Batch:
        """Inputs, terms of the ansatz and standardised target of each point, float32."""

    def noise(self, arrays: Arrays, amplitude: Tensor, error: Tensor) -> Tensor:
        """Errors of the standardised target for statistical errors of amplitudes, (n,) each: (n,) float32.

        They are small: those of logarithms are the relative ones.
        """
        raise NotImplementedError

    @abstractmethod
    def losses(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Squared error of the standardised target and the penalty, mean per replica: (R,), (R,)."""

    def slopes(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """`losses`, and the derivatives of their sum with respect to the outputs (R, batch, n_outputs)."""
        leaf = outputs.detach().requires_grad_()
        error, penalty = self.losses(leaf, batch)
        (slopes,) = torch.autograd.grad((error + penalty).sum(), leaf)
        return error.detach(), penalty.detach(), slopes

    @abstractmethod
    def amplitude(self, outputs: Tensor, arrays: Arrays) -> Tensor:
        """|M|^2 in GeV^(4 - 2 n_final) of float32 network outputs (R, n, n_outputs), in float64: (R, n)."""

    def relative_uncertainty(self, outputs: Tensor) -> Tensor | None:
        """The network's own 1-sigma uncertainty of ln|M|^2, (R, n) float64; None if it predicts none."""
        return None
