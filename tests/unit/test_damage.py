"""Damage that is made on purpose, all of it that can be enumerated: nothing changed passes for what was written."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save
from samples import of_older_schema
from torch import Tensor

import ampcli
from ampcli.cli.main import run
from ampcli.errors import IntegrityError, UsageError
from ampcli.records.training import Recipe
from ampcli.registry.aliases import ALIASES
from ampcli.registry.manifest import MANIFEST, read_manifest
from ampcli.registry.resolve import aliases, resolve, set_alias
from ampcli.registry.storage import PROBE, WEIGHTS
from ampcli.seal import SEAL, sealed
from ampcli.training.checkpoint import EpochRecord, State, load_checkpoint, save_checkpoint
from ampcli.training.schedule import Progress

CPU = torch.device("cpu")


def damaged(content: bytes) -> Iterator[bytes]:
    """The content with one character changed, every one of them once: another digit, letter, bracket, case."""
    for position in range(len(content)):
        changed = bytearray(content)
        changed[position] ^= (0x01, 0x04, 0x20)[position % 3]
        yield bytes(changed)


@pytest.fixture
def copy(registry: Path, tmp_path: Path) -> Path:
    """The models, with the alias fame3@best."""
    root = tmp_path / "registry"
    shutil.copytree(registry, root)
    set_alias(root, "fame3@2", "best")
    return root


# --- manifests and aliases: every character


def test_every_character_of_a_manifest(copy: Path) -> None:
    path = copy / "plain3" / "1" / MANIFEST
    content = path.read_bytes()
    values, harmless = json.loads(content), 0
    for changed in damaged(content):
        path.write_bytes(changed)
        try:
            read_manifest(path.parent)
        except IntegrityError:
            continue
        assert json.loads(changed) == values
        harmless += 1
    assert harmless < len(content) // 4  # blanks between the values


def test_every_character_of_the_aliases(copy: Path) -> None:
    path = copy / "fame3" / ALIASES
    content = path.read_bytes()
    for changed in damaged(content):
        path.write_bytes(changed)
        try:
            assert aliases(copy, "fame3") == {"best": 2}
        except IntegrityError:
            continue
        assert json.loads(changed) == json.loads(content)


def test_aliases_of_older_files_are_read_and_sealed_when_one_is_set(copy: Path) -> None:
    path = copy / "fame3" / ALIASES
    path.write_text('{"best": 3, "paper": 1}')
    assert resolve(copy, "fame3@best").name == "3"
    set_alias(copy, "fame3@2", "new")
    assert aliases(copy, "fame3") == {"best": 3, "paper": 1, "new": 2}
    assert SEAL in json.loads(path.read_bytes())


def test_an_alias_means_the_manifest_that_it_was_given_to(copy: Path) -> None:
    manifest = copy / "fame3" / "2" / MANIFEST
    manifest.write_text(json.dumps(sealed(json.loads(manifest.read_bytes()) | {"card": "another model"})))
    assert read_manifest(manifest.parent).card == "another model"
    with pytest.raises(IntegrityError, match="not the one that the alias was given to"):
        ampcli.load("fame3@best", copy)
    assert run(["registry", "verify", "fame3@1", "--registry", str(copy)]) == 5


def test_a_manifest_of_schema_1_has_no_seal_and_verify_says_so(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = copy / "plain3" / "1" / MANIFEST
    document = json.loads(manifest.read_bytes())
    older = of_older_schema(document, 1)
    before = ampcli.load("plain3", copy).predict(torch.ones((0, 3, 4)).double().numpy())
    del document[SEAL]
    manifest.write_text(json.dumps(document))
    with pytest.raises(IntegrityError, match="does not match its seal"):  # of schema 3
        ampcli.load("plain3", copy)
    manifest.write_text(json.dumps(older))
    assert len(ampcli.load("plain3", copy).predict(torch.ones((0, 3, 4)).double().numpy())) == len(before)
    assert run(["registry", "verify", "plain3", "--registry", str(copy)]) == 0
    assert "without a seal" in capsys.readouterr().out


def test_what_the_manifest_says_of_uncertainties_and_region_is_in_the_probe(copy: Path) -> None:
    manifest = copy / "fame3" / "1" / MANIFEST
    document = of_older_schema(json.loads(manifest.read_bytes()), 1)
    metrics = document["metrics"]
    metrics["quantile68_abs_delta"]["value"] *= 1.5
    for changed in (
        {"metrics": metrics},
        {"dataset": document["dataset"] | {"selection": document["dataset"]["selection"] | {"y_cut": 0.2}}},
        {"recalibration": {"log_sigma": [0.0], "log_scale": [0.5], "intervals": {}}},
    ):
        manifest.write_text(json.dumps(document | changed))
        assert run(["registry", "verify", "fame3@1", "--registry", str(copy)]) == 5, changed


def test_control_characters_of_a_card(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = copy / "plain3" / "1" / MANIFEST
    document = json.loads(manifest.read_bytes()) | {"card": "first\nsecond \x1b[2J\x07", "git_commit": "\x1b]0;x"}
    manifest.write_text(json.dumps(sealed(document)))
    assert run(["registry", "show", "plain3", "--registry", str(copy)]) == 0
    said = capsys.readouterr().out
    assert "first\nsecond \\x1b[2J\\x07" in said
    assert not set(said) & set("\x1b\x07")


# --- all files of a version


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-7]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"x"),
    "empty": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "flipped": _flip,
    "pipe": _fifo,
    "folder": _folder,
    "loop": _loop,
    "swapped": lambda path: shutil.copy(str(path).replace("/2/", "/1/"), path),
}


@pytest.mark.parametrize("file", [MANIFEST, WEIGHTS, PROBE])
@pytest.mark.parametrize("damage", list(DAMAGES))
def test_every_file_in_every_state(copy: Path, damage: str, file: str) -> None:
    DAMAGES[damage](copy / "fame3" / "2" / file)
    assert run(["registry", "verify", "fame3@2", "--registry", str(copy)]) == 5
    if file != PROBE:  # which predictions do not need
        with pytest.raises(IntegrityError):
            ampcli.load("fame3@2", copy)


@pytest.mark.parametrize("damage", [name for name in DAMAGES if name not in ("missing", "swapped")])
def test_the_file_of_aliases_in_every_state(copy: Path, damage: str) -> None:
    DAMAGES[damage](copy / "fame3" / ALIASES)
    assert run(["registry", "show", "fame3@best", "--registry", str(copy)]) == 5


def test_a_version_in_the_place_of_another(copy: Path) -> None:
    shutil.rmtree(copy / "fame3" / "1")
    shutil.copytree(copy / "fame3" / "2", copy / "fame3" / "1")
    with pytest.raises(IntegrityError, match="holds the manifest of fame3@2"):
        ampcli.load("fame3@1", copy)


# --- models that are whole in themselves, with right checksums, and fit nothing


def forge(folder: Path, file: str, change: Callable[[dict[str, Tensor]], object], **entries: object) -> None:
    """Write other tensors or entries of the manifest, with the checksums and the seal that belong to them."""
    tensors = load((folder / file).read_bytes())
    change(tensors)
    data = save({name: tensor.contiguous() for name, tensor in tensors.items()})
    (folder / file).write_bytes(data)
    key = "weights_sha256" if file == WEIGHTS else "probe_sha256"
    document = json.loads((folder / MANIFEST).read_bytes()) | {key: hashlib.sha256(data).hexdigest()}
    (folder / MANIFEST).write_text(json.dumps(sealed(document | entries)))


def put(name: str, change: Callable[[Tensor], Tensor]) -> Callable[[dict[str, Tensor]], object]:
    return lambda tensors: tensors.update({name: change(tensors[name])})


TYPES = (torch.float64, torch.float32, torch.bfloat16, torch.bool, torch.complex64, torch.int64, torch.int32)
SHAPES: dict[str, Callable[[Tensor], Tensor]] = {
    "empty": lambda t: t.reshape(-1)[:0].clone(),
    "one more dimension": lambda t: t[None].clone(),
    "one less": lambda t: t.reshape(-1)[:-1].clone(),
    "one more": lambda t: torch.cat([t.reshape(-1), t.reshape(-1)[:1]]),
    "many": lambda t: t.reshape(-1)[:1].repeat(10**4),
    "number": lambda t: t.reshape(-1)[0].reshape(()).clone() if t.ndim else t[None].clone(),
}
VALUES = {"nan": torch.nan, "inf": torch.inf}


def forgeries(tensors: dict[str, Tensor], values: bool = True) -> Iterator[tuple[str, Callable[..., object]]]:
    """Every tensor missing, of every other type and shape, and with numbers that are none."""
    yield "another tensor", lambda found: found.update(other=torch.zeros(1))
    for name, tensor in tensors.items():
        yield f"no {name}", lambda found, name=name: found.pop(name)
        for kind in TYPES:
            if kind != tensor.dtype:
                yield f"{name}: {kind}", put(name, lambda t, kind=kind: t.to(kind))
        for shape, change in SHAPES.items():
            if change(tensor).shape != tensor.shape:
                yield f"{name}: {shape}", put(name, change)
        if values and tensor.dtype.is_floating_point:
            for word, value in VALUES.items():
                yield f"{name}: {word}", put(name, lambda t, value=value: torch.full_like(t, value))


@pytest.mark.parametrize("model", ["fame3@1", "plain3@1"])
def test_weights_of_every_wrong_shape_and_type(copy: Path, model: str) -> None:
    folder = resolve(copy, model)
    tensors = load((folder / WEIGHTS).read_bytes())
    whole = {path: path.read_bytes() for path in folder.iterdir()}
    for what, change in forgeries(tensors):
        forge(folder, WEIGHTS, change)
        with pytest.raises(IntegrityError, match="do not fit"):
            pytest.fail(what) if ampcli.load(model, copy) else None
        for path, content in whole.items():
            path.write_bytes(content)
    ampcli.load(model, copy)


def test_probes_of_every_wrong_shape_and_type(copy: Path) -> None:
    from ampcli.inference.probe import check_probe

    folder = resolve(copy, "plain3")
    tensors = load((folder / PROBE).read_bytes())
    whole = {path: path.read_bytes() for path in folder.iterdir()}
    assert set(tensors) == {"momenta", "amplitude", "uncertainty", "outside"}
    for what, change in (*forgeries(tensors), ("no points", lambda t: t.update({k: v[:0] for k, v in t.items()}))):
        forge(folder, PROBE, change)
        with pytest.raises(IntegrityError):
            pytest.fail(what) if check_probe(folder, read_manifest(folder)) is None else None
        for path, content in whole.items():
            path.write_bytes(content)
    check_probe(folder, read_manifest(folder))


FACTS: list[dict[str, object]] = [
    {"kind": "plain"},
    {"kind": "single"},
    {"kind": "fks"},
    {"kind": "antenna"},
    {"kind": "factorised"},
    {"features": None},
    {"features": {"block": None, "version": 1, "options": {}}},
    {"features": {"block": "antenna", "version": 1, "options": {}}},
    {"features": {"block": "no-such", "version": 1, "options": {}}},
    {"features": {"block": "fame", "version": 1, "options": {"self": 1}}},
    {"features": {"block": "fame", "version": 1, "options": {"process": "x"}}},
    {"features": {"block": "fame", "version": 99, "options": {"alpha_s": 0.118}}},
    {"process": "e- e+ > d d~ g g"},
    {"process": "e- e+ > d d~" + " g" * 3000},
    {"process": "no process"},
    {"provider": {"name": "native", "parameters": {"m_z": "heavy"}}},
    {"provider": {"name": "native", "parameters": [1]}},
    {"architecture": {}},
    {"architecture": {"hidden": [16, 16, 16]}},
    {"architecture": {"hidden": "16,16"}},
    {"architecture": {"hidden": [16, 16], "network": "bayesian"}},
    {"architecture": {"hidden": [16, 16], "network": "separate"}},
    {"architecture": {"hidden": [16, 16], "network": "lgatr", "particles": [1]}},
    {"architecture": {"hidden": [16, 16], "residual": True}},
    {"training": {"recoil": False}},
    {"sqrt_s": -1.0},
    {"dataset": {"digest": "d", "points": 1, "splits": {}, "source": {"kind": "hadron", "pt_min": "x"}}},
    {"dataset": {"digest": "d", "points": 1, "splits": {}, "source": {"kind": "of the third kind"}}},
    {"dataset": {"digest": "d", "points": 1, "splits": {}}},
    {"region": {}},
    {"region": {"log_amplitude_mean": 1.0, "log_amplitude_std": "wide"}},
]


@pytest.mark.parametrize("entries", FACTS, ids=lambda entries: json.dumps(entries)[:60])
def test_manifests_that_describe_other_tensors(
    copy: Path, entries: dict[str, object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forge(resolve(copy, "fame3@1"), WEIGHTS, lambda tensors: None, **entries)
    with pytest.raises(IntegrityError):
        ampcli.load("fame3@1", copy)
    assert run(["registry", "verify", "fame3@1", "--registry", str(copy)]) == 5
    assert "internal" not in capsys.readouterr().err


def test_a_process_of_thousands_of_gluons() -> None:
    from ampcli.process import parse_process

    with pytest.raises(UsageError, match="3002 outgoing particles, more than"):
        parse_process("e- e+ > d d~" + " g" * 3000)


def test_events_without_a_finite_amplitude(registry: Path) -> None:
    momenta = torch.zeros((3, 3, 4), dtype=torch.float64)
    momenta[:, :, 0] = torch.tensor([500.0, 250.0, 250.0])
    momenta[:, :, 3] = torch.tensor([500.0, -250.0, -250.0])  # all along the beams
    with pytest.raises(UsageError, match=r"event 0 \(from 0\): fame3@1 has no finite amplitude"):
        ampcli.load("fame3@1", registry).predict(momenta.numpy())


# --- checkpoints: every byte


def test_every_byte_of_a_checkpoint(tmp_path: Path) -> None:
    file = tmp_path / "checkpoint.safetensors"
    state = State(
        recipe=Recipe.model_validate({"kind": "plain", "hidden": (2,), "seeds": (1,), "dataset_digest": "d"}),
        progress=[Progress(learning_rate=1e-3)],
        history=[[EpochRecord(epoch=0, train_loss=1.0, train_penalty=0.0, validation_loss=2.0, learning_rate=1e-3)]],
    )
    tensors = {"parameters": torch.arange(20.0).reshape(1, 20), "sums": torch.zeros(2, 1, dtype=torch.float64)}
    save_checkpoint(file, state, tensors)
    content = file.read_bytes()
    for changed in damaged(content):
        file.write_bytes(changed)
        try:
            found, read = load_checkpoint(file, CPU)
        except IntegrityError:
            continue
        assert found == state
        assert all(torch.equal(read[name], tensors[name]) for name in tensors)
