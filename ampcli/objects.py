"""Stores in S3-compatible object stores: paths like ``s3://bucket/name.zarr`` that read and write as others do.

An object appears whole or not at all, and can be created or replaced on condition that it is not there, or is the one
that was read; there are no folders, and nothing can be renamed.  Endpoint, region and credentials come from the usual
variables (AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, ...), as obstore reads them.
"""

from __future__ import annotations

import errno
import functools
import io
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path, PosixPath
from typing import IO, TYPE_CHECKING, Any, NoReturn

from ampcli.errors import AmpcliError, UsageError

if TYPE_CHECKING:
    from obstore.store import S3Store

_RETRIES, _RETRY_SECONDS = 10, 60.0  # of a request that the server does not answer, or with an error of its own
_TIMEOUT = 60.0  # seconds without an answer, per try
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_URL = re.compile(r"([a-z][a-z0-9+.-]+):/+(.*)", re.DOTALL)


def place(text: str | Path) -> Path:
    """The path that a user wrote: of a folder or file, or a URL.

    Raises:
        UsageError: a URL of another kind, or without a bucket and a name.
    """
    match = _URL.fullmatch(str(text))
    if match is None or isinstance(text, ObjectPath):
        return Path(text) if isinstance(text, str) else text
    if match[1] != "s3":
        raise UsageError(
            f"{match[1]}://{match[2]}: of URLs only s3:// is known",
            "Copy the store to a disk, or to an S3-compatible server.",
        )
    found = ObjectPath(f"s3:/{match[2]}")
    if len(found.parts) < 3 or ".." in found.parts:
        raise UsageError(f"s3://{match[2]} names no store", "Write it as s3://BUCKET/NAME.zarr.")
    return found


class ObjectPath(PosixPath):
    """An object, or all those whose names begin with its name and a slash.

    What stores need works as it does for files.  All else (`open` by the system, renames, locks of the disk) asks for
    the path of a file, and is refused by name.
    """

    __slots__ = ()

    def __str__(self) -> str:
        return super().__str__().replace("s3:/", "s3://", 1)

    def __fspath__(self) -> NoReturn:
        raise UsageError(
            f"{self}: this works with files and folders only",
            "At URLs there are single stores, for gen, features, train, eval, predict, speedup and store. "
            "Copy others to a disk first (`aws s3 cp --recursive`, `rclone copy`).",
        )

    @property
    def _bucket(self) -> S3Store:
        return _opened(self.parts[1], tuple(sorted(item for item in os.environ.items() if item[0].startswith("AWS_"))))

    @property
    def key(self) -> str:
        """Its name within the bucket."""
        return "/".join(self.parts[2:])

    def is_file(self, **_: Any) -> bool:
        try:
            self.size()
        except FileNotFoundError:
            return False
        return True

    def is_dir(self, **_: Any) -> bool:
        return any(True for _ in self._listed(most=1))

    def exists(self, **_: Any) -> bool:
        return self.is_file() or self.is_dir()

    def is_symlink(self) -> bool:
        return False

    def size(self) -> int:
        """Bytes of the object."""
        import obstore

        with _explained(self):
            return int(obstore.head(self._bucket, self.key)["size"])

    def read_bytes(self) -> bytes:
        return self.read_version()[0]

    def read_version(self) -> tuple[bytes, str, str]:
        """The content, its tag (which conditions name), and when it was written."""
        import obstore

        with _explained(self):
            found = obstore.get(self._bucket, self.key)
            content = bytes(found.bytes())
        return content, str(found.meta["e_tag"]), str(found.meta["last_modified"])

    def write_bytes(self, data: Any, /) -> int:
        import obstore

        with _explained(self):
            obstore.put(self._bucket, self.key, bytes(data))
        return len(data)

    def create(self, data: bytes) -> bool:
        """Write an object that is not there; of several processes one succeeds, as long as their data differ."""
        return self._put_if("create", data)

    def replace_version(self, tag: str, data: bytes) -> bool:
        """Write in the place of an object that still has this tag; of several processes one succeeds."""
        return self._put_if({"e_tag": tag}, data)

    def _put_if(self, condition: Any, data: bytes) -> bool:
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        with _explained(self):
            try:
                obstore.put(self._bucket, self.key, data, mode=condition)
            except (AlreadyExistsError, PreconditionError):  # perhaps by our own request, whose answer was lost
                try:
                    return bytes(obstore.get(self._bucket, self.key).bytes()) == data
                except FileNotFoundError:
                    return False
            except FileNotFoundError:  # what was to be replaced is gone
                if condition == "create":
                    raise
                return False
        return True

    def open(self, mode: str = "r", *_: Any, **__: Any) -> IO[Any]:  # type: ignore[override]
        if mode != "rb":
            self.__fspath__()
        return io.BytesIO(self.read_bytes())

    def unlink(self, missing_ok: bool = False) -> None:
        import obstore

        with _explained(self):
            obstore.delete(self._bucket, self.key)

    def remove(self) -> None:
        """Delete the object, and all those below it."""
        import obstore

        names = [self.key, *(str(found["path"]) for found in self._listed())]
        with _explained(self):
            obstore.delete(self._bucket, names)

    def sizes(self) -> dict[str, int]:
        """Bytes of all objects below, by their names relative to this."""
        return {str(found["path"])[len(self.key) + 1 :]: int(found["size"]) for found in self._listed()}

    def _listed(self, most: int | None = None) -> Iterator[Mapping[str, Any]]:
        import obstore

        with _explained(self):
            for some in obstore.list(self._bucket, prefix=f"{self.key}/", chunk_size=most or 1000):
                yield from some
                if most is not None:
                    return


@functools.cache
def _opened(bucket: str, variables: tuple[tuple[str, str], ...]) -> S3Store:
    try:
        from obstore.store import S3Store
    except ImportError:
        raise UsageError("s3:// needs the package obstore", "pip install 'ampcli[remote]'") from None
    endpoint = next((value for name, value in variables if name in _ENDPOINTS and value), "")
    seconds = timedelta(seconds=_RETRY_SECONDS)
    return S3Store(
        bucket,
        client_options={"allow_http": endpoint.startswith("http://"), "timeout": timedelta(seconds=_TIMEOUT)},
        retry_config={"max_retries": _RETRIES, "retry_timeout": seconds},
    )


@contextmanager
def _explained(path: ObjectPath) -> Iterator[None]:
    """Turn errors of obstore into those of the system and of the project.

    Raises:
        FileNotFoundError: no such object.
        AmpcliError: no permission, or a server that fails.
    """
    from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

    try:
        yield
    except FileNotFoundError as error:
        if "NoSuchBucket" in str(error):
            raise _no_bucket(path) from None
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path)) from None
    except (PermissionDeniedError, UnauthenticatedError) as error:
        raise AmpcliError(
            f"no permission for {path}: {_first(error)}",
            "Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and the rights.",
        ) from None
    except BaseError as error:
        if "NoSuchBucket" in str(error):
            raise _no_bucket(path) from None
        raise AmpcliError(
            f"the server of {path} fails: {_first(error)}",
            "Nothing is half-written. Check AWS_ENDPOINT_URL and AWS_REGION, and run the same command again.",
        ) from None


def _no_bucket(path: ObjectPath) -> AmpcliError:
    return UsageError(f"{path}: there is no bucket {path.parts[1]}", "Make it first, or check AWS_ENDPOINT_URL.")


def _first(error: Exception) -> str:
    """What obstore says, without addresses of its code and documents of the server."""
    line = str(error).splitlines()[0]
    code = re.search(r"<Code>(\w+)</Code>", str(error))
    return line.partition(": <?xml")[0] + (f" ({code[1]})" if code else "")
