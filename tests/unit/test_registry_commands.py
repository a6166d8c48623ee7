"""What people see of the registry: lists, comparisons, cards."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from lines import publish_line, publish_mean

from ampcli.cli.main import run
from ampcli.models.kinds import chosen
from ampcli.registry.manifest import Metric, read_manifest
from ampcli.registry.resolve import resolve, set_alias
from ampcli.registry.search import names
from ampcli.shipped import shipped_folder
from ampcli.store.reader import Store

Say = Callable[..., str]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Runs `ampcli registry ...`; what it printed."""

    def command(*words: object, code: int = 0) -> str:
        assert run(["registry", *map(str, words)]) == code
        captured = capsys.readouterr()
        return captured.err if code else captured.out

    return command


def test_lists_are_filtered_sorted_and_as_wide_as_the_terminal(
    tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, (name, slope) in enumerate((("b", 2.0), ("a", 3.0), ("c", 4.0)), start=1):
        accuracy = {"mean_abs_delta": Metric(value=0.1 / number)}
        publish_line(tmp_path, name, slope, metrics=accuracy, created=f"2026-01-0{number}T00:00:00+00:00")
    publish_line(tmp_path, "d", process="e- e+ > d d~ g g")
    set_alias(tmp_path, "a@1", "best")

    def listed(*words: str) -> list[str]:
        found = json.loads(say("list", "--registry", tmp_path, "--json", *words))["models"]
        return [each["name"] for each in found if each["registry"] == str(tmp_path)]

    assert listed() == ["a", "b", "c", "d"]
    assert listed("--sort", "accuracy") == ["c", "a", "b", "d"]
    assert listed("--sort", "date") == ["d", "c", "a", "b"]
    assert listed("--process", "E- e+  > d d~ g") == ["a", "b", "c"]
    assert listed("--process", "*g g") == ["d"]
    assert listed("--name", "[ab]", "--kind", "pl*") == ["a", "b"]
    assert listed("--kind", "ensemble") == []
    wide = say("list", "--registry", tmp_path)
    assert "best = 1" in wide
    monkeypatch.setenv("COLUMNS", "50")
    narrow = say("list", "--registry", tmp_path)
    assert max(map(len, narrow.splitlines()[1:])) <= 50
    assert "best = 1" not in narrow
    assert "10 %" in narrow


def test_every_shipped_model_has_the_name_that_it_was_trained_under(
    tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Words of `train --model`, not classes of ours."""
    monkeypatch.chdir(tmp_path)
    found = json.loads(say("list", "--json"))["models"]
    root = shipped_folder("registry")
    assert root is not None
    assert [each["name"] for each in found] == names(root)
    words = {each["trained_as"] for each in found} - {"ensemble"}
    assert words >= {"fame+", "fg1+", "nofa", "iq1+"}
    for each in words:
        chosen(each)


def test_comparisons_are_grouped_by_process_and_in_per_cent(
    tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = {"median_abs_delta": Metric(value=0.0123, error=0.0004), "mse_standardised_log": Metric(value=1e-6)}
    publish_line(tmp_path, metrics=metrics)
    publish_line(tmp_path, metrics=metrics | {"outside_1%": Metric(value=0.5)})
    publish_line(tmp_path, "other", process="e- e+ > d d~ g g", metrics=metrics)
    text = say("compare", "line@1-2", "other", "--registry", tmp_path)
    first, second, _ = text.split("\n\n")
    assert first.startswith("e- e+ > d d~ g\n")
    assert second.startswith("e- e+ > d d~ g g\n")
    assert re.search(r"line@2 +plain +40 +- +1\.230\(40\) +50 +0\.000001|line@2 .*1e-06", first)
    assert "line@1" not in second
    assert "other" not in say("compare", "--registry", tmp_path, "--process", "*g > *g", "--process", "e- e+ > d d~ g")
    monkeypatch.setenv("COLUMNS", "40")
    narrow = say("compare", "line@1-2", "--registry", tmp_path)
    assert max(map(len, narrow.splitlines())) <= 40
    assert "MSE" not in narrow.split("\n\n")[0]


def test_models_on_the_same_points(registry: Path, store3: Store, tmp_path: Path, say: Say) -> None:
    out = tmp_path / "plots"
    words = ("compare", "plain3", "fame3", "--store", store3.path, "--registry", registry, "--threads", "1")
    text = say(*words, "--out", out)
    found = json.loads((out / "evaluation.json").read_text())
    [pair] = [pair for pair in found["pairs"] if pair["measure"] == "points"]
    assert (pair["first"], pair["second"]) == ("plain3@1", "fame3@3")
    means = {name: each["overall"]["mean_abs_delta"] for name, each in found["models"].items()}
    assert pair["difference"] == pytest.approx(means["plain3@1"] - means["fame3@3"])
    assert pair["sigma"] == pytest.approx(pair["difference"] / pair["error"])
    assert "plain3@1 is closer at" in text
    assert (out / "errors.pdf").is_file()
    assert "nothing to compare it with" in say("compare", "fame3@1", *words[3:], code=2)
    assert "without --store" in say("compare", "fame3@1-2", "--registry", registry, "--split", "all", code=2)


def test_a_card_says_what_a_user_needs(tmp_path: Path, registry: Path, say: Say) -> None:
    card = say("card", "fame3@1", "--registry", registry)
    manifest = read_manifest(resolve(registry, "fame3@1"))
    headings = ["Data", "Training", "Accuracy", "Limits", "Licence", "How to cite"]
    assert re.findall("^## (.*)$", card, re.MULTILINE) == headings
    for said in (
        "# fame3@1\n",
        manifest.dataset.digest,
        "sqrt(s) = 1000 GeV, min s_ij > 0.01 s",
        "alpha_s = 0.118",
        "`ampcli train --model fame`",
        f"seed {manifest.seed}",
        "| median |",
        "training region: ln|M|^2 = ",
    ):
        assert said in card
    publish_mean(tmp_path)
    card = say("card", "mean", "--registry", tmp_path)
    assert "- `member@1`: plain" in card
    assert "It was not measured" in card


def test_shown_are_cuts_and_region_in_words_and_ranges(registry: Path, say: Say) -> None:
    text = say("show", "fame3@1-2", "--registry", registry)
    assert text.count("collisions    sqrt(s) = 1000 GeV, min s_ij > 0.01 s") == 2
    assert "(|M|^2 in GeV^-2)" in text
    documents = json.loads(say("show", "fame3@1-2", "--registry", registry, "--json"))["models"]
    assert [each["version"] for each in documents] == [1, 2]
    shown = say("show", "ddx-zgggg-three", "--registry", registry)  # ships with ampcli
    assert "protons at 13 TeV, pT > 20 GeV, |eta| < 5, Delta R > 0.4; scale H_T/2; PDF NNPDF23_lo" in shown


def test_training_the_same_again_is_said(store3: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", str(store3.path), "--name", "m", "--epochs", "1", "--threads", "1", "--registry", str(tmp_path)]
    assert run(words) == 0
    assert "same weights" not in capsys.readouterr().out
    assert run([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["same_weights"] == {"m@2": "m@1"}
    assert run(words) == 0
    said = capsys.readouterr().out
    assert "m@3 has the same weights as m@1" in said
    assert f"published in {tmp_path}" in said


def test_a_shipped_model_can_be_calibrated_and_combined_elsewhere(
    store3: Store, registry: Path, tmp_path: Path, say: Say
) -> None:
    """The registry of these tests as a shared one that is not written to."""
    both = os.pathsep.join([str(tmp_path / "own"), str(registry)])
    before = sorted(registry.rglob("*"))
    common = ["--registry", both, "--threads", "1", "-q"]
    assert run(["calibrate", "fame3@1", str(store3.path), *common]) in (0, 2)  # 2: too few points for it
    assert run(["ensemble", "mean", "fame3@1-3", "--registry", both, "-q"]) == 0
    assert run(["eval", "mean", str(store3.path), *common]) == 0
    assert run(["train", str(store3.path), "--init-from", "fame3@2", "--name", "more", "--hidden", "16,16", *common[:4],
                "--epochs", "1", "-q"]) == 0  # fmt: skip
    assert run(["registry", "alias", "fame3@2", "best", "--registry", both, "-q"]) == 0
    assert run(["registry", "export", "mean", str(tmp_path / "mean.tar"), "--registry", both, "-q"]) == 0
    assert "mean@1: manifest, probe, member fame3@1" in say("verify", "mean", "fame3@best", "--registry", both)
    assert sorted(registry.rglob("*")) == before
    assert {"mean", "more"} <= set(names(tmp_path / "own"))
