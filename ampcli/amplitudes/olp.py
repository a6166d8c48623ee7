"""Libraries of the Binoth Les Houches accord, version 2 (``olp:LIBRARY[:VALUE]``, arXiv:1308.3462)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ampcli.amplitudes.blha import order_text
from ampcli.amplitudes.protocol import Limits
from ampcli.amplitudes.shared_library import ALPHA_S, Interface, LibraryKind
from ampcli.errors import UsageError, setting
from ampcli.kinematics import FloatArray
from ampcli.process import PARTICLES, Process

#: What is stored: AmplitudeType, and the place of the number in what the library returns.
VALUES = {"tree": ("Tree", 0), "finite": ("Loop", 2), "born": ("Loop", 3)}

_TOGETHER = 256  # points of a request

#: Our names of parameters, and those of the accord, which are taken as well.
_NAMES = {
    "alpha_s": "alphas",
    "alpha_ew": "alpha",
    "m_z": "mass(23)",
    "gamma_z": "width(23)",
    "gamma_w": "width(24)",
    "sin2_theta_w": "sw2",
}
_SCALE = "mu_r"


class OlpKind(LibraryKind):
    """A library and the number that is taken from it."""

    usage = f"olp:LIBRARY[:VALUE], with VALUE {', '.join(VALUES)}"

    def __init__(self, library: str | None = None, value: str = "tree", limits: Limits | None = None) -> None:
        super().__init__(library, signed=value == "finite", limits=limits)
        self.value = value
        self.name = "olp" if library is None else f"olp:{library}" + ("" if value == "tree" else f":{value}")

    def of(self, argument: str) -> OlpKind:
        """The kind of ``LIBRARY[:VALUE]``; without a library, that of none."""
        library, _, value = argument.rpartition(":")
        return OlpKind(library, value) if library and value in VALUES else OlpKind(argument or None)

    def of_either_sign(self) -> OlpKind:
        return self if self.signed else super().of_either_sign()  # type: ignore[return-value]

    def within(self, limits: Limits) -> OlpKind:
        return OlpKind(self.library, self.value, limits)

    @property
    def beside(self) -> tuple[Path, ...]:
        """The contract of a library that answers no orders: ``LIBRARY.lh``."""
        contract = self.path.with_name(f"{self.path.name}.lh")
        return (contract,) if contract.is_file() else ()

    def defaults(self, process: Process) -> dict[str, float]:
        scale = {_SCALE: PARTICLES["z"].mass} if VALUES[self.value][0] == "Loop" else {}
        return {"alpha_s": ALPHA_S, **scale}

    def interface(self, process: Process, parameters: Mapping[str, float], given: set[str]) -> Interface:
        amplitude, place = VALUES[self.value]
        told = dict(parameters)
        scale = told.pop(_SCALE, PARTICLES["z"].mass)
        if _SCALE in given and amplitude == "Tree":
            raise UsageError(f"{self.name}: {_SCALE} has no effect on trees", "Leave it out.")
        if not scale > 0:
            raise UsageError(f"{self.name}: {_SCALE} = {scale:g}: a positive scale in GeV is needed")
        _require_masses(told, process)
        qcd = max(process.alpha_s_power, 0)
        codes = [leg.pdg for leg in process.legs]
        masses = np.array([leg.mass for leg in process.legs])

        def pack(momenta: FloatArray) -> bytes:
            with_masses = np.empty((len(momenta), len(masses), 5))
            with_masses[..., :4], with_masses[..., 4] = momenta, masses
            return with_masses.tobytes()

        asked = {
            "interface": "olp",
            "library": str(self.path),
            "contract": next((str(file) for file in self.beside), None),
            "order": order_text(codes, amplitude, qcd, len(codes) - 2 - qcd),
            "codes": codes,
            "amplitude": amplitude,
            "place": place,
            "parameters": [(_NAMES.get(name, name), value, name in given) for name, value in told.items()],
            "mu_r": scale,
        }
        return Interface(asked, pack, _TOGETHER, is_one_call=False)


def _require_masses(parameters: Mapping[str, float], process: Process) -> None:
    """Masses by their names in the accord must be those of the momenta."""
    for leg in process.legs:
        if (mass := parameters.get(name := f"mass({abs(leg.pdg)})")) not in (None, leg.mass):
            other = f"Give {setting('parameter')} m_z={mass:g}." if leg.name == "z" else "Leave it out."
            raise UsageError(f'{name} = {mass:g}, where {leg.name} of "{process}" has {leg.mass:g} GeV', other)


OLP = OlpKind()
