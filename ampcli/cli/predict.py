"""`ampcli predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ampcli.cli.command import RegistryOption, Result, command, progress_bar, resumable
from ampcli.cli.effect import not_with, only_if
from ampcli.cli.event_options import OnShellOption, ProcessOnlyOption, RepairOption, SkipBadOption
from ampcli.cli.over_channels import Values, model_at, over_channels

_OF_FILES = only_if(lambda values: not values["events"].is_dir(), "for a store")


def add(app: typer.Typer) -> None:
    command(app, "predict", "ampcli predict ee-4jets events.npz amplitudes.npz")(predict)


def _at(values: Values, store: Path, channel: str) -> dict[str, Any]:
    out: Path = values["out"]
    named = out.with_name(f"{out.stem}-{channel}{out.suffix}")
    return {"model": model_at(values, values["model"], channel), "events": store, "out": named}


@over_channels(lambda values: values["events"], _at)
def predict(
    model: Annotated[str, typer.Argument(help="name, name@3 or name@alias.")],
    events: Annotated[Path, typer.Argument(help="npz file with momenta (n, legs, 4), .lhe file, or a store.")],
    out: Annotated[Path, typer.Argument(help="New file .npz or .zarr: amplitude, uncertainty, outside, event (n,).")],
    process_only: ProcessOnlyOption = False,
    skip_bad: SkipBadOption = False,
    repair: Annotated[RepairOption, _OF_FILES, not_with("on_shell")] = False,
    on_shell: Annotated[OnShellOption, _OF_FILES] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int | None, typer.Option(help="CPU threads.", show_default="all cores")] = None,
    registry: RegistryOption = None,
) -> Result:
    """Predict amplitudes of given events; momenta with or without the two beams."""
    from ampcli.amplitudes.providers import note_on
    from ampcli.device import set_threads
    from ampcli.events.files import open_events
    from ampcli.events.intake import Intake
    from ampcli.inference.load import load_predictor
    from ampcli.inference.predict_events import check_output, predict_events, write_predictions

    check_output(out)
    set_threads(threads)
    predictor = load_predictor(model, registry, device)
    opened = open_events(events, predictor.process, process_only)
    manifest = predictor.manifest
    intake = Intake(opened, predictor.process, skip_bad, repair, manifest.sqrt_s, manifest.reference, on_shell=on_shell)
    with (
        resumable("nothing was written", "Run the same command again."),
        progress_bar("events", opened.rows) as advance,
    ):
        arrays = predict_events(predictor, intake, advance)
        write_predictions(out, predictor, arrays)
    outside = int(arrays["outside"].sum())
    unknown = int((~(arrays["uncertainty"] > 0)).sum())
    kind, calibrated = predictor.uncertainty_kind, predictor.manifest.recalibration is not None
    document = {
        "model": predictor.manifest.reference,
        "events": intake.taken,
        "outside": outside,
        "uncertainty_kind": str(kind),
        "unknown_uncertainty": unknown,
        "out": str(out),
        "intake": intake.document,
    }
    text = [f"{out}: {intake.taken} amplitudes from {predictor.manifest.reference}", *intake.text]
    text += [f"uncertainties: {kind.described(calibrated)}"]
    if unknown:
        text += [f"{unknown} uncertainties are not known (NaN)"]
    if outside:
        text += [f"{outside} of the points lie outside the region it was trained on (array outside)"]
    if note := note_on(predictor.manifest.provider, predictor.process):
        document["note"] = note
        text += [note]
    return Result(document, "\n".join(text))
