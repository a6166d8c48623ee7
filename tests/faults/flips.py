"""One byte of a file is another: every command that reads it says so, or comes to the same result."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load

from faults.bench import Ended, ampcli
from faults.content import content, differences
from faults.starts import (
    FEATURES,
    GEN,
    GEN_EXPORTED,
    GEN_FAULTY,
    GEN_MIXED,
    GEN_PROTONS,
    GEN_PYAMPLICOL,
    ONE,
    TRAIN_LONG,
    Words,
)
from faults.trials import Campaign as _Campaign
from faults.trials import Judged
from faults.verdicts import Fault, Verdict

#: Exit codes that say what is wrong: usage (the file is another store's), not found, integrity, or failed.
_REFUSALS = (1, 2, 4, 5)

Result = Callable[[Path, str], object]


@dataclass(frozen=True)
class Reader:
    """A command that reads what was damaged.

    Attributes:
        result: of its folder and its stdout: what must be the same.
    """

    words: Words
    result: Result


@dataclass(frozen=True)
class Target:
    """Files to damage.

    Attributes:
        start: folder; files: those whose path matches this; trials: how many flips.
        readers: run one after another.
        repairs: after a refusal, these must bring back what was there.
    """

    start: str
    files: str
    trials: int
    readers: tuple[Reader, ...]
    repairs: tuple[Words, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)


def _document(folder: Path, out: str) -> object:
    """JSON on stdout, without times."""
    return _timeless(json.loads(out))


def _timeless(value: object) -> object:
    if isinstance(value, dict):
        return {key: _timeless(entry) for key, entry in value.items() if key not in ("seconds", "created")}
    return [_timeless(entry) for entry in value] if isinstance(value, list) else value


def _of(name: str) -> Result:
    return lambda folder, out: content(folder / name)


def _store(folder: Path, out: str) -> object:
    """Without what only the making of a store reads."""
    return {name: digest for name, digest in content(folder / "s.zarr").items() if not name.endswith(".npz")}


def _arrays(name: str) -> Result:
    def read(folder: Path, out: str) -> object:
        with np.load(folder / name) as arrays:
            return {key: hashlib.sha256(arrays[key].tobytes()).hexdigest() for key in arrays.files}

    return read


def _predict(model: str, events: str, channel: str = "") -> Reader:
    return Reader(("predict", model, events, "new.npz", *ONE), _arrays(f"new{channel}.npz"))


_EVAL = Reader(("eval", "m@best", "s.zarr", "--split", "all", "--json", *ONE), _document)
_VERIFY = Reader(("registry", "verify", "--json"), _document)
_LIST = Reader(("registry", "list", "--json"), _document)
_MODELS = (_predict("m@best", "s.zarr"), _predict("c", "s.zarr"), _VERIFY, _LIST)
_STORE = r"^s\.zarr/(?!.*\.lock$)"
_MODEL_FILES = r"^registry/(m|e|c)/\d/"
_IMPORT: Words = ("registry", "import", "c.tar", "--registry", "new")

TARGETS = {
    "store": Target(
        "registry",
        _STORE,
        180,
        (_EVAL, Reader((*FEATURES, "--json"), _document), Reader((*GEN, "--resume"), _of("s.zarr/amplitude"))),
        ((*GEN, "--resume"), (*FEATURES, "--replace")),
    ),
    "store, unfinished": Target("half", _STORE, 90, (Reader((*GEN, "--resume"), _of("s.zarr")),)),
    "store, not finalised": Target("parts", _STORE, 90, (Reader((*GEN, "--resume"), _of("s.zarr")),)),
    "store, largest weight": Target(
        "half mixed", r"/\.ampcli/(?!.*\.lock$)", 24, (Reader((*GEN_MIXED, "--resume"), _of("s.zarr")),)
    ),
    "store, adaptation and grids": Target("half protons", r"\.npz$", 30, (Reader((*GEN_PROTONS, "--resume"), _store),)),
    "store, kept values": Target(
        "values", r"values-.*\.npz$", 30, (Reader((*GEN_FAULTY, "--resume", "--skip-bad"), _of("s.zarr")),)
    ),
    "checkpoint": Target("checkpoint", r"\.training/", 90, (Reader((*TRAIN_LONG, "--json"), _of("registry/m")),)),
    "manifests": Target("registry", _MODEL_FILES + "manifest", 110, _MODELS),
    "aliases": Target("registry", "aliases", 40, _MODELS),
    "weights": Target("registry", _MODEL_FILES + "weights", 40, _MODELS),
    "probes": Target("registry", _MODEL_FILES + "probe", 40, _MODELS),
    "set": Target("set", r"^registry/", 60, (_predict("zj@best", "s.zarr", "-ddx_zg"), _VERIFY, _LIST)),
    "sample": Target("set", _STORE, 60, (_predict("zj", "s.zarr", "-ddx_zg"),)),
    "archive": Target("archive", r"^c\.tar$", 40, (Reader(_IMPORT, _of("new")),)),
    "amplitude cache": Target(
        "generated",
        r"^cache/(?!.*\.lock$)",
        80,
        (Reader(GEN_PYAMPLICOL, _of("p.zarr")),),
        environment={"AMPCLI_CACHE": "cache"},
    ),
    "exported library": Target("exported", r"^lib/(?!libampcli\.so)", 36, (Reader(GEN_EXPORTED, _of("l.zarr")),)),
    "event file": Target("events", r"^events\.npz$", 24, (_predict("m@1", "events.npz"),)),
}


class Campaign(_Campaign):
    name = "flips"
    short = 10

    def __init__(self, room: Path) -> None:
        super().__init__(room)
        self._results: dict[str, list[object]] = {}
        self.unread: dict[tuple[str, str], bool] = {}
        tried = [((i + 0.5) / t.trials, name, i) for name, t in TARGETS.items() for i in range(t.trials)]
        #: Target and index, spread evenly.
        self.trials = [trial[1:] for trial in sorted(tried)]

    @property
    def count(self) -> int:
        return len(self.trials)

    def describe(self, number: int) -> str:
        return f"{self.trials[number][0]}: trial {self.trials[number][1]}"

    def play(self, number: int, rng: np.random.Generator) -> Judged:
        name, index = self.trials[number]
        target, files = TARGETS[name], self._files(TARGETS[name])
        self._expected(name)
        folder = self.fresh(self.starts(target.start))
        file = files[index % len(files)]  # each comes up
        before = (folder / file).read_bytes()
        at, mask = int(rng.integers(len(before))), int(rng.integers(1, 256))
        after = bytearray(before)
        after[at] ^= mask
        (folder / file).write_bytes(after)
        case = f"{name}: {file}, byte {at} ^ {mask:#04x}"
        codes = self._read(target, folder, self._expected(name), case)
        if any(codes):
            self._repair(target, folder, case)
            return Judged(case, Verdict.DETECTED, f"exit codes {sorted({code for code in codes if code})}")
        if not (folder / file).exists():
            return Judged(case, Verdict.SURVIVED, "what it held was made anew; the finished store does not need it")
        if (folder / file).read_bytes() == before:
            return Judged(case, Verdict.SURVIVED, "found, and made anew, by the same command")
        return Judged(case, Verdict.HARMLESS, self._reason(name, file, before, bytes(after)))

    def _read(self, target: Target, folder: Path, expected: list[object], case: str) -> list[int]:
        """Exit codes of all readers; those that end well must come to what is expected."""
        codes = []
        for reader, result in zip(target.readers, expected, strict=True):
            _forget(folder)
            ended = _run(reader.words, folder, target)
            if ended.code not in (0, *_REFUSALS):
                raise Fault(Verdict.INTERNAL, f"{case}: {ended.line}")
            if ended.code == 0 and (found := reader.result(folder, ended.out)) != result:
                raise Fault(Verdict.WRONG, f"{case}: {ended.line}: {_difference(found, result)}")
            codes.append(ended.code)
        return codes

    def _repair(self, target: Target, folder: Path, case: str) -> None:
        for words in target.repairs:
            ended = _run(words, folder, target)
            if ended.code not in (0, *_REFUSALS):
                raise Fault(Verdict.INTERNAL, f"{case}: {ended.line}")
        if target.repairs and (
            left := differences(content(folder / "s.zarr"), content(self.starts(target.start) / "s.zarr"))
        ):
            raise Fault(Verdict.LOST, f"{case}: not repaired: {left}")

    def _reason(self, name: str, file: Path, before: bytes, after: bytes) -> str:
        """Why nothing came of it."""
        if self._is_unread(name, file):
            return "no command that was asked reads this file: all is as well without it"
        if file.suffix in (".json", "") and _same_json(before, after):
            return "the same values in other bytes"
        if file.suffix == ".npz" and _same_npz(before, after):
            return "bytes of the archive that carry no values"
        if file.suffix == ".safetensors" and _same_tensors(before, after):
            return "the same tensors"
        if file.suffix == ".tar" and _same_tar(before, after):
            return "bytes of the archive that carry neither names nor contents"
        return "unexplained"

    def _is_unread(self, name: str, file: Path) -> bool:
        """Whether all goes as before without the file."""
        if (name, str(file)) not in self.unread:
            target = TARGETS[name]
            folder = self.fresh(self.starts(target.start))
            (folder / file).unlink()
            try:
                codes = self._read(target, folder, self._expected(name), f"{file} is missing")
            except Fault:
                codes = [1]
            self.unread[name, str(file)] = not any(codes)
        return self.unread[name, str(file)]

    def _expected(self, name: str) -> list[object]:
        """What the readers come to without damage."""
        if name not in self._results:
            self._results[name] = self._undamaged(TARGETS[name])
        return self._results[name]

    def _undamaged(self, target: Target) -> list[object]:
        results = []
        folder = self.fresh(self.starts(target.start))
        for reader in target.readers:
            _forget(folder)
            ended = _run(reader.words, folder, target)
            if ended.code != 0:
                raise RuntimeError(ended.line)
            results.append(reader.result(folder, ended.out))
        return results

    def _files(self, target: Target) -> list[Path]:
        start = self.starts(target.start)
        found = [path.relative_to(start) for path in sorted(start.rglob("*")) if path.is_file() and path.stat().st_size]
        return [path for path in found if re.search(target.files, str(path))]


def _run(words: Words, folder: Path, target: Target) -> Ended:
    return ampcli(*words, folder=folder, environment=target.environment).judged()


def _forget(folder: Path) -> None:
    """Remove what an earlier reader wrote."""
    for file in folder.glob("new*.npz"):
        file.unlink()


def _difference(found: object, expected: object) -> str:
    if isinstance(found, dict) and isinstance(expected, dict):
        return ", ".join(str(key) for key in {**found, **expected} if found.get(key) != expected.get(key))[:200]
    return "another result"


def _same_json(before: bytes, after: bytes) -> bool:
    with suppress(ValueError):
        return bool(json.loads(before) == json.loads(after))
    return False


def _same_npz(before: bytes, after: bytes) -> bool:
    def arrays(data: bytes) -> dict[str, bytes]:
        with np.load(io.BytesIO(data)) as content:
            return {key: content[key].tobytes() for key in content.files}

    with suppress(OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return arrays(before) == arrays(after)
    return False


def _same_tar(before: bytes, after: bytes) -> bool:
    def members(data: bytes) -> dict[str, bytes]:
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            return {one.name: data[one.offset_data : one.offset_data + one.size] for one in tar}

    with suppress(tarfile.TarError, ValueError):
        return members(before) == members(after)
    return False


def _same_tensors(before: bytes, after: bytes) -> bool:
    with suppress(SafetensorError, ValueError):
        one, other = load(before), load(after)
        return one.keys() == other.keys() and all(one[key].tobytes() == other[key].tobytes() for key in one)
    return False
