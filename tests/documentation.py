"""Pages of the documentation: their blocks of code, and the commands in these."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
PAGES = [
    *(page for name in ("README", "CHANGELOG", "CONTRIBUTING") if (page := REPOSITORY / f"{name}.md").is_file()),
    *sorted((REPOSITORY / "docs").rglob("*.md")),
]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?<=\n\n)((?: {4}.*\n|\n(?= {4}))+)")
_INLINE = re.compile(r"(?<!`)`(ampcli [^`]+)`(?!`)")


@dataclass(frozen=True)
class Block:
    """A block of code: its language ("" where none is named), its text, and the number of its first line."""

    language: str
    text: str
    line: int


def blocks(page: str) -> list[Block]:
    """Blocks of a page, in order."""
    fenced = [Block(f[1], f[2], page.count("\n", 0, f.start()) + 2) for f in _FENCE.finditer(page)]
    plain = _FENCE.sub(lambda found: re.sub(r"[^\n]", "", found[0]), page)  # lines keep their numbers
    indented = [
        Block("", re.sub(r"^ {4}", "", f[1], flags=re.MULTILINE), plain.count("\n", 0, f.start()) + 1)
        for f in _INDENTED.finditer(plain)
    ]
    return sorted(fenced + indented, key=lambda block: block.line)


def shell_lines(text: str) -> list[str]:
    """The lines of a shell block, those that end with a backslash joined with what follows."""
    return [line.strip() for line in re.sub(r"\\\n\s*", "", text).splitlines() if line.strip()]


def command_words(line: str) -> list[str]:
    """The words of a command up to a comment (or three blanks and what they set apart), a pipe or another command."""
    cut = re.split(r"\s#|\s{3,}", line)[0]
    lexer = shlex.shlex(cut, posix=True, punctuation_chars="();<>|&")
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    for word in lexer:
        if set(word) <= set("();<>|&"):
            break
        if not re.fullmatch(r"\[.*\]", word):  # [--json]: may be left out
            words.append(re.sub(r"\$(\w+|\{.*?\})", "1", word))
    return words


def commands_in_blocks() -> Iterator[tuple[str, list[str]]]:
    """All commands `ampcli ...` that stand in blocks: where, and their words."""
    for page in PAGES:
        for block in blocks(page.read_text()):
            for line in shell_lines(block.text):
                if line.startswith("ampcli "):
                    yield f"{page.name}:{block.line}", command_words(line)


def commands_in_text() -> Iterator[tuple[str, list[str]]]:
    """All commands that stand within sentences, often not whole."""
    for page in PAGES:
        text = page.read_text()
        for found in _INLINE.finditer(text):
            command = found[1].partition(" | ")[0]
            yield f"{page.name}:{text.count(chr(10), 0, found.start()) + 1}", re.findall(r"[^\s\"']+", command)
