"""`ampcli features`: compute a block for every row of a store."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zarr

from ampcli.errors import IntegrityError, UsageError
from ampcli.features.blocks import FeatureBlock, default_choices, make_block
from ampcli.store.parts import compressors
from ampcli.store.reader import Store


def block_options(store: Store, name: str, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a new block: what it takes from the exact amplitudes of the store, and the user's choices."""
    provider = store.plan.provider
    if choices := default_choices(name):
        return {"provider": provider.name, "parameters": provider.parameters, **choices, **chosen}
    return {"alpha_s": provider.parameters["alpha_s"]} if name == "fame" and "alpha_s" in provider.parameters else {}


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
        IntegrityError: they were computed by another version or for other points.
    """
    attributes = store.block_attributes(name)
    block = make_block(name, store.process, attributes["options"])
    if attributes != expected_attributes(store, block):
        raise IntegrityError(
            f"the features {name} of {store.path} are not those that this ampcli computes",
            f"Write them anew with `ampcli features {store.path} {name} --replace`.",
        )
    return block


def new_block(store: Store, name: str, chosen: Mapping[str, Any]) -> FeatureBlock:
    """The block that `write_features` would compute.

    Raises:
        UsageError: an unknown block, or one that does not apply to the process.
    """
    return make_block(name, store.process, block_options(store, name, chosen))


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
        chosen: options of blocks of radiations that are not the defaults (`ampcli.features.blocks`).

    Returns:
        The block's attributes.

    Raises:
        UsageError: an unknown block, one that does not apply to the process, or other features of that name.
    """
    block = new_block(store, name, chosen or {})
    name = block.name
    folder = store.path / "features" / name
    attributes = expected_attributes(store, block)
    if folder.is_dir() and not replace:
        if store.block_attributes(name) == attributes:
            return attributes
        raise UsageError(
            f"{folder} holds features of another version or other options", "Write them anew with --replace."
        )
    if not (folder.parent / "zarr.json").is_file():
        zarr.create_group(folder.parent, zarr_format=3)
    draft = folder.with_name(f".{name}.{uuid.uuid4().hex[:8]}")
    try:
        _compute_all(store, draft, block, device, on_rows)
        zarr.open_group(draft, mode="r+").attrs.update(attributes)
        if replace:
            shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return attributes


def _compute_all(
    store: Store, folder: Path, block: FeatureBlock, device: torch.device, on_rows: Callable[[int], None]
) -> None:
    plan = store.plan
    group = zarr.create_group(folder, zarr_format=3)
    arrays = {
        key: group.create_array(
            key,
            shape=(store.rows, *shape),
            chunks=(plan.chunk_rows, *(max(d, 1) for d in shape)),
            shards=(plan.shard_rows, *(max(d, 1) for d in shape)),
            dtype="f8",
            fill_value=np.nan,
            compressors=compressors(),
        )
        for key, shape in block.shapes().items()
        if 0 not in shape  # three jets have no gluon pair, so no azimuth
    }
    for part in range(plan.parts):
        rows = plan.rows_of(part)
        results: dict[str, list[np.ndarray[Any, np.dtype[np.float64]]]] = {key: [] for key in arrays}
        for start in range(rows.start, rows.stop, plan.chunk_rows):
            batch = slice(start, min(start + plan.chunk_rows, rows.stop))
            momenta = torch.from_numpy(store.read("momenta", batch)).to(device)
            computed = block.compute(momenta)
            for key in arrays:
                results[key].append(computed[key].cpu().numpy())
            on_rows(batch.stop - batch.start)
        for key, array in arrays.items():
            array[rows] = np.concatenate(results[key])
