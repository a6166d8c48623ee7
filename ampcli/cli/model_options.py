"""What `ampcli train` says about kinds of models: names, defaults, own options."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Collection, Iterable
from typing import Annotated, Any, get_args

import typer
from typer.models import OptionInfo

from ampcli.cli.declared import Owner, declared_parameters
from ampcli.cli.effect import Effect, not_with, only_if
from ampcli.cli.names import presets, starting_with
from ampcli.cli.options import LAYERS
from ampcli.models.kinds import chosen, model_names
from ampcli.training.optimiser import OPTIMISERS


def model_parameters(common: Collection[str]) -> list[inspect.Parameter]:
    """Parameters of `ampcli train` that depend on the kinds of models.

    Args:
        common: names of all its own.  Settings are flags if they are among them, options of kinds may not be.

    Raises:
        AmpcliError: two kinds have options of one name and different types, or of a name that is taken.
    """
    choices = {name: chosen(name)[1] for name in model_names()}
    owners = [Owner(name, choice.options) for name, choice in choices.items()]
    own = declared_parameters(owners, common, lambda option: [_only_for_its_kinds(option)])
    settings = declared_parameters([Owner(name, choice.settings) for name, choice in choices.items()], (), _effects)
    helps = {parameter.name: f"{_help(parameter)} For {_models(_having(parameter.name))}." for parameter in own}
    helps["optimiser"] = f"{' or '.join(OPTIMISERS.names)}."
    flags = [*(parameter for parameter in settings if parameter.name in common), *own]
    completions = {"preset": presets, "optimiser": lambda: OPTIMISERS.names}
    return [
        _model(),
        _bayesian(),
        *(_with_help(flag, helps.get(flag.name, _help(flag)), completions.get(flag.name)) for flag in flags),
    ]


def _model() -> inspect.Parameter:
    names = typer.Option(help=f"{', '.join(model_names())}, ...", autocompletion=starting_with(model_names))
    return _parameter("model", "fame", Annotated[str, names])


def _bayesian() -> inspect.Parameter:
    def fits(model: str) -> bool:
        return "bayesian" in chosen(model)[1].networks

    flag = typer.Option("--bayesian", help="A distribution of weights instead of weights.")
    effect = only_if(lambda values: fits(values["model"]), "for --model {model}", f"It is for {_models(fits)}.")
    return _parameter("bayesian", False, Annotated[bool, flag, effect])


def _parameter(name: str, default: object, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _effects(setting: str) -> list[Effect]:
    return {"preset": [not_with("hidden"), LAYERS], "activation": [LAYERS], "residual": [LAYERS]}.get(setting, [])


def _only_for_its_kinds(option: str) -> Effect:
    has = _having(option)
    return only_if(lambda values: has(values["model"]), "for --model {model}", f"It is for {_models(has)}.")


def _having(option: str) -> Callable[[str], bool]:
    return lambda model: option in chosen(model)[0].options.model_fields


def _models(fits: Callable[[str], bool]) -> str:
    return ", ".join(filter(fits, model_names()))


def _option(parameter: inspect.Parameter) -> OptionInfo:
    return next(entry for entry in get_args(parameter.annotation) if isinstance(entry, OptionInfo))


def _help(parameter: inspect.Parameter) -> str:
    return str(_option(parameter).help)


def _with_help(parameter: inspect.Parameter, text: str, names: Callable[[], Iterable[str]] | None) -> inspect.Parameter:
    kind, option, *effects = get_args(parameter.annotation)
    other = copy.copy(option)
    other.help = text
    other.autocompletion = None if names is None else starting_with(names)
    return parameter.replace(annotation=Annotated[(kind, other, *effects)])
