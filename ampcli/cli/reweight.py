"""`ampcli reweight`."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ampcli.cli import names
from ampcli.cli.command import RegistryOption, Result, command, progress_bar, resumable
from ampcli.cli.effect import only_with
from ampcli.cli.event_options import OnShellOption
from ampcli.cli.names import provider_names, starting_with

if TYPE_CHECKING:
    from ampcli.events.reweight.ratios import Ratio


def add(app: typer.Typer) -> None:
    command(app, "reweight", "ampcli reweight in.lhe.gz out.lhe.gz --exact --parameter alpha_s=0.13", late=_provider)(
        reweight
    )


def _provider() -> list[inspect.Parameter]:
    *names, auto = provider_names()
    option = typer.Option(
        help=f"Exact amplitudes of --exact and --colour: {', '.join(names)} (which generates code, where that is "
        f"needed), or {auto}: those that need no preparation.",
        autocompletion=starting_with(provider_names),
    )
    annotation = Annotated[str, option, only_with("exact", "colour")]
    return [inspect.Parameter("provider", inspect.Parameter.KEYWORD_ONLY, default=auto, annotation=annotation)]


def reweight(
    events: Annotated[Path, typer.Argument(help="Les Houches event file, also packed (gzip, zstd).")],
    out: Annotated[Path, typer.Argument(help="New event file, .lhe, .lhe.gz or .lhe.zst.")],
    exact: Annotated[
        bool, typer.Option("--exact", help="A weight with other --parameter values in the exact |M|^2.")
    ] = False,
    parameter: Annotated[
        list[str] | None,
        typer.Option(help="NAME=VALUE of the new weight, such as alpha_s=0.13 or m_z=91.1876."),
        only_with("exact"),
    ] = None,
    original: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=VALUE that the file was made with.",
            show_default="the provider's; alpha_s: that of each event",
        ),
        only_with("exact"),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="A weight with this surrogate or set, name, name@3 or name@alias, over its exact |M|^2.",
            autocompletion=names.models,
        ),
    ] = None,
    colour: Annotated[
        Literal["leading"] | None, typer.Option(help="A weight with |M|^2 at leading colour over full colour.")
    ] = None,
    provider: str = "auto",
    on_shell: OnShellOption = False,
    keep_others: Annotated[
        bool,
        typer.Option(
            "--keep-others", help="Events that have no such |M|^2 keep the weight that they have, and are counted."
        ),
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda, of models."), only_with("model")] = "auto",
    threads: Annotated[
        int | None, typer.Option(help="CPU threads of models.", show_default="all cores"), only_with("model")
    ] = None,
    registry: RegistryOption = None,
) -> Result:
    """Add named weights to every event of a file; everything else in it stays as it was, byte by byte."""
    from ampcli.cli.numbers import parse_parameters
    from ampcli.errors import UsageError
    from ampcli.events.exact import Choice
    from ampcli.events.reweight.ratios import ExactRatio, LeadingColourRatio, ModelRatio, require_leading_colour
    from ampcli.events.reweight.run import reweight_file

    ratios: list[Ratio] = []
    if exact:
        if not parameter:
            raise UsageError("--exact needs --parameter: the weight would be that of the file", "Give NAME=VALUE.")
        new, old = parse_parameters("--parameter", parameter), parse_parameters("--original", original or [])
        ratios.append(ExactRatio(provider, new, old, on_shell))
    if model:
        from ampcli.device import set_threads
        from ampcli.inference.surrogates import load_surrogates

        set_threads(threads)
        ratios += [ModelRatio(load_surrogates(name, registry, device), on_shell) for name in model]
    if colour is not None:
        choice = Choice(provider, on_shell=on_shell)
        require_leading_colour(choice)
        ratios.append(LeadingColourRatio(choice))
    if not ratios:
        raise UsageError("no weight was asked for", "Give --exact, --model or --colour.")
    with (
        resumable("nothing was written", "Run the same command again."),
        progress_bar("events", None) as advance,
    ):
        document = reweight_file(events, out, ratios, keep_others, advance)
    return Result(document, "\n".join(_told(document)))


def _told(document: dict[str, Any]) -> list[str]:
    lines = [f"{document['out']}: {document['events']} events"]
    for weight in document["weights"]:
        said = f"{weight['name']}: {weight['events']} events"
        if weight["events"]:
            said += f", ratios {weight['smallest']:.4g} to {weight['largest']:.4g}"
        if weight["over_original"] is not None:
            said += f", sum of weights x {weight['over_original']:.6g}"
        if weight["effective_events"] is not None:
            said += f", worth {weight['effective_events']:.0f} events of equal weight"
        lines.append(said)
        if weight["largest_shift"] > 1e-12:
            lines.append(f"  legs were moved by {weight['largest_shift']:.1g} of their energy at most")
        lines += [f"  {count} events keep their weight: {why}" for why, count in weight["kept"].items()]
    return lines
