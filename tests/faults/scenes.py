"""Commands to disturb, what an undisturbed run of each makes, and how their work is completed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from faults import bench
from faults.bench import Below, Ended, ampcli
from faults.content import content, differences
from faults.starts import FEATURES, GEN, GEN_MIXED, GEN_PROTONS, ONE, TRAIN_TWO, Words
from faults.trials import Campaign
from faults.verdicts import Fault, Verdict


@dataclass(frozen=True)
class Scene:
    """A command to disturb.

    Attributes:
        start: the folder that it runs in (`faults.starts`).
        words: the command.
        again: what completes its work (default: the same).
        shares: so many processes share its work, in the place of one.
        haste: of the monotonic clock; checkpoints are written once a minute.
        single: it works in one process, whose calls can be counted.
        repeatable: two of it at once, or one after the other, make what one makes.
    """

    start: str
    words: Words
    again: Words = ()
    shares: int = 1
    haste: float = 1.0
    single: bool = True
    repeatable: bool = True

    @property
    def commands(self) -> list[Words]:
        if self.shares == 1:
            return [self.words]
        return [(*self.words, "--part", f"{share}/{self.shares}") for share in range(1, self.shares + 1)]


SCENES = {
    "gen": Scene("nothing", GEN, (*GEN, "--resume")),
    "gen, two workers": Scene("nothing", (*GEN, "--workers", "2"), (*GEN, "--resume"), single=False),
    "gen, three shares": Scene("nothing", GEN, shares=3, single=False),
    "gen, mixed sampling": Scene("nothing", GEN_MIXED, (*GEN_MIXED, "--resume")),
    "gen, protons": Scene("nothing", GEN_PROTONS, (*GEN_PROTONS, "--resume")),
    "finalise": Scene("parts", (*GEN, "--resume")),
    "features": Scene("store", FEATURES),
    "features --replace": Scene("table", (*FEATURES, "--replace")),
    "train": Scene("table", TRAIN_TWO, haste=200.0, repeatable=False),
    "publish (calibrate)": Scene("models", ("calibrate", "m@1", "s.zarr", "--name", "c", *ONE), repeatable=False),
    "publish (ensemble)": Scene("models", ("ensemble", "e", "m@1", "m@2", "-q"), repeatable=False),
    "publish (import)": Scene("archive", ("registry", "import", "c.tar", "--registry", "registry")),
    "publish (alias)": Scene("models", ("registry", "alias", "m@1", "best")),
    "export": Scene("nothing", ("export", "d d~ > z g", "library", "-q"), repeatable=False),
    "predict": Scene("models", ("predict", "m@1", "s.zarr", "out.npz", *ONE), repeatable=False),
}


@dataclass(frozen=True)
class Undisturbed:
    """A scene without faults.

    Attributes:
        whole: what its folder holds in the end (`content`).
        before: what it held before.
        seconds: that it took.
        calls: that write below the folder, in the process of the command.
        roomy: those of them that need room on the disk.
        grows: bytes that it adds.
    """

    scene: Scene
    whole: dict[str, str]
    before: dict[str, str]
    seconds: float
    calls: int
    roomy: int
    grows: int

    @classmethod
    def measured(cls, scene: Scene, folder: Path) -> Undisturbed:
        """Run it in a folder, which is a copy of its start."""
        before, used = content(folder), disk_use(folder)
        ended, calls, roomy = bench.calls(scene.words, folder, Below(haste=scene.haste))
        return cls(scene, content(folder), before, ended.seconds, calls, roomy, disk_use(folder) - used)

    def is_complete(self, folder: Path, drafts: bool = True) -> bool:
        """Whether all is done, where that can be seen; some commands, once more, would make another version."""
        return self.whole != self.before and content(folder, drafts) == self.whole

    def complete(self, folder: Path, below: Below | None = None, drafts: bool = True) -> None:
        """What anybody does next: the command again.

        Args:
            drafts: those of killed processes must be gone then.

        Raises:
            Fault: it does not end with what an undisturbed run makes.
        """
        if self.is_complete(folder, drafts):
            return
        for words in [self.scene.again] if self.scene.again else self.scene.commands:
            clear(ampcli(*words, folder=folder, below=below or Below(haste=self.scene.haste)))
        if left := differences(content(folder, drafts), self.whole):
            raise Fault(Verdict.LOST, left)


class Measurements(dict[str, Undisturbed]):
    """Scenes by name, measured when they are first asked for."""

    def __init__(self, campaign: Campaign) -> None:
        super().__init__()
        self._campaign = campaign

    def __missing__(self, name: str) -> Undisturbed:
        folder = self._campaign.fresh(self._campaign.starts(SCENES[name].start))
        self[name] = Undisturbed.measured(SCENES[name], folder)
        return self[name]


def clear(ended: Ended, *allowed: int) -> Ended:
    """The end of a command, which has a clear message, and one of these exit codes (0 is always one).

    Raises:
        Fault: it has not.
    """
    if ended.judged().code not in (0, *allowed):
        raise Fault(Verdict.LOST, ended.line)
    return ended


def disk_use(folder: Path) -> int:
    """Bytes that a folder takes on a disk of memory: whole pages."""
    return sum(4096 * -(-path.stat().st_size // 4096) for path in folder.rglob("*") if path.is_file())
