"""Real inputs, slightly or very wrong: bytes, words, JSON documents, arrays, and archives of them."""

from __future__ import annotations

import copy
import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np

_NUMBERS = [
    "0",
    "-1",
    "1e400",
    "-1e400",
    "nan",
    "inf",
    "1e-320",
    "9" * 30,
    "9" * 5000,
    "1_0",
    "0x10",
    "1.5",
    "+",
    "٣",
    "1e",
    "--1",
]
_TEXTS = [
    "",
    " ",
    "\0",
    "\x1b[31m",
    "é",
    "\ud7ff",
    "a" * 300,
    "a" * 70_000,
    "../..",
    "%s%n",
    "{}",
    "<",
    "&lt;",
    "]]>",
    "$(x)",
    "\r\n",
]
_VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**30, 10**400, -0.0, 1e308, 1e-320, 0.5, float("inf"), float("nan"),
    "", "x", "1", "nan", "\0", "a" * 100_000, [], {}, [[]], [0] * 1000, {"a": 1}, [None], {"": None}, "e- e+ > d d~ g",
]  # fmt: skip


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
            changed[at:at] = pick(rng, _TEXTS + _NUMBERS).encode(errors="surrogatepass")
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
        data[start:end] = pick(rng, _NUMBERS).encode()


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
            words.insert(at, pick(rng, _TEXTS + _NUMBERS))
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


def arrays_mutated(arrays: dict[str, np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Arrays of other names, types, shapes and values."""
    changed = dict(arrays)
    for _ in range(int(rng.integers(1, 3))):
        if not changed:
            return changed
        name = pick(rng, sorted(changed))
        array = changed[name]
        kind = int(rng.integers(9))
        with np.errstate(all="ignore"):
            if kind == 0:
                del changed[name]
            elif kind == 1:
                changed[name] = array.astype(pick(rng, ["f2", "f4", "f8", "i1", "i8", "u1", "?"]))
            elif kind == 2 and array.size:
                changed[name] = array.reshape(
                    pick(rng, [(-1,), (1, *array.shape), (*array.shape, 1), array.shape[::-1]])
                )
            elif kind == 3:
                changed[name] = array[: int(rng.integers(len(array) + 1))] if array.ndim else np.zeros(3)
            elif kind == 4:
                changed[name] = np.concatenate([array, array]) if array.ndim else np.zeros((0,))
            elif kind == 5 and array.size and array.dtype.kind == "f":
                flat = array.copy().reshape(-1)
                flat[int(rng.integers(flat.size))] = pick(rng, [np.nan, np.inf, -np.inf, 1e30, -1e30, 0.0, 1e-45])
                changed[name] = flat.reshape(array.shape)
            elif kind == 6:
                changed[pick(rng, ["", "x", "scale.x", "momenta", name + "0", "/"])] = array
            elif kind == 7:
                changed[name] = np.zeros(pick(rng, [(), (0,), (0, 4), (1, 0, 4), (2, 3, 4, 5)]), array.dtype)
            elif array.dtype.kind == "f":
                changed[name] = np.asarray(array * pick(rng, [0, -1, 1e10, 1e-10]))
    return changed


def npz_mutated(arrays: dict[str, np.ndarray], rng: np.random.Generator) -> bytes:
    """An npz file: other arrays, other headers, other members, or other bytes."""
    kind = int(rng.integers(4))
    if kind == 0:
        return _npz(arrays_mutated(arrays, rng))
    if kind == 1:
        return bytes_mutated(_npz(arrays), rng)
    written = io.BytesIO()
    with zipfile.ZipFile(
        written, "w", pick(rng, [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
    ) as archive:
        for name, array in arrays.items():
            data = io.BytesIO()
            np.save(data, array)
            member = data.getvalue()
            if kind == 2:
                member = _with_header(member, rng)
            elif rng.random() < 0.5:
                member = bytes_mutated(member, rng)
            archive.writestr(pick(rng, [f"{name}.npy"] * 6 + [name, "../x.npy", "a" * 300]), member)
            if rng.random() < 0.05:
                archive.writestr(f"{name}.npy", member)
    return written.getvalue()


def _npz(arrays: dict[str, np.ndarray]) -> bytes:
    written = io.BytesIO()
    np.savez(written, **{name or "empty": array for name, array in arrays.items()})
    return written.getvalue()


def _with_header(member: bytes, rng: np.random.Generator) -> bytes:
    """A .npy file whose header says something else."""
    length = struct.unpack("<H", member[8:10])[0]
    shapes = [
        "(-1, 5, 4)",
        "(1e9, 5, 4)",
        "(10000000000000, 5, 4)",
        "(True, 5, 4)",
        "()",
        "(2, 5, 4",
        "((1,), 2)",
        "(0, 5, 4)",
    ]
    dtypes = [
        "'>f8'",
        "'|O'",
        "'<f4'",
        "'<c16'",
        "'<U10'",
        "[('a', '<f8')]",
        "'<m8[D]'",
        "'x'",
        "None",
        "'|V0'",
        "'<f8' * 9",
    ]
    header = f"{{'descr': {pick(rng, [*dtypes, chr(39) + '<f8' + chr(39)])}, 'fortran_order': "
    header += (
        f"{pick(rng, ['False', 'True', '1', 'None', '__import__'])}, 'shape': {pick(rng, [*shapes, '(2, 5, 4)'])}, }}"
    )
    if rng.random() < 0.1:
        header = pick(rng, ["(" * 5000, "", "{}", "[]", "\0", "{'a': 1", "9" * 60_000])
    text = header.encode() + b"\n"
    version = pick(rng, [b"\x01\x00", b"\x01\x00", b"\x02\x00", b"\x09\x00"])
    size = struct.pack("<H", len(text) % 65536) if version != b"\x02\x00" else struct.pack("<I", len(text))
    return member[:6] + version + size + text + member[10 + length :]


def tar_mutated(files: dict[str, bytes], rng: np.random.Generator) -> bytes:
    """A tar archive with odd members, names, sizes and kinds, or other bytes."""
    written = io.BytesIO()
    forms = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]
    kinds = [tarfile.REGTYPE] * 12 + [
        tarfile.SYMTYPE,
        tarfile.LNKTYPE,
        tarfile.DIRTYPE,
        tarfile.FIFOTYPE,
        tarfile.CHRTYPE,
    ]
    kinds += [tarfile.GNUTYPE_SPARSE, tarfile.CONTTYPE]
    members = list(files.items())
    if rng.random() < 0.5:
        rng.shuffle(members)  # type: ignore[arg-type]
    with tarfile.open(fileobj=written, mode="w", format=pick(rng, forms)) as tar:
        for name, data in members:
            if rng.random() < 0.15:
                name = pick(
                    rng,
                    ["../" + name, "/" + name, name.upper(), name + "/", "a" * 400, "", "m/0/manifest.json", "\0", "é"],
                )
            if rng.random() < 0.15:
                data = bytes_mutated(data, rng)
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.type = pick(rng, kinds)
            info.linkname = pick(rng, ["", "/etc/passwd", name])
            info.mode = int(rng.integers(0o7777))
            if rng.random() < 0.1:
                info.pax_headers = {
                    "GNU.sparse.realsize": "99999999999",
                    pick(rng, ["path", "size", "mtime"]): pick(rng, _NUMBERS),
                }
            try:
                tar.addfile(info, io.BytesIO(data))
            except (ValueError, OSError, UnicodeError):
                continue
    data = written.getvalue()
    return bytes_mutated(data, rng) if rng.random() < 0.3 else data
