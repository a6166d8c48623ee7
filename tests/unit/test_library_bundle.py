"""Bundles: what is written is read, in Python and by bundle.h; and what is damaged is refused."""

from __future__ import annotations

import shutil
import subprocess
import zlib

import numpy as np
import pytest

import ampcli.library
from ampcli.errors import IntegrityError
from ampcli.library.bundle import MAX_NAME, read_bundle, write_bundle

HEADERS = ampcli.library.__path__[0]
CONTENT = {
    "network/0/weights": np.arange(6.0).reshape(2, 3),
    "network/0/bias": np.array([0.5, -0.5], dtype=np.float32),
    "none": np.zeros((0, 3), dtype=np.int64),
    "number": np.array(7, dtype=np.int32),
    "bytes": np.arange(5, dtype=np.uint8),
    "text": "d d~ > z g, γ",
    "empty": "",
}

#: Prints every entry; then the answers to questions that do not fit.
READER = r"""
#include "bundle.h"
using namespace ampcli;
int main(int, char** files) {
  Storage storage; Error error; Bundle bundle;
  if (!storage.read(files[1], error) || !bundle.open(storage.data(), storage.size(), error))
    return std::puts(error.text), 1;
  for (std::size_t i = 0; i < bundle.count(); ++i) {
    View view = bundle.at(i);
    double sum = 0;
    for (long k = 0; k < view.elements(); ++k)
      sum += view.type == Type::float64 ? reinterpret_cast<const double*>(view.data)[k]
           : view.type == Type::float32 ? reinterpret_cast<const float*>(view.data)[k]
           : view.type == Type::int32 ? reinterpret_cast<const std::int32_t*>(view.data)[k]
           : view.type == Type::int64 ? reinterpret_cast<const std::int64_t*>(view.data)[k] : view.data[k];
    std::printf("%s %s %d %lld %g %d\n", view.name, name_of(view.type), view.rank, (long long)view.elements(), sum,
                int(reinterpret_cast<std::uintptr_t>(view.data) % ALIGNMENT));
  }
  const double* weights; const float* singles; std::int64_t shape[2]; std::int32_t number; const char* text;
  Folder layer = Folder(bundle, "network/").folder("0/");
  if (!layer.array("weights", &weights, {2, -1}, error, shape)) return 2;
  std::printf("%lld %g\n", (long long)shape[1], weights[5]);
  if (!Folder(bundle, "").number("number", number, error) || !Folder(bundle, "").text("text", &text, error)) return 3;
  std::printf("%d %s\n", number, text);
  if (layer.array("weights", &weights, {3, -1}, error)) return 4; else std::puts(error.text);
  if (layer.array("weights", &singles, {2, 3}, error)) return 5; else std::puts(error.text);
  if (layer.array("more", &weights, {2}, error)) return 6; else std::puts(error.text);
}
"""


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reader")
    source = folder / "reader.cpp"
    source.write_text(READER)
    compiler = shutil.which("g++") or shutil.which("c++")
    flags = ["-std=c++17", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    subprocess.run([compiler, *flags, f"-I{HEADERS}", source, "-o", folder / "reader"], check=True)

    def read(data: bytes) -> subprocess.CompletedProcess[str]:
        (folder / "bundle").write_bytes(data)
        return subprocess.run([folder / "reader", folder / "bundle"], capture_output=True, text=True)

    return read


def with_checksum(data: bytes) -> bytes:
    return data[:12] + zlib.crc32(data[16:]).to_bytes(4, "little") + data[16:]


def test_python_reads_what_it_writes():
    found = read_bundle(write_bundle(CONTENT))
    assert list(found) == sorted(CONTENT)
    for name, value in CONTENT.items():
        if isinstance(value, str):
            assert found[name] == value
        else:
            assert found[name].dtype == value.dtype
            np.testing.assert_array_equal(found[name], value)


def test_the_order_of_names_does_not_matter():
    assert write_bundle(CONTENT) == write_bundle(dict(reversed(CONTENT.items())))


def test_compiled_reader(reader):
    result = reader(write_bundle(CONTENT))
    assert result.stdout.splitlines() == [
        "bytes uint8 1 5 10 0",
        f"empty text 1 0 0 {0}",
        "network/0/bias float32 1 2 0 0",
        "network/0/weights float64 2 6 15 0",
        "none int64 2 0 0 0",
        "number int32 0 1 7 0",
        f"text text 1 {len('d d~ > z g, γ'.encode())} {sum('d d~ > z g, γ'.encode())} 0",
        "3 5",
        "7 d d~ > z g, γ",
        "network/0/weights has the shape (2, 3) instead of (3, any)",
        "network/0/weights is float64 instead of float32",
        "network/0/more is missing",
    ]
    assert result.returncode == 0, result.stderr


def test_arrays_in_other_orders_and_byte_orders_are_the_same_bundle():
    matrix = np.arange(6.0).reshape(2, 3)
    swapped = matrix.astype(matrix.dtype.newbyteorder())
    assert write_bundle({"a": np.asfortranarray(matrix)}) == write_bundle({"a": matrix})
    assert write_bundle({"a": swapped}) == write_bundle({"a": matrix})


@pytest.mark.parametrize(
    "content",
    [
        {"": "x"},
        {"a\0b": "x"},
        {"n" * (MAX_NAME + 1): "x"},
        {"a": "x\0y"},
        {"a": np.zeros(2, dtype=complex)},
        {"a": np.zeros((1,) * 5)},
        {"a": np.zeros(2, dtype=np.int16)},
    ],
)
def test_what_a_bundle_cannot_hold(content):
    with pytest.raises(ValueError, match=r"bundle|contains a zero"):
        write_bundle(content)


def test_the_longest_name(reader):
    result = reader(write_bundle({"n" * MAX_NAME: "x"}))
    assert result.stdout.startswith("n" * MAX_NAME + " text")


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        (8, (2).to_bytes(4, "little"), "a bundle of format 2; this library reads 1"),
        (16, (64).to_bytes(8, "little"), "the file is cut off or too long"),
        (24, (1 << 60).to_bytes(8, "little"), "more entries than bytes"),
        (32, (1 << 63).to_bytes(8, "little"), "names reach beyond the end"),
        (64, (1 << 63).to_bytes(8, "little"), "lies in a wrong place"),
        (64, (65).to_bytes(8, "little"), "lies in a wrong place"),
        (72, (1 << 40).to_bytes(8, "little"), "another size than its shape"),
        (80, (1 << 61).to_bytes(8, "little"), "larger than the file"),
        (112, (1 << 31).to_bytes(4, "little"), "has no name"),
        (116, b"\x06", "unknown type"),
        (117, b"\x05", "unknown type"),
        (128 + 48, bytes(4), "is there twice"),
    ],
)
def test_the_reader_says_what_is_wrong(reader, at, value, message):
    data = write_bundle(CONTENT)
    result = reader(with_checksum(data[:at] + value + data[at + len(value) :]))
    assert result.returncode == 1, result.stderr
    assert message in result.stdout


@pytest.mark.parametrize(("at", "value"), [(24, b"\xff" * 8), (112, b"\xff\xff\0\0"), (116, b"\x06"), (80, bytes(8))])
def test_python_refuses_what_is_not_valid(at, value):
    data = write_bundle(CONTENT)
    with pytest.raises(IntegrityError, match="not valid"):
        read_bundle(with_checksum(data[:at] + value + data[at + len(value) :]))


def test_damage_is_noticed(reader):
    data = write_bundle(CONTENT)
    for broken in (data[:-64], data + bytes(64), data[:40], b"", data[:300] + b"\xff" + data[301:], b"x" + data[1:]):
        with pytest.raises(IntegrityError):
            read_bundle(broken)
        assert reader(broken).returncode == 1
