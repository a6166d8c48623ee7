"""Which versions can go: old ones, or named ones, but never one that an alias, an ensemble or a set needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ampcli.errors import IntegrityError, NotFoundError, UsageError
from ampcli.files import writing
from ampcli.registry.aliases import read_pointers
from ampcli.registry.manifest import manifest_sha256
from ampcli.registry.naming import expand_range, split_reference
from ampcli.registry.removal import is_removed, mark_removed, remove_files, unmark_removed
from ampcli.registry.search import REMOVED, AnyRegistry, Registry, as_registry, called, names, versions
from ampcli.registry.sets import read_entry


@dataclass(frozen=True)
class Pruning:
    """What would go from a registry.

    Attributes:
        registry: with the folders that may need something of the first, from which alone versions go.
        going: folders of versions, with their sizes in bytes.
        kept: ``name@version`` of those that were asked for and stay, and who needs them.
    """

    registry: Registry
    going: dict[Path, int]
    kept: dict[str, str]

    @property
    def bytes(self) -> int:
        """Of all that would go."""
        return sum(self.going.values())


def plan_pruning(registry: AnyRegistry, models: Sequence[str], keep: int) -> Pruning:
    """What would go, if these versions were removed: those that are named (``name@3``, ``name@1-4``), and of a name
    all but the newest.

    Args:
        models: without any, all names of the first folder of the registry.
        keep: so many of the newest versions of a name stay.

    Raises:
        NotFoundError: there is no such folder, name or version.
        UsageError: an alias in the place of a version.
        IntegrityError: a manifest or aliases that are damaged: what they need is not known.
    """
    registry = as_registry(registry)
    if not registry.top.is_dir():
        raise NotFoundError(f"there is no registry {called(registry.top)}", "Name the one to prune first.")
    asked = [folder for model in models or names(registry.top) for folder in _asked(registry.top, model, keep)]
    going = dict.fromkeys(asked)
    kept = _take_back(registry, going)
    return Pruning(registry, {folder: size_of(folder) for folder in going}, kept)


def prune(pruning: Pruning) -> Pruning:
    """Remove what was planned, but for what somebody has come to need since; what a killed run left goes too.

    Returns:
        What went.

    Raises:
        AmpcliError: the registry cannot be written.
    """
    registry = pruning.registry
    with writing(registry.top):
        left = [folder for folder in _removed(registry.top) if any(f.name != REMOVED for f in folder.iterdir())]
        for folder in pruning.going:
            mark_removed(folder)
        marked = dict.fromkeys([*left, *pruning.going])
        kept = _take_back(registry, marked)  # once more, now that nobody finds them
        for folder in {*left, *pruning.going} - marked.keys():
            unmark_removed(folder)
        for folder in marked:
            remove_files(folder)
    went = {folder: size for folder, size in pruning.going.items() if folder in marked}
    return Pruning(registry, went, pruning.kept | kept)


def size_of(folder: Path) -> int:
    """Bytes of the files in a version's folder."""
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())


def _asked(top: Path, model: str, keep: int) -> Iterator[Path]:
    for reference in expand_range(model):
        name, selector = split_reference(reference)
        if isinstance(selector, str):
            raise UsageError(f'"{reference}" is an alias', "Name versions to remove: name@3 or name@1-4, or a name.")
        available = versions(top, name)
        if not available or (selector is not None and selector not in available):
            raise NotFoundError(
                f'"{reference}" is not in the registry {top}',
                "Versions are removed from the first registry alone: name the one that has it.",
            )
        chosen = available[: max(len(available) - keep, 0)] if selector is None else [selector]
        yield from (top / name / str(version) for version in chosen)


def _take_back(registry: Registry, going: dict[Path, None]) -> dict[str, str]:
    """Take out of `going` what somebody needs who stays; returns it with who that is.

    What an ensemble needs that stays only because somebody needs it is taken back too.
    """
    pins = {(folder.parent.name, int(folder.name), manifest_of(folder)): folder for folder in going}
    kept: dict[str, str] = {}

    def take_back(name: str, version: int, manifest: str | None, who: str) -> bool:
        for pin, folder in pins.items():
            if folder in going and pin[:2] == (name, version) and manifest in (None, pin[2]):
                del going[folder]
                kept[f"{name}@{version}"] = who
                return True
        return False

    for root in registry.folders:
        for home in root.iterdir() if root.is_dir() else ():
            if home.is_dir() and not home.name.startswith("."):
                for alias, pointer in read_pointers(home).items():
                    take_back(home.name, pointer.version, pointer.manifest_sha256, f"the alias {home.name}@{alias}")
    waiting = [folder for folder in _versions(registry) if folder not in going]
    needs: dict[Path, list[tuple[str, int, str]]] = {}
    while waiting:
        for folder in waiting:
            for name, version, manifest in needs.setdefault(folder, _members(folder)):
                take_back(name, version, manifest, f"{folder.parent.name}@{folder.name}")
        waiting = [folder for folder in pins.values() if folder not in going and folder not in needs]
    return kept


def manifest_of(folder: Path) -> str | None:
    """The SHA-256 of a version's manifest; None where it has lost it: nobody can need that."""
    try:
        return manifest_sha256(folder)
    except IntegrityError:
        return None


def _members(folder: Path) -> list[tuple[str, int, str]]:
    """What an entry is made of: name, version and checksum of the manifest of each member."""
    try:
        members = read_entry(folder).members
    except IntegrityError as error:
        reference = f"{folder.parent.name}@{folder.name}"
        raise IntegrityError(
            f"{error.what}: what it needs is not known",
            f"Import it again, or remove it too: `ampcli registry prune {reference}`.",
        ) from None
    found = []
    for member in members:
        name, version = split_reference(member.model)
        assert isinstance(version, int)
        found.append((name, version, member.manifest_sha256))
    return found


def _versions(registry: Registry) -> Iterator[Path]:
    """Folders of all versions in all registries."""
    for root in registry.folders:
        for name in names(root):
            yield from (root / name / str(version) for version in versions(root, name))


def _removed(top: Path) -> Iterator[Path]:
    """Folders of versions that were removed, or that a killed run was about to."""
    for home in top.iterdir():
        if home.is_dir() and not home.name.startswith("."):
            yield from (folder for folder in home.iterdir() if is_removed(folder))
