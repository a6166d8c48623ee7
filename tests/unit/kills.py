"""A process that kills its children before the n-th call of the system that changes a file, for n = 1, 2, ...

Run as a script, ``kills.py SOUND WORK``: for every scenario and n, a child works on a copy of the store SOUND in the
folder WORK, and another looks at what is left and repeats it.  Prints the number of kills and what went wrong, as JSON.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import torch

from ampcli import files
from ampcli.generation.generate import GenerationRequest, generate, prepare
from ampcli.generation.lepton_points import LeptonSettings
from ampcli.store.features import stored_block, write_features
from ampcli.store.reader import open_store
from ampcli.training.table import read_arrays

_WRITES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate")
_KILLED = 9


def kill_before_call(number: int) -> None:
    """End this process, as SIGKILL would, before its so many-th call that changes files."""
    calls = 0

    def count(event: str, arguments: tuple) -> None:
        nonlocal calls
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if writes or event in _WRITES:
            calls += 1
            if calls == number:
                os._exit(_KILLED)

    sys.addaudithook(count)
    exchange = files._exchange  # by ctypes, which no hook sees

    def counted(one: Path, other: Path) -> bool:
        count("os.rename", ())
        return exchange(one, other)

    files._exchange = counted


def in_child(action: Callable[[], object]) -> int:
    """Exit code of a forked child that runs it: 0, 1 with a traceback, or 9 if it was killed."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            action()
            code = 0
        except BaseException:
            traceback.print_exc()
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def request(path: Path) -> GenerationRequest:
    return GenerationRequest("e- e+ > d d~ g", path, 1100, LeptonSettings(1000.0, 0.01), 7)


def features(path: Path, replace: bool) -> None:
    write_features(open_store(path), "fame", torch.device("cpu"), replace)


def readable(path: Path) -> None:
    store = open_store(path)
    block = stored_block(store, "fame")
    read_arrays(store, block, block.shapes(), "train")


def fresh(sound: Path, path: Path) -> None:
    shutil.copytree(sound, path)


def without_block(sound: Path, path: Path) -> None:
    shutil.copytree(sound, path, ignore=shutil.ignore_patterns("features"))


def damaged(sound: Path, path: Path) -> None:
    shutil.copytree(sound, path)
    (path / "amplitude" / "c" / "1").unlink()
    (path / "momenta" / "zarr.json").unlink()


def nothing(sound: Path, path: Path) -> None:
    path.parent.mkdir(parents=True)


def without_exchange(path: Path) -> None:
    files._exchange = lambda one, other: False
    features(path, replace=True)


def look(path: Path) -> None:
    """Nothing that can be asked of a store in this state."""


Scenario = tuple[
    Callable[[Path, Path], object], Callable[[Path], object], Callable[[Path], object], Callable[[Path], object], int
]


def resume(path: Path) -> None:
    generate(prepare(request(path)), resume=True)


#: What is there before, what is killed, what must work after it, what completes it, and which calls: every so many-th.
SCENARIOS: dict[str, Scenario] = {
    "new features": (without_block, lambda p: features(p, False), open_store, lambda p: features(p, False), 7),
    "replaced features": (fresh, lambda p: features(p, True), readable, lambda p: features(p, False), 3),
    "replaced where folders cannot be exchanged": (fresh, without_exchange, readable, lambda p: features(p, True), 4),
    "gen": (nothing, lambda p: generate(prepare(request(p))), look, resume, 7),
    "gen --resume": (damaged, resume, look, resume, 5),
}


def leftovers(folder: Path) -> list[str]:
    """Files and folders that no finished run leaves."""
    hidden = [entry for entry in folder.rglob("*") if entry.name.startswith(".") or entry.suffix == ".partial"]
    return sorted(str(entry.relative_to(folder)) for entry in hidden if entry.name != ".ampcli")


def play(name: str, sound: Path, work: Path) -> dict[str, object]:
    before, action, works, completes, step = SCENARIOS[name]
    wrong: list[str] = []
    for kills, number in enumerate(range(1, 1000, step)):
        folder = work / name / str(number)
        path = folder / "s.zarr"
        before(sound, path)

        def killed(path: Path = path, number: int = number) -> None:
            kill_before_call(number)
            action(path)

        def look_and_complete(path: Path = path) -> None:
            works(path)
            completes(path)
            readable(path) if "features" in name else open_store(path)

        if in_child(killed) == 0:
            return {"kills": kills, "wrong": wrong}
        if in_child(look_and_complete):
            wrong.append(f"call {number}: what is left cannot be read or completed")
        elif left := leftovers(folder):
            wrong.append(f"call {number}: {left} is left")
        shutil.rmtree(folder)
    raise AssertionError("no end of calls")


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps({name: play(name, Path(sys.argv[1]), Path(sys.argv[2])) for name in SCENARIOS}))
