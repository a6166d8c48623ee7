"""What a kind of model leaves to its user."""

from __future__ import annotations

from ampcli.records.base import Frozen


class Options(Frozen):
    """A kind's own options, each a flag of `ampcli train`: ``Field(default, description=..., ge=...)``."""
