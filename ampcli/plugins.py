"""Things that have names, ours and those of installed packages: models, features, providers, networks, optimisers.

A package adds one by an entry point, without a change to ampcli (docs/extending.md)::

    [project.entry-points."ampcli.models"]
    mine = "my_package.mine:MINE"
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from ampcli.errors import AmpcliError, UsageError

Thing = TypeVar("Thing")


class Catalogue(Generic[Thing]):
    """Things of one sort by their names; each is imported when it is asked for.

    Args:
        sort: what they are, for messages ("provider").
        group: the entry-point group of other packages' things; None where there can be none.
        ours: where our own stand, as ``module:attribute``.
        base: the class of which all of them are.
    """

    def __init__(self, sort: str, base: type[Thing], group: str | None, ours: Mapping[str, str]) -> None:
        self.sort, self.base, self.group = sort, base, group
        self._ours = dict(ours)

    @cached_property
    def _theirs(self) -> dict[str, EntryPoint]:
        found: dict[str, EntryPoint] = {}
        for point in entry_points(group=self.group) if self.group is not None else ():
            if point.name in self._ours or found.get(point.name, point) != point:
                raise AmpcliError(
                    f'{_package(point)} adds a {self.sort} "{point.name}", a name that is taken',
                    f"Uninstall {_package(point)}, or one that gives its own another name.",
                )
            found[point.name] = point
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """All names, ours first; nothing is imported for them.

        Raises:
            AmpcliError: two things have one name.
        """
        return (*self._ours, *self._theirs)

    @property
    def ours(self) -> tuple[str, ...]:
        """Names of our own things."""
        return tuple(self._ours)

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def __iter__(self) -> Iterator[Thing]:
        return (self[name] for name in self.names)

    def __getitem__(self, name: str) -> Thing:
        """The thing of that name.

        Raises:
            UsageError: there is none.
            AmpcliError: another package's thing cannot be imported, or is none of this sort.
        """
        if name in self._ours and name not in self._theirs:
            module, _, attribute = self._ours[name].partition(":")
            return self._checked(name, getattr(import_module(module), attribute), "ampcli")
        if name not in self._theirs:
            close = difflib.get_close_matches(name, self.names, 1)
            hint = f"Did you mean {close[0]}?" if close else f"Known: {', '.join(self.names)}."
            raise UsageError(f'unknown {self.sort} "{name}"', hint)
        point = self._theirs[name]
        try:
            thing = point.load()
        except Exception as error:  # whatever the other package does wrong
            raise AmpcliError(
                f'the {self.sort} "{name}" of {_package(point)} cannot be loaded: {type(error).__name__}: {error}',
                f"Mend or uninstall {_package(point)}.",
            ) from error
        return self._checked(name, thing, _package(point))

    def _checked(self, name: str, thing: Any, package: str) -> Thing:
        if not isinstance(thing, self.base):
            raise AmpcliError(f'the {self.sort} "{name}" of {package} is no {self.base.__name__}')
        if (own := getattr(thing, "name", name)) != name:
            raise AmpcliError(f'the {self.sort} "{name}" of {package} calls itself "{own}"')
        return thing


def plugin_packages() -> list[str]:
    """Names of the installed packages that add to any catalogue; none is imported."""
    everything = entry_points()
    return sorted(
        {
            _package(point)
            for group in everything.groups
            if group.startswith("ampcli.")
            for point in everything.select(group=group)
        }
    )


def _package(point: EntryPoint) -> str:
    distribution = getattr(point, "dist", None)  # absent where an entry point was made by hand
    return "an installed package" if distribution is None else str(distribution.name)
