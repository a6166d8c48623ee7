"""The manifest and the comparison of manifests: what is refused, and what a newer schema says."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from samples import DATASET, PROVIDER, REGION, of_older_schema

from ampcli.errors import AmpcliError, IntegrityError, UsageError
from ampcli.registry.compare import compare, parse_requirement
from ampcli.registry.manifest import (
    MANIFEST,
    SCHEMA_VERSION,
    Manifest,
    Member,
    Metric,
    manifest_bytes,
    read_manifest,
)
from ampcli.seal import SEAL, sealed

TRAINING = {
    "kind": "plain",
    "hidden": [8],
    "seeds": [1],
    "dataset_digest": "d",
    "options": {"orient": True},
    "epochs_done": 10,
    "best_epoch": 9,
    "best_validation_loss": 0.1 + 0.2,
}


def draft(name: str = "ee", **entries: object) -> Manifest:
    plain = {
        "name": name,
        "version": 1,
        "kind": "plain",
        "process": "e- e+ > d d~ g",
        "provider": PROVIDER,
        "dataset": DATASET,
        "region": REGION,
    }
    return Manifest.model_validate(plain | entries)


def written(folder: Path, document: object) -> Path:
    (folder / MANIFEST).write_text(json.dumps(document))
    return folder


def document(**entries: object) -> dict[str, object]:
    """Of schema 1, which has no seal."""
    return of_older_schema(json.loads(manifest_bytes(draft())), 1) | entries


def test_a_manifest_survives_the_disk(tmp_path: Path) -> None:
    manifest = draft(
        sqrt_s=1000.0,
        training=TRAINING,
        metrics={"median_abs_delta": Metric(value=0.1 + 0.2, error=1e-300)},
        card="Größe: |M|²",
    )
    (tmp_path / MANIFEST).write_bytes(manifest_bytes(manifest))
    assert read_manifest(tmp_path) == manifest


@pytest.mark.parametrize("name", ["ee-4jets", "0", "a.b_c-1"])
def test_names(name: str) -> None:
    assert draft(name).name == name


@pytest.mark.parametrize("name", ["", "EE", ".hidden", "-x", "a/b", "../a", "a b", "é", "a@1", "a\n"])
def test_names_that_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot name a model"):
        draft(name)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_metrics_are_finite(value: float) -> None:
    with pytest.raises(AmpcliError, match=r"Metric: value is -?(nan|inf), not a finite number"):
        Metric(value=value)
    with pytest.raises(AmpcliError, match="Metric: error is"):
        Metric(value=1.0, error=value)


def test_numbers_deep_inside_are_finite() -> None:
    with pytest.raises(AmpcliError, match=r"Manifest: hardware\.loss\.1 is nan"):
        draft(hardware={"loss": [1.0, math.nan]})


@pytest.mark.parametrize(
    "entries",
    [
        {"kind": "ensemble"},
        {"combine": "mean"},
        {"members": [Member(model="a@1", manifest_sha256="0")]},
        {"kind": "ensemble", "members": [Member(model="a@1", manifest_sha256="0")]},
    ],
)
def test_ensembles_and_only_they_have_members(entries: dict[str, object]) -> None:
    with pytest.raises(AmpcliError, match="An ensemble needs members"):
        draft(**entries)


def test_a_newer_schema_is_named_before_its_unknown_fields(tmp_path: Path) -> None:
    newer = sealed(document(schema_version=SCHEMA_VERSION + 1, unheard_of=True))
    with pytest.raises(IntegrityError, match=r"schema version 4; .* schema versions up to 3\n  Upgrade ampcli"):
        read_manifest(written(tmp_path, newer))


@pytest.mark.parametrize(
    ("entries", "finding"),
    [
        ({"unheard_of": True}, "unheard_of: Extra inputs"),
        ({"kind": "magic"}, 'of the kind "magic", which this ampcli does not know'),
        ({"training": {"kind": "magic"}}, "unknown kind of model"),
        ({"schema_version": "1"}, "no schema version"),
        ({"metrics": {"a": {"value": math.nan}}}, "value is nan"),
        ({"name": "../a"}, "cannot name a model"),
        ({"members": [{"model": "../../a@1", "manifest_sha256": "0"}]}, "members.0.model: "),
    ],
)
def test_bad_manifests_are_integrity_errors(tmp_path: Path, entries: dict[str, object], finding: str) -> None:
    with pytest.raises(IntegrityError, match=finding):
        read_manifest(written(tmp_path, document(**entries)))


@pytest.mark.parametrize(
    ("training", "finding"),
    [
        ({"options": {"orient": 3}}, "training.options: .*orient"),
        ({"kind": "fame", "options": {"near": 0.1}}, "training.options: .*near: Extra inputs"),
        ({"kind": "fks", "options": {"near": 1.5}}, "training.options: .*near: .* less than 1"),
        ({"penalty": 1e-6}, "training.penalty: Extra inputs"),
    ],
)
def test_options_are_those_of_the_kind(tmp_path: Path, training: dict[str, object], finding: str) -> None:
    content = json.loads(manifest_bytes(draft())) | {"training": TRAINING | training}
    with pytest.raises(IntegrityError, match=finding):
        read_manifest(written(tmp_path, sealed({k: v for k, v in content.items() if k != SEAL})))


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[1]", b"[" * 100_000])
def test_what_is_no_manifest_at_all(tmp_path: Path, content: bytes) -> None:
    (tmp_path / MANIFEST).write_bytes(content)
    with pytest.raises(IntegrityError, match=r"is not JSON|not a model's manifest"):
        read_manifest(tmp_path)


def test_a_missing_manifest(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match=f"{MANIFEST} is missing"):
        read_manifest(tmp_path)


def test_rows_share_the_union_of_metrics() -> None:
    rows = compare(
        [
            draft(version=1, metrics={"b": Metric(value=1.0)}, seconds=2.0),
            draft(version=2, metrics={"a": Metric(value=3.0, error=0.5)}),
        ]
    )
    assert [row.model for row in rows] == ["ee@1", "ee@2"]
    assert [row.training_points for row in rows] == [40, 40]
    assert rows[0].metrics == {"b": Metric(value=1.0), "a": None}
    assert rows[1].metrics == {"b": None, "a": Metric(value=3.0, error=0.5)}


@pytest.mark.parametrize(
    ("text", "met"),
    [("a<=2", True), ("a <= 1.999", False), ("a>=2.0", True), ("a>=2.001", False), ("missing<=1e9", False)],
)
def test_requirements(text: str, met: bool) -> None:
    why = parse_requirement(text).missed_by(draft(metrics={"a": Metric(value=2.0)}))
    assert (why is None) == met
    if why is not None:
        assert why.startswith("ee@1 has ")


@pytest.mark.parametrize("text", ["", "a", "a<1", "a=1", "<=1", "a<=", "a<=x", "a<=nan", "a<=inf", "a<=1 b"])
def test_requirements_that_cannot_be_read(text: str) -> None:
    with pytest.raises(UsageError, match="cannot read the requirement"):
        parse_requirement(text)
