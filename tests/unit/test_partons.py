"""Parton densities against their grid file and sum rules; the running coupling; where densities are found."""

from __future__ import annotations

import hashlib
import math
import sys
from pathlib import Path

import numpy as np
import pytest

from ampcli.errors import AmpcliError, NotFoundError
from ampcli.phasespace.partons import density, file_sha256, find_pdf, require_madspace
from ampcli.phasespace.running_coupling import running_alpha_s

pytest.importorskip("madspace")

SET = "NNPDF23_lo_as_0130_qed"
M_Z = 91.188
QUARKS = [-5, -4, -3, -2, -1, 1, 2, 3, 4, 5]


@pytest.fixture(scope="module")
def file():
    return find_pdf(SET)


def moment(file, pdg, power, scale=100.0):
    """The integral of x^power f over x, by Gauss-Legendre quadrature in log x."""
    nodes, weights = np.polynomial.legendre.leggauss(100)
    ends = np.log([1e-9, 1e-6, 1e-4, 1e-2, 0.1, 0.3, 0.6, 1.0])
    half = np.diff(ends)[:, None] / 2
    x = np.exp(ends[:-1, None] + half * (1 + nodes)).ravel()
    return float(((half * weights).ravel() * x ** (power + 1) * density(file, pdg, x, np.full(len(x), scale))).sum())


@pytest.mark.parametrize("at_z", [0.118, 0.130])
def test_alpha_s_at_the_z(at_z):
    assert running_alpha_s(np.array([M_Z]), at_z) == pytest.approx(at_z, rel=1e-14)


def test_alpha_s_falls_and_keeps_its_shape():
    scale = np.geomspace(5.0, 1e4, 200)
    coupling = running_alpha_s(scale, 0.130)
    assert coupling.shape == scale.shape
    assert (np.diff(coupling) < 0).all()
    assert running_alpha_s(np.array([1000.0]), 0.130) == pytest.approx(0.0942112, abs=1e-7)  # by hand


@pytest.mark.parametrize("at_z", [0.118, 0.130])
def test_one_loop_running(at_z):
    log2 = 2 * np.log(np.geomspace(10.0, 1e4, 40))  # ln mu^2
    step = 1e-4
    above, below = (running_alpha_s(np.exp((log2 + sign * step) / 2), at_z) for sign in (1, -1))
    flavours = 5
    beta = -(11 - 2 * flavours / 3) / (4 * math.pi) * running_alpha_s(np.exp(log2 / 2), at_z) ** 2
    np.testing.assert_allclose((above - below) / (2 * step), beta, rtol=1e-7)


@pytest.mark.parametrize("scale", [10.0, 100.0])
def test_momentum_sum_rule(file, scale):
    assert sum(moment(file, pdg, 1, scale) for pdg in [*QUARKS, 21]) == pytest.approx(1.0, abs=0.015)


@pytest.mark.parametrize(("quark", "number"), [(1, 1), (2, 2), (3, 0), (4, 0), (5, 0)])
def test_valence_sum_rules(file, quark, number):
    assert moment(file, quark, 0) - moment(file, -quark, 0) == pytest.approx(number, abs=0.02)


@pytest.mark.parametrize("pdg", [-2, 1, 2, 5, 21])
def test_densities_at_the_knots_of_the_grid(file, pdg):
    lines = file.read_text().split("---\n")[1].splitlines()
    xs, scales = (np.array(line.split(), dtype=float) for line in lines[:2])
    column = lines[2].split().index(str(pdg))
    table = np.array([row.split()[column] for row in lines[3:]], dtype=float).reshape(len(xs), len(scales))
    i, j = np.meshgrid(np.arange(5, len(xs) - 1, 7), np.arange(3, len(scales) - 1, 5), indexing="ij")
    i, j = i.ravel(), j.ravel()
    expected = np.maximum(table[i, j], 0) / xs[i]
    # knots are printed with seven digits, at which the densities of large x change quickly
    np.testing.assert_allclose(density(file, pdg, xs[i], scales[j]), expected, rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("pdg", [*QUARKS, 21])
def test_densities_are_never_negative(file, pdg, rng):
    x = np.concatenate([10.0 ** rng.uniform(-9, 0, 20_000), 1 - 10.0 ** rng.uniform(-6, -1, 20_000)])
    found = density(file, pdg, x, 10.0 ** rng.uniform(0.5, 4, len(x)))
    assert found.shape == x.shape
    assert np.isfinite(found).all()
    assert (found >= 0).all()
    assert (found > 0).mean() > 0.5


def test_valence_quarks_dominate_at_large_x(file):
    x, scale = np.full(3, 0.4), np.array([20.0, 200.0, 2000.0])
    f = {pdg: density(file, pdg, x, scale) for pdg in (-2, -1, 1, 2, 21)}
    assert (f[2] > f[1]).all()
    assert (f[1] > 5 * f[-1]).all()
    assert (np.diff(f[2]) < 0).all()  # evolution


def test_a_parton_that_the_grid_lacks(file):
    for _ in range(2):
        with pytest.raises(NotFoundError, match="has no density of the parton 23") as refused:
            density(file, 23, np.array([0.1]), np.array([100.0]))
    assert str(file) in refused.value.what
    assert "pdf" in str(str(refused.value))


def test_a_density_by_its_path(file, tmp_path, monkeypatch):
    copy = tmp_path / "mine.dat"
    copy.write_bytes(file.read_bytes())
    assert find_pdf(str(copy)) == copy
    monkeypatch.chdir(tmp_path)
    assert find_pdf("mine.dat") == Path("mine.dat")
    x, scale = np.array([1e-3, 0.2]), np.array([30.0, 300.0])
    np.testing.assert_array_equal(density(copy, 1, x, scale), density(file, 1, x, scale))


def test_a_density_by_its_name(monkeypatch):
    monkeypatch.delenv("LHAPDF_DATA_PATH", raising=False)
    found = find_pdf(SET)
    assert found.name == f"{SET}_0000.dat"
    assert found.is_relative_to(sys.prefix)


def test_lhapdf_data_path(tmp_path, monkeypatch):
    first, second = tmp_path / "first", tmp_path / "second"
    (first / "Empty").mkdir(parents=True)
    for name in ("Mine", SET):
        (second / name).mkdir(parents=True)
        (second / name / f"{name}_0000.dat").touch()
    monkeypatch.setenv("LHAPDF_DATA_PATH", f"{first}::{second}")
    assert find_pdf("Mine") == second / "Mine" / "Mine_0000.dat"
    assert find_pdf(SET) == second / SET / f"{SET}_0000.dat"  # before the one of pythia8mc
    monkeypatch.setenv("LHAPDF_DATA_PATH", str(first))
    assert find_pdf(SET).is_relative_to(sys.prefix)


def test_no_such_density(tmp_path, monkeypatch):
    monkeypatch.setenv("LHAPDF_DATA_PATH", f"{tmp_path / 'a'}:{tmp_path / 'b'}")
    with pytest.raises(NotFoundError, match=r'no parton density "CT99": looked for CT99_0000\.dat') as refused:
        find_pdf("CT99")
    for place in (tmp_path / "a" / "CT99", tmp_path / "b" / "CT99", Path(sys.prefix) / "share" / "Pythia8" / "pdfdata"):
        assert str(place) in refused.value.what
    assert "LHAPDF_DATA_PATH" in str(refused.value.hint)
    with pytest.raises(NotFoundError):
        find_pdf(str(tmp_path))  # a folder is no grid


def test_hash_of_a_file(tmp_path):
    file = tmp_path / "f"
    file.write_bytes(b"grid")
    assert file_sha256(file) == hashlib.sha256(b"grid").hexdigest()


def test_madspace_is_not_installed(monkeypatch):
    assert require_madspace().__name__ == "madspace"
    monkeypatch.setitem(sys.modules, "madspace", None)
    with pytest.raises(AmpcliError, match="hadron collisions need the package madspace") as refused:
        require_madspace()
    assert "ampcli[lhc]" in str(refused.value.hint)
