"""libampcli from Python, through its C interface, and programs that are linked to it."""

from __future__ import annotations

import ctypes
import platform
import shutil
import subprocess
from pathlib import Path
from types import TracebackType

import numpy as np

import ampcli.library

FOLDER = Path(ampcli.library.__path__[0])
ROOT = FOLDER.parents[1]
COMPILER = shutil.which("g++") or shutil.which("c++")

NOT_PHYSICAL, OUTSIDE, EXACT = 1, 2, 4

FLAGS: dict[str, list[str]] = {"baseline": []}
LANES = {"baseline": 2, "avx2": 4, "avx512": 8}
if platform.machine() == "x86_64":
    FLAGS["avx2"] = ["-mavx2", "-mfma"]
    FLAGS["avx512"] = ["-mavx512f", "-mavx512dq", "-mavx512vl", "-mfma"]


def compile_unit(unit: str, name: str, target: Path, flags: list[str]) -> None:
    """One engine for one instruction set, as setup.py compiles it, but with other flags."""
    macros = [f"-DAMPCLI_SPACE=ampcli_{name}", f"-DAMPCLI_SET={name}", f"-DAMPCLI_LANES={LANES[name]}"]
    common = ["-std=c++17", "-fPIC", "-fno-math-errno", *FLAGS[name], *macros, *flags]
    subprocess.run([COMPILER, *common, "-c", ROOT / unit, "-o", target], check=True)


class Info(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("process", ctypes.c_char_p),
        ("kind", ctypes.c_char_p),
        ("digest", ctypes.c_char_p),
        ("legs", ctypes.c_int32),
        ("pdg", ctypes.POINTER(ctypes.c_int32)),
        ("masses", ctypes.POINTER(ctypes.c_double)),
        ("sqrt_s", ctypes.c_double),
        ("alpha_s", ctypes.c_double),
        ("alpha_s_power", ctypes.c_int32),
        ("has_exact", ctypes.c_int32),
        ("instructions", ctypes.c_char_p),
    ]


class CError(Exception):
    """A call returned a code other than 0."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Model:
    """A handle."""

    def __init__(self, bundle: bytes, instructions: str = "", library: Path = FOLDER / "libampcli.so") -> None:
        self.library = ctypes.CDLL(str(library))
        self.library.ampcli_last_error.restype = ctypes.c_char_p
        self.handle = ctypes.c_void_p()
        size = ctypes.c_uint64(len(bundle))
        self._check(
            self.library.ampcli_open_memory(bundle, size, instructions.encode(), ctypes.byref(self.handle)),
        )

    def __enter__(self) -> Model:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self.library.ampcli_close(self.handle)

    def info(self) -> Info:
        info = Info()
        self._check(self.library.ampcli_info(self.handle, ctypes.byref(info)))
        return info

    def evaluate(self, momenta, alpha_s=None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Amplitudes, uncertainties and flags."""
        values, errors, flags = self._outputs(momenta)
        arguments = (_pointer(momenta), _pointer(alpha_s), _pointer(values), _pointer(errors), _pointer(flags))
        self._check(self.library.ampcli_evaluate(self.handle, ctypes.c_int64(len(momenta)), *arguments))
        return values, errors, flags

    def exact(self, momenta, alpha_s=None) -> tuple[np.ndarray, np.ndarray]:
        """Amplitudes and flags."""
        values, _, flags = self._outputs(momenta)
        arguments = (_pointer(momenta), _pointer(alpha_s), _pointer(values), _pointer(flags))
        self._check(self.library.ampcli_exact(self.handle, ctypes.c_int64(len(momenta)), *arguments))
        return values, flags

    def evaluate_or_exact(self, threshold, momenta, alpha_s=None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Amplitudes, uncertainties and flags."""
        values, errors, flags = self._outputs(momenta)
        arguments = (_pointer(momenta), _pointer(alpha_s), _pointer(values), _pointer(errors), _pointer(flags))
        number = ctypes.c_int64(len(momenta))
        self._check(self.library.ampcli_evaluate_or_exact(self.handle, ctypes.c_double(threshold), number, *arguments))
        return values, errors, flags

    @staticmethod
    def _outputs(momenta) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        n = len(momenta)
        return np.full(n, 77.0), np.full(n, 77.0), np.full(n, 77, dtype=np.uint32)

    def _check(self, code: int) -> None:
        if code:
            raise CError(code, self.library.ampcli_last_error().decode())


def _pointer(array):
    return None if array is None else array.ctypes.data_as(ctypes.c_void_p)
