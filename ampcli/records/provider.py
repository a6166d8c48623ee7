"""Where exact amplitudes came from."""

from __future__ import annotations

from ampcli.records.base import Frozen

#: The name of amplitudes that are those of surrogates where these are sure, exact elsewhere.
MIXTURE = "mixture"


class ProviderRecord(Frozen):
    """What must agree for two stores to hold the same function: part of a store's digest."""

    name: str
    version: str
    options: dict[str, str] = {}
    parameters: dict[str, float] = {}

    @property
    def exact_name(self) -> str:
        """The provider of exact amplitudes: this one, or the one that a mixture falls back on."""
        return self.options["exact"].split()[0] if self.name == MIXTURE else self.name
