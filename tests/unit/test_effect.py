"""Options without effect are refused, wherever they come from: all options of `gen` in all situations, and others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import pytest
import typer

from ampcli.cli.app import build_app
from ampcli.cli.command import Result, command
from ampcli.cli.effect import not_with, only_if, only_with
from ampcli.cli.main import run
from ampcli.errors import UsageError
from ampcli.kinematics import with_beams
from ampcli.phasespace.rambo import rambo

JETS, Z_JETS = "e- e+ > d d~ g", "d d~ > z g"

#: Another value than the default, for every option of `gen` that has one.
OTHER = {
    "points": "30",
    "sqrt-s": "500",
    "y-cut": "0.02",
    "cuts": "jade",
    "sampling": "mixed",
    "seed": "5",
    "provider": "native",
    "parameter": "alpha_s=0.13",
    "unchecked": None,
    "skip-bad": None,
    "signed": None,
    "time-limit": "5",
    "accuracy": "0.01",
    "process-only": None,
    "repair": None,
    "on-shell": None,
    "pt-min": "30",
    "eta-max": "3",
    "delta-r": "0.7",
    "lepton-pt-min": "20",
    "lepton-eta-max": "2",
    "delta-r-ll": "0.5",
    "delta-r-jl": "0.5",
    "m-ll-min": "50",
    "scale": "91",
    "pdf": "NNPDF31_nnlo_as_0118_luxqed",
    "alpha-s-mz": "0.125",
    "unweighted": None,
    "overweight": "0.01",
    "two-stage": None,
    "flavours": "5",
    "define": "j=g u",
}
#: How the work is done or shown, not what comes of it; and what names the situation.
NEUTRAL = {
    "device",
    "workers",
    "part",
    "no-finish",
    "executor",
    "tasks",
    "sbatch",
    "wait",
    "emit-sbatch",
    "resume",
    "dry-run",
    "json",
    "quiet",
    "verbose",
    "config",
    "help",
    "momenta",
    "beams",
    "surrogate",  # needs a report: tests/integration/test_samples_by_surrogates.py
    "refine",  # needs a model: the same file
    "model",  # of particles of its own: tests/integration/test_ufo_models.py
    "registry",
}

SITUATIONS = {
    "jets": [JETS, "new.zarr"],
    "mixed jets": [JETS, "new.zarr", "--sampling", "mixed"],
    "unweighted jets": [JETS, "new.zarr", "--unweighted"],
    "file": [JETS, "new.zarr", "--momenta", "events.npz"],
    "beams": [Z_JETS, "new.zarr", "--beams", "lhc13"],
    "unweighted beams": [Z_JETS, "new.zarr", "--beams", "lhc13", "--unweighted"],
    "leptons": ["d d~ > e- e+ g", "new.zarr", "--beams", "lhc13"],
    "channels": ["p p > z j", "new.zarr", "--beams", "lhc13"],
}

#: May be asked for where it changes nothing: it checks (or leaves out checks), and all is well.
SAME_PLAN = {("file", name) for name in ("skip-bad", "process-only", "repair", "on-shell")} | {
    (situation, option) for option in ("provider", "unchecked") for situation in SITUATIONS
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    final = np.ascontiguousarray(rambo(np.random.default_rng(1).random((40, 3, 4)), 1000.0))
    np.savez("events.npz", momenta=with_beams(final, 1000.0))
    return tmp_path


def options_of(*words: str) -> list[typer.core.TyperOption]:
    entry = typer.main.get_command(build_app())
    for word in words:
        entry = entry.commands[word]
    return [parameter for parameter in entry.params if parameter.param_type_name == "option"]


def flag(option) -> str:
    return max(option.opts, key=len).removeprefix("--")


def test_every_option_of_gen_is_tried():
    assert {flag(option) for option in options_of("gen")} - NEUTRAL == set(OTHER)


@pytest.mark.parametrize("situation", SITUATIONS)
def test_every_option_of_gen_changes_the_plan_or_is_refused(capsys, situation, monkeypatch):
    def none(job, workers):
        raise UsageError("the plan is what counts here, and hundreds of estimates take minutes")

    monkeypatch.setattr("ampcli.generation.forecast.forecast", none)

    def plan(*options: str) -> dict | None:
        code = run(["gen", *SITUATIONS[situation], "--dry-run", "--json", *points, *options])
        out, err = capsys.readouterr()
        if code == 0:
            return json.loads(out)["plan"]
        assert code == 2, err
        assert "has no effect" in err or "cannot" in err or "Leave it out" in err, err
        return None

    for name, value in OTHER.items():
        points = [] if name == "points" or situation == "file" else ["--points", "20"]
        given = [f"--{name}"] if value is None else [f"--{name}", value]
        changed = plan(*given)
        points = points or ([] if situation == "file" else ["--points", "20"])
        unchanged = changed is not None and changed == plan()
        already = name in SITUATIONS[situation][-1] or f"--{name}" in SITUATIONS[situation]
        assert not unchanged or already or (situation, name) in SAME_PLAN, (situation, name)


@pytest.mark.parametrize("value", ["20", "30"])
@pytest.mark.parametrize("where", ["flag", "variable", "file"])
def test_values_equal_to_the_default_are_refused_as_well(capsys, monkeypatch, where, value):
    call = ["gen", JETS, "new.zarr", "--points", "20", "--dry-run"]
    match where:
        case "flag":
            call += ["--pt-min", value]
        case "variable":
            monkeypatch.setenv("AMPCLI_GEN_PT_MIN", value)
        case "file":
            Path("gen.toml").write_text(f"[gen]\npt_min = {value}\n")
            call += ["--config", "gen.toml"]
    named = {"flag": "--pt-min", "variable": "AMPCLI_GEN_PT_MIN", "file": "gen.toml"}[where]
    assert run(call) == 2
    err = capsys.readouterr().err
    assert "no effect without --beams" in err
    assert named in err


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (["train", "s", "--name", "m", "--model", "nofa", "--orient"], "--orient has no effect for --model nofa"),
        (["train", "s", "--name", "m", "--model", "nofa", "--spin"], "--spin has no effect"),
        (["train", "s", "--name", "m", "--model", "fame+", "--penalty", "1e-6"], "--penalty has no effect"),
        (["train", "s", "--name", "m", "--model", "fame", "--beta", "0"], "--beta has no effect"),
        (["train", "s", "--name", "m", "--model", "fame", "--bayesian"], "--bayesian has no effect"),
        (["train", "s", "--name", "m", "--model", "plain", "--near", "0.02"], "--near has no effect"),
        (["train", "s", "--name", "m", "--model", "lloca", "--preset", "small"], "--preset has no effect"),
        (["train", "s", "--name", "m", "--model", "lloca", "--no-residual"], "--no-residual has no effect"),
        (["train", "s", "--name", "m", "--preset", "small", "--hidden", "8"], "--preset has no effect with --hidden"),
        (["train", "s", "--name", "m", "--device", "cpu", "--precision", "tf32"], "--precision has no effect"),
        (["train", "s", "--name", "m", "--epochs", "1", "--perturb", "0.1"], "--perturb has no effect"),
        (["features", "s", "fame", "--kernel", "paper"], "--kernel has no effect on fame"),
        (["features", "s", "antenna", "invariants", "--inputs", "paper"], "--inputs has no effect"),
        (["features", "s", "ig1", "iq1", "--pair", "delta-r"], "--pair has no effect on ig1 iq1"),
        (["features", "s", "fame", "--spectator", "s-ijk"], "--spectator has no effect"),
        (["ensemble", "e", "m@1", "m@2", "--threads", "1"], "--threads has no effect without --data"),
        (["ensemble", "e", "m@1", "m@2", "--device", "cpu"], "--device has no effect without --data"),
        (["trajectory", "m", "--show", "0"], "--show has no effect without --out"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_options_of_other_commands(capsys, call, said):
    assert run(call) == 2
    assert said in capsys.readouterr().err


def application(monkeypatch) -> None:
    app = typer.Typer(rich_markup_mode=None, context_settings={"auto_envvar_prefix": "AMPCLI"})
    app.callback()(lambda: None)

    def work(
        a: Annotated[int, typer.Option(), only_with("b")] = 1,
        b: Annotated[str | None, typer.Option()] = None,
        c: Annotated[bool | None, typer.Option(), not_with("b")] = None,
        d: Annotated[list[str] | None, typer.Option(), only_if(lambda v: v["a"] > 1, "for a = {a}")] = None,
        e: Annotated[bool, typer.Option("--e"), only_with("b")] = False,
    ) -> Result:
        return Result({"a": a, "b": b, "c": c, "d": d, "e": e}, "")

    command(app, "work", "ampcli work")(work)
    monkeypatch.setattr("ampcli.cli.app.build_app", lambda: app)


@pytest.mark.parametrize(
    ("options", "refused"),
    [
        ([], None),
        (["--a", "1"], "--a has no effect without --b"),
        (["--a", "2", "--b", ""], None),
        (["--c"], None),
        (["--no-c", "--b", "x"], "--no-c has no effect with --b"),
        (["--d", "x"], "--d has no effect for a = 1"),
        (["--a", "2", "--b", "x", "--d", "x"], None),
        (["--a", "1", "--e"], "--a, --e have no effect without --b"),
    ],
)
def test_what_an_option_may_need(capsys, monkeypatch, options, refused):
    application(monkeypatch)
    assert run(["work", *options]) == (2 if refused else 0)
    assert (refused or "") in capsys.readouterr().err


def test_flags_that_are_off_in_a_file_ask_for_nothing(monkeypatch):
    application(monkeypatch)
    Path("work.toml").write_text("[work]\ne = false\n")
    assert run(["work", "--config", "work.toml"]) == 0
    Path("work.toml").write_text("[work]\ne = true\n")
    assert run(["work", "--config", "work.toml"]) == 2


@pytest.mark.parametrize(
    ("variable", "code", "said"),
    [
        ("AMPCLI_GEN_YCUT", 2, "Did you mean AMPCLI_GEN_Y_CUT?"),
        ("AMPCLI_GEN_PIONTS", 2, "Did you mean AMPCLI_GEN_POINTS?"),
        ("AMPCLI_TRAIN_EPOCS", 0, ""),  # train will say so
        ("AMPCLI_REGISTY", 0, "Did you mean AMPCLI_REGISTRY?"),
        ("AMPCLI_REGISTRY", 0, ""),
    ],
)
def test_variables_that_mean_nothing(capsys, monkeypatch, variable, code, said):
    monkeypatch.setenv(variable, "3")
    assert run(["gen", JETS, "new.zarr", "--points", "20", "--dry-run"]) == code
    err = capsys.readouterr().err
    assert said in err
    assert bool(err) is bool(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('parameter = "alpha_s=0.13"', 'parameter = ["alpha_s=0.13"]'),
        ('parameter = ["alpha_s=0.13", "alpha_s=0.14"]', "twice"),
        ("seed = 2.5", "--seed"),
        ("seed = true", "takes a number or a text"),
        ("seed = [1]", "takes a number or a text"),
        ("seed = {a = 1}", "takes a number or a text"),
        ("seed = 2024-01-01", "takes a number or a text"),
        ('unweighted = "no"', "true or false"),
        ("seed = " + "9" * 5000, "not TOML"),
        ("seed = " + "[" * 2000 + "]" * 2000, ("nested too deeply", "takes a number")),
        ("seed" + ".a" * 100_000 + " = 1", "dots"),
        ("# " + "a" * 300_000, "bytes"),
        ('store = "a\\u0000b"', "NUL"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_configurations_that_are_refused(capsys, text, said):
    Path("gen.toml").write_text(f"[gen]\n{text}\n")
    assert run(["gen", JETS, *([] if "store" in text else ["new.zarr"]), "--points", "20", "--config", "gen.toml"]) == 2
    err = capsys.readouterr().err
    assert any(words in err for words in ((said,) if isinstance(said, str) else said))


def test_numbers_of_files_are_those_of_flags(capsys):
    Path("gen.toml").write_text('[gen]\npoints = 20\nseed = "4"\ny_cut = 2e-2\nparameter = ["alpha_s=0.13"]\n')
    assert run(["gen", JETS, "new.zarr", "--config", "gen.toml", "--dry-run", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)["plan"]
    assert (plan["points"], plan["source"]["seed"], plan["source"]["y_cut"]) == (20, 4, 0.02)


def test_a_store_that_no_disk_holds(capsys):
    for points, said in {"1e12": "GB left", "1e30": "any disk", "1e308": "any disk"}.items():
        assert run(["gen", JETS, "new.zarr", "--points", points]) == 2
        assert said in capsys.readouterr().err
    assert not Path("new.zarr").exists()


def test_parameters_given_twice():
    from ampcli.cli.numbers import parse_parameters

    with pytest.raises(UsageError, match="alpha_s is given twice"):
        parse_parameters("--parameter", ["alpha_s=0.1", "alpha_s=0.2"])
