"""Event files."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest

from ampcli.errors import IntegrityError, NotFoundError, UsageError
from ampcli.events import open_events
from ampcli.process import parse_process

PROCESS = parse_process("e- e+ > d d~ g")


@pytest.fixture
def momenta(rng):
    return rng.normal(size=(1000, 5, 4))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("size", [1, 7, 1000, 5000])
def test_batches_are_the_array(tmp_path, momenta, save, size):
    save(tmp_path / "events.npz", momenta=momenta[:50] if size == 1 else momenta, weight=np.ones(3))
    events = open_events(tmp_path / "events.npz", PROCESS)
    batches = list(events.batches(size))
    assert all(len(batch) == size for batch in batches[:-1])
    np.testing.assert_array_equal(np.concatenate(batches), momenta[: events.rows])


def test_stores_are_events(store3):
    events = open_events(store3.path, PROCESS)
    assert events.rows == 3000
    np.testing.assert_array_equal(np.concatenate(list(events.batches(700))), store3.read("momenta"))


def test_single_precision_is_passed_on_for_the_check_of_momenta(tmp_path, momenta):
    np.savez(tmp_path / "events.npz", momenta=momenta.astype(np.float32))
    assert next(open_events(tmp_path / "events.npz", PROCESS).batches(10)).dtype == np.float32


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((5, 4)), r"not \(5, 4\)"),
        (np.zeros((5, 4, 3)), r"not \(5, 4, 3\)"),
        (np.zeros((0, 5, 4)), r"not \(0, 5, 4\)"),
        (np.zeros((5, 5, 4), dtype=int), "int64"),
        (np.zeros((5, 5, 4), dtype=complex), "complex128"),
        (np.asfortranarray(np.random.default_rng(1).normal(size=(5, 5, 4))), "Fortran order"),
    ],
)
def test_arrays_that_are_no_momenta(tmp_path, array, said):
    np.savez(tmp_path / "events.npz", momenta=array)
    with pytest.raises(UsageError, match=said):
        open_events(tmp_path / "events.npz", PROCESS)


def test_pickled_objects_are_never_read(tmp_path):
    np.savez(tmp_path / "events.npz", momenta=np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises((UsageError, IntegrityError)):
        open_events(tmp_path / "events.npz", PROCESS)


def test_no_array_of_that_name(tmp_path, momenta):
    np.savez(tmp_path / "events.npz", p=momenta, w=momenta)
    with pytest.raises(NotFoundError, match="no array momenta, only p, w"):
        open_events(tmp_path / "events.npz", PROCESS)


def test_no_file(tmp_path):
    with pytest.raises(NotFoundError, match="no file"):
        open_events(tmp_path / "events.npz", PROCESS)


def test_another_kind_of_file(tmp_path):
    (tmp_path / "events.npz").write_text("E px py pz")
    with pytest.raises(UsageError, match="not an npz file"):
        open_events(tmp_path / "events.npz", PROCESS)
    with pytest.raises(UsageError, match="not a store"):
        open_events(tmp_path, PROCESS)


def test_a_flipped_byte(tmp_path, momenta):
    file = tmp_path / "events.npz"
    np.savez(file, momenta=momenta)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(IntegrityError, match=str(file)):
        list(open_events(file, PROCESS).batches(100))


def test_an_array_that_ends_early(tmp_path, momenta):
    np.save(tmp_path / "momenta.npy", momenta)
    data = (tmp_path / "momenta.npy").read_bytes()
    with zipfile.ZipFile(tmp_path / "events.npz", "w") as archive:
        archive.writestr("momenta.npy", data[: len(data) // 2])
    with pytest.raises(IntegrityError, match="ends within event 49"):
        list(open_events(tmp_path / "events.npz", PROCESS).batches(64))


def test_a_header_that_is_no_header(tmp_path):
    with zipfile.ZipFile(tmp_path / "events.npz", "w") as archive:
        archive.writestr("momenta.npy", b"\x93NUMPY\x01\x00")
    with pytest.raises(IntegrityError):
        open_events(tmp_path / "events.npz", PROCESS)
