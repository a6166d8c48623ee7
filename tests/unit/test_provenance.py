"""Where results were made."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ampcli.provenance import git_commit


def test_the_commit_is_read_without_a_lock_on_the_users_repository(repository: Path) -> None:
    """A training that is killed meanwhile would leave the lock, and no commit would be possible any more."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words], cwd=repository, capture_output=True, text=True, check=True
        ).stdout.strip()

    if not (repository / ".git").exists():
        pytest.skip("not a checkout")
    os.utime(__file__)  # git would note, in its index, that the content is the same
    index = repository / git("rev-parse", "--git-path", "index")
    before = index.stat()
    found = git_commit()
    assert index.stat().st_ino == before.st_ino
    assert found is not None
    assert found.removesuffix("-dirty") == git("rev-parse", "HEAD")
