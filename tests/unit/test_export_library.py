"""`ampcli export` of a process: a whole folder, which a compiler alone can use, with Python's numbers."""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from c_library import COMPILER, FOLDER, OUTSIDE, ROOT, Model

from ampcli.amplitudes.native.provider import Native
from ampcli.cli.main import run
from ampcli.inference.load import load_predictor
from ampcli.inference.probe import PROBE_TOLERANCE
from ampcli.kinematics import with_beams
from ampcli.library.bundle import read_bundle
from ampcli.library.folder import INTERFACE
from ampcli.phasespace.rambo import rambo
from ampcli.process import parse_process
from ampcli.registry.resolve import resolve
from ampcli.registry.storage import read_probe

PROCESS = "e- e+ > d d~ g g"
EXAMPLES = ROOT / "examples"
FORTRAN = shutil.which("gfortran")


def events(n: int) -> np.ndarray:
    return with_beams(np.ascontiguousarray(rambo(np.random.default_rng(2).random((n, 4, 4)), 1000.0)))


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("exported") / "ee4"
    assert run(["export", PROCESS, str(out)]) == 0
    return out


def test_the_folder(exported):
    manifest = json.loads((exported / "manifest.json").read_text())
    names = {"model.bundle", "libampcli.so", "ampcli.h", "ampcli.f90"}
    assert names | {"manifest.json"} == {path.name for path in exported.iterdir()}
    assert set(manifest["files"]) == names
    for name, sha256 in manifest["files"].items():
        assert hashlib.sha256((exported / name).read_bytes()).hexdigest() == sha256
    content = read_bundle((exported / "model.bundle").read_bytes())
    assert manifest["process"] == content["process"] == PROCESS
    assert manifest["digest"] == content["digest"]
    assert manifest["pdg"] == [11, -11, 1, -1, 21, 21]
    assert manifest["kind"] == "exact"
    assert f"#define AMPCLI_VERSION {manifest['interface']} " in (exported / "ampcli.h").read_text()
    assert manifest["interface"] == INTERFACE


def test_parameters(tmp_path, capsys):
    arguments = ["--parameter", "m_z=80", "--parameter", "alpha_s=0.13", "--json"]
    assert run(["export", "d d~ > z g", str(tmp_path / "zg"), *arguments]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["masses"] == [0, 0, 80, 0]
    assert document["provider"]["parameters"]["alpha_s"] == 0.13
    with Model((tmp_path / "zg/model.bundle").read_bytes(), library=tmp_path / "zg/libampcli.so") as model:
        assert model.info().alpha_s == 0.13


def test_the_same_process_is_the_same_bundle(exported, tmp_path):
    assert run(["export", PROCESS, str(tmp_path / "again")]) == 0
    for path in exported.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


def test_a_trained_model(tmp_path):
    registry = ROOT / "registry"
    out = tmp_path / "zgggg"
    assert run(["export", "ddx-zgggg-pair", str(out), "--registry", str(registry)]) == 0
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["kind"] == "surrogate"
    assert manifest["name"] == manifest["model"]
    assert manifest["provider"]["name"] == "native"
    predictor = load_predictor("ddx-zgggg-pair", registry, "cpu")
    folder = resolve(registry, manifest["model"])
    momenta = with_beams(read_probe(folder, predictor.manifest)["momenta"].numpy())
    with Model((out / "model.bundle").read_bytes(), library=out / "libampcli.so") as model:
        values, errors, flags = model.evaluate(momenta)
    expected = predictor.predict(momenta)
    np.testing.assert_allclose(values, expected.amplitude, rtol=PROBE_TOLERANCE)
    np.testing.assert_allclose(errors, expected.uncertainty / expected.amplitude, rtol=2 * PROBE_TOLERANCE)
    np.testing.assert_array_equal(flags & OUTSIDE > 0, expected.outside)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["d d~ > z z", "new"], "do not cover"),
        (["u d > z u d", "new"], "one quark line"),
        (["d d~ > z g", "new", "--seed", "2"], "--seed has no effect without a store"),
        (["d d~ > z g", "new", "--parameter", "alpha_s=-1"], "it must be positive"),
        (["d d~ > z g", "new", "--parameter", "m_h=125"], 'no parameter "m_h"'),
        (["s.zarr", "s.lhe", "--parameter", "m_z=80"], "--parameter has no effect without a process"),
        (["d d~ > z g", "taken"], "taken is there already"),
        (["ddx-zgggg-pair", "taken", "--registry", str(ROOT / "registry")], "taken is there already"),
        (["d d~ > z g", "file"], "file is there already"),
    ],
)
def test_what_is_refused(tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/mine").write_text("mine")
    (tmp_path / "file").write_text("mine")
    assert run(["export", *words]) == 2
    assert message in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "taken"]
    assert [path.name for path in (tmp_path / "taken").iterdir()] == ["mine"]


def test_a_folder_that_cannot_be_made(tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    assert run(["export", PROCESS, str(tmp_path / "file/new")]) == 1
    assert "cannot write to" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_pipe_is_no_model(exported, tmp_path):
    os.mkfifo(tmp_path / "pipe.bundle")
    library = ctypes.CDLL(str(exported / "libampcli.so"))
    handle = ctypes.c_void_p()
    assert library.ampcli_open(str(tmp_path / "pipe.bundle").encode(), ctypes.byref(handle)) == 2
    assert not handle


def test_events_of_the_examples():
    provider = Native(parse_process("d d~ > z g g"))
    momenta = np.loadtxt(EXAMPLES / "zgg.txt").reshape(-1, 5, 4)
    assert len(momenta) == 3
    assert (provider.evaluate(momenta) > 0).all()


def amplitudes(program: Path, exported: Path, momenta: np.ndarray) -> list[str]:
    """What an example prints of events, without its heading."""
    text = "\n".join(" ".join(f"{x:.17g}" for x in leg) for leg in momenta.reshape(-1, 4))
    words = [program, exported / "model.bundle"]
    done = subprocess.run(words, input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    heading, *lines = done.stdout.splitlines()
    assert heading.startswith(f"# {PROCESS} (exact, ")
    return lines


def check_example(program: Path, exported: Path) -> None:
    momenta = events(7)
    momenta[3, 2, 1] += 5.0
    lines = amplitudes(program, exported, momenta)
    assert lines.pop(3).strip() == "not physical"
    expected = Native(parse_process(PROCESS)).evaluate(np.delete(momenta, 3, axis=0))
    np.testing.assert_allclose([float(line.split()[0]) for line in lines], expected, rtol=1e-12)
    failing = subprocess.run([program, exported / "ampcli.h"], capture_output=True, text=True, input="")
    assert failing.returncode == 1
    assert "no bundle of ampcli" in failing.stderr


def test_a_cpp_program_needs_the_folder_alone(exported, tmp_path):
    flags = ["-Wall", "-Wextra", "-Werror", "-g", "-fsanitize=address,undefined", f"-Wl,-rpath,{exported}"]
    words = [COMPILER, *flags, EXAMPLES / "cpp/main.cpp", f"-I{exported}", f"-L{exported}", "-lampcli"]
    subprocess.run([*words, "-o", tmp_path / "amplitudes"], check=True)
    check_example(tmp_path / "amplitudes", exported)


def test_the_header_is_c(exported, tmp_path):
    source = tmp_path / "main.c"
    source.write_text('#include "ampcli.h"\nint main(void) { return ampcli_open("", 0) != AMPCLI_BAD_ARGUMENT; }\n')
    compiler = shutil.which("gcc") or shutil.which("cc")
    flags = ["-std=c99", "-pedantic", "-Wall", "-Werror", f"-I{exported}", f"-L{exported}", f"-Wl,-rpath,{exported}"]
    subprocess.run([compiler, *flags, source, "-lampcli", "-o", tmp_path / "main"], check=True)
    subprocess.run([tmp_path / "main"], check=True)


@pytest.mark.skipif(FORTRAN is None, reason="no Fortran compiler (apt-get install gfortran)")
def test_a_fortran_program_needs_the_folder_alone(exported, tmp_path):
    flags = ["-std=f2018", "-Wall", "-Werror", "-fcheck=all", f"-Wl,-rpath,{exported}", f"-J{tmp_path}"]
    sources = [exported / "ampcli.f90", EXAMPLES / "fortran/main.f90"]
    subprocess.run([FORTRAN, *flags, *sources, f"-L{exported}", "-lampcli", "-o", tmp_path / "amplitudes"], check=True)
    check_example(tmp_path / "amplitudes", exported)


def test_the_library_that_is_exported_is_the_installed_one(exported):
    assert (exported / "libampcli.so").read_bytes() == (FOLDER / "libampcli.so").read_bytes()
