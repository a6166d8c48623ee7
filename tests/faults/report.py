"""The record of campaigns as a document: counts of verdicts, versions, the machine, and what was found."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from faults.verdicts import Verdict

_TITLES = {
    "kills": "Kills",
    "flips": "Flipped bytes",
    "crowds": "Crowds",
    "shortages": "Shortages, clocks, locks",
    "fuzz": "Fuzzing",
    "jobs": "Kills under Slurm",
}
_WHAT = {
    "kills": """\
Commands killed (SIGKILL) at their k-th call of the system that writes (of a write, half of the bytes may have reached
the disk), or one to three times in a row at a random moment; then the same command again. The store's files,
weights, manifests and aliases must be those of an undisturbed run, byte for byte (but for times), and no
more.""",
    "flips": """\
One byte of one file is another. Every command that reads it must say so, with one clear error and its exit code, or
come to the same result. Damaged stores and features must come back by `gen --resume` and `features --replace`.""",
    "crowds": """\
16 processes that write one store (a part for each; four for each part; all of them everything, with `--resume`), in
every fourth round one of them killed, then four that compute the same features; 8 processes that publish under one
name, 8 that set aliases of one model, and one that verifies it, all at once.""",
    "shortages": """\
Commands that meet a fault, and the same command again without it. Detected: one clear error; survived: the command went
on, or had done what it had to do. In both cases the result in the end is that of an undisturbed run.""",
    "fuzz": """\
Real inputs, changed as documents, arrays and archives, and as bytes (seals and checksums put right, most of the time),
read in process. Harmless: taken as what it says. No input may raise anything but ampcli's own errors, take more than
60 s or 2 GB, or leave 200 MB.""",
    "jobs": """\
Arrays of four tasks that share a store, features and trainings as jobs of a real Slurm of one node: in each, two to
five times, at a random moment, a task is killed (SIGKILL), asked to stop (SIGTERM; exit code 75 queues it again), or
queued again by `scontrol requeue`; then the command again. The result must be that of an undisturbed run.""",
}


def note(out: Path, campaign: str, seconds: float) -> None:
    """Keep when and where a campaign ran, and for how long."""
    import torch

    from ampcli.provenance import git_commit, hardware, package_versions

    file = out / "about.json"
    about = json.loads(file.read_text()) if file.exists() else {"seconds": {}}
    about |= {"packages": package_versions(), "commit": git_commit(), "hardware": hardware(torch.device("cpu"))}
    about["seconds"][campaign] = round(seconds)
    file.write_text(json.dumps(about, indent=1) + "\n")


def rendered(out: Path) -> str:
    """The document, of all campaigns whose lines are in the folder `out`."""
    about = json.loads((out / "about.json").read_text())
    trials = {name: _read(out / f"{name}.jsonl") for name in _TITLES if (out / f"{name}.jsonl").exists()}
    packages = ", ".join(f"{name} {version}" for name, version in about["packages"].items())
    machine = about["hardware"]
    text = f"""# Faults

What happens to stores, trainings and the registry when processes are killed, bytes flip, many write at once, disks
fill, clocks jump and input is nonsense. Written by the campaign itself (`tests/faults`), from one line of JSON a trial:

    make faults                                                       all of it
    PYTHONPATH=tests python -m faults --only flips --trial 17       one trial again

Commit {about["commit"] or "unknown"}; {packages}; {machine["device"]}, {machine["cores"]} cores, {machine["system"]}.

"""
    text += f"{about['note']}\n\n" if "note" in about else ""
    text += _table(
        "campaign",
        [(_TITLES[name], Counter(trial["verdict"] for trial in found)) for name, found in trials.items()],
        list(Verdict),
        {_TITLES[name]: str(seconds) for name, seconds in about["seconds"].items()},
    )
    text += "\nCapital letters are faults of ampcli; `tests/faults/verdicts.py` says what each word means.\n"
    for name, found in trials.items():
        cases: dict[str, Counter[str]] = {}
        for trial in found:
            cases.setdefault(trial["case"].partition(":")[0], Counter())[trial["verdict"]] += 1
        text += f"\n## {_TITLES[name]}\n\n{_WHAT[name]}\n\n{_table('case', sorted(cases.items()))}"
        if name in ("kills", "jobs"):
            killed = sum(
                int(trial["case"].rpartition(", ")[2].split()[0]) for trial in found if "killed" in trial["case"]
            )
            text += f"\n{killed} of them met a living process.\n"
        if reasons := Counter(t["note"] for t in found if t["verdict"] == Verdict.HARMLESS and name == "flips"):
            text += "\nWhy flips were harmless:\n\n"
            text += "".join(f"- {count}: {reason}\n" for reason, count in reasons.most_common())
        if faults := [trial for trial in found if trial["verdict"].isupper()]:
            text += "\nFaults:\n\n" + "".join(
                f"- **{t['verdict']}** (trial {t['number']}) {t['note'][:300]}\n" for t in faults[:20]
            )
    return text + "\n" + Path(__file__).with_name("findings.md").read_text()


def _read(file: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def _table(
    first: str,
    rows: Iterable[tuple[str, Counter[str]]],
    columns: Sequence[Verdict] = (),
    seconds: Mapping[str, str] | None = None,
) -> str:
    """Counts of verdicts (default: of those that came), and seconds where they are known."""
    rows = list(rows)
    columns = columns or [verdict for verdict in Verdict if any(counts[verdict] for _, counts in rows)]
    heads = [first, "tried", *columns, *(["seconds"] if seconds else [])]
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)]]
    for name, counts in rows:
        line = [name, str(counts.total()), *(str(counts[verdict]) for verdict in columns)]
        lines.append(line + ([seconds.get(name, "")] if seconds else []))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
