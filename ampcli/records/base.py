"""What all records have in common: they are written once, and what they say is known."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Self

import pydantic

from ampcli.errors import AmpcliError


class Frozen(pydantic.BaseModel):
    """Immutable, without unknown fields, all numbers finite (JSON has neither NaN nor infinity).

    Raises:
        AmpcliError: a number that is not finite.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    @pydantic.model_validator(mode="after")
    def _all_finite(self) -> Self:
        for field in type(self).model_fields:
            for finding in _non_finite(getattr(self, field), field):
                raise AmpcliError(
                    f"{type(self).__name__}: {finding}, not a finite number",
                    "Leave the entry out, or find out where the run diverged.",
                )
        return self


def _non_finite(value: object, path: str) -> Iterator[str]:
    if isinstance(value, float) and not math.isfinite(value):
        yield f"{path} is {value}"
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield from _non_finite(entry, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for position, entry in enumerate(value):
            yield from _non_finite(entry, f"{path}.{position}")


def without_later(
    record: pydantic.BaseModel, dump: pydantic.SerializerFunctionWrapHandler, *later: str
) -> dict[str, object]:
    """A record as it was written before it had some fields, where these have their defaults.

    For records whose bytes decide a digest: equal things keep equal digests.
    """
    fields: dict[str, object] = dump(record)
    defaults = type(record).model_fields
    return {k: v for k, v in fields.items() if k not in later or getattr(record, k) != defaults[k].default}
