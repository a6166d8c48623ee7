"""Event files."""

from __future__ import annotations

import struct
import zipfile

import numpy as np
import pytest

from ampcli.errors import AmpcliError, IntegrityError, NotFoundError, UsageError
from ampcli.events.files import open_events
from ampcli.events.intake import Intake
from ampcli.kinematics import checked_momenta, with_beams
from ampcli.phasespace.rambo import rambo
from ampcli.process import parse_process

PROCESS = parse_process("e- e+ > d d~ g")


@pytest.fixture
def momenta(rng):
    return with_beams(np.ascontiguousarray(rambo(rng.random((1000, 3, 4)), 1000.0)), 1000.0)


def taken(path, process=PROCESS, **choice):
    """The momenta that an intake of a file gives, and the intake."""
    intake = Intake(open_events(path, process), (process,), **choice)
    return np.concatenate([batch.momenta for batch in intake.batches(300)]), intake


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("size", [1, 7, 1000, 5000])
@pytest.mark.parametrize("order", ["C", "F"])
def test_batches_are_the_array(tmp_path, momenta, save, size, order):
    given = np.asarray(momenta[:50] if size == 1 else momenta, order=order)
    save(tmp_path / "events.npz", momenta=given, weight=np.ones(3))
    events = open_events(tmp_path / "events.npz", PROCESS)
    batches = list(events.batches(size))
    assert all(len(batch.event) == size for batch in batches[:-1])
    np.testing.assert_array_equal(np.concatenate([batch.momenta for batch in batches]), given)
    np.testing.assert_array_equal(np.concatenate([batch.event for batch in batches]), np.arange(events.rows))


def test_stores_are_events(store3):
    events = open_events(store3.path, PROCESS)
    assert events.rows == 3000
    momenta = np.concatenate([batch.momenta for batch in events.batches(700)])
    np.testing.assert_array_equal(momenta, store3.read("momenta"))


@pytest.mark.parametrize("dtype", [">f8", "<f8", "longdouble"])
@pytest.mark.parametrize("beams", [True, False])
def test_kinds_of_double_precision(tmp_path, momenta, dtype, beams):
    np.savez(tmp_path / "events.npz", momenta=(momenta if beams else momenta[:, 2:]).astype(dtype))
    found, intake = taken(tmp_path / "events.npz")
    assert found.dtype == np.float64
    assert intake.repaired == 0
    np.testing.assert_allclose(found, momenta, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(found[:, 2:], momenta[:, 2:])


@pytest.mark.parametrize("dtype", [">f4", "<f4"])
def test_single_precision_is_repaired_and_reported(tmp_path, momenta, dtype):
    np.savez(tmp_path / "events.npz", momenta=momenta.astype(dtype))
    found, intake = taken(tmp_path / "events.npz")
    assert intake.repaired == 1000
    assert 1e-9 < intake.shift < 1e-5
    np.testing.assert_allclose(found, momenta, rtol=0, atol=1e-3)
    assert any("repaired" in line for line in intake.text)


@pytest.mark.parametrize("digits", [7, 8])
def test_few_digits_are_repaired_on_request(tmp_path, momenta, digits):
    written = np.array([float(f"{value:.{digits - 1}e}") for value in momenta[:100].ravel()]).reshape(100, 5, 4)
    np.savez(tmp_path / "events.npz", momenta=written)
    with pytest.raises(UsageError, match="repair"):
        taken(tmp_path / "events.npz")
    found, intake = taken(tmp_path / "events.npz", repair=True)
    assert intake.repaired == 100
    moved = np.abs(found - written)[:, 2:].max(axis=2) / written[:, 2:, 0]
    assert intake.shift == pytest.approx(moved.max(), rel=1e-6)
    assert intake.shift < 10.0 ** (2 - digits)
    np.testing.assert_allclose(found[:, 2:].sum(axis=1), [[1000.0, 0, 0, 0]] * 100, atol=1e-9)


def test_repair_has_limits(tmp_path, momenta):
    momenta[7, 3] *= 1.001
    np.savez(tmp_path / "events.npz", momenta=momenta)
    with pytest.raises(UsageError, match=r"event 7 .* balance by more than rounding"):
        taken(tmp_path / "events.npz", repair=True)
    found, intake = taken(tmp_path / "events.npz", repair=True, skip_bad=True)
    assert (len(found), intake.bad) == (999, 1)


def test_bad_events_are_left_out_by_number(tmp_path, momenta):
    bad = [0, 299, 300, 998]
    momenta[bad[0], 2] = np.nan
    momenta[bad[1], 2, 0] *= -1.0
    momenta[bad[2], 4] *= 1.01
    momenta[bad[3]] = momenta[bad[3]][:, [0, 3, 1, 2]]
    np.savez(tmp_path / "events.npz", momenta=momenta)
    with pytest.raises(UsageError, match=r"event 0 \(from 0\): leg 2 has values that are not finite"):
        taken(tmp_path / "events.npz")
    intake = Intake(open_events(tmp_path / "events.npz", PROCESS), (PROCESS,), skip_bad=True)
    numbers = np.concatenate([batch.event for batch in intake.batches(300)])
    np.testing.assert_array_equal(numbers, np.setdiff1d(np.arange(1000), bad))
    assert intake.document["not_physical"] == 4
    assert intake.document["in_file"] == 1000


def test_another_z_mass_is_named():
    process = parse_process("d d~ > z g")
    p = np.array([0.0, 40.0, 30.0, 20.0])
    z, gluon = p.copy(), -p
    z[0], gluon[0] = np.sqrt(91.1876**2 + (p**2).sum()), np.sqrt((p**2).sum())
    with pytest.raises(UsageError, match=r"m = 91.188 GeV.*91\.1876 GeV") as refused:
        checked_momenta(with_beams(np.stack([z, gluon])[None]), process)
    assert "--parameter m_z=91.1876" in refused.value.hint


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((5, 4)), r"not \(5, 4\)"),
        (np.zeros((5, 4, 4)), r"not \(5, 4, 4\)"),
        (np.zeros((5, 5, 3)), r"not \(5, 5, 3\)"),
        (np.zeros((0, 5, 4)), r"not \(0, 5, 4\)"),
        (np.zeros((5, 5, 4), dtype=int), "int64"),
        (np.zeros((5, 5, 4), dtype=complex), "complex128"),
        (np.zeros((5, 5, 4), dtype=np.float16), "float16"),
    ],
)
def test_arrays_that_are_no_momenta(tmp_path, array, said):
    np.savez(tmp_path / "events.npz", momenta=array)
    with pytest.raises(UsageError, match=said):
        open_events(tmp_path / "events.npz", PROCESS)


def test_too_many_legs_are_refused_before_anything_is_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "events.npz", "w") as archive, archive.open("momenta.npy", "w") as stream:
        header = {"descr": "<f8", "fortran_order": False, "shape": (100000, 20000, 4)}
        np.lib.format.write_array_header_1_0(stream, header)
    with pytest.raises(UsageError, match=r"not \(100000, 20000, 4\)"):
        open_events(tmp_path / "events.npz", PROCESS)


def test_masked_momenta_are_refused(momenta):
    with pytest.raises(UsageError, match="masked"):
        checked_momenta(np.ma.masked_greater(momenta, 400.0), PROCESS)


HEADERS = [
    "{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 5, 4), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (True, 5, 4), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (1e20, 5, 4), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (100000000000000000000, 5, 4), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (10, 5",
    "{'descr': '<f8', 'fortran_order': False}",
    "{'descr': 'nonsense', 'fortran_order': False, 'shape': (10, 5, 4), }",
    "(" * 3000,
    "__import__('os').system('true')",
]


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("version", [1, 2, 7])
def test_headers_that_make_no_sense(tmp_path, momenta, header, version):
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    content = b"\x93NUMPY" + bytes([version, 0]) + length + header.encode() + momenta[:10].tobytes()
    with zipfile.ZipFile(tmp_path / "events.npz", "w") as archive:
        archive.writestr("momenta.npy", content)
    with pytest.raises(IntegrityError, match=r"events\.npz"):
        open_events(tmp_path / "events.npz", PROCESS)


def test_seeded_damage_ends_in_clear_errors(tmp_path, momenta):
    """Flips, cuts and insertions anywhere in stored and compressed files: never another exception."""
    whole = []
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "events.npz", momenta=momenta[:5])
        whole.append((tmp_path / "events.npz").read_bytes())
    rng = np.random.default_rng(3)
    refused = 0
    for _ in range(300):
        content = bytearray(whole[rng.integers(2)])
        at = int(rng.integers(len(content)))
        match rng.integers(3):
            case 0:
                content[at] ^= 1 << int(rng.integers(8))
            case 1:
                del content[at : at + int(rng.integers(1, 300))]
            case _:
                content[at:at] = rng.bytes(int(rng.integers(1, 9)))
        (tmp_path / "events.npz").write_bytes(content)
        try:
            taken(tmp_path / "events.npz")
        except AmpcliError:
            refused += 1
    assert refused > 100


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
    with pytest.raises(IntegrityError, match="ends within event 499"):
        list(open_events(tmp_path / "events.npz", PROCESS).batches(64))


def test_a_header_that_is_no_header(tmp_path):
    with zipfile.ZipFile(tmp_path / "events.npz", "w") as archive:
        archive.writestr("momenta.npy", b"\x93NUMPY\x01\x00")
    with pytest.raises(IntegrityError):
        open_events(tmp_path / "events.npz", PROCESS)
