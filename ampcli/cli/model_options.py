"""What `ampcli train` says about kinds of models: names, defaults, own options.  Importing this imports torch."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from typing import Annotated, Any, get_args

from typer.models import OptionInfo

from ampcli.cli.declared import Owner, declared_parameters, default_text
from ampcli.cli.effect import Effect, only_if
from ampcli.errors import AmpcliError
from ampcli.models.kinds import chosen, model_names
from ampcli.models.mlp import PRESETS
from ampcli.records.settings import Settings
from ampcli.training.optimiser import OPTIMISERS


def model_parameters(command: Callable[..., Any]) -> list[inspect.Parameter]:
    """Parameters of a command for the kinds' own options, and those of its own whose help depends on the kinds.

    Raises:
        AmpcliError: two kinds have options of one name and different types, or one is named as one of all kinds.
    """
    common = {p.name: p for p in inspect.signature(command, eval_str=True).parameters.values()}
    owners = [Owner(name, chosen(name)[1].options) for name in model_names()]
    own = declared_parameters(owners, lambda option: [_only_for_its_kinds(option)])
    for parameter in own:
        if parameter.name in common:
            raise AmpcliError(
                f'a kind of model has an option "{parameter.name}", which is one of all kinds',
                "Uninstall the package that adds it.",
            )
    papers = [Owner(name, chosen(name)[1].settings) for name in model_names()]
    settings = {name: {"show_default": default_text(name, papers)} for name in Settings.model_fields if name in common}
    return [
        *(
            _described(parameter, help=f"{_help(parameter)} For {_models(_having(parameter.name))}.")
            for parameter in own
        ),
        *(_described(common[name], **shown) for name, shown in settings.items() if name not in ("preset", "optimiser")),
        _described(common["model"], help=f"{', '.join(model_names())} and such.", autocompletion=_complete),
        _described(common["preset"], help=f"Hidden layers: {', '.join(PRESETS)}.", **settings["preset"]),
        _described(common["optimiser"], help=f"{' or '.join(OPTIMISERS.names)}.", **settings["optimiser"]),
    ]


def _help(parameter: inspect.Parameter) -> str:
    return str(get_args(parameter.annotation)[1].help)


def _described(parameter: inspect.Parameter, **shown: Any) -> inspect.Parameter:
    """The same parameter with another help."""
    kind, option, *effects = get_args(parameter.annotation)
    assert isinstance(option, OptionInfo)
    other = copy.copy(option)
    vars(other).update(shown)
    return parameter.replace(annotation=Annotated[(kind, other, *effects)])


def _complete(incomplete: str) -> list[str]:
    return [name for name in model_names() if name.startswith(incomplete)]


def _only_for_its_kinds(option: str) -> Effect:
    has = _having(option)
    return only_if(lambda values: has(values["model"]), "for --model {model}", f"It is for {_models(has)}.")


def _having(option: str) -> Callable[[str], bool]:
    return lambda model: option in chosen(model)[0].options.model_fields


def _models(fits: Callable[[str], bool]) -> str:
    return ", ".join(filter(fits, model_names()))
