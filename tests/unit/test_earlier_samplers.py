"""Stores that an older ampcli began are finished with its sampler."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ampcli.errors import UsageError
from ampcli.generation.generate import GenerationRequest, generate, prepare
from ampcli.generation.lepton_points import LeptonPoints, LeptonSettings
from ampcli.generation.proton_points import ProtonPoints, ProtonSettings
from ampcli.phasespace.colour_chain import ChainMap
from ampcli.phasespace.jet_map import VERSION, JetMap
from ampcli.store import parts
from ampcli.store.plan import Plan
from ampcli.store.reader import open_store


def begun(job, source):
    """The job of an older ampcli, with the source that it had."""
    plan = Plan.model_validate(job.plan.model_dump() | {"source": source.collisions})
    return replace(job, source=source, plan=plan)


def test_a_lepton_store_goes_on_with_the_sampler_it_was_begun_with(tmp_path):
    request = GenerationRequest("e- e+ > d d~ g", tmp_path / "old", 3000, LeptonSettings(1000.0, 0.01))
    job = prepare(request)
    assert isinstance(job.source, LeptonPoints)
    assert job.note is None
    assert job.plan.source.sampler == 2
    older = begun(job, replace(job.source, collisions=job.source.collisions.model_copy(update={"sampler": 1})))
    assert "sampler" not in older.plan.source.model_dump()  # as it was written before there were two
    parts.initialise(older.path, older.plan)
    older.make(0)
    resumed = prepare(request)
    assert resumed.plan == older.plan
    assert "older ampcli" in resumed.note
    attributes = generate(resumed, resume=True)
    whole = replace(older, path=tmp_path / "whole")
    assert attributes["digest"] == generate(whole)["digest"]
    assert prepare(request).plan == older.plan  # finished, too
    with pytest.raises(UsageError, match=r"y_cut: 0\.02 here, 0\.01 there"):
        generate(prepare(replace(request, collisions=LeptonSettings(1000.0, 0.02))), resume=True)
    new = prepare(replace(request, store=tmp_path / "new"))
    assert new.note is None
    assert generate(new)["digest"] != attributes["digest"]
    one, other = (open_store(tmp_path / name).read("momenta") for name in ("old", "new"))
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-10)  # versions of flat points differ in rounding


@pytest.mark.parametrize("version", [None, "jets 1"])
def test_a_proton_store_goes_on_with_its_map(tmp_path, version):
    pytest.importorskip("madspace")
    request = GenerationRequest("d d~ > z g", tmp_path / "old", 2000, ProtonSettings("lhc13"))
    job = prepare(request)
    assert isinstance(job.source, ProtonPoints)
    assert isinstance(job.source.sampler.map, JetMap)
    name = job.plan.source.sampler
    assert name.startswith(f"{VERSION}, madspace ")
    sampler = name.removeprefix(f"{VERSION}, ") if version is None else name.replace(VERSION, version)
    earlier = job.source.collisions.model_copy(update={"sampler": sampler})
    older = begun(job, replace(job.source, collisions=earlier))
    parts.initialise(older.path, older.plan)
    resumed = prepare(request)
    assert resumed.plan == older.plan
    assert isinstance(resumed.source, ProtonPoints)
    assert isinstance(resumed.source.sampler.map, ChainMap if version is None else JetMap)
    assert getattr(resumed.source.sampler.map, "version", None) == version
    assert "older ampcli" in resumed.note
    assert generate(resumed, resume=True)["digest"] == generate(replace(older, path=tmp_path / "whole"))["digest"]


def test_a_sampler_that_nobody_knows_is_refused(tmp_path):
    pytest.importorskip("madspace")
    request = GenerationRequest("d d~ > z g", tmp_path / "s", 2000, ProtonSettings("lhc13"))
    job = prepare(request)
    strange = job.source.collisions.model_copy(update={"sampler": "madspace 0.0.1"})
    parts.initialise(tmp_path / "s", begun(job, replace(job.source, collisions=strange)).plan)
    with pytest.raises(UsageError, match=r"source.sampler: jets 2, madspace .* here, madspace 0.0.1 there"):
        generate(prepare(request), resume=True)
