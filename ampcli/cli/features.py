"""`ampcli features`."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Annotated, Any

import typer

from ampcli.cli.command import Result, command, names_of, progress_bar, resumable
from ampcli.cli.declared import Owner, declared_parameters, given
from ampcli.cli.effect import Effect, Values, only_if
from ampcli.cli.executor import features_jobs
from ampcli.cli.names import starting_with
from ampcli.cli.over_channels import over_channels


def add(app: typer.Typer) -> None:
    command(app, "features", "ampcli features ee4.zarr fame", late=_block_parameters, jobs=features_jobs())(features)


def _block_parameters() -> list[inspect.Parameter]:
    """The names of blocks and their options."""
    from ampcli.features.blocks import BLOCKS

    kinds = list(BLOCKS)
    examples = [example for kind in kinds for example in kind.examples]
    notes = "".join(f" ({kind.note})" for kind in kinds if kind.note)
    names = typer.Argument(
        help=f"Blocks: {', '.join(examples)}, ...{notes}.", autocompletion=starting_with(lambda: examples)
    )
    owners = [Owner(name, options) for kind in kinds for name, options in kind.defaults.items()]
    blocks = inspect.Parameter("blocks", inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[list[str], names])
    return [blocks, *declared_parameters(owners, names_of(features), _effects)]


def _effects(option: str) -> list[Effect]:
    """An option needs a block that has it, and a process for which it changes something."""
    from ampcli.features.blocks import BLOCKS

    kinds = [kind for kind in BLOCKS if any(option in type(each).model_fields for each in kind.defaults.values())]
    examples = [example for kind in kinds for example in kind.examples if kind.uses(example, option)]
    needs = [kind.needs[option] for kind in kinds if option in kind.needs]
    return [
        only_if(lambda values: bool(_kinds_with(option, values)), "on {blocks}", f"It is for {', '.join(examples)}."),
        *(only_if(lambda values: _has_choice(option, values), f"on {{store}}: {each.otherwise}") for each in needs),
    ]


def _kinds_with(option: str, values: Values) -> list[Any]:
    from ampcli.features.blocks import kind_of

    return [kind for name in values["blocks"] if (kind := kind_of(name)).uses(name, option)]


def _has_choice(option: str, values: Values) -> bool:
    """Whether an option changes one of the blocks for the process of the store."""
    from ampcli.channels.sample import channel_stores
    from ampcli.store.reader import open_store

    kinds = _kinds_with(option, values)
    if not any(option in kind.needs for kind in kinds):
        return True
    stores = channel_stores(values["store"]) or {"": values["store"]}
    processes = [open_store(store).process for store in stores.values()]
    return any(option not in kind.needs or kind.needs[option].holds(each) for kind in kinds for each in processes)


@over_channels(lambda values: values["store"], lambda values, store, channel: {"store": store})
def features(
    store: Annotated[Path, typer.Argument(help="A finished store, or a sample of many channels.")],
    blocks: list[str],
    replace: Annotated[bool, typer.Option("--replace", help="Write blocks that are there anew.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int | None, typer.Option(help="CPU threads.", show_default="all cores")] = None,
    **options: Any,
) -> Result:
    """Compute feature blocks for every point of a store."""
    from ampcli.device import choose_device, set_threads
    from ampcli.store.features import new_block, write_features
    from ampcli.store.reader import open_store

    choices = given(options)
    chosen = choose_device(device)
    set_threads(threads)
    opened = open_store(store)
    for block in blocks:
        new_block(opened, block, choices)  # refuses unknown ones before anything is written
    written = []
    for block in blocks:
        with (
            resumable(f"{store} is as it was", "Run the same command again."),
            progress_bar("points", opened.rows) as advance,
        ):
            written.append(write_features(opened, block, chosen, replace, choices, advance))
    names = ", ".join(blocks)
    return Result({"store": str(store), "blocks": written}, f"{store}: {opened.rows} rows of features {names}")
