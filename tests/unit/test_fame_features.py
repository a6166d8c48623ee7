"""The feature block fame, and writing it into a store."""

from __future__ import annotations

import hashlib
import shutil

import numpy as np
import pytest
import torch
import zarr
from samples import read_fame

from ampcli.errors import IntegrityError, NotFoundError, UsageError
from ampcli.features.blocks import make_block
from ampcli.features.fame import FameBlock
from ampcli.process import parse_process
from ampcli.seal import sealed
from ampcli.store.features import stored_block, write_features
from ampcli.store.reader import open_store

CPU = torch.device("cpu")


def block(jets: int, alpha_s: float = 0.118) -> FameBlock:
    return FameBlock(parse_process("e- e+ > d d~" + " g" * (jets - 2)), alpha_s)


def compute(jets: int, final: np.ndarray, alpha_s: float = 0.118) -> dict[str, np.ndarray]:
    found = block(jets, alpha_s).compute(torch.from_numpy(np.ascontiguousarray(final)))
    return {name: tensor.numpy() for name, tensor in found.items()}


@pytest.mark.parametrize("jets", [3, 4, 5])
def test_same_as_the_published_program(fame_reference, jets):
    known = fame_reference(jets)
    found = compute(jets, known["momenta"][:, 2:])
    np.testing.assert_allclose(found["recoil"], known["y"], rtol=1e-10)
    n = known["y"].shape[1]
    np.testing.assert_allclose(found["dipoles"][:, :n], known["dipoles"], rtol=1e-10)
    # Cosines and sines cross zero: they are compared with the strength of their pair.
    cosine, sine = np.split(known["dipoles_all"][:, n:], 2, axis=1)
    strength = np.hypot(cosine, sine)
    error = np.abs(found["dipoles"][:, n:] - known["dipoles_all"][:, n:])
    assert (error <= 1e-10 * np.concatenate([strength, strength], axis=1)).all()


@pytest.mark.parametrize(("jets", "dipoles", "outputs", "angles"), [(3, 2, 2, 0), (4, 10, 12, 1), (5, 27, 33, 3)])
def test_sizes_of_table_1(fame_reference, jets, dipoles, outputs, angles):
    expected = {"recoil": (dipoles,), "dipoles": (outputs,), "azimuth": (angles,)}
    assert block(jets).shapes() == expected
    found = compute(jets, fame_reference(jets)["momenta"][:, 2:])
    assert {name: array.shape[1:] for name, array in found.items()} == expected
    assert {array.dtype for array in found.values()} == {np.dtype(np.float64)}


@pytest.mark.parametrize("jets", [4, 5])
def test_azimuth_belongs_to_the_spin_terms(fame_reference, jets):
    known = fame_reference(jets)
    found = compute(jets, known["momenta"][:, 2:])
    n = known["y"].shape[1]
    cosine, sine = np.split(found["dipoles"][:, n:], 2, axis=1)
    strength = np.hypot(cosine, sine)
    np.testing.assert_allclose(strength * np.cos(2 * found["azimuth"]), cosine, atol=1e-10 * strength.max())
    np.testing.assert_allclose(strength * np.sin(2 * found["azimuth"]), sine, atol=1e-10 * strength.max())


@pytest.mark.parametrize("gluons", [(3, 2, 4), (4, 2, 3), (2, 4, 3)])
def test_exchange_of_gluons_exchanges_the_terms(fame_reference, gluons):
    p = fame_reference(5)["momenta"][:, 2:]
    before, after = compute(5, p), compute(5, p[:, [0, 1, *gluons]])
    permutations = block(5).permutations
    new = dict(enumerate((0, 1, *gluons)))  # leg a of the exchanged event is leg new[a] of the original

    def original(i: int, j: int, k: int) -> tuple[int, int, int]:
        i, j, k = new[i], new[j], new[k]
        return (i, j, k) if i < 2 else (min(i, j), max(i, j), k)

    columns = [permutations.triples.index(original(*triple)) for triple in permutations.triples]
    assert columns != sorted(columns)
    np.testing.assert_allclose(after["recoil"], before["recoil"][:, columns], rtol=1e-12)
    np.testing.assert_allclose(after["dipoles"][:, :27], before["dipoles"][:, columns], rtol=1e-12)
    pairs = [permutations.gluon_pairs.index(tuple(sorted((new[i], new[j])))) for i, j in permutations.gluon_pairs]
    spin = [27 + column for column in pairs] + [30 + column for column in pairs]
    np.testing.assert_allclose(after["dipoles"][:, 27:], before["dipoles"][:, spin], rtol=1e-9, atol=1e-14)


def test_exchange_of_quark_and_antiquark(fame_reference):
    p = fame_reference(4)["momenta"][:, 2:]
    before, after = compute(4, p), compute(4, p[:, [1, 0, 2, 3]])
    triples = block(4).permutations.triples
    swap = {0: 1, 1: 0, 2: 2, 3: 3}
    columns = [triples.index((swap[i], swap[j], swap[k])) for i, j, k in triples]
    np.testing.assert_allclose(after["dipoles"][:, :10], before["dipoles"][:, columns], rtol=1e-12)


def test_terms_are_proportional_to_the_coupling_and_scale_with_the_energy(fame_reference):
    p = fame_reference(4)["momenta"][:, 2:]
    one, two, far = compute(4, p), compute(4, p, 2 * 0.118), compute(4, 10 * p)
    np.testing.assert_allclose(two["dipoles"], 2 * one["dipoles"], rtol=1e-13)
    np.testing.assert_allclose(far["dipoles"], one["dipoles"] / 100, rtol=1e-9, atol=1e-16)
    np.testing.assert_allclose(far["recoil"], one["recoil"], rtol=1e-12)


def test_a_batch_is_its_events(fame_reference):
    p = fame_reference(5)["momenta"][:, 2:]
    whole, single = compute(5, p), compute(5, p[17:18])
    for name, array in whole.items():
        np.testing.assert_allclose(single[name][0], array[17], rtol=1e-13)


def test_stored_features_are_those_of_the_stored_momenta(store4):
    computed = compute(4, store4.read("momenta"))
    for name, array in computed.items():
        np.testing.assert_array_equal(store4.read(f"features/fame/{name}"), array)
    attributes = store4.block_attributes("fame")
    known = {"block": "fame", "version": 1, "options": {"alpha_s": 0.118}, "store_digest": store4.digest}
    assert {key: attributes[key] for key in known} == known
    assert set(attributes) == {*known, "arrays", "seal"}
    for name, sums in attributes["arrays"].items():
        stored = [store4.read(f"features/fame/{name}", store4.plan.rows_of(part)) for part in range(store4.plan.parts)]
        assert sums == [hashlib.sha256(values.tobytes()).hexdigest() for values in stored]


@pytest.fixture
def copy(store3, tmp_path):
    shutil.copytree(store3.path, tmp_path / "copy.zarr")
    return open_store(tmp_path / "copy.zarr")


def test_writing_twice_is_fine_and_leaves_nothing(copy):
    first = write_features(copy, "fame", CPU)
    before = {file: file.stat().st_mtime_ns for file in copy.path.rglob("*") if file.is_file()}
    assert write_features(copy, "fame", CPU) == first
    assert {file: file.stat().st_mtime_ns for file in copy.path.rglob("*") if file.is_file()} == before
    assert sorted(entry.name for entry in (copy.path / "features").iterdir()) == ["fame", "zarr.json"]


def test_replacing(copy):
    (copy.path / "features" / "fame" / "recoil" / "c" / "0" / "0").unlink()
    with pytest.raises(IntegrityError):
        copy.read("features/fame/recoil")
    advanced = []
    write_features(copy, "fame", CPU, replace=True, on_rows=advanced.append)
    assert sum(advanced) == copy.rows
    np.testing.assert_array_equal(copy.read("features/fame/recoil"), compute(3, copy.read("momenta"))["recoil"])


def test_features_of_other_points_are_not_mistaken_for_ours(copy):
    attributes = zarr.open_group(copy.path / "features" / "fame", mode="r+").attrs
    changed = {**attributes, "store_digest": "0" * 64}
    attributes.update(changed)
    with pytest.raises(IntegrityError, match=r"seal\n.*--replace"):
        write_features(copy, "fame", CPU)
    attributes.update(sealed(changed))
    with pytest.raises(IntegrityError, match=r"not computed for its points\n.*--replace"):
        write_features(copy, "fame", CPU)
    with pytest.raises(IntegrityError, match=r"not those that this ampcli computes"):
        read_fame(copy)


def test_stored_features_of_another_version_are_not_trained_on(copy):
    assert stored_block(copy, "fame").shapes() == block(copy.process.n_jets).shapes()
    attributes = zarr.open_group(copy.path / "features" / "fame", mode="r+").attrs
    attributes.update(sealed({**attributes, "version": 0}))
    with pytest.raises(IntegrityError, match=r"not those that this ampcli computes"):
        read_fame(copy)


def test_nothing_is_left_of_an_interrupted_run(copy):
    shutil.rmtree(copy.path / "features")

    def interrupt(rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_features(copy, "fame", CPU, on_rows=interrupt)
    assert [entry.name for entry in (copy.path / "features").iterdir()] == ["zarr.json"]
    with pytest.raises(NotFoundError, match="ampcli features"):
        copy.block_attributes("fame")
    write_features(copy, "fame", CPU)
    assert copy.read("features/fame/recoil").shape == (copy.rows, 2)


def test_unknown_block():
    with pytest.raises(UsageError, match='unknown features "famous"'):
        make_block("famous", parse_process("e- e+ > d d~ g"), {})
