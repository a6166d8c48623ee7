"""Pieces of event files that others wrote (tests/reference/README.md)."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent / "reference" / "lhe"
NAMES = sorted(path.stem for path in FOLDER.glob("*.lhe"))


def piece(name: str) -> bytes:
    """The text of a piece."""
    return (FOLDER / f"{name}.lhe").read_bytes()


def line_of(text: bytes, event: int, line: int) -> bytes:
    """A line of an event: 0 is its head, then come the particles."""
    block = text.split(b"<event")[event + 1]
    return block.split(b"\n")[1 + line]


def with_line(text: bytes, event: int, line: int, change) -> bytes:
    """The text with a line of an event changed by a function of its words."""
    blocks = text.split(b"<event")
    lines = blocks[event + 1].split(b"\n")
    lines[1 + line] = b" ".join(change(lines[1 + line].split()))
    blocks[event + 1] = b"\n".join(lines)
    return b"<event".join(blocks)
