"""The provider ``native``: our own exact amplitudes of one quark line, gluons, and a vector boson or leptons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ampcli.amplitudes.native import engine
from ampcli.amplitudes.native.colour import leading_colour, orderings
from ampcli.amplitudes.native.couplings import DEFAULTS, Parameters
from ampcli.amplitudes.native.flows import flow_tags
from ampcli.amplitudes.native.quark_line import MAX_GLUONS, QuarkLine, find_quark_line
from ampcli.amplitudes.precision import at_rest
from ampcli.amplitudes.protocol import ColourFlowProvider, ProviderKind
from ampcli.errors import UsageError
from ampcli.kinematics import FloatArray, checked_momenta, require_physical, shaped_momenta
from ampcli.process import Process
from ampcli.records.provider import ProviderRecord

if TYPE_CHECKING:
    from torch import Tensor

    from ampcli.amplitudes.native.cuda import Precision

#: Changes whenever the engine's numbers change, be it in the last digit: part of every store's identity.
VERSION = "1"

_COVERED = (
    f"it covers one massless quark line with up to {MAX_GLUONS} gluons and an outgoing z, two outgoing leptons from a "
    "photon, Z or W, or incoming charged leptons; or with two to five gluons alone"
)


class Native(ColourFlowProvider):
    """Full-colour |M|^2 by Berends-Giele recursion (docs/amplitudes.md).

    Args:
        process: e- e+ > q q~ + gluons (photon and Z), or q q~ > z + gluons, q q~ > e- e+ + gluons (photon and Z),
            u d~ > e+ ve + gluons (W), q q~ > gluons, and their crossings of partons; up to 5 gluons.
        parameters: couplings and masses.
        threads: CPU threads of one evaluation.

    Raises:
        UsageError: the engine does not cover the process, or fewer than one thread.
    """

    def __init__(self, process: Process, parameters: Parameters = DEFAULTS, threads: int = 1) -> None:
        line = find_quark_line(process)
        if line is None:
            raise UsageError(f'the native amplitudes do not cover "{process}": {_COVERED}')
        if threads < 1:
            raise UsageError(f"{threads} threads: at least one is needed")
        self.process = process.with_mass("z", parameters.m_z)
        self.line: QuarkLine = line
        self.parameters = parameters
        self.threads = threads

    def identity(self) -> ProviderRecord:
        return ProviderRecord(
            name=NATIVE.name, version=VERSION, options={"colour": "full"}, parameters=self.parameters.of_line(self.line)
        )

    @property
    def orderings(self) -> list[tuple[int, ...]]:
        """Legs of the gluons along the quark line, from the quark to the antiquark: columns of `squared_orderings`."""
        return [tuple(self.line.gluons[letter] for letter in word) for word in orderings(len(self.line.gluons))]

    def evaluate(self, momenta: npt.ArrayLike, alpha_s: npt.ArrayLike | None = None) -> FloatArray:
        """|M|^2 in GeV^(4 - 2 n_final) of momenta (n, n_external, 4) in GeV; shape (n,).

        It is infinite where a gluon is exactly soft or legs are exactly collinear.

        Args:
            alpha_s: the strong coupling, one number or (n,) (default: the parameters').

        Raises:
            UsageError: momenta that are not physical, naming the first bad event and why; a wrong alpha_s.
        """
        values = self._evaluate(momenta, squares=False)
        if alpha_s is not None:
            couplings = np.asarray(alpha_s, dtype=float)
            if couplings.shape not in ((), values.shape) or not ((couplings > 0) & (couplings < np.inf)).all():
                raise UsageError("alpha_s must be one positive number, or one for each event")
            values *= (couplings / self.parameters.alpha_s) ** len(self.line.gluons)
        return values

    def squared_orderings(self, momenta: npt.ArrayLike) -> FloatArray:
        """Every ordering's square, N (N/2)^n sum |A|^2, averaged like |M|^2; shape (n, n!), columns as `orderings`."""
        return self._evaluate(momenta, squares=True) * leading_colour(len(self.line.gluons))

    def leading_colour(self, momenta: npt.ArrayLike) -> FloatArray:
        """|M|^2 at leading colour, the sum of the squared orderings; shape (n,)."""
        return np.asarray(self.squared_orderings(momenta).sum(axis=1))

    def colour_flows(self, momenta: npt.ArrayLike, uniforms: FloatArray) -> npt.NDArray[np.int32]:
        """Colour flows, drawn in proportion to the squared orderings.

        Args:
            uniforms: (n,) random numbers in [0, 1).

        Returns:
            (n, n_external, 2): colour and anticolour line of every leg in the convention of Les Houches event
            files (hep-ph/0109068), 501, 502, ..., and 0 for none.

        Raises:
            UsageError: momenta that are not physical; wrong uniforms.
        """
        if np.shape(uniforms) != np.shape(momenta)[:1] or not ((uniforms >= 0) & (uniforms < 1)).all():
            raise UsageError("uniforms must be one number in [0, 1) for each event")
        squares = self.squared_orderings(momenta)
        reached = np.cumsum(squares, axis=1)
        chosen = (reached < (uniforms * reached[:, -1])[:, None]).sum(axis=1)
        return np.asarray(flow_tags(self.line)[np.minimum(chosen, squares.shape[1] - 1)])

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

    def _evaluate(self, momenta: npt.ArrayLike, squares: bool) -> FloatArray:
        array = shaped_momenta(momenta, self.process)
        rest = at_rest(array, self.process)
        if rest is not array:  # the energies that are replaced there have to be right
            array = checked_momenta(array, self.process)
        values, bad = engine.evaluate(self.line, self.parameters, rest, squares=squares, threads=self.threads)
        if bad.any():  # the engine's check is quick; the careful one names the fault, or lets rounding pass
            require_physical(array, self.process, np.flatnonzero(bad))
        values[np.isnan(values)] = np.inf  # 0/0 of a vanishing invariant
        return values


class _NativeKind(ProviderKind):
    name = "native"
    version = VERSION
    parameters = tuple(DEFAULTS.as_dict())
    draws_colour_flows = True

    def covers(self, process: Process, unchecked: bool = False) -> str | None:
        return None if find_quark_line(process) else _COVERED

    def make(self, process: Process, parameters: Mapping[str, float], unchecked: bool = False) -> Native:
        return Native(process, Parameters.of(parameters))


NATIVE = _NativeKind()
