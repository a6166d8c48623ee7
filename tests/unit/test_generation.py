"""Filling stores: the same bits however they are made, resuming, given points."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from ampcli.errors import AmpcliError, IntegrityError, NotFoundError, UsageError
from ampcli.generation.generate import GenerationRequest, generate, parse_part, prepare
from ampcli.generation.given_points import GivenFile
from ampcli.generation.lepton_points import LeptonSettings
from ampcli.kinematics import min_invariant, with_beams
from ampcli.phasespace.rambo import cross_section_weight
from ampcli.store.parts import missing_parts
from ampcli.store.reader import open_store


def markers(path):
    return sorted((path / ".ampcli" / "parts").glob("*.json"))


@pytest.fixture
def copy(store3, tmp_path):
    """A store of three parts that may be damaged."""
    shutil.copytree(store3.path, tmp_path / "copy.zarr", ignore=shutil.ignore_patterns("features"))
    return tmp_path / "copy.zarr"


def test_three_workers_make_the_same_store(tmp_path, store3, request_for):
    advanced = []
    attributes = generate(prepare(request_for(tmp_path / "a.zarr")), workers=3, on_rows=advanced.append)
    assert attributes["digest"] == store3.digest
    assert attributes == store3.attributes
    assert sorted(advanced) == [952, 1024, 1024]
    for name in ("momenta", "amplitude", "weight"):
        np.testing.assert_array_equal(open_store(tmp_path / "a.zarr").read(name), store3.read(name))


@pytest.mark.parametrize("lost", [(0,), (1, 2), (0, 1, 2)])
def test_lost_parts_are_made_again(copy, store3, request_for, lost):
    for number in lost:
        (copy / ".ampcli" / "parts" / f"{number:06d}.json").unlink()
        (copy / "amplitude" / "c" / str(number)).unlink()
    attributes = generate(prepare(request_for(copy)), resume=True)
    assert attributes["digest"] == store3.digest
    np.testing.assert_array_equal(open_store(copy).read("amplitude"), store3.read("amplitude"))


def test_shares_in_separate_calls(tmp_path, store3, request_for):
    job = prepare(request_for(tmp_path / "a.zarr"))
    assert generate(job, part=parse_part("3/3")) is None
    assert missing_parts(job.path, job.plan) == [0, 1]
    assert generate(job, part=parse_part("1/3")) is None
    with pytest.raises(IntegrityError, match="1 of 3 parts are missing"):
        open_store(job.path)
    attributes = generate(job, part=parse_part("2/3"))
    assert attributes["digest"] == store3.digest


def test_another_seed_makes_other_points(tmp_path, store3, request_for):
    generate(prepare(request_for(tmp_path / "a.zarr", seed=8)))
    other = open_store(tmp_path / "a.zarr")
    assert other.digest != store3.digest
    assert not np.isin(other.read("amplitude"), store3.read("amplitude")).any()


def test_parts_have_streams_of_their_own(store3):
    amplitude = store3.read("amplitude")
    assert len(np.unique(amplitude)) == len(amplitude)


def test_growing_a_store_keeps_its_first_points(tmp_path, store3, request_for):
    generate(prepare(request_for(tmp_path / "a.zarr", points=5000)))
    larger = open_store(tmp_path / "a.zarr")
    np.testing.assert_array_equal(larger.read("momenta", slice(0, 3000)), store3.read("momenta"))


def test_content(store3):
    momenta, amplitude = store3.read("momenta"), store3.read("amplitude")
    assert (min_invariant(momenta) >= 0.01 * 1000.0**2 * (1 - 1e-9)).all()
    provider = prepare(
        GenerationRequest("e- e+ > d d~ g", store3.path.with_name("none"), 10, LeptonSettings(1000.0, 0.01))
    ).provider
    np.testing.assert_allclose(provider.evaluate(with_beams(momenta, 1000.0)), amplitude, rtol=1e-14)
    np.testing.assert_array_equal(store3.read("weight"), cross_section_weight(3, 1000.0))
    # Acceptance of three jets: (1 - 3 y_cut)^2 = 0.9409, exactly.
    acceptance = store3.rows / store3.tried
    assert abs(acceptance - 0.9409) < 4.5 * np.sqrt(0.9409 * 0.0591 / store3.tried)


def test_a_damaged_part_is_made_again_with_resume(copy, store3, request_for):
    shard = copy / "amplitude" / "c" / "1"
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    with pytest.raises(IntegrityError):
        open_store(copy).read("amplitude")
    # As a worker whose marker arrived but whose data did not: finalising notices.
    with pytest.raises(IntegrityError):
        generate(prepare(request_for(copy)), part=(1, 2))
    attributes = generate(prepare(request_for(copy)), workers=2, resume=True)
    assert attributes["digest"] == store3.digest
    np.testing.assert_array_equal(open_store(copy).read("amplitude"), store3.read("amplitude"))


def test_a_damaged_marker_is_made_again_with_resume(copy, store3, request_for):
    markers(copy)[1].write_text("")
    attributes = generate(prepare(request_for(copy)), resume=True)
    assert attributes["digest"] == store3.digest


def test_resuming_a_finished_store_changes_nothing(copy, store3, request_for):
    before = {file: file.stat().st_mtime_ns for name in ("amplitude", "momenta") for file in (copy / name).rglob("*")}
    assert generate(prepare(request_for(copy)), resume=True) == store3.attributes
    assert all(file.stat().st_mtime_ns == time for file, time in before.items())


def test_an_existing_store_is_not_overwritten(copy, request_for):
    with pytest.raises(UsageError, match=r"exists already.*\n.*resume"):
        generate(prepare(request_for(copy)))


@pytest.mark.parametrize("changes", [{"seed": 8}, {"y_cut": 0.02}, {"points": 3001}, {"gluons": 2}, {"sqrt_s": 500.0}])
def test_another_plan_is_refused(copy, request_for, changes):
    with pytest.raises(UsageError, match="holds something else") as refused:
        generate(prepare(request_for(copy, **changes)), resume=True)
    assert "here" in refused.value.what


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"points": 0}, "points 0"),
        ({"points": -5}, "points -5"),
        ({"points": None}, "how many points"),
        ({"sqrt_s": 0.0}, "sqrt_s 0"),
        ({"sqrt_s": -1.0}, "sqrt_s -1"),
        ({"sqrt_s": float("nan")}, "sqrt_s nan"),
        ({"sqrt_s": float("inf")}, "sqrt_s inf"),
        ({"seed": -1}, "seed -1"),
        ({"y_cut": 0.4}, "y_cut 0.4"),
        ({"provider": "tea-leaves"}, 'unknown provider "tea-leaves"'),
    ],
)
def test_impossible_requests(tmp_path, request_for, changes, said):
    with pytest.raises(UsageError, match=said):
        prepare(request_for(tmp_path / "a.zarr", **changes))
    assert not list(tmp_path.iterdir())


def test_no_workers(tmp_path, request_for):
    with pytest.raises(UsageError, match="workers 0"):
        generate(prepare(request_for(tmp_path / "a.zarr")), workers=0)


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", "1/2/3", "-1/3", ""])
def test_impossible_shares(text):
    with pytest.raises(UsageError, match=f"part {text}"):
        parse_part(text)


def test_shares():
    assert parse_part("3/16") == (3, 16)
    assert parse_part(None) == (1, 1)


def test_more_shares_than_parts(tmp_path, request_for):
    assert generate(prepare(request_for(tmp_path / "a.zarr")), part=(7, 9)) is None


def given(tmp_path, momenta, name="events.npz"):
    np.savez(tmp_path / name, momenta=momenta)
    return tmp_path / name


@pytest.fixture
def full(store3):
    return with_beams(store3.read("momenta"), 1000.0)


def test_given_points(tmp_path, store3, request_for, full):
    events = given(tmp_path, full)
    attributes = generate(prepare(request_for(tmp_path / "a.zarr", points=None, momenta=events)), workers=2)
    opened = open_store(tmp_path / "a.zarr")
    np.testing.assert_array_equal(opened.read("momenta"), store3.read("momenta"))
    np.testing.assert_array_equal(opened.read("amplitude"), store3.read("amplitude"))
    np.testing.assert_array_equal(opened.read("weight"), 1.0)
    assert attributes["plan"]["source"]["kind"] == "given"
    assert (opened.sqrt_s, opened.y_cut, opened.tried) == (1000.0, None, 3000)


def test_the_first_of_given_points(tmp_path, store3, request_for, full):
    request = request_for(tmp_path / "a.zarr", points=100, momenta=given(tmp_path, full))
    generate(prepare(request))
    np.testing.assert_array_equal(open_store(tmp_path / "a.zarr").read("momenta"), store3.read("momenta")[:100])


def test_given_points_of_several_energies(tmp_path, request_for, full):
    mixed = np.concatenate([full[:50], 2 * full[:50]])
    generate(prepare(request_for(tmp_path / "a.zarr", points=None, momenta=given(tmp_path, mixed))))
    assert open_store(tmp_path / "a.zarr").sqrt_s is None


def test_too_many_of_given_points(tmp_path, request_for, full):
    request = request_for(tmp_path / "a.zarr", points=3001, momenta=given(tmp_path, full))
    with pytest.raises(UsageError, match=r"points 3001: .*has only 3000"):
        prepare(request)


def test_beams_of_given_points(tmp_path, request_for, full):
    turned = full.copy()
    turned[5] = full[5][:, [0, 3, 1, 2]]
    with pytest.raises(UsageError, match=r"event 5 \(from 0\): the beams"):
        prepare(request_for(tmp_path / "a.zarr", points=None, momenta=given(tmp_path, turned)))


def test_unphysical_given_points(tmp_path, request_for, full):
    full[7, 3, 0] *= 1.01
    with pytest.raises(UsageError, match=r"event 7 .*mass shell"):
        prepare(request_for(tmp_path / "a.zarr", points=None, momenta=given(tmp_path, full)))


def test_no_file_of_given_points(tmp_path, request_for):
    with pytest.raises(NotFoundError, match=r"nothing\.npz"):
        prepare(request_for(tmp_path / "a.zarr", points=None, momenta=tmp_path / "nothing.npz"))


def test_an_amplitude_that_is_not_positive_ends_the_run(tmp_path, request_for):
    # A gluon exactly along its quark makes |M|^2 infinite.
    p = np.zeros((3, 5, 4))
    p[:, :2, 0] = 50.0
    p[:, 0, 3], p[:, 1, 3] = 50.0, -50.0
    p[:, 2:] = [[40.0, 0, 40.0, 0], [30.0, 24.0, -18.0, 0], [0.0, -24.0, -22.0, 0]]
    p[:, 4, 0] = np.hypot(24.0, 22.0)
    p[:, 0, 0] = p[:, 1, 0] = p[:, 2:, 0].sum(axis=1) / 2
    p[:, 0, 3], p[:, 1, 3] = p[:, 0, 0], -p[:, 1, 0]
    energy = p[0, 0, 0]
    p[1, 2:] = energy * np.array([[0.6, 0.6, 0, 0], [1, -1, 0, 0], [0.4, 0.4, 0, 0]])
    request = GenerationRequest(
        "e- e+ > d d~ g", tmp_path / "a.zarr", None, GivenFile(given(tmp_path, p)), provider="native"
    )
    with pytest.raises(AmpcliError, match=r"\|M\|\^2 of point 1 is"):
        generate(prepare(request))
    with pytest.raises(IntegrityError, match="not finished"):
        open_store(tmp_path / "a.zarr")
