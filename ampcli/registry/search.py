"""Where models are looked for: folders in order, the last of which ships with ampcli.

Nothing heavy is imported here: the shell asks for names while somebody types.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ampcli.errors import NotFoundError, setting
from ampcli.registry.naming import NAME, VERSION
from ampcli.shipped import shipped_folder

REMOVED = "removed.json"
"""In the folder of a version that `ampcli registry prune` has removed, whose number is not given again."""


@dataclass(frozen=True)
class Registry:
    """Folders of models, looked through in order.

    Attributes:
        named: those that were asked for; what is published goes into the first.
        shipped: the one that ships with ampcli, the last; None: there is none, or it is a named one.
    """

    named: tuple[Path, ...]
    shipped: Path | None = None

    @property
    def top(self) -> Path:
        """The folder that is written to; it need not exist."""
        return self.named[0]

    @property
    def folders(self) -> tuple[Path, ...]:
        """All, in order; they need not exist."""
        return (*self.named, *([] if self.shipped is None else [self.shipped]))

    @property
    def own(self) -> list[Path]:
        """The folders whose models are meant where none are named: the named ones, or if there are none yet, the
        shipped one.

        Raises:
            NotFoundError: there is none at all, or what was asked for is not there.
        """
        if found := [folder for folder in self.named if folder.is_dir()]:
            return found
        if self.shipped is None or self.named != (default_place(),):
            raise NotFoundError(
                f"there is no registry {called(self.top)}",
                f"Name one with {setting('registry')} or AMPCLI_REGISTRY; training makes it.",
            )
        return [self.shipped]

    @property
    def absent(self) -> list[Path]:
        """What was asked for and is not there; nobody asked for the default."""
        return [folder for folder in self.named if not folder.is_dir() and self.named != (default_place(),)]

    @property
    def option(self) -> str:
        """The named ones as a value of ``--registry``."""
        return os.pathsep.join(map(str, self.named))

    @property
    def listed(self) -> str:
        """The folders in a line: "a (not there), b"."""
        return ", ".join(f"{called(folder)}{'' if folder.is_dir() else ' (not there)'}" for folder in self.folders)

    def __str__(self) -> str:
        """For messages: "the registry a", "the registries a (not there), b"."""
        return f"the registr{'y' if len(self.folders) == 1 else 'ies'} {self.listed}"


def called(folder: Path) -> str:
    """A folder in messages: ./registry, so that it does not read like a word of them."""
    return str(folder) if len(folder.parts) > 1 else f"./{folder}"


#: A folder alone is a registry too, without the models that ship with ampcli.
AnyRegistry = Registry | Path


def find_registry(where: AnyRegistry | str | None = None) -> Registry:
    """The registry: `where`, else ``AMPCLI_REGISTRY``, else ``./registry``; last of all comes the one that ships.

    Args:
        where: a folder, or several with `os.pathsep` between them; none of them need exist.

    In a checkout, ``./registry`` is the one that ships.  It is written to only where it is named; the default is
    ``./models`` there.
    """
    if isinstance(where, Registry):
        return where
    given = os.environ.get("AMPCLI_REGISTRY", "") if where is None else str(where)
    named = tuple(dict.fromkeys(Path(part) for part in given.split(os.pathsep) if part)) or (default_place(),)
    shipped = shipped_folder("registry")
    is_named = shipped is not None and any(_same(folder, shipped) for folder in named)
    return Registry(named, None if is_named else shipped)


def default_place() -> Path:
    """Where models are published if nothing is said: ``./registry``, or ``./models`` where that is the shipped one."""
    shipped = shipped_folder("registry")
    return Path("models") if shipped is not None and _same(Path("registry"), shipped) else Path("registry")


def as_registry(where: AnyRegistry) -> Registry:
    """A folder as a registry of this folder alone."""
    return where if isinstance(where, Registry) else Registry((where,))


def names(folder: Path) -> list[str]:
    """Names of the models in a registry's folder that have a version, sorted; none if it is not there."""
    if not folder.is_dir():
        return []
    return sorted(
        home.name for home in folder.iterdir() if re.fullmatch(NAME, home.name) and versions(folder, home.name)
    )


def versions(folder: Path, name: str) -> list[int]:
    """Versions of a model in a registry's folder, oldest first; none if there is no such model."""
    home = folder / name
    if not home.is_dir():
        return []
    return sorted(int(v.name) for v in home.iterdir() if re.fullmatch(VERSION, v.name) and is_version(v))


def newest(folders: Sequence[Path]) -> list[Path]:
    """The folder of the newest version of each name, by name, in the first of the registries' folders that has it."""
    found: dict[str, Path] = {}
    for folder in folders:
        for name in names(folder):
            found.setdefault(name, folder / name / str(versions(folder, name)[-1]))
    return [found[name] for name in sorted(found)]


def is_version(folder: Path) -> bool:
    """Whether a version is there, and was not removed."""
    return folder.is_dir() and not os.path.lexists(folder / REMOVED)


def _same(one: Path, other: Path) -> bool:
    return one.is_dir() and other.is_dir() and one.samefile(other)
