"""Reading samples of many channels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ampcli.channels.record import SamplePlan, channel_path, is_sample, read_sample_plan
from ampcli.errors import IntegrityError
from ampcli.store.metadata import RESUME
from ampcli.store.reader import Store, open_store


def channel_stores(path: Path) -> dict[str, Path] | None:
    """The stores of a sample by the names of their channels; None where the folder is no sample.

    Raises:
        IntegrityError: a sample that is not finished, or damaged.
    """
    if not is_sample(path):
        return None
    plan = read_sample_plan(path)
    stores = {channel.name: channel_path(path, channel.name) for channel in plan.channels}
    missing = [name for name, store in stores.items() if not store.is_dir()]
    if missing or not plan.is_surveyed:
        raise IntegrityError(f"{path} is not finished: {len(missing)} of {len(stores)} channels are missing", RESUME)
    return stores


def open_sample(path: Path) -> tuple[SamplePlan, list[Store]]:
    """The plan of a finished sample, and the stores of its channels in its order.

    Raises:
        NotFoundError: no sample there.
        IntegrityError: it is not finished, or damaged.
    """
    plan = read_sample_plan(path)
    stores = channel_stores(path) or {}
    return plan, [open_store(store) for store in stores.values()]


def facts_of(plan: SamplePlan, stores: Sequence[Store]) -> dict[str, str]:
    """What an event file says of a whole sample in its header."""
    return {
        "process": plan.process,
        **{f"multiparticle {name}": " ".join(members) for name, members in plan.definitions.items()},
        "digest": plan.digest([store.digest for store in stores]),
    }
