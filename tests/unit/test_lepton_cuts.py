"""Cuts on charged leptons: in plans, of points outside, and on the command line."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ampcli.collisions.protons import ProtonCollisions
from ampcli.generation.generate import GenerationRequest, generate, prepare
from ampcli.generation.proton_points import ProtonSettings
from ampcli.phasespace.colour_chain import ChainMap
from ampcli.phasespace.cuts import JetCuts, LeptonCuts, described
from ampcli.phasespace.jet_map import PAIR_VERSION, VERSION, JetMap
from ampcli.process import parse_process
from ampcli.records.region import Region
from ampcli.store import parts
from ampcli.store.plan import Plan
from ampcli.store.reader import open_store

pytest.importorskip("madspace")

TIGHT = LeptonCuts(30.0, 2.0, 0.6, 0.5, 40.0)


def job_of(process, folder, **settings):
    return prepare(GenerationRequest(process, folder / "s.zarr", 500, ProtonSettings("lhc13", **settings)))


def test_plans_say_them_where_there_are_charged_leptons(tmp_path):
    source = job_of("d d~ > e- e+ g", tmp_path, leptons=TIGHT).plan.source
    assert isinstance(source, ProtonCollisions)
    assert source.leptons == TIGHT
    assert source.sampler.startswith(f"{VERSION}, {PAIR_VERSION}, madspace ")
    written = source.model_dump(mode="json")
    assert written["leptons"] == {
        "pt_min": 30.0, "eta_max": 2.0, "delta_r_ll": 0.6, "delta_r_jl": 0.5, "m_ll_min": 40.0
    }  # fmt: skip
    assert ProtonCollisions.model_validate(written) == source
    for process in ("d d~ > z g", "d d~ > ve ve~ g"):
        source = job_of(process, tmp_path, leptons=TIGHT).plan.source
        assert "leptons" not in source.model_dump()
        assert (PAIR_VERSION in source.sampler) == ("ve" in process)


def final_of(pt, eta, phi):
    """Massless momenta (1, legs, 4)."""
    p = np.stack([pt * np.cosh(eta), pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)], axis=-1)
    return p[None]


REGION = Region(log_amplitude_mean=0.0, log_amplitude_std=1.0)
USUAL = {"pt": [50.0, 45.0, 60.0], "eta": [0.3, -0.5, 1.0], "phi": [0.0, 2.0, 4.0]}  # e- e+ g


@pytest.mark.parametrize(
    ("change", "cut"),
    [
        ({}, None),
        ({"pt": [29.9, 45.0, 60.0]}, "pt_min"),
        ({"pt": [50.0, 29.9, 60.0]}, "pt_min"),
        ({"eta": [0.3, -2.1, 1.0]}, "eta_max"),
        ({"pt": [250.0, 245.0, 60.0], "eta": [0.3, 0.5, 1.0], "phi": [0.0, 2 * np.pi - 0.5, 3.0]}, "delta_r_ll"),
        ({"phi": [0.0, 2.0, 2 * np.pi + 0.1], "eta": [0.9, -0.5, 1.0]}, "delta_r_jl"),
        ({"pt": [31.0, 31.0, 60.0], "eta": [0.0, 0.0, 1.0], "phi": [0.0, 1.0, 4.0]}, "m_ll_min"),
    ],
)
def test_each_cut(change, cut):
    process = parse_process("d d~ > e- e+ g")
    final = final_of(*(np.array(values) for values in (USUAL | change).values()))
    assert TIGHT.passed(final, process).tolist() == [cut is None]
    if cut is not None:  # no other one is broken
        assert replace(TIGHT, **{cut: 100.0 if cut == "eta_max" else 0.0}).passed(final, process).all()


def test_neutrinos_have_none():
    final = final_of(np.array([50.0, 1.0, 60.0]), np.array([0.3, 6.0, 1.0]), np.array([0.0, 2.0, 4.0]))
    assert TIGHT.passed(final, parse_process("u d~ > e+ ve g")).all()
    assert not TIGHT.passed(final, parse_process("d d~ > e- e+ g")).any()


def test_points_outside(tmp_path):
    source = job_of("d d~ > e- e+ g", tmp_path, leptons=TIGHT).plan.source
    process = parse_process("d d~ > e- e+ g")
    inside, soft = (np.array(pt) for pt in ([50.0, 45.0, 60.0], [50.0, 20.0, 60.0]))
    final = np.concatenate([final_of(pt, *map(np.array, (USUAL["eta"], USUAL["phi"]))) for pt in (inside, soft)])
    assert source.outside(final, process, REGION)["cuts"].tolist() == [False, True]
    without = source.model_copy(update={"leptons": None})
    assert without.outside(final, process, REGION)["cuts"].tolist() == [False, False]


def test_words():
    assert described(JetCuts(), None) == str(JetCuts())
    assert described(JetCuts(), TIGHT).endswith(
        "charged leptons: pT > 30 GeV, |eta| < 2, Delta R > 0.6 of two, > 0.5 to jets, m_ll > 40 GeV"
    )


def test_a_store_without_cuts_on_leptons_goes_on_without(tmp_path):
    job = job_of("u d~ > e+ ve g", tmp_path)
    earlier = job.source.collisions.model_copy(
        update={"sampler": job.source.collisions.sampler.rpartition(", ")[2], "leptons": None}
    )
    plan = Plan.model_validate(job.plan.model_dump() | {"source": earlier})
    begun = replace(job, source=replace(job.source, collisions=earlier), plan=plan)
    parts.initialise(begun.path, begun.plan)
    resumed = job_of("u d~ > e+ ve g", tmp_path)
    assert resumed.plan == begun.plan
    assert isinstance(resumed.source.sampler.map, ChainMap)
    assert isinstance(job.source.sampler.map, JetMap)
    assert resumed.source.sampler.leptons is None


def test_other_maps_cut_as_well(tmp_path):
    """W pairs come from madspace."""
    process = parse_process("u u~ > e+ ve mu- vm~")
    assert not JetMap.covers(process)
    events = ChainMap(process, 13000.0, JetCuts(), TIGHT)
    rng = np.random.default_rng(1)
    cube, choices = rng.random((5000, events.axes)), events.choices(rng, 5000)
    rows, _, _, _ = events.events(cube, choices)
    every, all_momenta, _, _ = ChainMap(process, 13000.0, JetCuts()).events(cube, choices)
    np.testing.assert_array_equal(rows, every[TIGHT.passed(all_momenta[:, 2:], process)])
    assert 20 < len(rows) < len(every)


def test_generated_events(tmp_path):
    job = job_of("d d~ > e- e+ g", tmp_path, leptons=TIGHT, unweighted=True)
    generate(job)
    final = open_store(job.path).read("momenta")
    assert len(final) == 500
    assert TIGHT.passed(final, job.provider.process).all()
