"""Trained networks compiled: from momenta to amplitudes in one pass (member.h)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from ampcli.instructions import compiled_module, instruction_set
from ampcli.library.bundle import Value, write_bundle

PACKAGE = "ampcli.inference.compiled"


@runtime_checkable
class Bundled(Protocol):
    """Features, networks and ansaetze that the compiled pass knows."""

    def bundle(self) -> Mapping[str, Value] | None:
        """What it needs of them; None where it knows others of their kind, but not these."""
        ...


def bundle_of(*parts: object) -> dict[str, Value] | None:
    """All that the compiled pass needs of a network with its features and ansatz; None if it does not know one.

    A class that inherits `bundle` may compute something else than its parent: it counts as not known.
    """
    content: dict[str, Value] = {}
    for part in parts:
        found = part.bundle() if isinstance(part, Bundled) and "bundle" in vars(type(part)) else None
        if found is None:
            return None
        content |= found
    return content


@lru_cache
def ways(on: str | None = None) -> tuple[str, ...]:
    """How this processor can multiply, the fastest first: "split" by its matrix unit, "single" precision.

    Args:
        on: an instruction set (default: the best).
    """
    module = compiled_module(PACKAGE, on or instruction_set())
    return ("split", "single") if module.has_matrix_unit() else ("single",)


class Member:
    """A compiled network.

    Args:
        content: `bundle_of` it: tasks (radiations, bytes) and reduced/..., or antenna/..., of the features; widths,
            activation, residual and parameters of the network; mean, deviation (inputs) and correction (2), or
            antenna/scales (2), of the ansatz.
        way: one of `ways`.  Sums are in single precision; factors in "split" are good to 2^-17.
        on: the instruction set (default: the best).

    Raises:
        ValueError: parts that do not fit each other, or a way that this machine does not have.
    """

    def __init__(self, content: Mapping[str, Value], way: str | None = None, on: str | None = None) -> None:
        module = compiled_module(PACKAGE, on or instruction_set())
        known = ways(on)  # asks the system for the matrix unit, without which "split" would end the process
        if way is not None and way not in known:
            raise ValueError(f"this machine cannot multiply in the way {way!r}, only in {', '.join(known)}")
        kinds: dict[str, Any] = {"single": module.Single, "split": getattr(module, "Split", None)}
        self._compiled = kinds[way or known[0]](write_bundle(content))

    def predict(self, final: Tensor) -> tuple[Tensor, Tensor]:
        """|M|^2 of outgoing momenta (n, n_final, 4) in GeV and its relative uncertainty: (n,) each, float64 on the CPU.

        Amplitudes are NaN where the momenta of the reduced event are not physical.
        """
        amplitude, relative = self._compiled.predict(final.contiguous().numpy(), torch.get_num_threads())
        return torch.from_numpy(amplitude), torch.from_numpy(relative)

    def inputs(self, final: Tensor) -> Tensor:
        """What the network is given for outgoing momenta: (n, inputs) float32."""
        return self._show(final)[0]

    def terms(self, final: Tensor) -> Tensor:
        """What the ansatz adds up: ln(F |M_reduced|^2) of radiations, or antennae; (n, terms) float64."""
        return self._show(final)[1]

    def _show(self, final: Tensor) -> tuple[Tensor, Tensor]:
        inputs, terms = self._compiled.show(final.contiguous().numpy(), torch.get_num_threads())
        return torch.from_numpy(inputs), torch.from_numpy(terms)
