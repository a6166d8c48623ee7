"""The manifest: everything needed to use, judge and reproduce a trained model, as ``manifest.json``."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol, Self

from pydantic import Field, JsonValue, ValidationError, model_validator

from ampcli.collisions import AnyCollisions
from ampcli.errors import AmpcliError, IntegrityError, UsageError
from ampcli.files import read_model_file
from ampcli.models.kinds import KINDS
from ampcli.records.architecture import Architecture
from ampcli.records.base import Frozen
from ampcli.records.provider import ProviderRecord
from ampcli.records.region import Region
from ampcli.records.training import Training
from ampcli.registry.naming import NAME, VERSION, check_name
from ampcli.registry.upgrade import upgraded
from ampcli.seal import SEAL, check_seal, sealed

SCHEMA_VERSION: Literal[3] = 3
"""Older ones are read (`ampcli.registry.upgrade`)."""
MANIFEST = "manifest.json"
ENSEMBLE = "ensemble"
"""The kind of models that are made of others."""
SET = "set"
"""The kind of what is no model, but one for each channel of a process (`ampcli.registry.sets`)."""
SET_SCHEMA_VERSION: Literal[4] = 4
"""Of manifests of sets, which an ampcli that knows none refuses as newer than itself."""

SEALED_SINCE = 2
_CHANGED_HINT = "Import the model again, or take another version."


class Metric(Frozen):
    """A measured figure of merit with its statistical error, both in the metric's own unit.

    Attributes:
        value: as measured.
        error: its statistical error; None where it is not known.
    """

    value: float
    error: float | None = None


class Dataset(Frozen):
    """The store that a model was trained on.

    Attributes:
        digest: of the store, SHA-256.
        points: in the store.
    """

    digest: str
    points: int = Field(ge=0)
    splits: dict[str, int]
    """Number of points of each split (``train``, ``validation``, ``test``)."""
    source: AnyCollisions
    """What its points are, and what was asked of them."""
    split_rule: Literal["events", "rows"] = "rows"
    """What decided the split of a point: the event, or in older versions its row (`ampcli.store.splits`)."""
    others: list[Dataset] = []
    """What the model saw besides: data of the model it was initialised from, of the other members of an ensemble."""

    @property
    def y_cut(self) -> float | None:
        """The cut on min s_ij / s of its points."""
        return self.source.y_cut


class Features(Frozen):
    """The feature block that makes the network's inputs; without a block, the plain momenta.

    Attributes:
        block: name of the features; None: plain momenta.
        version: of their definition.
        options: choices among variants of the features.
    """

    block: str | None
    version: int
    options: dict[str, JsonValue] = {}


class Member(Frozen):
    """One model of an ensemble, pinned by the checksum of its manifest.

    Attributes:
        model: name@version.
        manifest_sha256: of its manifest.
    """

    model: str = Field(pattern=rf"^{NAME}@{VERSION}$")
    manifest_sha256: str


class Recalibration(Frozen):
    """How predicted relative uncertainties become honest ones (`ampcli.uncertainty.recalibration`).

    Attributes:
        log_sigma: knots: logarithms of predicted relative uncertainties, ascending.
        log_scale: logarithm of the factor at each knot, interpolated linearly between them.
        intervals: how many honest uncertainties hold "95" and "99" per cent of the errors.
        measures: what was fitted, with the same weight: "points" of phase space, "events" (the cross section).
    """

    log_sigma: list[float] = Field(min_length=1)
    log_scale: list[float] = Field(min_length=1)
    intervals: dict[str, float]
    measures: list[Literal["points", "events"]] = ["points"]

    @model_validator(mode="after")
    def _knots(self) -> Self:
        ascending = all(a < b for a, b in itertools.pairwise(self.log_sigma))
        if len(self.log_sigma) != len(self.log_scale) or not ascending:
            raise AmpcliError("the knots of a recalibration do not ascend, or miss their scales")
        return self

    @property
    def scales(self) -> list[float]:
        """The factor at each knot."""
        return [math.exp(value) for value in self.log_scale]


class Manifest(Frozen):
    """One version of one model.

    A draft has version 0 and no checksums: `ampcli.registry.storage.publish` fills them in.

    Attributes:
        schema_version: of this format.
        name: of the model.
        version: from 1; 0: not published.
        process: in MadGraph syntax, legs in the model's order.
        features: inputs of the network; None for ensembles.
        seed: of this training; None for ensembles.
        dataset: the store it was trained on.
        metrics: on the validation split, by name (docs/evaluation.md).
        hardware: of the training.
        packages: versions of Python and of packages at the training.
        git_commit: of the checkout it was trained in; None outside.
        probe_sha256: of recorded predictions at probe points.
        members: of an ensemble.
        combine: how members are combined; None for single models.
    """

    schema_version: Literal[3] = SCHEMA_VERSION
    name: str
    version: int = Field(default=0, ge=0)
    created: str = Field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    """UTC, ISO 8601."""
    kind: str
    """One of `ampcli.models.kinds.KINDS`, or "ensemble"."""
    process: str
    sqrt_s: float | None = Field(default=None, gt=0)
    """Centre-of-mass energy of the training points in GeV; None where it varies from point to point."""
    provider: ProviderRecord
    """Where the exact amplitudes came from."""
    features: Features | None = None
    architecture: Architecture | None = None
    """What rebuilds the network; None for ensembles."""
    training: Training | None = None
    """The resolved recipe, and what came of it; None for ensembles."""
    seed: int | None = None
    dataset: Dataset
    region: Region
    """Where the training points lie."""
    metrics: dict[str, Metric] = {}
    hardware: dict[str, JsonValue] = {}
    seconds: float | None = None
    """Wall-clock time of the training."""
    packages: dict[str, str] = {}
    git_commit: str | None = None
    weights_sha256: str | None = None
    """None for ensembles, whose weights are their members'."""
    probe_sha256: str = ""
    parents: list[str] = []
    """Models that this one was initialised from."""
    members: list[Member] = []
    combine: Literal["mean", "covariance"] | None = None
    correlation: list[list[float]] | None = None
    """Of the members' errors, where they are combined by their covariance."""
    recalibration: Recalibration | None = None
    """Of the predicted uncertainties, from the validation split."""
    card: str = ""
    """The model card: what it is for, where it holds, where it does not."""

    @model_validator(mode="before")
    @classmethod
    def _content(cls, document: object) -> object:
        """The seal belongs to the file: `read_manifest` compares, `document` makes it."""
        return {k: v for k, v in document.items() if k != SEAL} if isinstance(document, dict) else document

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        check_name(self.name)
        is_ensemble = self.kind == ENSEMBLE
        if not is_ensemble and self.kind not in KINDS:
            raise AmpcliError(
                f'"{self.name}" is of the kind "{self.kind}", which this ampcli does not know',
                f"Install the package that adds it; known: {', '.join(KINDS.names)}.",
            )
        if is_ensemble != bool(self.members) or is_ensemble != (self.combine is not None):
            raise AmpcliError(
                f'the manifest of "{self.name}" (kind {self.kind}) has {len(self.members)} members, '
                f"combined by {self.combine}",
                "An ensemble needs members and a way to combine them; other models have neither.",
            )
        size = len(self.members)
        shape = None if self.correlation is None else [len(row) for row in self.correlation]
        if shape != ([size] * size if self.combine == "covariance" else None):
            raise AmpcliError(
                f'the manifest of "{self.name}" combines {size} members by {self.combine}, with a correlation matrix '
                f"of the shape {shape}",
                "A combination by covariance needs the members' correlation matrix; no other has one.",
            )
        return self

    @property
    def log_moments(self) -> tuple[float, float]:
        """Mean and standard deviation of ln|M|^2 over the training split."""
        return self.region.log_amplitude_mean, self.region.log_amplitude_std

    @property
    def document(self) -> dict[str, JsonValue]:
        """The content of ``manifest.json``, with its seal."""
        return sealed(self.model_dump(mode="json"))

    @property
    def reference(self) -> str:
        """``name@version``."""
        return f"{self.name}@{self.version}"


class Described(Protocol):
    """What a ``manifest.json`` describes: a model, or a set."""

    @property
    def document(self) -> dict[str, JsonValue]:
        """Its content, with its seal."""
        ...


def manifest_bytes(manifest: Described) -> bytes:
    """The bytes of ``manifest.json``."""
    return (json.dumps(manifest.document, indent=2, ensure_ascii=False) + "\n").encode()


def manifest_sha256(folder: Path) -> str:
    """SHA-256 of the ``manifest.json`` in a version's folder, in hex: what pins a model as ensemble member.

    Raises:
        IntegrityError: there is none.
    """
    return hashlib.sha256(read_model_file(folder / MANIFEST)).hexdigest()


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a model in a version's folder.

    Raises:
        IntegrityError: it is missing, is not valid, was changed since it was sealed, was written by a newer ampcli, or
            is that of another version than its folder.
        UsageError: it is that of a set of surrogates.
    """
    document = read_document(folder)
    if document.get("kind") == SET:
        raise UsageError(
            f"{folder.parent.name}@{folder.name} is a set of surrogates, one for each channel of a process",
            "Use it with a sample of all channels or an event file, or name one of its members: "
            "`ampcli registry show` lists them.",
        )
    with valid(folder):
        manifest = Manifest.model_validate(upgraded(document))
    require_place(folder, manifest.reference)
    return manifest


def read_document(folder: Path) -> dict[str, Any]:
    """What ``manifest.json`` in a version's folder holds, be it of a model or a set, compared with its seal.

    Raises:
        IntegrityError: it is missing, no JSON, was changed since it was sealed, or was written by a newer ampcli.
    """
    path = folder / MANIFEST
    content = read_model_file(path)
    with valid(folder):
        document = json.loads(content)
        _check_document(document, path)
    return dict(document)


@contextmanager
def valid(folder: Path) -> Iterator[None]:
    """Read the document of a version's folder.

    Raises:
        IntegrityError: for whatever reading a document that is not valid raises.
    """
    path = folder / MANIFEST
    try:
        yield
    except ValidationError as error:  # before ValueError, which it is
        findings = [f"{'.'.join(map(str, entry['loc']))}: {entry['msg']}" for entry in error.errors()]
        raise IntegrityError(f"{path} is not a valid manifest: {'; '.join(findings)}") from None
    except (KeyError, TypeError, AttributeError) as error:  # an older schema that is none
        raise IntegrityError(f"{path} is not a valid manifest: {type(error).__name__}: {error}") from None
    except (ValueError, RecursionError) as error:  # undecodable bytes are ValueErrors too
        raise IntegrityError(f"{path} is not JSON: {error}") from None
    except IntegrityError:
        raise
    except AmpcliError as error:
        raise IntegrityError(f"{path} is not a valid manifest: {error.what}") from None


def require_place(folder: Path, reference: str) -> None:
    """Make sure that a version's folder is that of what its manifest describes, ``name@version``.

    Raises:
        IntegrityError: it is that of another version.
    """
    published = re.fullmatch(VERSION, folder.name) is not None
    if published and reference != f"{folder.parent.name}@{folder.name}":
        raise IntegrityError(
            f"{folder} holds the manifest of {reference}", "It was moved or edited: import the model again."
        )


def has_seal(folder: Path) -> bool:
    """Whether the manifest in a version's folder is sealed: those of schema 1 are not."""
    return SEAL in json.loads(read_model_file(folder / MANIFEST))


def _check_document(document: object, path: Path) -> None:
    """Schema and seal.  A seal that is there must fit, whatever the schema says of itself."""
    schema = document.get("schema_version") if isinstance(document, dict) else None
    if not isinstance(document, dict) or type(schema) is not int or schema < 1:
        raise IntegrityError(f"{path} is not a model's manifest: it has no schema version")
    newest = SET_SCHEMA_VERSION if document.get("kind") == SET else SCHEMA_VERSION
    if schema > newest:  # before anything else: a newer schema may have fields that are unknown here
        raise IntegrityError(
            f"{path} has schema version {schema}; this ampcli reads schema versions up to {newest}",
            "Upgrade ampcli to use this model.",
        )
    if SEAL in document or schema >= SEALED_SINCE:
        check_seal(document, path, _CHANGED_HINT)
