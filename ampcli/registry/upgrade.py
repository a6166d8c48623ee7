"""Manifests of older schemas as what they would be today.

1: without a seal.  2: sealed; what the points are stood in ``selection``, the cut beside it, and training, architecture
and region were whatever the ampcli of that day wrote.  3: all records have types.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ampcli.models.kinds import KINDS
from ampcli.seal import SEAL

_TYPED_SINCE = 3

#: Options of single kinds of models that stood among those of all.
_OPTIONS = {"penalty", "spin", "recoil", "near", "orient", "beta"}


def upgraded(document: dict[str, Any]) -> dict[str, Any]:
    """The content of a ``manifest.json``, whose seal was compared, in the newest schema.

    Raises:
        KeyError, TypeError, AttributeError, ValueError: it is none of its schema.
    """
    content = {key: value for key, value in document.items() if key != SEAL}
    if content["schema_version"] >= _TYPED_SINCE:
        return content
    return content | {
        "schema_version": _TYPED_SINCE,
        "dataset": _dataset(content["dataset"]),
        "architecture": content.get("architecture") or None,
        "training": upgraded_recipe(content["training"]) if content.get("training") else None,
        "members": [_member(member) for member in content.get("members", [])],
    }


def upgraded_recipe(old: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a training, from before each kind of model had options of its own: those of others are dropped.

    Kinds with one block of features, which has the kind's name, did not record it.

    Raises:
        KeyError, TypeError, ValueError: they are none.
        UsageError: an unknown kind of model.
    """
    own = KINDS[old["kind"]].options.model_fields
    return {
        **{name: value for name, value in old.items() if name not in _OPTIONS},
        "block": old.get("block") or (old["kind"] if old.get("features") else None),
        "options": {name: old[name] for name in own if name in old},
    }


def _member(old: dict[str, Any]) -> dict[str, Any]:
    """Without `weight`, which was None in all."""
    return {key: value for key, value in old.items() if key != "weight"}


def _dataset(old: dict[str, Any]) -> dict[str, Any]:
    """`source` instead of `selection`; `y_cut`, which stood in both, once."""
    new = {key: value for key, value in old.items() if key not in ("y_cut", "selection")}
    new["source"] = old["selection"]
    return new | {"others": [_dataset(other) for other in old.get("others", [])]}
