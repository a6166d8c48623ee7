"""Where exact amplitudes came from."""

from __future__ import annotations

from ampcli.records.base import Frozen


class ProviderRecord(Frozen):
    """What must agree for two stores to hold the same function: part of a store's digest."""

    name: str
    version: str
    options: dict[str, str] = {}
    parameters: dict[str, float] = {}
