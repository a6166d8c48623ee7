"""Splits by events: whatever store an event is in, it is in the same split."""

from __future__ import annotations

import numpy as np
import pytest

from ampcli.errors import UsageError
from ampcli.generation.generate import generate, prepare
from ampcli.phasespace.rambo import rambo
from ampcli.store.reader import open_store
from ampcli.store.splits import event_codes, row_codes, rows_in

EVENTS = 60_000


@pytest.fixture(scope="module", params=[2, 4])
def momenta(request) -> np.ndarray:
    """Massless events (n, n_final, 4) at 1000 GeV."""
    return rambo(np.random.default_rng(5).random((EVENTS, request.param, 4)), 1000.0)


def mixed(n: int) -> int:
    """SplitMix64's finaliser of n + 0x9E3779B97F4A7C15, modulo 6, in Python's integers."""
    mask = 2**64 - 1
    z = (n + 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return (z ^ (z >> 31)) % 6


def test_codes_are_fixed_for_all_time(momenta):
    for event, code in zip(momenta[:200], event_codes(momenta[:200]), strict=True):
        squared = sum(float(x) ** 2 + float(y) ** 2 for _, x, y, _ in event)
        mantissa, exponent = np.frexp(squared)
        rounded = float(round(mantissa * 2**18)) * 2.0 ** (int(exponent) - 18)
        assert code == mixed(int(np.float64(rounded).view(np.uint64)))
    assert row_codes(500).tolist() == [mixed(n) for n in range(500)]


def test_splits_partition_the_events_4_to_1_to_1(momenta):
    codes = event_codes(momenta)
    split = {name: rows_in(codes, name) for name in ("train", "validation", "test")}
    np.testing.assert_array_equal(np.sort(np.concatenate(list(split.values()))), np.arange(EVENTS))
    np.testing.assert_array_equal(rows_in(codes, "all"), np.arange(EVENTS))
    for name, share in {"train": 4 / 6, "validation": 1 / 6, "test": 1 / 6}.items():
        # Events that share their 18 bits share their split, so the spread is a bit more than binomial.
        assert abs(len(split[name]) - EVENTS * share) < 6 * np.sqrt(EVENTS * share * (1 - share)), name


def test_splits_do_not_depend_on_the_events(momenta):
    """In each tenth of what is hashed, of an energy, and of the rows, all six codes are equally frequent."""
    codes = event_codes(momenta)
    transverse = (momenta[..., 1] ** 2 + momenta[..., 2] ** 2).sum(axis=1)
    for values in (transverse, momenta[:, 0, 3], momenta[:, 0, 1], np.arange(EVENTS)):
        bins = np.argsort(np.argsort(values)) * 10 // EVENTS
        counts = np.zeros((10, 6))
        np.add.at(counts, (bins, codes), 1)
        found = ((counts - EVENTS / 60) ** 2 / (EVENTS / 60)).sum()
        assert found < 1.5 * 121  # 1.5: events that share their 18 bits share their code; 121: one in a million
    pairs = np.zeros((6, 6))
    np.add.at(pairs, (codes[:-1], codes[1:]), 1)
    assert ((pairs - EVENTS / 36) ** 2 / (EVENTS / 36)).sum() < 1.5 * 85


def rotated(p: np.ndarray) -> np.ndarray:
    c, s = np.cos(1.1), np.sin(1.1)
    return np.stack([p[..., 0], c * p[..., 1] - s * p[..., 2], s * p[..., 1] + c * p[..., 2], p[..., 3]], axis=-1)


def boosted(p: np.ndarray) -> np.ndarray:
    c, s = np.cosh(1.7), np.sinh(1.7)
    return np.stack([c * p[..., 0] + s * p[..., 3], p[..., 1], p[..., 2], s * p[..., 0] + c * p[..., 3]], axis=-1)


@pytest.mark.parametrize(
    "same",
    [lambda p: p[:, ::-1], rotated, boosted, lambda p: p * [1, 1, 1, -1], lambda p: p * [1, -1, 1, -1]],
    ids=["relabelled", "rotated", "boosted", "reflected", "beams exchanged"],
)
def test_the_same_event_is_in_the_same_split(momenta, same):
    assert (event_codes(same(momenta)) != event_codes(momenta)).mean() < 1e-4


@pytest.mark.parametrize(("digits", "moved"), [(8, 0.02), (10, 3e-4), (17, 0.0)])
def test_the_digits_of_event_files_rarely_move_an_event(momenta, digits, moved):
    some = momenta[:5000]
    written = np.array([float(f"{value:.{digits - 1}e}") for value in some.ravel()]).reshape(some.shape)
    assert (event_codes(written) != event_codes(some)).mean() <= moved


def test_events_along_the_beams():
    along = np.zeros((3, 2, 4))
    along[..., 0], along[..., 3] = 500.0, [500.0, -500.0]
    assert len(set(event_codes(along))) == 1


def test_unknown_split():
    with pytest.raises(UsageError, match='unknown split "dev"'):
        rows_in(row_codes(10), "dev")


def test_a_store_and_its_relatives_split_alike(tmp_path, store3, request_for):
    """More points, another cut, and a store made from the events of one: an event keeps its split."""
    known = {
        row.tobytes(): split for split in ("train", "validation", "test") for row in store3.read_split("momenta", split)
    }
    events = np.concatenate([store3.read("momenta")[::-1]] * 2)
    beams = np.tile([[500.0, 0, 0, 500.0], [500.0, 0, 0, -500.0]], (len(events), 1, 1))
    np.savez(tmp_path / "events.npz", momenta=np.concatenate([beams, events], axis=1))
    for name, changes in {
        "larger": {"points": 20_000},
        "cut": {"y_cut": 0.02, "points": 4000},
        "given": {"momenta": tmp_path / "events.npz", "points": None},
    }.items():
        path = tmp_path / f"{name}.zarr"
        generate(prepare(request_for(path, **changes)))
        other, shared = open_store(path), 0
        for split in ("train", "validation", "test"):
            found = [known.get(row.tobytes()) for row in other.read_split("momenta", split)]
            assert set(found) <= {split, None}
            shared += sum(split == of for of in found)
        assert shared >= 2000, name
