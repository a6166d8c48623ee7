"""No room, no permission, wrong clocks, locks that nobody holds any more: one clear error, and the next run goes on."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from faults import bench
from faults.bench import Below, Ended, ampcli
from faults.scenes import SCENES, Measurements, Undisturbed, clear, disk_use
from faults.trials import Campaign as _Campaign
from faults.trials import Judged
from faults.verdicts import Fault, Verdict

_DAY = 86400.0
_FROZEN = 0.5  # seconds that a command may take more than usual before it counts as waiting for a lock
_NOBODY = 65534

#: Scenes whose command works in one process.
_SINGLE = [name for name, scene in SCENES.items() if scene.single]
_REPEATABLE = [name for name in _SINGLE if SCENES[name].repeatable and name != "publish (alias)"]

#: How many trials of each kind.
_TRIALS = {
    "full disk": 40,
    "full disk, for real": 20,
    "quota": 12,
    "file size": 12,
    "a write fails": 24,
    "read-only": 13,
    "no permission to write": 13,
    "no permission to read": 13,
    "few open files": 8,
    "little memory": 8,
    "clock": 52,
    "clock jumps": 26,
    "dead process": 13,
    "dead process elsewhere": 26,
    "frozen process elsewhere": 12,
}


class Campaign(_Campaign):
    name = "shortages"
    short = 10

    def __init__(self, room: Path) -> None:
        super().__init__(room)
        self.undisturbed = Measurements(self)
        tried = [((i + 0.5) / count, kind, i) for kind, count in _TRIALS.items() for i in range(count)]
        self.trials = [trial[1:] for trial in sorted(tried)]
        self.kinds: dict[str, Callable[[Undisturbed, Path, np.random.Generator], Iterator[Ended]]] = {
            "full disk": self._full_disk,
            "full disk, for real": self._small_disk,
            "quota": self._quota,
            "file size": self._file_size,
            "a write fails": self._broken_disk,
            "read-only": self._read_only,
            "no permission to write": self._no_write,
            "no permission to read": self._no_read,
            "few open files": self._few_files,
            "little memory": self._little_memory,
            "clock": self._clock,
            "clock jumps": self._clock_jumps,
            "dead process": self._dead,
            "dead process elsewhere": self._dead_elsewhere,
            "frozen process elsewhere": self._frozen,
        }

    @property
    def count(self) -> int:
        return len(self.trials)

    def _scene(self, number: int) -> str:
        kind, index = self.trials[number]
        names = _REPEATABLE if kind == "frozen process elsewhere" else _SINGLE
        return names[index % len(names)]

    def describe(self, number: int) -> str:
        return f"{self.trials[number][0]}: {self._scene(number)}"

    def play(self, number: int, rng: np.random.Generator) -> Judged:
        kind, _ = self.trials[number]
        undisturbed = self.undisturbed[self._scene(number)]
        folder = self.fresh(self.starts(undisturbed.scene.start))
        ends = list(self.kinds[kind](undisturbed, folder, rng))
        # of drafts of another machine nobody here can know whether their writer lives
        undisturbed.complete(folder, drafts=not kind.endswith("elsewhere"))
        codes = [ended.code for ended in ends]
        said = next((ended.err.strip().splitlines()[0] for ended in ends if ended.code > 0 and ended.err), "")
        verdict = Verdict.DETECTED if any(code > 0 for code in codes) else Verdict.SURVIVED
        return Judged(f"{self.describe(number)}, exit codes {codes}", verdict, said)

    # ---- disks

    def _full_disk(self, one: Undisturbed, folder: Path, rng: np.random.Generator) -> Iterator[Ended]:
        at = int(rng.integers(1, one.roomy + 1))
        yield _failed(one, folder, Below(at, errno.ENOSPC, on=True, torn=bool(rng.integers(2)), haste=one.scene.haste))

    def _quota(self, one: Undisturbed, folder: Path, rng: np.random.Generator) -> Iterator[Ended]:
        at = int(rng.integers(1, one.roomy + 1))
        yield _failed(one, folder, Below(at, errno.EDQUOT, on=True, haste=one.scene.haste))

    def _broken_disk(self, one: Undisturbed, folder: Path, rng: np.random.Generator) -> Iterator[Ended]:
        """One call fails, of any kind, with an error of the device."""
        at = int(rng.integers(1, one.calls + 1))
        yield _failed(one, folder, Below(at, errno.EIO, haste=one.scene.haste))

    def _read_only(self, one: Undisturbed, folder: Path, rng: np.random.Generator) -> Iterator[Ended]:
        yield _failed(one, folder, Below(1, errno.EROFS, on=True, haste=one.scene.haste))

    def _small_disk(self, one: Undisturbed, folder: Path, rng: np.random.Generator) -> Iterator[Ended]:
        """A disk of memory that is too small for all, then large enough."""
        if os.geteuid() != 0:
            return
        start = self.starts(one.scene.start)
        used, grows = disk_use(start), one.grows
        with _mounted(folder, start, used + int(rng.uniform(0.05, 1.0) * grows)):
            yield _failed(one, folder, Below(haste=one.scene.haste))
            subprocess.run(["mount", "-o", "remount,size=1g", folder], check=True)
            one.complete(folder)

    def _file_size(self, one: Undisturbed, folder: Path, rng: np.random.Generator) -> Iterator[Ended]:
        """A limit on the size of files (`ulimit -f`)."""
        most = int(rng.choice([1000, 2000, 5000, 20_000]))  # a message has room
        yield _failed(one, folder, None, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)))

    # ---- permissions and limits

    def _no_write(self, one: Undisturbed, folder: Path, rng: np.random.Generator) -> Iterator[Ended]:
        for place in [folder, *folder.rglob("*")]:
            place.chmod(0o555 if place.is_dir() else 0o444)
        yield _failed(one, folder, None, _as_nobody)
        for place in [folder, *folder.rglob("*")]:
            place.chmod(0o755 if place.is_dir() else 0o644)

    def _no_read(self, one: Undisturbed, folder: Path, rng: np.random.Generator) -> Iterator[Ended]:
        for place in [folder, *folder.rglob("*")]:
            place.chmod(0o777 if place.is_dir() else 0o666)
        if files := [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.endswith(".lock")]:
            chosen = files[rng.integers(len(files))]
            chosen.chmod(0)
            yield _failed(one, folder, None, _as_nobody)
            chosen.chmod(0o666)

    def _few_files(self, one: Undisturbed, folder: Path, rng: np.random.Generator) -> Iterator[Ended]:
        most = int(rng.integers(9, 14))
        yield _failed(one, folder, None, lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (most, most)))

    def _little_memory(self, one: Undisturbed, folder: Path, rng: np.random.Generator) -> Iterator[Ended]:
        more = int(rng.uniform(0.0, 30e6))

        def limit() -> None:
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            most = pages * os.sysconf("SC_PAGE_SIZE") + more
            resource.setrlimit(resource.RLIMIT_AS, (most, most))

        ended = bench.start(one.scene.words, folder, prepare=limit).end()
        # numpy itself dies of memory that it does not get: for us that is a kill as any other
        yield ended if ended.code == -signal.SIGSEGV else clear(ended, 1)

    # ---- clocks

    def _clock(self, one: Undisturbed, folder: Path, rng: np.random.Generator) -> Iterator[Ended]:
        """A run by a wrong clock, killed; the rest by another one."""
        first, second = (_shift(rng) for _ in range(2))
        at = int(rng.integers(1, one.calls + 1))
        yield ampcli(*one.scene.words, folder=folder, below=Below(at, clock=first, haste=one.scene.haste))
        one.complete(folder, Below(clock=second, haste=one.scene.haste))

    def _clock_jumps(self, one: Undisturbed, folder: Path, rng: np.random.Generator) -> Iterator[Ended]:
        """The clock jumps while the command runs, which ends well."""
        below = Below(clock=_shift(rng), jump=int(rng.integers(1, 40)), haste=one.scene.haste)
        yield clear(ampcli(*one.scene.words, folder=folder, below=below))
        if not one.is_complete(folder) and one.whole != one.before:
            raise Fault(Verdict.LOST, "another result by a clock that jumps")

    # ---- locks

    def _dead(self, one: Undisturbed, folder: Path, rng: np.random.Generator) -> Iterator[Ended]:
        """Its locks stay, and another process has its number by now."""
        at = int(rng.integers(1, one.calls + 1))
        yield ampcli(*one.scene.words, folder=folder, below=Below(at, haste=one.scene.haste))

    def _dead_elsewhere(self, one: Undisturbed, folder: Path, rng: np.random.Generator) -> Iterator[Ended]:
        """Killed on another machine, whose clock is wrong as well."""
        at = int(rng.integers(1, one.calls + 1))
        below = Below(at, host="elsewhere", clock=_shift(rng), haste=one.scene.haste)
        yield ampcli(*one.scene.words, folder=folder, below=below, environment={"AMPCLI_LEASE": "1"})
        _after_lease(one, folder)

    def _frozen(self, one: Undisturbed, folder: Path, rng: np.random.Generator) -> Iterator[Ended]:
        """A process of another machine that stands still for a while, while this one does the same."""
        below = Below(host="elsewhere", haste=one.scene.haste)
        other = bench.start(one.scene.words, folder, below, {"AMPCLI_LEASE": "1"})
        time.sleep(rng.uniform(0.0, one.seconds))
        other.signal(signal.SIGSTOP)
        ours = bench.start(one.scene.again or one.scene.words, folder, None, {"AMPCLI_LEASE": "1"})
        time.sleep(one.seconds + _FROZEN)
        other.signal(signal.SIGCONT)
        for command in (ours, other):
            yield clear(command.end(), 2, 5, 6)


def _failed(one: Undisturbed, folder: Path, below: Below | None, prepare: Callable[[], object] = lambda: None) -> Ended:
    """The end of a command that met a fault: exit code 1, or what it had to do was done."""
    return clear(bench.start(one.scene.words, folder, below, prepare=prepare).end(), 1, 4, 5)


def _after_lease(one: Undisturbed, folder: Path) -> None:
    """The command again, which may be told that another holds the lock, until the lease has ended."""
    if one.is_complete(folder, drafts=False):
        return
    ended = ampcli(*(one.scene.again or one.scene.words), folder=folder, environment={"AMPCLI_LEASE": "1"})
    clear(ended, 2, 6)
    if ended.code == 6:
        time.sleep(1.5)


def _shift(rng: np.random.Generator) -> float:
    """Seconds to 1970, to 2150, a day forward or back, an hour forward or back."""
    now = time.time()
    years_2150 = 180 * 365.2425 * _DAY - now
    return float(rng.choice([100.0 - now, years_2150, _DAY, -_DAY, 3600.0, -3600.0]))


def _as_nobody() -> None:
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)


@contextmanager
def _mounted(folder: Path, start: Path, size: int) -> Iterator[None]:
    """A disk of memory of this size in the place of a trial's folder, with what the trial starts from."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={max(size, 8192)}", "tmpfs", folder], check=True)
    try:
        shutil.copytree(start, folder, dirs_exist_ok=True)
        yield
    finally:
        kept = folder.with_name("kept")
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(folder, kept, symlinks=True)
        subprocess.run(["umount", folder], check=True)
        shutil.rmtree(folder)
        kept.rename(folder)
