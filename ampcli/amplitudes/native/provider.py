"""The provider ``native``: our own exact amplitudes of one quark line, gluons, and a vector boson or leptons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ampcli.amplitudes.native.base import VERSION, NativeAmplitude
from ampcli.amplitudes.native.colour import leading_colour, orderings
from ampcli.amplitudes.native.couplings import DEFAULTS, Parameters
from ampcli.amplitudes.native.flows import flow_tags
from ampcli.amplitudes.native.gluons import find_gluons
from ampcli.amplitudes.native.gluons_provider import COVERED as GLUONS
from ampcli.amplitudes.native.gluons_provider import NativeGluons
from ampcli.amplitudes.native.quark_line import MAX_GLUONS, QuarkLine, find_quark_line
from ampcli.amplitudes.native.two_lines import find_two_lines
from ampcli.amplitudes.native.two_lines_provider import COVERED as TWO_LINES
from ampcli.amplitudes.native.two_lines_provider import NativeTwoLines
from ampcli.amplitudes.protocol import ProviderKind
from ampcli.errors import UsageError
from ampcli.kinematics import require_physical, shaped_momenta
from ampcli.process import Process

if TYPE_CHECKING:
    from torch import Tensor

    from ampcli.amplitudes.native.cuda import Precision

_COVERED = (
    f"it covers one massless quark line with up to {MAX_GLUONS} gluons and an outgoing z or w+-, two outgoing leptons "
    "from a photon, Z or W, or incoming charged leptons; or with two to five gluons alone"
)


class Native(NativeAmplitude):
    """Full-colour |M|^2 by Berends-Giele recursion (docs/amplitudes.md).

    Args:
        process: e- e+ > q q~ + gluons (photon and Z), or q q~ > z + gluons, u d~ > w+ + gluons, q q~ > e- e+ +
            gluons (photon and Z), u d~ > e+ ve + gluons (W), q q~ > gluons, and crossings of their
            partons; up to 5 gluons.
        parameters: couplings and masses.
        threads: CPU threads of one evaluation.

    Raises:
        UsageError: the engine does not cover the process, or fewer than one thread.
    """

    line: QuarkLine

    def __init__(self, process: Process, parameters: Parameters = DEFAULTS, threads: int = 1) -> None:
        line = find_quark_line(process)
        if line is None:
            raise UsageError(f'the native amplitudes do not cover "{process}": {_COVERED}')
        super().__init__(process, line, parameters, threads)

    @property
    def orderings(self) -> list[tuple[int, ...]]:
        """Legs of the gluons along the quark line, from the quark to the antiquark: columns of `squared_orderings`."""
        return [tuple(self.line.gluons[letter] for letter in word) for word in orderings(len(self.line.gluons))]

    @property
    def alpha_s_power(self) -> int:
        return len(self.line.gluons)

    @property
    def _flow_weight(self) -> float:
        return leading_colour(len(self.line.gluons))

    def _flow_tags(self) -> npt.NDArray[np.int32]:
        return flow_tags(self.line)

    def evaluate_tensor(self, momenta: Tensor, precision: Precision = "float64") -> Tensor:
        """|M|^2 of a float64 tensor (n, n_external, 4), on the device where it lies; shape (n,), float64.

        Args:
            precision: of the currents on a GPU; "float32" is faster and good to 1e-7 (median) to 1e-6.  CPUs
                always compute in float64.

        Raises:
            UsageError: momenta that are not physical, naming the first bad event and why.
        """
        import torch

        if momenta.device.type != "cuda":
            return torch.from_numpy(self.evaluate(momenta.numpy()))
        from ampcli.amplitudes.native import cuda

        if momenta.dtype != torch.float64 or momenta.shape[1:] != (self.process.n_external, 4):
            shaped_momenta(momenta.cpu().numpy(), self.process)  # says what is wrong
        values, bad = cuda.evaluate(self.line, self.parameters, momenta.contiguous(), precision)
        if bool(bad.any()):
            suspects = torch.nonzero(bad)[:, 0].cpu().numpy()
            require_physical(momenta.cpu().numpy(), self.process, suspects)
        return torch.nan_to_num(values, nan=torch.inf, posinf=torch.inf)


class _NativeKind(ProviderKind):
    name = "native"
    version = VERSION
    parameters = tuple(DEFAULTS.as_dict())
    draws_colour_flows = True
    knows_leading_colour = True

    def covers(self, process: Process, unchecked: bool = False) -> str | None:
        if find_quark_line(process) or find_two_lines(process) or find_gluons(process):
            return None
        return f"{_COVERED}; or {TWO_LINES}; or {GLUONS}"

    def make(self, process: Process, parameters: Mapping[str, float], unchecked: bool = False) -> NativeAmplitude:
        kind: type[NativeTwoLines | NativeGluons | Native] = Native
        if find_two_lines(process):
            kind = NativeTwoLines
        elif find_gluons(process):
            kind = NativeGluons
        return kind(process, Parameters.of(parameters))


NATIVE = _NativeKind()
