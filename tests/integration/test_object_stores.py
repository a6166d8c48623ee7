"""Stores at s3:// URLs of a real server: the same as on a disk, from many processes, and through its failures."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import zarr
from commands import Ampcli
from s3_server import BUCKET, Server, serving

from ampcli import objects
from ampcli.errors import UsageError
from ampcli.held import Held, Seen, Watched
from ampcli.locks import locked
from ampcli.object_locks import ObjectCell
from ampcli.objects import ObjectPath, place
from ampcli.store.reader import open_store

THREE_JETS = "e- e+ > d d~ g"
POINTS = ("--points", "3k")  # three parts


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture
def remote(ampcli: Ampcli, server: Server) -> Ampcli:
    """The command, which knows the server."""
    return Ampcli(ampcli.folder, ampcli.environment | server.environment)


@pytest.fixture
def url(server: Server, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[str]:
    """Of a new store."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    yield f"s3://{BUCKET}/{request.node.name}.zarr"
    server.failure = lambda number: None


def keys(server: Server, url: str) -> list[str]:
    prefix = url.removeprefix(f"s3://{BUCKET}/") + "/"
    found = server.client.list_objects_v2(Bucket=BUCKET, Prefix=prefix)
    return sorted(entry["Key"].removeprefix(prefix) for entry in found.get("Contents", []))


def test_a_store_is_the_same_as_on_a_disk(remote: Ampcli, server: Server, url: str, tmp_path: Path) -> None:
    local = tmp_path / "s.zarr"
    for store in (local, url):
        remote("gen", THREE_JETS, store, *POINTS, "--part", "1/2", "-q")
        state = remote("store", "status", store, "--json").document
        assert (state["done"], state["missing"], state["finished"]) == (2, [2], False)
        remote.fails(5, "features", store, "fame", naming="1 of 3 parts are missing")
        remote("gen", THREE_JETS, store, *POINTS, "--part", "2/2", "-q")
        remote("features", store, "fame", "-q")
        remote("features", store, "fame", "-q")
    assert open_store(place(url)).digest == open_store(local).digest
    files = [str(file.relative_to(local)) for file in local.rglob("*") if file.is_file()]
    assert keys(server, url) == sorted(files)
    for file in files:
        if "/c/" in file or file.endswith("fame/zarr.json"):
            assert place(url).joinpath(file).read_bytes() == (local / file).read_bytes(), file

    settings = ("--name", "m", "--epochs", 1, "--hidden", 4, "--threads", 1, "--registry", tmp_path / "registry", "-q")
    remote("train", url, *settings)
    models = ("--registry", tmp_path / "registry")
    remote("predict", "m", url, tmp_path / "out.npz", *models, "-q")
    found = [remote("eval", "m", store, *models, "--json").document for store in (local, url)]
    assert {**found[0], "store": url} == found[1]

    with zarr.config.set({"async.concurrency": 1}):
        from obstore.store import S3Store

        group = S3Store(BUCKET, prefix=f"{place(url).key}/momenta", client_options={"allow_http": True})
        others = zarr.open_array(zarr.storage.ObjectStore(group, read_only=True), mode="r", zarr_format=3)
        np.testing.assert_array_equal(others[:], open_store(local).read("momenta"))


def test_many_processes_write_one_store(server: Server, url: str, tmp_path: Path, remote: Ampcli) -> None:
    shares = [f"{share}/4" for share in range(1, 5)] + ["1/4", "2/4"]  # some of them twice
    ended = []

    def run(share: str) -> None:
        ended.append(remote.process.run("gen", THREE_JETS, url, "--points", "8k", "--part", share, "-q").code)

    threads = [threading.Thread(target=run, args=(share,)) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ended == [0] * len(shares)
    expected = remote("gen", THREE_JETS, tmp_path / "s.zarr", "--points", "8k", "--json").document["digest"]
    remote("gen", THREE_JETS, url, "--points", "8k", "--resume", "-q")
    assert open_store(place(url)).digest == expected
    assert [key for key in keys(server, url) if key.endswith(".lock")] == []


def test_damage_is_found_and_repaired(remote: Ampcli, server: Server, url: str) -> None:
    remote("gen", THREE_JETS, url, *POINTS, "-q")
    remote("features", url, "fame", "-q")
    name = place(url).key
    before = {key: place(url).joinpath(key).read_bytes() for key in keys(server, url)}
    server.client.put_object(Bucket=BUCKET, Key=f"{name}/amplitude/c/1", Body=before["amplitude/c/0"])
    server.client.delete_object(Bucket=BUCKET, Key=f"{name}/features/fame/recoil/c/0/0")
    remote.fails(5, "store", "verify", url, naming=("amplitude, part 2", "features/fame/recoil, part 1"))
    repaired = remote("store", "repair", url, "--json").document
    assert [each["where"] for each in repaired["repaired"]] == ["amplitude", "features/fame/recoil"]
    remote("store", "verify", url)
    assert {key: place(url).joinpath(key).read_bytes() for key in keys(server, url)} == before


@pytest.mark.parametrize("how", ["500", "reset"])
def test_a_server_that_fails_now_and_then(remote: Ampcli, server: Server, url: str, how: str) -> None:
    server.failure = lambda number: how if number % 5 == 0 else None
    remote("gen", THREE_JETS, url, "--points", "1k", "-q")
    remote("store", "verify", url)


def test_a_server_that_fails_for_good(
    remote: Ampcli, server: Server, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "_RETRIES", 1)
    objects._opened.cache_clear()
    try:
        for last in (2, 20):  # before the plan is there, and within a part
            begun = next(server.requests)
            server.failure = lambda number, end=begun + last: "500" if number > end else None  # type: ignore[misc]
            remote.fails(
                1, "gen", THREE_JETS, url, *POINTS, "--part", "1/1", naming=("the server of", "AWS_ENDPOINT_URL")
            )
            server.failure = lambda number: None
        remote("gen", THREE_JETS, url, *POINTS, "--resume", "-q")
        remote("store", "verify", url)
    finally:
        objects._opened.cache_clear()


def test_a_lock_is_taken_over_by_one(url: str) -> None:
    path = ObjectPath(place(url) / "some.lock")
    stale = Held.by_this_process().model_copy(update={"machine": "elsewher", "lease": 0.2}).model_dump_json().encode()
    cell = ObjectCell(path)
    assert cell.create(stale)
    assert cell.create(stale)  # an answer that was lost, and a request that was repeated
    assert not cell.create(b"another")
    seen = cell.look()
    assert seen is not None
    assert cell.beat(stale)
    moved = cell.look()
    assert moved is not None
    assert (moved.content, moved.version == seen.version) == (stale, False)
    won = [cell.take_over(Seen(moved.content, moved.version), f"{n}".encode(), Watched()) for n in range(4)]
    assert won == [True, False, False, False]
    assert not cell.beat(stale)
    assert not cell.drop(stale)
    assert cell.drop(b"0")
    assert cell.create(stale)
    with locked(path, "busy", "Wait."):  # its process is silent
        assert cell.look() != seen
    assert cell.look() is None


@pytest.mark.parametrize(
    ("call", "naming"),
    [
        (("gen", THREE_JETS, "gs://bucket/s.zarr", "--points", "1k"), "only s3:// is known"),
        (("gen", THREE_JETS, "s3://bucket", "--points", "1k"), "names no store"),
        (("gen", THREE_JETS, "s3://no-such-bucket/s.zarr", "--points", "1k"), "there is no bucket no-such-bucket"),
        (("gen", "p p > j j", f"s3://{BUCKET}/s.zarr", "--points", "1k", "--beams", "lhc13"), "folders only"),
    ],
)
def test_what_is_refused(remote: Ampcli, url: str, call: tuple[str, ...], naming: str) -> None:
    remote.fails(2, *call, naming=naming)


def test_paths() -> None:
    path = place("s3://bucket/folder/s.zarr")
    assert isinstance(path, ObjectPath)
    assert str(path / "momenta") == "s3://bucket/folder/s.zarr/momenta"
    assert (path.name, str(path.parent), path.key) == ("s.zarr", "s3://bucket/folder", "folder/s.zarr")
    assert place(Path("s3://bucket/folder/s.zarr")) == path  # as the command line gives it
    assert not isinstance(place("folder/s.zarr"), ObjectPath)
    with pytest.raises(UsageError, match="names no store"):
        place("s3://bucket/../other")
    with pytest.raises(UsageError, match="files and folders only"):
        path.stat()
