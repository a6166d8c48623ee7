"""How near kernel x reduced amplitude comes to the exact amplitude, without any network.

L. Beccatini et al., "Amplitude Surrogates for Multi-Jet Processes" (2025), Sec. 2.4, Figs. 1 to 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from pydantic import FiniteFloat

from ampcli.errors import UsageError
from ampcli.evaluation.metrics import Floats
from ampcli.factorisation.momenta import external_momenta, external_products
from ampcli.features.blocks import kind_of
from ampcli.models.factorised import log_base
from ampcli.records.base import Frozen
from ampcli.store.features import stored_block
from ampcli.store.reader import Split, Store

_GROUPS = 25


class Band(Frozen):
    """Points in groups of equal size: their s_ij of the pair in GeV^2, median and central 68 % of ln ratio.

    Attributes:
        s_ij: median of each group, GeV^2.
        low: lower end of the central 68 % of ln(exact / ansatz).
        median: of ln(exact / ansatz).
        high: upper end of the central 68 %.
    """

    s_ij: list[FiniteFloat]
    low: list[FiniteFloat]
    median: list[FiniteFloat]
    high: list[FiniteFloat]


class AnsatzQuality(Frozen):
    """Of ln(exact / ansatz): its median is a constant that any network learns at once, its spread is what is left.

    Attributes:
        points: that were measured.
        median: of ln(exact / ansatz).
        deviation: standard deviation of ln(exact / ansatz).
        band: how it depends on s_ij of the pair.
    """

    points: int
    median: FiniteFloat
    deviation: FiniteFloat
    spread68: FiniteFloat
    """Half of the central 68 %."""
    within_factor_2: FiniteFloat
    """Fraction of the points within a factor of two, after division by the median."""
    band: Band


@dataclass(frozen=True)
class AnsatzPoints:
    """ln(exact / ansatz) and the pair's s_ij in GeV^2, (n,) each, with what they amount to."""

    quality: AnsatzQuality
    log_ratio: Floats
    s_ij: Floats


def measure_ansatz(store: Store, name: str, split: Split) -> AnsatzPoints:
    """Compare a block of features with the exact amplitudes.

    Raises:
        UsageError: the block undoes no emission.
        NotFoundError: the store has no such features.
    """
    if not kind_of(name).undoes_emissions(name):
        raise UsageError(f"the features {name} undo no emission", "Choose features such as fg1, iq1, fg1^2.")
    store.require_exact()
    block = stored_block(store, name)
    wanted = ("kernel", "reduced_amplitude", "legs")
    arrays = {key: torch.from_numpy(store.read_split(f"features/{block.name}/{key}", split)) for key in wanted}
    base = log_base(arrays)
    assert base is not None
    log_ratio = np.log(store.read_split("amplitude", split)) - base.numpy()
    s_ij = _pair_mass2(torch.from_numpy(store.read_split("momenta", split)), arrays["legs"].long(), store)
    return AnsatzPoints(_quality(log_ratio, s_ij), log_ratio, s_ij)


def _pair_mass2(final: torch.Tensor, legs: torch.Tensor, store: Store) -> Floats:
    """2 p_i.p_j of the first emission's emitter and emitted gluon."""
    found = external_products(external_momenta(final), store.process)
    rows = torch.arange(len(final))
    chosen: Floats = 2.0 * found[rows, legs[:, 0], legs[:, 1]].numpy()
    return chosen


def _quality(log_ratio: Floats, s_ij: Floats) -> AnsatzQuality:
    low, median, high = (float(q) for q in np.quantile(log_ratio, [0.16, 0.5, 0.84]))
    groups = np.array_split(np.argsort(s_ij), min(_GROUPS, len(s_ij)))
    bands = np.array([np.quantile(log_ratio[rows], [0.16, 0.5, 0.84]) for rows in groups])
    return AnsatzQuality(
        points=len(log_ratio),
        median=median,
        deviation=float(log_ratio.std()),
        spread68=(high - low) / 2,
        within_factor_2=float((np.abs(log_ratio - median) < np.log(2)).mean()),
        band=Band(
            s_ij=[float(np.exp(np.log(s_ij[rows]).mean())) for rows in groups],
            low=bands[:, 0].tolist(),
            median=bands[:, 1].tolist(),
            high=bands[:, 2].tolist(),
        ),
    )
