"""Fixtures of all tests: reference numbers, and small stores and models made once per session."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent

for variable in [name for name in os.environ if name.startswith("AMPCLI_")]:
    del os.environ[variable]  # the caller's settings are none of the tests' business
# Generating an amplitude takes up to half a minute and may not run twice at once: kept between runs.
os.environ["AMPCLI_CACHE"] = str(REPOSITORY / ".cache" / "ampcli-tests")
os.environ["OMP_NUM_THREADS"] = "1"
# Many tests write, sync and remove thousands of small files: milliseconds each on a disk.  Their folders are in memory
# where there is room, unless the caller chose a place.
_IN_MEMORY = Path("/dev/shm")
if "TMPDIR" not in os.environ and _IN_MEMORY.is_dir() and shutil.disk_usage(_IN_MEMORY).free > 4 << 30:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_IN_MEMORY))

import numpy as np  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402

from ampcli.generation.generate import GenerationRequest, generate, prepare  # noqa: E402
from ampcli.generation.given_points import GivenFile  # noqa: E402
from ampcli.generation.lepton_points import LeptonSettings  # noqa: E402
from ampcli.models.kinds import recipe_settings  # noqa: E402
from ampcli.records.training import Recipe  # noqa: E402
from ampcli.store.features import write_features  # noqa: E402
from ampcli.store.reader import Store, open_store  # noqa: E402
from ampcli.training.train import TrainingRun, train  # noqa: E402

torch.set_num_threads(1)

Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def amplitude_reference() -> Arrays:
    """tests/reference/amplitudes.npz."""
    with np.load(REPOSITORY / "tests" / "reference" / "amplitudes.npz") as stored:
        return dict(stored)


@pytest.fixture(scope="session")
def fame_reference() -> Callable[[int], Arrays]:
    """tests/reference/fame_features.npz: the arrays of a number of jets, without their suffix."""
    with np.load(REPOSITORY / "tests" / "reference" / "fame_features.npz") as stored:
        content = dict(stored)

    def of(jets: int) -> Arrays:
        return {key.removesuffix(f"_{jets}"): value for key, value in content.items() if key.endswith(f"_{jets}")}

    return of


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20240611)


_LEP = {"sqrt_s": 1000.0, "y_cut": 0.01}


@pytest.fixture(scope="session")
def request_for() -> Callable[..., GenerationRequest]:
    """A generation request for so many gluons."""

    def make(path: Path, gluons: int = 1, points: int | None = 3000, **changes: object) -> GenerationRequest:
        process = "e- e+ > d d~" + " g" * gluons
        asked: dict[str, Any] = {"seed": 7, **changes}
        common = {name: asked.pop(name) for name in ("seed", "provider", "parameters", "unchecked") if name in asked}
        collisions = GivenFile(asked.pop("momenta"), **asked) if "momenta" in asked else LeptonSettings(**_LEP | asked)
        return GenerationRequest(process, path, points, collisions, **common)

    return make


def _store(path: Path, request: GenerationRequest) -> Store:
    generate(prepare(request))
    opened = open_store(path)
    write_features(opened, "fame", torch.device("cpu"))
    return opened


@pytest.fixture(scope="session")
def store3(tmp_path_factory: pytest.TempPathFactory, request_for: Callable[..., GenerationRequest]) -> Store:
    """3 jets, 3000 points in three parts, features fame.  Read only."""
    path = tmp_path_factory.mktemp("stores") / "ee3.zarr"
    return _store(path, request_for(path))


@pytest.fixture(scope="session")
def store4(tmp_path_factory: pytest.TempPathFactory, request_for: Callable[..., GenerationRequest]) -> Store:
    """4 jets, 4000 points in four parts, features fame.  Read only."""
    path = tmp_path_factory.mktemp("stores") / "ee4.zarr"
    return _store(path, request_for(path, gluons=2, points=4000))


def _recipe(store: Store, model: str = "fame", **changes: object) -> Recipe:
    settings: dict[str, object] = {
        **recipe_settings(model),
        "preset": "custom",
        "hidden": (16, 16),
        "seeds": (1,),
        "epochs": 10,
        "batch_size": 256,
        "learning_rate": 3e-3,
        "dataset_digest": store.digest,
    }
    return Recipe.model_validate(settings | changes)


@pytest.fixture(scope="session")
def recipe_for() -> Callable[..., Recipe]:
    """A short training recipe for a store, with changes."""
    return _recipe


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory, store3: Store, store4: Store) -> Path:
    """Published models of a short training: fame3@1..3 and plain3@1 (3 jets), fame4@1 (4 jets).  Read only."""
    root = tmp_path_factory.mktemp("registry")
    cpu = torch.device("cpu")
    train(TrainingRun(store3, "fame3", root, cpu), _recipe(store3, seeds=(1, 2, 3)))
    train(TrainingRun(store3, "plain3", root, cpu), _recipe(store3, "plain", epochs=3))
    train(TrainingRun(store4, "fame4", root, cpu), _recipe(store4, epochs=5))
    return root
