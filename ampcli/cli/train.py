"""`ampcli train`."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from ampcli.cli.command import RegistryOption, Result, command, progress_bar, resumable
from ampcli.cli.effect import not_with
from ampcli.cli.options import BAYESIAN, COPIES, FAME, FKS, LAYERS, ORIENTED, TF32, UNCERTAIN

log = logging.getLogger(__name__)


def add(app: typer.Typer) -> None:
    command(app, "train", "ampcli train ee4.zarr --model fame --name ee-4jets --preset small")(train)


def train(
    store: Annotated[Path, typer.Argument(help="A store with the features of the model.")],
    name: Annotated[str, typer.Option(help="Name in the registry.")],
    model: Annotated[
        str,
        typer.Option(
            help="fame, single, fks-ensemble, plain; fg1, iq1, nofa, lgatr, ...; better: fame+, fg1+, nofa+, ..."
        ),
    ] = "fame",
    preset: Annotated[
        str | None,
        typer.Option(
            help="Hidden layers: small, large, surrogate (the papers') or residual.", show_default="by --model"
        ),
        not_with("hidden"),
        LAYERS,
    ] = None,
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
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Points per step.", show_default="4096; fg1 256; fame+, fg1+ 1024")
    ] = None,
    optimiser: Annotated[str | None, typer.Option(help="adam or soap.", show_default="adam; fame+, fg1+ soap")] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(help="First (one-cycle: largest) learning rate.", show_default="0.001; fame+ 0.005; fg1+ 0.01"),
    ] = None,
    schedule: Annotated[
        str | None,
        typer.Option(
            help="plateau (with early stopping); cosine or one-cycle over --epochs.",
            show_default="plateau; fg1 cosine; fame+, fg1+ one-cycle",
        ),
    ] = None,
    activation: Annotated[
        str | None, typer.Option(help="tanh or gelu.", show_default="tanh; fame+ and surrogates gelu"), LAYERS
    ] = None,
    residual: Annotated[
        bool | None,
        typer.Option(help="Skip connections between layers of one width.", show_default="no; fame+, fg1+ yes"),
        LAYERS,
    ] = None,
    bayesian: Annotated[
        bool,
        typer.Option("--bayesian", help="A distribution of weights instead of weights (fg1, nofa and such)."),
        BAYESIAN,
    ] = False,
    weight_decay: Annotated[
        float | None, typer.Option(help="Decoupled weight decay.", show_default="0; fg1 0.01")
    ] = None,
    beta: Annotated[
        float | None,
        typer.Option(help="Of the beta-NLL loss (0: the likelihood).", show_default="0; fame+, fg1+ 0.5"),
        UNCERTAIN,
    ] = None,
    perturb: Annotated[
        float,
        typer.Option(help="Train on copies shaken by this much, with exact labels, in every epoch but the first."),
        COPIES,
    ] = 0.0,
    penalty: Annotated[
        float | None, typer.Option(min=0, help="J S_pred of the sparsity penalty (fame).", show_default="1e-6"), FAME
    ] = None,
    spin: Annotated[bool, typer.Option(help="Spin-correlation terms (fame)."), FAME] = True,
    recoil: Annotated[bool, typer.Option(help="Recoil factors among the inputs (fame)."), FAME] = True,
    near: Annotated[
        float | None,
        typer.Option(
            help="Region with a network for each pair: min s_ij / s below (fks-ensemble).", show_default="0.02"
        ),
        FKS,
    ] = None,
    orient: Annotated[
        bool,
        typer.Option("--orient", help="Turn events about the beam axis to one orientation (exact symmetry)."),
        ORIENTED,
    ] = False,
    precision: Annotated[str, typer.Option(help="float32, or tf32 for products on CUDA."), TF32] = "float32",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int | None, typer.Option(help="CPU threads.", show_default="all cores")] = None,
    resume: Annotated[
        str,
        typer.Option(help="auto: go on where a run of this name stopped; never: start anew; or a checkpoint."),
    ] = "auto",
    init_from: Annotated[str | None, typer.Option(help="Start from the weights of this model.")] = None,
    registry: RegistryOption = None,
) -> Result:
    """Train networks on a store and publish them in the registry."""
    import pydantic

    from ampcli.amplitudes.providers import note_on
    from ampcli.device import choose_device, set_threads
    from ampcli.errors import UsageError
    from ampcli.models.mlp import hidden_layers
    from ampcli.models.network import EQUIVARIANT
    from ampcli.registry.resolve import registry_root
    from ampcli.store.reader import open_store
    from ampcli.training.checkpoint import State
    from ampcli.training.recipe import Recipe, model_settings
    from ampcli.training.train import TrainingRun, recipe_seeds
    from ampcli.training.train import train as run_training

    if minutes is not None and not 0 < minutes < float("inf"):
        raise UsageError(f"--minutes {minutes:g}: a positive number is needed")
    target = choose_device(device)
    set_threads(threads)
    opened = open_store(store)
    chosen = {"batch_size": batch_size, "schedule": schedule, "activation": activation, "weight_decay": weight_decay}
    chosen |= {"optimiser": optimiser, "learning_rate": learning_rate, "residual": residual, "beta": beta}
    settings = model_settings(model) | {key: value for key, value in chosen.items() if value is not None}
    if bayesian:
        settings["network"] = "bayesian"
    equivariant = settings.get("network") in EQUIVARIANT
    default_preset = settings.pop("preset")
    preset = default_preset if preset is None else preset
    try:
        recipe = Recipe.model_validate(
            {
                **settings,
                "preset": preset if hidden is None else "custom",
                "hidden": () if equivariant else hidden_layers(preset, hidden),
                "seeds": recipe_seeds(seed, replicas),
                "epochs": epochs,
                **({} if penalty is None else {"penalty": penalty}),
                **({} if near is None else {"near": near}),
                "spin": spin,
                "recoil": recoil,
                "orient": orient,
                "perturb": perturb,
                "precision": precision,
                "dataset_digest": opened.digest,
                "init_from": init_from,
            }
        )
    except pydantic.ValidationError as error:
        found = error.errors()[0]
        field = str(found["loc"][0])
        option = "--model" if field == "kind" else "--" + field.replace("_", "-")
        raise UsageError(f"{option}: {found['msg']}") from None
    seconds = None if minutes is None else 60 * minutes
    run = TrainingRun(opened, name, registry_root(registry), target, resume, seconds)
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
        f"{m.training['epochs_done']} epochs, {m.seconds:.0f} s"
        for m in manifests
    ]
    note = note_on(opened.plan.provider, opened.process)
    document = {"models": [m.document for m in manifests], **({"note": note} if note else {})}
    return Result(document, "\n".join([*lines, note] if note else lines))
