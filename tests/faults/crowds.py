"""Many processes that write one store, or publish in one registry, at the same time: no update is lost."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np

from faults import bench
from faults.bench import Ended, made
from faults.content import content, differences
from faults.scenes import clear
from faults.starts import FEATURES, GEN, ONE, Words
from faults.trials import Campaign as _Campaign
from faults.trials import Judged
from faults.verdicts import Fault, Verdict

_ROUNDS = 100
_WRITERS, _PUBLISHERS = 16, 8
_MANY_PARTS: Words = (*GEN[:4], "16k", *GEN[5:])
_FEW_PARTS: Words = (*GEN[:4], "4k", *GEN[5:])


class Campaign(_Campaign):
    name = "crowds"
    short = 2
    count = 2 * _ROUNDS

    def __init__(self, room: Path) -> None:
        super().__init__(room)
        self.whole = {}
        for words in (_MANY_PARTS, _FEW_PARTS):
            folder = self.fresh()
            made(*words, folder=folder)
            made(*FEATURES, folder=folder)
            self.whole[words] = content(folder)

    def describe(self, number: int) -> str:
        return ("one registry", "one store")[number % 2] + f": round {number // 2}"

    def play(self, number: int, rng: np.random.Generator) -> Judged:
        told = self._one_store(rng) if number % 2 else self._one_registry(rng)
        return Judged(f"{self.describe(number)}, {told}", Verdict.SURVIVED)

    def _one_store(self, rng: np.random.Generator) -> str:
        folder = self.fresh()
        kind = ("a part for each", "four for each part", "all the same")[rng.integers(3)]
        words = _MANY_PARTS if kind == "a part for each" else _FEW_PARTS
        parts = 16 if words is _MANY_PARTS else 4
        running = []
        for writer in range(_WRITERS):
            share = ("--resume",) if kind == "all the same" else ("--part", f"{writer % parts + 1}/{parts}")
            running.append(bench.start((*words, *share), folder))
        killed = rng.integers(4) == 0
        if killed:
            time.sleep(rng.uniform(0.0, 2.0))
            running[rng.integers(_WRITERS)].kill()
        ends = [one.end() for one in running]
        for ended in ends:
            if not (killed and ended.code == -9):
                clear(ended, 6)
        made(*words, "--resume", folder=folder)
        features = [bench.start(FEATURES, folder) for _ in range(4)]
        for one in features:
            clear(one.end(), 6)
        made(*FEATURES, folder=folder)
        if left := differences(content(folder), self.whole[words]):
            raise Fault(Verdict.LOST, left)
        return f"{kind}, {_codes(ends)}" + (", one killed" if killed else "")

    def _one_registry(self, rng: np.random.Generator) -> str:
        folder = self.fresh(self.starts("models"))
        publish: Words = ("ensemble", "new", "m@1", "m@2", "--json")
        if rng.integers(2):
            publish = ("calibrate", "m@1", "s.zarr", "--name", "new", "--json", *ONE[1:])
        running = [bench.start(publish, folder) for _ in range(_PUBLISHERS)]
        aliases = {f"a{number}": int(rng.integers(1, 3)) for number in range(_PUBLISHERS)}
        running += [bench.start(("registry", "alias", f"m@{v}", name), folder) for name, v in aliases.items()]
        reader = bench.start(("registry", "verify", "m", "--json"), folder)
        ends = [clear(one.end()) for one in running]
        clear(reader.end())
        found = sorted(int(path.name) for path in (folder / "registry" / "new").iterdir() if path.name.isdecimal())
        if found != list(range(1, _PUBLISHERS + 1)):
            raise Fault(Verdict.LOST, f"versions {found} of {_PUBLISHERS} published")
        kept = json.loads((folder / "registry" / "m" / "aliases.json").read_text())["aliases"]
        if {name: pointer["version"] for name, pointer in kept.items()} != aliases:
            raise Fault(Verdict.LOST, f"aliases {kept}, given were {aliases}")
        clear(bench.ampcli("registry", "verify", folder=folder))
        return f"{publish[0]}, {_codes(ends)}"


def _codes(ends: list[Ended]) -> str:
    codes = [ended.code for ended in ends]
    return "exit codes " + ", ".join(f"{codes.count(code)} x {code}" for code in sorted(set(codes)))
