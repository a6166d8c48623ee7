"""What `ampcli speedup` certified, executed: surrogates where they are sure, as a source of amplitudes for `gen`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pydantic
import torch

from ampcli.amplitudes.protocol import Provider
from ampcli.collisions import AnyCollisions
from ampcli.device import one_thread
from ampcli.errors import IntegrityError, NotFoundError, UsageError, setting
from ampcli.files import read_file
from ampcli.inference.load import load_predictor
from ampcli.kinematics import FloatArray
from ampcli.process import Process
from ampcli.records.provider import MIXTURE, ProviderRecord
from ampcli.registry.manifest import manifest_sha256
from ampcli.registry.resolve import resolve
from ampcli.registry.search import find_registry
from ampcli.speedup.cascades import Cascade
from ampcli.speedup.mixture import Mixture
from ampcli.speedup.report import Strategy
from ampcli.store.plan import Plan

#: The file of a report.
REPORT = "speedup.json"

#: Changes whenever the same report would give other numbers.
VERSION = "1"

_BATCH = 8192
_HOW_IT_WAS_DRAWN = ("seed", "sampler", "sampling", "unweighted", "overweight", "refined")  # the physics is the same


class Certified(pydantic.BaseModel):
    """What a report of `ampcli speedup` says that its mixture needs."""

    model_config = pydantic.ConfigDict(frozen=True, extra="ignore")

    plan: Plan
    models: list[str]
    yardstick: str
    best: str
    accuracy: float
    tolerance: float
    strategies: list[Strategy]

    @classmethod
    def read(cls, file: Path) -> Certified:
        """From `speedup.json`.

        Raises:
            NotFoundError: no such file.
            IntegrityError: it is something else, or damaged.
        """
        wanted = f"`ampcli speedup ... --out FOLDER` writes FOLDER/{REPORT}."
        try:
            return cls.model_validate(json.loads(read_file(file)))
        except FileNotFoundError:
            raise NotFoundError(f"no report at {file}", wanted) from None
        except (ValueError, IsADirectoryError) as error:
            first = str(error).splitlines()[0]
            raise IntegrityError(f"{file} is no report of `ampcli speedup` ({first})", wanted) from None

    @property
    def certifies(self) -> bool:
        """Whether the best strategy over the yardstick has thresholds."""
        return any(s.certified for s in self.strategies if (s.name, s.provider) == (self.best, self.yardstick))

    def strategy(self, provider: str) -> Strategy:
        """The one that saves most time over an exact amplitude, by its points of the validation split.

        Raises:
            UsageError: the report knows no such amplitude, or nothing was certified.
        """
        ways = [strategy for strategy in self.strategies if strategy.provider == provider]
        if not ways:
            known = sorted({strategy.provider for strategy in self.strategies})
            raise UsageError(f"the report has nothing about the provider {provider}", f"It has {', '.join(known)}.")
        best = max(ways, key=lambda strategy: strategy.validation.factor)
        if not best.certified:
            raise UsageError(
                "the report certifies no threshold: exact amplitudes alone keep its tolerance",
                f"Run `ampcli speedup` on more events, or with a larger {setting('tolerance')}.",
            )
        return best

    def require_same(self, process: Process, collisions: AnyCollisions) -> None:
        """Make sure that events are of the kind that was certified.

        Raises:
            UsageError: another process, or other collisions.
        """
        if self.plan.process != str(process):
            raise UsageError(f"the report is about {self.plan.process}, not {process}")
        ours, theirs = (
            {key: value for key, value in source.model_dump(mode="json").items() if key not in _HOW_IT_WAS_DRAWN}
            for source in (collisions, self.plan.source)
        )
        for key in ours | theirs:
            if ours.get(key) != theirs.get(key):
                raise UsageError(
                    f"the report is about other events: {key} is {theirs.get(key)} there, {ours.get(key)} here",
                    "Run `ampcli speedup` on a store of the events that you want.",
                )


@dataclass(frozen=True)
class MixtureProvider(Provider):
    """|M|^2 of surrogates where they are sure of themselves, of another provider elsewhere.

    Args:
        exact: the other provider, over which thresholds were certified.
        certified: what they are.
        registry: the folder of the models.
    """

    exact: Provider
    certified: Certified
    registry: Path | None = None

    def __getstate__(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}  # no networks

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)

    @property
    def process(self) -> Process:  # type: ignore[override]
        return self.exact.process

    @property
    def fault(self) -> str | None:
        return self.exact.fault

    @cached_property
    def _strategy(self) -> Strategy:
        return self.certified.strategy(self.exact.identity().name)

    @cached_property
    def _mixture(self) -> Mixture:
        way = self._strategy
        correlation = None if way.correlation is None else torch.tensor(way.correlation, dtype=torch.float64)
        asks = tuple(tuple(asked) for asked in way.asks)
        cascade = Cascade(way.name, asks, (0.0,) * len(asks), correlation)
        predictors = [load_predictor(name, self.registry, "cpu") for name in self.certified.models]
        return Mixture(predictors, cascade, way.outcome.thresholds, self.exact)

    def identity(self) -> ProviderRecord:
        exact = self.exact.identity()
        found = find_registry(self.registry)
        return ProviderRecord(
            name=MIXTURE,
            version=VERSION,
            options={
                "exact": f"{exact.name} {exact.version}",
                "models": ", ".join(self.certified.models),
                "manifests": ", ".join(manifest_sha256(resolve(found, name)) for name in self.certified.models),
                "strategy": self._strategy.name,
                "thresholds": ", ".join(map(repr, self._strategy.outcome.thresholds)),
                "certified": f"{self.certified.accuracy:g}:{self.certified.tolerance:g}",
                **{f"exact {key}": value for key, value in exact.options.items()},
            },
            parameters=exact.parameters,
            particles=exact.particles,
        )

    def evaluate(self, momenta: FloatArray) -> FloatArray:
        with one_thread():
            return self._mixture.run(momenta, _BATCH)[0]


def mixture_of(report: Path, exact: Provider, collisions: AnyCollisions, registry: Path | None) -> MixtureProvider:
    """The mixture that a report certified for such events.

    Raises:
        UsageError: it is about other events, parameters or amplitudes, or certified nothing.
        NotFoundError: the report or its models are not there.
        IntegrityError: the report is damaged.
    """
    certified = Certified.read(report)
    certified.require_same(exact.process, collisions)
    identity = exact.identity()
    certified.strategy(identity.name)
    made, known = identity.parameters, certified.plan.provider.parameters
    different = [key for key in {*made, *known} if made.get(key) != known.get(key)]
    if different:
        key = sorted(different)[0]
        raise UsageError(
            f"the report is about {key} = {known.get(key)}, not {made.get(key)}", f"See {setting('parameter')}."
        )
    provider = MixtureProvider(exact, certified, registry)
    provider.identity()  # the models are there
    return provider
