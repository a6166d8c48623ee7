"""The kinds of models, as they are declared (ours: `ampcli.models.declared`).

Recipe, manifest, help, completion and refusals of `ampcli train` follow from the declarations (docs/extending.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ampcli.errors import UsageError, setting
from ampcli.models.options import Options
from ampcli.plugins import Catalogue, imported
from ampcli.records.settings import Settings

if TYPE_CHECKING:
    from ampcli.models.ansatz import Ansatz


@dataclass(frozen=True)
class Choice:
    """What the name of a model (``--model``) means."""

    options: Options
    """Defaults of the kind's own options."""
    block: str | None = None
    """Name of the features; None for plain momenta."""
    networks: tuple[str, ...] = ("mlp",)
    """Kinds of networks that it may have, the usual one first."""
    settings: Settings = field(default_factory=Settings)
    """Those of its paper, or better ones."""


class ModelKind:
    """A kind of model.

    Args:
        name: as in manifests.
        ansatz: its class, or where that stands as ``module:attribute``: then it is imported when a model is made.
        options: class of its own options.
        reads: arrays of the features that the ansatz reads, where the features have them.
        models: names for ``--model``, for help and completion; of a pattern, examples.
        choose: what such a name means; None for the names of other kinds.
        card: what it is, in a sentence of the model card; ``{block}`` is the name of its features.
    """

    def __init__(
        self,
        name: str,
        ansatz: type[Ansatz[Any]] | str,
        options: type[Options],
        reads: tuple[str, ...],
        models: tuple[str, ...],
        choose: Callable[[str], Choice | None],
        card: str,
    ) -> None:
        self.name, self._ansatz, self.options, self.reads = name, ansatz, options, reads
        self.models, self.choose, self.card = models, choose, card

    @cached_property
    def ansatz(self) -> type[Ansatz[Any]]:
        """The class."""
        return imported(self._ansatz) if isinstance(self._ansatz, str) else self._ansatz

    @property
    def predicts_uncertainty(self) -> bool:
        """For each point."""
        return self.ansatz.predicts_uncertainty


KINDS = Catalogue(
    "kind of model",
    ModelKind,
    "ampcli.models",
    {
        "fame": "ampcli.models.declared:FAME",
        "antenna": "ampcli.models.declared:ANTENNA",
        "plain": "ampcli.models.declared:PLAIN",
        "single": "ampcli.models.declared:SINGLE",
        "fks": "ampcli.models.declared:FKS",
        "ratio": "ampcli.models.declared:RATIO",
        "factorised": "ampcli.models.declared:FACTORISED",
    },
)


def model_names() -> list[str]:
    """Names of models, of patterns some examples."""
    return [name for kind in KINDS for name in kind.models]


def chosen(model: str) -> tuple[ModelKind, Choice]:
    """The kind and the settings that the name of a model means.

    Raises:
        UsageError: an unknown model.
        AmpcliError: it is that of a package that cannot be imported.
    """
    for kind in KINDS:
        if (choice := kind.choose(model)) is not None:
            return kind, choice
    if model in KINDS:
        KINDS[model]  # says what is wrong with another package's
    raise UsageError(f"{setting('model')} {model}: unknown", f"Known: {', '.join(model_names())}, ...")


def name_of(kind: str, block: str | None, network: str, options: Options) -> str:
    """The name (``--model``) under which a model was trained, from what its manifest says.

    Where several names differ in the settings of the training alone, the one of the same options, or the first.
    """
    found = {}
    for name in dict.fromkeys([*KINDS[kind].models, *([block] if block else [])]):
        choice = KINDS[kind].choose(name)
        if choice is not None and choice.block == block and network in choice.networks:
            found[name] = choice.options
    return next((name for name in found if found[name] == options), next(iter(found), kind))


def recipe_settings(model: str) -> dict[str, Any]:
    """The part of a recipe (`ampcli.records.training.Recipe`) that the name of a model decides.

    Raises:
        UsageError: an unknown model.
    """
    kind, choice = chosen(model)
    return {
        "kind": kind.name,
        "block": choice.block,
        "network": choice.networks[0],
        "options": choice.options.model_dump(),
        **choice.settings.model_dump(),
    }
