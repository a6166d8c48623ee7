"""The sources of exact amplitudes, by name."""

from __future__ import annotations

from collections.abc import Mapping

from ampcli.amplitudes.protocol import Limits, Provider, ProviderKind
from ampcli.errors import UsageError, setting
from ampcli.plugins import Catalogue
from ampcli.process import Process, parse_process, with_boson_masses
from ampcli.records.provider import MIXTURE, ProviderRecord

PROVIDERS: Catalogue[ProviderKind] = Catalogue(
    "provider",
    ProviderKind,  # type: ignore[type-abstract]
    "ampcli.providers",
    {
        "native": "ampcli.amplitudes.native.provider:NATIVE",
        "olp": "ampcli.amplitudes.olp:OLP",
        "pyamplicol": "ampcli.amplitudes.pyamplicol:PYAMPLICOL",
        "python": "ampcli.amplitudes.python_function:PYTHON",
        "table": "ampcli.amplitudes.table:TABLE",
        "umami": "ampcli.amplitudes.umami:UMAMI",
    },
)

#: The name that stands for the first provider that covers a process.
AUTO = "auto"


def kind_named(name: str) -> ProviderKind:
    """The kind of provider of a name, which may have an argument: ``native``, ``table:COLUMN``.

    Raises:
        UsageError: an unknown provider or argument.
        AmpcliError: what it names cannot be imported.
    """
    kind, _, argument = name.partition(":")
    return PROVIDERS[kind].of(argument)


def named_with_model(name: str, model: str) -> str:
    """The name of the provider of a UFO model's amplitudes, where none or pyamplicol was named.

    Args:
        model: as `ampcli.amplitudes.ufo.find_model` takes it.

    Raises:
        UsageError: another provider was named.
    """
    if name not in (AUTO, "pyamplicol"):
        raise UsageError(
            f"{setting('model')} {model}: the provider {name} has no amplitudes of UFO models",
            f"Leave out {setting('provider')}.",
        )
    return f"pyamplicol:{model}"


def by_place() -> list[ProviderKind]:
    """All kinds in the order in which they are asked by default."""
    return sorted(PROVIDERS, key=lambda kind: kind.place)


def asked_process(name: str, text: str, parameters: Mapping[str, float]) -> Process:
    """The process of a string, with the particles and masses of the provider of that name.

    Raises:
        UsageError: no process, an unknown provider, or parameters it cannot change.
    """
    if name == AUTO:
        return with_boson_masses(parse_process(text), parameters)
    return kind_named(name).process(text, parameters)


def choose_kind(name: str, process: Process, unchecked: bool = False) -> ProviderKind:
    """The kind of provider of that name, which covers a process.

    Args:
        name: `AUTO`: the first that covers it.
        unchecked: take an amplitude that is not known to be right.

    Raises:
        UsageError: an unknown provider, or a process that is not covered.
    """
    asked = by_place() if name == AUTO else [kind_named(name)]
    reasons = []
    for kind in asked:
        if (reason := kind.covers(process, unchecked)) is None:
            return kind
        reasons.append(f"{kind.name}: {reason}" if name == AUTO else reason)
    none = "no provider covers" if name == AUTO else f"the provider {name} does not cover"
    raise UsageError(f'{none} "{process}": {"; ".join(reasons)}', _way_out(process, asked))


def _way_out(process: Process, asked: list[ProviderKind]) -> str | None:
    if others := [kind.name for kind in by_place() if kind.covers(process) is None]:
        return f"Take {setting('provider')} {' or '.join(others)}."
    if any(kind.covers(process, unchecked=True) is None for kind in asked):
        return (
            f"docs/amplitudes.md lists processes that are right; {setting('unchecked')} takes it "
            "as it is, and marks the store."
        )
    return None


def asked_kind(
    name: str, process: Process, unchecked: bool = False, signed: bool = False, limits: Limits | None = None
) -> ProviderKind:
    """The kind of provider of that name, as it is asked for; see `make_provider`.

    Raises:
        UsageError: an unknown provider, a process it does not cover, or one that has no such values or limits.
    """
    kind = choose_kind(name, process, unchecked)
    if signed:
        kind = kind.of_either_sign()
    return kind if limits is None else kind.within(limits)


def make_provider(
    name: str,
    process: Process,
    parameters: Mapping[str, float] | None = None,
    unchecked: bool = False,
    signed: bool = False,
    limits: Limits | None = None,
) -> Provider:
    """The provider of that name for `process`.

    Args:
        name: as `kind_named` takes it, or `AUTO`.
        parameters: couplings and masses that differ from the defaults.
        unchecked: take an amplitude that is not known to be right.
        signed: take values of either sign.
        limits: beyond which a library fails (None: its defaults).

    Raises:
        UsageError: an unknown provider, a process it does not cover, or parameters it cannot change.
    """
    kind = asked_kind(name, process, unchecked, signed, limits)
    kind.require_settable(parameters or {})
    return kind.make(process, parameters or {}, unchecked)


def covering(process: Process, unchecked: bool = False) -> list[ProviderKind]:
    """The kinds that cover a process, those for most processes first: yardsticks of what surrogates gain."""
    found = [kind for kind in by_place() if kind.covers(process, unchecked) is None]
    return sorted(found, key=lambda kind: not kind.general)


def provider_of(record: ProviderRecord, process: Process) -> Provider:
    """The provider that a store or a model was made with.

    Raises:
        UsageError: it is not installed, computes something else by now, or is not exact.
    """
    if record.name == MIXTURE:
        raise UsageError(
            f"its amplitudes are those of {record.options.get('models')} where these were sure: not exact",
            f"Take a store that was made without {setting('surrogate')}.",
        )
    kind = kind_named(record.name)
    return (kind.of_either_sign() if record.signed else kind).of_record(record, process)


def note_on(record: ProviderRecord, process: Process) -> str | None:
    """What has to be said about the exact amplitudes of a store or a model, if anything is known."""
    if record.name == MIXTURE:
        return (
            f"note: amplitudes are those of {record.options.get('models')} where these are sure, and of "
            f"{record.options.get('exact')} elsewhere"
        )
    kind = PROVIDERS.find(record.name.partition(":")[0])
    return None if kind is None else kind.note(record, process)
