"""`ampcli predict`: from event files to files of amplitudes."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ampcli.errors import UsageError
from ampcli.events import Events
from ampcli.inference.predictor import BATCH, Predictor
from ampcli.kinematics import FloatArray


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
) -> tuple[FloatArray, FloatArray]:
    """Amplitude and uncertainty of all events, (n,) each; momenta are read and dropped batch by batch."""
    amplitude, uncertainty = np.empty(events.rows), np.empty(events.rows)
    done = 0
    for momenta in events.batches(BATCH):
        rows = slice(done, done + len(momenta))
        try:
            amplitude[rows], uncertainty[rows] = predictor.predict(momenta)
        except UsageError as error:
            if done == 0:
                raise
            raise UsageError(f"in the events from {done} on: {error.what}", error.hint) from None
        done += len(momenta)
        on_rows(len(momenta))
    return amplitude, uncertainty


def write_predictions(out: Path, predictor: Predictor, amplitude: FloatArray, uncertainty: FloatArray) -> None:
    """Write the arrays amplitude and uncertainty; the output appears whole or not at all."""
    draft = out.with_name(f".{uuid.uuid4().hex[:8]}.{out.name}")
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        if out.suffix == ".npz":
            model = np.array(predictor.manifest.reference)
            np.savez(draft, amplitude=amplitude, uncertainty=uncertainty, model=model)
        else:
            import zarr

            group = zarr.create_group(draft, zarr_format=3, attributes={"model": predictor.manifest.reference})
            group.create_array("amplitude", data=amplitude)
            group.create_array("uncertainty", data=uncertainty)
        draft.rename(out)
    finally:
        if draft.is_dir():
            shutil.rmtree(draft, ignore_errors=True)
        draft.unlink(missing_ok=True)
