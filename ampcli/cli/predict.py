"""`ampcli predict`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ampcli.cli import names
from ampcli.cli.command import RegistryOption, Result, command, progress_bar, resumable
from ampcli.cli.effect import not_with, only_if
from ampcli.cli.event_options import OnShellOption, ProcessOnlyOption, RepairOption, SkipBadOption
from ampcli.cli.executor import one_job
from ampcli.cli.over_channels import Values, model_at, over_channels

if TYPE_CHECKING:
    import numpy.typing as npt

    from ampcli.events.intake import Intake
    from ampcli.inference.surrogates import Surrogates

_OF_FILES = only_if(lambda values: not values["events"].is_dir(), "for a store")


def add(app: typer.Typer) -> None:
    command(app, "predict", "ampcli predict ee-4jets events.npz amplitudes.npz", jobs=one_job())(predict)


def _at(values: Values, store: Path, channel: str) -> dict[str, Any]:
    out: Path = values["out"]
    named = out.with_name(f"{out.stem}-{channel}{out.suffix}")
    return {"model": model_at(values, values["model"], channel), "events": store, "out": named}


@over_channels(lambda values: values["events"], _at)
def predict(
    model: Annotated[
        str,
        typer.Argument(help="name, name@3 or name@alias, of a model or a set.", autocompletion=names.models),
    ],
    events: Annotated[Path, typer.Argument(help="npz file with momenta (n, legs, 4), .lhe file, store, or sample.")],
    out: Annotated[Path, typer.Argument(help="New file .npz or .zarr: amplitude, uncertainty, outside, event (n,).")],
    process_only: ProcessOnlyOption = False,
    skip_bad: SkipBadOption = False,
    repair: Annotated[RepairOption, _OF_FILES, not_with("on_shell")] = False,
    on_shell: Annotated[OnShellOption, _OF_FILES] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int | None, typer.Option(help="CPU threads.", show_default="all cores")] = None,
    registry: RegistryOption = None,
) -> Result:
    """Predict amplitudes of given events; momenta with or without the two beams.

    Of a .lhe file, each event goes to the model of its flavours, in the order of the file: those of one |M|^2 share it.
    """
    from ampcli.device import set_threads
    from ampcli.events.files import expected_rows, open_events
    from ampcli.events.intake import Intake
    from ampcli.inference.predict_events import check_output, predict_events, write_predictions
    from ampcli.inference.surrogates import load_surrogates
    from ampcli.store.reader import open_store

    check_output(out)
    set_threads(threads)
    surrogates = load_surrogates(model, registry, device)
    if events.is_dir():
        surrogates = surrogates.for_process(open_store(events).plan.process)
    served = surrogates.served
    opened = open_events(events, served, process_only)
    sqrt_s = surrogates.predictors[0].manifest.sqrt_s  # one for all: None where there are several
    intake = Intake(opened, served.processes, skip_bad, repair, sqrt_s, surrogates.reference, on_shell=on_shell)
    with (
        resumable("nothing was written", "Run the same command again."),
        progress_bar("events", expected_rows(opened)) as advance,
    ):
        arrays = predict_events(surrogates, intake, advance)
        write_predictions(out, surrogates, arrays)
    return _told(surrogates, intake, arrays, out)


def _told(surrogates: Surrogates, intake: Intake, arrays: Mapping[str, npt.NDArray[Any]], out: Path) -> Result:
    from ampcli.amplitudes.providers import note_on

    outside, unknown = int(arrays["outside"].sum()), int((~(arrays["uncertainty"] > 0)).sum())
    known = [(each.uncertainty_kind, each.manifest.recalibration is not None) for each in surrogates.predictors]
    described = list(dict.fromkeys(known))
    document: dict[str, Any] = {
        "model": surrogates.reference,
        "events": intake.taken,
        "outside": outside,
        "uncertainty_kind": ", ".join(dict.fromkeys(str(kind) for kind, _ in described)),
        "unknown_uncertainty": unknown,
        "out": str(out),
        "intake": intake.document,
    }
    text = [f"{out}: {intake.taken} amplitudes from {surrogates.reference}", *intake.text]
    if surrogates.channels:
        counts = [int((arrays["channel"] == number).sum()) for number in range(len(surrogates.channels))]
        document["channels"] = dict(zip(surrogates.channels, counts, strict=True))
        shown = [f"{count} of {name}" for name, count in document["channels"].items() if count]
        text.append("channels: " + ", ".join(shown))
    text += [f"uncertainties: {kind.described(calibrated)}" for kind, calibrated in described]
    if unknown:
        text += [f"{unknown} uncertainties are not known (NaN)"]
    if outside:
        text += [f"{outside} of the points lie outside the region it was trained on (array outside)"]
    notes = [note_on(predictor.manifest.provider, predictor.process) for predictor in surrogates.predictors]
    if told := list(dict.fromkeys(note for note in notes if note)):
        document["note"] = "\n".join(told)
        text += told
    return Result(document, "\n".join(text))
