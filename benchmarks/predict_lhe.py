"""How fast `ampcli predict` goes through a Les Houches event file, against pylhe, which only reads it; and its memory.

    python benchmarks/predict_lhe.py [--model ddx-zgggg-fast] [--events 1000000] [--distinct 20000] [--repeats 3]
        [--registry registry] [--json FILE]

Events are made by `ampcli gen` and written by `ampcli export`; a file of more events than these has them several times.
Both readers are processes of their own, one thread, and take turns: other work on the machine slows both.  Predictions
are also made of a tenth of the events: what memory grows by from there is what each event costs.  Times are those of
whole processes; what they take before the first event is measured with a file of one event, and given apart.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_END = b"</LesHouchesEvents>"


@dataclass(frozen=True)
class Cost:
    """Of a process: seconds, and its peak memory in bytes."""

    seconds: float
    memory: int


def cost(words: list[str]) -> Cost:
    """Run a command, which must succeed."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    begun = time.perf_counter()
    process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begun
    if (code := os.waitstatus_to_exitcode(status)) != 0:
        raise SystemExit(f"{' '.join(words)}: exit code {code}")
    return Cost(seconds, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024))


def ampcli(*words: object) -> list[str]:
    return [sys.executable, "-m", "ampcli", *map(str, words)]


def repeated(source: Path, target: Path, events: int) -> None:
    """Write a file of so many events: those of another one in turn."""
    text = source.read_bytes()
    first, last = text.index(b"<event>"), text.index(_END)
    each = [b"<event>" + piece for piece in text[first:last].split(b"<event>")[1:]]
    whole, rest = divmod(events, len(each))
    with target.open("wb") as file:
        file.write(text[:first])
        for _ in range(whole):
            file.write(text[first:last])
        file.writelines([*each[:rest], text[last:]])


def read(file: str) -> None:
    """pylhe's reading, and nothing else."""
    import pylhe

    events = sum(1 for _ in pylhe.LHEFile.fromfile(file).events)
    print(events)


def rates(costs: list[Cost], start: list[Cost], events: int) -> dict[str, float]:
    """Medians."""
    seconds = statistics.median(each.seconds for each in costs)
    before = statistics.median(each.seconds for each in start)
    return {
        "seconds": seconds,
        "start_seconds": before,
        "events_per_second": events / seconds,
        "events_per_second_after_start": (events - 1) / max(seconds - before, 1e-9),
        "peak_memory": max(each.memory for each in costs),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="ddx-zgggg-fast")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--distinct", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--registry", type=Path, default=Path(__file__).absolute().parents[1] / "registry")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--read", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.read:
        read(given.read)
        return
    # this process stays small: what it holds counts as memory of those that it starts
    shown = subprocess.run(
        ampcli("registry", "show", given.model, "--registry", given.registry, "--json"), capture_output=True, check=True
    )
    process = json.loads(shown.stdout)["process"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store, out = folder / "events.zarr", folder / "out.npz"
        cost(ampcli("gen", process, store, "--points", given.distinct, "--beams", "lhc13", "-q"))
        cost(ampcli("export", store, folder / "distinct.lhe", "-q"))
        sizes = {"all": given.events, "tenth": max(given.events // 10, 1), "one": 1}
        for size, events in sizes.items():
            repeated(folder / "distinct.lhe", folder / f"{size}.lhe", events)

        def predicted(size: str) -> Cost:
            out.unlink(missing_ok=True)
            options = ("--registry", given.registry, "--threads", 1, "--device", "cpu", "-q")
            return cost(ampcli("predict", given.model, folder / f"{size}.lhe", out, *options))

        def only_read(size: str) -> Cost:
            return cost([sys.executable, str(Path(__file__).absolute()), "--read", str(folder / f"{size}.lhe")])

        costs: dict[str, list[Cost]] = {f"{who} {size}": [] for who in ("predict", "pylhe") for size in sizes}
        for _ in range(given.repeats):
            for size in sizes:
                costs[f"predict {size}"].append(predicted(size))
                costs[f"pylhe {size}"].append(only_read(size))
        bytes_each = (folder / "all.lhe").stat().st_size / given.events
    found: dict[str, Any] = {
        who: rates(costs[f"{who} all"], costs[f"{who} one"], given.events) for who in ("predict", "pylhe")
    }
    tenth = max(each.memory for each in costs["predict tenth"])
    found |= {
        "model": given.model,
        "events": given.events,
        "bytes_per_event": bytes_each,
        "times_pylhe": found["predict"]["events_per_second_after_start"]
        / found["pylhe"]["events_per_second_after_start"],
        "memory_per_event": (found["predict"]["peak_memory"] - tenth) / (given.events - sizes["tenth"]),
    }
    print(f"{given.model}, {process}: {given.events} events of {bytes_each:.0f} bytes, medians of {given.repeats}")
    for who in ("predict", "pylhe"):
        each = found[who]
        print(
            f"{who:8} {each['seconds']:8.1f} s, {each['events_per_second']:8.0f} events/s; from the first event on "
            f"{each['events_per_second_after_start']:8.0f} events/s; peak {each['peak_memory'] / 2**20:.0f} MiB"
        )
    print(f"predict goes at {found['times_pylhe']:.2f} times the rate of pylhe's reading")
    print(f"memory: {tenth / 2**20:.0f} MiB for a tenth of the events, {found['memory_per_event']:.0f} bytes an event")
    if given.json:
        given.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
