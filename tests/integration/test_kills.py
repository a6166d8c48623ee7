"""Commands killed at every call that writes: nothing is lost, nothing is there twice, the next run cleans up."""

from __future__ import annotations

import errno
import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from failing import KILLED, Ended, killed_everywhere, run_failing

from ampcli.registry.resolve import references
from ampcli.store.reader import Store


def _content(root: Path) -> dict[str, bytes]:
    """All files below a folder, but for locks, and the times that manifests hold."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_file() and path.name != ".lock":
            found[name] = path.read_bytes()
        if path.name == "manifest.json":
            document = json.loads(path.read_bytes())
            varying = ("created", "seconds", "seal", "training")
            found[name] = json.dumps({k: v for k, v in document.items() if k not in varying}).encode()
    return found


def _killed_and_repeated(
    command: list[object],
    folder: Path,
    made: Path,
    start: int = 1,
    prepare: Callable[[], None] = lambda: None,
    over: Callable[[], bool] = lambda: False,
) -> None:
    """Kill a command at every call that writes, repeat it: the same files as without, and no others.

    Where `over` says that the killed command had done all, a repeat would be another one.
    """

    def restore() -> None:
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True)
        prepare()

    restore()
    assert run_failing(command, folder).code == 0
    whole = _content(made)
    kills = 0
    for killed in killed_everywhere(command, folder, restore, start):
        kills += 1
        if over():
            assert {k: v for k, v in _content(made).items() if not k.endswith(".lock")} == whole, killed
            continue
        finished = _content(made).keys() == whole.keys()
        again = run_failing(command, folder)
        assert again.code == 0 or (finished and again.code == 2 and "already" in again.said), (killed, again)
        assert _content(made) == whole, killed
    assert kills >= 3


@pytest.fixture(scope="module")
def events(store3: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("events") / "events.npz"
    np.savez(path, momenta=store3.read("momenta", slice(0, 10)))
    return path


@pytest.mark.parametrize("out", ["out.npz", "out.zarr"])
def test_predict(tmp_path: Path, registry: Path, events: Path, out: str) -> None:
    made = tmp_path / "made"
    command = ["predict", "plain3", events, made / out, "--registry", registry, "--threads", 1]
    _killed_and_repeated(command, tmp_path, made)


def test_registry_export(tmp_path: Path, registry: Path) -> None:
    made = tmp_path / "made"
    _killed_and_repeated(["registry", "export", "plain3", made / "m.tar", "--registry", registry], tmp_path, made)


def test_registry_import(tmp_path: Path, registry: Path) -> None:
    made, archive = tmp_path / "made", tmp_path / "m.tar"
    assert run_failing(["registry", "export", "plain3", archive, "--registry", registry], tmp_path).code == 0
    _killed_and_repeated(["registry", "import", archive, "--registry", made], tmp_path, made)


def test_registry_alias(tmp_path: Path, registry: Path) -> None:
    made = tmp_path / "made"

    def prepare() -> None:
        shutil.copytree(registry / "plain3", made / "plain3")

    _killed_and_repeated(["registry", "alias", "plain3@1", "best", "--registry", made], tmp_path, made, prepare=prepare)


def test_train_publishes_every_replica_once(tmp_path: Path, store3: Store) -> None:
    made = tmp_path / "made"
    settings = ("--name", "m", "--model", "plain", "--epochs", 1, "--hidden", "4", "--batch-size", 1024)
    command = ["train", store3.path, *settings, "--threads", 1, "--registry", made]

    def over() -> bool:
        """The checkpoint is removed last: a repeat trains a new version, as it does after any whole training."""
        return (made / "m" / "1").is_dir() and not list(made.glob(".training/m/*.safetensors"))

    _killed_and_repeated(command, tmp_path, made, start=9, over=over)  # before, there is nothing yet to lose


def test_two_replicas_and_a_kill_between_them(tmp_path: Path, store3: Store) -> None:
    settings = ("--name", "m", "--model", "plain", "--epochs", 1, "--hidden", "4", "--replicas", 2)
    command = ["train", store3.path, *settings, "--threads", 1, "--registry", "registry", "--json"]
    at = 30
    while run_failing(command, tmp_path, at).code == KILLED and references(tmp_path / "registry") != ["m@1"]:
        shutil.rmtree(tmp_path / "registry")
        at += 3
    assert references(tmp_path / "registry") == ["m@1"]
    again = run_failing(command, tmp_path)
    assert [(model["version"], model["seed"]) for model in json.loads(again.said)["models"]] == [(1, 1), (2, 2)]
    assert references(tmp_path / "registry") == ["m@1", "m@2"]
    assert not (tmp_path / "registry" / ".training").exists()


def test_a_full_disk_while_a_model_is_published(tmp_path: Path, store3: Store) -> None:
    settings = ("--name", "m", "--model", "plain", "--epochs", 1, "--hidden", "4")
    command = ["train", store3.path, *settings, "--threads", 1, "--registry", "registry"]
    for at in (12, 16, 24):  # a checkpoint is written, and put in its place; a model is written
        failed = run_failing(command, tmp_path, at, errno.ENOSPC)
        assert (failed.code, "no space left" in failed.said) == (1, True), failed
        assert run_failing(command, tmp_path).code == 0
        assert references(tmp_path / "registry") == ["m@1"]
        shutil.rmtree(tmp_path / "registry")


def test_processes_that_write_the_same_folder(tmp_path: Path, registry: Path, events: Path) -> None:
    command = ["predict", "plain3", events, "out.zarr", "--registry", registry, "--threads", 1]
    ended: list[Ended] = []
    threads = [threading.Thread(target=lambda: ended.append(run_failing(command, tmp_path))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0 in {one.code for one in ended}
    assert all(one.code == 0 or (one.code == 2 and "exists already" in one.said) for one in ended), ended
    assert [path.name for path in tmp_path.iterdir()] == ["out.zarr"]
