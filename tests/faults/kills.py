"""Commands that are killed (SIGKILL) at a call that writes, or at any moment, and then run again."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import numpy as np

from faults import bench
from faults.bench import Below, ampcli
from faults.scenes import SCENES, Measurements, Undisturbed, clear
from faults.trials import Campaign as _Campaign
from faults.trials import Judged
from faults.verdicts import Verdict

_KILLED = -signal.SIGKILL

#: Of each scene, at most so many calls that write, and so many random moments.
_PLENTY, _SOME = (40, 25), (20, 8)
_TRIALS = {
    "gen": _PLENTY,
    "gen, two workers": (0, 12),
    "gen, three shares": (0, 24),
    "gen, mixed sampling": (16, 8),
    "gen, protons": (12, 8),
    "finalise": _PLENTY,
    "train": _PLENTY,
}


class Campaign(_Campaign):
    name = "kills"
    short = 10

    def __init__(self, room: Path) -> None:
        super().__init__(room)
        self.undisturbed = Measurements(self)
        tried = [
            ((i + 0.5) / many, (name, kind, i))
            for name in SCENES
            for kind, many in zip(("call", "moment"), _TRIALS.get(name, _SOME), strict=True)
            for i in range(many)
        ]
        #: Scene, "call" or "moment", and which; spread evenly, so that the first few are a sample of all.
        self.trials = [trial for _, trial in sorted(tried)]

    @property
    def count(self) -> int:
        return len(self.trials)

    def describe(self, number: int) -> str:
        name, kind, index = self.trials[number]
        return f"{name}: {kind} {index}"

    def play(self, number: int, rng: np.random.Generator) -> Judged:
        name, kind, index = self.trials[number]
        undisturbed = self.undisturbed[name]
        folder = self.fresh(self.starts(undisturbed.scene.start))
        if kind == "call":
            at = 1 + index * undisturbed.calls // _TRIALS.get(name, _SOME)[0]
            below = Below(at, torn=bool(rng.integers(2)), haste=undisturbed.scene.haste)
            kills = int(ampcli(*undisturbed.scene.words, folder=folder, below=below).code == _KILLED)
        else:
            kills = sum(_killed(undisturbed, folder, rng) for _ in range(rng.integers(1, 4)))
        undisturbed.complete(folder)
        return Judged(f"{self.describe(number)}, {kills} killed", Verdict.SURVIVED)


def _killed(undisturbed: Undisturbed, folder: Path, rng: np.random.Generator) -> int:
    """Kill one of the processes of a scene at a random moment; how many died of that."""
    if undisturbed.is_complete(folder):
        return 0
    scene = undisturbed.scene
    commands = [scene.again] if scene.again and any(folder.iterdir()) else scene.commands
    running = [bench.start(words, folder, Below(haste=scene.haste)) for words in commands]
    time.sleep(rng.uniform(0.0, 1.1 * undisturbed.seconds * len(running)))
    if "train" in scene.words and rng.integers(2):
        running[0].signal(signal.SIGTERM)  # it writes a checkpoint, and may be killed while it does
        time.sleep(rng.uniform(0.0, 0.05))
    running[rng.integers(len(running))].kill()
    ends = [one.end() for one in running]
    for ended in ends:
        if ended.code != _KILLED:
            clear(ended, 2, 75)
    return sum(ended.code == _KILLED for ended in ends)
