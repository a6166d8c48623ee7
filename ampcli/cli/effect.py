"""Options without effect are refused: each option says, beside its help, what it needs.

    pt_min: Annotated[float, typer.Option(help="Smallest pT of a jet."), only_with("beams")] = 20.0
    seed: Annotated[int, typer.Option(help="Seed of the points."), not_with("momenta")] = 1
    near: Annotated[float, typer.Option(help="..."), only_if(is_fks, "for --model {model}")] = 0.02

Names are those of the command's parameters.  An option was given if it stands on the command line, in a variable or
in a ``--config`` file, even where its value is the default; a flag that is off is not given.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import typer

from ampcli.cli.output import flag
from ampcli.errors import UsageError

Values = Mapping[str, Any]

#: `ParameterSource` by name: typer brings its own click, and does not export it.
_GIVEN = {"COMMANDLINE", "ENVIRONMENT", "DEFAULT_MAP", "PROMPT"}


@dataclass(frozen=True)
class Effect:
    """When an option has an effect; `without` ends the sentence "--option has no effect ..." where it has none."""

    holds: Callable[[Values], bool]
    without: str
    hint: str


def only_with(*names: str) -> Effect:
    """One of these options is set."""
    flags = " or ".join(map(flag, names))
    return Effect(
        lambda values: any(_is_set(values[name]) for name in names),
        f"without {flags}",
        f"Give {flags} as well, or leave it out.",
    )


def not_with(*names: str) -> Effect:
    """None of these options is set."""
    flags = " or ".join(map(flag, names))
    return Effect(lambda values: not any(_is_set(values[name]) for name in names), f"with {flags}", "Leave it out.")


def only_if(holds: Callable[[Values], bool], without: str, hint: str = "Leave it out.") -> Effect:
    """A condition on the values of all parameters; `without` may name them, as in "for --model {model}"."""
    return Effect(holds, without, hint)


def effects(parameters: Iterable[inspect.Parameter]) -> dict[str, list[Effect]]:
    """What the parameters of a command need."""
    found = {p.name: [entry for entry in get_args(p.annotation)[1:] if isinstance(entry, Effect)] for p in parameters}
    return {name: needed for name, needed in found.items() if needed}


def effective(needs: Mapping[str, list[Effect]], values: Values) -> dict[str, Any]:
    """The values that have an effect (not None): what a configuration keeps."""
    return {
        name: value
        for name, value in values.items()
        if value is not None and all(effect.holds(values) for effect in needs.get(name, []))
    }


def refuse_without_effect(ctx: typer.Context, needs: Mapping[str, list[Effect]], values: Values) -> None:
    """Refuse options that were given and change nothing.

    Raises:
        UsageError: naming them, where they come from, and what they need.
    """
    shown = {name: " ".join(map(str, v)) if isinstance(v, list) else v for name, v in values.items()}
    useless: dict[tuple[str, str], list[str]] = {}
    for name, needed in needs.items():
        if given(ctx, name, values[name]):
            for effect in needed:
                if not effect.holds(values):
                    useless.setdefault((effect.without, effect.hint), []).append(_named(ctx, name, values[name]))
    for (without, hint), names in useless.items():
        have = "has" if len(names) == 1 else "have"
        advice = hint if len(names) == 1 else hint.replace("eave it out", "eave them out")
        raise UsageError(f"{', '.join(names)} {have} no effect {without.format(**shown)}", advice)


def _is_set(value: Any) -> bool:
    return value is not None and value is not False and value != []


def given(ctx: typer.Context, name: str, value: Any) -> bool:
    """Whether an option was given, on the command line, in a variable or in a file."""
    source = ctx.get_parameter_source(name)
    if source is None or source.name not in _GIVEN:
        return False
    return value is not False or bool(_parameter(ctx, name).secondary_opts)


def _parameter(ctx: typer.Context, name: str) -> Any:
    return next(parameter for parameter in ctx.command.params if parameter.name == name)


def _named(ctx: typer.Context, name: str, value: Any) -> str:
    """The option as the user knows it, and where it was set if not on the command line."""
    parameter = _parameter(ctx, name)
    flags = parameter.secondary_opts if value is False and parameter.secondary_opts else parameter.opts
    longest = max(flags, key=len)
    match getattr(ctx.get_parameter_source(name), "name", ""):
        case "ENVIRONMENT":
            return f"{longest} (from {parameter.envvar or f'{ctx.auto_envvar_prefix}_{name.upper()}'})"
        case "DEFAULT_MAP":
            return f"{longest} (from {Path(ctx.params.get('config') or '--config')})"
    return str(longest)
