"""Named weights put into a Les Houches event file (LHEF 3, arXiv:1405.1067); every other byte stays as it was."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

from ampcli.errors import IntegrityError, UsageError
from ampcli.events.lhe.packing import packed, unpacked

_PIECE = 1 << 20
_END = b"</event"
_PASSED_OVER = rb"<!--.*?-->|<!\[CDATA\[.*?\]\]>"
_MARKS = re.compile(
    _PASSED_OVER + rb"|(?P<declared></initrwgt\s*>)|(?P<header></header\s*>)|(?P<init></init\s*>)", re.DOTALL
)
_IDS = re.compile(_PASSED_OVER + rb"""|<weight\b[^>]*?\sid\s*=\s*["'](?P<id>[^"']*)["']""", re.DOTALL)
_END_OF_WEIGHTS = re.compile(_PASSED_OVER + rb"|(?P<end></rwgt\s*>)", re.DOTALL)


@dataclass(frozen=True)
class Declared:
    """A named weight: what it is called in each event, and what it is in words."""

    name: str
    description: str


@dataclass(frozen=True)
class Span:
    """Where the text of an event begins and ends, in bytes of the file as it is unpacked."""

    start: int
    end: int


def insert_weights(
    path: Path,
    out: Path,
    spans: Sequence[Span],
    declared: Sequence[Declared],
    weights: Callable[[int], Sequence[float]],
    name: str,
    on_event: Callable[[int], None] = lambda events: None,
) -> None:
    """Copy an event file with named weights.

    Args:
        out: to be written.
        spans: of all events, in order.
        weights: those of an event, in the order of `declared`.
        name: that the file is going to have, which says how it is packed.
        on_event: is told how many events were copied since.

    Raises:
        UsageError: the file has a weight of such a name already.
        IntegrityError: it has changed since its spans were found.
    """
    with path.open("rb") as raw, packed(out, name) as file:
        stream = unpacked(raw)
        file.write(_declared(_exactly(stream, spans[0].start, path), declared, path))
        at = spans[0].start
        for number, span in enumerate(spans):
            _copy(stream, file, span.start - at, path)
            file.write(_with_weights(_exactly(stream, span.end - span.start, path), declared, weights(number)))
            if (end := _exactly(stream, len(_END), path)) != _END:
                raise _changed(path)
            file.write(end)
            at = span.end + len(_END)
            on_event(1)
        while piece := stream.read(_PIECE):
            file.write(piece)


def _exactly(stream: BinaryIO, size: int, path: Path) -> bytes:
    found = stream.read(size)
    if len(found) != size:
        raise _changed(path)
    return found


def _changed(path: Path) -> IntegrityError:
    return IntegrityError(f"{path} has changed while it was read", "Try again.")


def _copy(stream: BinaryIO, file: IO[bytes], size: int, path: Path) -> None:
    while size:
        piece = _exactly(stream, min(size, _PIECE), path)
        file.write(piece)
        size -= len(piece)


def _declared(text: bytes, declared: Sequence[Declared], path: Path) -> bytes:
    """What stands before the first event, with the declaration of the weights: in <initrwgt>, <header> or <init>."""
    names = {found["id"].decode(errors="replace") for found in _IDS.finditer(text) if found["id"] is not None}
    if taken := [weight.name for weight in declared if weight.name in names]:
        raise UsageError(
            f'{path} has a weight "{taken[0]}" already', "Take it as it is, or reweight the file without it."
        )
    places: dict[str, int] = {}
    for found in _MARKS.finditer(text):
        if found.lastgroup is not None:
            places.setdefault(found.lastgroup, found.start())
    lines = [f"<weight id='{_escaped(w.name)}'> {_escaped(w.description)} </weight>" for w in declared]
    lines = ["<weightgroup name='ampcli'>", *lines, "</weightgroup>"]
    kind = next((kind for kind in ("declared", "header", "init") if kind in places), None)
    if kind is None:
        raise UsageError(
            f"{path} has no </header> and no </init> before its first event", "Weights are declared there."
        )
    if kind != "declared":
        lines = ["<initrwgt>", *lines, "</initrwgt>"]
    return _before(text, places[kind], lines)


def _with_weights(text: bytes, declared: Sequence[Declared], weights: Sequence[float]) -> bytes:
    """The text of an event with its weights, in the <rwgt> that it has or in a new one at its end."""
    ends = [found.start() for found in _END_OF_WEIGHTS.finditer(text) if found["end"] is not None]
    lines = [
        f"<wgt id='{_escaped(one.name)}'> {weight:.10e} </wgt>" for one, weight in zip(declared, weights, strict=True)
    ]
    if ends:
        return _before(text, ends[-1], lines)
    return _before(text, len(text), ["<rwgt>", *lines, "</rwgt>"])


def _before(text: bytes, place: int, lines: Sequence[str]) -> bytes:
    """Lines before a place of a text, in front of the blanks that indent what stands there."""
    newline = b"\r\n" if b"\r\n" in text else b"\n"
    head = text[:place]
    kept = head.rstrip(b" \t")
    if kept[-1:] not in (b"\n", b""):  # something else stands on the line
        kept = head
        added = newline + b"".join(line.encode() + newline for line in lines)
    else:
        added = b"".join(line.encode() + newline for line in lines)
    return kept + added + text[len(kept) :]


def _escaped(text: str) -> str:
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("'", "&apos;")):
        text = text.replace(character, entity)
    return text.encode("ascii", "xmlcharrefreplace").decode()
