"""Which proposals a store kept that was made where a model is unsure."""

from __future__ import annotations

import pydantic

from ampcli.records.base import Frozen


class Refined(Frozen):
    """Proposals of predicted relative uncertainty u were kept with probability p = min(1, max(u / kept_from, least)).

    Their weights were divided by p.

    Attributes:
        model: who predicted u, name@version; manifest_sha256: pins it.
        kept_from: the u from which all are kept.
        least: the smallest p, so that no weight grows more than 1/least times.
    """

    model: str
    manifest_sha256: str
    kept_from: float = pydantic.Field(gt=0)
    least: float = pydantic.Field(gt=0, le=1)
