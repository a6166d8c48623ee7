"""One network for |M|^2 on all of phase space: the "single" model of earlier work.

S. Badger, J. Bullock, JHEP 06 (2020) 114 (2002.07516), Sec. 3; what FAME compares with in Sec. 3.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ampcli.models.ansatz import Arrays
from ampcli.models.plain import PlainAnsatz
from ampcli.models.scaling import Standardiser


@dataclass(frozen=True)
class SingleAnsatz(PlainAnsatz):
    """|M|^2 = mean + deviation * network(momenta), without a logarithm: predictions may be negative."""

    takes_signs: ClassVar[bool] = True

    @classmethod
    def standardiser(cls, amplitude: Tensor) -> Standardiser:
        return Standardiser.of_amplitudes(amplitude)

    def standardised(self, amplitude: Tensor) -> Tensor:
        return self.target.apply(amplitude)

    def amplitude(self, outputs: Tensor, arrays: Arrays) -> Tensor:
        return self.target.undo(outputs[..., 0].double())
