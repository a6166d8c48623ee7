"""The <init> and <event> blocks of Les Houches event files, found in a stream of bytes.

Real files are XML in name only: headers hold escape codes, stray ampersands and tags that nobody closes, and files are
written after each other.  Only what separates events from the rest is looked at: headers, comments, CDATA and the
tags of events and of <init>.  Memory and time stay bounded whatever the file holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ampcli.errors import IntegrityError, UsageError
from ampcli.events.lhe.packing import UNREADABLE, unpacked
from ampcli.files import require_ordinary

_PIECE = 1 << 18  # bytes read at a time
_LONGEST_TAG = 1 << 16
_LONGEST_EVENT = 1 << 20  # bytes kept of an event; its particles come first, weights and the like are dropped
_LONGEST_GAP = 1 << 27  # bytes without an event, such as the longest header
_MARK_COST = 128  # bytes that are passed over in the time that a comment or tag takes

_OUTSIDE = re.compile(rb"<(?:!--|!\[CDATA\[|header[\s>]|init[\s>]|event[\s>]|/?LesHouchesEvents)")
_HEADER = re.compile(rb"<(?:!--|!\[CDATA\[|/header|init[\s>])")
_INIT = re.compile(rb"<(?:!--|!\[CDATA\[|/init\s{0,99}>|event[\s>]|/LesHouchesEvents)")
_EVENT = re.compile(rb"<(?:!--|!\[CDATA\[|/event\s{0,99}>|event[\s>])")
_EVENT_TAG = re.compile(rb"""<event(?:[^>"']|"[^"]*"|'[^']*')*+>""")
_TAG_END = re.compile(rb">")
_LONGEST_MARK = 112  # what a search may need of the bytes before a piece
_ENDS = {b"<!--": re.compile(b"-->"), b"<![CDATA[": re.compile(b"]]>")}
_BLANK = b" \t\r"
_DAMAGED = "The file is damaged or truncated."


class EventBlocks:
    """The text between <event> and </event> of all events of a file, in order; once, as an iterator.

    The file may be packed by gzip or zstd, whatever its name.  Events within comments, headers and CDATA do not count.

    Raises:
        FileNotFoundError: no such file.
        IntegrityError: (at once) not an ordinary file; (while iterating) a torn event or comment, damaged compression,
            or a file that is not for events.

    Attributes:
        tag: the <event> tag of the last event, with its attributes.
        start: where the text of the last event begins, in bytes of the file as it is unpacked.
        end: where its </event> begins.
        init: the text of the last <init> block; empty: there was none.
        inits: <init> blocks so far; more than one: files were written after each other.
    """

    def __init__(self, path: Path) -> None:
        require_ordinary(path)
        self.path = path
        self.count = 0  # events so far
        self.tag, self.init = b"", b""
        self.start = self.end = self.inits = 0
        self._open = 0  # <LesHouchesEvents> without their end
        self._gap = 0  # bytes read since the last event
        self._buffer = b""
        self._offset = 0  # bytes before the buffer
        self._at = 0  # where in the buffer the next search starts
        self._before = ord("\n")  # the last byte before the buffer that is not blank
        self._kept: list[bytes] = []  # of the event that is being read
        self._room = 0  # for more of it
        self._stream: BinaryIO

    @property
    def ended(self) -> bool:
        """Whether what was read so far has its </LesHouchesEvents>."""
        return self._open <= 0

    def __iter__(self) -> Iterator[bytes]:
        with self.path.open("rb") as raw:
            self._stream = unpacked(raw)
            yield from self._events()

    def _events(self) -> Iterator[bytes]:
        known = False
        while (mark := self._find(_OUTSIDE)) is not None:
            if mark in _ENDS:
                self._skip(mark)
            elif mark.startswith(b"<header"):
                self._header()
            elif mark.startswith(b"<init"):
                if self._starts_something(self._at - len(mark)):
                    self._init()
            elif mark.startswith(b"<event"):
                if self._starts_something(self._at - len(mark)):
                    yield self._event(len(mark))
                    self.count += 1
                    self._gap = 0
            else:
                known = True
                self._open += -1 if mark.startswith(b"</") else 1
        if not (known or self.count):
            raise UsageError(
                f"{self.path} is neither an npz file nor a Les Houches event file",
                "Write momenta with numpy.savez(file, momenta=...), or give a file with <event> blocks.",
            )

    def _header(self) -> None:
        while (mark := self._find(_HEADER)) in _ENDS:
            self._skip(mark)
        if mark is None:
            raise IntegrityError(f"{self.path}: the header after {self._where()} is never closed", _DAMAGED)
        if mark.startswith(b"<init"):
            self._init()

    def _init(self) -> None:
        """Read an <init> block; one that is not closed ends where events start."""
        if self._buffer[self._at - 1 : self._at] != b">":
            self._find(_TAG_END)
        self._kept, self._room = [], _LONGEST_EVENT
        while (found := self._find(_INIT, keep=True)) in _ENDS:
            self._skip(found)
        if found is not None and not found.startswith(b"</init"):
            self._at -= len(found)
        self.init, self.inits = b"".join(self._kept), self.inits + 1

    def _event(self, mark: int) -> bytes:
        self._at -= mark
        while (tag := _EVENT_TAG.match(self._buffer, self._at)) is None and len(self._buffer) - self._at < _LONGEST_TAG:
            if not self._more(self._at):
                break
        end = tag.end() if tag else self._buffer.find(b">", self._at) + 1
        if end == 0:
            raise self._torn("its <event> tag does not end")
        self.tag = self._buffer[self._at : end]
        self._at = end
        self.start = self._offset + end
        self._kept, self._room = [], _LONGEST_EVENT
        while (found := self._find(_EVENT, keep=True)) is not None:
            if found in _ENDS:
                self._skip(found)
            elif found.startswith(b"</"):
                self.end = self._offset + self._at - len(found)
                return b"".join(self._kept)
            elif self._starts_something(self._at - len(found)):
                raise self._torn("another event starts before its </event>")
        raise self._torn("the file ends before its </event>")

    def _skip(self, opening: bytes) -> None:
        """Go behind the end of a comment or of CDATA."""
        if self._find(_ENDS[opening]) is None:
            raise IntegrityError(f'{self.path}: "{opening.decode()}" after {self._where()} is never closed', _DAMAGED)

    def _find(self, marks: re.Pattern[bytes], keep: bool = False) -> bytes | None:
        """Go behind the next mark and return it; None at the end of the file.  What lies before it may be kept."""
        while (found := marks.search(self._buffer, self._at)) is None:
            end = max(self._at, len(self._buffer) - _LONGEST_MARK)
            if keep:
                self._keep(end)
            if not self._more(end):
                return None
        if keep:
            self._keep(found.start())
        self._at = found.end()
        self._spend(_MARK_COST)
        return found.group()

    def _spend(self, bytes_read: int) -> None:
        self._gap += bytes_read
        if self._gap > _LONGEST_GAP:
            raise IntegrityError(
                f"{self.path}: too much without an event after {self._where()} (the limit is {_LONGEST_GAP >> 20} MiB)",
                "It is damaged, or no event file.",
            )

    def _keep(self, end: int) -> None:
        piece = self._buffer[self._at : end][: self._room]
        if piece:
            self._kept.append(piece)
            self._room -= len(piece)

    def _more(self, start: int) -> bool:
        """Drop what lies before `start`, go there, and read on; False at the end of the file."""
        if dropped := self._buffer[:start].rstrip(_BLANK):
            self._before = dropped[-1]
        try:
            piece = self._stream.read(_PIECE)
        except UNREADABLE as error:
            raise IntegrityError(f"{self.path} cannot be read beyond {self._where()}: {error}", _DAMAGED) from None
        self._spend(len(piece))
        self._buffer, self._offset, self._at = self._buffer[start:] + piece, self._offset + start, 0
        return bool(piece)

    def _starts_something(self, place: int) -> bool:
        """Whether a tag at `place` starts a line or follows another one: an <event> in running text does not."""
        place -= 1
        while place >= 0 and self._buffer[place] in _BLANK:
            place -= 1
        return (self._buffer[place] if place >= 0 else self._before) in b"\n>\xbf"  # or the last byte of a BOM

    def _where(self) -> str:
        return f"event {self.count - 1} (from 0)" if self.count else "its beginning"

    def _torn(self, why: str) -> IntegrityError:
        return IntegrityError(f"{self.path}: event {self.count} (from 0) is torn: {why}", _DAMAGED)
