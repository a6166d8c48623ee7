"""Models from another registry: a folder, or one that any web server shows as plain files.

A server lists nothing, and need not: ``NAME/aliases.json`` says which version an alias means, a version's
``manifest.json`` which files and members belong to it, and with which checksums.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol
from urllib.parse import quote, unquote, urlsplit

from ampcli import __version__
from ampcli.errors import AmpcliError, IntegrityError, NotFoundError, UsageError
from ampcli.files import require_ordinary, staged, sync_folder, writing
from ampcli.registry.aliases import ALIASES, parsed_pointers
from ampcli.registry.intake import take_in
from ampcli.registry.manifest import MANIFEST, manifest_sha256
from ampcli.registry.naming import split_reference
from ampcli.registry.search import AnyRegistry, as_registry, is_version, versions
from ampcli.registry.sets import SurrogateSet, read_entry
from ampcli.registry.storage import PROBE, WEIGHTS, Check, verify

_SECONDS = 60.0  # without a byte, after which a server is taken for gone
_CHUNK = 2**20
_MOST_MODELS = 3000
_LARGEST_TEXT = 2**26  # bytes of a manifest, or of a file of aliases

#: Is told of each piece, in bytes.
Advance = Callable[[int], object]


class Remote(Protocol):
    """Files of a registry somewhere else."""

    def get(self, inside: str, to: BinaryIO, advance: Advance) -> None:
        """Copy a file, ``NAME/VERSION/manifest.json``, say.

        Raises:
            FileNotFoundError: there is none.
            AmpcliError: it cannot be read to its end.
        """

    def newest(self, name: str) -> int:
        """The newest version of a model.

        Raises:
            NotFoundError: there is no such model.
            UsageError: it cannot be known.
        """


class FolderRemote:
    """Another folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, inside: str, to: BinaryIO, advance: Advance) -> None:
        require_ordinary(self.folder / inside)
        with (self.folder / inside).open("rb") as file:
            while piece := file.read(_CHUNK):
                to.write(piece)
                advance(len(piece))

    def newest(self, name: str) -> int:
        if found := versions(self.folder, name):
            return found[-1]
        raise NotFoundError(f'no model "{name}" in the registry {self.folder}')


class WebRemote:
    """What stands below an address."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")

    def get(self, inside: str, to: BinaryIO, advance: Advance) -> None:
        download(f"{self.address}/{quote(inside)}", to, advance)

    def newest(self, name: str) -> int:
        raise UsageError(
            f"{self.address} does not say which version of {name} is the newest",
            f"Name a version or an alias: {name}@1, {name}@best.",
        )


def remote(source: str) -> Remote:
    """The registry at a path, or at an address (http, https, file).

    Raises:
        NotFoundError: there is no such folder.
        UsageError: an address of another kind.
    """
    scheme = urlsplit(source).scheme
    if scheme in ("http", "https"):
        return WebRemote(source)
    if "://" in source and scheme != "file":
        raise UsageError(f'cannot read from "{source}"', "Give a folder, or an address with http, https or file.")
    folder = Path(unquote(urlsplit(source).path) if scheme == "file" else source)
    if not folder.is_dir():
        raise NotFoundError(f"there is no registry {folder}")
    return FolderRemote(folder)


def pull(
    registry: AnyRegistry, reference: str, source: str, check: Check | None = None, advance: Advance = lambda n: None
) -> list[str]:
    """Add a model or a set of another registry, with its members, all verified before any appears.

    Args:
        registry: they are added to its first folder, which is created if need be.
        reference: ``name@3`` or ``name@alias`` there; ``name``, the newest, of a folder only.
        source: a folder, or an address (http, https, file).
        check: recomputes the probe's predictions as well.

    Returns:
        The models, as ``name@version``, the one that was asked for last.

    Raises:
        UsageError, NotFoundError: no such model, or no such place.
        IntegrityError: something that came does not verify, or differs from what the registry has under its name.
        AmpcliError: the connection broke off, or the registry cannot be written.
    """
    there, top = remote(source), as_registry(registry).top
    with staged(top, "import") as staging:
        with writing(top):
            arrival = _Arrival(there, source, staging, advance)
            name, version, pin = arrival.meant(reference)
            here = top / name / str(version)
            arrival.manifest(name, version, pin, f'"{reference}"')
            if is_version(here) and _is_same(here, staging / name / str(version), registry):
                return [f"{name}@{version}"]
            arrival.rest(name, version)
        return take_in(registry, list(arrival.folders), source, check)


def _is_same(here: Path, other: Path, registry: AnyRegistry) -> bool:
    try:
        if manifest_sha256(here) != manifest_sha256(other):
            return False
        verify(here, registry=registry)
    except IntegrityError:  # what is damaged is fetched again
        return False
    return True


class _Arrival:
    """Models on their way into a staged registry; `folders`: those that are complete, members first."""

    def __init__(self, there: Remote, source: str, staging: Path, advance: Advance) -> None:
        self.there, self.source, self.staging, self.advance = there, source, staging, advance
        self.folders: dict[Path, None] = {}

    def meant(self, reference: str) -> tuple[str, int, str | None]:
        """Name, version and checksum, if it is known, of what a reference means there."""
        name, selector = split_reference(reference)
        if selector is None:
            return name, self.there.newest(name), None
        if isinstance(selector, int):
            return name, selector, None
        file = self.staging / ALIASES
        self._get(f"{name}/{ALIASES}", file, f'aliases of "{name}"')
        pointer = parsed_pointers(file.read_bytes(), f"{name}/{ALIASES} in {self.source}").get(selector)
        if pointer is None:
            raise NotFoundError(f'"{name}" has no alias "{selector}" in {self.source}')
        return name, pointer.version, pointer.manifest_sha256

    def manifest(self, name: str, version: int, pin: str | None, what: str) -> None:
        """Fetch it, and make sure that it is the one that is meant."""
        folder = self.staging / name / str(version)
        folder.mkdir(parents=True, exist_ok=True)
        self._get(f"{name}/{version}/{MANIFEST}", folder / MANIFEST, what)
        if pin is not None and manifest_sha256(folder) != pin:
            raise IntegrityError(f"{name}@{version} in {self.source} is not the one that {what} is meant to be")

    def rest(self, name: str, version: int) -> None:
        """Fetch the members, then the other files of a version whose manifest is there."""
        folder = self.staging / name / str(version)
        entry = read_entry(folder)
        for member in entry.members:
            other, number = split_reference(member.model)
            assert isinstance(number, int)  # as members are
            if (place := self.staging / other / str(number)) in self.folders:
                if manifest_sha256(place) != member.manifest_sha256:
                    raise IntegrityError(f"{entry.reference} in {self.source} is made of two different {member.model}")
                continue
            # Only what has the right checksum is followed: no chain of members leads back to itself.
            self.manifest(other, number, member.manifest_sha256, f"{member.model}, a member of {entry.reference},")
            self.rest(other, number)
        if not isinstance(entry, SurrogateSet):
            sums = {WEIGHTS: entry.weights_sha256, PROBE: entry.probe_sha256}
            for file, expected in sums.items():
                if expected is not None:
                    self._get(f"{name}/{version}/{file}", folder / file, f"{file} of {entry.reference}")
                    _require_sum(folder / file, expected, f"{file} of {entry.reference} in {self.source}")
        sync_folder(folder)
        self.folders[folder] = None
        if len(self.folders) > _MOST_MODELS:
            raise IntegrityError(f"{self.source} sends more than {_MOST_MODELS} models")

    def _get(self, inside: str, to: Path, what: str) -> None:
        size, is_text = 0, inside.endswith(".json")  # of others the manifest says what they are

        def advance(more: int) -> None:
            nonlocal size
            size += more
            if is_text and size > _LARGEST_TEXT:
                raise IntegrityError(f"{inside} in {self.source} is too large: more than {_LARGEST_TEXT} bytes")
            self.advance(more)

        try:
            with to.open("wb") as file:
                self.there.get(inside, file, advance)
                file.flush()
                os.fsync(file.fileno())
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise NotFoundError(f"there is no {what} in {self.source}", f"It would be {inside}.") from None


def _require_sum(file: Path, expected: str, what: str) -> None:
    with file.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if found != expected:
        raise IntegrityError(f"{what} has the SHA-256 {found[:12]}..., its manifest says {expected[:12]}...")


@contextmanager
def fetched(source: str, advance: Advance = lambda n: None) -> Iterator[Path]:
    """A file: the one at a path, or a copy of what stands at an address, for as long as it is needed.

    Raises:
        NotFoundError: the server has nothing there.
        AmpcliError: as `download`.
    """
    if urlsplit(source).scheme not in ("http", "https"):
        yield Path(source)
        return
    with tempfile.TemporaryDirectory(prefix="ampcli-") as folder:
        copy = Path(folder) / (Path(unquote(urlsplit(source).path)).name or "archive")
        try:
            with copy.open("wb") as file:
                download(source, file, advance)
        except FileNotFoundError:
            raise NotFoundError(f"there is nothing at {source}") from None
        yield copy


def download(address: str, to: BinaryIO, advance: Advance = lambda n: None) -> None:
    """Copy what stands at an address (http, https); other names that it redirects to are followed.

    Raises:
        FileNotFoundError: the server has nothing there.
        AmpcliError: no answer, an error of the server, or a connection that broke off.
    """
    request = urllib.request.Request(address, headers={"User-Agent": f"ampcli/{__version__}"})
    try:
        with closing(urllib.request.urlopen(request, timeout=_SECONDS)) as answer:
            expected, found = answer.headers.get("Content-Length"), 0
            while piece := answer.read(_CHUNK):
                to.write(piece)
                found += len(piece)
                advance(len(piece))
            if expected is not None and found != int(expected):
                raise http.client.IncompleteRead(b"", int(expected) - found)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in (404, 410):
            raise FileNotFoundError(address) from None
        raise AmpcliError(f"{address}: the server says {error.code} {error.reason}", "Ask who runs it.") from None
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError, ValueError) as error:
        raise AmpcliError(f"{address}: {_reason(error)}", "Nothing was changed: try again.") from None


def _reason(error: Any) -> str:
    if isinstance(error, http.client.IncompleteRead):
        missing = f", {error.expected} bytes before the end" if error.expected else ""
        return f"the connection broke off{missing}"
    return str(getattr(error, "reason", None) or error or type(error).__name__)
