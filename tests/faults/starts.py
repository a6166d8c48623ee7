"""Folders that trials start from: small stores, models and archives, made by the commands themselves, once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from faults import bench
from faults.bench import Below, ampcli, made

Words = tuple[object, ...]

ONE = ("-q", "--threads", "1")
GEN: Words = ("gen", "e- e+ > d d~ g", "s.zarr", "--points", "3k", "--y-cut", "0.01", "-q")
GEN_MIXED: Words = (*GEN, "--sampling", "mixed")
GEN_PROTONS: Words = ("gen", "d d~ > z g", "s.zarr", "--beams", "lhc13", "--unweighted", "--points", "2k", "-q")
GEN_PYAMPLICOL: Words = ("gen", "e- e+ > d d~ g", "p.zarr", "--points", "200", "--provider", "pyamplicol", "-q")
GEN_EXPORTED: Words = (
    "gen",
    "e- e+ > d d~ g",
    "l.zarr",
    "--points",
    "200",
    "--provider",
    "umami:lib/libampcli.so",
    "-q",
)
GEN_FAULTY: Words = ("gen", "e- e+ > u u~ g", "s.zarr", "--points", "2k", "--provider", "olp:libfaulty.so", "-q")
GEN_SAMPLE: Words = ("gen", "p p > z j", "s.zarr", "--define", "p=d d~", "--define", "j=g", "--beams", "lhc13")
GEN_SAMPLE = (*GEN_SAMPLE, "--points", "500", "-q")
FEATURES: Words = ("features", "s.zarr", "fame", *ONE)
TRAIN: Words = ("train", "s.zarr", "--name", "m", "--hidden", "8", "--batch-size", "256", *ONE)
TRAIN_TWO: Words = (*TRAIN, "--epochs", "6", "--replicas", "2")
TRAIN_LONG: Words = (*TRAIN, "--epochs", "40", "--batch-size", "64")

#: What each folder starts from, and the commands that make it.
_RECIPES: dict[str, tuple[str, tuple[Words, ...]]] = {
    "nothing": ("", ()),
    "store": ("nothing", (GEN,)),
    "mixed": ("nothing", (GEN_MIXED,)),
    "protons": ("nothing", (GEN_PROTONS,)),
    "table": ("store", (FEATURES,)),
    "models": ("table", ((*TRAIN, "--epochs", "3"), (*TRAIN, "--epochs", "3", "--seed", "2"))),
    "registry": (
        "models",
        (
            ("ensemble", "e", "m@1", "m@2", "-q"),
            ("calibrate", "e", "s.zarr", "--name", "c", *ONE),
            ("registry", "alias", "m@1", "best"),
            ("registry", "alias", "m@2", "newest"),
            ("predict", "m@1", "s.zarr", "out.npz", *ONE),
        ),
    ),
    "archive": ("registry", (("registry", "export", "c@1", "c.tar"),)),
    "set": (
        "nothing",
        (
            GEN_SAMPLE,
            ("features", "s.zarr", "invariants", *ONE),
            ("train", "s.zarr", "--name", "zj", "--model", "nofa", "--hidden", "8", "--epochs", "1", *ONE),
            ("registry", "alias", "zj@1", "best"),
        ),
    ),
    "exported": ("nothing", (("export", "e- e+ > d d~ g", "lib", "-q"),)),
}


class Starts:
    """Made when they are first asked for.

    Args:
        room: where they are kept.
    """

    def __init__(self, room: Path) -> None:
        self.room = room
        room.mkdir(parents=True, exist_ok=True)

    def __call__(self, name: str) -> Path:
        """The folder of this name; it is copied, not changed."""
        folder = self.room / name
        if not folder.exists():
            draft = self.room / "draft"
            shutil.rmtree(draft, ignore_errors=True)
            if name in _RECIPES:
                self._follow(name, draft)
            else:
                {
                    "parts": self._parts,
                    "half": self._half,
                    "half mixed": self._half_mixed,
                    "half protons": self._half_protons,
                    "checkpoint": self._checkpoint,
                    "values": self._values,
                    "generated": self._generated,
                    "events": self._events,
                }[name](draft)
            draft.rename(folder)
        return folder

    def _follow(self, name: str, draft: Path) -> None:
        source, commands = _RECIPES[name]
        if source:
            shutil.copytree(self(source), draft)
        else:
            draft.mkdir(parents=True)
        for words in commands:
            made(*words, folder=draft)

    def _parts(self, draft: Path) -> None:
        """A store all of whose parts are there, killed just before it is finished."""
        _, calls, _ = bench.calls(GEN, _empty(draft))
        for at in range(calls, 0, -1):
            ampcli(*GEN, folder=_empty(draft), below=Below(at))
            if b'"digest"' not in (draft / "s.zarr" / "zarr.json").read_bytes():
                break
        _require(len(_markers(draft)) == 3, "the store that was killed before it was finished lacks parts")

    def _half(self, draft: Path) -> None:
        made(*GEN, "--part", "1/2", folder=_empty(draft))

    def _half_mixed(self, draft: Path) -> None:
        made(*GEN_MIXED, "--part", "1/2", folder=_empty(draft))

    def _half_protons(self, draft: Path) -> None:
        made(*GEN_PROTONS, "--part", "1/2", folder=_empty(draft))

    def _checkpoint(self, draft: Path) -> None:
        """A training that was asked to stop half way."""
        shutil.copytree(self("table"), draft)
        seconds = made(*TRAIN_LONG, "--registry", "other", folder=draft).seconds
        shutil.rmtree(draft / "other")
        for share in (0.5, 0.6, 0.7, 0.4, 0.3):
            running = bench.start(TRAIN_LONG, draft)
            time.sleep(share * seconds)
            running.signal(15)
            if running.end().code == 75 and any(draft.glob("registry/.training/m/*.safetensors")):
                return
            shutil.rmtree(draft / "registry", ignore_errors=True)
        raise RuntimeError("no training could be stopped half way")

    def _values(self, draft: Path) -> None:
        """A store whose provider, a library, fails at some points: the values of the others are kept."""
        _empty(draft)
        source = Path(__file__).parent.parent / "faulty_library.c"
        options = ["-shared", "-fPIC", "-DFAULT=CRASHES", "-o", draft / "libfaulty.so"]
        subprocess.run([os.environ.get("CC", "cc"), *options, source, "-lm"], check=True)
        ended = ampcli(*GEN_FAULTY, folder=draft)
        _require(ended.code == 1 and any(draft.glob("s.zarr/.ampcli/values-*.npz")), ended.line)

    def _generated(self, draft: Path) -> None:
        """The cache with one generated amplitude, and a store of it."""
        cache = Path(os.environ["AMPCLI_CACHE"])
        made(*GEN_PYAMPLICOL, folder=_empty(draft))
        shutil.rmtree(draft / "p.zarr")
        (draft / "cache" / "pyamplicol").mkdir(parents=True)
        for entry in cache.glob("pyamplicol/e_e_to_d_dx_g-*"):
            copy = shutil.copytree if entry.is_dir() else shutil.copy
            copy(entry, draft / "cache" / "pyamplicol" / entry.name)

    def _events(self, draft: Path) -> None:
        """Models, and events in an npz file."""
        shutil.copytree(self("models"), draft)
        read = "from pathlib import Path; from ampcli.store.reader import open_store; import numpy as np"
        save = "np.savez('events.npz', momenta=open_store(Path('s.zarr')).read('momenta', slice(0, 50)))"
        subprocess.run([sys.executable, "-c", f"{read}; {save}"], cwd=draft, check=True)


def _markers(folder: Path) -> list[Path]:
    return list(folder.glob("s.zarr/.ampcli/parts/*.json"))


def _empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _require(true: bool, otherwise: str) -> None:
    if not true:
        raise RuntimeError(otherwise)
