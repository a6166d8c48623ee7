"""Arrays, and archives of them and of other files, that are slightly or very wrong."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile

import numpy as np

from faults.mutators import NUMBERS, bytes_mutated, pick


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
                    pick(rng, ["path", "size", "mtime"]): pick(rng, NUMBERS),
                }
            try:
                tar.addfile(info, io.BytesIO(data))
            except (ValueError, OSError, UnicodeError):
                continue
    data = written.getvalue()
    return bytes_mutated(data, rng) if rng.random() < 0.3 else data
