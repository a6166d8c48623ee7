"""The real command, on small stores, in folders of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commands import Ampcli, Outcome

__all__ = ["Ampcli", "Outcome"]  # for the annotations of tests

THREE_JETS = "e- e+ > d d~ g"


@pytest.fixture(scope="session")
def ampcli(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Ampcli:
    """The command, run in an empty folder, without settings of the caller."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("AMPCLI_")}
    environment |= {
        "AMPCLI_CACHE": str(pytestconfig.rootpath / ".cache" / "ampcli-tests"),
        "OMP_NUM_THREADS": "1",
    }
    return Ampcli(tmp_path_factory.mktemp("cwd"), environment)


@pytest.fixture(scope="session")
def make_store(ampcli: Ampcli) -> Callable[..., Path]:
    """Generates a store (of three jets) with options, and features if asked for."""

    def make(path: Path, points: object = "1k", *options: object, features: bool = False) -> Path:
        ampcli("gen", THREE_JETS, path, "--points", points, *options)
        if features:
            ampcli("features", path, "fame", "--threads", "1")
        return path

    return make


def _markers(store: Path) -> int:
    """Parts of a store that have their markers."""
    return len(list((store / ".ampcli" / "parts").glob("[0-9]*.json")))


@pytest.fixture(scope="session")
def count_parts() -> Callable[[Path], int]:
    """Counts the finished parts of a store."""
    return _markers


@pytest.fixture(scope="session")
def flip_byte() -> Callable[..., None]:
    """Changes one byte of a file, at a fraction of its length."""

    def flip(file: Path, at: float = 0.5) -> None:
        content = bytearray(file.read_bytes())
        content[int(at * (len(content) - 1))] ^= 0x20
        file.write_bytes(content)

    return flip


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a small file system with options, at a folder of the test; needs root."""
    places: list[Path] = []

    def mount(options: str) -> Path:
        if os.geteuid() != 0:
            pytest.skip("needs root to mount a tmpfs")
        place = tmp_path / f"mount{len(places)}"
        place.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=True, capture_output=True)
        places.append(place)
        return place

    yield mount
    for place in places:
        subprocess.run(["umount", "--lazy", place], check=True, capture_output=True)


@pytest.fixture(scope="session")
def remount() -> Callable[[Path, str], None]:
    """Changes the options of a mounted file system."""

    def change(place: Path, options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", place], check=True, capture_output=True)

    return change
