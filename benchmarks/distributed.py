"""What processes of one training cost or save on one machine: one with two threads, one with one, two with one each.

    python benchmarks/distributed.py STORE [--model fame] [--hidden 64,64] [--batch-size 4096] [--epochs 3] [--rounds 5]
                                     [--options "--optimiser adam"] [--json FILE]

`ampcli train` runs in turn as each of the three, `rounds` times, so that a drift of the machine's speed hits all of
them; shown are medians of the seconds that trainings took (as manifests have them: without start and publishing), and
medians of the ratios within a round.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

_SEVERAL = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "ampcli")
WAYS: dict[str, tuple[tuple[str, ...], int]] = {
    "1 process, 2 threads": (("-m", "ampcli"), 2),
    "1 process, 1 thread": (("-m", "ampcli"), 1),
    "2 processes, 1 thread": (_SEVERAL, 1),
}


def seconds(way: str, arguments: list[str]) -> float:
    """Of one training."""
    launch, threads = WAYS[way]
    with tempfile.TemporaryDirectory() as registry:
        words = ["train", *arguments, "--name", "m", "--threads", str(threads), "--registry", registry, "--json"]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        done = subprocess.run(
            [sys.executable, *launch, *words],
            env=environment,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise SystemExit(done.stderr)
        return float(json.loads(done.stdout)["models"][0]["seconds"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store")
    parser.add_argument("--model", default="fame")
    parser.add_argument("--hidden", default="64,64")
    parser.add_argument("--batch-size", default="4096")
    parser.add_argument("--epochs", default="3")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--options", default="", help="further options of ampcli train")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    arguments = [given.store, *shlex.split(given.options)]
    for name in ("model", "hidden", "batch_size", "epochs"):
        arguments += [f"--{name.replace('_', '-')}", getattr(given, name)]
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(given.rounds):
        for way in WAYS:
            found[way].append(seconds(way, arguments))
    slowest = found["1 process, 1 thread"]
    for way, times in found.items():
        ratio = statistics.median(one / this for one, this in zip(slowest, times, strict=True))
        print(f"{way:22} {statistics.median(times):8.2f} s  {ratio:5.2f} times as fast as one thread")
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
