"""Functions of SIMD vectors against those of the C library and closed forms, on every instruction set that is here."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from c_library import COMPILER, FLAGS, LANES, ROOT

from ampcli.instructions import instruction_set

COMPILED = list(FLAGS)[: list(FLAGS).index(instruction_set()) + 1]
SIZES = [0.0, np.inf, 5e-324, 1.8e-308, 2.2e-308, 1e300, 1.7976931348623157e308, 0.5, 1.0, 2.0, 0.66]
AT_ROOTS = [0.7071067811865475, 0.7071067811865476, 1.414213562373095, 1.4142135623730951, 1 - 1e-16, 1 + 3e-16]
EDGES = [*SIZES, *(-x for x in SIZES), *AT_ROOTS, np.nan]


@pytest.fixture(scope="module", params=COMPILED)
def functions(request, tmp_path_factory) -> ctypes.CDLL:
    target = tmp_path_factory.mktemp("simd") / f"{request.param}.so"
    flags = [*FLAGS[request.param], f"-DAMPCLI_LANES={LANES[request.param]}", "-Wno-psabi"]
    flags += ["-std=c++17", "-O2", "-shared", "-fPIC", "-fno-math-errno", "-fno-trapping-math"]
    source = Path(ROOT) / "tests/unit/simd_functions.cpp"
    subprocess.run([COMPILER, *flags, source, "-o", target], check=True)
    library = ctypes.CDLL(str(target))
    library.vector_of_floats.restype = ctypes.c_long
    return library


def in_place(function, x: np.ndarray, *more: np.ndarray) -> np.ndarray:
    found = x.copy()
    function(*(ctypes.c_void_p(array.ctypes.data) for array in (found, *more)), ctypes.c_long(len(x)))
    return found


def require_close(found: np.ndarray, expected: np.ndarray, units: float) -> None:
    """To so many units in the last place; zeros with their signs, infinities and NaN exactly."""
    exact = ~np.isfinite(expected) | (expected == 0)
    np.testing.assert_array_equal(found[exact], expected[exact])
    zero = expected == 0
    np.testing.assert_array_equal(np.signbit(found[zero]), np.signbit(expected[zero]))
    off = np.abs(found[~exact] - expected[~exact]) / np.spacing(np.abs(expected[~exact]))
    assert off.max() <= units


def numbers(rng: np.random.Generator) -> np.ndarray:
    """Of every size and sign, and edges; not a multiple of a vector."""
    sizes = 10.0 ** rng.uniform(-320, 308, 20_000)
    return np.concatenate([rng.choice([-1, 1], len(sizes)) * sizes, rng.normal(0, 1, 20_000), EDGES, [3.0]])


def test_logarithms(functions):
    x = numbers(np.random.default_rng(1))
    x = np.concatenate([x, 1 + np.random.default_rng(2).normal(0, 1e-3, 1001)])
    with np.errstate(all="ignore"):
        require_close(in_place(functions.take_log, x), np.log(x), 2)


def test_exponentials(functions):
    rng = np.random.default_rng(3)
    x = np.concatenate(
        [rng.uniform(-760, 720, 40_000), rng.normal(0, 1, 20_001), EDGES, [709.78, 709.79, -745.1, -745.2]]
    )
    with np.errstate(all="ignore"):
        require_close(in_place(functions.take_exp, x), np.exp(x), 2)


def test_asinh(functions):
    x = numbers(np.random.default_rng(4))
    expected = np.arcsinh(x.astype(np.longdouble)).astype(np.float64)
    require_close(in_place(functions.take_asinh, x), expected, 4)


def test_atan2(functions):
    rng = np.random.default_rng(5)
    y, x = (numbers(rng) for _ in range(2))
    with np.errstate(all="ignore"):
        near = y * (1 + rng.normal(0, 1e-3, len(y)))
    edges = np.array([(a, b) for a in EDGES for b in EDGES]).T
    y, x = np.concatenate([y, y, edges[0]]), np.concatenate([x, near, edges[1]])
    with np.errstate(all="ignore"):
        require_close(in_place(functions.take_atan2, y, x), np.arctan2(y, x), 3)


def of_floats(functions: ctypes.CDLL, name: str, x: np.ndarray) -> np.ndarray:
    assert len(x) % functions.vector_of_floats() == 0
    found = np.empty_like(x)
    arrays = (ctypes.c_void_p(array.ctypes.data) for array in (x, found))
    getattr(functions, name)(*arrays, ctypes.c_long(len(x)))
    return found


def test_activations(functions):
    x = np.concatenate([np.linspace(-8, 8, 4000), np.linspace(-80, 80, 2000)]).astype(np.float32)
    wide = x.astype(np.float64)
    phi, gauss = (
        0.5 * (1 + torch.erf(torch.from_numpy(wide) / np.sqrt(2)).numpy()),
        np.exp(-0.5 * wide**2) / np.sqrt(2 * np.pi),
    )
    bound = 2e-7 * np.maximum(1, np.abs(wide))
    assert (np.abs(of_floats(functions, "gelu", x) - wide * phi) <= bound).all()
    assert (np.abs(of_floats(functions, "gelu_slope", x) - (phi + wide * gauss)) <= 4e-7).all()
    assert (np.abs(of_floats(functions, "tanh_of", x) - np.tanh(wide)) <= 3e-7).all()


def test_trainings_and_predictions_have_one_gelu(functions):
    x = np.linspace(-5.29, 60, 40_000, dtype=np.float32)
    np.testing.assert_array_equal(of_floats(functions, "gelu", x), of_floats(functions, "gelu_in_training", x))
