"""Every option of every command, with values that are none: one clear error, or the option is fine with it."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from drawing import undrawn
from lhe_pieces import FOLDER

import ampcli.automation.surrogate
import ampcli.demonstration
import ampcli.diagnosis
import ampcli.speedup.measure
from ampcli.cli.app import build_app
from ampcli.cli.main import run
from ampcli.errors import BarNotMetError
from ampcli.kinematics import with_beams
from ampcli.store.reader import Store
from ampcli.training.loop import Trainer

VALUES = ["", "nan", "-1", "1e309", "\udcff", "9" * 5000, "0", "a\nb", "1e12", "[", "/dev/null", "-inf"]
EACH = 3  # of the values for every option; the next option takes the next ones

#: A command that works, for each: its options are then given a nasty value.
WORKING: dict[tuple[str, ...], list[str]] = {
    ("gen",): ["e- e+ > d d~ g", "new.zarr", "--points", "50", "--dry-run"],
    ("features",): ["STORE", "fame"],
    ("ansatz",): ["STORE", "fg1"],
    ("train",): ["STORE", "--name", "t", "--epochs", "1", "--registry", "r"],
    ("ensemble",): ["e", "fame3@1", "fame3@2", "--registry", "REGISTRY"],
    ("calibrate",): ["fame3@1", "STORE", "--registry", "r"],
    ("eval",): ["fame3@1", "STORE", "--registry", "REGISTRY"],
    ("trajectory",): ["fame3@1", "--count", "2", "--points", "5", "--registry", "REGISTRY"],
    ("speedup",): ["fame3@1", "STORE", "--registry", "REGISTRY"],
    ("predict",): ["fame3@1", "events.npz", "out.npz", "--registry", "REGISTRY"],
    ("export",): ["STORE", "events.lhe"],
    ("check",): ["LHE"],
    ("reweight",): ["LHE", "new.lhe", "--exact", "--parameter", "alpha_s=0.13"],
    ("surrogate",): ["e- e+ > u u~ g", "--events", "1e9", "--registry", "r"],
    ("demo",): ["d"],
    ("doctor",): [],
    ("completion",): ["bash"],
    ("store", "status"): ["STORE"],
    ("store", "verify"): ["STORE"],
    ("store", "repair"): ["STORE"],
    ("schema",): ["gen"],
    ("recipes", "list"): [],
    ("recipes", "show"): ["ee-4jets"],
    ("recipes", "run"): ["fame/fig2", "f"],
    ("registry", "list"): ["--registry", "REGISTRY"],
    ("registry", "show"): ["fame3", "--registry", "REGISTRY"],
    ("registry", "compare"): ["fame3@1", "--registry", "REGISTRY"],
    ("registry", "verify"): ["fame3@1", "--registry", "REGISTRY"],
    ("registry", "alias"): ["fame3@1", "best", "--registry", "r"],
    ("registry", "unalias"): ["fame3@none", "--registry", "r"],
    ("registry", "card"): ["fame3@1", "--registry", "REGISTRY"],
    ("registry", "prune"): ["fame3", "--registry", "r"],
    ("registry", "pull"): ["fame3@1", "--from", "REGISTRY", "--registry", "new"],
    ("registry", "join"): ["both", "fame3@1", "--registry", "r"],
    ("registry", "export"): ["fame3@1", "model.tar", "--registry", "REGISTRY"],
    ("registry", "import"): ["model.tar", "--registry", "r"],
}


def _parameters(words: tuple[str, ...]) -> list[Any]:
    entry: Any = typer.main.get_command(build_app())
    for word in words:
        entry = entry.commands[word]
    return list(entry.params)


def _calls(words: tuple[str, ...], values: Iterator[str]) -> Iterator[list[str]]:
    """The working command with each of its options and arguments in turn replaced."""
    base = WORKING[words]
    ends = [i for i, word in enumerate(base) if word.startswith("--")]
    arguments = range(ends[0] if ends else len(base))
    for place in arguments:
        for value in itertools.islice(values, EACH):
            yield [*base[:place], value, *base[place + 1 :]]
    for parameter in _parameters(words):
        if parameter.param_type_name != "option" or parameter.is_flag or parameter.count:
            continue
        flag = max(parameter.opts, key=len)
        rest = base
        if flag in base:
            rest = [*base[: base.index(flag)], *base[base.index(flag) + 2 :]]
        for value in itertools.islice(values, EACH):
            yield [*rest, f"{flag}={value}"]


def test_all_commands_are_here() -> None:
    entry: Any = typer.main.get_command(build_app())
    groups = {name: getattr(command, "commands", None) for name, command in entry.commands.items()}
    known = {(name,) for name, group in groups.items() if group is None}
    known |= {(name, sub) for name, group in groups.items() if group is not None for sub in group}
    assert known == {*WORKING, ("man",)}  # which takes no value


@pytest.mark.parametrize("words", WORKING, ids="-".join)
def test_nasty_values(
    words: tuple[str, ...],
    store3: Store,
    registry: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def enough(*_: object, **__: object) -> None:  # a value that is fine needs no training or demonstration
        raise BarNotMetError("the value was taken")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Trainer, "run", enough)
    monkeypatch.setattr(ampcli.speedup.measure, "measure_speedup", enough)
    monkeypatch.setattr(ampcli.diagnosis, "diagnose", enough)
    monkeypatch.setattr(ampcli.demonstration, "run_demo", enough)
    monkeypatch.setattr(ampcli.automation.surrogate, "make_surrogate", enough)
    shutil.copytree(registry, "r")  # for what writes
    np.savez("events.npz", momenta=with_beams(store3.read("momenta", slice(0, 20)), 1000.0))
    places = {"STORE": str(store3.path), "REGISTRY": str(registry), "LHE": str(FOLDER / "sherpa-eejets.lhe")}
    values = itertools.cycle(VALUES)
    for _ in range(sorted(WORKING).index(words) % len(VALUES)):
        next(values)  # every command begins elsewhere
    tried = 0
    for call in _calls(words, values):
        with undrawn():
            code = run([*words, *(places.get(word, word) for word in call)])
        said = capsys.readouterr().err
        assert code in (0, 1, 2, 3, 4, 5), (call, said)
        assert "internal error" not in said, (call, said)
        assert "Traceback" not in said, (call, said)
        assert said.count("ampcli: error") == (code != 0), (call, said)
        tried += 1
    assert tried >= EACH  # completion has --config alone
