"""JSON documents that know whether one of their values was changed: they carry the SHA-256 of all the others.

The sum is over values, not bytes, so that a file may be written again with other blanks (Zarr does).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ampcli.errors import IntegrityError

SEAL = "seal"


def seal_of(document: Mapping[str, Any]) -> str:
    """SHA-256, in hex, of all entries of a JSON document but its seal."""
    content = {key: value for key, value in document.items() if key != SEAL}
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def sealed(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with its seal, as the last entry."""
    content = {key: value for key, value in document.items() if key != SEAL}
    return {**content, SEAL: seal_of(content)}


def check_seal(document: Mapping[str, Any], where: object, hint: str) -> None:
    """Compare a document with its seal.

    Args:
        where: what it was read from, for the message; hint: what to do about it.

    Raises:
        IntegrityError: it has no seal, or one of its values was changed since it was sealed.
    """
    if document.get(SEAL) != seal_of(document):
        raise IntegrityError(f"{where} was changed after it was written: it does not match its seal", hint)
