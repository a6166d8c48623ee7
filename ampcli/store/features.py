"""Feature blocks of a store: computed for every row and written whole, read with checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zarr

from ampcli.errors import IntegrityError, NotFoundError, UsageError, setting
from ampcli.features.blocks import FeatureBlock, make_block, new_options
from ampcli.files import clear, drafted, put_in_place, remove_drafts, restore_set_aside
from ampcli.kinematics import FloatArray
from ampcli.seal import SEAL, sealed
from ampcli.store.metadata import (
    ZARR,
    array_document,
    forget_consolidated,
    read_attributes,
    write_document,
    write_group,
)
from ampcli.store.parts import holding
from ampcli.store.reader import Store
from ampcli.store.rows import sha256_of


def expected_attributes(store: Store, block: FeatureBlock) -> dict[str, Any]:
    """The attributes of features that this ampcli would compute for a store."""
    return {
        "block": block.name,
        "version": block.version,
        "options": block.options,
        "store_digest": store.digest,
    }


def stored_block(store: Store, name: str) -> FeatureBlock:
    """The block whose arrays a store holds.

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
    for key, shape in _arrays(block).items():
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
    if not replace and folder.is_dir():
        return _written(store, block)
    busy = f"the features {name} of {store.path} are being written by another process"
    finishing = f"{store.path} is being finished by another process"
    with holding(store.path, f"features-{name}", busy):
        with holding(store.path, "finalise", finishing, timeout=-1):
            _require_group(folder.parent)
            forget_consolidated(store.path)
        restore_set_aside(folder)
        if not replace and folder.is_dir():
            return _written(store, block)
        with drafted(folder) as draft:
            sums = _compute_all(store, draft, block, device, on_rows)
            write_group(draft, sealed(expected_attributes(store, block) | {"arrays": sums}))
            put_in_place(draft, folder)
    return store.block_attributes(name)


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
    if not folder.is_dir():
        clear(folder)
        folder.mkdir(exist_ok=True)
    remove_drafts(folder / ZARR)
    try:
        read_attributes(folder)
    except (FileNotFoundError, IntegrityError):
        write_group(folder, {})


def _compute_all(
    store: Store, folder: Path, block: FeatureBlock, device: torch.device, on_rows: Callable[[int], None]
) -> dict[str, list[str]]:
    """Write all arrays of a block; returns the checksums of their parts."""
    plan = store.plan
    arrays = {}
    for key, shape in _arrays(block).items():
        write_document(folder / key / ZARR, array_document(plan.points, plan.shard_rows, plan.chunk_rows, shape))
        arrays[key] = zarr.open_array(folder / key, mode="r+", zarr_format=3)
    sums: dict[str, list[str]] = {key: [] for key in arrays}
    for part in range(plan.parts):
        rows = plan.rows_of(part)
        results: dict[str, list[FloatArray]] = {key: [] for key in arrays}
        for start in range(rows.start, rows.stop, plan.chunk_rows):
            batch = slice(start, min(start + plan.chunk_rows, rows.stop))
            momenta = torch.from_numpy(store.read("momenta", batch)).to(device)
            computed = block.compute(momenta)
            for key in arrays:
                results[key].append(computed[key].cpu().numpy())
            on_rows(batch.stop - batch.start)
        for key, array in arrays.items():
            values = np.concatenate(results[key])
            array[rows] = values
            sums[key].append(sha256_of(values))
    return sums
