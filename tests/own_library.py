"""Shared libraries that tests compile, and BLHA2 called from Python."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from ctypes import byref, c_double, c_int
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
ONE_LOOP = ROOT / "examples" / "c" / "eeqqg.c"
FAULTY = Path(__file__).parent / "faulty_library.c"
COMPILER = shutil.which("cc")


def compiled(source: Path, target: Path, *macros: str) -> Path:
    """A shared library of a C file, with macros such as ``FAULT=CRASHES``."""
    flags = ["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", *(f"-D{macro}" for macro in macros)]
    subprocess.run([COMPILER, *flags, source, "-o", target, "-lm"], check=True)
    return target


class OneLoop:
    """The example's library in this process: one subprocess of it."""

    def __init__(self, library: Path, codes: str, folder: Path, **parameters: float) -> None:
        self._c = ctypes.CDLL(str(library))
        order, contract = folder / "order.lh", folder / "contract.lh"
        order.write_text(f"InterfaceVersion BLHA2\nAmplitudeType Loop\n{codes}\n")
        code = c_int()
        self._c.OLP_Order(str(order).encode(), str(contract).encode(), byref(code))
        assert code.value == 1, contract.read_text()
        self._c.OLP_Start(str(contract).encode(), byref(code))
        assert code.value == 1
        for name, value in parameters.items():
            accords = {"m_z": "mass(23)", "gamma_z": "width(23)"}.get(name, name)
            self._c.OLP_SetParameter(accords.encode(), byref(c_double(value)), byref(c_double(0)), byref(code))
            assert code.value == 1, name

    def __call__(self, event: np.ndarray, mu: float) -> tuple[np.ndarray, float]:
        """[1/eps^2, 1/eps, finite part, Born] of momenta (5, 4), and their accuracy."""
        momenta = np.zeros((5, 5))
        momenta[:, :4] = event
        result, accuracy = (c_double * 4)(), c_double()
        pointer = momenta.ctypes.data_as(ctypes.c_void_p)
        self._c.OLP_EvalSubProcess2(byref(c_int(1)), pointer, byref(c_double(mu)), result, byref(accuracy))
        return np.array(result), accuracy.value
