"""What a folder holds, as far as two runs of one command must agree."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

#: Entries of manifests and markers that differ from run to run: times, machine, user, and the seal over them.
_VARYING = ("created", "seconds", "seal", "hardware", "git_commit", "host")


def content(root: Path, drafts: bool = True) -> dict[str, str]:
    """SHA-256 of every file below a folder, but for locks, notes of the command, and what differs from run to run.

    Args:
        drafts: look at what killed processes may have left as well: hidden files and folders.
    """
    found = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if not drafts and any(part.startswith(".") and part != ".ampcli" for part in Path(name).parts):
            continue
        if path.name.endswith(".lock") or path.parent.name == "locks" or path.name == "gen.toml":
            continue
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_file():
            found[name] = hashlib.sha256(_stable(path)).hexdigest()
        elif path.name.startswith(".") and path.name != ".ampcli":
            found[name] = "a folder"
    return found


def _stable(path: Path) -> bytes:
    data = path.read_bytes()
    is_marker = path.parent.name == "parts" and path.suffix == ".json"
    if path.name != "manifest.json" and not is_marker:
        return data
    try:
        document = json.loads(data)
    except ValueError:  # of a draft that a killed process left
        return data
    training = document.pop("training", None) or {}
    kept = {key: value for key, value in document.items() if key not in _VARYING}
    return json.dumps([kept, {key: value for key, value in training.items() if key != "run"}]).encode()


def differences(found: dict[str, str], expected: dict[str, str]) -> str:
    """Which files differ, in a line; empty if none."""
    missing = [f"{name} is missing" for name in expected.keys() - found.keys()]
    more = [f"{name} is left" for name in found.keys() - expected.keys()]
    other = [f"{name} differs" for name in found.keys() & expected.keys() if found[name] != expected[name]]
    return "; ".join(sorted([*missing, *more, *other])[:6])
