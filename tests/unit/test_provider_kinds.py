"""The catalogue of exact amplitudes: which one a process gets, and what is asked of those of other packages."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from plugged import plug

from ampcli import diagnosis, provenance
from ampcli.amplitudes.protocol import Provider, ProviderKind
from ampcli.amplitudes.providers import PROVIDERS, choose_kind, covering, make_provider, note_on, provider_of
from ampcli.amplitudes.pyamplicol import PyAmplicol
from ampcli.cli.main import run
from ampcli.cli.names import provider_names, starting_with
from ampcli.cli.output import flag
from ampcli.errors import AmpcliError, UsageError
from ampcli.process import Process, parse_process
from ampcli.records.provider import ProviderRecord
from ampcli.registry.search import find_registry
from ampcli.speedup.measure import providers_of

JETS, NEUTRINOS, TOPS = map(parse_process, ("e- e+ > d d~ g", "ve ve~ > d d~", "g g > t t~"))


class Flat(Provider):
    """The same number everywhere."""

    def __init__(self, process: Process, height: float) -> None:
        self.process, self.height = process, height

    def identity(self) -> ProviderRecord:
        return ProviderRecord(name="flat", version="7", parameters={"height": self.height})

    def evaluate(self, momenta: np.ndarray) -> np.ndarray:
        return np.full(len(momenta), self.height)


class FlatKind(ProviderKind):
    name = "flat"
    version = "7"
    parameters = ("height",)

    def covers(self, process: Process, unchecked: bool = False) -> str | None:
        return None if process.n_final == 2 or process == JETS else "it covers two outgoing legs"

    def make(self, process: Process, parameters: Mapping[str, float], unchecked: bool = False) -> Flat:
        return Flat(process, **{"height": 1.0, **parameters})


class EagerKind(FlatKind):
    place = -1


@pytest.fixture
def flat(monkeypatch: pytest.MonkeyPatch) -> None:
    plug(monkeypatch, PROVIDERS, flat=FlatKind())


@pytest.mark.parametrize(
    ("process", "chosen"), [(JETS, "native"), (TOPS, "pyamplicol"), (NEUTRINOS, "flat")], ids=lambda given: str(given)
)
def test_ours_are_asked_first(flat: None, process: Process, chosen: str) -> None:
    assert choose_kind("auto", process).name == chosen
    assert choose_kind("flat", JETS).name == "flat"


def test_unless_another_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    plug(monkeypatch, PROVIDERS, flat=EagerKind())
    assert choose_kind("auto", JETS).name == "flat"


def test_yardsticks(flat: None) -> None:
    assert [kind.name for kind in covering(JETS)] == ["pyamplicol", "native", "flat"]
    assert [kind.name for kind in covering(NEUTRINOS)] == ["flat"]
    assert [kind.name for kind in covering(parse_process("e- e+ > w+ w- z"))] == []


def test_what_does_not_cover_a_process(flat: None) -> None:
    with pytest.raises(UsageError, match='flat does not cover "d d~ > z g g": it covers two') as refused:
        choose_kind("flat", parse_process("d d~ > z g g"))
    assert refused.value.told(flag).endswith("\n  Take --provider native or pyamplicol.")
    with pytest.raises(UsageError, match=r"no provider covers .*native: .*not right.*flat: it") as refused:
        choose_kind("auto", parse_process("e- e+ > w+ w- z"))
    assert "unchecked" in str(str(refused.value))


def test_parameters_of_another_package(flat: None) -> None:
    made = make_provider("flat", JETS, {"height": 3.0})
    again = provider_of(made.identity(), JETS)
    assert again.evaluate(np.zeros((2, 5, 4))).tolist() == [3.0, 3.0]
    with pytest.raises(UsageError, match='flat has no parameter "width"') as refused:
        make_provider("flat", JETS, {"width": 3.0})
    assert refused.value.hint == "Known: height."
    with pytest.raises(UsageError, match="pyamplicol has fixed parameters: height"):
        make_provider("pyamplicol", JETS, {"height": 3.0})


def test_a_provider_that_is_gone() -> None:
    with pytest.raises(UsageError, match='unknown provider "flat"'):
        provider_of(ProviderRecord(name="flat", version="7"), JETS)


def test_a_package_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r'pyamplicol is not installed \(pip install "ampcli\[pyamplicol\]"\)'):
        choose_kind("pyamplicol", TOPS)
    assert choose_kind("auto", JETS).name == "native"
    assert "zarr" in provenance.package_versions()
    monkeypatch.setattr(provenance, "_PACKAGES", ("numpy", "not-there"))
    assert list(provenance.package_versions()) == ["python", "numpy"]
    found = diagnosis.diagnose(find_registry("registry"))
    assert found["amplitudes"] == "ok (native)"


def _store(process: Process, made: ProviderRecord) -> Any:
    return SimpleNamespace(process=process, plan=SimpleNamespace(provider=made))


def test_what_speedup_compares_with(flat: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(self: PyAmplicol) -> ProviderRecord:
        raise UsageError("no tree")

    made = ProviderRecord(name="flat", version="7", parameters={"height": 5.0})
    found = providers_of(_store(NEUTRINOS, made), [])
    assert list(found) == ["flat"]
    assert found["flat"].evaluate(np.zeros((1, 4, 4))) == 5.0
    assert list(providers_of(_store(JETS, made), ["native", "flat"])) == ["native", "flat"]
    monkeypatch.setattr(PyAmplicol, "identity", refuses)
    assert list(providers_of(_store(TOPS, made), [])) == ["flat"]
    with pytest.raises(UsageError, match="no tree"):
        providers_of(_store(TOPS, made), ["pyamplicol"])
    with pytest.raises(UsageError, match="no provider covers"):
        providers_of(_store(parse_process("e- e+ > w+ w- z"), made), [])


def test_help_and_completion(flat: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["gen", "--help"]) == 0
    names = ("native", "olp", "pyamplicol", "python", "table", "umami", "flat")
    assert f"{', '.join(names)}, or auto" in re.sub(r"\s+", " ", capsys.readouterr().out)
    assert starting_with(provider_names)("f") == ["flat"]
    assert set(starting_with(provider_names)("")) == {*names, "auto"}


def test_what_cannot_be_imported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    plug(monkeypatch, PROVIDERS, broken="no.such.module:X")
    said = "the provider \"broken\" of an installed package cannot be loaded: ModuleNotFoundError: No module named 'no'"
    gen = ["gen", "e- e+ > d d~ g", "new.zarr", "--points", "5", "--dry-run"]
    assert run([*gen, "--provider", "native"]) == 0
    assert caplog.messages == []  # nobody asked for the others
    capsys.readouterr()
    assert run([*gen, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["plan"]["provider"]["name"] == "native"
    assert [kind.name for kind in covering(JETS)] == ["pyamplicol", "native"]
    assert note_on(ProviderRecord(name="broken", version="1"), JETS) is None
    assert run([*gen, "--provider", "broken"]) == 1
    assert capsys.readouterr().err == f"ampcli: error: {said}\n  Mend or uninstall an installed package.\n"
    assert caplog.messages == [f"{said}; going on without it"]


def test_protons_need_the_coupling(
    flat: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    pytest.importorskip("madspace")
    gen = ["gen", "d d~ > z g", str(tmp_path / "new.zarr"), "--points", "5", "--beams", "lhc13"]
    assert run([*gen, "--provider", "flat"]) == 2
    said = "ampcli: error: the provider flat does not say its alpha_s, which has to run with the scale\n"
    assert capsys.readouterr().err == (
        f"{said}  Choose another --provider; a function of yours needs a parameter alpha_s: "
        "f(momenta, *, alpha_s=0.118).\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_another_name_than_the_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    plug(monkeypatch, PROVIDERS, level=FlatKind())
    with pytest.raises(AmpcliError, match='"level" of an installed package calls itself "flat"'):
        PROVIDERS["level"]
