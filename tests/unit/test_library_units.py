"""Code of one instruction set is never used by another: what units of the library show to the linker."""

from __future__ import annotations

import re
import subprocess

import pytest
from c_library import FLAGS, FOLDER, compile_unit


@pytest.mark.parametrize("name", FLAGS)
@pytest.mark.parametrize("unit", ["ampcli/library/exact.cpp", "ampcli/library/surrogate.cpp"])
def test_a_unit_shares_no_inline_code(tmp_path, unit, name):
    compile_unit(unit, name, tmp_path / "unit.o", ["-O1"])
    listed = subprocess.run(["nm", "-C", tmp_path / "unit.o"], capture_output=True, text=True, check=True).stdout
    shared = re.findall(r"^\S* [WVu] (.*)$", listed, re.MULTILINE)  # what a linker takes from any unit that has it
    assert any(f"ampcli_{name}::run_as" in symbol for symbol in shared)
    # What is named after a set, be it an argument of a template, is of that set; DW.ref.* are addresses, and no code.
    own = re.compile(rf"\bampcli_{name}::|^DW\.ref\.")
    assert [symbol for symbol in shared if not own.search(symbol)] == []


def test_the_library_shows_its_functions_only():
    library = FOLDER / "libampcli.so"
    listed = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True).stdout
    names = [line.split()[-1] for line in listed.splitlines()]
    sources = "".join((FOLDER / name).read_text() for name in ("ampcli.h", "umami.cpp", "blha.cpp"))
    declared = re.findall(r"^AMPCLI_API .*?(\w+)\(", sources, re.MULTILINE)
    assert sorted(names) == sorted(declared)
    assert {"ampcli_open", "umami_free", "OLP_Start"} < set(declared)
