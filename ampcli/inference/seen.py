"""Whether a model was trained on the points that it is asked to be judged by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ampcli.collisions.base import SampledCollisions
from ampcli.errors import UsageError, setting
from ampcli.registry.manifest import Dataset, Manifest
from ampcli.store.reader import Store
from ampcli.store.splits import Split


def require_unseen(manifests: Sequence[Manifest], store: Store, split: Split) -> tuple[Store, list[str]]:
    """A store, split so that its validation and test points are none that these models were trained on.

    Models know which events they were trained on by a hash of the event, the same in every store; older ones by the
    number of the row, which says something about the store of their training alone.

    Args:
        split: whose points are going to be used; that training points are among those of "train" and "all" is said.

    Returns:
        The store, which splits its points as these models' training did, and what has to be said about them.

    Raises:
        UsageError: the points may be training points and nobody can tell, or the models' splits are different ones.
    """
    notes: dict[str, None] = {}
    by: dict[str, str] = {}
    for manifest in manifests:
        for data in _data(manifest.dataset):
            meeting = "same" if data.digest == store.digest else store.plan.source.overlap(data.source)
            if meeting is None:
                continue
            mine = f"{manifest.reference} was trained on"
            if split in ("train", "all") and meeting != "unknown":
                notes[f"{mine} points of the split train: these are not all new to it"] = None
            if data.split_rule == "events" or meeting == "same":
                by[data.split_rule] = manifest.reference
            elif meeting == "unknown":
                notes[f"{mine} a split by rows: whether it saw some of these points cannot be known"] = None
            elif split not in ("train", "all"):
                assert isinstance(data.source, SampledCollisions)
                raise UsageError(
                    f"{mine} points of the seed {data.source.seed}, by the number of their row: {split} points "
                    f"of {store.path}, which has the same seed, may be among them",
                    f"Take a store with another {setting('seed')}, or the one that it was trained on.",
                )
    if len(by) > 1:
        raise UsageError(
            f"{by['events']} and {by['rows']} split the points of {store.path} differently: "
            "test points of one are training points of the other",
            f"Take a store with another {setting('seed')}.",
        )
    return (store.split_by("rows") if "rows" in by else store), list(notes)


def _data(dataset: Dataset) -> Iterator[Dataset]:
    yield dataset
    for other in dataset.others:
        yield from _data(other)
