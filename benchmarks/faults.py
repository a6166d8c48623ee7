"""Damage and interruptions by enumeration: how many end in a clear error or do no harm, and how many do not.

    python benchmarks/faults.py [--only digits,flips,files,kills] [--step 1] [--match REGEX] [--work FOLDER]

One small store, one small model.  `digits`: every `step`-th digit of a manifest, of the markers and the attributes of a
store is changed, one at a time; `flips`: bytes in all files of store, checkpoint and registry; `files`: each of them
missing, cut, empty, of zeros, another's, a pipe, a folder; `kills`: commands that die at every call that writes, then
the same command again.  It judges by what commands print and write alone, so that it runs on any version:

    PYTHONPATH=/path/to/another/checkout python benchmarks/faults.py

The columns: fine (refused with a clear error and its exit code, or the same result as without damage), wrong (exit code
0 and another result), lost (the repeat does not end with what an undisturbed run makes, or leaves drafts), hang,
internal (`internal error`), bare (exit code 1 with nothing but the system's words).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from faults import Ended, killed_everywhere, run_failing

_LIMIT = 60.0  # seconds until a command is taken to hang
_COLUMNS = ("fine", "wrong", "lost", "hang", "internal", "bare")
_FLIPS_PER_FILE = 6
_FLIPS_PER_CHECKPOINT = 40  # it is one file, most of which only the rest of a training needs

GEN = ["gen", "e- e+ > d d~ g", "s.zarr", "--points", "3k", "--y-cut", "0.01", "--resume", "--json"]
TRAIN = ["train", "s.zarr", "--model", "fame+", "--name", "m", "--epochs", "2", "--hidden", "8,8,8", "--threads", "1"]
TRAIN += ["--json"]
PREDICT = ["predict", "m@best", "events.npz", "out.npz", "--threads", "1"]
EVAL = ["eval", "m@best", "s.zarr", "--threads", "1", "--json", "--split", "test"]

Action = Callable[[Path], tuple[Ended, object]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="digits,flips,files,kills")
    parser.add_argument("--step", type=int, default=1, help="every STEP-th digit")
    parser.add_argument("--match", default="", help="only lines of the table that match this regular expression")
    parser.add_argument("--work", type=Path, help="a folder for stores and models (default: one that is removed)")
    options = parser.parse_args()
    place = options.work or Path(tempfile.mkdtemp(prefix="faults-"))
    place.mkdir(parents=True, exist_ok=True)
    base = make_base(place / "base")
    print(f"{'campaign':34s} {'tried':>6s}" + "".join(f"{column:>9s}" for column in _COLUMNS) + f"{'seconds':>9s}")
    campaigns = {"digits": digits, "flips": flips, "files": files, "kills": kills}
    total: Counter[str] = Counter()
    for name in options.only.split(","):
        for title, verdicts in campaigns[name](base, place / "trial", options.step):
            if not re.search(options.match, title):
                continue
            started, counts = time.monotonic(), Counter[str]()
            for what, verdict in verdicts:
                counts[verdict] += 1
                if verdict != "fine":
                    print(f"  {verdict}: {what}", file=sys.stderr)
            row(title, counts, time.monotonic() - started)
            total += counts
    row("all", total, 0.0)
    if options.work is None:
        shutil.rmtree(place)


def row(title: str, counts: Counter[str], seconds: float) -> None:
    numbers = "".join(f"{counts[column]:9d}" for column in _COLUMNS)
    print(f"{title:34s} {sum(counts.values()):6d}{numbers}{seconds:9.1f}", flush=True)


def make_base(base: Path) -> Path:
    """A store s.zarr, another o.zarr, features, two versions of a model, events, a training without its end."""
    if (base / "done").exists():
        return base
    base.mkdir(parents=True)
    other = [word.replace("s.zarr", "o.zarr") for word in GEN]
    commands = [GEN, [*other, "--seed", "2"]]
    commands += [["features", store, "antenna", "--threads", "1"] for store in ("s.zarr", "o.zarr")]
    commands += [TRAIN, [*TRAIN, "--seed", "5"], ["registry", "alias", "m@1", "best"]]
    for command in commands:
        ended = run_failing(command, base)
        assert ended.code == 0, ended
    momenta = np.load(base / "events.npz") if (base / "events.npz").exists() else _momenta(base / "s.zarr")
    np.savez(base / "events.npz", momenta=momenta[:50])
    shutil.move(base / "registry", base / "kept")
    at = 1
    while True:  # up to the moment before the model is published
        ended = run_failing(TRAIN, base, at)
        checkpoints = list((base / "registry").glob(".training/m/*.safetensors"))
        if checkpoints and not checkpoints[0].name.startswith("."):
            break
        at += 1
        shutil.rmtree(base / "registry", ignore_errors=True)
    shutil.move(base / "registry", base / "unfinished")
    shutil.move(base / "kept", base / "registry")
    (base / "done").touch()
    return base


def _momenta(store: Path) -> np.ndarray:
    import zarr

    return np.asarray(zarr.open_group(store, mode="r")["momenta"][:])


def fresh(base: Path, trial: Path, *names: str) -> None:
    shutil.rmtree(trial, ignore_errors=True)
    trial.mkdir(parents=True)
    for name in names:
        source = base / name
        shutil.copytree(source, trial / name) if source.is_dir() else shutil.copy(source, trial / name)


def tried(command: list[str], folder: Path) -> Ended:
    return run_failing(command, folder, limit=_LIMIT)


def predicted(folder: Path) -> tuple[Ended, object]:
    """What `predict` writes, and whether `registry verify` is content."""
    (folder / "out.npz").unlink(missing_ok=True)
    ended = tried(PREDICT, folder)
    if ended.code != 0:
        return ended, None
    with np.load(folder / "out.npz") as out:
        return ended, [out[name].tobytes() for name in ("amplitude", "uncertainty", "outside")]


def evaluated(folder: Path) -> tuple[Ended, object]:
    """What `eval` says of a model on the store, without where it is."""
    ended = tried(EVAL, folder)
    return ended, json.loads(ended.said[ended.said.index("{") :]) if ended.code == 0 else None


def trained(folder: Path) -> tuple[Ended, object]:
    """The weights that come out of a training on the store."""
    shutil.rmtree(folder / "registry", ignore_errors=True)
    return _weights(tried(TRAIN, folder))


def resumed(folder: Path) -> tuple[Ended, object]:
    """The weights that come out of a training that goes on."""
    return _weights(tried(["--registry" if w == "REGISTRY" else w for w in [*TRAIN, "REGISTRY", "unfinished"]], folder))


def regenerated(folder: Path) -> tuple[Ended, object]:
    """What `gen --resume` says of a store that is there."""
    ended = tried(GEN, folder)
    return ended, json.loads(ended.said[ended.said.index("{") :]) if ended.code == 0 else None


def _weights(ended: Ended) -> tuple[Ended, object]:
    if ended.code != 0:
        return ended, None
    document = json.loads(ended.said[ended.said.index("{") :])
    return ended, [model["weights_sha256"] for model in document["models"]]


def verdict(action: Action, folder: Path, reference: object) -> str:
    ended, result = action(folder)
    if ended.code is None:
        return "hang"
    if "internal error" in ended.said or "Traceback" in ended.said:
        return "internal"
    if ended.code == 1:
        return "bare"
    return "fine" if ended.code != 0 or result == reference else "wrong"


def worst(actions: list[Action], folder: Path, references: list[object]) -> str:
    """The first verdict that is not fine; a refusal by one action is no excuse for the next."""
    for action, reference in zip(actions, references, strict=True):
        if (found := verdict(action, folder, reference)) != "fine":
            return found
    return "fine"


Campaign = Iterator[tuple[str, Iterator[tuple[str, str]]]]


def digits(base: Path, trial: Path, step: int) -> Campaign:
    def changed(path: Path, actions: list[Action], *names: str) -> Iterator[tuple[str, str]]:
        fresh(base, trial, *names)
        references = [action(trial)[1] for action in actions]
        fresh(base, trial, *names)
        content = (trial / path).read_text()
        for position in [p for p, c in enumerate(content) if c in "0123456789"][::step]:
            other = str((int(content[position]) + 5) % 10)
            (trial / path).write_text(content[:position] + other + content[position + 1 :])
            yield f"{path} at {position}", worst(actions, trial, references)
            if any(action in (regenerated, trained) for action in actions):
                fresh(base, trial, *names)

    models = ("registry", "events.npz")
    yield "digits of a manifest", changed(Path("registry/m/1/manifest.json"), [predicted], *models)
    yield "digits of aliases", changed(Path("registry/m/aliases.json"), [predicted], *models)
    marker = Path("s.zarr/.ampcli/parts/000000.json")
    yield "digits of a marker", changed(marker, [regenerated], "s.zarr")
    yield "digits of a store's attributes", changed(Path("s.zarr/zarr.json"), [evaluated], "s.zarr", "registry")


def _files(base: Path, name: str) -> list[Path]:
    found = [path for path in sorted((base / name).rglob("*")) if path.is_file() and path.stat().st_size]
    return [path.relative_to(base) for path in found]


def _targets() -> list[tuple[str, list[Action], tuple[str, ...]]]:
    return [
        ("s.zarr", [evaluated, trained], ("s.zarr", "registry")),
        ("registry/m", [predicted], ("registry", "events.npz")),
        ("unfinished", [resumed], ("s.zarr", "unfinished")),
    ]


def _damaged(
    base: Path,
    trial: Path,
    name: str,
    actions: list[Action],
    names: tuple[str, ...],
    damages: dict[str, Callable[[Path], None]],
) -> Iterator[tuple[str, str]]:
    fresh(base, trial, *names)
    references = [action(trial)[1] for action in actions]
    for path in _files(base, name):
        for what, damage in damages.items():
            fresh(base, trial, *names)
            damage(trial / path)
            if (trial / path).is_file() and (trial / path).read_bytes() == (base / path).read_bytes():
                continue
            yield f"{path} {what}", worst(actions, trial, references)


def flips(base: Path, trial: Path, step: int) -> Campaign:
    def flip(part: int, parts: int) -> Callable[[Path], None]:
        def change(path: Path) -> None:
            content = bytearray(path.read_bytes())
            content[int((part + 0.5) / parts * len(content))] ^= 1 << (part % 8)
            path.write_bytes(content)

        return change

    for name, actions, names in _targets():
        parts = _FLIPS_PER_CHECKPOINT if name == "unfinished" else _FLIPS_PER_FILE
        damages = {f"flipped at {part}/{parts}": flip(part, parts) for part in range(parts)}
        yield f"flips in {name}", _damaged(base, trial, name, actions, names, damages)


def files(base: Path, trial: Path, step: int) -> Campaign:
    def swap(path: Path) -> None:
        name = str(base / path.relative_to(trial))
        other = Path(name.replace("s.zarr", "o.zarr").replace("/m/1/", "/m/2/"))
        if other.is_file():
            shutil.copy(other, path)

    def instead(make: Callable[[Path], None]) -> Callable[[Path], None]:
        def change(path: Path) -> None:
            path.unlink()
            make(path)

        return change

    damages: dict[str, Callable[[Path], None]] = {
        "missing": Path.unlink,
        "cut": lambda path: os.truncate(path, path.stat().st_size // 2),
        "empty": lambda path: os.truncate(path, 0),
        "of zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)) and None,
        "of another": swap,
        "a pipe": instead(os.mkfifo),
        "a folder": instead(Path.mkdir),
    }
    for name, actions, names in _targets():
        yield f"files of {name}", _damaged(base, trial, name, actions, names, damages)


def kills(base: Path, trial: Path, step: int) -> Campaign:
    def killed(command: list[str], *names: str) -> Iterator[tuple[str, str]]:
        def restore() -> None:
            fresh(base, trial, *names)

        restore()
        first = run_failing(command, trial)
        assert first.code == 0, first
        whole = _listing(trial)
        for ended in killed_everywhere(command, trial, restore):
            over = _listing(trial) == whole
            again = tried(command, trial)
            if again.code is None:
                found = "hang"
            elif "internal error" in again.said:
                found = "internal"
            elif over or (again.code == 0 and _listing(trial) == whole):
                found = "fine"
            else:
                found = "lost"
            yield f"{command[0]} killed at call {ended.at}: {again.said[:200]}", found

    yield "kills of gen", killed(GEN)
    yield "kills of features", killed(["features", "s.zarr", "fame", "--threads", "1"], "s.zarr")
    replace = ["features", "s.zarr", "antenna", "--replace", "--threads", "1"]
    yield "kills of features --replace", killed(replace, "s.zarr")
    yield "kills of train", killed([*TRAIN, "--replicas", "2"], "s.zarr")
    yield "kills of predict (npz)", killed(PREDICT, "registry", "events.npz")
    zarr_out = [word.replace(".npz", ".zarr") if word == "out.npz" else word for word in PREDICT]
    yield "kills of predict (zarr)", killed(zarr_out, "registry", "events.npz")
    yield "kills of registry export", killed(["registry", "export", "m@1", "m.tar"], "registry")
    yield "kills of registry alias", killed(["registry", "alias", "m@2", "best"], "registry")
    yield "kills of ensemble", killed(["ensemble", "both", "m@1", "m@2"], "registry")
    yield "kills of calibrate", killed(["calibrate", "m@1", "s.zarr", "--name", "again"], "registry", "s.zarr")


def _listing(folder: Path) -> list[str]:
    """Names and sizes of all files, but for locks, and manifests, which hold times."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.endswith(".lock"):
            size = 0 if path.name == "manifest.json" else path.stat().st_size
            found.append(f"{path.relative_to(folder)} {size}")
    return found


if __name__ == "__main__":
    main()
