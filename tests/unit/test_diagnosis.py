"""`ampcli doctor`: what it finds, and what it says of an installation that does not work."""

from __future__ import annotations

import errno
import importlib
import importlib.metadata
import json
import platform
import shutil
import sys
from pathlib import Path

import pytest
import torch

from ampcli import instructions
from ampcli.amplitudes.native.provider import Native
from ampcli.amplitudes.providers import PROVIDERS
from ampcli.cli.main import run
from ampcli.device import usable_cores
from ampcli.shipped import shipped_folder


@pytest.fixture
def one_provider(monkeypatch):
    """Only the provider native, which has no code to make."""
    monkeypatch.setattr(PROVIDERS, "_ours", {"native": PROVIDERS._ours["native"]})


@pytest.fixture
def fresh_engine():
    """The engine is looked for again, before and after."""
    for cached in (instructions.compiled_module, instructions.instruction_set):
        cached.cache_clear()
    yield
    for cached in (instructions.compiled_module, instructions.instruction_set):
        cached.cache_clear()


def findings(capsys, *options):
    assert run(["doctor", "--json", *map(str, options)]) == 0
    return json.loads(capsys.readouterr().out)


def failure(capsys, code=1):
    assert run(["doctor"]) == code
    return capsys.readouterr().err


def test_findings(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("AMPCLI_REGISTRY", str(tmp_path))
    found = findings(capsys)
    for package in ("ampcli", "torch", "numpy", "zarr", "pyamplicol", "safetensors"):
        assert found[package] == importlib.metadata.version(package)
    assert found["python"] == platform.python_version()
    assert found["usable cores"] == usable_cores()
    assert found["threads"] == torch.get_num_threads()
    assert found["registry"] == f"{tmp_path}, {shipped_folder('registry')}"
    free = shutil.disk_usage(found["cache"]).free / 2**30
    assert float(found["cache free"].removesuffix(" GiB")) == pytest.approx(free, abs=2)
    assert found["amplitudes"] == "ok (native and pyamplicol agree on e- e+ > d d~ g)"
    assert found["providers"].split(", ") == [f"{kind.name} {kind.version}" for kind in PROVIDERS]
    assert found["instruction set"] in ("baseline", "avx2", "avx512")


def test_every_finding_is_a_line(one_provider, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    found = findings(capsys)
    assert [line.split("  ")[0].strip() for line in lines] == list(found)
    by_hand = dict(zip(found, (line[max(map(len, found)) :].strip() for line in lines), strict=True))
    assert by_hand["registry"] == f"./registry (not there), {shipped_folder('registry')}"
    assert by_hand["amplitudes"] == "ok (native)"


def test_a_package_that_is_missing(one_provider, monkeypatch, capsys):
    real = importlib.metadata.version

    def version(package):
        if package in ("mplhep", "pyamplicol"):
            raise importlib.metadata.PackageNotFoundError(package)
        return real(package)

    monkeypatch.setattr(importlib.metadata, "version", version)
    found = findings(capsys)
    assert "pyamplicol" not in found
    assert found["zarr"] == real("zarr")
    assert found["extra plots"] == 'mplhep not installed: plots. Install it: pip install "ampcli[plots]".'
    assert found["extra pyamplicol"].startswith("pyamplicol not installed: ")
    assert found["extra hdf5"] == f"pylhe {real('pylhe')}"


@pytest.mark.usefixtures("one_provider", "fresh_engine")
def test_an_engine_that_was_not_compiled(monkeypatch, capsys):
    for name in [name for name in sys.modules if name.startswith("ampcli.amplitudes.native._")]:
        monkeypatch.delitem(sys.modules, name)
    real = importlib.import_module

    def without_engine(name, package=None):
        if name.startswith("ampcli.amplitudes.native._"):
            raise ImportError("no such file")
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", without_engine)
    said = failure(capsys)
    assert "the compiled modules of ampcli cannot be loaded: no such file" in said
    assert "C++17 compiler" in said


def test_providers_that_disagree(monkeypatch, capsys):
    real = Native.evaluate
    monkeypatch.setattr(Native, "evaluate", lambda self, momenta, **how: real(self, momenta, **how) * (1 + 1e-8))
    said = failure(capsys)
    assert "the providers native and pyamplicol disagree on e- e+ > d d~ g" in said
    assert "Install ampcli again" in said


def test_a_cache_that_cannot_be_written(one_provider, tmp_path, monkeypatch, capsys):
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setenv("AMPCLI_CACHE", str(file / "cache"))
    said = failure(capsys)
    assert str(file / "cache") in said
    assert said.count("ampcli: error") == 1


def test_a_cache_on_a_read_only_disk(one_provider, tmp_path, monkeypatch, capsys):
    def refuse(path, data):
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setenv("AMPCLI_CACHE", str(tmp_path))
    monkeypatch.setattr(Path, "write_bytes", refuse)
    said = failure(capsys)
    assert f"the cache {tmp_path} cannot be written: Read-only file system" in said
    assert "Set AMPCLI_CACHE" in said


def test_nothing_is_left_in_the_cache(one_provider, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("AMPCLI_CACHE", str(tmp_path / "cache"))
    assert findings(capsys)["cache"] == str(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []
