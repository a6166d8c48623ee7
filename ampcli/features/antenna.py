"""The block ``antenna``: colour-string antennae and spin-correlation terms of e+e- -> q q~ + gluons, made symmetric."""

from __future__ import annotations

from collections.abc import Sized
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ampcli.errors import UsageError
from ampcli.factorisation.antennas import chains_of, colour_strings, neighbours, splittings, string_antenna
from ampcli.factorisation.azimuth import azimuth_in_string, splitting_azimuth
from ampcli.factorisation.momenta import invariant_products
from ampcli.factorisation.permutations import relevant_permutations
from ampcli.factorisation.representative import representative
from ampcli.kinematics import pair_positions
from ampcli.library.bundle import Value
from ampcli.process import Process


class AntennaBlock:
    """inputs (n, 4 n_final + pairs) = [momenta / sqrt(s) | sqrt(s_ij / s), ln(s_qq~ / s) of the quark pair];
    terms (n, n_strings + 2 n_splittings) = [antennae | cos terms | sin terms], without dimensions.

    The cos and sin terms of a splitting (`ampcli.factorisation.antennas.Splitting`) are cos 2 phi and sin 2 phi in its
    string times z^2 (1 - z)^2 times its antennae, z the share of the pair's energy: where their parent is soft, the
    amplitude has such a term with a coefficient that is a number.  All is computed on the representative event, so that
    a model has the symmetries of |M|^2 exactly.

    Args:
        version: 1 is that of old models: ln(s_ij / s) among the inputs, which no limit bounds; for every gluon pair cos
            and sin terms with an azimuth from the z axis, times the antennae in which the two are neighbours.
    """

    name = "antenna"

    def __init__(self, process: Process, version: int | None = None) -> None:
        self.process = process
        self.version = 1 if version == 1 else 2
        self.gluon_pairs = relevant_permutations(process).gluon_pairs
        if not all(leg.kind == "lepton" for leg in process.incoming):
            raise UsageError(
                f'the features antenna are for lepton pairs, not for "{process}"', "For hadrons choose fame or fg1+."
            )
        self.quark, self.antiquark = (process.final_positions(kind)[0] for kind in ("quark", "antiquark"))
        self.quark_pair = (min(self.quark, self.antiquark), max(self.quark, self.antiquark))
        self.strings = colour_strings(process.final_positions("gluon"))
        self.splittings = splittings(self.strings, self.quark, self.antiquark)
        self.options: dict[str, Any] = {}

    @property
    def n_strings(self) -> int:
        return len(self.strings)

    @property
    def n_azimuths(self) -> int:
        return len(self.gluon_pairs if self.version == 1 else self.splittings)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        legs = self.process.n_final
        return {"inputs": (4 * legs + legs * (legs - 1) // 2,), "terms": (self.n_strings + 2 * self.n_azimuths,)}

    def compute(self, momenta: Tensor) -> dict[str, Tensor]:
        event = representative(momenta, self.process)
        p = event.movedim((0, 1, 2), (2, 1, 0)).contiguous()
        energy = p[0].sum(0)
        invariants = 2.0 * invariant_products(p) / energy.square()
        antennae = [string_antenna(invariants, strings, self.quark, self.antiquark) for strings in self.strings]
        spin = self._spin_from_z if self.version == 1 else self._spin_in_strings
        cosines, sines = spin(p / energy, invariants, antennae)
        pairs = [self._measure(i, j, invariants[i, j]) for i, j in pair_positions(self.process.n_final)]
        scaled = (event / energy[:, None, None]).flatten(1)
        return {
            "inputs": torch.cat([scaled, torch.stack(pairs, dim=1)], dim=1),
            "terms": torch.stack([*antennae, *cosines, *sines], dim=1),
        }

    def _measure(self, i: int, j: int, invariant: Tensor) -> Tensor:
        # |M|^2 stays finite for collinear quarks, where every antenna goes to zero like a power of s_qq~: coefficients
        # grow like its inverse, which a network cannot learn from a bounded input.
        return invariant.log() if self.version == 1 or (i, j) == self.quark_pair else invariant.sqrt()

    def _spin_in_strings(
        self, p: Tensor, invariants: Tensor, antennae: list[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        cosines, sines = [], []
        for each in self.splittings:
            (i, j), left, right = each.pair, each.left, each.right
            along = [0.5 * (invariants[leg, i] + invariants[leg, j]) for leg in (left, right)]
            cosine, sine = azimuth_in_string(p[:, i], p[:, j], p[:, left], p[:, right], *along)
            z = p[0, i] / (p[0, i] + p[0, j])
            strength = (z * (1.0 - z)).square() * sum(antennae[place] for place in each.terms)
            cosines.append(cosine * strength)
            sines.append(sine * strength)
        return cosines, sines

    def _spin_from_z(self, p: Tensor, invariants: Tensor, antennae: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        cosines, sines = [], []
        for i, j in self.gluon_pairs:
            cosine, sine = splitting_azimuth(p[:, i], p[:, j])
            strength = sum(
                (a for a, strings in zip(antennae, self.strings, strict=True) if (i, j) in neighbours(strings)),
                start=torch.zeros_like(p[0, 0]),
            )
            cosines.append((cosine * cosine - sine * sine) * strength)
            sines.append(2.0 * sine * cosine * strength)
        return cosines, sines

    def bundle(self) -> dict[str, Value]:
        """For the compiled pass (`ampcli.inference.compiled.engine.Member`): the tables of antenna.h."""
        gluons = self.process.final_positions("gluon")
        orders = chains_of(self.strings)
        number = {order: place for place, order in enumerate(orders)}
        chains = [(number.get(order[:-1], -1), *(self.quark, *order)[-2:]) for order in orders]
        terms = [[number[order] for order in strings] for strings in self.strings]
        if self.version == 1:
            near = [neighbours(strings) for strings in self.strings]
            azimuths: dict[str, Value] = {
                "antenna/pairs": np.array(self.gluon_pairs, dtype=np.int32).reshape(-1, 2),
                "antenna/neighbours": _table([[pair in pairs for pairs in near] for pair in self.gluon_pairs], terms),
            }
        else:
            legs = [(*each.pair, each.left, each.right) for each in self.splittings]
            has = [[place in each.terms for place in range(self.n_strings)] for each in self.splittings]
            azimuths = {
                "antenna/splittings": np.array(legs, dtype=np.int32).reshape(-1, 4),
                "antenna/neighbours": _table(has, terms),
            }
        return {
            "antenna/quarks": np.array([self.quark, self.antiquark], dtype=np.int32),
            "antenna/gluons": np.array(gluons, dtype=np.int32),
            "antenna/chains": np.array(chains, dtype=np.int32),
            "antenna/terms": np.array([row + [-1] * (len(gluons) - len(row)) for row in terms], dtype=np.int32),
            **azimuths,
        }


def _table(rows: list[list[bool]], terms: Sized) -> npt.NDArray[np.uint8]:
    """(rows, terms), of that width even without rows."""
    return np.array(rows, dtype=np.uint8).reshape(-1, len(terms))
