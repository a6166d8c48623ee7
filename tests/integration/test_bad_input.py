"""Requests that cannot be met: the exit code and one message that names the problem, and nothing written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
import zarr

if TYPE_CHECKING:
    from conftest import Ampcli

THREE_JETS = "e- e+ > d d~ g"

Flip = Callable[..., None]


@dataclass(frozen=True)
class Trained:
    """A store with features and a registry with a model of it: m@1, alias best.  Read only."""

    store: Path
    registry: Path

    @property
    def momenta(self) -> np.ndarray:
        """The first events with their beams, (20, 5, 4)."""
        final = zarr.open_array(self.store / "momenta", mode="r")[:20]
        beams = np.zeros((20, 2, 4))
        beams[:, :, 0] = 500.0
        beams[:, :, 3] = 500.0, -500.0
        return np.concatenate([beams, final], axis=1)


@pytest.fixture(scope="module")
def trained(ampcli: Ampcli, make_store: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("trained")
    store = make_store(folder / "ee3.zarr", "2k", features=True)
    registry = folder / "registry"
    ampcli("train", store, "--name", "m", "--epochs", "2", "--threads", "1", "--registry", registry)
    ampcli("registry", "alias", "m@1", "best", "--registry", registry)
    return Trained(store, registry)


@pytest.fixture
def copied(trained: Trained, tmp_path: Path) -> Trained:
    """The same, to be damaged."""
    copy = Trained(tmp_path / "ee3.zarr", tmp_path / "registry")
    shutil.copytree(trained.store, copy.store)
    shutil.copytree(trained.registry, copy.registry)
    return copy


@pytest.mark.parametrize(
    ("process", "naming"),
    [
        ("e- e+ > d d~ x", 'unknown particle "x"'),
        ("e- e+ > d d~ gg", ('unknown particle "gg"', "Did you mean g")),
        ("e- e+ d d~ g", 'exactly one ">"'),
        ("e- e+ > d d~ > g", 'exactly one ">"'),
        ("e- > d d~ g", "1 incoming particles"),
        ("", 'exactly one ">"'),
        ("e- e+ > d d~ g, g > d d~", "decay chains"),
        ("e- e+ > d d g", "no tree amplitude"),
        ("e- e+ > d d~", "jet selection needs at least 3"),
        ("d d~ > z g g", "--momenta"),
    ],
)
def test_processes(ampcli: Ampcli, tmp_path: Path, process: str, naming: str | tuple[str, ...]) -> None:
    ampcli.fails(2, "gen", process, tmp_path / "s.zarr", "--points", "1k", naming=naming)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "naming"),
    [
        (("--points", "0"), "at least one point"),
        (("--points", "-5"), ("--points", "-5")),
        (("--points", "many"), ("--points", "many")),
        (("--points", "1.5"), ("--points", "1.5")),
        (("--points", "nan"), ("--points", "nan")),
        (("--points", "inf"), ("--points", "inf")),
        ((), "--points"),
        (("--points", "1k", "--y-cut", "0.5"), ("--y-cut 0.5", "0.333")),
        (("--points", "1k", "--y-cut", "-0.001"), "--y-cut -0.001"),
        (("--points", "1k", "--y-cut", "nan"), "--y-cut nan"),
        (("--points", "1k", "--sqrt-s", "0"), "--sqrt-s 0"),
        (("--points", "1k", "--sqrt-s", "nan"), "--sqrt-s nan"),
        (("--points", "1k", "--sqrt-s", "inf"), "--sqrt-s inf"),
        (("--points", "1k", "--seed", "-1"), "--seed -1"),
        (("--points", "1k", "--seed", "one"), "--seed"),
        (("--points", "1k", "--workers", "0"), "--workers 0"),
        (("--points", "1k", "--provider", "oracle"), ("oracle", "pyamplicol")),
        (("--points", "1k", "--pionts", "2k"), "--pionts"),
    ],
    ids=lambda value: "_".join(value) if isinstance(value, tuple) else None,
)
def test_generation_options(
    ampcli: Ampcli, tmp_path: Path, options: tuple[str, ...], naming: str | tuple[str, ...]
) -> None:
    store = tmp_path / "s.zarr"
    ampcli.fails(2, "gen", THREE_JETS, store, *options, naming=naming)
    assert not list(tmp_path.iterdir())  # no store that holds nothing


def test_a_cut_that_next_to_nothing_passes(ampcli: Ampcli, tmp_path: Path) -> None:
    call = ("gen", THREE_JETS, tmp_path / "s.zarr", "--points", "1k", "--y-cut", "0.33")
    ampcli.fails(2, *call, naming=("y_cut = 0.33", "Lower --y-cut"))
    ampcli.fails(2, *call, "--workers", "2", "--resume", naming=("y_cut = 0.33", "Lower --y-cut"))


def _flawed(momenta: np.ndarray, flaw: str) -> np.ndarray:
    momenta = momenta.copy()
    match flaw:
        case "nan":
            momenta[7, 3, 2] = np.nan
        case "off shell":
            momenta[7, 3, 0] *= 1.001
        case "not conserved":
            momenta[7, 3] *= 1.001
        case "negative energy":
            momenta[7, 3] *= -1
        case "one leg too few":
            momenta = momenta[:, :4]
    return momenta


@pytest.mark.parametrize(
    ("flaw", "naming"),
    [
        ("nan", "event 7"),
        ("off shell", "event 7"),
        ("not conserved", "event 7"),
        ("negative energy", "event 7"),
        ("one leg too few", ("(events, 5, 4)", "(20, 4, 4)")),
    ],
)
def test_momenta(ampcli: Ampcli, trained: Trained, tmp_path: Path, flaw: str, naming: str | tuple[str, ...]) -> None:
    events = tmp_path / "events.npz"
    np.savez(events, momenta=_flawed(trained.momenta, flaw))
    ampcli.fails(2, "gen", THREE_JETS, tmp_path / "s.zarr", "--momenta", events, naming=naming)
    if flaw in ("nan", "one leg too few"):  # the same check
        out = tmp_path / "out.npz"
        ampcli.fails(2, "predict", "m", events, out, "--registry", trained.registry, naming=naming)
    assert [path.name for path in tmp_path.iterdir()] == ["events.npz"]


def test_event_files(ampcli: Ampcli, trained: Trained, tmp_path: Path) -> None:
    events, out = tmp_path / "events.npz", tmp_path / "out.npz"
    predict = ("predict", "m", events, out, "--registry", trained.registry)
    ampcli.fails(4, *predict, naming=("no file", "events.npz"))
    events.write_text("E px py pz")
    ampcli.fails(2, *predict, naming=("events.npz", "not an npz file"))
    np.savez(events, p=trained.momenta)
    ampcli.fails(4, *predict, naming=("no array momenta", "only p"))
    np.savez(events, momenta=trained.momenta.astype(int))
    ampcli.fails(2, *predict, naming=("events.npz", "int64"))
    np.savez(events, momenta=trained.momenta[:0])
    ampcli.fails(2, *predict, naming=("events.npz", "(0, 5, 4)"))
    np.savez(events, momenta=trained.momenta)
    ampcli.fails(2, "gen", THREE_JETS, tmp_path / "s.zarr", "--momenta", events, "--points", "21", naming="has only 20")
    ampcli.fails(2, "predict", "m", events, tmp_path / "out.csv", "--registry", trained.registry, naming="out.csv")
    out.write_text("mine")
    ampcli.fails(2, *predict, naming=("out.npz", "exists already"))
    assert out.read_text() == "mine"
    events.write_bytes(events.read_bytes()[:-2000])
    assert ampcli.run("predict", "m", events, tmp_path / "new.npz", "--registry", trained.registry).code in (2, 5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events.npz", "out.npz"]


def test_momenta_of_another_energy_are_refused(ampcli: Ampcli, trained: Trained, tmp_path: Path) -> None:
    events = tmp_path / "events.npz"
    np.savez(events, momenta=1.01 * trained.momenta)
    ampcli("gen", THREE_JETS, tmp_path / "s.zarr", "--momenta", events, "-q")
    for call in (("predict", "m", events, tmp_path / "out.npz"), ("eval", "m", tmp_path / "s.zarr")):
        ampcli.fails(2, *call, "--registry", trained.registry, naming=("m@1", "1000"))


@pytest.mark.parametrize("command", ["features", "train", "eval"])
def test_stores_that_are_none(ampcli: Ampcli, trained: Trained, tmp_path: Path, command: str) -> None:
    def call(store: Path) -> tuple[object, ...]:
        registry = ("--registry", trained.registry)
        return {
            "features": ("features", store, "fame"),
            "train": ("train", store, "--name", "x", "--registry", tmp_path / "registry"),
            "eval": ("eval", "m", store, *registry),
        }[command]

    ampcli.fails(4, *call(tmp_path / "none.zarr"), naming="none.zarr")
    folder = tmp_path / "folder"
    folder.mkdir()
    ampcli.fails(2, *call(folder), naming=(str(folder), "is not a store"))
    unfinished = tmp_path / "unfinished.zarr"
    ampcli("gen", THREE_JETS, unfinished, "--points", "2k", "--part", "1/2", "-q")
    ampcli.fails(5, *call(unfinished), naming=("unfinished.zarr is not finished", "--resume"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "unfinished.zarr"]


@pytest.mark.parametrize(
    ("command", "damage"),
    [
        *((command, damage) for command in ("features", "train", "eval") for damage in ("flipped", "truncated")),
        ("features", "missing"),
    ],
)
def test_damaged_stores(ampcli: Ampcli, copied: Trained, flip_byte: Flip, command: str, damage: str) -> None:
    shard = copied.store / "momenta" / "c" / "1" / "0" / "0"
    match damage:
        case "flipped":
            flip_byte(shard, 0.4)
        case "truncated":
            shard.write_bytes(shard.read_bytes()[:-50])
        case "missing":
            shard.unlink()
    registry = ("--registry", copied.registry, "--threads", "1")
    call: dict[str, tuple[object, ...]] = {
        "features": ("features", copied.store, "fame", "--replace"),
        "train": ("train", copied.store, "--name", "new", "--epochs", "2", *registry),
        "eval": ("eval", "m", copied.store, *registry),
    }
    features = (copied.store / "features" / "fame" / "zarr.json").stat().st_mtime_ns
    ampcli.fails(5, *call[command], naming=(f"{copied.store}/momenta", "--resume"))
    assert not (copied.registry / "new").exists()
    assert (copied.store / "features" / "fame" / "zarr.json").stat().st_mtime_ns == features
    assert not list((copied.store / "features").glob(".fame*"))


def test_damaged_features(ampcli: Ampcli, copied: Trained, flip_byte: Flip) -> None:
    flip_byte(copied.store / "features" / "fame" / "dipoles" / "c" / "0" / "0", 0.4)
    call = ("train", copied.store, "--name", "new", "--registry", copied.registry, "--epochs", "2")
    ampcli.fails(5, *call, naming=("features/fame/dipoles", "--replace"))  # what repairs features
    ampcli("features", copied.store, "fame", "--replace")
    ampcli(*call)


def test_damaged_metadata(ampcli: Ampcli, copied: Trained) -> None:
    call = ("features", copied.store, "fame", "--replace")
    for file in (copied.store / "zarr.json", copied.store / "momenta" / "zarr.json"):
        whole = file.read_text()
        file.write_text(whole[:50])
        ampcli.fails(5, *call, naming=str(copied.store))
        file.write_text(whole)
    plan = copied.store / ".ampcli" / "plan.json"
    content = json.loads(plan.read_text())
    plan.write_text(json.dumps(content | {"format_version": 99}))
    ampcli.fails(5, *call, naming=("format 99", "Upgrade"))
    plan.write_text(json.dumps(content | {"points": 1}))
    ampcli.fails(5, *call, naming=("plan.json", "seal"))
    plan.write_text("{")
    ampcli.fails(5, *call, naming="plan.json is damaged")


def test_damaged_models(ampcli: Ampcli, copied: Trained, flip_byte: Flip, tmp_path: Path) -> None:
    registry = ("--registry", copied.registry)
    folder = copied.registry / "m" / "1"
    weights = folder / "weights.safetensors"
    whole = weights.read_bytes()
    flip_byte(weights, 0.9)
    ampcli.fails(5, "eval", "m", copied.store, *registry, naming="weights.safetensors has changed")
    events = copied.store
    ampcli.fails(5, "predict", "m", events, tmp_path / "out.npz", *registry, naming="weights.safetensors has changed")
    assert not (tmp_path / "out.npz").exists()
    outcome = ampcli.fails(5, "registry", "verify", *registry, "--json", naming="weights.safetensors has changed")
    assert [entry["ok"] for entry in outcome.document["models"]] == [False]
    ampcli.fails(5, "registry", "export", "m", tmp_path / "m.tar", *registry, naming="weights.safetensors")
    assert not (tmp_path / "m.tar").exists()
    weights.unlink()
    ampcli.fails(5, "eval", "m", copied.store, *registry, naming="weights.safetensors is missing")
    weights.write_bytes(whole)
    manifest = folder / "manifest.json"
    content = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(content | {"schema_version": 99, "new_field": 1}))
    for call in (("show", "m"), ("list",), ("verify",)):
        ampcli.fails(5, "registry", *call, *registry, naming=("schema version 99", "Upgrade"))
    ampcli.fails(5, "eval", "m", copied.store, *registry, naming=("schema version 99", "Upgrade"))


def test_models_that_are_not_there(ampcli: Ampcli, trained: Trained, tmp_path: Path) -> None:
    registry = ("--registry", trained.registry)
    ampcli.fails(4, "eval", "no-such", trained.store, *registry, naming=('no model "no-such"', "Models there: m"))
    ampcli.fails(4, "eval", "m@7", trained.store, *registry, naming=("no version 7", "Versions: 1"))
    ampcli.fails(4, "registry", "show", "m@worst", *registry, naming=('no alias "worst"', "best"))
    ampcli.fails(4, "ensemble", "e", "m", "no-such", *registry, naming='no model "no-such"')
    ampcli.fails(4, "registry", "list", "--registry", tmp_path / "none", naming=("no registry", "AMPCLI_REGISTRY"))
    ampcli.fails(4, "registry", "import", tmp_path / "none.tar", *registry, naming="none.tar")
    ampcli.fails(2, "registry", "show", "../m", *registry, naming="../m")
    ampcli.fails(2, "ensemble", "e", "m", *registry, naming="at least two members")
    ampcli.fails(2, "ensemble", "e", "m", "m@best", *registry, naming="named twice")
    assert not (trained.registry / "e").exists()


@pytest.mark.parametrize("process", ["e- e+ > d d~ g g", "e- e+ > u u~ g"])  # the second has as many legs
def test_another_process_than_the_model_learned(ampcli: Ampcli, trained: Trained, tmp_path: Path, process: str) -> None:
    store = tmp_path / "other.zarr"
    ampcli("gen", process, store, "--points", "1k", "-q")
    registry = ("--registry", trained.registry)
    out = tmp_path / "plots"
    ampcli.fails(2, "eval", "m", store, "--out", out, *registry, naming=(THREE_JETS, process))
    assert not out.exists()
    ampcli.fails(2, "predict", "m", store, tmp_path / "out.npz", *registry, naming=(THREE_JETS, process))
    assert not (tmp_path / "out.npz").exists()


@pytest.mark.parametrize(
    ("options", "naming"),
    [
        (("--model", "transformer"), ("--model", "fame")),
        (("--preset", "huge"), ("huge", "small")),
        (("--hidden", "8,x"), "8,x"),
        (("--epochs", "0"), "--epochs"),
        (("--batch-size", "0"), "--batch-size"),
        (("--learning-rate", "nan"), "--learning-rate"),
        (("--schedule", "sine"), "--schedule"),
        (("--replicas", "0"), "--replicas 0"),
        (("--threads", "0"), "--threads 0"),
        (("--minutes", "-1"), "--minutes"),
        (("--device", "tpu"), "tpu"),
        (("--name", "../up"), "../up"),
    ],
    ids=lambda value: "_".join(value) if isinstance(value, tuple) else None,
)
def test_training_options(
    ampcli: Ampcli, trained: Trained, tmp_path: Path, options: tuple[str, ...], naming: str | tuple[str, ...]
) -> None:
    call = ("train", trained.store, "--name", "x", "--epochs", "1", "--registry", tmp_path / "registry")
    ampcli.fails(2, *call, *options, naming=naming)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
@pytest.mark.parametrize("command", ["features", "train", "predict"])
def test_no_gpu(ampcli: Ampcli, trained: Trained, tmp_path: Path, command: str) -> None:
    calls: dict[str, tuple[object, ...]] = {
        "features": ("features", trained.store, "fame"),
        "train": ("train", trained.store, "--name", "x", "--registry", tmp_path),
        "predict": ("predict", "m", trained.store, tmp_path / "out.npz", "--registry", trained.registry),
    }
    ampcli.fails(2, *calls[command], "--device", "cuda", naming=("no CUDA device", "--device cpu"))


def test_features_that_are_not_there(
    ampcli: Ampcli, make_store: Callable[..., Path], trained: Trained, tmp_path: Path
) -> None:
    store = make_store(tmp_path / "bare.zarr")
    train = ("train", store, "--name", "x", "--registry", tmp_path / "registry")
    ampcli.fails(4, *train, naming=("no features fame", f"ampcli features {store} fame"))
    assert not (tmp_path / "registry").exists()
    ampcli.fails(2, "features", store, "cake", naming=('unknown features "cake"', "fame"))
    assert not (store / "features").exists()


def test_a_store_without_enough_points(ampcli: Ampcli, make_store: Callable[..., Path], tmp_path: Path) -> None:
    store = make_store(tmp_path / "s.zarr", "1", features=True)
    train = ("train", store, "--name", "x", "--registry", tmp_path / "registry", "--epochs", "1")
    ampcli.fails(2, *train, naming=(str(store), "Generate more points"))


def test_usage(ampcli: Ampcli) -> None:
    ampcli.fails(2, "gen", naming="process")
    ampcli.fails(2, "no-such-command", naming="no-such-command")
    ampcli.fails(2, "registry", "no-such-command", naming="no-such-command")
    ampcli.fails(2, "train", "s.zarr", naming="--name")
    for call in ((), ("gen",), ("train",), ("eval",), ("registry", "list")):
        shown = ampcli(*call, "--help")
        assert "Usage: ampcli" in shown.stdout
        assert shown.stderr == ""
        assert not call or "Example: ampcli" in shown.stdout
    assert ampcli("--version").stdout.startswith("ampcli ")
