"""Named feature blocks: the same code fills a store and serves a model at inference."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor

from ampcli.errors import UsageError
from ampcli.factorisation.radiation import Radiation, parse_radiation
from ampcli.process import Process


class FeatureBlock(Protocol):
    """A pure function of final-state momenta."""

    name: str
    version: int
    options: dict[str, Any]

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Trailing shape of each array."""
        ...

    def compute(self, momenta: Tensor) -> dict[str, Tensor]:
        """Arrays of a batch: (n, n_final, 4) float64 in GeV -> {name: (n, ...)} float64, same device."""
        ...


def make_block(name: str, process: Process, options: dict[str, Any], version: int | None = None) -> FeatureBlock:
    """The block of that name for a process.

    Args:
        version: that of an old model; the block has the newest one where this ampcli computes no such version.

    Raises:
        UsageError: an unknown block, or one that does not apply to the process.
    """
    if name == "fame" and any(leg.kind in ("quark", "antiquark", "gluon") for leg in process.incoming):
        from ampcli.features.hadron_fame import HadronFameBlock

        return HadronFameBlock(process, **options)
    if name == "fame":
        from ampcli.features.fame import FameBlock

        return FameBlock(process, **options)
    if name == "antenna":
        from ampcli.features.antenna import AntennaBlock

        return AntennaBlock(process)
    if name == "momenta":
        from ampcli.features.radiation import MomentaBlock

        return MomentaBlock(process)
    if name == "invariants":
        from ampcli.features.radiation import InvariantsBlock

        return InvariantsBlock(process, version)
    if (radiations := parse_radiations(name)) is not None:
        from ampcli.features.multi_radiation import MultiRadiationBlock
        from ampcli.features.radiation import RadiationBlock

        single = version if len(radiations) == 1 or version is None else version + 1
        blocks = [
            RadiationBlock(process, radiation, name.lower(), **options, version=single) for radiation in radiations
        ]
        return blocks[0] if len(blocks) == 1 else MultiRadiationBlock(name.lower(), blocks)
    raise UsageError(
        f'unknown features "{name}"',
        "Known: fame, antenna, invariants, momenta, fg1, fq2, ig1, iq1, fg1^2, fg1+, fg1,ig1+ and other emissions.",
    )


def parse_radiations(name: str) -> list[Radiation] | None:
    """``fg1``, ``fg1+``, ``fg1,ig1+``: one radiation or several; None for other names."""
    found = [parse_radiation(word) for word in name.removesuffix(IMPROVED_MARK).split(",")]
    known = [radiation for radiation in found if radiation is not None]
    return known if len(known) == len(found) else None


#: What follows the name of a radiation whose defaults are not the paper's but better ones (docs/lhc.md).
IMPROVED_MARK = "+"

_PAPER = {"kernel": "corrected", "pair": "product", "spectator": "energetic", "inputs": "paper", "orient": False}
_IMPROVED = {"kernel": "corrected", "pair": "delta-r", "spectator": "s-ijk", "inputs": "extended", "orient": True}


def default_choices(name: str) -> dict[str, Any]:
    """How a block undoes emissions unless the user says otherwise; nothing for blocks that undo none."""
    if parse_radiations(name) is None:
        return {}
    return dict(_IMPROVED if name.endswith(IMPROVED_MARK) else _PAPER)
