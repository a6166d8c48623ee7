"""Feature blocks of a store: computed for every row and written whole, read with checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ampcli.errors import IntegrityError, NotFoundError, UsageError, setting
from ampcli.features.blocks import FeatureBlock, make_block, new_options
from ampcli.files import drafted, put_in_place, remove_all_drafts, remove_drafts, restore_set_aside
from ampcli.kinematics import FloatArray
from ampcli.objects import ObjectPath
from ampcli.obstacles import clear, make_folder, make_way
from ampcli.seal import SEAL, sealed
from ampcli.store.metadata import (
    ZARR,
    array_document,
    forget_consolidated,
    read_attributes,
    read_document,
    write_document,
    write_group,
)
from ampcli.store.parts import holding, lock_file
from ampcli.store.reader import Store
from ampcli.store.rows import sha256_of, shard_file
from ampcli.store.shards import write_shard


def expected_attributes(store: Store, block: FeatureBlock) -> dict[str, Any]:
    """The attributes of features that this ampcli would compute for a store."""
    return {
        "block": block.name,
        "version": block.version,
        "options": block.options,
        "store_digest": store.digest,
    }


def stored_block(store: Store, name: str, arrays: bool = True) -> FeatureBlock:
    """The block whose arrays a store holds.

    Args:
        arrays: look at the metadata of its arrays, too.

    Raises:
        NotFoundError: the store has no such features.
        IntegrityError: they were computed by another version or for other points, or their metadata are damaged.
    """
    attributes = store.block_attributes(name)
    foreign = IntegrityError(
        f"the features {name} of {store.path} are not those that this ampcli computes",
        f"Write them anew with `ampcli features {store.path} {name} --replace`.",
    )
    try:
        block = make_block(name, store.process, attributes["options"])
    except (KeyError, TypeError, ValueError, AttributeError):  # of blocks without a seal
        raise foreign from None
    if not _same(attributes, expected_attributes(store, block)):
        raise foreign
    for key, shape in _arrays(block).items() if arrays else ():
        try:
            store.check_layout(f"features/{name}/{key}", shape)
        except NotFoundError as error:
            raise IntegrityError(error.what, foreign.hint) from None
    return block


def _same(attributes: Mapping[str, Any], expected: Mapping[str, Any]) -> bool:
    """Whether attributes say what is expected, besides checksums."""
    return {key: value for key, value in attributes.items() if key not in ("arrays", SEAL)} == expected


def _arrays(block: FeatureBlock) -> dict[str, tuple[int, ...]]:
    """Arrays and their shapes; three jets have no gluon pair, so no azimuth."""
    return {key: shape for key, shape in block.shapes().items() if 0 not in shape}


def new_block(store: Store, name: str, chosen: Mapping[str, Any]) -> FeatureBlock:
    """The block that `write_features` would compute.

    Raises:
        UsageError: an unknown block, or one that does not apply to the process.
    """
    return make_block(name, store.process, new_options(name, store.plan.provider, chosen))


def write_features(
    store: Store,
    name: str,
    device: torch.device,
    replace: bool = False,
    chosen: Mapping[str, Any] | None = None,
    on_rows: Callable[[int], None] = lambda rows: None,
) -> dict[str, Any]:
    """Add the block `name` to a finished store; it appears whole or not at all.

    Args:
        chosen: options that are not the block's defaults.

    Returns:
        The block's attributes.

    Raises:
        UsageError: an unknown block, one that does not apply to the process, or other features of that name.
    """
    block = new_block(store, name, chosen or {})
    name = block.name
    folder = store.path / "features" / name
    if folder.parent.is_dir():
        remove_drafts(folder)
        remove_all_drafts(lock_file(store.path, name).parent)
    if not replace and _is_there(folder):
        return _written(store, block)
    busy = f"the features {name} of {store.path} are being written by another process"
    finishing = f"{store.path} is being finished by another process"
    with holding(store.path, f"features-{name}", busy):
        with holding(store.path, "finalise", finishing, timeout=-1):
            make_folder(folder.parent, store.path)
            _require_group(folder.parent)
            forget_consolidated(store.path)
        restore_set_aside(folder)
        if not replace and _is_there(folder):
            return _written(store, block)
        with _appearing(folder) as draft:
            sums = _compute_all(store, draft, block, device, on_rows)
            write_group(draft, sealed(expected_attributes(store, block) | {"arrays": sums}))
    return store.block_attributes(name)


def repair_features(
    store: Store, name: str, device: torch.device, on_rows: Callable[[int], None] = lambda rows: None
) -> list[int]:
    """Write damaged parts of a block again, bit for bit; returns their numbers.

    Raises:
        IntegrityError: its metadata are damaged, it is not the one that this ampcli computes for the store, or it comes
            out differently; nothing is written then.
    """
    folder = store.path / "features" / name
    anew = f"Write it anew with `ampcli features {store.path} {name} --replace`."
    with holding(store.path, f"features-{name}", f"the features {name} of {store.path} are being written"):
        restore_set_aside(folder)
        attributes = store.block_attributes(name)
        if "arrays" not in attributes or not _is_of(store, attributes):
            raise IntegrityError(f"the features {name} of {store.path} cannot be made as they were", anew)
        block = make_block(name, store.process, attributes["options"])
        damaged = [number for number in range(store.plan.parts) if damaged_arrays(store, block, number)]
        for number in damaged:
            values = _compute_part(store, block, number, device, on_rows)
            if any(sha256_of(found) != attributes["arrays"][key][number] for key, found in values.items()):
                raise IntegrityError(
                    f"the features {name} of {store.path}: part {number + 1} comes out differently than it was",
                    f"Another processor or device may round differently: repair it where it was made. {anew}",
                )
            for key, shape in _arrays(block).items():
                _require_layout(store, folder, key, shape)
            _write_part(store, folder, number, values)
    return damaged


def damaged_arrays(store: Store, block: FeatureBlock, number: int) -> dict[str, IntegrityError]:
    """Arrays of a block whose part cannot be read as it was written, and why."""
    found = {}
    for key, shape in _arrays(block).items():
        try:
            store.check_layout(f"features/{block.name}/{key}", shape)
            store.read(f"features/{block.name}/{key}", store.plan.rows_of(number))
        except NotFoundError as error:
            found[key] = IntegrityError(error.what, error.hint)
        except IntegrityError as error:
            found[key] = error
    return found


def _is_of(store: Store, attributes: Mapping[str, Any]) -> bool:
    """Whether features are those that this ampcli computes for a store with their options."""
    try:
        block = make_block(attributes["block"], store.process, attributes["options"])
    except (UsageError, KeyError, TypeError, ValueError):
        return False
    return _same(attributes, expected_attributes(store, block))


def _is_there(folder: Path) -> bool:
    """Whether a block is: of objects, which appear one by one, its metadata are written last."""
    return (folder / ZARR).is_file() if isinstance(folder, ObjectPath) else folder.is_dir()


@contextmanager
def _appearing(folder: Path) -> Iterator[Path]:
    """Where to write a block so that it appears in one step.

    On a disk it takes the place of the old one.  Objects cannot be renamed: an old block goes first, and the metadata
    of the new one come last, without which nobody takes it for one.
    """
    if isinstance(folder, ObjectPath):
        clear(folder / ZARR)
        clear(folder)
        yield folder
    else:
        with drafted(folder) as draft:
            yield draft
            put_in_place(draft, folder)


def _written(store: Store, block: FeatureBlock) -> dict[str, Any]:
    """The attributes of a block that is there, all of which is read and compared with its checksums.

    Raises:
        UsageError: other features of that name.
        IntegrityError: damaged ones, or those of another store.
    """
    attributes = store.block_attributes(block.name)
    if attributes.get("store_digest") != store.digest:
        raise IntegrityError(
            f"the features {block.name} of {store.path} were not computed for its points",
            f"Write them anew with `ampcli features {store.path} {block.name} --replace`.",
        )
    if not _same(attributes, expected_attributes(store, block)):
        raise UsageError(
            f"{store.path}/features/{block.name} holds features of another version or other options",
            f"Write them anew with {setting('replace')}.",
        )
    stored_block(store, block.name)
    for key in _arrays(block):
        for number in range(store.plan.parts):
            store.read(f"features/{block.name}/{key}", store.plan.rows_of(number))
    return attributes


def _require_group(folder: Path) -> None:
    """Make sure that the folder of all features is a group of Zarr."""
    remove_drafts(folder / ZARR)
    try:
        read_attributes(folder)
    except (FileNotFoundError, IntegrityError):
        write_group(folder, {})


def _compute_all(
    store: Store, folder: Path, block: FeatureBlock, device: torch.device, on_rows: Callable[[int], None]
) -> dict[str, list[str]]:
    """Write all arrays of a block; returns the checksums of their parts."""
    for key, shape in _arrays(block).items():
        _require_layout(store, folder, key, shape)
    sums: dict[str, list[str]] = {key: [] for key in _arrays(block)}
    for part in range(store.plan.parts):
        values = _compute_part(store, block, part, device, on_rows)
        _write_part(store, folder, part, values)
        for key, found in values.items():
            sums[key].append(sha256_of(found))
    return sums


def _require_layout(store: Store, folder: Path, key: str, shape: tuple[int, ...]) -> None:
    """Write the metadata of an array of a block, unless they are there."""
    plan = store.plan
    expected = array_document(plan.points, plan.shard_rows, plan.chunk_rows, shape)
    try:
        if read_document(folder / key / ZARR) == expected:
            return
    except (FileNotFoundError, NotADirectoryError, IntegrityError):
        pass
    make_way(folder / key / ZARR, folder)
    write_document(folder / key / ZARR, expected)


def _compute_part(
    store: Store, block: FeatureBlock, part: int, device: torch.device, on_rows: Callable[[int], None]
) -> dict[str, FloatArray]:
    plan, rows = store.plan, store.plan.rows_of(part)
    results: dict[str, list[FloatArray]] = {key: [] for key in _arrays(block)}
    for start in range(rows.start, rows.stop, plan.chunk_rows):
        batch = slice(start, min(start + plan.chunk_rows, rows.stop))
        momenta = torch.from_numpy(store.read("momenta", batch)).to(device)
        computed = block.compute(momenta)
        for key, found in results.items():
            found.append(np.ascontiguousarray(computed[key].cpu().numpy(), dtype=np.float64))
        on_rows(batch.stop - batch.start)
    return {key: np.concatenate(found) for key, found in results.items()}


def _write_part(store: Store, folder: Path, part: int, values: Mapping[str, FloatArray]) -> None:
    for key, array in values.items():
        file = shard_file(folder, key, part, array.ndim)
        make_way(file, folder)
        write_shard(file, array, store.plan.shard_rows, store.plan.chunk_rows)
