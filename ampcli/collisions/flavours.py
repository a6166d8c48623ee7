"""Flavours of the legs of a channel: processes with the same |M|^2 that one store stands for."""

from __future__ import annotations

from ampcli.records.base import Frozen


class Flavours(Frozen):
    """One process of a channel.

    Attributes:
        process: its string, leg by leg as in the process of the store.
        mirrored: its |M|^2 is that of the store at reflected momenta (CP): p_y changes its sign.
    """

    process: str
    mirrored: bool = False
