"""Other scales, densities and couplings: weights equal those of a run with that choice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ampcli.amplitudes.providers import make_provider
from ampcli.errors import NotFoundError, UsageError
from ampcli.phasespace.cuts import JetCuts
from ampcli.phasespace.hadron_sampler import HadronSampler, event_scales
from ampcli.phasespace.partons import find_pdf
from ampcli.phasespace.pdf_sets import pdf_set
from ampcli.phasespace.running_coupling import ONE_LOOP, Running
from ampcli.phasespace.variations import (
    Choice,
    alpha_s_variations,
    pdf_variations,
    ratios,
    scale_variations,
)
from ampcli.phasespace.vegas import VegasGrid
from ampcli.process import parse_process

pytest.importorskip("madspace")

PROCESS = parse_process("d g > z d g")
CENTRAL = Choice(1.0, 1.0, find_pdf("NNPDF23_lo_as_0130_qed"), 0.130, ONE_LOOP)
OTHER = "NNPDF31_nlo_as_0118_luxqed"


def run_with(choice, scale):
    """Events of one set of random numbers, their x, and weights by a sampler with that density and coupling."""
    provider = make_provider("native", PROCESS)
    sampler = HadronSampler(
        PROCESS, provider, 0.118, 13000.0, JetCuts(), scale, choice.pdf, choice.alpha_s_mz, 0.003, choice.running
    )
    rng = np.random.default_rng(5)
    random, branch = rng.random((4000, sampler.map.axes)), sampler.map.choices(rng, 4000)
    _, drawn = sampler.integrand(random, branch, VegasGrid.flat(sampler.map.axes))
    return drawn.chosen(np.flatnonzero(drawn.x.max(axis=1) < 0.3))  # densities may vanish beyond


def partons_of(drawn):
    return np.tile([leg.pdg for leg in PROCESS.incoming], (len(drawn.x), 1))


def weights(drawn, scale, variation):
    scales = event_scales(drawn.momenta, PROCESS, scale)
    return drawn.weight * ratios([variation], CENTRAL, drawn.x, partons_of(drawn), scales, 2)[:, 0]


def test_both_scales_at_once_equal_a_run_there():
    drawn = run_with(CENTRAL, 91.188)
    (twice,) = [v for v in scale_variations(CENTRAL, 7) if (v.choice.mu_r, v.choice.mu_f) == (2, 2)]
    np.testing.assert_allclose(weights(drawn, 91.188, twice), run_with(CENTRAL, 2 * 91.188).weight, rtol=1e-12)


@pytest.mark.parametrize("scale", [None, 91.188])
def test_one_scale_alone(scale):
    """mu_R changes alpha_s^2 alone; both together are the product of each, where the other stays."""
    drawn = run_with(CENTRAL, scale)
    named = {(v.choice.mu_r, v.choice.mu_f): v for v in scale_variations(CENTRAL, 9)}
    scales = event_scales(drawn.momenta, PROCESS, scale)
    one_loop = 0.130 / (1 + 0.130 * 23 / (12 * np.pi) * 2 * np.log(np.stack([scales, scales / 2]) / 91.188))
    half = weights(drawn, scale, named[0.5, 1]) / drawn.weight
    np.testing.assert_allclose(half, (one_loop[1] / one_loop[0]) ** 2, rtol=1e-12)
    both = weights(drawn, scale, named[0.5, 2]) / drawn.weight
    np.testing.assert_allclose(both, half * weights(drawn, scale, named[1, 2]) / drawn.weight, rtol=1e-12)
    np.testing.assert_array_equal(weights(drawn, scale, named[1, 1]), drawn.weight)


def test_another_set_equals_a_run_with_it():
    """With the coupling that goes with it."""
    (variation,) = pdf_variations(CENTRAL, [OTHER])
    assert (variation.choice.alpha_s_mz, variation.choice.running.loops) == (0.118, 2)
    drawn, there = run_with(CENTRAL, None), run_with(variation.choice, None)
    np.testing.assert_allclose(weights(drawn, None, variation), there.weight, rtol=1e-12)
    assert not np.allclose(there.weight, drawn.weight, rtol=0.01)


def test_another_coupling_equals_a_run_with_it():
    (variation,) = alpha_s_variations(CENTRAL, [0.118])
    there = run_with(replace(CENTRAL, alpha_s_mz=0.118), None)
    np.testing.assert_allclose(weights(run_with(CENTRAL, None), None, variation), there.weight, rtol=1e-12)


def test_the_points_of_scales():
    for points in (7, 9):
        pairs = [(v.choice.mu_r, v.choice.mu_f) for v in scale_variations(CENTRAL, points)]
        assert len(set(pairs)) == len(pairs) == points
        assert pairs[0] == (1, 1)
        assert ((0.5, 2) in pairs) is (points == 9)
    with pytest.raises(UsageError, match="7 or 9"):
        scale_variations(CENTRAL, 8)


def test_members_of_a_set(tmp_path: Path, monkeypatch):
    """All that are there, in order; another file is not taken for one."""
    folder = tmp_path / "Mine"
    folder.mkdir()
    for number in (0, 2, 1):
        (folder / f"Mine_{number:04}.dat").write_bytes(CENTRAL.pdf.read_bytes())
    (folder / "Mine_backup.dat").write_text("")
    (folder / "Mine.info").write_text("AlphaS_MZ: 0.12\nAlphaS_OrderQCD: 1\n")
    monkeypatch.setenv("LHAPDF_DATA_PATH", str(tmp_path))
    found = pdf_variations(CENTRAL, ["Mine"])
    assert [v.name for v in found] == ["Mine_0000", "Mine_0001", "Mine_0002"]
    assert {v.choice.alpha_s_mz for v in found} == {0.12}
    alone = pdf_variations(CENTRAL, [str(folder / "Mine_0002.dat")])
    assert [v.choice.pdf for v in alone] == [folder / "Mine_0002.dat"]
    assert pdf_set(alone[0].choice.pdf).running.loops == 2


def test_a_sets_own_values_of_alpha_s_do_not_serve_another_coupling():
    table = replace(CENTRAL, running=Running(scales=(10.0, 91.188, 1000.0), values=(0.18, 0.13, 0.09)))
    (same, other) = alpha_s_variations(table, [0.130, 0.120])
    assert same.choice == table
    assert other.choice.running.scales == ()


def test_what_is_refused():
    with pytest.raises(NotFoundError, match="Nowhere"):
        pdf_variations(CENTRAL, ["Nowhere"])
    with pytest.raises(UsageError, match="another particle"):
        pdf_variations(CENTRAL, [str(CENTRAL.pdf.with_name("SU21piplus.dat"))])
    with pytest.raises(UsageError, match="between 0 and 1"):
        alpha_s_variations(CENTRAL, [float("nan")])
