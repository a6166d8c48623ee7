"""Small records for tests that need one and do not care which."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from torch import Tensor

from ampcli.collisions.leptons import LeptonCollisions
from ampcli.collisions.protons import ProtonCollisions
from ampcli.evaluation.compared import Claims, Sample, Trained
from ampcli.evaluation.evaluation import Evaluation, evaluate
from ampcli.records.provider import ProviderRecord
from ampcli.records.region import Region
from ampcli.registry.manifest import Dataset
from ampcli.seal import SEAL
from ampcli.store.features import stored_block
from ampcli.store.reader import Store
from ampcli.training.table import read_arrays

LEPTONS = LeptonCollisions(sqrt_s=1000.0, y_cut=1e-3, seed=1)
PROTONS = ProtonCollisions(
    energy=13000.0,
    pt_min=20.0,
    eta_max=5.0,
    delta_r=0.4,
    scale=None,
    pdf="NNPDF23_lo_as_0130_qed",
    pdf_sha256="0" * 64,
    alpha_s_mz=0.13,
    unweighted=True,
    overweight=0.003,
    seed=1,
    sampler="madspace 1",
)
DATASET = Dataset(digest="d" * 64, points=60, splits={"train": 40, "validation": 10, "test": 10}, source=LEPTONS)
REGION = Region(log_amplitude_mean=-10.0, log_amplitude_std=2.0)
PROVIDER = ProviderRecord(name="native", version="1", options={"colour": "full"}, parameters={"alpha_s": 0.118})


def read_fame(store: Store) -> tuple[dict[str, Tensor], Tensor]:
    """All features fame of the training points, with their amplitudes."""
    block = stored_block(store, "fame")
    return read_arrays(store, block, block.shapes(), "train")


def of_older_schema(document: dict[str, Any], schema: int) -> dict[str, Any]:
    """The content of a manifest as an ampcli of schema 1 or 2 wrote it, without a seal."""
    content = {key: value for key, value in document.items() if key != SEAL}
    training = content["training"]
    return content | {
        "schema_version": schema,
        "dataset": _older_dataset(content["dataset"]),
        "training": {} if training is None else older_training(training),
        "architecture": content["architecture"] or {},
    }


def older_training(training: dict[str, Any]) -> dict[str, Any]:
    """With the options of all kinds side by side; a block that has its kind's name was not recorded."""
    older = {key: value for key, value in training.items() if key != "options"}
    everything = {"penalty": 1e-6, "spin": True, "recoil": True, "near": 0.02, "orient": False, "beta": 0.0}
    block = None if training["block"] == training["kind"] else training["block"]
    return older | everything | training["options"] | {"block": block}


def _older_dataset(dataset: dict[str, Any]) -> dict[str, Any]:
    source = dataset["source"]
    older = {key: value for key, value in dataset.items() if key != "source"}
    older |= {"selection": source, "y_cut": source.get("y_cut")}
    return older | {"others": [_older_dataset(other) for other in dataset["others"]]}


def evaluated(**given: Any) -> Evaluation:
    """`evaluate` of what a sample, a training and the claims of a model hold, by their names."""

    def part(kind: type[Any]) -> Any:
        return kind(**{field.name: given.pop(field.name) for field in fields(kind) if field.name in given})

    sample, trained, claims = part(Sample), part(Trained), part(Claims)
    assert not given
    return evaluate(sample, trained, claims)
