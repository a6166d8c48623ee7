"""Real inputs, slightly or very wrong: bytes, words, JSON documents."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

NUMBERS = [
    "0", "-1", "1e400", "-1e400", "nan", "inf", "1e-320", "1_0", "0x10", "1.5", "+", "٣", "1e", "--1",
    "9" * 30, "9" * 5000,
]  # fmt: skip
_TEXTS = ["", " ", "\0", "\x1b[31m", "é", "\ud7ff", "a" * 300, "a" * 70_000, "../..", "%s%n", "{}", "<", "&lt;", "]]>"]
_VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**30, 10**400, -0.0, 1e308, 1e-320, 0.5, float("inf"), float("nan"),
    "", "x", "1", "nan", "\0", "a" * 100_000, [], {}, [[]], [0] * 1000, {"a": 1}, [None], {"": None}, "e- e+ > d d~ g",
]  # fmt: skip


#: Makes an input and has it read.
Run = Callable[[np.random.Generator], object]


def pick(rng: np.random.Generator, choices: Sequence[Any]) -> Any:
    return choices[int(rng.integers(len(choices)))]


def bytes_mutated(data: bytes, rng: np.random.Generator, others: Sequence[bytes] = ()) -> bytes:
    """A few changes: flips, cuts, copies, insertions, other numbers, pieces of other inputs."""
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        size = len(changed)
        at = int(rng.integers(size + 1))
        length = int(rng.integers(1, 2 + int(size ** float(rng.random()))))
        kind = int(rng.integers(8))
        if kind == 0 and size:
            changed[min(at, size - 1)] ^= int(rng.integers(1, 256))
        elif kind == 1:
            del changed[at : at + length]
        elif kind == 2:
            changed[at:at] = changed[at : at + length]
        elif kind == 3:
            changed[at:at] = pick(rng, _TEXTS + NUMBERS).encode(errors="surrogatepass")
        elif kind == 4:
            changed[at : at + length] = rng.bytes(length)
        elif kind == 5 and rng.random() < 0.3:
            del changed[at:]
        elif kind == 6:
            _other_number(changed, rng)
        elif kind == 7 and others:
            other = pick(rng, others)
            start = int(rng.integers(len(other) + 1))
            changed[at : at + length] = other[start : start + length]
        if len(changed) > 4 * len(data) + 1_000_000:
            break
    return bytes(changed)


def _other_number(data: bytearray, rng: np.random.Generator) -> None:
    """Replace a run of digits."""
    places = [at for at in range(len(data)) if 48 <= data[at] < 58 and (at == 0 or not 48 <= data[at - 1] < 58)]
    if places:
        start = end = pick(rng, places)
        while end < len(data) and (48 <= data[end] < 58 or data[end] in b".eE+-"):
            end += 1
        data[start:end] = pick(rng, NUMBERS).encode()


def words_mutated(text: str, rng: np.random.Generator, vocabulary: Sequence[str]) -> str:
    """Words exchanged, left out, doubled, or replaced by others and by nonsense."""
    words = text.split(" ")
    for _ in range(int(rng.integers(1, 5))):
        at = int(rng.integers(len(words) + 1))
        kind = int(rng.integers(7))
        if kind == 0:
            words.insert(at, pick(rng, vocabulary))
        elif kind == 1:
            words[at : at + 1] = [pick(rng, vocabulary)]
        elif kind == 2:
            del words[at : at + 1]
        elif kind == 3:
            words[at:at] = words[at : at + 2] * int(rng.integers(1, 4))
        elif kind == 4:
            words.insert(at, pick(rng, _TEXTS + NUMBERS))
        elif kind == 5:
            rng.shuffle(words)
        else:
            return bytes_mutated(" ".join(words).encode(errors="replace"), rng).decode(errors="replace")
    return pick(rng, [" ", " ", " ", "  ", "\t", ""]).join(words)


def document_mutated(document: Any, rng: np.random.Generator) -> Any:
    """A JSON document with other values, types, keys, and depths here and there."""
    changed = copy.deepcopy(document)
    for _ in range(int(rng.integers(1, 4))):
        places = list(_places(changed))
        if not places:
            return pick(rng, _VALUES)
        holder, key = pick(rng, places)
        kind = int(rng.integers(8))
        if kind <= 2:
            holder[key] = copy.deepcopy(pick(rng, _VALUES))
        elif kind == 3:
            del holder[key]
        elif kind == 4:
            other, place = pick(rng, places)
            try:
                holder[key] = copy.deepcopy(other[place])
            except (KeyError, IndexError):
                continue
        elif kind == 5 and isinstance(holder[key], int | float) and not isinstance(holder[key], bool):
            holder[key] = holder[key] * pick(rng, [-1, 2, 10, 10**6]) + pick(rng, [0, 1, -1])
        elif kind == 6:
            holder[key] = _nested(int(rng.integers(1, 50)))
        elif isinstance(holder, dict):
            holder[pick(rng, ["", "seal", "x", key.upper(), "__proto__"])] = holder.get(key)
        else:
            holder.append(copy.deepcopy(pick(rng, _VALUES)))
    return changed


def _places(value: Any) -> Any:
    """All that can be replaced: a container and a key of it."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def json_mutated(data: bytes, rng: np.random.Generator, seal: Any = None) -> bytes:
    """A JSON file, changed as a document (and sealed again, if asked for) or as bytes."""
    if rng.random() < 0.3:
        return bytes_mutated(data, rng)
    document = document_mutated(json.loads(data), rng)
    if seal is not None and isinstance(document, dict) and rng.random() < 0.8:
        document = seal(document)
    text = json.dumps(document)
    if rng.random() < 0.02:
        depth = int(rng.integers(1000, 200_000))
        text = text[:-1] + ', "deep": ' + "[" * depth + "]" * depth + "}"
    return text.encode(errors="surrogatepass")
