"""Our feature blocks (those of radiations: `ampcli.features.radiations`), declared without what they are made of.

Help and completion need no torch: blocks are imported when they are made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pydantic
from pydantic import Field

from ampcli.features.blocks import BlockKind, FeatureBlock
from ampcli.process import Process
from ampcli.records.base import Frozen
from ampcli.records.provider import ProviderRecord


class _Fame(BlockKind):
    name = "fame"
    examples = ("fame",)

    def taken(self, provider: ProviderRecord) -> dict[str, Any]:
        return {"alpha_s": provider.parameters["alpha_s"]} if "alpha_s" in provider.parameters else {}

    def make(self, name: str, process: Process, options: Mapping[str, Any], version: int | None) -> FeatureBlock:
        from ampcli.features.fame import FameBlock
        from ampcli.features.hadron_fame import HadronFameBlock

        partonic = any(leg.kind in ("quark", "antiquark", "gluon") for leg in process.incoming)
        return (HadronFameBlock if partonic else FameBlock)(process, **options)


FAME = _Fame()


class _Antenna(BlockKind):
    name = "antenna"
    examples = ("antenna",)

    def make(self, name: str, process: Process, options: Mapping[str, Any], version: int | None) -> FeatureBlock:
        from ampcli.features.antenna import AntennaBlock

        return AntennaBlock(process, version)


ANTENNA = _Antenna()


class _Invariants(BlockKind):
    name = "invariants"
    examples = ("invariants",)

    def make(self, name: str, process: Process, options: Mapping[str, Any], version: int | None) -> FeatureBlock:
        from ampcli.features.momenta import InvariantsBlock

        return InvariantsBlock(process, version)


class _Momenta(BlockKind):
    name = "momenta"
    examples = ("momenta",)

    def make(self, name: str, process: Process, options: Mapping[str, Any], version: int | None) -> FeatureBlock:
        from ampcli.features.momenta import MomentaBlock

        return MomentaBlock(process)


class RatioOptions(Frozen):
    """What the values of a store are compared with."""

    base: str = Field(
        default="auto",
        description="Provider of the reference amplitude, as --provider of `ampcli gen`; none: the values themselves.",
    )


class _Ratio(BlockKind):
    name = "ratio"
    examples = ("ratio",)
    defaults: ClassVar[Mapping[str, pydantic.BaseModel]] = {"ratio": RatioOptions()}

    def taken(self, provider: ProviderRecord) -> dict[str, Any]:
        return {"parameters": provider.parameters}

    def make(self, name: str, process: Process, options: Mapping[str, Any], version: int | None) -> FeatureBlock:
        from ampcli.features.ratio import RatioBlock, reference_record

        base = options["base"]
        if isinstance(base, str):  # what the user chose
            base = None if base == "none" else reference_record(base, process, options["parameters"])
        return RatioBlock(process, base)


RATIO = _Ratio()
INVARIANTS, MOMENTA = _Invariants(), _Momenta()
