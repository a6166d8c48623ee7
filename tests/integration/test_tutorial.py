"""docs/tutorial.md and docs/python.md do what they say: their blocks are run in order, in small."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from documentation import REPOSITORY, Block, blocks, command_words, shell_lines

_SMALLER = re.compile(r"^  (--.+?) becomes (--.+)$", re.MULTILINE)
_NUMBER = re.compile(r"\b[0-9a-f]{16}\b|[-+]?(?<![a-z@])\d[\d.,]*(?:e[-+]?\d+)?(?:\(\d+\))?\b", re.IGNORECASE)


class Reader:
    """Somebody who types what a page says, and compares what comes out."""

    def __init__(self, ampcli, folder: Path, smaller: dict[str, str]) -> None:
        self.ampcli = ampcli
        self.folder = folder
        self.smaller = smaller
        self.variables = {"PWD": str(folder)}
        self.names: dict[str, object] = {}
        self.said = ""
        self.unused = set(smaller)

    def follow(self, page: str) -> Iterator[Block]:
        for block in blocks(page):
            if block.language == "sh":
                self.said = "".join(self._typed(line) for line in shell_lines(block.text))
            elif block.language == "python":
                self.said = self._run(block.text)
            elif block.language == "text":
                shown = _words(self.said)
                for line in _words(block.text):
                    assert any(s.startswith(line) for s in shown), f"line {block.line}: {line!r} is not in\n{self.said}"
            yield block

    def _typed(self, line: str) -> str:
        if not line.startswith("ampcli "):
            script = f'{line}\necho "$AMPCLI_REGISTRY"\n'
            done = subprocess.run(["bash", "-c", script], cwd=self.folder, capture_output=True, text=True, check=True)
            if done.stdout.strip():
                self.variables["AMPCLI_REGISTRY"] = done.stdout.strip()
            return ""
        for large, small in self.smaller.items():
            if large in line:
                self.unused.discard(large)
            line = line.replace(large, small)
        return self.ampcli(*command_words(line)[1:], cwd=self.folder, variables=self.variables).stdout

    def _run(self, code: str) -> str:
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as said:
            patch.chdir(self.folder)
            for name, value in self.variables.items():
                patch.setenv(name, value)
            exec(compile(code, "page", "exec"), self.names)
        return said.getvalue()


def _words(text: str) -> list[str]:
    """Lines without their numbers, and without the blanks that line up columns (pages may leave out the last ones)."""
    return [" ".join(_NUMBER.sub("#", line).split()) for line in text.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def reader(ampcli, tmp_path_factory):
    smaller = dict(_SMALLER.findall((REPOSITORY / "docs" / "tutorial.md").read_text()))
    return Reader(ampcli, tmp_path_factory.mktemp("tutorial"), smaller)


def test_the_tutorial_and_the_page_of_python(reader):
    kinds = [block.language for block in reader.follow((REPOSITORY / "docs" / "tutorial.md").read_text())]
    assert {"sh", "python", "text"} <= set(kinds)
    assert not reader.unused, "options that no command of the tutorial has"
    kinds = [block.language for block in reader.follow((REPOSITORY / "docs" / "python.md").read_text())]
    assert kinds.count("python") > 3
    assert os.environ.get("AMPCLI_REGISTRY") is None
