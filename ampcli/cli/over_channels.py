"""Commands that take a store take a sample of many channels too, and work channel by channel.

Models of channels are called NAME-CHANNEL.  A channel for which a command cannot do what it was asked for (no such
features, no such model) is left out, and the reason is said; where that are all channels, it is an error.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ampcli.cli.command import Result
from ampcli.errors import NotFoundError, UsageError

Values = Mapping[str, Any]

#: Values of a command's parameters, the store and the name of a channel -> the values for that channel.
AtChannel = Callable[[Values, Path, str], dict[str, Any]]


def over_channels(
    store: Callable[[Values], Path | None], at: AtChannel
) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """A command that does for every channel of a sample what it does for a store.

    Args:
        store: where the store is among the values; None where none was asked for.
        at: the values that are others for a channel.
    """

    def decorate(function: Callable[..., Result]) -> Callable[..., Result]:
        @functools.wraps(function)
        def run(**values: Any) -> Result:
            from ampcli.channels.sample import channel_stores

            path = store(values)
            stores = None if path is None else channel_stores(path)
            if stores is None:
                return function(**values)
            done: dict[str, Result] = {}
            left_out: dict[str, UsageError | NotFoundError] = {}
            for name, place in stores.items():
                try:
                    done[name] = function(**{**values, **at(values, place, name)})
                except (UsageError, NotFoundError) as error:
                    left_out[name] = error
            if not done:
                raise next(iter(left_out.values()))
            return _together(path, done, left_out)

        return run

    return decorate


def model_of(reference: str, channel: str) -> str:
    """The model of a channel: of ``name@3`` it is ``name-CHANNEL@3``."""
    name, at, version = reference.partition("@")
    return f"{name}-{channel}{at}{version}"


def store_of_arguments(values: Values) -> Path:
    """Of commands that take models and a store in one list."""
    return Path(values["arguments"][-1])


def arguments_at(values: Values, store: Path, channel: str) -> dict[str, Any]:
    """The models, the store and the folder for files of a channel, of commands that have these."""
    *models, _ = values["arguments"]
    out = None if values["out"] is None else values["out"] / channel
    return {"arguments": [*(model_of(model, channel) for model in models), str(store)], "out": out}


def _together(path: Path | None, done: Mapping[str, Result], left_out: Mapping[str, Exception]) -> Result:
    document: dict[str, Any] = {"store": str(path), "channels": {name: each.document for name, each in done.items()}}
    text = [f"{name}\n{_indented(each.text)}" for name, each in done.items()]
    if left_out:
        document["left_out"] = {name: str(error) for name, error in left_out.items()}
        text += [f"{name} was left out: {str(error).splitlines()[0]}" for name, error in left_out.items()]
    writes = [each.write for each in done.values() if each.write is not None]
    return Result(document, "\n".join(text), (lambda: "\n".join(write() for write in writes)) if writes else None)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" if line else "" for line in text.splitlines())
