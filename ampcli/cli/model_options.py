"""What `ampcli train` says about kinds of models: names, defaults, own options.  Importing this imports torch."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from typing import Annotated, Any, get_args

from typer.models import OptionInfo

from ampcli.cli.declared import Owner, declared_parameters, default_text
from ampcli.cli.effect import Effect, only_if
from ampcli.models.kinds import chosen, model_names
from ampcli.models.mlp import PRESETS
from ampcli.records.settings import Settings
from ampcli.training.optimiser import OPTIMISERS


def model_parameters(command: Callable[..., Any]) -> list[inspect.Parameter]:
    """Parameters of a command for the kinds' own options, and those of its own whose help depends on the kinds."""
    common = {p.name: p for p in inspect.signature(command, eval_str=True).parameters.values()}
    owners = [Owner(name, chosen(name)[1].options) for name in model_names()]
    own = declared_parameters(command, owners, lambda option: [_only_for_its_kinds(option)])
    papers = [Owner(name, chosen(name)[1].settings) for name in model_names()]
    texts = {
        **{p.name: f"{_option(p).help} For {_models(_having(p.name))}." for p in own},
        "model": f"{', '.join(model_names())} and such.",
        "preset": f"Hidden layers: {', '.join(PRESETS)}.",
        "optimiser": f"{' or '.join(OPTIMISERS.names)}.",
    }
    described = [_described(common["model"], autocompletion=_complete), *own]
    described += [
        _described(common[name], show_default=default_text(name, papers))
        for name in Settings.model_fields
        if name in common
    ]
    return [_described(p, help=texts[p.name]) if p.name in texts else p for p in described]


def _described(parameter: inspect.Parameter, **shown: Any) -> inspect.Parameter:
    """The same parameter with another help."""
    kind, _, *effects = get_args(parameter.annotation)
    other = copy.copy(_option(parameter))
    vars(other).update(shown)
    return parameter.replace(annotation=Annotated[(kind, other, *effects)])


def _option(parameter: inspect.Parameter) -> OptionInfo:
    return next(entry for entry in get_args(parameter.annotation) if isinstance(entry, OptionInfo))


def _complete(incomplete: str) -> list[str]:
    return [name for name in model_names() if name.startswith(incomplete)]


def _only_for_its_kinds(option: str) -> Effect:
    has = _having(option)
    return only_if(lambda values: has(values["model"]), "for --model {model}", f"It is for {_models(has)}.")


def _having(option: str) -> Callable[[str], bool]:
    return lambda model: option in chosen(model)[0].options.model_fields


def _models(fits: Callable[[str], bool]) -> str:
    return ", ".join(filter(fits, model_names()))
