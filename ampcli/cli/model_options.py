"""What `ampcli train` says about kinds of models: names, defaults, own options.  Importing this imports torch."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer
from pydantic.fields import FieldInfo

from ampcli.cli.effect import Values, only_if
from ampcli.errors import AmpcliError
from ampcli.models.kinds import KINDS, Choice, chosen, model_names
from ampcli.models.network import NETWORKS
from ampcli.records.settings import Settings


def complete_model(incomplete: str) -> list[str]:
    """Names of models that begin so, for the shell."""
    return [name for name in model_names() if name.startswith(incomplete)]


def default_of(setting: str) -> str:
    """ "4096; fg1, nofa 256": the usual value of a setting, and those of models that have another."""
    return _default_text(
        Settings.model_fields[setting].default,
        {name: getattr(chosen(name)[1].settings, setting) for name in model_names()},
    )


def _default_text(usual: Any, values: dict[str, Any]) -> str:
    others: dict[Any, list[str]] = {}
    for name, value in values.items():
        if value != usual:
            others.setdefault(value, []).append(name)
    return "; ".join([_shown(usual), *(f"{', '.join(names)} {_shown(value)}" for value, names in others.items())])


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _models(fits: Callable[[str], bool]) -> str:
    return ", ".join(name for name in model_names() if fits(name))


def _choice(values: Values) -> Choice:
    return chosen(values["model"])[1]


def _can_be_bayesian(model: str) -> bool:
    return "bayesian" in chosen(model)[1].networks


def _has_products_to_round(values: Values) -> bool:
    from ampcli.device import choose_device

    return values["precision"] != "tf32" or choose_device(values["device"]).type == "cuda"


LAYERS = only_if(
    lambda values: not NETWORKS[_choice(values).networks[0]].on_particles,
    "for --model {model}: it has layers of its own",
)
BAYESIAN = only_if(
    lambda values: _can_be_bayesian(values["model"]),
    "for --model {model}",
    f"It is for {_models(_can_be_bayesian)}.",
)
COPIES = only_if(lambda values: values["epochs"] > 1, "with --epochs 1: the first epoch takes the store's own points")
TF32 = only_if(_has_products_to_round, "without CUDA")


def with_own_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """A command that takes the kinds' own options as ``**options``, with a flag for each of them.

    An option that is not given is not among them: its default depends on the model.

    Raises:
        AmpcliError: two kinds have options of one name and different types, or one is named as one of all kinds.
    """
    signature = inspect.signature(function, eval_str=True)
    *common, own = signature.parameters.values()
    assert own.kind is inspect.Parameter.VAR_KEYWORD
    found: dict[str, FieldInfo] = {}
    for kind in KINDS:
        for name, declared in kind.options.model_fields.items():
            if name in signature.parameters or found.setdefault(name, declared).annotation != declared.annotation:
                raise AmpcliError(
                    f'the kind of model "{kind.name}" has an option "{name}", a name that is taken',
                    "Uninstall its package, or one whose options are named otherwise.",
                )
    flags = [_parameter(name, declared) for name, declared in found.items()]
    function.__signature__ = signature.replace(parameters=[*common, *flags])  # type: ignore[attr-defined]
    return function


def _bound(declared: FieldInfo, which: str) -> Any:
    return next((getattr(entry, which) for entry in declared.metadata if hasattr(entry, which)), None)


def _parameter(name: str, declared: FieldInfo) -> inspect.Parameter:
    def has(model: str) -> bool:
        return name in chosen(model)[0].options.model_fields

    owners = _models(has)
    flag = "--" + name.replace("_", "-")
    words = [flag] if declared.annotation is not bool else [f"{flag}/--no-{flag[2:]}"] if declared.default else [flag]
    option = typer.Option(
        *words,
        help=f"{declared.description} For {owners}.",
        show_default=_default_text(
            declared.default, {model: getattr(chosen(model)[1].options, name) for model in model_names() if has(model)}
        ),
        min=_bound(declared, "ge"),
        max=_bound(declared, "le"),
    )
    effect = only_if(lambda values: has(values["model"]), "for --model {model}", f"It is for {owners}.")
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[declared.annotation | None, option, effect],  # type: ignore[operator]
    )
