"""Manifests of older schemas as what they would be today.

1: without a seal.  2: sealed; what the points are stood in ``selection``, the cut beside it, and training, architecture
and region were whatever the ampcli of that day wrote.  3: all records have types.
"""

from __future__ import annotations

from typing import Any

from ampcli.seal import SEAL

_TYPED_SINCE = 3


def upgraded(document: dict[str, Any]) -> dict[str, Any]:
    """The content of a ``manifest.json``, whose seal was compared, in the newest schema.

    Raises:
        KeyError, TypeError, AttributeError, ValueError: it is none of its schema.
    """
    content = {key: value for key, value in document.items() if key != SEAL}
    if content["schema_version"] >= _TYPED_SINCE:
        return content
    return content | {"schema_version": _TYPED_SINCE, "dataset": _dataset(content["dataset"])}


def _dataset(old: dict[str, Any]) -> dict[str, Any]:
    """`source` instead of `selection`; `y_cut`, which stood in both, once."""
    new = {key: value for key, value in old.items() if key not in ("y_cut", "selection")}
    new["source"] = old["selection"]
    return new | {"others": [_dataset(other) for other in old.get("others", [])]}
