"""What models, versions and aliases are called."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ampcli.errors import UsageError

NAME = r"[a-z0-9][a-z0-9._-]{0,127}"
VERSION = r"[1-9][0-9]{0,8}"
ALIAS = rf"(?![0-9]+\Z){NAME}"
LAST_VERSION = 10**9 - 1

_RANGE = re.compile(rf"({VERSION})-({VERSION})")
_ALIAS_HINT = 'An alias has lower-case letters, digits, ".", "_" and "-", and is not a number.'


def check_name(name: str) -> str:
    """The name of a model, unchanged.

    Raises:
        UsageError: it could not be a folder's name on every machine, or could be mistaken for a path.
    """
    if re.fullmatch(NAME, name) is None:
        raise UsageError(
            f'"{name}" cannot name a model',
            'Use up to 128 lower-case letters, digits, ".", "_" and "-", beginning with a letter or a digit.',
        )
    return name


def check_alias(alias: str) -> str:
    """An alias, unchanged.

    Raises:
        UsageError: it is no name, or reads like a version.
    """
    if re.fullmatch(ALIAS, alias) is None:
        raise UsageError(f'"{alias}" cannot be an alias', _ALIAS_HINT)
    return alias


def split_reference(reference: str) -> tuple[str, int | str | None]:
    """Name and version (a number), alias (a word) or None of ``name@3``, ``name@best``, ``name``.

    Raises:
        UsageError: not a reference at all.
    """
    name, at, selector = reference.partition("@")
    check_name(name)
    if not at:
        return name, None
    if re.fullmatch(VERSION, selector):
        return name, int(selector)
    if re.fullmatch(ALIAS, selector):
        return name, selector
    raise UsageError(f'cannot read "{reference}": after "@" comes a version (1, 2, ...) or an alias', _ALIAS_HINT)


def expand_ranges(references: Iterable[str]) -> list[str]:
    """All with their versions one by one."""
    return [each for reference in references for each in expand_range(reference)]


def expand_range(reference: str) -> list[str]:
    """``name@1-20`` as ``name@1`` ... ``name@20``; any other reference alone.

    Raises:
        UsageError: the range runs backwards.
    """
    name, _, selector = reference.partition("@")
    found = _RANGE.fullmatch(selector)
    if found is None:
        return [reference]
    first, last = int(found[1]), int(found[2])
    if last < first:
        raise UsageError(f'"{reference}": the range of versions is empty', f"Write {name}@{last}-{first}.")
    return [f"{name}@{version}" for version in range(first, last + 1)]
