"""Named feature blocks: the same code fills a store and serves a model at inference (docs/extending.md)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import pydantic

from ampcli.errors import UsageError
from ampcli.plugins import Catalogue
from ampcli.process import Process
from ampcli.records.base import Frozen
from ampcli.records.provider import ProviderRecord

if TYPE_CHECKING:
    from torch import Tensor

    from ampcli.amplitudes.protocol import Provider


class FeatureBlock(Protocol):
    """A pure function of final-state momenta.

    `name`, `version` and `options` are written beside stored arrays and into manifests: together they say what was
    computed, and make the block again.
    """

    name: str
    version: int
    options: dict[str, Any]

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Trailing shape of each array."""
        ...

    def compute(self, momenta: Tensor) -> dict[str, Tensor]:
        """Arrays of a batch: (n, n_final, 4) float64 in GeV -> {name: (n, ...)} float64, same device."""
        ...


class ReducingBlock(FeatureBlock, Protocol):
    """A block that undoes emissions: kernel, reduced_momenta, reduced_amplitude and legs are among its arrays."""

    @property
    def provider(self) -> Provider:
        """Of the reduced amplitudes."""
        ...


class NoOptions(Frozen):
    """Nothing is left to choose."""


@dataclass(frozen=True)
class Need:
    """What a process must have for an option to change anything; `otherwise` says what it has instead."""

    holds: Callable[[Process], bool]
    otherwise: str


class BlockKind(ABC):
    """A feature block, or a family of them, before it is asked for a process.

    Attributes:
        name: in the catalogue.
        examples: names by which blocks are asked for; the first few for help and completion, if there are many.
        note: what the help says of them besides.
        defaults: of the options that the user may choose, by an example with them; the class of options is theirs.
        needs: options that change nothing for some processes.
    """

    name: ClassVar[str]
    examples: ClassVar[tuple[str, ...]]
    note: ClassVar[str] = ""
    defaults: ClassVar[Mapping[str, pydantic.BaseModel]] = {"": NoOptions()}
    needs: ClassVar[Mapping[str, Need]] = {}

    def matches(self, name: str) -> bool:
        """Whether this kind makes the block of that name."""
        return name in self.examples

    def default_options(self, name: str) -> pydantic.BaseModel:
        """What the block of that name does unless the user says otherwise."""
        return next(iter(self.defaults.values()))

    def uses(self, name: str, option: str) -> bool:
        """Whether an option changes the block of that name."""
        return option in type(self.default_options(name)).model_fields

    def undoes_emissions(self, name: str) -> bool:
        """Whether the block of that name undoes emissions, and is a `ReducingBlock`."""
        return False

    def taken(self, provider: ProviderRecord) -> dict[str, Any]:
        """Options of a new block that follow from the exact amplitudes of the store."""
        return {}

    @abstractmethod
    def make(self, name: str, process: Process, options: Mapping[str, Any], version: int | None) -> FeatureBlock:
        """The block of that name for a process.

        Args:
            options: as `FeatureBlock.options` of an old one, or `taken` and the user's choices.
            version: that of an old model; None: the newest.

        Raises:
            UsageError: it does not apply to the process.
        """


BLOCKS: Catalogue[BlockKind] = Catalogue(
    "features",
    BlockKind,  # type: ignore[type-abstract]
    "ampcli.features",
    {
        "fame": "ampcli.features.declared:FAME",
        "antenna": "ampcli.features.declared:ANTENNA",
        "invariants": "ampcli.features.declared:INVARIANTS",
        "momenta": "ampcli.features.declared:MOMENTA",
        "ratio": "ampcli.features.declared:RATIO",
        "radiations": "ampcli.features.radiations:RADIATIONS",
    },
)


def kind_of(name: str) -> BlockKind:
    """The kind that makes the block of that name.

    Raises:
        UsageError: none does.
    """
    if name in BLOCKS and (kind := BLOCKS[name]).matches(name):
        return kind
    for kind in BLOCKS:
        if kind.matches(name):
            return kind
    known = ", ".join(example for kind in BLOCKS for example in kind.examples)
    raise UsageError(f'unknown features "{name}"', f"Known: {known}, ...")


def default_choices(name: str) -> dict[str, Any]:
    """What the user may choose of a block, as it is unless the user does."""
    return kind_of(name).default_options(name).model_dump()


def new_options(name: str, provider: ProviderRecord, chosen: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Options of a new block.

    Args:
        provider: of the exact amplitudes that it goes with.
        chosen: options that are not the defaults; those that the block has not are left out.

    Raises:
        UsageError: an unknown block, or impossible values.
    """
    kind = kind_of(name)
    defaults = kind.default_options(name)
    fields = type(defaults).model_fields
    values = {**defaults.model_dump(), **{key: value for key, value in (chosen or {}).items() if key in fields}}
    try:
        options = type(defaults).model_validate(values)
    except pydantic.ValidationError as error:
        findings = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise UsageError(f"the features {name} cannot have these options: {findings}") from None
    return {**kind.taken(provider), **options.model_dump()}


def make_block(name: str, process: Process, options: Mapping[str, Any], version: int | None = None) -> FeatureBlock:
    """The block of that name for a process.

    Args:
        version: that of an old model; the block has the newest one where this ampcli computes no such version.

    Raises:
        UsageError: an unknown block, or one that does not apply to the process.
    """
    return kind_of(name).make(name, process, options, version)
