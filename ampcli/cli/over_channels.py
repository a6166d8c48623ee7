"""Commands that take a store take a sample of many channels too, and work channel by channel.

What they read are sets of surrogates, whose members are the models of the channels; what they publish are models called
NAME-CHANNEL, and the set NAME of these.  A channel for which a command cannot do what it was asked for (no such
features, no such model) is left out, and the reason is said; where that are all channels, it is an error.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from ampcli.cli.command import Result
from ampcli.errors import NotFoundError, UsageError
from ampcli.objects import place

Values = Mapping[str, Any]

#: Values of a command's parameters, the store and the name of a channel -> the values for that channel.
AtChannel = Callable[[Values, Path, str], dict[str, Any]]

#: The command's values, and the results of all channels that were done -> what is said of these together.
Whole = Callable[[Values, Mapping[str, Result]], Result]


def over_channels(
    store: Callable[[Values], Path | None],
    at: AtChannel,
    *,
    publishes: Callable[[Values], str | None] | None = None,
    whole: Whole | None = None,
    of_channels: Collection[str] = (),
) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """A command that does for every channel of a sample what it does for a store.

    Args:
        store: where the store is among the values; None where none was asked for.
        at: the values that are others for a channel.
        publishes: the name of the set that the published models become; None where another process publishes it.
        whole: what is said of all channels together.
        of_channels: parameters that `at` alone gives: they are no options.
    """

    def decorate(function: Callable[..., Result]) -> Callable[..., Result]:
        @functools.wraps(function)
        def run(**values: Any) -> Result:
            from ampcli.channels.sample import channel_stores

            path = store(values)
            stores = None if path is None else channel_stores(path)
            if path is None or stores is None:
                return function(**values)
            done: dict[str, Result] = {}
            left_out: dict[str, UsageError | NotFoundError] = {}
            for name, channel in stores.items():
                try:
                    done[name] = function(**{**values, **at(values, channel, name)})
                except (UsageError, NotFoundError) as error:
                    left_out[name] = error
            if not done:
                raise next(iter(left_out.values()))
            together = _together(path, done, left_out)
            if publishes is not None and (set_name := publishes(values)) is not None:
                _add(together, _sets(path, set_name, values["registry"], done, left_out))
            if whole is not None:
                _add(together, whole(values, done))
            return together

        signature = inspect.signature(function, eval_str=True)
        own = [p for p in signature.parameters.values() if p.name not in of_channels]
        run.__signature__ = signature.replace(parameters=own)  # type: ignore[attr-defined]
        return run

    return decorate


def name_at(name: str, channel: str) -> str:
    """What a published model of a channel is called."""
    return f"{name}-{channel}"


def model_at(values: Values, reference: str, channel: str) -> str:
    """The model of a channel: of a set its member.

    Raises:
        NotFoundError: there is none.
    """
    from ampcli.registry import sets
    from ampcli.registry.search import find_registry

    return sets.model_at(find_registry(values["registry"]), reference, channel)


def store_of_arguments(values: Values) -> Path:
    """Of commands that take models and a store in one list."""
    return place(values["arguments"][-1])


def arguments_at(values: Values, store: Path, channel: str) -> dict[str, Any]:
    """The models, the store, the folder for files and the page of a channel, of commands that have these."""
    from ampcli.registry.naming import expand_ranges

    *models, _ = values["arguments"]
    out = None if values["out"] is None else values["out"] / channel
    page = None if (asked := values["report"]) is None else asked.with_stem(f"{asked.stem}-{channel}")
    arguments = [*(model_at(values, model, channel) for model in expand_ranges(models)), str(store)]
    return {"arguments": arguments, "out": out, "report": page}


def _sets(
    path: Path,
    name: str,
    registry: Path | None,
    done: Mapping[str, Result],
    left_out: Mapping[str, Exception],
) -> Result:
    """The published models of all channels become sets."""
    from ampcli.channels.record import read_sample_plan
    from ampcli.publishing.sets import publish_sets
    from ampcli.registry.search import find_registry

    models = {channel: [m.reference for m in each.found] for channel, each in done.items()}
    reasons = {channel: str(error).splitlines()[0] for channel, error in left_out.items()}
    sets = publish_sets(find_registry(registry), name, read_sample_plan(path), models, reasons)
    lines = [f"{each.reference}: a set of {len(each.members)} models for {each.process}" for each in sets]
    return Result({"sets": [each.document for each in sets]}, "\n".join(lines))


def _together(path: Path, done: Mapping[str, Result], left_out: Mapping[str, Exception]) -> Result:
    document: dict[str, Any] = {"store": str(path), "channels": {name: each.document for name, each in done.items()}}
    text = [f"{name}\n{_indented(each.text)}" for name, each in done.items()]
    if left_out:
        document["left_out"] = {name: str(error) for name, error in left_out.items()}
        text += [f"{name} was left out: {str(error).splitlines()[0]}" for name, error in left_out.items()]
    writes = [each.write for each in done.values() if each.write is not None]
    return Result(document, "\n".join(text), (lambda: "\n".join(write() for write in writes)) if writes else None)


def _add(together: Result, more: Result) -> None:
    together.document |= more.document
    together.text = "\n".join(filter(None, (together.text, more.text)))


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" if line else "" for line in text.splitlines())
