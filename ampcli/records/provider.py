"""Where exact amplitudes came from."""

from __future__ import annotations

import pydantic

from ampcli.records.base import Frozen, without_later

#: The name of amplitudes that are those of surrogates where these are sure, exact elsewhere.
MIXTURE = "mixture"


class ProviderRecord(Frozen):
    """What must agree for two stores to hold the same function: part of a store's digest."""

    name: str
    version: str
    options: dict[str, str] = {}
    parameters: dict[str, float] = {}
    signed: bool = False
    """Values of either sign (loop corrections, interferences), which are no squared amplitudes."""

    @pydantic.model_serializer(mode="wrap")
    def _as_before(self, dump: pydantic.SerializerFunctionWrapHandler) -> dict[str, object]:
        return without_later(self, dump, "signed")

    @property
    def exact_name(self) -> str:
        """The provider of exact amplitudes: this one, or the one that a mixture falls back on."""
        return self.options["exact"].split()[0] if self.name == MIXTURE else self.name
