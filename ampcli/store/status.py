"""How far a store is: which parts are done, in work by whom, left by the dead, and missing."""

from __future__ import annotations

import shlex
import tomllib
from dataclasses import dataclass
from pathlib import Path

from ampcli.errors import IntegrityError, NotFoundError
from ampcli.files import read_file
from ampcli.held import Held
from ampcli.locks import holders_of
from ampcli.objects import ObjectPath
from ampcli.store.parts import BOOKS, lock_file, missing_parts, parts_in_work
from ampcli.store.plan import Plan
from ampcli.store.record import SAMPLE, finished_attributes, read_plan

COMMAND = "gen.toml"


@dataclass(frozen=True)
class Claim:
    """A part (from 1) that a process has in work, or had when it died; `held`: what its lock says of the process."""

    part: int
    held: Held | None


@dataclass(frozen=True)
class Status:
    """Parts of a store; their numbers count from 1.

    Attributes:
        finished: all parts are done and were checked; nothing is left to do.
        running: in work now; stale: their process is dead, or gives no sign of life.
        missing: nobody is at work at them.
        bytes: of all files of the store, features and books included.
        go_on: the command that makes what is missing; None where there is nothing to do, or nobody knows it.
    """

    path: Path
    plan: Plan
    finished: bool
    done: list[int]
    running: list[Claim]
    stale: list[Claim]
    missing: list[int]
    bytes: int
    go_on: str | None


def status_of(path: Path) -> Status:
    """How far a store is, from its markers and locks; parts are not read.

    Parts that processes of another machine have in work are watched for a third of their lease.

    Raises:
        NotFoundError, UsageError, IntegrityError: there is no store, or one whose plan or attributes are damaged.
    """
    plan = read_plan(path)
    finished = finished_attributes(path) is not None
    missing = set() if finished else set(missing_parts(path, plan))
    files = {lock_file(path, f"{number:06d}"): number for number in sorted(parts_in_work(path) & missing)}
    running: list[Claim] = []
    stale: list[Claim] = []
    for file, (held, lives) in holders_of(files).items():
        (running if lives else stale).append(Claim(files[file] + 1, held))
    if not finished:
        missing &= set(missing_parts(path, plan))  # those that were finished meanwhile
    claimed = {claim.part - 1 for claim in (*running, *stale)}
    return Status(
        path,
        plan,
        finished,
        done=[number + 1 for number in range(plan.parts) if number not in missing],
        running=[claim for claim in running if claim.part - 1 in missing],
        stale=[claim for claim in stale if claim.part - 1 in missing],
        missing=[number + 1 for number in sorted(missing - claimed)],
        bytes=_bytes(path),
        go_on=None if finished else _command(path),
    )


def _bytes(path: Path) -> int:
    if isinstance(path, ObjectPath):
        return sum(path.sizes().values())
    total = 0
    for entry in path.rglob("*"):
        try:
            total += entry.lstat().st_size if entry.is_file() else 0
        except FileNotFoundError:  # renamed meanwhile
            continue
    return total


def made_by(path: Path) -> tuple[str, Path, Path]:
    """The process as it was asked for, the store or sample that was asked for, and the file with the command's options.

    Raises:
        NotFoundError: the store does not say.
        IntegrityError: what says it is damaged.
    """
    places = [(path, path / BOOKS / COMMAND)]
    sample = path.parent.parent
    if not isinstance(path, ObjectPath) and (sample / SAMPLE).is_file():  # of which this is a channel
        places.append((sample, sample / COMMAND))
    for asked, file in places:
        try:
            return str(tomllib.loads(read_file(file).decode())["gen"]["process"]), asked, file
        except FileNotFoundError:
            continue
        except (ValueError, KeyError, TypeError) as error:
            raise IntegrityError(f"{file} is damaged: {error}", _BY_HAND) from None
    raise NotFoundError(f"{path} does not say which command made it: there is no {BOOKS}/{COMMAND}", _BY_HAND)


_BY_HAND = "Run the `ampcli gen` command that made it again, with --resume."


def _command(path: Path) -> str | None:
    try:
        process, asked, file = made_by(path)
    except (NotFoundError, IntegrityError):
        return None
    return shlex.join(["ampcli", "gen", process, str(asked), "--config", str(file), "--resume"])
