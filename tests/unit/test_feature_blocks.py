"""Blocks of features appear, and are replaced, in one step: kills, several writers, readers, other tools."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
import zarr
from samples import read_fame

from ampcli import files
from ampcli.cli.main import run
from ampcli.errors import IntegrityError, LockedError
from ampcli.generation.generate import generate, prepare
from ampcli.locks import locked
from ampcli.store.features import write_features
from ampcli.store.reader import Store, open_store

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def sound(tmp_path_factory, request_for) -> Path:
    """Two parts of three jets, with the features fame."""
    path = tmp_path_factory.mktemp("sound") / "s.zarr"
    generate(prepare(request_for(path, points=1100)))
    write_features(open_store(path), "fame", CPU)
    return path


@pytest.fixture
def copy(sound, tmp_path) -> Store:
    shutil.copytree(sound, tmp_path / "s.zarr")
    return open_store(tmp_path / "s.zarr")


def test_a_kill_before_any_call_that_writes(sound, tmp_path):
    """Of `features`, with and without --replace, and of `gen`: the old or the new is there, and nothing else stays."""
    script = Path(__file__).with_name("kills.py")
    done = subprocess.run([sys.executable, script, sound, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name, outcome in json.loads(done.stdout).items():
        assert outcome["wrong"] == [], (name, done.stderr)
        assert outcome["kills"] > 5, name


def test_readers_while_a_block_is_replaced(copy):
    expected = {key: values.numpy() for key, values in read_fame(copy)[0].items()}
    stop, failures, readings = threading.Event(), [], []

    def read() -> None:
        while not stop.is_set():
            try:
                found = read_fame(open_store(copy.path))[0]
                readings.append(all(np.array_equal(found[key].numpy(), expected[key]) for key in expected))
            except Exception as error:
                failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(8):
        write_features(open_store(copy.path), "fame", CPU, replace=True)
    stop.set()
    reader.join()
    assert failures == []
    assert readings
    assert all(readings)


def test_a_second_writer_is_told_to_wait(copy, capsys):
    with locked(copy.path / ".ampcli" / "locks" / "features-fame.lock", "", ""):
        with pytest.raises(LockedError, match="another process"):
            write_features(copy, "fame", CPU, replace=True)
        assert run(["features", str(copy.path), "fame", "--replace"]) == 6
        assert run(["features", str(copy.path), "fame"]) == 0  # they are there
        write_features(copy, "antenna", CPU)  # and others are not in the way
    write_features(copy, "fame", CPU, replace=True)


def test_four_writers_at_once(copy):
    """Each succeeds or is told that another is at work; the block is whole at any time."""
    outcomes: list[object] = []
    barrier = threading.Barrier(4)

    def write(replace: bool) -> None:
        barrier.wait()
        try:
            write_features(open_store(copy.path), "fame", CPU, replace)
            outcomes.append(None)
        except LockedError:
            outcomes.append(None)
        except BaseException as error:
            outcomes.append(error)

    for block in (True, False):
        if not block:
            shutil.rmtree(copy.path / "features" / "fame")
        threads = [threading.Thread(target=write, args=(replace,)) for replace in (True, False, True, False)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        read_fame(open_store(copy.path))
    assert outcomes == [None] * 8
    assert sorted(os.listdir(copy.path / "features")) == ["fame", "zarr.json"]


def test_a_draft_of_a_living_writer_stays(tmp_path):
    target = tmp_path / "block"
    with files.drafted(target) as draft:
        (tmp_path / draft.name.replace(f"-{os.getpid()}-", f"-{2**22 + 1}-")).mkdir()  # no such process
        (tmp_path / f".block-{8 * '0'}-1-1-{8 * 'a'}").mkdir()  # of another machine, of late
        (tmp_path / ".block.other").mkdir()
        files.remove_drafts(target)
        others = [f".block-{8 * '0'}-1-1-{8 * 'a'}", ".block.other"]
        assert sorted(os.listdir(tmp_path)) == sorted([draft.name, *others])
        os.utime(tmp_path / others[0], (1e9, 1e9))
        files.remove_drafts(target)
        assert sorted(os.listdir(tmp_path)) == sorted([draft.name, others[1]])
    assert os.listdir(tmp_path) == [".block.other"]


@pytest.mark.parametrize("can_exchange", [True, False])
def test_a_folder_takes_the_place_of_another(tmp_path, monkeypatch, can_exchange):
    if not can_exchange:
        monkeypatch.setattr(files, "_exchange", lambda one, other: False)
    draft, target = tmp_path / "draft", tmp_path / "target"
    for folder in (draft, target):
        folder.mkdir()
        (folder / folder.name).touch()
    files.put_in_place(draft, target)
    assert os.listdir(target) == ["draft"]
    assert {*os.listdir(tmp_path)} == ({"draft", "target"} if can_exchange else {"target"})
    files.restore_set_aside(target)
    target.rename(files.set_aside(target))  # as a kill between its two steps would leave it
    files.restore_set_aside(target)
    assert os.listdir(target) == ["draft"]


def test_damaged_features_are_not_called_there(copy, sound, capsys):
    """Chunks with other numbers and valid checksums, which only the block's own sums know."""
    array = zarr.open_array(copy.path / "features" / "fame" / "recoil", mode="r+")
    array[0:1024] = array[0:1024][::-1]
    assert run(["features", str(copy.path), "fame"]) == 5
    assert "features/fame/recoil: part 1" in capsys.readouterr().err
    with pytest.raises(IntegrityError, match="recoil: part 1"):
        read_fame(open_store(copy.path))
    assert run(["features", str(copy.path), "fame", "--replace"]) == 0
    for key in ("recoil", "dipoles"):
        expected = open_store(sound).read(f"features/fame/{key}")
        np.testing.assert_array_equal(open_store(copy.path).read(f"features/fame/{key}"), expected)


@pytest.mark.filterwarnings("ignore::zarr.errors.ZarrUserWarning")  # about the books, and that consolidation is new
def test_features_added_after_consolidation_are_seen_by_other_readers(copy):
    zarr.consolidate_metadata(copy.path)
    assert zarr.open_group(copy.path, mode="r").metadata.consolidated_metadata is not None
    write_features(copy, "antenna", CPU)
    group = zarr.open_group(copy.path, mode="r")
    assert sorted(group["features"].group_keys()) == ["antenna", "fame"]
    assert group["features/antenna/inputs"].shape[0] == 1100
    assert open_store(copy.path).digest == copy.digest


def test_nothing_is_said_about_pending_tasks(copy, tmp_path):
    """Zarr reads chunks side by side; after the first that is damaged it must not complain about the others."""
    for shard in (copy.path / "momenta" / "c").rglob("0"):
        if shard.is_file():
            data = bytearray(shard.read_bytes())
            data[len(data) // 3] ^= 1
            shard.write_bytes(data)
    command = ["features", str(copy.path), "fame", "--replace"]
    code = f"import sys; from ampcli.cli.main import run; sys.exit(run({command}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 5
    assert [line for line in done.stderr.splitlines() if not line.startswith(("ampcli: error: ", "  "))] == []
