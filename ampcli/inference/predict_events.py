"""`ampcli predict`: from event files to files of amplitudes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ampcli.errors import UsageError
from ampcli.events import Events, StoredEvents
from ampcli.files import drafted, rename_if_free, replacing, writing
from ampcli.inference.described import require_described
from ampcli.inference.predictor import BATCH, Predictor


def check_output(out: Path) -> None:
    """Refuse outputs of an unknown kind or that exist already.

    Raises:
        UsageError: either of these.
    """
    if out.suffix not in (".npz", ".zarr"):
        raise UsageError(f"{out}: the output is a .npz file or a .zarr folder")
    if out.exists():
        raise UsageError(f"{out} exists already", "Choose another name, or remove it.")


def predict_events(
    predictor: Predictor, events: Events, on_rows: Callable[[int], None] = lambda rows: None
) -> dict[str, npt.NDArray[Any]]:
    """The arrays amplitude, uncertainty and outside (outside the training region) of all events, (n,) each.

    Momenta are read and dropped batch by batch.

    Raises:
        UsageError: events that the model does not describe, or that are not physical.
    """
    if isinstance(events, StoredEvents):
        require_described(predictor.manifest, events.store)
    amplitude, uncertainty = np.empty(events.rows), np.empty(events.rows)
    outside = np.empty(events.rows, dtype=bool)
    done = 0
    for momenta in events.batches(BATCH):
        rows = slice(done, done + len(momenta))
        try:
            prediction = predictor.predict(momenta)
        except UsageError as error:
            if done == 0:
                raise
            raise UsageError(f"in the events from {done} on: {error.what}", error.hint) from None
        amplitude[rows], uncertainty[rows], outside[rows] = *prediction, prediction.outside
        done += len(momenta)
        on_rows(len(momenta))
    return {"amplitude": amplitude, "uncertainty": uncertainty, "outside": outside}


def write_predictions(out: Path, predictor: Predictor, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write the arrays of `predict_events`; the output appears whole or not at all.

    Raises:
        UsageError: another process wrote a folder of that name since.
        AmpcliError: nothing can be written there.
    """
    labels = {"model": predictor.manifest.reference, "uncertainty_kind": str(predictor.uncertainty_kind)}
    with writing(out.parent):
        out.parent.mkdir(parents=True, exist_ok=True)
    if out.suffix == ".npz":
        content: dict[str, Any] = {**arrays, **{name: np.array(text) for name, text in labels.items()}}
        with replacing(out) as draft, draft.open("wb") as file:
            np.savez(file, **content)
        return
    import zarr

    with drafted(out) as draft:
        group = zarr.create_group(draft, zarr_format=3, attributes=labels)
        for name, array in arrays.items():
            group.create_array(name, data=array)
        if not rename_if_free(draft, out):
            raise UsageError(f"{out} exists already", "Another process wrote it since: choose another name.")
