"""The family of blocks of radiations (fg1, iq2, fg1^2, fg1,ig1+, ...): their names and options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from ampcli.factorisation.radiation import Kernel, Pair, Radiation, Spectator, mirror_symmetric, parse_radiation
from ampcli.features.blocks import BlockKind, FeatureBlock, Need
from ampcli.process import Process
from ampcli.records.base import Frozen
from ampcli.records.provider import ProviderRecord

Inputs = Literal["paper", "extended"]

#: What follows the name of a radiation whose defaults are not the paper's but better ones (docs/lhc.md).
IMPROVED_MARK = "+"


def parse_radiations(name: str) -> list[Radiation] | None:
    """``fg1``, ``fg1+``, ``fg1,ig1+``: one radiation or several; None for other names."""
    found = [parse_radiation(word) for word in name.removesuffix(IMPROVED_MARK).split(",")]
    known = [radiation for radiation in found if radiation is not None]
    return known if len(known) == len(found) else None


class RadiationOptions(Frozen):
    """How emissions are undone; the defaults are the paper's, but for the kernel."""

    kernel: Kernel = Field(
        default="corrected",
        description="Splitting kernels (corrected), those printed in the paper, or ratios of sums over colour flows.",
    )
    pair: Pair = Field(default="product", description="The most singular pair: by p_i.p_j, or by Delta R.")
    spectator: Spectator = Field(
        default="energetic", description="Most energetic jet; jet, or gluon, with the largest s_ijk."
    )
    inputs: Inputs = Field(
        default="paper", description="Inputs of the network: the paper's, or angles and logarithms as well."
    )
    orient: bool = Field(default=False, description="Use the symmetry under exchange of the beams.")


_IMPROVED = RadiationOptions(kernel="flows", pair="delta-r", spectator="gluon", inputs="extended", orient=True)


class _Radiations(BlockKind):
    name = "radiations"
    examples = ("fg1", "fq2", "fa1", "ig1", "iq1", "fg1^2", "fg1+", "fg1,ig1+")
    note = "a +: better choices than the paper's"
    defaults = {"fg1": RadiationOptions(), "with +": _IMPROVED}
    needs = {"orient": Need(mirror_symmetric, "its incoming particles differ")}

    def matches(self, name: str) -> bool:
        return parse_radiations(name) is not None

    def default_options(self, name: str) -> RadiationOptions:
        return _IMPROVED if name.endswith(IMPROVED_MARK) else RadiationOptions()

    def uses(self, name: str, option: str) -> bool:
        """Only outgoing pairs are ranked in one way or another."""
        ranked = any(not radiation.initial for radiation in parse_radiations(name) or [])
        return super().uses(name, option) and (option != "pair" or ranked)

    def undoes_emissions(self, name: str) -> bool:
        return True

    def taken(self, provider: ProviderRecord) -> dict[str, Any]:
        """Reduced amplitudes come from where the store's do, if these know other processes."""
        from ampcli.amplitudes.providers import AUTO, kind_named

        if kind_named(provider.exact_name).alone:
            return {"provider": AUTO, "parameters": {}}
        return {"provider": provider.exact_name, "parameters": provider.parameters}

    def make(self, name: str, process: Process, options: Mapping[str, Any], version: int | None) -> FeatureBlock:
        """Versions of several radiations are one behind those of one."""
        from ampcli.features.multi_radiation import MultiRadiationBlock
        from ampcli.features.radiation import RadiationBlock

        radiations = parse_radiations(name) or []
        single = version if len(radiations) == 1 or version is None else version + 1
        blocks = [RadiationBlock(process, each, name.lower(), **options, version=single) for each in radiations]
        return blocks[0] if len(blocks) == 1 else MultiRadiationBlock(name.lower(), blocks)


RADIATIONS = _Radiations()
