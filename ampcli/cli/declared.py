"""Options of a command that the things it works with declare: models, feature blocks.

A thing has a pydantic class of its own options; its fields give flags, types and help, its values the defaults that
are shown.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import pydantic
import typer
from pydantic.fields import FieldInfo

from ampcli.cli.effect import Effect
from ampcli.errors import AmpcliError


@dataclass(frozen=True)
class Owner:
    """Something with options: `name` in help texts, `defaults` as an object of its class of options."""

    name: str
    defaults: pydantic.BaseModel


def declared_parameters(
    owners: Iterable[Owner],
    taken: Collection[str],
    effects: Callable[[str], Sequence[Effect]] = lambda option: (),
) -> list[inspect.Parameter]:
    """One parameter for each option, however many own it; not given, its value is None.

    Args:
        taken: names of the command's other options.
        effects: when an option of that name has an effect.

    Raises:
        AmpcliError: owners have options of one name and different types, or of a name that is taken.
    """
    found: dict[str, list[Owner]] = {}
    for owner in owners:
        for option in type(owner.defaults).model_fields:
            found.setdefault(option, []).append(owner)
            if option in taken:
                raise AmpcliError(
                    f'{owner.name} has an option "{option}", a name that this command has for another',
                    "Uninstall the package that adds it, or give its option another name.",
                )
    return [_parameter(option, having, effects(option)) for option, having in found.items()]


def _parameter(option: str, owners: Sequence[Owner], effects: Sequence[Effect]) -> inspect.Parameter:
    fields = [type(owner.defaults).model_fields[option] for owner in owners]
    for owner, field in zip(owners, fields, strict=True):
        if field.annotation != fields[0].annotation:
            raise AmpcliError(
                f'{owners[0].name} and {owner.name} have an option "{option}" of different types',
                "Uninstall one of them, or give its option another name.",
            )
    shown = typer.Option(
        help=fields[0].description,
        show_default=default_text(option, owners),
        min=_bound(fields[0], "ge"),
        max=_bound(fields[0], "le"),
    )
    kind: Any = Annotated[(fields[0].annotation | None, shown, *effects)]  # type: ignore[operator]
    return inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)


def _bound(field: FieldInfo, which: str) -> Any:
    return next((getattr(entry, which) for entry in field.metadata if hasattr(entry, which)), None)


def default_text(option: str, owners: Sequence[Owner]) -> str:
    """The default of the first owner, and others with their owners' names: "product; fg1+ delta-r"."""
    names: dict[str, list[str]] = {}
    for owner in owners:
        names.setdefault(_written(getattr(owner.defaults, option)), []).append(owner.name)
    (first, _), *others = names.items()
    return "; ".join([first, *(f"{', '.join(having)} {value}" for value, having in others)])


def _written(value: object) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def given(options: dict[str, Any]) -> dict[str, Any]:
    """Those that were given."""
    return {name: value for name, value in options.items() if value is not None}
