"""Publishing, resolving, verifying and sharing models, with real files and real processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from lines import check, draft, everything, publish_line, publish_mean, read_only

from ampcli.cli.main import run
from ampcli.errors import AmpcliError, IntegrityError, LockedError, NotFoundError, UsageError
from ampcli.registry.archive import export_model, import_model
from ampcli.registry.manifest import (
    MANIFEST,
    Manifest,
    Member,
    Metric,
    manifest_bytes,
    read_manifest,
)
from ampcli.registry.resolve import aliases, references, resolve, set_alias
from ampcli.registry.search import find_registry, names, versions
from ampcli.registry.storage import PROBE, WEIGHTS, publish, read_probe, read_weights, verify
from ampcli.shipped import shipped_folder

# --- publishing


def test_publish_counts_versions_and_reads_back(tmp_path: Path) -> None:
    first, second = publish_line(tmp_path, slope=2.0), publish_line(tmp_path, slope=3.0, version=77)
    assert (first.version, second.version) == (1, 2)
    assert everything(tmp_path) == {
        "line",
        *(f"line/{v}" for v in (1, 2)),
        *(f"line/{v}/{file}" for v in (1, 2) for file in (MANIFEST, WEIGHTS, PROBE)),
    }
    folder = resolve(tmp_path, "line@2")
    assert read_manifest(folder) == second
    assert read_weights(folder, second)["slope"] == 3.0
    assert verify(folder, check) == ["manifest", "weights", "probe", "predictions"]


def test_tensors_keep_type_shape_and_values(tmp_path: Path) -> None:
    strided = torch.arange(12, dtype=torch.float64).reshape(3, 4).T.requires_grad_()
    manifest = publish(tmp_path, draft(), {"w": strided}, {"x": torch.zeros(0, 4)}, lambda folder, manifest: None)
    folder = resolve(tmp_path, "line")
    loaded = read_weights(folder, manifest)["w"]
    assert loaded.dtype == torch.float64
    assert torch.equal(loaded, strided)
    assert read_probe(folder, manifest)["x"].shape == (0, 4)


def test_the_check_sees_the_staged_model_before_anyone_else(tmp_path: Path) -> None:
    seen = []

    def look(folder: Path, manifest: Manifest) -> None:
        assert folder.parent == tmp_path / "line"
        assert read_manifest(folder) == manifest
        seen.append((versions(tmp_path, "line"), float(read_weights(folder, manifest)["w"])))

    publish(tmp_path, draft(), {"w": torch.tensor(5.0)}, {}, look)
    assert seen == [([], 5.0)]


def test_nothing_is_left_when_the_check_fails(tmp_path: Path) -> None:
    root = tmp_path / "new" / "registry"
    wrong = {"x": torch.ones(1), "prediction": torch.zeros(1)}
    weights = {"slope": torch.tensor(1.0), "offset": torch.tensor(1.0)}
    with pytest.raises(IntegrityError, match="the predictions differ"):
        publish(root, draft(), weights, wrong, check)
    assert everything(tmp_path) == set()
    publish_line(root)
    before = everything(tmp_path)
    with pytest.raises(IntegrityError, match="the predictions differ"):
        publish(root, draft(), weights, wrong, check)
    assert everything(tmp_path) == before


def test_weights_and_kind_agree(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="only ensembles come without weights"):
        publish(tmp_path, draft(), None, {}, check)
    assert everything(tmp_path) == set()


PUBLISH_FIVE = """
import sys, torch
from pathlib import Path
from ampcli.registry.manifest import Manifest
from ampcli.shipped import shipped_folder
from ampcli.registry.storage import publish
sys.path.insert(0, "tests")
from samples import DATASET, PROVIDER, REGION
draft = Manifest(name="line", kind="plain", process="e- e+ > d d~ g", provider=PROVIDER,
                 dataset=DATASET, region=REGION)
print("ready", flush=True)
sys.stdin.readline()
for _ in range(5):
    tensors = {"w": torch.tensor(float(sys.argv[2]))}
    print(publish(Path(sys.argv[1]), draft, tensors, tensors, lambda folder, manifest: None).version)
"""


def test_two_processes_publish_the_same_name(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PUBLISH_FIVE, tmp_path, str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in (0, 1)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    published = []
    for number, process in enumerate(processes):
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        published += [(int(version), float(number)) for version in output.split()]
    assert sorted(version for version, _ in published) == list(range(1, 11))
    for version, number in published:  # each number names what the process that got it wrote
        folder = resolve(tmp_path, f"line@{version}")
        verify(folder)
        assert read_weights(folder, read_manifest(folder))["w"] == number
    assert len(list((tmp_path / "line").iterdir())) == 10


# --- a registry that cannot be written


def test_a_registry_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AmpcliError, match=r"cannot write to .*file"):
        publish_line(tmp_path / "file" / "registry")
    assert everything(tmp_path) == {"file"}


def test_a_read_only_registry(tmp_path: Path) -> None:
    root = tmp_path / "registry"
    publish_line(root)
    archive = tmp_path / "line.tar"
    export_model(resolve(root, "line"), archive)
    home = root / "line"
    with read_only(root):
        verify(resolve(root, "line"), check)
        for write in (
            lambda: publish_line(root, "other"),
            lambda: import_model(root, archive),
            lambda: export_model(resolve(root, "line"), root / "inside.tar"),
        ):
            with pytest.raises(AmpcliError, match=r"cannot write to .*registry") as caught:
                write()
            assert caught.value.exit_code == 1
    with read_only(home), pytest.raises(AmpcliError, match=r"cannot write to .*line"):
        set_alias(root, "line@1", "best")
    assert references(root) == ["line@1"]


# --- names, versions, aliases


def test_the_root_is_the_option_then_the_variable_then_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMPCLI_REGISTRY", "variable")
    monkeypatch.chdir(tmp_path)
    assert find_registry(tmp_path).named == (tmp_path,)
    assert find_registry().named == (Path("variable"),)
    monkeypatch.delenv("AMPCLI_REGISTRY")
    assert find_registry().named == (Path("registry"),)


def test_references_resolve(tmp_path: Path) -> None:
    for _ in range(11):
        publish_line(tmp_path)
    set_alias(tmp_path, "line@3", "best")
    set_alias(tmp_path, "line@2", "paper")
    set_alias(tmp_path, "line@10", "best")
    assert aliases(tmp_path, "line") == {"best": 10, "paper": 2}
    found = {reference: resolve(tmp_path, reference).name for reference in ("line", "line@2", "line@best")}
    assert found == {"line": "11", "line@2": "2", "line@best": "10"}  # by number: "9" is not newer than "11"


def test_what_is_no_version_is_not_taken_for_one(tmp_path: Path) -> None:
    publish_line(tmp_path)
    (tmp_path / "line" / ".staging-1").mkdir()
    (tmp_path / "line" / "02").mkdir()
    (tmp_path / "line" / "3").write_text("")
    (tmp_path / "empty").mkdir()
    (tmp_path / "README.md").write_text("")
    (tmp_path / "NOTES" / "1").mkdir(parents=True)
    assert references(tmp_path) == ["line@1"]


@pytest.mark.parametrize("reference", ["", "Line", "../line", "line@", "line@0", "line@1@2", "line@-1", "line@B"])
def test_what_is_no_reference(tmp_path: Path, reference: str) -> None:
    publish_line(tmp_path)
    with pytest.raises(UsageError):
        resolve(tmp_path, reference)


@pytest.mark.parametrize(
    ("reference", "hint"),
    [("other", "Models there: line"), ("line@2", "Versions: 1"), ("line@best", "Aliases: old; versions: 1")],
)
def test_what_is_not_there(tmp_path: Path, reference: str, hint: str) -> None:
    publish_line(tmp_path)
    set_alias(tmp_path, "line@1", "old")
    with pytest.raises(NotFoundError, match=hint):
        resolve(tmp_path, reference)


def test_an_absent_registry_and_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no registry"):
        _ = find_registry(tmp_path / "absent").own
    assert names(tmp_path / "absent") == []
    assert names(tmp_path) == []


@pytest.mark.parametrize("alias", ["", "1", "007", "Best", "a/b", "../x"])
def test_aliases_that_are_refused(tmp_path: Path, alias: str) -> None:
    publish_line(tmp_path)
    with pytest.raises(UsageError, match="cannot be an alias"):
        set_alias(tmp_path, "line@1", alias)


def test_aliases_of_versions_that_are_not_there(tmp_path: Path) -> None:
    publish_line(tmp_path)
    with pytest.raises(NotFoundError, match="no version 2"):
        set_alias(tmp_path, "line@2", "best")
    assert aliases(tmp_path, "line") == {}


HOLD = """
import pathlib, sys
from ampcli.locks import locked
with locked(pathlib.Path(sys.argv[1]), "", ""):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_aliases_held_by_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_line(tmp_path)
    monkeypatch.setattr("ampcli.registry.aliases._LOCK_SECONDS", 0.05)
    command = [sys.executable, "-c", HOLD, tmp_path / "line" / ".lock"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(LockedError, match="another process holds"):
            set_alias(tmp_path, "line@1", "best")
        assert aliases(tmp_path, "line") == {}
        process.communicate("")  # the holder ends and lets go
    set_alias(tmp_path, "line@1", "best")
    assert aliases(tmp_path, "line") == {"best": 1}


def test_damaged_aliases(tmp_path: Path) -> None:
    publish_line(tmp_path)
    (tmp_path / "line" / "aliases.json").write_text('{"best": "1"}')
    with pytest.raises(IntegrityError, match=r"aliases\.json is damaged"):
        resolve(tmp_path, "line@best")


# --- verifying


@pytest.mark.parametrize("file", [WEIGHTS, PROBE])
def test_one_flipped_bit_is_found(tmp_path: Path, file: str) -> None:
    manifest = publish_line(tmp_path)
    path = tmp_path / "line" / "1" / file
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(IntegrityError, match=f"{file} has changed"):
        verify(path.parent)
    read = read_weights if file == WEIGHTS else read_probe
    with pytest.raises(IntegrityError, match=f"{file} has changed"):
        read(path.parent, manifest)


@pytest.mark.parametrize("file", [MANIFEST, WEIGHTS, PROBE])
def test_a_missing_file_is_found(tmp_path: Path, file: str) -> None:
    publish_line(tmp_path)
    (tmp_path / "line" / "1" / file).unlink()
    with pytest.raises(IntegrityError, match=f"{file} is missing"):
        verify(tmp_path / "line" / "1")


@pytest.mark.parametrize("place", ["line/2", "other/1"])
def test_a_moved_model_is_found(tmp_path: Path, place: str) -> None:
    publish_line(tmp_path)
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / "line" / "1").rename(tmp_path / place)
    with pytest.raises(IntegrityError, match="holds the manifest of line@1"):
        verify(tmp_path / place)


def test_a_manifest_without_the_weights_checksum_does_not_verify(tmp_path: Path) -> None:
    manifest = publish_line(tmp_path)
    edited = manifest_bytes(manifest.model_copy(update={"weights_sha256": None}))
    (tmp_path / "line" / "1" / MANIFEST).write_bytes(edited)
    with pytest.raises(IntegrityError, match="no checksum of the weights"):
        verify(tmp_path / "line" / "1")


def test_other_predictions_are_found(tmp_path: Path) -> None:
    weights = {"slope": torch.tensor(1.0), "offset": torch.tensor(1.0)}
    probe = {"x": torch.ones(1), "prediction": torch.zeros(1)}
    publish(tmp_path, draft(), weights, probe, lambda folder, manifest: None)
    folder = resolve(tmp_path, "line")
    assert verify(folder) == ["manifest", "weights", "probe"]
    with pytest.raises(IntegrityError, match="the predictions differ"):
        verify(folder, check)


def test_an_ensemble_needs_its_members_unchanged(tmp_path: Path) -> None:
    ensemble = publish_mean(tmp_path)
    folder = resolve(tmp_path, "mean")
    assert verify(folder, check) == ["manifest", "probe", "member member@1", "member member@2", "predictions"]
    with pytest.raises(UsageError, match="is an ensemble"):
        read_weights(folder, ensemble)
    weights = tmp_path / "member" / "1" / WEIGHTS
    good = weights.read_bytes()
    weights.write_bytes(good[:-1] + b"\0\0")
    with pytest.raises(IntegrityError, match="has changed"):
        verify(folder)
    weights.write_bytes(good)
    manifest = tmp_path / "member" / "2" / MANIFEST
    manifest.write_text(manifest.read_text() + " ")
    with pytest.raises(IntegrityError, match=r"member@2 .* is not the one that mean@1 is made of"):
        verify(folder)
    manifest.parent.rename(tmp_path / "elsewhere")
    with pytest.raises(IntegrityError, match="member@2, a member of mean@1, is not in the registry"):
        verify(folder)


def test_an_ensemble_of_what_is_not_there_is_not_published(tmp_path: Path) -> None:
    members = [Member(model="absent@1", manifest_sha256="0" * 64)]
    with pytest.raises(IntegrityError, match="absent@1"):
        publish(tmp_path, draft(kind="ensemble", members=members, combine="mean"), None, {}, check)
    assert everything(tmp_path) == set()


def test_the_last_version(tmp_path: Path) -> None:
    publish_line(tmp_path)
    (tmp_path / "line" / "1").rename(tmp_path / "line" / "999999999")
    with pytest.raises(UsageError, match="line"):
        publish_line(tmp_path)
    assert versions(tmp_path, "line") == [999999999]
    assert not [path for path in (tmp_path / "line").iterdir() if path.name.startswith(".")]


# --- the commands


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "registry"
    option = ["--registry", str(root)]

    def ampcli(*arguments: str, code: int = 0) -> str:
        assert run(["registry", *arguments, *option]) == code
        captured = capsys.readouterr()
        return captured.err if code and "--json" not in arguments else captured.out

    def listed() -> dict[str, Any]:
        return json.loads(ampcli("list", "--json"))

    assert "there is no registry" in ampcli("list", code=4)
    root.mkdir()
    assert [model["name"] for model in listed()["models"] if model["registry"] == str(root)] == []
    assert f"no models in the registry {root}" in ampcli("list")
    assert "no models to compare" in ampcli("compare", "--require", "loss<=1", code=4)

    metrics = {name: Metric(value=0.0123, error=0.0004) for name in ("median_abs_delta", "mean_abs_delta")}
    publish_line(root, metrics=metrics, card="Only for straight lines.")
    publish_line(root, metrics=metrics, seconds=12.0)
    assert ampcli("alias", "line@1", "best") == "line@best is line@1\n"
    first, *shipped = listed()["models"]
    newest = root / "line" / "2"
    assert first == {
        "registry": str(root),
        "name": "line",
        "versions": [1, 2],
        "aliases": {"best": 1},
        "kind": "plain",
        "trained_as": "plain",
        "process": "e- e+ > d d~ g",
        "accuracy": {"value": 0.0123, "error": 0.0004},
        "bytes": sum(file.stat().st_size for file in newest.iterdir()),
        "created": read_manifest(newest).created,
        "broken": None,
    }
    assert {model["registry"] for model in shipped} == {str(shipped_folder("registry"))}  # found without being named
    assert "1.23 %" in ampcli("list", "--name", "l*")
    shown = ampcli("show", "line@best")
    assert "line@1" in shown
    assert "Only for straight lines." in shown
    assert Manifest.model_validate_json(ampcli("show", "line", "--json")) == read_manifest(root / "line" / "2")
    assert 'no model "other"' in ampcli("show", "other", code=4)
    assert "cannot name a model" in ampcli("show", "../other", code=2)

    assert "line@2" in ampcli("compare", "--require", "median_abs_delta<=0.02")
    missed = json.loads(ampcli("compare", "line@1", "line@2", "--require", "median_abs_delta<=0.01", "--json", code=3))
    assert [row["model"] for row in missed["models"]] == ["line@1", "line@2"]
    assert missed["missed"][0] == "line@1 has median_abs_delta = 0.0123, not <= 0.01"

    archive = str(tmp_path / "line.tar")
    assert json.loads(ampcli("export", "line@2", archive, "--json")) == {
        "file": archive,
        "models": ["line@2"],
    }
    assert "already there" in ampcli("export", "line@2", archive, code=2)


def test_the_verify_and_import_commands_report_damage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "registry"
    publish_line(root)
    (root / "line" / "1" / WEIGHTS).write_bytes(b"")
    assert run(["registry", "verify", "--json", "--registry", str(root)]) == 5
    captured = capsys.readouterr()
    (found,) = json.loads(captured.out)["models"]
    assert (found["model"], found["ok"]) == ("line@1", False)
    assert "has changed" in captured.err
    (tmp_path / "bad.tar").write_bytes(b"")
    assert run(["registry", "import", str(tmp_path / "bad.tar"), "--registry", str(root)]) == 5
