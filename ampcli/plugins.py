"""Things that have names, ours and those of installed packages: models, features, providers, networks, optimisers.

A package adds one by an entry point, without a change to ampcli (docs/extending.md)::

    [project.entry-points."ampcli.models"]
    mine = "my_package.mine:MINE"
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from operator import attrgetter
from typing import Any, Generic, TypeVar, cast

from ampcli.errors import AmpcliError, UsageError

log = logging.getLogger(__name__)

Thing = TypeVar("Thing")


def imported(place: str) -> Any:
    """What stands at ``module:attribute``."""
    module, _, attribute = place.partition(":")
    return attrgetter(attribute)(import_module(module))


class Brought:
    """What an entry point of another package names: imported when it is asked for, and once, also where that fails."""

    def __init__(self, sort: str, base: type[Any], point: EntryPoint) -> None:
        self._sort, self._base, self._point = sort, base, point
        self._reported = False

    @cached_property
    def outcome(self) -> Any | AmpcliError:
        """The thing, or why there is none."""
        name, package = self._point.name, _package(self._point)
        try:
            thing = self._point.load()
        except KeyboardInterrupt:  # a signal
            raise
        except BaseException as error:  # whatever the other package does wrong, leaving the process included
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            return AmpcliError(
                f'the {self._sort} "{name}" of {package} cannot be loaded: {reason}', f"Mend or uninstall {package}."
            )
        return _fault(self._sort, self._base, name, thing, package) or thing

    def report(self, failure: AmpcliError) -> None:
        """Warn of it, once."""
        if not self._reported:
            self._reported = True
            log.warning("%s; going on without it", failure.what)


def _fault(sort: str, base: type[Any], name: str, thing: Any, package: str) -> AmpcliError | None:
    """Why a thing cannot stand in a catalogue under that name."""
    if not isinstance(thing, base):
        return AmpcliError(f'the {sort} "{name}" of {package} is no {base.__name__}')
    if (own := getattr(thing, "name", name)) != name:
        return AmpcliError(f'the {sort} "{name}" of {package} calls itself "{own}"')
    return None


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
    def _theirs(self) -> dict[str, Brought]:
        found: dict[str, EntryPoint] = {}
        for point in entry_points(group=self.group) if self.group is not None else ():
            other = found.get(point.name, point)
            if point.name in self._ours or other != point:
                owner = "ampcli itself" if point.name in self._ours else _package(other)
                raise AmpcliError(
                    f'{_package(point)} adds a {self.sort} "{point.name}", a name that is taken by one of {owner}',
                    f"Uninstall {_package(point)}, or install a version of it with another name for its own.",
                )
            found[point.name] = point
        return {name: Brought(self.sort, self.base, point) for name, point in found.items()}

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
        """All things, ours first.  Those of other packages that cannot be imported are left out, with a warning."""
        for name in self.names:
            if (thing := self.find(name)) is not None:
                yield thing

    def find(self, name: str) -> Thing | None:
        """The thing of that name; None where there is none, or (with a warning) it cannot be imported."""
        if name not in self._theirs:
            return self[name] if name in self._ours else None
        brought = self._theirs[name]
        if isinstance(outcome := brought.outcome, AmpcliError):
            brought.report(outcome)
            return None
        return cast(Thing, outcome)

    def __getitem__(self, name: str) -> Thing:
        """The thing of that name.

        Raises:
            UsageError: there is none.
            AmpcliError: another package's thing cannot be imported, or is none of this sort.
        """
        if name in self._ours and name not in self._theirs:  # which refuses a name that is taken
            return cast(Thing, imported(self._ours[name]))
        if name not in self._theirs:
            close = difflib.get_close_matches(name, self.names, 1)
            hint = f"Did you mean {close[0]}?" if close else f"Known: {', '.join(self.names)}."
            raise UsageError(f'unknown {self.sort} "{name}"', hint)
        outcome = self._theirs[name].outcome
        if isinstance(outcome, AmpcliError):
            raise AmpcliError(outcome.what, outcome.hint)  # anew: it may be asked for again
        return cast(Thing, outcome)


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
