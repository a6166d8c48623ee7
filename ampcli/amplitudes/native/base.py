"""What the native amplitudes of one quark line, of two, and of gluons alone share."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import numpy.typing as npt

from ampcli.amplitudes.native import engine
from ampcli.amplitudes.native.couplings import Parameters
from ampcli.amplitudes.native.gluons import Gluons
from ampcli.amplitudes.native.quark_line import QuarkLine
from ampcli.amplitudes.native.two_lines import TwoLines
from ampcli.amplitudes.precision import at_rest
from ampcli.amplitudes.protocol import ColourFlowProvider
from ampcli.errors import UsageError
from ampcli.kinematics import FloatArray, checked_momenta, require_physical, shaped_momenta
from ampcli.process import Process, with_boson_masses
from ampcli.records.provider import ProviderRecord

#: Changes whenever the engine's numbers change, be it in the last digit: part of every store's identity.
VERSION = "1"


class NativeAmplitude(ColourFlowProvider):
    """Full-colour |M|^2 by Berends-Giele recursion on CPUs (docs/amplitudes.md).

    Args:
        line: where the legs of the process are.
        parameters: couplings and masses.
        threads: CPU threads of one evaluation.

    Raises:
        UsageError: fewer than one thread.
    """

    def __init__(
        self, process: Process, line: QuarkLine | TwoLines | Gluons, parameters: Parameters, threads: int
    ) -> None:
        if threads < 1:
            raise UsageError(f"{threads} threads: at least one is needed")
        self.process = with_boson_masses(process, parameters.as_dict())
        self.line = line
        self.parameters = parameters
        self.threads = threads

    def identity(self) -> ProviderRecord:
        parameters = self.parameters.of_line(self.line)
        return ProviderRecord(name="native", version=VERSION, options={"colour": "full"}, parameters=parameters)

    @property
    @abstractmethod
    def alpha_s_power(self) -> int:
        """|M|^2 is proportional to this power of alpha_s."""

    @property
    @abstractmethod
    def _flow_weight(self) -> float:
        """What the square of one colour flow counts at leading colour."""

    @abstractmethod
    def _flow_tags(self) -> npt.NDArray[np.int32]:
        """Colour and anticolour line of every leg, for every flow; shape (flows, n_external, 2)."""

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
            values *= (couplings / self.parameters.alpha_s) ** self.alpha_s_power
        return values

    def squared_orderings(self, momenta: npt.ArrayLike) -> FloatArray:
        """Every flow's square at leading colour, averaged like |M|^2; shape (n, flows)."""
        return self._evaluate(momenta, squares=True) * self._flow_weight

    def leading_colour(self, momenta: npt.ArrayLike) -> FloatArray:
        """|M|^2 at leading colour, the sum of the squared flows; shape (n,)."""
        return np.asarray(self.squared_orderings(momenta).sum(axis=1))

    def colour_flows(self, momenta: npt.ArrayLike, uniforms: FloatArray) -> npt.NDArray[np.int32]:
        """Colour flows, drawn in proportion to their squares.

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
        return np.asarray(self._flow_tags()[np.minimum(chosen, squares.shape[1] - 1)])

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
