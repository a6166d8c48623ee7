"""Code of one instruction set is never used by another: what units of the library show to the linker."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import ampcli.library

ROOT = Path(ampcli.library.__path__[0]).parents[1]
FLAGS = {"baseline": [], "avx2": ["-mavx2", "-mfma"], "avx512": ["-mavx512f", "-mavx512dq", "-mavx512vl", "-mfma"]}
LANES = {"baseline": 2, "avx2": 4, "avx512": 8}

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="one instruction set")


@pytest.mark.parametrize("name", FLAGS)
@pytest.mark.parametrize("unit", ["ampcli/library/exact.cpp"])
def test_a_unit_shares_no_inline_code(tmp_path, unit, name):
    compiler = shutil.which("g++") or shutil.which("c++")
    macros = [f"-DAMPCLI_SPACE=ampcli_{name}", f"-DAMPCLI_SET={name}", f"-DAMPCLI_LANES={LANES[name]}"]
    flags = ["-std=c++17", "-O1", "-fPIC", "-fno-math-errno", *FLAGS[name], *macros]
    subprocess.run([compiler, *flags, "-c", ROOT / unit, "-o", tmp_path / "unit.o"], check=True)
    listed = subprocess.run(["nm", "-C", tmp_path / "unit.o"], capture_output=True, text=True, check=True).stdout
    shared = re.findall(r"^\S* [WVu] (.*)$", listed, re.MULTILINE)  # what a linker takes from any unit that has it
    assert any(f"ampcli_{name}::run_as" in symbol for symbol in shared)
    own = re.compile(rf"(\w+ )?ampcli_{name}::")
    assert [symbol for symbol in shared if not own.match(symbol)] == []


def test_the_library_shows_its_functions_only():
    library = Path(ampcli.library.__path__[0]) / "libampcli.so"
    listed = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True).stdout
    names = [line.split()[-1] for line in listed.splitlines()]
    declared = re.findall(r"^AMPCLI_API .*?(\w+)\(", (library.parent / "ampcli.h").read_text(), re.MULTILINE)
    assert sorted(names) == sorted(declared)
    assert len(declared) > 8
