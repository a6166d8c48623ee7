"""What kinds of models leave to their users: flags of `ampcli train`, whose help needs no more than this."""

from __future__ import annotations

from pydantic import Field

from ampcli.records.base import Frozen


class Options(Frozen):
    """A kind's own options, each a flag of `ampcli train`: ``Field(default, description=..., ge=...)``."""


class MomentumOptions(Options):
    """Options of kinds whose inputs are momenta."""

    orient: bool = Field(
        default=False, description="Turn events about the beam axis to one orientation (exact symmetry)."
    )


class LikelihoodOptions(Options):
    """Options of kinds that predict their own uncertainty."""

    beta: float = Field(
        default=0.0, ge=0, le=1, description="Exponent beta of the beta-NLL loss; 0 is the plain Gaussian likelihood."
    )


class FameOptions(MomentumOptions):
    """`penalty` as in docs/physics.md; without spin-correlation terms or recoil factors: ablations."""

    penalty: float = Field(default=1e-6, ge=0, allow_inf_nan=False, description="J S_pred of the sparsity penalty.")
    spin: bool = Field(default=True, description="Spin-correlation terms.")
    recoil: bool = Field(default=True, description="Recoil factors among the inputs.")


class FksOptions(MomentumOptions):
    """Where a point counts as near a singularity."""

    near: float = Field(
        default=0.02, gt=0, lt=1, description="Points with min s_ij / s below this use one network per pair."
    )
