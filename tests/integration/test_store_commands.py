"""``ampcli store``: how far a store is, whether it is sound, and parts made again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from commands import Ampcli

from ampcli.held import Held
from ampcli.locks import locked
from ampcli.store.parts import lock_file
from ampcli.store.reader import open_store

THREE_JETS = "e- e+ > d d~ g"


@pytest.fixture(scope="module")
def sound(make_store: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three parts, with features."""
    return make_store(tmp_path_factory.mktemp("sound") / "s.zarr", "3k", features=True)


@pytest.fixture
def store(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "s.zarr"))


def content(store: Path) -> dict[str, bytes]:
    return {str(file.relative_to(store)): file.read_bytes() for file in store.rglob("*") if file.is_file()}


def leave_lock(store: Path, part: int, **changes: object) -> Held:
    """What a process leaves that has a part in work, or had."""
    held = Held.by_this_process().model_copy(update=changes)
    lock_file(store, f"{part - 1:06d}").write_text(held.model_dump_json())
    return held


def test_status_knows_what_is_done_running_stale_and_missing(ampcli: Ampcli, tmp_path: Path) -> None:
    store = tmp_path / "s.zarr"
    ampcli("gen", THREE_JETS, store, "--points", "6k", "--part", "3/6", "-q")
    living = leave_lock(store, 1)
    leave_lock(store, 2, pid=2**22 + 1)
    leave_lock(store, 4, machine="elsewher", host="node7", lease=0.3)
    state = ampcli("store", "status", store, "--json").document
    assert (state["parts"], state["done"], state["missing"], state["finished"]) == (6, 1, [5, 6], False)
    assert state["running"] == [{"part": 1, "host": living.host, "pid": os.getpid(), "since": living.since}]
    assert [(each["part"], each["host"]) for each in state["stale"]] == [(2, living.host), (4, "node7")]
    assert state["bytes"] == sum(map(len, content(store).values()))
    said = ampcli("store", "status", store).stdout
    assert f"part 1 is running: process {os.getpid()} on" in said
    assert "missing: 5, 6" in said
    lock_file(store, "000000").unlink()
    command = state["go_on"].replace("'e- e+ > d d~ g'", THREE_JETS.replace(" ", "_")).split()
    ampcli(*(word.replace("_", " ") if word.startswith("e-_") else word for word in command[1:]))
    state = ampcli("store", "status", store, "--json").document
    assert (state["finished"], state["done"], state["go_on"]) == (True, 6, None)
    ampcli("store", "verify", store)


def test_a_part_in_work_is_left_to_its_process_and_awaited(ampcli: Ampcli, tmp_path: Path) -> None:
    store = tmp_path / "s.zarr"
    ampcli("gen", THREE_JETS, store, "--points", "2k", "--part", "1/2", "-q")
    command = ("gen", THREE_JETS, store, "--points", "2k", "--resume")
    with locked(lock_file(store, "000001"), "", ""), ampcli.started(*command) as waiting:
        waiting.wait_until(lambda: "waiting: part 2 of" in waiting.stderr)
        waiting.signal(signal.SIGTERM)
        assert waiting.end().code == 75
    ampcli("gen", THREE_JETS, store, "--points", "2k", "--resume", "-q")
    assert open_store(store).rows == 2000


def test_sixteen_processes_write_one_store(ampcli: Ampcli, tmp_path: Path) -> None:
    """All of them find all parts done at about the same time; one of them finishes the store."""
    store, ended = tmp_path / "s.zarr", []

    def run(share: int) -> None:
        ended.append(ampcli.process.run("gen", THREE_JETS, store, "--points", "16k", "--part", f"{share}/16", "-q"))

    threads = [threading.Thread(target=run, args=(share,)) for share in range(1, 17)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(one.code, one.stderr) for one in ended if one.code] == []
    ampcli("gen", THREE_JETS, tmp_path / "alone.zarr", "--points", "16k", "-q")
    assert open_store(store).digest == open_store(tmp_path / "alone.zarr").digest
    assert content(store).keys() == content(tmp_path / "alone.zarr").keys()


def test_what_is_damaged_is_named_and_made_again(ampcli: Ampcli, store: Path, flip_byte: Callable[..., None]) -> None:
    before = content(store)
    ampcli("store", "verify", store)
    flip_byte(store / "amplitude" / "c" / "1")
    flip_byte(store / "features" / "fame" / "dipoles" / "c" / "2" / "0")
    (store / "features" / "fame" / "recoil" / "zarr.json").unlink()
    (store / "momenta" / "zarr.json").write_text("{}")
    (store / ".ampcli" / "parts" / "000002.json").write_text("{}")
    failed = ampcli.run("store", "verify", store, "--json")
    assert failed.code == 5
    named = {(each["where"], each["part"]) for each in json.loads(failed.stdout)["damaged"]}
    assert {("amplitude", 2), ("momenta/zarr.json", None), (".ampcli/parts/000002.json", None)} <= named
    ampcli("store", "repair", store)
    again = content(store)
    assert {name for name in before if before[name] != again.get(name)} <= {".ampcli/gen.toml"}
    assert again.keys() == before.keys()
    assert "repaired" not in ampcli("store", "repair", store, "--json").document


def test_what_comes_out_differently_is_not_written(
    ampcli: Ampcli, store: Path, flip_byte: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ampcli.amplitudes.native.provider import Native
    from ampcli.features.fame import FameBlock

    flip_byte(store / "amplitude" / "c" / "1")
    flip_byte(store / "features" / "fame" / "recoil" / "c" / "1" / "0")
    before = content(store)
    exact, compute = Native.evaluate, FameBlock.compute
    monkeypatch.setattr(Native, "evaluate", lambda self, momenta: exact(self, momenta) * (1 + 1e-15))
    ampcli.fails(5, "store", "repair", store, naming="other values")
    again = content(store)
    assert {name for name in before if before[name] != again.get(name)} <= {".ampcli/gen.toml"}
    monkeypatch.undo()
    monkeypatch.setattr(FameBlock, "compute", lambda self, p: {k: v + 1e-9 for k, v in compute(self, p).items()})
    ampcli.fails(5, "store", "repair", store, naming="part 2 comes out differently")
    assert content(store)["features/fame/recoil/c/1/0"] == before["features/fame/recoil/c/1/0"]
    monkeypatch.undo()
    ampcli("store", "repair", store)


def test_what_cannot_be_made_again(ampcli: Ampcli, sound: Path, tmp_path: Path, flip_byte: Callable[..., None]) -> None:
    events, store = tmp_path / "events.npz", tmp_path / "given.zarr"
    momenta = open_store(sound).read("momenta", slice(0, 50))
    np.savez(events, momenta=momenta)
    ampcli("gen", THREE_JETS, store, "--momenta", events, "-q")
    flip_byte(store / "amplitude" / "c" / "0")
    before = content(store)
    events.rename(tmp_path / "elsewhere.npz")
    ampcli.fails(4, "store", "repair", store, naming=("cannot be made again", "events.npz", "Nothing was changed"))
    assert content(store) == before
    (store / ".ampcli" / "gen.toml").unlink()
    ampcli.fails(4, "store", "repair", store, naming="does not say which command made it")
    ampcli.fails(4, "store", "status", tmp_path / "none.zarr", naming="no store at")
    ampcli.fails(2, "store", "verify", tmp_path, naming="is not a store of ampcli")
