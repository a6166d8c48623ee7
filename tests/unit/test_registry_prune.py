"""What `ampcli registry prune` removes, and what it must not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lines import check, everything, publish_line, publish_mean

from ampcli.cli.main import run
from ampcli.errors import IntegrityError, NotFoundError, UsageError
from ampcli.registry.archive import export_model, import_model
from ampcli.registry.manifest import MANIFEST
from ampcli.registry.prune import plan_pruning, prune
from ampcli.registry.removal import mark_removed
from ampcli.registry.resolve import references, resolve, set_alias
from ampcli.registry.search import REMOVED, Registry, versions
from ampcli.registry.storage import WEIGHTS, verify


def going(root: Path | Registry, *models: str, keep: int = 1) -> list[str]:
    return [f"{folder.parent.name}@{folder.name}" for folder in plan_pruning(root, models, keep).going]


def test_old_versions_go_and_numbers_are_not_given_again(tmp_path: Path) -> None:
    for slope in range(4):
        publish_line(tmp_path, slope=float(slope))
    before = everything(tmp_path)
    plan = plan_pruning(tmp_path, ["line@3-4"], keep=1)
    assert [folder.name for folder in plan.going] == ["3", "4"]
    assert plan.bytes == sum(f.stat().st_size for v in "34" for f in (tmp_path / "line" / v).iterdir())
    assert everything(tmp_path) == before  # a plan removes nothing
    assert prune(plan).going == plan.going
    assert versions(tmp_path, "line") == [1, 2]
    assert everything(tmp_path) == {path for path in before if not path.startswith(("line/3/", "line/4/"))} | {
        f"line/3/{REMOVED}",
        f"line/4/{REMOVED}",
    }
    with pytest.raises(NotFoundError, match="no version 4"):
        resolve(tmp_path, "line@4")
    assert resolve(tmp_path, "line").name == "2"
    assert publish_line(tmp_path).version == 5
    assert going(tmp_path, "line", keep=2) == ["line@1"]
    assert going(tmp_path) == ["line@1", "line@2"]
    assert prune(plan_pruning(tmp_path, ["line"], 0)).going.keys() == {tmp_path / "line" / v for v in "125"}
    assert references(tmp_path) == []
    assert publish_line(tmp_path).version == 6


def test_what_is_needed_stays(tmp_path: Path) -> None:
    publish_mean(tmp_path)  # of member@1 and @2
    for slope in (5.0, 6.0, 7.0):
        publish_line(tmp_path, "member", slope)
    set_alias(tmp_path, "member@3", "best")
    plan = plan_pruning(tmp_path, [], 1)
    assert [folder.name for folder in plan.going] == ["4"]
    assert plan.kept == {
        "member@1": "mean@1",
        "member@2": "mean@1",
        "member@3": "the alias member@best",
    }
    assert going(tmp_path, "mean@1", "member") == ["mean@1", "member@1", "member@2", "member@4"]  # with who needs them
    set_alias(tmp_path, "mean@1", "best")
    assert going(tmp_path, "mean@1", "member") == ["member@4"]  # one alias keeps all three


def test_what_another_registry_needs_stays(tmp_path: Path) -> None:
    own, shared = tmp_path / "own", tmp_path / "shared"
    publish_mean(shared)
    (shared / "mean").rename(own.with_name("mean"))
    (own / "mean").parent.mkdir()
    own.with_name("mean").rename(own / "mean")
    assert going(shared, "member", keep=0) == ["member@1", "member@2"]
    assert going(Registry((shared, own)), "member", keep=0) == []


def test_what_comes_to_be_needed_meanwhile_stays(tmp_path: Path) -> None:
    publish_line(tmp_path)
    publish_line(tmp_path)
    plan = plan_pruning(tmp_path, ["line"], 0)
    set_alias(tmp_path, "line@1", "best")
    done = prune(plan)
    assert [folder.name for folder in done.going] == ["2"]
    assert done.kept == {"line@1": "the alias line@best"}
    verify(resolve(tmp_path, "line@best"), check)


def test_what_a_killed_run_left_is_removed_or_comes_back(tmp_path: Path) -> None:
    for _ in range(3):
        publish_line(tmp_path)
    set_alias(tmp_path, "line@1", "best")
    for version in "12":  # the mark comes first: then it was killed
        mark_removed(tmp_path / "line" / version)
    assert versions(tmp_path, "line") == [3]
    prune(plan_pruning(tmp_path, [], 1))
    assert versions(tmp_path, "line") == [1, 3]
    assert everything(tmp_path / "line" / "2") == {REMOVED}
    verify(resolve(tmp_path, "line@best"), check)


def test_a_removed_version_comes_back_by_import_and_no_other_in_its_place(tmp_path: Path) -> None:
    root, archive, other = tmp_path / "root", tmp_path / "line.tar", tmp_path / "other.tar"
    publish_line(root, slope=2.0)
    publish_line(tmp_path / "theirs", slope=3.0)
    export_model(resolve(root, "line"), archive)
    export_model(resolve(tmp_path / "theirs", "line"), other)
    before = everything(root)
    prune(plan_pruning(root, ["line@1"], 1))
    with pytest.raises(IntegrityError, match="was a different model"):
        import_model(root, other)
    assert versions(root, "line") == []
    assert import_model(root, archive, check) == ["line@1"]
    assert everything(root) == before
    (root / "line" / "1" / WEIGHTS).unlink()
    mark_removed(root / "line" / "1")
    (root / "line" / "1" / REMOVED).write_text("{}")
    with pytest.raises(IntegrityError, match="does not match its seal"):
        import_model(root, archive)


def test_damage_stops_it_unless_it_goes_too(tmp_path: Path) -> None:
    for _ in range(3):
        publish_line(tmp_path)
    (tmp_path / "line" / "2" / MANIFEST).write_text("{")
    assert going(tmp_path) == ["line@1", "line@2"]
    with pytest.raises(IntegrityError, match="what it needs is not known"):
        going(tmp_path, "line@1")
    prune(plan_pruning(tmp_path, [], 1))
    assert versions(tmp_path, "line") == [3]


@pytest.mark.parametrize(
    ("model", "kind"),
    [("other", NotFoundError), ("line@2", NotFoundError), ("line@best", UsageError), ("../x", UsageError)],
)
def test_what_cannot_be_pruned(tmp_path: Path, model: str, kind: type[Exception]) -> None:
    publish_line(tmp_path)
    with pytest.raises(kind):
        plan_pruning(tmp_path, [model], 1)


def test_the_command_shows_before_it_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        publish_line(tmp_path)
    command = ["registry", "prune", "--keep", "2", "--registry", str(tmp_path)]
    for words in (command, [*command, "--dry-run"]):
        assert run(words) == 0
        said = capsys.readouterr().out
        assert "line@1: would go" in said
        assert "add --yes" in said
    assert versions(tmp_path, "line") == [1, 2, 3]
    assert run([*command, "--yes", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (list(found["versions"]), found["removed"]) == (["line@1"], True)
    assert found["bytes"] == sum(found["versions"].values()) > 0
    assert versions(tmp_path, "line") == [2, 3]
