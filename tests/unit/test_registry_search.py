"""Several registries, looked through in order, and many processes that publish at once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from lines import check, draft, everything, publish_line, publish_mean, read_only

from ampcli import shipped
from ampcli.cli.main import run
from ampcli.errors import AmpcliError, IntegrityError, NotFoundError
from ampcli.registry.aliases import remove_alias
from ampcli.registry.archive import export_model, import_model
from ampcli.registry.manifest import Manifest, Member, manifest_sha256, read_manifest
from ampcli.registry.members import member_folders
from ampcli.registry.resolve import aliases, references, resolve, set_alias
from ampcli.registry.search import Registry, find_registry, versions
from ampcli.registry.storage import publish, read_probe, same_weights, verify


def test_the_first_that_has_it_counts(tmp_path: Path) -> None:
    own, shared = tmp_path / "own", tmp_path / "shared"
    for _ in range(3):
        publish_line(shared)
    publish_line(shared, "other")
    both = Registry((own, shared))
    assert resolve(both, "line") == shared / "line" / "3"
    assert resolve(both, "other") == shared / "other" / "1"
    assert publish_line(own).version == 1  # alone it knows of no other
    assert publish_line(both).version == 4  # above all that there are
    assert references(own) == ["line@1", "line@4"]
    assert resolve(both, "line") == own / "line" / "4"
    assert resolve(both, "line@1") == own / "line" / "1"
    assert resolve(both, "line@2") == shared / "line" / "2"
    publish_line(shared, slope=5.0)
    shutil.rmtree(own / "line" / "4")
    assert resolve(both, "line") == own / "line" / "1"  # not the newer one of the registry below
    with pytest.raises(NotFoundError, match=r"own, .*shared"):
        resolve(both, "line@9")
    with pytest.raises(NotFoundError, match=r"no model .*absent \(not there\)"):
        resolve(Registry((tmp_path / "absent",)), "line")


def test_a_list_of_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both = os.pathsep.join(["a", "b", "", "a"])
    assert find_registry(both).named == find_registry(Path(both)).named == (Path("a"), Path("b"))
    assert find_registry(both).option == os.pathsep.join(["a", "b"])
    monkeypatch.setenv("AMPCLI_REGISTRY", both)
    assert find_registry().named == (Path("a"), Path("b"))
    assert find_registry("c").named == (Path("c"),)


def test_the_shipped_registry_is_the_last_and_not_written_to(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = repository / "registry"
    monkeypatch.chdir(tmp_path)
    elsewhere = find_registry()
    assert (elsewhere.named, elsewhere.shipped) == ((Path("registry"),), ours)
    assert resolve(elsewhere, "ee-5jets@1") == ours / "ee-5jets" / "1"
    assert elsewhere.own == [ours]  # until there is another one
    monkeypatch.chdir(repository)
    here = find_registry()
    assert (here.top, here.shipped) == (Path("models"), ours)
    named = find_registry("registry")
    assert (named.top, named.shipped) == (Path("registry"), None)


def test_a_shipped_model_in_the_place_of_one_that_is_not_there_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    resolve(find_registry(tmp_path), "ee-4jets")
    assert not caplog.records
    resolve(find_registry(tmp_path / "typo"), "ee-4jets")
    assert "typo: ee-4jets is the one that ships with ampcli" in caplog.text


def test_where_the_shipped_registry_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "ampcli"
    monkeypatch.setattr(shipped, "_HERE", package / "shipped")
    monkeypatch.setattr(shipped, "_CHECKOUT", tmp_path)
    assert shipped.shipped_folder("registry") is None
    (tmp_path / "registry").mkdir()
    assert shipped.shipped_folder("registry") is None  # of whom?
    (tmp_path / "pyproject.toml").touch()
    assert shipped.shipped_folder("registry") == tmp_path / "registry"
    (package / "shipped" / "registry").mkdir(parents=True)
    assert shipped.shipped_folder("registry") == package / "shipped" / "registry"


def test_members_are_found_by_what_they_are_pinned_to(tmp_path: Path) -> None:
    own, shared = tmp_path / "own", tmp_path / "shared"
    publish_mean(shared)
    publish_line(own, "member", slope=9.0)  # member@1, another one
    both = Registry((own, shared))
    mean = read_manifest(resolve(both, "mean"))
    assert member_folders(both, mean) == [shared / "member" / "1", shared / "member" / "2"]
    assert verify(resolve(both, "mean"), check, both)[-1] == "predictions"
    with pytest.raises(IntegrityError, match="is not the one that mean@1 is made of"):
        member_folders(own, mean)


def test_a_read_only_registry_with_an_own_one_on_top(tmp_path: Path) -> None:
    own, shared, archive = tmp_path / "own", tmp_path / "shared", tmp_path / "sum.tar"
    for slope in (1.0, 4.0):
        publish_line(shared, "member", slope)
    both = Registry((own, shared))
    before = everything(shared)
    with read_only(shared):
        with pytest.raises(AmpcliError, match="cannot write"):
            set_alias(shared, "member@1", "best")
        set_alias(both, "member@1", "best")
        assert aliases(own, "member") == {"best": 1}
        assert resolve(both, "member@best") == shared / "member" / "1"
        pins = [Member(model=m, manifest_sha256=manifest_sha256(resolve(both, m))) for m in ("member@1", "member@2")]
        probe = {"x": resolve_probe(both), "prediction": 2.5 * resolve_probe(both) + 1.0}

        def unchecked(folder: Path, manifest: Manifest) -> None:
            """`check` of these tests looks for members beside the model: here they are somewhere else."""

        publish(
            both,
            draft("sum", kind="ensemble", members=pins, combine="mean"),
            None,
            probe,
            lambda folder, manifest: None,
        )
        assert export_model(resolve(both, "sum"), archive, both) == ["member@1", "member@2", "sum@1"]
        with pytest.raises(IntegrityError, match=r"member@1, a member of sum@1, is not in the registry"):
            export_model(resolve(own, "sum"), tmp_path / "more.tar")
    assert everything(shared) == before
    assert import_model(tmp_path / "third", archive, check) == ["member@1", "member@2", "sum@1"]


def resolve_probe(registry: Registry) -> torch.Tensor:
    folder = resolve(registry, "member@1")
    return read_probe(folder, read_manifest(folder))["x"]


def test_what_is_imported_does_not_hide_another_model(tmp_path: Path) -> None:
    own, shared, archive = tmp_path / "own", tmp_path / "shared", tmp_path / "line.tar"
    publish_line(shared, slope=2.0)
    publish_line(tmp_path / "theirs", slope=3.0)
    export_model(resolve(tmp_path / "theirs", "line"), archive)
    with pytest.raises(IntegrityError, match=r"different model.*\n.*--as NAME"):
        import_model(Registry((own, shared)), archive)
    assert not own.exists()


def test_unalias(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish_line(tmp_path)
    set_alias(tmp_path, "line@1", "best")
    set_alias(tmp_path, "line@1", "paper")
    assert run(["registry", "unalias", "line@best", "--registry", str(tmp_path)]) == 0
    assert aliases(tmp_path, "line") == {"paper": 1}
    for reference, code in (("line@best", 4), ("other@best", 4), ("line@1", 2), ("line", 2)):
        assert run(["registry", "unalias", reference, "--registry", str(tmp_path)]) == code
    with pytest.raises(NotFoundError):
        remove_alias(tmp_path / "line", "gone")
    assert aliases(tmp_path, "line") == {"paper": 1}


def test_the_same_weights_again(tmp_path: Path) -> None:
    first, second = publish_line(tmp_path, slope=2.0), publish_line(tmp_path, slope=2.0)
    assert same_weights(tmp_path, second) == "line@1"
    assert same_weights(tmp_path, first) == "line@2"
    assert same_weights(tmp_path, publish_line(tmp_path, slope=3.0)) is None


def test_an_ensemble_that_has_lost_a_member_is_shown_as_broken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish_mean(tmp_path)
    (tmp_path / "member" / "2").rename(tmp_path / "elsewhere")

    def ampcli(*words: str) -> str:
        assert run([*words, "--registry", str(tmp_path)]) == 0
        return capsys.readouterr().out

    assert "mean@1 is broken: member@2, a member of mean@1, is not in" in ampcli("registry", "list", "--name", "mean")
    [listed] = json.loads(ampcli("registry", "list", "--name", "mean", "--json"))["models"]
    assert "member@2" in listed["broken"]
    assert "broken: member@2" in ampcli("registry", "show", "mean")


MANY = """
import os, sys, torch
from pathlib import Path
sys.path.insert(0, "tests")
from lines import publish_line
from ampcli.registry.resolve import set_alias
root, children = Path(sys.argv[1]), []
for number in range(8):
    if (child := os.fork()) == 0:
        for turn in range(2):
            made = publish_line(root, slope=float(100 * number + turn))
            own = publish_line(root, f"own{number}", slope=float(turn))
            set_alias(root, made.reference, f"by-{number}-{turn}")
        os._exit(0)
    children.append(child)
sys.exit(max(os.waitpid(child, 0)[1] for child in children))
"""


def test_eight_processes_lose_nothing(tmp_path: Path) -> None:
    """To one name and to several, with aliases of one name."""
    done = subprocess.run(
        [sys.executable, "-c", MANY, tmp_path], capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stderr
    assert versions(tmp_path, "line") == list(range(1, 17))
    found = aliases(tmp_path, "line")
    assert sorted(found) == sorted(f"by-{number}-{turn}" for number in range(8) for turn in range(2))
    assert sorted(found.values()) == list(range(1, 17))
    for number in range(8):
        assert versions(tmp_path, f"own{number}") == [1, 2]
    for alias, version in found.items():
        folder = resolve(tmp_path, f"line@{alias}")
        assert folder.name == str(version)
        verify(folder, check)


def test_a_folder_does_not_read_like_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    assert str(Registry((Path("nowhere"), Path("a/b")))) == "the registries ./nowhere (not there), a/b (not there)"
    assert run(["registry", "prune", "--registry", "nowhere"]) == 4
    assert "there is no registry ./nowhere" in capsys.readouterr().err
