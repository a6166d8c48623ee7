"""The block ``antenna``: colour-string antennae and spin-correlation terms of e+e- -> q q~ + gluons, made symmetric."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ampcli.errors import UsageError
from ampcli.factorisation.antennas import chains_of, colour_strings, neighbours, string_antenna
from ampcli.factorisation.azimuth import splitting_azimuth
from ampcli.factorisation.momenta import invariant_products
from ampcli.factorisation.permutations import relevant_permutations
from ampcli.factorisation.representative import representative
from ampcli.kinematics import pair_positions
from ampcli.library.bundle import Value
from ampcli.process import Process


class AntennaBlock:
    """inputs (n, 4 n_final + pairs) = [momenta / sqrt(s) | ln(s_ij / s)];
    terms (n, n_strings + 2 n_phi) = [antennae | cos terms | sin terms], without dimensions.

    The cos and sin terms of a gluon pair are cos 2 phi_ij and sin 2 phi_ij times the antennae in which the two are
    neighbours.  All is computed on the representative event, so that a model has the symmetries of |M|^2 exactly.
    """

    name = "antenna"
    version = 1

    def __init__(self, process: Process) -> None:
        self.process = process
        self.gluon_pairs = relevant_permutations(process).gluon_pairs
        if not all(leg.kind == "lepton" for leg in process.incoming):
            raise UsageError(
                f'the features antenna are for lepton pairs, not for "{process}"', "For hadrons choose fame or fg1+."
            )
        self.strings = colour_strings(process.final_positions("gluon"))
        self.options: dict[str, Any] = {}

    @property
    def n_strings(self) -> int:
        return len(self.strings)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        legs = self.process.n_final
        return {
            "inputs": (4 * legs + legs * (legs - 1) // 2,),
            "terms": (self.n_strings + 2 * len(self.gluon_pairs),),
        }

    def compute(self, momenta: Tensor) -> dict[str, Tensor]:
        event = representative(momenta, self.process)
        p = event.movedim((0, 1, 2), (2, 1, 0)).contiguous()
        energy = p[0].sum(0)
        invariants = 2.0 * invariant_products(p) / energy.square()
        quark, antiquark = self.process.final_positions("quark")[0], self.process.final_positions("antiquark")[0]
        antennae = [string_antenna(invariants, strings, quark, antiquark) for strings in self.strings]
        cosines, sines = [], []
        for i, j in self.gluon_pairs:
            cosine, sine = splitting_azimuth(p[:, i], p[:, j])
            strength = sum(
                (a for a, strings in zip(antennae, self.strings, strict=True) if (i, j) in neighbours(strings)),
                start=torch.zeros_like(energy),
            )
            cosines.append((cosine * cosine - sine * sine) * strength)
            sines.append(2.0 * sine * cosine * strength)
        logs = [invariants[i, j].log() for i, j in pair_positions(self.process.n_final)]
        scaled = (event / energy[:, None, None]).flatten(1)
        return {
            "inputs": torch.cat([scaled, torch.stack(logs, dim=1)], dim=1),
            "terms": torch.stack([*antennae, *cosines, *sines], dim=1),
        }

    def bundle(self) -> dict[str, Value]:
        """For the compiled pass (`ampcli.inference.compiled.engine.Member`): the tables of antenna.h."""
        quark, antiquark = self.process.final_positions("quark")[0], self.process.final_positions("antiquark")[0]
        gluons = self.process.final_positions("gluon")
        orders = chains_of(self.strings)
        number = {order: place for place, order in enumerate(orders)}
        chains = [(number.get(order[:-1], -1), *(quark, *order)[-2:]) for order in orders]
        terms = [[number[order] for order in strings] for strings in self.strings]
        near = [neighbours(strings) for strings in self.strings]
        return {
            "antenna/quarks": np.array([quark, antiquark], dtype=np.int32),
            "antenna/gluons": np.array(gluons, dtype=np.int32),
            "antenna/chains": np.array(chains, dtype=np.int32),
            "antenna/terms": np.array([row + [-1] * (len(gluons) - len(row)) for row in terms], dtype=np.int32),
            "antenna/pairs": np.array(self.gluon_pairs, dtype=np.int32).reshape(-1, 2),
            "antenna/neighbours": np.array(
                [[pair in pairs for pairs in near] for pair in self.gluon_pairs], dtype=np.uint8
            ).reshape(-1, self.n_strings),
        }
