"""`ampcli surrogate`: trials, a forecast, and if it pays the surrogate itself, beside what was forecast."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import FiniteFloat

from ampcli.amplitudes.providers import provider_of
from ampcli.automation.ansaetze import ansaetze
from ampcli.automation.forecast import LEAST_GAIN, Costs, Row, Trial, cheapest, forecast
from ampcli.automation.trials import PRESETS, Trials, Tried, measured_seconds
from ampcli.chain import Chain, ask
from ampcli.files import read_file, replacing, write_durably
from ampcli.inference.load import load_predictor
from ampcli.kinematics import with_beams
from ampcli.records.base import Frozen
from ampcli.registry.search import Registry
from ampcli.speedup.spent import amplitudes_per_event
from ampcli.speedup.timing import check_seconds
from ampcli.store.reader import open_store

_FIRST = 2000  # events, whose exact amplitudes are timed
_TRIAL_EVENTS = (6000, 48000)  # fewest and most
_TRIAL_SECONDS = 300.0  # of exact amplitudes, in which more than the fewest are made
_MOST_EVENTS = 4_000_000
_NOTES, FORECAST = "surrogate.json", "forecast.json"
#: Exact amplitudes that take less are made sooner than any trial is.
_LEAST_SECONDS = 60.0


@dataclass(frozen=True)
class Request:
    """What the user asked for.

    Attributes:
        events: how many amplitudes are needed.
        accuracy, tolerance: at most this share of events may be off by more than this |Delta|.
        name: of the model; registry: where it goes.
        folder: for stores, trials and reports.
        gen: options of `ampcli gen` that say which events; none: the usual ones.
        points: of the store that is trained on; None: the cheapest number.
    """

    process: str
    events: int
    accuracy: float
    tolerance: float
    name: str
    registry: Registry
    folder: Path
    gen: tuple[str, ...]
    points: int | None
    workers: int
    dry_run: bool

    @property
    def has_file(self) -> bool:
        """Whether the events are those of a file."""
        return any(word.split("=")[0] == "--momenta" for word in self.gen)


class Forecast(Frozen):
    """What was measured, and what follows from it.

    Attributes:
        exact_seconds: of an exact amplitude by `provider`; per_event: exact amplitudes that an event takes.
        trial_seconds: of all trials, the generation of their events included.
        refused: models that the process does not allow, and why.
        rows: by numbers of events, of the best model.
        chosen: the row that is going to be made; points: how many events were asked for, if that was said.
        process: whose amplitudes are wanted.
        provider: of exact amplitudes.
        events: how many are wanted.
        accuracy: largest |Delta| that counts as right.
        tolerance: share of the events that may be further off.
        tried: models, the best in front.
        model: the best, as for `train --model`; None: none is possible.
        preset: of its network.
        pays: whether the surrogate saves time.
    """

    process: str
    provider: str
    events: int
    accuracy: FiniteFloat
    tolerance: FiniteFloat
    exact_seconds: FiniteFloat
    per_event: FiniteFloat
    trial_seconds: FiniteFloat
    tried: list[Tried]
    refused: dict[str, str]
    model: str | None
    preset: str | None
    rows: list[Row]
    chosen: Row | None
    points: int | None
    pays: bool


class Made(Frozen):
    """What came out, to be compared with the row that was chosen.

    Attributes:
        model: name@version of what was published.
        error: mean |Delta| on test points.
        exact_share: share of the events left to the exact amplitude.
        factor: speed-up of the mixture, as executed.
        training_seconds: of the training.
        break_even: events after which all is paid back; None: never.
    """

    model: str
    error: FiniteFloat
    exact_share: FiniteFloat
    factor: FiniteFloat
    training_seconds: FiniteFloat
    break_even: FiniteFloat | None


@dataclass(frozen=True)
class _Run:
    request: Request
    chain: Chain

    def gen(self, name: str, points: int, seed: int) -> tuple[Path, float]:
        """A store of this many events, and the seconds that it took on all cores together."""
        path, asked = self.request.folder / f"{name}.zarr", self.request
        drawn = () if asked.has_file else ("--seed", seed)
        sizes = ("--points", points, "--workers", asked.workers, "--resume")
        return path, self.chain("gen", asked.process, path, *asked.gen, *sizes, *drawn) * asked.workers


def make_surrogate(request: Request) -> tuple[Forecast, Made | None]:
    """Forecast, and unless it is a dry run or does not pay, the surrogate.

    Raises:
        UsageError: what cannot be, the folder holds something else, or exact amplitudes cannot be computed anew.
        AmpcliError: a command failed.
    """
    begun = (request.folder / _NOTES).is_file()
    most = None if begun else _most_events(request)  # refuses what `gen` refuses before there is a folder
    settings = {"process": request.process, "gen": list(request.gen), "tolerance": request.tolerance}
    chain = Chain.of(
        request.folder,
        _NOTES,
        settings | {"accuracy": request.accuracy, "events": request.events},
        dict(os.environ),
        f"{request.folder} holds a surrogate of other settings",
    )
    run = _Run(request, chain)
    found = _known(request) or _forecast(run, most or _most_events(request))
    _write(request.folder / FORECAST, found)
    if request.dry_run or found.chosen is None or not (found.pays or request.points):
        return found, None
    made = _made(run, found)
    _write(request.folder / "made.json", made)
    return found, made


def _known(request: Request) -> Forecast | None:
    """The forecast that an earlier run left: times are not measured again."""
    with suppress(OSError, ValueError):
        found = Forecast.model_validate_json(read_file(request.folder / FORECAST))
        if found.points == request.points:
            return found
    return None


def _most_events(request: Request) -> int:
    """Events that there can be: those of a file, or as many as are worth trying.

    Raises:
        AmpcliError: as `ampcli gen` refuses them.
    """
    some = () if request.has_file else ("--points", _FIRST)
    planned = ask("gen", request.process, request.folder / "first.zarr", *request.gen, *some, "--dry-run")
    return int(planned["plan"]["points"]) if request.has_file else _MOST_EVENTS


def _forecast(run: _Run, available: int) -> Forecast:
    request = run.request
    path, first_seconds = run.gen("first", min(_FIRST, available), 1)
    first = open_store(path)
    first.require_exact()
    provider = provider_of(first.plan.provider, first.process)
    exact = measured_seconds(provider, first)
    per_event, _ = amplitudes_per_event(first)
    nothing = Forecast(
        process=request.process,
        provider=first.plan.provider.exact_name,
        events=request.events,
        accuracy=request.accuracy,
        tolerance=request.tolerance,
        exact_seconds=exact,
        per_event=per_event,
        trial_seconds=0.0,
        tried=[],
        refused={},
        model=None,
        preset=None,
        rows=[],
        chosen=None,
        points=request.points,
        pays=False,
    )
    if exact * request.events < _LEAST_SECONDS:
        return nothing
    fewest, most = _TRIAL_EVENTS
    events = min(max(min(int(_TRIAL_SECONDS / (exact * per_event)), most), fewest), available)
    path, seconds = run.gen("trial", events, 2)
    store = open_store(path)
    trials = Trials(run.chain, path, store, request.folder / "trials", provider, exact)
    allowed = ansaetze(store.process, store.plan.provider)
    per_event, _ = amplitudes_per_event(store)  # of few events it fluctuates
    costs = Costs(
        exact=exact,
        check=check_seconds(provider, with_beams(store.read("momenta", slice(0, 2048)))),
        per_event=per_event,
        generated=max((seconds - first_seconds) / max(events - _FIRST, 1), exact * per_event),
    )
    sizes = [request.points] if request.points else _sizes(events, min(request.events, available))

    def rows(trial: Trial) -> list[Row]:
        return forecast(trial, costs, request.events, request.accuracy, request.tolerance, sizes)

    every = trials.every(allowed)
    model = max(every, key=lambda name: cheapest(rows(every[name])).saved)
    best = trials.best(model)
    preset = max(best, key=lambda name: cheapest(rows(best[name])).saved)
    tried = [trials.described(name, allowed.features[name], PRESETS[0], trial) for name, trial in every.items()]
    tried += [trials.described(model, allowed.features[model], name, trial) for name, trial in best.items()]
    expected = rows(best[preset])
    chosen = cheapest(expected)
    spent = trials.seconds + first_seconds + (request.workers - 1) / request.workers * seconds
    return nothing.model_copy(
        update={
            "per_event": per_event,
            "trial_seconds": spent,
            "tried": tried,
            "refused": allowed.refused,
            "model": model,
            "preset": preset,
            "rows": expected,
            "chosen": chosen,
            "pays": chosen.saved > LEAST_GAIN,
        }
    )


def _sizes(trial: int, most: int) -> list[int]:
    """Numbers of events that a forecast is made for, each twice the one before."""
    sizes = [trial]
    while sizes[-1] * 2 <= most:
        sizes.append(sizes[-1] * 2)
    return sizes


def _made(run: _Run, found: Forecast) -> Made:
    """The surrogate that was chosen, published, and what it is worth."""
    request, row = run.request, found.chosen
    assert row is not None
    assert found.model is not None
    path, _ = run.gen(f"events-{row.events}", row.events, 3)
    features = next(tried.features for tried in found.tried if tried.model == found.model)
    registry = ("--registry", request.registry.option)
    run.chain("features", path, features)
    learning = ("--preset", found.preset, "--epochs", row.epochs, "--threads", 1)
    run.chain("train", path, "--model", found.model, "--name", request.name, *learning, *registry)
    predictor = load_predictor(request.name, request.registry, "cpu")
    reference = predictor.manifest.reference
    asked = ("--tolerance", f"{request.accuracy:g}:{request.tolerance:g}", "--provider", found.provider)
    run.chain("speedup", reference, path, *asked, *registry, "--out", request.folder / "speedup", "-q")
    run.chain("eval", reference, path, *registry, "--out", request.folder / "eval", "-q")
    report = json.loads((request.folder / "speedup" / "speedup.json").read_text())
    evaluated = json.loads((request.folder / "eval" / "evaluation.json").read_text())
    best = next(each for each in report["strategies"] if each["name"] == report["best"])
    measure = evaluated["events"] or evaluated
    return Made(
        model=reference,
        error=measure["overall"]["mean_abs_delta"],
        exact_share=1.0 - sum(best["outcome"]["used"]),
        factor=best["executed"],
        training_seconds=predictor.manifest.seconds or 0.0,
        break_even=report["break_even_events"][found.provider],
    )


def _write(path: Path, record: Frozen) -> None:
    with replacing(path) as fresh:
        write_durably(fresh, f"{record.model_dump_json(indent=1)}\n".encode())
