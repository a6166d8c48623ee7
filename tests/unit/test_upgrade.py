"""Manifests of older schemas: each is read as what it would be today."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from samples import LEPTONS, PROTONS, of_older_schema

from ampcli.errors import IntegrityError
from ampcli.registry.manifest import MANIFEST, SCHEMA_VERSION, has_seal, manifest_bytes, read_manifest
from ampcli.registry.resolve import resolve
from ampcli.seal import sealed

SHIPPED = sorted(path.parent for path in (Path(__file__).parents[2] / "registry").glob("*/*/manifest.json"))


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: f"{folder.parent.name}@{folder.name}")
def test_shipped_models(folder):
    document = json.loads((folder / MANIFEST).read_bytes())
    manifest = read_manifest(folder)
    assert manifest.schema_version == SCHEMA_VERSION
    assert manifest.provider.model_dump() == document["provider"]
    assert manifest.dataset.digest == document["dataset"]["digest"]
    if document["schema_version"] < SCHEMA_VERSION:
        assert manifest.dataset.source.model_dump(mode="json") == document["dataset"]["selection"]
        assert manifest.dataset.y_cut == document["dataset"]["y_cut"]
    known = {key: value for key, value in manifest.region.model_dump().items() if value is not None}
    assert known == {key: value for key, value in document["region"].items() if value is not None}


@pytest.mark.parametrize("schema", [1, 2])
@pytest.mark.parametrize("model", ["fame3@1", "plain3@1", "fame4@1"])
def test_older_schemas(registry, tmp_path, schema, model):
    manifest = read_manifest(resolve(registry, model))
    older = of_older_schema(json.loads(manifest_bytes(manifest)), schema)
    (tmp_path / MANIFEST).write_text(json.dumps(sealed(older) if schema > 1 else older))
    assert read_manifest(tmp_path) == manifest
    assert has_seal(tmp_path) == (schema > 1)


@pytest.mark.parametrize("collisions", [LEPTONS, PROTONS], ids=lambda collisions: collisions.kind)
def test_data_of_other_trainings_are_upgraded_too(registry, tmp_path, collisions):
    manifest = read_manifest(resolve(registry, "fame3@1"))
    other = manifest.dataset.model_copy(update={"source": collisions})
    seen = manifest.model_copy(update={"dataset": manifest.dataset.model_copy(update={"others": [other]})})
    (tmp_path / MANIFEST).write_text(json.dumps(of_older_schema(json.loads(manifest_bytes(seen)), 1)))
    assert read_manifest(tmp_path).dataset.others == [other]


@pytest.mark.parametrize("entries", [{"dataset": {}}, {"dataset": None}, {"dataset": {"selection": 1}}, {"region": 3}])
def test_what_no_schema_allows(registry, tmp_path, entries):
    manifest = read_manifest(resolve(registry, "fame3@1"))
    older = of_older_schema(json.loads(manifest_bytes(manifest)), 1)
    (tmp_path / MANIFEST).write_text(json.dumps(older | entries))
    with pytest.raises(IntegrityError, match="manifest"):
        read_manifest(tmp_path)
