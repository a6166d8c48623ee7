"""``python -m ampcli.amplitudes.library_child FOLDER``: calls a shared library for `ampcli.amplitudes.library_process`.

The library may crash, hang or end the process.  Requests and answers go through a socket that stands in the place of
stdin; stdout and stderr are for what the library prints.  When the other end of the socket is closed, this process
ends, in the middle of a call as well, and FOLDER with it.

The first request is a line of JSON, and so is its answer.  Then each request is a number of points (int64) and their
momenta (float64); its answer is three float64 for each point: value, accuracy, and a code that is 0 if all is well.
"""

from __future__ import annotations

import ctypes
import json
import math
import os
import resource
import select
import shutil
import signal
import socket
import struct
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from ctypes import byref, c_double, c_int, c_size_t, c_void_p
from pathlib import Path
from typing import Any

from ampcli.amplitudes.blha import find_subprocess
from ampcli.errors import AmpcliError, UsageError

Asked = dict[str, Any]

_ROOM = 256  # numbers that a library may write for one point; the accord needs up to four here


class _Library(ABC):
    """A library that was loaded and started.

    Args:
        asked: the first request; folder: for files.

    Attributes:
        numbers: that stand for a point in a request.
    """

    def __init__(self, asked: Asked, folder: Path) -> None:
        try:
            self._c = ctypes.CDLL(asked["library"])
        except OSError as error:
            raise AmpcliError(f"it cannot be loaded: {error}") from None

    @property
    @abstractmethod
    def numbers(self) -> int: ...

    @abstractmethod
    def answer(self, momenta: bytearray, count: int, send: Callable[[bytes], None]) -> None:
        """Evaluate points, and send what was found."""

    def _has(self, name: str) -> bool:
        return hasattr(self._c, name)

    def _require(self, *names: str) -> None:
        if missing := [name for name in names if not self._has(name)]:
            raise UsageError(f"it has no function {missing[0]}")


class Olp(_Library):
    """A library of the Binoth Les Houches accord; points are called one by one."""

    def __init__(self, asked: Asked, folder: Path) -> None:
        super().__init__(asked, folder)
        self._require("OLP_Start", "OLP_EvalSubProcess2")
        self._codes: list[int] = asked["codes"]
        self._place: int = asked["place"]
        contract = self._start(asked, folder)
        self._label, self._order = find_subprocess(contract, self._codes, asked["amplitude"])
        for name, value, needed in asked["parameters"]:
            self._set(name, value, needed)
        self._mu = c_double(asked["mu_r"])

    @property
    def numbers(self) -> int:
        return 5 * len(self._codes)

    def _start(self, asked: Asked, folder: Path) -> str:
        """Order and start; the contract."""
        order, contract = folder / "order.lh", folder / "contract.lh"
        order.write_text(asked["order"])
        code = c_int(-1)
        if self._has("OLP_Order"):
            self._c.OLP_Order(os.fsencode(order), os.fsencode(contract), byref(code))
            if contract.is_file():
                find_subprocess(contract.read_text(errors="replace"), self._codes, asked["amplitude"])
            if code.value != 1 or not contract.is_file():
                raise UsageError(f"OLP_Order does not accept the order (code {code.value})")
        else:  # some answer the order in OLP_Start
            shutil.copyfile(asked["contract"] or order, contract)
        code.value = -1
        self._c.OLP_Start(os.fsencode(contract), byref(code))
        text = contract.read_text(errors="replace")
        if code.value != 1:
            find_subprocess(text, self._codes, asked["amplitude"])
            raise UsageError(f"OLP_Start does not accept the contract (code {code.value})")
        return text

    def _set(self, name: str, value: float, needed: bool) -> None:
        """Set a parameter; one that is not `needed` may be without effect."""
        if not self._has("OLP_SetParameter"):
            if needed:
                raise UsageError(f"it has no function OLP_SetParameter: {name} cannot be set")
            return
        code = c_int(-1)
        self._c.OLP_SetParameter(name.encode(), byref(c_double(value)), byref(c_double(0.0)), byref(code))
        if code.value != 1 and (needed or code.value != 2):
            why = "does not know it, or does not depend on it" if code.value == 2 else "does not take this value"
            raise UsageError(f"{name} = {value:g} cannot be set: the library {why} (code {code.value})")

    def answer(self, momenta: bytearray, count: int, send: Callable[[bytes], None]) -> None:
        legs = len(self._codes)
        ordered, result, accuracy = (c_double * (5 * legs))(), (c_double * _ROOM)(), c_double()
        label, given = c_int(self._label), (c_double * (5 * legs * count)).from_buffer(momenta)
        for point in range(count):
            for place, leg in enumerate(self._order):
                for k in range(5):
                    ordered[5 * place + k] = given[5 * (point * legs + leg) + k]
            result[self._place], accuracy.value = math.nan, -1.0
            self._c.OLP_EvalSubProcess2(byref(label), ordered, byref(self._mu), result, byref(accuracy))
            send(struct.pack("=3d", result[self._place], accuracy.value, 0.0))


# Of UMAMI, major version 1: keys of metadata and inputs, and what we give for an input that a library needs.
_DEVICE, _PARTICLES, _MASSES = 0, 1, 5
_MOMENTA, _ALPHA_S, _FLAVOUR = 0, 1, 2
_RANDOM = (3, 4, 5)  # of colour, helicity, diagram: they choose, and change no |M|^2
_CPU = 0


class Umami(_Library):
    """A library of the interface UMAMI; all points of a request are one call."""

    def __init__(self, asked: Asked, folder: Path) -> None:
        super().__init__(asked, folder)
        self._require("umami_initialize", "umami_get_meta", "umami_matrix_element", "umami_free")
        self._masses: list[float] = asked["masses"]
        self._check_meta()
        self._handle = c_void_p()
        if status := self._c.umami_initialize(byref(self._handle), os.fsencode(asked["card"])):
            raise UsageError(f"umami_initialize failed (code {status}, parameter card {asked['card'] or 'none'})")
        self._inputs = self._inputs_of(asked)
        for name, value, _ in asked["parameters"]:
            if name != "alpha_s":
                self._set(name, value)
        self._alpha_s: float = asked["alpha_s"]

    @property
    def numbers(self) -> int:
        return 4 * len(self._masses)

    def _check_meta(self) -> None:
        device, particles = c_int(_CPU), c_int(-1)
        if self._c.umami_get_meta(_DEVICE, byref(device)) == 0 and device.value != _CPU:
            raise UsageError("it computes on a GPU", "Take a library for the CPU.")
        if status := self._c.umami_get_meta(_PARTICLES, byref(particles)):
            raise UsageError(f"it does not say how many particles its process has (code {status})")
        if particles.value != len(self._masses):
            raise UsageError(f"its process has {particles.value} legs, and this one {len(self._masses)}")
        masses = (c_double * len(self._masses))()
        if self._c.umami_get_meta(_MASSES, masses) == 0:
            for leg, (theirs, ours) in enumerate(zip(masses, self._masses, strict=True)):
                if not abs(theirs - ours) <= 1e-6 * (1.0 + ours):
                    raise UsageError(f"leg {leg} of its process has {theirs:.8g} GeV, and of this one {ours:.8g} GeV")

    def _flags(self, function: str) -> set[int] | None:
        """The keys that an optional function lists; None where it does not exist."""
        if not self._has(function):
            return None
        flags, count = ctypes.POINTER(ctypes.c_bool)(), c_int(0)
        if getattr(self._c, function)(byref(flags), byref(count)):
            return None
        return {key for key in range(count.value) if flags[key]}

    def _inputs_of(self, asked: Asked) -> list[int]:
        supported, required = self._flags("umami_supported_inputs"), self._flags("umami_required_inputs") or set()
        inputs = {_MOMENTA, *required}
        if supported is None or _ALPHA_S in supported:
            inputs.add(_ALPHA_S)
        elif any(name == "alpha_s" and needed for name, _, needed in asked["parameters"]):
            raise UsageError("alpha_s cannot be set: the library does not take it")
        if unknown := inputs - {_MOMENTA, _ALPHA_S, _FLAVOUR, *_RANDOM}:
            raise UsageError(f"it needs inputs that ampcli does not have (keys {sorted(unknown)} of UMAMI)")
        return sorted(inputs)

    def _set(self, name: str, value: float) -> None:
        if not self._has("umami_set_parameter"):
            raise UsageError(f"it has no function umami_set_parameter: {name} cannot be set")
        status = self._c.umami_set_parameter(self._handle, name.encode(), c_double(value), c_double(0.0))
        if status:
            raise UsageError(f"{name} = {value:g} cannot be set: the library does not take it (code {status})")

    def answer(self, momenta: bytearray, count: int, send: Callable[[bytes], None]) -> None:
        values = (c_double * count)(*[math.nan] * count)
        buffers: dict[int, Any] = {
            _MOMENTA: (c_double * (self.numbers * count)).from_buffer(momenta),
            _ALPHA_S: (c_double * count)(*[self._alpha_s] * count),
            _FLAVOUR: (c_int * count)(),
            **{key: (c_double * count)(*[0.5] * count) for key in _RANDOM},
        }
        pointers = [ctypes.cast(buffers[key], c_void_p) for key in self._inputs]
        size = len(self._inputs)
        status = self._c.umami_matrix_element(
            self._handle,
            c_size_t(count),
            c_size_t(count),
            c_size_t(0),
            c_size_t(size),
            (c_int * size)(*self._inputs),
            (c_void_p * size)(*pointers),
            c_size_t(1),
            (c_int * 1)(0),
            (c_void_p * 1)(ctypes.cast(values, c_void_p)),
        )
        send(b"".join(struct.pack("=3d", value, -1.0, float(status)) for value in values))


_INTERFACES: dict[str, type[_Library]] = {"olp": Olp, "umami": Umami}


def _end_with_parent(channel: socket.socket, folder: Path) -> None:
    watch = select.poll()
    watch.register(channel, 0)  # that the other end was closed is always told
    watch.poll()
    _leave(folder)


def _leave(folder: Path) -> None:
    """End this process and all that the library started."""
    shutil.rmtree(folder, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def _clear_output() -> None:
    """What was printed so far is of no interest any more, and must not fill the disk."""
    ctypes.CDLL(None).fflush(None)
    for number in (1, 2):
        os.ftruncate(number, 0)


def main(folder: Path) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash is no news
    channel = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    threading.Thread(target=_end_with_parent, args=(channel, folder), daemon=True).start()
    with channel.makefile("rb") as requests:
        if not (line := requests.readline()):
            _leave(folder)
        asked = json.loads(line)
        try:
            library = _INTERFACES[asked["interface"]](asked, folder)
        except AmpcliError as error:
            ctypes.CDLL(None).fflush(None)
            told = {"what": error.what, "hint": error.hint, "usage": isinstance(error, UsageError)}
            channel.sendall(json.dumps(told).encode() + b"\n")
            return
        channel.sendall(b"{}\n")
        while header := requests.read(8):
            _clear_output()
            (count,) = struct.unpack("=q", header)
            library.answer(bytearray(requests.read(8 * count * library.numbers)), count, channel.sendall)
    _leave(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
