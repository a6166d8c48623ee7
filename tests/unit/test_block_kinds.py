"""The catalogue of feature blocks: names, options, and what is asked of those of other packages."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from plugged import plug
from pydantic import Field
from torch import Tensor

from ampcli.cli.main import run
from ampcli.errors import UsageError
from ampcli.features.blocks import BLOCKS, BlockKind, default_choices, kind_of, make_block, new_options
from ampcli.process import Process, parse_process
from ampcli.records.base import Frozen
from ampcli.records.provider import ProviderRecord
from ampcli.store.features import stored_block, write_features
from ampcli.store.reader import Store, open_store

PROCESS = parse_process("e- e+ > d d~ g")
PROVIDER = ProviderRecord(name="native", version="1", parameters={"alpha_s": 0.12})


class Powers(Frozen):
    power: int = Field(default=2, ge=1, description="Of the energies.")


class Energies:
    """inputs (n, n_final): powers of the energies."""

    version = 1

    def __init__(self, name: str, process: Process, power: int) -> None:
        self.name, self.process, self.options = name, process, {"power": power}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {"inputs": (self.process.n_final,)}

    def compute(self, momenta: Tensor) -> dict[str, Tensor]:
        return {"inputs": momenta[..., 0] ** self.options["power"]}


class EnergiesKind(BlockKind):
    name = "energies"
    examples = ("energies",)
    defaults = {"energies": Powers()}

    def make(self, name: str, process: Process, options: Mapping[str, Any], version: int | None) -> Energies:
        if process.n_final > 3:
            raise UsageError(f'the features energies are not for "{process}"')
        return Energies(name, process, **options)


@pytest.fixture
def energies(monkeypatch: pytest.MonkeyPatch) -> None:
    plug(monkeypatch, BLOCKS, energies=EnergiesKind())


@pytest.mark.parametrize(
    ("name", "kind"),
    [("fame", "fame"), ("invariants", "invariants"), ("FG1", "radiations"), ("fg1,ig1+", "radiations")],
)
def test_kinds_of_names(name: str, kind: str) -> None:
    assert kind_of(name).name == kind


@pytest.mark.parametrize("name", ["radiations", "fg0", "fg1,", "", "fame+", "energies"])
def test_unknown_names(name: str) -> None:
    with pytest.raises(UsageError, match=f'unknown features "{re.escape(name)}"') as refused:
        make_block(name, PROCESS, {})
    assert "fame, antenna, invariants, momenta, ratio, fg1" in str(refused.value.hint)


@pytest.mark.parametrize("kind", list(BLOCKS), ids=lambda kind: kind.name)
def test_what_every_kind_declares(kind: BlockKind) -> None:
    for example in kind.examples:
        assert kind_of(example) is kind
        assert kind.default_options(example) in kind.defaults.values()
    for options in kind.defaults.values():
        assert all(field.description for field in type(options).model_fields.values())


@pytest.mark.parametrize("name", ["fame", "antenna", "invariants", "momenta", "fg1", "FG1+", "fg1,fg2+"])
def test_which_blocks_undo_emissions(name: str) -> None:
    block = make_block(name, parse_process("e- e+ > d d~ g g g"), new_options(name, PROVIDER))
    undoes = kind_of(name).undoes_emissions(name)
    assert undoes == ("kernel" in block.shapes()) == hasattr(block, "provider") == name.lower().startswith("fg")


def test_options_of_new_blocks() -> None:
    assert new_options("fame", PROVIDER, {"kernel": "paper"}) == {"alpha_s": 0.12}
    assert new_options("antenna", PROVIDER) == {}
    paper = {"kernel": "paper", "pair": "product", "spectator": "energetic", "inputs": "paper", "orient": False}
    taken = {"provider": "native", "parameters": {"alpha_s": 0.12}}
    assert new_options("fg1", PROVIDER, {"kernel": "paper"}) == {**taken, **paper}
    assert default_choices("fg1+")["pair"] == "delta-r"
    with pytest.raises(UsageError, match="kernel"):
        new_options("fg1", PROVIDER, {"kernel": "mine"})


def test_a_block_of_another_package(energies: None, store3: Store, tmp_path: Path) -> None:
    store = open_store(shutil.copytree(store3.path, tmp_path / "store.zarr"))
    written = write_features(store, "energies", torch.device("cpu"), chosen={"power": 3, "kernel": "paper"})
    assert written["options"] == {"power": 3}
    assert stored_block(store, "energies").options == {"power": 3}
    expected = store.read("momenta")[..., 0] ** 3
    np.testing.assert_allclose(store.read("features/energies/inputs"), expected, rtol=1e-14)


def test_its_options(energies: None, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(["features", "--help"]) == 0
    said = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert "fg1,ig1+, energies, ..." in said
    assert "--power <int range> Of the energies." in said
    assert run(["features", "s", "fame", "--power", "3"]) == 2
    assert "--power has no effect on fame\n  It is for energies." in capsys.readouterr().err
    assert run(["features", "s", "energies", "--orient"]) == 2
    assert "--orient has no effect on energies\n  It is for fg1, " in capsys.readouterr().err
    with pytest.raises(UsageError, match=r"energies cannot have these options: power: .*greater than or equal to 1"):
        new_options("energies", PROVIDER, {"power": 0})
    with pytest.raises(UsageError, match="not for"):
        make_block("energies", parse_process("e- e+ > d d~ g g"), {"power": 1})


def test_completion(energies: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_AMPCLI_COMPLETE", "complete_bash")
    for words, expected in (("features s en", {"energies"}), ("features s fg1 --po", {"--power"})):
        monkeypatch.setenv("COMP_WORDS", f"ampcli {words}")
        monkeypatch.setenv("COMP_CWORD", str(len(words.split())))
        run([])
        assert set(capsys.readouterr().out.split()) == expected


class Clash(Frozen):
    kernel: int = Field(default=1, description="Another thing.")


class Device(Frozen):
    device: str = Field(default="", description="Another thing.")


@pytest.mark.parametrize(
    ("options", "said"), [(Clash(), 'an option "kernel" of different types'), (Device(), 'an option "device", a name')]
)
def test_options_of_taken_names(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: Frozen, said: str
) -> None:
    monkeypatch.setattr(EnergiesKind, "defaults", {"energies": options})
    plug(monkeypatch, BLOCKS, energies=EnergiesKind())
    assert run(["features", "s", "energies"]) == 1
    assert said in capsys.readouterr().err
    assert run(["--help"]) == 0


def test_what_cannot_be_imported(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    store3: Store,
) -> None:
    plug(monkeypatch, BLOCKS, broken="no.such.module:X")
    said = "the features \"broken\" of an installed package cannot be loaded: ModuleNotFoundError: No module named 'no'"
    assert make_block("ig1", parse_process("g g > z d d~ g"), {}).name == "ig1"
    assert run(["features", str(store3.path), "fame", "--threads", "1"]) == 0
    assert run(["features", str(store3.path), "broken", "--threads", "1"]) == 1
    assert capsys.readouterr().err == f"ampcli: error: {said}\n  Mend or uninstall an installed package.\n"
    with pytest.raises(UsageError, match='unknown features "broke"'):
        make_block("broke", PROCESS, {})
    assert caplog.messages == [f"{said}; going on without it"]
