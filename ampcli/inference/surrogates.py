"""One model, or a set of models of all channels, with the processes that each serves."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from ampcli.amplitudes.providers import PROVIDERS
from ampcli.channels.groups import flavours_of
from ampcli.device import choose_device
from ampcli.errors import NotFoundError
from ampcli.events.served import Served, Target, targets_of
from ampcli.inference.load import load_folder
from ampcli.inference.predictor import Predictor
from ampcli.registry.manifest import Manifest, read_manifest
from ampcli.registry.members import member_folders
from ampcli.registry.resolve import resolve
from ampcli.registry.search import AnyRegistry, find_registry
from ampcli.registry.sets import SurrogateSet, read_entry


@dataclass(frozen=True)
class Surrogates:
    """Models that predict events of many processes.

    Attributes:
        reference: of the model or the set, ``name@version``.
        name: what their processes are called, in messages.
        predictors: one for each channel.
        channels: names of these; none of a model alone.
        targets: processes of events, and the number of the predictor that serves them.
    """

    reference: str
    name: str
    predictors: tuple[Predictor, ...]
    channels: tuple[str, ...]
    targets: tuple[Target, ...]

    @cached_property
    def served(self) -> Served:
        """Which event is whose."""
        return Served(self.name, tuple(each.process for each in self.predictors), self.targets)

    def for_process(self, process: str) -> Surrogates:
        """The member whose own process this is, alone; a model itself.

        Raises:
            NotFoundError: the set has none.
        """
        if not self.channels:
            return self
        for predictor in self.predictors:
            if predictor.manifest.process == process:
                return alone(predictor)
        raise NotFoundError(
            f"{self.reference} has no model of {process}",
            f"It has: {', '.join(each.manifest.process for each in self.predictors)}.",
        )


def load_surrogates(name: str, registry: AnyRegistry | str | None = None, device: str = "auto") -> Surrogates:
    """Load a model or a set: ``name``, ``name@3`` or ``name@alias``.

    A model serves all processes with its |M|^2 (`ampcli.channels.groups`), a set those of its channels.

    Raises:
        NotFoundError: no such registry, entry, version or alias.
        IntegrityError: a manifest, the weights or a member of the set do not verify.
    """
    found = find_registry(registry)
    folder, target = resolve(found, name), choose_device(device)
    entry = read_entry(folder)
    if isinstance(entry, Manifest):
        return alone(load_folder(folder, entry, target, found))
    predictors = tuple(load_folder(path, read_manifest(path), target) for path in member_folders(found, entry))
    channels = tuple(channel.name for channel in entry.channels if channel.member is not None)
    return Surrogates(entry.reference, f"a process of {entry.reference}", predictors, channels, _targets(entry))


def alone(predictor: Predictor) -> Surrogates:
    """A model that serves all processes with its |M|^2; its own alone, where a plugin computes what we do not know."""
    manifest = predictor.manifest
    process = predictor.process
    known = manifest.provider.exact_name in PROVIDERS.ours
    targets = targets_of(0, flavours_of(process)) if known else [Target(process)]
    return Surrogates(manifest.reference, manifest.process, (predictor,), (), tuple(targets))


def _targets(entry: SurrogateSet) -> tuple[Target, ...]:
    """Of channels with a model, in their order, then of those without."""
    found, member = [], 0
    for channel in entry.channels:
        if channel.member is not None:
            found += targets_of(member, channel.flavours)
            member += 1
    for channel in entry.channels:
        if channel.member is None:
            found += targets_of(None, channel.flavours, f"its channel {channel.name} has no model ({channel.reason})")
    return tuple(found)
