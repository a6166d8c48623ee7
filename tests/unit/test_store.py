"""Stores: plan, splits, parts, damage, reading."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import zarr

from ampcli.collisions.given import GivenEvents
from ampcli.collisions.leptons import LeptonCollisions
from ampcli.errors import IntegrityError, LockedError, NotFoundError, UsageError
from ampcli.locks import locked
from ampcli.records.provider import ProviderRecord
from ampcli.seal import sealed
from ampcli.store import finalise as finalisation
from ampcli.store import parts
from ampcli.store.metadata import array_document, write_document
from ampcli.store.plan import Plan
from ampcli.store.reader import open_store
from ampcli.store.rows import shard_file
from ampcli.store.shards import read_shard, write_shard

PROVIDER = ProviderRecord(name="table", version="1", options={}, parameters={"alpha_s": 0.118})


def plan(points: int = 2500, **changes) -> Plan:
    settings = {
        "process": "e- e+ > d d~ g",
        "points": points,
        "n_final": 3,
        "provider": PROVIDER,
        "source": LeptonCollisions(sqrt_s=1000.0, y_cut=0.01, seed=1),
    }
    return Plan(**(settings | changes))


def part(of: Plan, number: int) -> parts.Part:
    rows = of.rows_of(number)
    n = rows.stop - rows.start
    rng = np.random.default_rng(number)
    return parts.Part(rng.normal(size=(n, 3, 4)), rng.uniform(1, 2, n), np.full(n, 0.5), tried=2 * n)


def finalise(path: Path, of: Plan) -> dict:
    return finalisation.finalise(
        path, of, lambda numbers: (finalisation.check_part(path, of, number) for number in numbers)
    )


@pytest.fixture
def store(tmp_path) -> Path:
    """A finished store of three parts with made-up numbers."""
    path, of = tmp_path / "made-up.zarr", plan()
    parts.initialise(path, of)
    for number in range(of.parts):
        parts.write_part(path, of, number, part(of, number))
    finalise(path, of)
    return path


def shard(path: Path, name: str, number: int) -> Path:
    return path / name / "c" / str(number) / ("0/0" if name == "momenta" else "")


def flip_byte(file: Path, position: int) -> None:
    data = bytearray(file.read_bytes())
    data[position] ^= 0x40
    file.write_bytes(data)


@pytest.mark.parametrize("points", [1, 1024, 1025, 40_000, 500_000, 40_000_000])
@pytest.mark.parametrize("n_final", [3, 5])
def test_parts_tile_the_rows(points, n_final):
    of = plan(points, n_final=n_final)
    rows = [of.rows_of(number) for number in range(of.parts)]
    assert rows[0].start == 0
    assert rows[-1].stop == points
    assert all(a.stop == b.start for a, b in itertools.pairwise(rows))
    assert of.shard_rows % of.chunk_rows == 0
    assert of.chunk_rows * n_final * 32 <= 2 * 2**20
    assert of.shard_rows * n_final * 32 <= 128 * 2**20


def test_plan_is_strict_and_frozen():
    with pytest.raises(ValueError, match="Extra inputs"):
        plan(comment="more")
    with pytest.raises(ValueError, match="frozen"):
        plan().points = 3


def test_plan_survives_json():
    for of in (plan(), plan(source=GivenEvents(sha256="ab", sqrt_s=None))):
        assert Plan.model_validate_json(of.model_dump_json()) == of


def test_differences_are_named():
    other = plan(100, source=LeptonCollisions(sqrt_s=1000.0, y_cut=0.02, seed=1))
    assert plan().differences(other) == ["points: 2500 here, 100 there", "source.y_cut: 0.01 here, 0.02 there"]
    assert plan().differences(plan()) == []


def test_round_trip(store):
    opened, of = open_store(store), plan()
    written = [part(of, number) for number in range(3)]
    for name in ("momenta", "amplitude", "weight"):
        expected = np.concatenate([getattr(p, name) for p in written])
        np.testing.assert_array_equal(opened.read(name), expected)
        np.testing.assert_array_equal(opened.read(name, slice(1000, 1100)), expected[1000:1100])
        for split in ("train", "test"):
            np.testing.assert_array_equal(opened.read_split(name, split), expected[opened.split_rows(split)])
    assert (opened.rows, opened.tried, opened.sqrt_s, opened.y_cut) == (2500, 5000, 1000.0, 0.01)
    assert [rows.stop for rows in opened.batches()][-1] == 2500


def test_statistics(store):
    attributes = open_store(store).attributes
    f = 0.5 * open_store(store).read("amplitude")
    statistics = attributes["statistics"]
    everything = np.concatenate([f, np.zeros(2500)])  # points that failed the cuts count as zeros
    assert statistics["mean_weighted_amplitude"] == pytest.approx(everything.mean(), rel=1e-12)
    error = everything.std() / np.sqrt(5000)
    assert statistics["mean_weighted_amplitude_error"] == pytest.approx(error, rel=1e-10)
    assert statistics["amplitude_min"] == 2 * f.min()
    assert statistics["amplitude_max"] == 2 * f.max()
    assert attributes["format_version"] == 2
    assert attributes["plan"] == plan().model_dump(mode="json")


def test_other_readers_of_zarr_understand_it_without_warnings(store):
    group = zarr.open_group(store, mode="r")
    assert dict(group.attrs)["ampcli"]["digest"] == open_store(store).digest
    assert sorted(group.array_keys()) == sorted(("momenta", "amplitude", "weight"))
    assert group["momenta"].shape == (2500, 3, 4)
    np.testing.assert_array_equal(group["amplitude"][:], open_store(store).read("amplitude"))


def test_digest_knows_content_and_plan(tmp_path, store):
    digests = {open_store(store).digest}
    for name, of, changed in (
        ("seed", plan(source=LeptonCollisions(sqrt_s=1000.0, y_cut=0.01, seed=2)), 0),
        ("value", plan(), 1),
    ):
        path = tmp_path / name
        parts.initialise(path, of)
        for number in range(of.parts):
            piece = part(of, number)
            piece.amplitude[3] += changed
            parts.write_part(path, of, number, piece)
        digests.add(finalise(path, of)["digest"])
    assert len(digests) == 3


@pytest.mark.parametrize("name", ["momenta", "amplitude", "weight"])
@pytest.mark.parametrize("where", [0.05, 0.5, 0.99])
def test_a_flipped_byte_is_noticed(store, name, where):
    file = shard(store, name, 1)
    flip_byte(file, int(where * file.stat().st_size))
    with pytest.raises(IntegrityError, match="resume") as refused:
        open_store(store).read(name)
    assert name in refused.value.what
    with pytest.raises(IntegrityError):
        finalisation.check_part(store, plan(), 1)
    finalisation.check_part(store, plan(), 0)


@pytest.mark.parametrize("name", ["momenta", "amplitude", "weight"])
@pytest.mark.parametrize("left", [0, 10, 0.5, 0.99])
def test_a_truncated_shard_is_noticed(store, name, left):
    file = shard(store, name, 2)
    data = file.read_bytes()
    file.write_bytes(data[: left if isinstance(left, int) else int(left * len(data))])
    with pytest.raises(IntegrityError):
        open_store(store).read(name)


@pytest.mark.parametrize("name", ["momenta", "amplitude", "weight"])
def test_a_missing_shard_is_noticed(store, name):
    shard(store, name, 1).unlink()
    with pytest.raises(IntegrityError, match="missing"):
        open_store(store).read(name)
    assert len(open_store(store).read(name, slice(0, 1024))) == 1024


def test_other_numbers_with_a_valid_checksum_are_noticed(store):
    zarr.open_array(store / "amplitude", mode="r+")[1500] = 7.0
    with pytest.raises(IntegrityError, match=r"part 2 of 3 .* does not match its checksum"):
        finalisation.check_part(store, plan(), 1)


def test_a_damaged_marker_is_noticed(store):
    (store / ".ampcli" / "parts" / "000001.json").write_text("{")
    with pytest.raises(IntegrityError, match=r"000001\.json is damaged"):
        finalisation.check_part(store, plan(), 1)


def test_no_store(tmp_path):
    with pytest.raises(NotFoundError, match="no store"):
        open_store(tmp_path / "nothing.zarr")
    with pytest.raises(UsageError, match="not a store"):
        open_store(tmp_path)


def test_an_unfinished_store_cannot_be_opened(tmp_path):
    path, of = tmp_path / "unfinished.zarr", plan()
    parts.initialise(path, of)
    parts.write_part(path, of, 1, part(of, 1))
    with pytest.raises(IntegrityError, match="2 of 3 parts are missing"):
        open_store(path)
    assert parts.missing_parts(path, of) == [0, 2]


def test_a_newer_format_is_refused_before_anything_else(store):
    file = store / ".ampcli" / "plan.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"format_version": 3, "something": "new"}))
    for read in (lambda: open_store(store), lambda: parts.join(store, plan())):
        with pytest.raises(IntegrityError, match=r"store format 3.*\n.*Upgrade"):
            read()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format_version": 1}', '{"format_version": "x"}'])
def test_a_damaged_plan(store, content):
    (store / ".ampcli" / "plan.json").write_text(content)
    with pytest.raises(IntegrityError, match="damaged"):
        open_store(store)


def test_attributes_that_belong_to_another_plan(store):
    file = store / ".ampcli" / "plan.json"
    other = plan(source=LeptonCollisions(sqrt_s=1000.0, y_cut=0.01, seed=2))
    file.write_text(json.dumps(sealed(other.model_dump(mode="json"))))
    with pytest.raises(IntegrityError, match="disagree"):
        open_store(store)


def test_a_missing_array(store):
    shutil.rmtree(store / "weight")
    with pytest.raises(IntegrityError, match="lacks an array"):
        open_store(store)


def test_a_part_that_is_written_twice_is_there_all_the_time(store, monkeypatch):
    """Of several processes with --resume, one may write a part again that others are reading."""
    of, before = plan(), content(store)
    written = []

    def looking(file: Path, *words) -> None:
        written.append(file.read_bytes())
        write_shard(file, *words)

    monkeypatch.setattr(parts, "write_shard", looking)
    parts.write_part(store, of, 1, part(of, 1))
    assert len(written) == 3
    assert content(store) == before


def content(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def test_an_empty_split(tmp_path):
    of = plan(1)
    parts.initialise(tmp_path / "one.zarr", of)
    parts.write_part(tmp_path / "one.zarr", of, 0, part(of, 0))
    finalise(tmp_path / "one.zarr", of)
    with pytest.raises(UsageError, match="no row in the split test"):
        open_store(tmp_path / "one.zarr").read_split("amplitude", "test")


def test_initialising_twice_joins(tmp_path):
    parts.initialise(tmp_path / "a.zarr", plan())
    parts.initialise(tmp_path / "a.zarr", plan())
    with pytest.raises(UsageError, match="points: 100 here, 2500 there"):
        parts.initialise(tmp_path / "a.zarr", plan(100))
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.zarr"]


def test_something_else_is_not_overwritten(tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "text").write_text("mine")
    with pytest.raises(UsageError, match="not a store"):
        parts.initialise(tmp_path / "notes", plan())
    assert (tmp_path / "notes" / "text").read_text() == "mine"


def test_a_part_that_another_process_writes(tmp_path):
    path, of = tmp_path / "a.zarr", plan()
    parts.initialise(path, of)
    with locked(path / ".ampcli" / "locks" / "000001.lock", "", ""):
        with pytest.raises(LockedError, match=r"part 2 of .* another process"):
            parts.write_part(path, of, 1, part(of, 1))
        parts.write_part(path, of, 0, part(of, 0))
    assert parts.missing_parts(path, of) == [1, 2]
    parts.write_part(path, of, 1, part(of, 1))
    assert parts.missing_parts(path, of) == [2]


def test_plans_from_before_there_was_a_choice_of_cuts():
    """The default is not written, so that stores made by older versions keep their digests."""
    source = LeptonCollisions(sqrt_s=1000.0, y_cut=0.01, seed=1)
    known = {"kind": "rambo", "sqrt_s": 1000.0, "y_cut": 0.01, "seed": 1}
    assert source.model_dump() == known
    assert LeptonCollisions.model_validate(known) == source
    jade = LeptonCollisions(sqrt_s=1000.0, y_cut=0.01, seed=1, cuts="jade")
    assert jade.model_dump() == {**known, "cuts": "jade"}
    assert plan(source=source).model_dump_json() != plan(source=jade).model_dump_json()
    assert plan(source=jade).differences(plan(source=source)) == ["source.cuts: jade here, None there"]


@pytest.mark.parametrize("rows", [4096, 2500, 1024, 3])
@pytest.mark.parametrize("row", [(), (2,), (4, 4)])
def test_shards_are_those_of_zarr_byte_for_byte(tmp_path, rng, rows, row):
    shard, chunk = 4096, 1024
    values = rng.normal(size=(rows, *row))
    folder = tmp_path / "array"
    folder.mkdir()
    write_document(folder / "zarr.json", array_document(rows, shard, chunk, row))
    array = zarr.open_array(folder, mode="r+", zarr_format=3, config={"write_empty_chunks": True})
    array[:] = values
    file = shard_file(tmp_path, "array", 0, values.ndim)
    theirs = file.read_bytes()
    write_shard(file, values, shard, chunk)
    assert file.read_bytes() == theirs
    assert [entry.name for entry in file.parent.iterdir()] == ["0"]
    read = np.empty_like(values)
    read_shard(file, read, shard, chunk)
    np.testing.assert_array_equal(read, values)


def test_damaged_shards_are_noticed(tmp_path, rng):
    file, values = tmp_path / "0", rng.normal(size=(64, 4))
    write_shard(file, values, 64, 16)
    content = file.read_bytes()
    read, noticed = np.empty_like(values), 0
    for place in rng.integers(0, len(content), 300).tolist():
        file.write_bytes(content[:place] + bytes([content[place] ^ 1 << place % 8]) + content[place + 1 :])
        try:
            read_shard(file, read, 64, 16)
        except (ValueError, RuntimeError):
            noticed += 1
        else:  # a bit of a header that means nothing
            np.testing.assert_array_equal(read, values)
    assert noticed > 290
    for length in rng.integers(0, len(content), 50).tolist():
        file.write_bytes(content[:length])
        with pytest.raises((ValueError, RuntimeError)):
            read_shard(file, read, 64, 16)
    write_shard(file, values[:20], 64, 16)
    read_shard(file, read, 64, 16)
    np.testing.assert_array_equal(read[:20], values[:20])
    assert np.isnan(read[20:]).all()
