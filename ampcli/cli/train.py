"""`ampcli train`."""

from __future__ import annotations

import inspect
import logging
from pathlib import Path
from typing import Annotated, Any

import typer

from ampcli.cli import names
from ampcli.cli.command import RegistryOption, Result, command, names_of, progress_bar, resumable
from ampcli.cli.declared import given
from ampcli.cli.effect import only_with
from ampcli.cli.options import COPIES, LAYERS, TF32
from ampcli.cli.over_channels import Values, model_at, name_at, over_channels

log = logging.getLogger(__name__)


def add(app: typer.Typer) -> None:
    command(app, "train", "ampcli train ee4.zarr --model fame --name ee-4jets --preset small", _model_parameters)(train)


def _model_parameters() -> list[inspect.Parameter]:
    from ampcli.cli.model_options import model_parameters

    return model_parameters(names_of(train))


def _at(values: Values, store: Path, channel: str) -> dict[str, Any]:
    start = values["init_from"] and model_at(values, values["init_from"], channel)
    name = name_at(values["name"], channel)
    return {"store": store, "name": name, "init_from": start, "part_of": values["name"]}


@over_channels(
    lambda values: values["store"], _at, publishes=lambda values: str(values["name"]), of_channels=("part_of",)
)
def train(
    store: Annotated[Path, typer.Argument(help="A store with the model's features, or a sample of many channels.")],
    name: Annotated[str, typer.Option(help="Name in the registry; of a sample: of the set of models NAME-CHANNEL.")],
    model: str = "fame",
    preset: str | None = None,
    hidden: Annotated[
        str | None,
        typer.Option(help="Hidden layers of your own, for example 64,64,32.", show_default="the preset's"),
        LAYERS,
    ] = None,
    replicas: Annotated[int, typer.Option(help="Train this many, each with its own seed.")] = 1,
    seed: Annotated[int, typer.Option(help="Seed of the first replica; the others follow.")] = 1,
    epochs: Annotated[int, typer.Option(min=1, help="Most epochs.")] = 1000,
    minutes: Annotated[
        float | None, typer.Option(help="Stop after this much training.", show_default="no limit")
    ] = None,
    batch_size: int | None = None,
    optimiser: str | None = None,
    learning_rate: float | None = None,
    schedule: str | None = None,
    activation: str | None = None,
    residual: bool | None = None,
    bayesian: bool = False,
    weight_decay: float | None = None,
    perturb: Annotated[
        float,
        typer.Option(
            help="Standard deviation of random shifts of ln pT, eta, phi; from the second epoch on, training uses "
            "shifted copies with exact labels."
        ),
        COPIES,
    ] = 0.0,
    copy_epochs: Annotated[
        int,
        typer.Option(min=1, help="Epochs that each set of shifted copies serves, where exact amplitudes cost more."),
        only_with("perturb"),
    ] = 1,
    training_points: Annotated[
        str | None,
        typer.Option(help="Train on the first of the training events only: learning curves.", show_default="all"),
    ] = None,
    precision: Annotated[str, typer.Option(help="float32, or tf32 for products on CUDA."), TF32] = "float32",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int | None, typer.Option(help="CPU threads.", show_default="all cores")] = None,
    resume: Annotated[
        str,
        typer.Option(help="auto: go on where a run of this name stopped; never: start anew; or a checkpoint."),
    ] = "auto",
    init_from: Annotated[
        str | None, typer.Option(help="Start from the weights of this model.", autocompletion=names.models)
    ] = None,
    registry: RegistryOption = None,
    part_of: str | None = None,
    **options: Any,
) -> Result:
    """Train networks on a store and publish them in the registry."""
    import pydantic

    from ampcli.amplitudes.providers import note_on
    from ampcli.cli.numbers import parse_count
    from ampcli.device import choose_device, set_threads
    from ampcli.errors import UsageError
    from ampcli.models.kinds import chosen, recipe_settings
    from ampcli.models.network import NETWORKS
    from ampcli.models.presets import hidden_layers
    from ampcli.records.training import Recipe
    from ampcli.registry.search import find_registry
    from ampcli.registry.storage import same_weights
    from ampcli.store.reader import open_store
    from ampcli.training.checkpoint import State
    from ampcli.training.seeds import recipe_seeds
    from ampcli.training.train import TrainingRun
    from ampcli.training.train import train as run_training

    if minutes is not None and not 0 < minutes < float("inf"):
        raise UsageError(f"--minutes {minutes:g}: a positive number is needed")
    target = choose_device(device)
    set_threads(threads)
    opened = open_store(store)
    common = {"batch_size": batch_size, "schedule": schedule, "activation": activation, "weight_decay": weight_decay}
    common |= {"optimiser": optimiser, "learning_rate": learning_rate, "residual": residual}
    settings = recipe_settings(model) | given(common)
    if bayesian:
        settings["network"] = "bayesian"
    if not NETWORKS[settings["network"]].on_particles:
        preset = settings["preset"] if preset is None else preset
        settings |= {"preset": preset if hidden is None else "custom", "hidden": hidden_layers(preset, hidden)}
    try:
        settings["options"] = chosen(model)[0].options.model_validate(settings["options"] | given(options))
        recipe = Recipe.model_validate(
            {
                "hidden": (),
                **settings,
                "seeds": recipe_seeds(seed, replicas),
                "epochs": epochs,
                "perturb": perturb,
                "copy_epochs": copy_epochs,
                "training_points": None
                if training_points is None
                else parse_count("--training-points", training_points),
                "precision": precision,
                "dataset_digest": opened.digest,
                "init_from": init_from,
            }
        )
    except pydantic.ValidationError as error:
        wrong = error.errors()[0]
        raise UsageError(f"--{str(wrong['loc'][0]).replace('_', '-')}: {wrong['msg']}") from None
    seconds = None if minutes is None else 60 * minutes
    found = find_registry(registry)
    run = TrainingRun(opened, name, found, target, resume, seconds, part_of)
    with (
        resumable("the last checkpoint, if there is one, is kept", "Run the same command again."),
        progress_bar("epochs", epochs) as advance,
    ):

        def on_epoch(state: State) -> None:
            advance(1)
            for replica, records in enumerate(state.history, start=1):
                log.info("epoch %d, replica %d: %s", state.epoch, replica, records[-1])

        manifests = run_training(run, recipe, on_epoch)
    lines = [
        f"{m.reference}: median |Delta| {m.metrics['median_abs_delta'].value:.3e}, "
        f"mean {m.metrics['mean_abs_delta'].value:.3e} on validation; "
        f"{m.training.epochs_done if m.training else 0} epochs, {m.seconds:.0f} s"
        for m in manifests
    ]
    note = note_on(opened.plan.provider, opened.process)
    document: dict[str, Any] = {"models": [m.document for m in manifests], **({"note": note} if note else {})}
    if same := {m.reference: other for m in manifests if (other := same_weights(found, m)) is not None}:
        document["same_weights"] = same
        lines += [f"{model} has the same weights as {other}: nothing new was learned" for model, other in same.items()]
    lines.append(f"published in {found.top}")
    text = "\n".join([*lines, note] if note else lines)
    return Result(document, text, found=tuple(manifests))
