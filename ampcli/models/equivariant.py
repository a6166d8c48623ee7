"""Baselines without factorisation that know Lorentz invariance: L-GATr (2411.00446) and LLoCa (2505.20280).

From their authors' packages (extra ``ampcli[equivariant]``).  Particles are the legs of the process, beams included, so
that the result is invariant; their species are scalars.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.func import functional_call

from ampcli.errors import AmpcliError
from ampcli.extras import remedy
from ampcli.records.architecture import Architecture

_BLOCKS, _HEADS = 4, 4
_VECTORS, _SCALARS = 8, 16  # hidden channels of L-GATr
_EDGE_MEAN, _EDGE_DEVIATION = 0.0, 3.0  # of the logarithms of invariants that LLoCa's frames depend on


@dataclass(frozen=True)
class EquivariantNetwork:
    """Inputs are momenta (E, px, py, pz) of all legs in one unit.

    Raises:
        AmpcliError: the packages are not installed.
    """

    outputs: int
    particles: tuple[int, ...]

    kind: ClassVar[str]
    module: ClassVar[type[_LGatr] | type[_LLoCa]]  # of the numbers of species and of outputs
    stochastic: ClassVar[bool] = False

    @classmethod
    def of(cls, architecture: Architecture) -> EquivariantNetwork:
        """Its layers are the packages' own: hidden ones are not asked for."""
        return cls(architecture.outputs, architecture.particles)

    @property
    def species(self) -> Tensor:
        """One-hot (legs, species); incoming and outgoing particles are different species."""
        codes = [(leg < 2, code) for leg, code in enumerate(self.particles)]
        known = sorted(set(codes))
        return torch.nn.functional.one_hot(torch.tensor([known.index(code) for code in codes])).float()

    @cached_property
    def _module(self) -> torch.nn.Module:
        try:
            return type(self).module(self.species.shape[1], self.outputs)
        except ImportError as error:
            raise AmpcliError(
                f"the network {self.kind} needs packages that are not installed: {error}",
                remedy("equivariant"),
            ) from None

    @cached_property
    def _shapes(self) -> dict[str, torch.Size]:
        return {name: parameter.shape for name, parameter in self._module.named_parameters()}

    @property
    def n_parameters(self) -> int:
        return sum(shape.numel() for shape in self._shapes.values())

    def initialise(self, seeds: Sequence[int]) -> Tensor:
        """As the packages do it."""
        rows = []
        for seed in seeds:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                fresh = type(self)(self.outputs, self.particles)._module
            rows.append(torch.cat([parameter.detach().reshape(-1) for parameter in fresh.parameters()]))
        return torch.stack(rows)

    def split(self, parameters: Tensor) -> list[dict[str, Tensor]]:
        """Named parameters of each replica."""
        sizes = [shape.numel() for shape in self._shapes.values()]
        return [
            {
                name: piece.view(shape)
                for (name, shape), piece in zip(self._shapes.items(), row.split(sizes), strict=True)
            }
            for row in parameters
        ]

    def forward(self, layers: list[dict[str, Tensor]], inputs: Tensor, noise: torch.Generator | None = None) -> Tensor:
        """(R, batch, 4 legs) -> (R, batch, outputs)."""
        module = self._module.to(inputs.device)
        species = self.species.to(inputs.device).expand(inputs.shape[1], -1, -1)
        return torch.stack(
            [
                functional_call(module, named, (rows.unflatten(1, (-1, 4)), species))
                for named, rows in zip(layers, inputs, strict=True)
            ]
        )

    def complexity(self, parameters: Tensor) -> Tensor:
        return parameters.new_zeros(len(parameters))

    def members(self, parameters: Tensor) -> list[dict[str, Tensor]]:
        return self.split(parameters[None])


class _LGatr(torch.nn.Module):
    """Scalars of all particles, averaged."""

    def __init__(self, n_species: int, outputs: int) -> None:
        super().__init__()
        from lgatr import LGATr

        self.network = LGATr(
            num_blocks=_BLOCKS,
            in_mv_channels=1,
            out_mv_channels=1,
            hidden_mv_channels=_VECTORS,
            in_s_channels=n_species,
            out_s_channels=outputs,
            hidden_s_channels=_SCALARS,
            attention={"num_heads": _HEADS},
            mlp={},
        )

    def forward(self, momenta: Tensor, species: Tensor) -> Tensor:
        """(batch, legs, 4) and (batch, legs, species) -> (batch, outputs)."""
        from lgatr import embed_vector

        _, scalars = self.network(embed_vector(momenta)[:, :, None, :], scalars=species)
        averaged: Tensor = scalars.mean(dim=1)
        return averaged


class _LLoCa(torch.nn.Module):
    """A transformer on momenta in learned local frames."""

    def __init__(self, n_species: int, outputs: int) -> None:
        super().__init__()
        from lloca.backbone.transformer import Transformer
        from lloca.equivectors import MLPVectors
        from lloca.framesnet.equi_frames import LearnedPDFrames

        self.frames: Any = LearnedPDFrames(
            equivectors=lambda n_vectors: MLPVectors(
                n_vectors=n_vectors, num_scalars=n_species, hidden_channels=32, num_layers_mlp=2
            )
        )
        block = self.frames.equivectors.block
        block.edge_mean.fill_(_EDGE_MEAN)
        block.edge_std.fill_(_EDGE_DEVIATION)
        block.edge_inited.fill_(True)
        self.network = Transformer(
            in_channels=n_species + 4,
            attn_reps="4x0n+1x1n",
            out_channels=outputs,
            num_blocks=_BLOCKS,
            num_heads=_HEADS,
            preserve_variance=False,
        )

    def forward(self, momenta: Tensor, species: Tensor) -> Tensor:
        """(batch, legs, 4) and (batch, legs, species) -> (batch, outputs)."""
        frames = self.frames(momenta, scalars=species)
        local = torch.einsum("...ij,...j->...i", frames.matrices, momenta)
        found: Tensor = self.network(torch.cat([species, local], dim=-1), frames).mean(dim=1)
        return found


class LGatr(EquivariantNetwork):
    """Lorentz-equivariant geometric algebra transformer (2411.00446)."""

    kind, module = "lgatr", _LGatr


class LLoCa(EquivariantNetwork):
    """Local canonicalisation (2505.20280)."""

    kind, module = "lloca", _LLoCa
