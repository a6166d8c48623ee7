"""The record of a campaign as a document: counts of verdicts, versions, the machine, and what was found."""

from __future__ import annotations

import json
from pathlib import Path


def note(out: Path, campaign: str, seconds: float) -> None:
    """Keep when and where a campaign ran, and for how long."""
    import torch

    from ampcli.provenance import git_commit, hardware, package_versions

    file = out / "about.json"
    about = json.loads(file.read_text()) if file.exists() else {"seconds": {}}
    about |= {"packages": package_versions(), "commit": git_commit(), "hardware": hardware(torch.device("cpu"))}
    about["seconds"][campaign] = round(seconds, 1)
    file.write_text(json.dumps(about, indent=1) + "\n")


def rendered(out: Path) -> str:
    return ""
