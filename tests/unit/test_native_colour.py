"""Colour of the native amplitudes: matrices, the recursion's tables, squared orderings and colour flows."""

from __future__ import annotations

import math
from itertools import permutations, product

import numpy as np
import pytest
from parton_points import chain_of

from ampcli.amplitudes.native.colour import ColourForm, colour_form, colour_matrix, leading_colour, orderings
from ampcli.amplitudes.native.flows import flow_tags
from ampcli.amplitudes.native.provider import Native
from ampcli.amplitudes.native.tables import by_letter, by_position, kleiss_kuijf, shuffles, tables
from ampcli.kinematics import with_beams
from ampcli.phasespace.rambo import rambo
from ampcli.process import parse_process

E = 1000.0
N_C, C_F = 3, 4 / 3


def native(process: str) -> Native:
    return Native(parse_process(process))


def sample(process: str, n: int = 50, seed: int = 9) -> np.ndarray:
    legs = parse_process(process)
    final = np.ascontiguousarray(rambo(np.random.default_rng(seed).random((n, legs.n_final, 4)), E))
    final[..., 0] = np.sqrt((final[..., 1:] ** 2).sum(axis=2) + np.array(legs.final_masses) ** 2)
    return with_beams(final)


def matrix_of(gluons: int) -> np.ndarray:
    matrix, divisor = colour_matrix(gluons)
    return matrix / divisor


def generators() -> np.ndarray:
    """T^a = lambda^a / 2 with Gell-Mann's matrices; (8, 3, 3)."""
    t = np.zeros((8, 3, 3), dtype=complex)
    for a, (i, j) in zip((0, 3, 5), ((0, 1), (0, 2), (1, 2)), strict=True):
        t[a, i, j] = t[a, j, i] = 1 / 2
        t[a + 1, i, j], t[a + 1, j, i] = -1j / 2, 1j / 2
    t[2] = np.diag([1, -1, 0]) / 2
    t[7] = np.diag([1, 1, -2]) / (2 * math.sqrt(3))
    return t


def test_colour_matrix_by_hand():
    assert matrix_of(0).tolist() == [[N_C]]
    assert matrix_of(1) == pytest.approx(np.array([[N_C * C_F]]))
    crossed = N_C * C_F * (C_F - N_C / 2)  # Tr(T^a T^b T^a T^b)
    assert crossed == pytest.approx(-C_F / 2)
    assert matrix_of(2) == pytest.approx(np.array([[N_C * C_F**2, crossed], [crossed, N_C * C_F**2]]))


@pytest.mark.parametrize("gluons", [1, 2, 3, 4])
def test_colour_matrix_by_matrices(gluons):
    products = []  # of every ordering, for all colours of the gluons in their own order
    t = generators()
    np.testing.assert_allclose(np.einsum("aij,bji->ab", t, t).view(float)[:, ::2], np.eye(8) / 2, atol=1e-15)
    for word in orderings(gluons):
        chain = np.eye(3, dtype=complex)[None]  # (colours so far, 3, 3)
        for _ in word:
            chain = np.einsum("cij,ajk->caik", chain, t).reshape(-1, 3, 3)
        colours = chain.reshape((8,) * gluons + (9,))
        products.append(colours.transpose([*(word.index(letter) for letter in range(gluons)), gluons]).ravel())
    rows = np.array(products)
    expected = rows @ rows.conj().T
    np.testing.assert_allclose(expected.imag, 0.0, atol=1e-13)
    np.testing.assert_allclose(matrix_of(gluons), expected.real, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("gluons", range(6))
def test_colour_matrix_is_symmetric_and_positive(gluons):
    matrix, divisor = colour_matrix(gluons)
    assert matrix.shape == (math.factorial(gluons),) * 2
    np.testing.assert_array_equal(matrix, matrix.T)
    assert np.linalg.eigvalsh(matrix / divisor).min() > 1
    np.testing.assert_allclose(np.diag(matrix) / divisor, N_C * C_F**gluons, rtol=1e-14)


def applied(form: ColourForm, x: np.ndarray) -> float:
    x = x.copy()
    for i, j in form.butterflies:
        x[i], x[j] = x[i] + x[j], x[i] - x[j]
    return float(sum(x[i] * coefficient * x[j] for i, row in enumerate(form.rows) for j, coefficient in row))


@pytest.mark.parametrize("gluons", range(6))
def test_colour_form_is_the_same_quadratic_form(gluons, rng):
    form, matrix = colour_form(gluons), matrix_of(gluons)
    for _ in range(5):
        x = rng.normal(size=len(matrix))
        assert applied(form, x) == pytest.approx(x @ matrix @ x, rel=1e-12)
    assert all(j >= i for i, row in enumerate(form.rows) for j, _ in row)
    coefficients, all_pairs = sum(map(len, form.rows)), len(matrix) * (len(matrix) + 1) // 2
    assert coefficients < all_pairs / 2 if gluons > 2 else coefficients <= all_pairs


def test_orderings():
    assert orderings(0) == [()]
    assert orderings(3)[:3] == [(0, 1, 2), (0, 2, 1), (1, 0, 2)]
    assert native("g g > d~ z d g").orderings == list(permutations((0, 1, 5)))


def test_shuffles():
    assert shuffles((1,), (2,)) == [(1, 2), (2, 1)]
    assert sorted(shuffles((1, 2), (3,))) == [(1, 2, 3), (1, 3, 2), (3, 1, 2)]
    for left, right in product(range(4), range(4)):
        found = shuffles(tuple(range(left)), tuple(range(left, left + right)))
        assert len(found) == len(set(found)) == math.comb(left + right, left)


def test_kleiss_kuijf():
    assert kleiss_kuijf((0, 2, 1)) == (1, [(0, 2, 1)])
    assert kleiss_kuijf((1, 0)) == (-1, [(0, 1)])  # currents are antisymmetric: J(1 0) = -J(0 1)
    assert kleiss_kuijf((3, 0, 5)) == (-1, [(0, 3, 5), (0, 5, 3)])
    assert kleiss_kuijf((4, 3, 2)) == (1, [(2, 3, 4)])  # reversed: (-1)^(letters - 1)
    sign, words = kleiss_kuijf((2, 1, 0, 3))
    assert (sign, set(words)) == (1, {(0, 1, 2, 3), (0, 1, 3, 2), (0, 3, 1, 2)})


def test_polarisations_by_position_and_by_letter():
    assert by_position((2, 0), 0b001) == 0b10  # gluon 0 is the second letter
    assert by_letter((2, 0), 0b01) == 0b100
    for word in orderings(4):
        assert [by_letter(word, by_position(word, h)) for h in range(16)] == list(range(16))
        assert [by_position(word, by_letter(word, h)) for h in range(16)] == list(range(16))


@pytest.mark.parametrize("gluons", range(6))
def test_tables(gluons):
    ints, colour = tables(gluons)
    n, slots, ordered, basis, *offsets = ints[:10].tolist()
    assert (n, ordered, basis) == (gluons, math.factorial(gluons), math.factorial(gluons - 1) if gluons else 0)
    at = 10

    def take(count: int, below: int = 1 << 30) -> list[int]:
        nonlocal at
        at += count
        assert at <= len(ints)
        taken: list[int] = ints[at - count : at].tolist()
        assert all(0 <= number < below for number in taken)
        return taken

    starts = [at]
    written = {0} | set(range(1, 1 + 2 * gluons if gluons > 1 else 1))  # none and one gluon
    for letters in range(2, gluons):
        for _ in range(*take(1)):
            slot, word = take(2)
            for split in range(1, letters):
                left, right, left_set, right_set = take(4)
                assert (left_set | right_set, left_set & right_set) == (word, 0)
                assert (left_set.bit_count(), right_set.bit_count()) == (split, letters - split)
                assert written >= {*range(left, left + 2**split), *range(right, right + 2 ** (letters - split))}
            assert written.isdisjoint(range(slot, slot + 2**letters))
            written.update(range(slot, slot + 2**letters))
        basis_slots = set(written)
        for _ in range(*take(1)):
            slot, *_flags, sources = (*take(1, slots), *take(2, 2), *take(1))
            assert set(take(sources)) <= basis_slots
            assert slot not in written
            written.add(slot)
    assert written == set(range(slots))
    starts, quark_slots = [*starts, at], {0}
    for _ in range(*take(1)):
        slot, letters, word = take(3)
        assert letters == word.bit_count() < gluons
        assert set(take(2 * (letters + 1), slots)[: 2 * letters : 2]) <= quark_slots  # shorter prefixes come first
        quark_slots.add(slot)
    starts.append(at)
    for _ in range(ordered):
        take(2 * (gluons + 1), slots)
        assert sorted(take(2**gluons)) == list(range(2**gluons))
    starts.append(at)
    tops = [take(1 + 4 * (gluons - 1))[0] for _ in range(basis)]
    assert tops == [number for number, word in enumerate(orderings(gluons)) if word[:1] == (0,)]
    starts.append(at)
    for _ in range(*take(1)):
        take(2, ordered)
    assert sum(len(take(*take(1), ordered)) for _ in range(ordered)) == len(colour)
    starts.append(at)
    for _ in range(ordered):
        _negative, sources = (*take(1, 2), *take(1))
        assert len(set(take(sources, basis))) == sources >= min(gluons, 1)
    assert starts == offsets
    assert at == len(ints)


SQUARED = ["e- e+ > d d~", "e- e+ > u u~ g", "d g > z d", "g d~ > g d~ z", "d d~ > z g g g", "g g > d~ z d g"]


@pytest.mark.parametrize("process", SQUARED)
def test_leading_colour(process):
    provider, p = native(process), sample(process)
    squares, full = provider.squared_orderings(p), provider.evaluate(p)
    gluons = process.split().count("g")
    assert leading_colour(gluons) == N_C * 1.5**gluons
    assert squares.shape == (len(p), math.factorial(gluons)) == (len(p), len(provider.orderings))
    np.testing.assert_allclose(provider.leading_colour(p), squares.sum(axis=1), rtol=1e-14)
    if gluons < 2:  # C_F / (N / 2)
        np.testing.assert_allclose(full / provider.leading_colour(p), (8 / 9) ** gluons, rtol=1e-13)


@pytest.mark.parametrize("process", SQUARED)
def test_colour_lines(process):
    provider = native(process)
    for tags, legs in zip(flow_tags(provider.line), provider.orderings, strict=True):
        assert chain_of(tags) == (provider.line.quark, *legs, provider.line.antiquark)
        for leg, (colour, anticolour) in zip(provider.process.legs, tags.tolist(), strict=True):
            assert (colour > 500) == (leg.kind in ("quark", "gluon"))
            assert (anticolour > 500) == (leg.kind in ("antiquark", "gluon"))
            assert colour != anticolour or leg.kind in ("lepton", "vector")


@pytest.mark.parametrize("process", ["e- e+ > d d~ g g g", "d g > z d g", "g g > d~ z d g"])
def test_flows_are_drawn_like_their_squares(process, rng):
    provider, event, n = native(process), sample(process, 1), 20000
    squares = provider.squared_orderings(event)[0]
    flows = provider.colour_flows(np.repeat(event, n, axis=0), rng.random(n))
    expected = n * squares / squares.sum()
    found = np.array([(flows == tags).all(axis=(1, 2)).sum() for tags in flow_tags(provider.line)])
    assert found.sum() == n
    assert (np.abs(found - expected) < 4 * np.sqrt(expected)).all()


@pytest.mark.parametrize(("emitter", "place"), [(2, 1), (3, -2)])
def test_gluons_near_a_quark_are_its_neighbours(emitter, place, rng):
    p, provider = sample("e- e+ > d d~ g", 300), native("e- e+ > d d~ g g")
    final = np.concatenate([p[:, 2:], p[:, emitter, None] * 0.4], axis=1)
    final[:, emitter - 2] *= 0.6
    sideways = np.cross(p[:, emitter, 1:], [0.0, 0.0, 1.0]) * 1e-3
    final[:, [emitter - 2, -1], 1:] += np.stack([sideways, -sideways], axis=1)
    final[..., 0] = np.linalg.norm(final[..., 1:], axis=2)
    flows = provider.colour_flows(with_beams(final), rng.random(len(p)))
    assert np.mean([chain_of(tags)[place] == 5 for tags in flows]) > 0.99


@pytest.mark.parametrize("process", ["e- e+ > d d~", "d d~ > z g", "e- e+ > d d~ g g", "d g > z d g g"])
def test_smallest_and_largest_uniforms(process):
    provider, p = native(process), sample(process)
    tags = flow_tags(provider.line)
    assert (provider.colour_flows(p, np.zeros(len(p))) == tags[0]).all()
    assert (provider.colour_flows(p, np.full(len(p), np.nextafter(1.0, 0.0))) == tags[-1]).all()
    assert provider.colour_flows(p[:0], np.empty(0)).shape == (0, len(provider.process.legs), 2)
