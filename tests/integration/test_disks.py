"""Full and read-only disks: a clear message, nothing half-written, and the same result once there is room."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Ampcli

THREE_JETS = "e- e+ > d d~ g"

Mount = Callable[[str], Path]
Remount = Callable[[Path, str], None]


@pytest.fixture(scope="module")
def store(make_store: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("disks") / "ee3.zarr", "2k", features=True)


def _train(store: Path, registry: Path) -> tuple[object, ...]:
    return ("train", store, "--name", "m", "--epochs", "3", "--threads", "1", "--registry", registry)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_gen_on_a_full_disk(
    ampcli: Ampcli, mounted: Mount, remount: Remount, count_parts: Callable[[Path], int], tmp_path: Path, workers: str
) -> None:
    options = ("--points", "60k", "--workers", workers)  # 7 MB
    expected = ampcli("gen", THREE_JETS, tmp_path / "roomy.zarr", *options, "--json").document["digest"]
    disk = mounted("size=3m")
    store = disk / "s.zarr"
    ampcli.process.fails(1, "gen", THREE_JETS, store, *options, naming=("no space left on the disk", "Free some space"))
    assert 0 < count_parts(store) < 30
    ampcli.fails(5, "features", store, "fame", naming="is not finished")
    remount(disk, "size=200m")
    assert ampcli("gen", THREE_JETS, store, *options, "--resume", "--json").document["digest"] == expected
    ampcli("features", store, "fame")


def test_features_on_a_full_disk(ampcli: Ampcli, mounted: Mount, remount: Remount) -> None:
    disk = mounted("size=2700k")  # the store takes 2.3 MB, its features 0.8 MB
    store = disk / "s.zarr"
    ampcli("gen", THREE_JETS, store, "--points", "20k", "-q")
    ampcli.process.fails(1, "features", store, "fame", naming="no space left on the disk")
    assert [path.name for path in (store / "features").iterdir()] in ([], ["zarr.json"])
    remount(disk, "size=200m")
    ampcli("features", store, "fame")


@pytest.mark.parametrize("size", ["16k", "44k"])
def test_train_on_a_full_disk(
    ampcli: Ampcli, mounted: Mount, remount: Remount, store: Path, tmp_path: Path, size: str
) -> None:
    """The checkpoint takes 36 kB, the model 24 kB: the first disk ends the checkpoint, the second the publication."""
    disk = mounted(f"size={size}")
    registry = disk / "registry"
    ampcli.process.fails(1, *_train(store, registry), naming=("no space left on the disk", "Free some space"))
    left = {path.name for path in registry.rglob("*") if path.is_file()}
    assert len(left) <= 2, left
    assert {Path(name).suffix for name in left} <= {".safetensors", ".lock"}, left
    assert not list(registry.glob("m/[0-9]*"))
    remount(disk, "size=200m")
    published = ampcli(*_train(store, registry), "--json").document["models"]
    elsewhere = ampcli(*_train(store, tmp_path / "roomy"), "--json").document["models"]
    assert [m["weights_sha256"] for m in published] == [m["weights_sha256"] for m in elsewhere]
    assert [m["version"] for m in published] == [1]
    ampcli("registry", "verify", "--registry", registry)


def test_predict_on_a_full_disk(ampcli: Ampcli, mounted: Mount, store: Path, tmp_path: Path) -> None:
    registry = tmp_path / "registry"
    ampcli(*_train(store, registry))
    disk = mounted("size=8k")
    for name in ("out.npz", "out.zarr"):
        call = ("predict", "m", store, disk / name, "--registry", registry)
        ampcli.process.fails(1, *call, naming=("no space left on the disk", "Free some space"))
        assert not list(disk.iterdir())


def test_a_read_only_registry(ampcli: Ampcli, mounted: Mount, remount: Remount, store: Path, tmp_path: Path) -> None:
    disk = mounted("size=10m")
    registry = disk / "registry"
    for seed in (1, 2):
        ampcli(*_train(store, registry), "--seed", seed)
    remount(disk, "ro")
    options = ("--registry", registry)
    ampcli.process.fails(1, *_train(store, registry), naming=("registry", "another place"))
    ampcli.process.fails(
        1, "ensemble", "mean", "m@1", "m@2", *options, naming=("cannot write to", "Read-only", "another place")
    )
    ampcli.process.fails(1, "registry", "alias", "m@1", "best", *options, naming=("cannot write to", "another place"))
    ampcli("registry", "verify", *options)  # reading needs no write access
    ampcli("eval", "m@2", store, *options)
    ampcli("predict", "m@2", store, tmp_path / "out.npz", *options)


def test_a_read_only_folder(ampcli: Ampcli, mounted: Mount, store: Path) -> None:
    disk = mounted("size=1m,ro")
    ampcli.process.fails(
        1, "gen", THREE_JETS, disk / "s.zarr", "--points", "1k", naming=("cannot write to", "another place")
    )
