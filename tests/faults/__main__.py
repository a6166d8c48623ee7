"""Run campaigns of faults, or write the report of a record."""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from faults import bench, report
from faults.trials import Campaign, record
from faults.verdicts import FINE

CAMPAIGNS = ("kills", "flips", "crowds", "shortages", "fuzz", "jobs")


def main() -> int:
    options = _options()
    if options.report:
        options.report.write_text(report.rendered(options.out))
        return 0
    # generating an amplitude takes seconds, and may not run twice at once: kept between runs, as for the tests
    os.environ.setdefault("AMPCLI_CACHE", str(Path(__file__).parents[2] / ".cache" / "ampcli-tests"))
    room = _room()
    bench.with_shim(room)
    bench.preload()
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        faults = [_run(name, options, room) for name in options.only or CAMPAIGNS]
    finally:
        if not options.keep:
            shutil.rmtree(room, ignore_errors=True)
    return int(any(faults))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="faults", description=__doc__)
    parser.add_argument("--only", choices=CAMPAIGNS, action="append", help="this campaign (default: all)")
    parser.add_argument("--trial", type=int, action="append", metavar="N", help="this trial of it (from 0)")
    parser.add_argument("--short", action="store_true", help="a few dozen trials")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every N-th trial")
    parser.add_argument("--out", type=Path, default=Path("faults-results"), help="folder of the record (JSON lines)")
    parser.add_argument("--report", type=Path, help="write this report of the record in --out, and run nothing")
    parser.add_argument("--keep", action="store_true", help="keep the folder of stores and models (it is named)")
    return parser.parse_args()


def _room() -> Path:
    """A new folder, the same when this program starts anew; in memory, for thousands of files are made and removed."""
    if "FAULT_ROOM" not in os.environ:
        memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
        os.environ["FAULT_ROOM"] = tempfile.mkdtemp(prefix="faults-", dir=memory)
    room = Path(os.environ["FAULT_ROOM"])
    room.chmod(0o755)  # some commands run as another user
    return room


def _run(name: str, options: argparse.Namespace, room: Path) -> int:
    """Run a campaign; returns the number of faults."""
    started = time.monotonic()
    place = room / name
    place.mkdir()
    kind: type[Campaign] = importlib.import_module(f"faults.{name}").Campaign
    if (reason := kind.missing()) is not None or (options.short and not kind.short):
        print(f"{name}: left out: {reason or 'it takes too long'}", file=sys.stderr)
        return 0
    campaign = kind(place)
    prepared = time.monotonic() - started
    numbers = _numbers(campaign, options)
    print(
        f"{name}: {len(numbers)} of {campaign.count} trials; prepared in {prepared:.0f} s in {place}", file=sys.stderr
    )
    with open(options.out / f"{name}.jsonl", "w") as lines:
        counts = record(campaign.played(numbers), lines, len(numbers))
    seconds = time.monotonic() - started
    report.note(options.out, name, seconds)
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    print(f"{name}: {told}; {seconds:.0f} s", file=sys.stderr)
    return sum(count for verdict, count in counts.items() if verdict not in FINE)


def _numbers(campaign: Campaign, options: argparse.Namespace) -> Sequence[int]:
    if options.trial is not None:
        return options.trial
    if options.short:
        return range(min(campaign.short, campaign.count))
    return range(0, campaign.count, options.every)


if __name__ == "__main__":
    sys.exit(main())
