"""`ampcli predict`: from event files to files of amplitudes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ampcli.errors import UsageError, setting
from ampcli.events.files import StoredEvents
from ampcli.events.intake import Intake
from ampcli.files import drafted, rename_if_free, replacing, writing
from ampcli.inference.described import require_described
from ampcli.inference.predictor import BATCH
from ampcli.inference.surrogates import Surrogates


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
    surrogates: Surrogates, intake: Intake, on_rows: Callable[[int], None] = lambda rows: None
) -> dict[str, npt.NDArray[Any]]:
    """Predict the events that an intake takes; momenta are read and dropped batch by batch.

    Returns:
        The arrays amplitude, uncertainty, outside (outside the training region), event (their numbers in the file,
        from 0, ascending), of event files event_weight, and of sets channel (whose model it was); (n,) each.

    Raises:
        UsageError: events that the model does not describe, or that are not physical.
    """
    if isinstance(intake.events, StoredEvents):
        require_described(surrogates.predictors[0].manifest, intake.events.store)
    pieces: dict[str, list[npt.NDArray[Any]]] = {}
    for batch in intake.batches(BATCH):
        predictor = surrogates.predictors[batch.member]
        amplitude, uncertainty = predictor.predict_final(batch.momenta[:, 2:])
        finite = np.isfinite(amplitude) & ~np.isinf(uncertainty)
        if not finite.all():
            what = f"{predictor.manifest.reference} has no finite amplitude there"
            intake.leave_out(
                batch, finite, what, f"Its legs are soft or collinear: leave it out with {setting('skip_bad')}."
            )
            batch, amplitude, uncertainty = batch.chosen(finite), amplitude[finite], uncertainty[finite]
        outside = predictor.certify(batch.momenta[:, 2:], amplitude, uncertainty).outside
        columns = {"amplitude": amplitude, "uncertainty": uncertainty, "outside": outside} | batch.columns
        if surrogates.channels:
            columns["channel"] = np.full(len(amplitude), batch.member)
        for name, column in columns.items():
            pieces.setdefault(name, []).append(column)
        on_rows(len(batch.event))
    intake.require_some()
    found = {name: np.concatenate(arrays) for name, arrays in pieces.items()}
    order = np.argsort(found["event"], kind="stable")  # batches are of one model each
    return {name: array[order] for name, array in found.items()}


def write_predictions(out: Path, surrogates: Surrogates, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write the arrays of `predict_events`; the output appears whole or not at all.

    Raises:
        UsageError: another process wrote a folder of that name since.
        AmpcliError: nothing can be written there.
    """
    labels: dict[str, str | list[str]] = {"model": surrogates.reference}
    kinds = [str(predictor.uncertainty_kind) for predictor in surrogates.predictors]
    if surrogates.channels:  # by the numbers in the array channel
        labels["channels"] = list(surrogates.channels)
        labels["models"] = [predictor.manifest.reference for predictor in surrogates.predictors]
        labels["uncertainty_kinds"] = kinds
    else:
        labels["uncertainty_kind"] = kinds[0]
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
