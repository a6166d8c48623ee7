"""The command line: precedence of options, exit codes, help, what is imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import tomllib
from pathlib import Path

import pytest
import typer

from ampcli import errors
from ampcli.cli.app import build_app
from ampcli.cli.command import Result, command, progress_bar
from ampcli.cli.main import run
from ampcli.cli.numbers import parse_count
from ampcli.errors import UsageError

THREE_JETS = "e- e+ > d d~ g"


@pytest.fixture(autouse=True)
def empty_folder(tmp_path_factory, monkeypatch) -> Path:
    folder = tmp_path_factory.mktemp("here")
    monkeypatch.chdir(folder)
    return folder


def plan(capsys, *options: str) -> dict:
    """The plan that `ampcli gen --dry-run` resolves."""
    assert run(["gen", THREE_JETS, "new.zarr", "--dry-run", "--json", *options]) == 0
    return json.loads(capsys.readouterr().out)["plan"]


def config(**sections) -> str:
    import tomli_w

    Path("run.toml").write_text(tomli_w.dumps(sections))
    return "--config=run.toml"


def test_default(capsys):
    assert plan(capsys, "--points", "10")["source"]["seed"] == 1


def test_file_over_default(capsys):
    assert plan(capsys, "--points", "10", config(gen={"seed": 2}))["source"]["seed"] == 2
    assert plan(capsys, "--points", "10", config(seed=3))["source"]["seed"] == 3


def test_variable_over_file(capsys, monkeypatch):
    monkeypatch.setenv("AMPCLI_GEN_SEED", "4")
    assert plan(capsys, "--points", "10")["source"]["seed"] == 4
    assert plan(capsys, "--points", "10", config(gen={"seed": 2}))["source"]["seed"] == 4


@pytest.mark.parametrize("first", [True, False])
def test_flag_over_all(capsys, monkeypatch, first):
    monkeypatch.setenv("AMPCLI_GEN_SEED", "4")
    words = ["--seed", "5", config(gen={"seed": 2})]
    assert plan(capsys, "--points", "10", *(words if first else words[::-1][:1] + words[:2]))["source"]["seed"] == 5


def test_a_file_may_give_options_with_dashes_and_what_is_required(capsys):
    found = plan(capsys, config(gen={"y-cut": 0.02, "sqrt_s": 500.0, "points": "2k"}))
    assert found["source"] == {"kind": "rambo", "sqrt_s": 500.0, "y_cut": 0.02, "seed": 1, "sampler": 2}
    assert found["points"] == 2000


def test_a_file_may_serve_several_commands(capsys):
    assert plan(capsys, config(gen={"points": "10", "seed": 6}, train={"epochs": 3}))["source"]["seed"] == 6


def test_dry_runs_write_nothing(capsys, empty_folder):
    plan(capsys, "--points", "10")
    assert list(empty_folder.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        ("[gen]\nseeds = 3\n", 2, "run.toml: seeds is no option of `ampcli gen`"),
        ("[train]\nepochs = 3\n", 2, "run.toml has a table [train]"),
        ("seed 3\n", 2, "run.toml is not TOML"),
        ("\xff", 2, "run.toml is not TOML"),
        ("[gen]\nseed = 'three'\n", 2, "seed"),
        ("gen = 3\n", 2, "run.toml"),
        (None, 4, "no configuration file run.toml"),
    ],
)
def test_files_that_do_not_work(capsys, content, code, said):
    if content is not None:
        Path("run.toml").write_bytes(content.encode("latin-1"))
    assert run(["gen", THREE_JETS, "new.zarr", "--points", "10", "--dry-run", "--config", "run.toml"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("ampcli: error: ")
    assert said in err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["gen", THREE_JETS], 2, "Missing argument"),
        (["gen", THREE_JETS, "a.zarr", "--colour"], 2, "No such option: --colour"),
        (["gen", THREE_JETS, "a.zarr", "--workers", "two"], 2, "workers"),
        (["gen", THREE_JETS, "a.zarr", "--points", "many"], 2, "--points many: not a number"),
        (["gen", THREE_JETS, "a.zarr", "--points", "10", "--workers", "0"], 2, "--workers 0"),
        (["gen", "e- e+ > d d~ x", "a.zarr", "--points", "10"], 2, 'unknown particle "x"'),
        (["gen", THREE_JETS, "a.zarr", "--points", "10", "--part", "5/3"], 2, "--part 5/3"),
        (["nonsense"], 2, "No such command"),
        (["features", "a.zarr", "fame"], 4, "no store at a.zarr"),
        (["train", "a.zarr", "--name", "x"], 4, "no store at a.zarr"),
        (["eval", "model", "a.zarr"], 4, "registry"),
        (["predict", "model", "a.npz", "out.npz"], 4, "registry"),
        (["predict", "model", "a.npz", "out.txt"], 2, "out.txt"),
        (["registry", "show", "model"], 4, "registry"),
    ],
)
def test_exit_codes_and_one_message(capsys, empty_folder, arguments, code, said):
    assert run(arguments) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("ampcli: error: ") == 1
    assert said in err
    assert "Traceback" not in err
    assert list(empty_folder.iterdir()) == []


def application(monkeypatch, failure: BaseException) -> None:
    """Replace the application by one with the command `fail`."""
    app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    app.callback()(lambda: None)

    def fail() -> Result:
        raise failure

    command(app, "fail", "ampcli fail")(fail)
    monkeypatch.setattr("ampcli.cli.app.build_app", lambda: app)


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (errors.AmpcliError("it failed"), 1),
        (errors.UsageError("it failed"), 2),
        (errors.BarNotMetError("it failed"), 3),
        (errors.NotFoundError("it failed"), 4),
        (errors.IntegrityError("it failed"), 5),
        (errors.LockedError("it failed"), 6),
        (errors.InterruptedRun("it failed"), 75),
        (KeyboardInterrupt(), 130),
        (FileNotFoundError(2, "it failed", "here"), 4),
        (PermissionError(13, "it failed", "here"), 1),
        (OSError(28, "it failed", "here"), 1),
        (MemoryError(), 1),
        (ZeroDivisionError("it failed"), 1),
    ],
)
def test_every_failure_has_its_exit_code(capsys, monkeypatch, failure, code):
    application(monkeypatch, failure)
    assert run(["fail"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("ampcli: error: ")
    assert "Traceback" not in err


def test_hints_follow_the_message(capsys, monkeypatch):
    application(monkeypatch, UsageError("it is wrong", "Do this."))
    run(["fail"])
    assert capsys.readouterr().err == "ampcli: error: it is wrong\n  Do this.\n"


def test_full_disks_are_explained(capsys, monkeypatch):
    application(monkeypatch, OSError(28, "No space left on device", "store.zarr"))
    run(["fail"])
    assert "no space left on the disk (store.zarr)" in capsys.readouterr().err


def test_threads_that_cannot_start_are_explained(capsys, monkeypatch):
    application(monkeypatch, RuntimeError("can't start new thread"))
    assert run(["fail"]) == 1
    assert "no more processes or threads can be started\n  Raise the limit" in capsys.readouterr().err


def test_tracebacks_only_on_request(capsys, monkeypatch):
    application(monkeypatch, ZeroDivisionError("it failed"))
    assert run(["fail", "-vv"]) == 1
    assert "Traceback" in capsys.readouterr().err
    assert run(["fail", "-v"]) == 1
    assert "Traceback" not in capsys.readouterr().err


def test_json_is_one_document_on_stdout(capsys, empty_folder):
    assert run(["gen", THREE_JETS, "a.zarr", "--points", "50", "--json"]) == 0
    out, _ = capsys.readouterr()
    document = json.loads(out)
    assert document["finished"] is True
    assert document["points"] == 50
    assert len(document["digest"]) == 64


def test_text_and_silence(capsys):
    assert run(["gen", THREE_JETS, "a.zarr", "--points", "50"]) == 0
    out, err = capsys.readouterr()
    assert "a.zarr: 50 points" in out
    assert "cross section" in out
    assert err == ""
    assert run(["gen", THREE_JETS, "b.zarr", "--points", "50", "-q"]) == 0
    assert capsys.readouterr() == ("", "")


def test_settings_are_saved_and_can_be_used_again(capsys):
    assert run(["gen", THREE_JETS, "a.zarr", "--points", "50", "--seed", "9", "--y-cut", "0.02"]) == 0
    saved = Path("a.zarr/.ampcli/gen.toml")
    values = tomllib.loads(saved.read_text())["gen"]
    assert values["process"] == THREE_JETS
    assert (values["points"], values["seed"], values["y_cut"]) == ("50", 9, 0.02)
    capsys.readouterr()
    assert run(["gen", THREE_JETS, "b.zarr", "--config", str(saved), "--json"]) == 0
    from ampcli.store.reader import open_store

    assert json.loads(capsys.readouterr().out)["digest"] == open_store(Path("a.zarr")).digest


def test_from_points_to_predictions(capsys):
    steps = [
        ["gen", THREE_JETS, "ee3.zarr", "--points", "1500", "--y-cut", "0.01"],
        ["features", "ee3.zarr", "fame", "--threads", "1"],
        ["train", "ee3.zarr", "--name", "m", "--replicas", "2", "--epochs", "2", "--hidden", "8", "--threads", "1"],
        ["ensemble", "both", "m@1", "m@2"],
        ["eval", "both", "ee3.zarr", "--threads", "1"],
        ["predict", "both", "ee3.zarr", "out.npz", "--threads", "1"],
        ["registry", "verify"],
    ]
    for step in steps:
        assert run([*step, "--json"]) == 0, capsys.readouterr().err
        json.loads(capsys.readouterr().out)
    assert run(["predict", "both", "ee3.zarr", "out.npz"]) == 2
    assert "out.npz exists already" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["--model", "perceptron"],
        ["--preset", "huge"],
        ["--hidden", "a"],
        ["--schedule", "steps"],
        ["--precision", "float16"],
        ["--penalty", "-1"],
        ["--learning-rate", "0"],
        ["--epochs", "0"],
        ["--batch-size", "0"],
        ["--replicas", "0"],
        ["--seed", "-1"],
        ["--device", "abacus"],
        ["--threads", "0"],
    ],
)
def test_settings_of_a_training_that_are_impossible(capsys, empty_folder, store3, words):
    assert run(["train", str(store3.path), "--name", "m", *words]) == 2
    err = capsys.readouterr().err
    assert err.count("ampcli: error: ") == 1
    assert words[0].removeprefix("--") in err
    assert list(empty_folder.iterdir()) == []


def commands() -> list[tuple[str, ...]]:
    root = typer.main.get_command(build_app())
    found = []
    for name, entry in root.commands.items():
        found += [(name, inner) for inner in entry.commands] if hasattr(entry, "commands") else [(name,)]
    return found


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_help_with_an_example(capsys, words):
    for flag in ("--help", "-h"):
        assert run([*words, flag]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        assert f"Usage: ampcli {' '.join(words)}" in out
        # Lines may be broken anywhere between words.
        assert f"Example: ampcli {' '.join(words)}" in " ".join(out.split())
        if words not in (("completion",), ("man",)):  # it prints a script and nothing else
            for option in ("--json", "--quiet", "--verbose", "--config"):
                assert option in out


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_examples_can_be_parsed(words):
    import shlex

    entry = typer.main.get_command(build_app())
    for word in words:
        entry = entry.commands[word]
    arguments = shlex.split(entry.epilog.removeprefix("Example: ").partition(" > ~")[0])[1 + len(words) :]
    with entry.make_context(" ".join(words), arguments, resilient_parsing=False):
        pass


def test_the_commands_of_the_contract():
    assert {words[0] for words in commands()} >= {"gen", "features", "train", "ensemble", "eval", "predict", "registry"}


def test_no_command_shows_the_help(capsys):
    assert run([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Usage: ampcli" in err


def test_version(capsys):
    import ampcli

    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"ampcli {ampcli.__version__}\n"


IMPORTS = """
import sys
from ampcli.cli.main import run
code = run(sys.argv[1:])
heavy = {"torch", "zarr", "matplotlib", "numpy", "awkward", "pyamplicol", "symbolica"} & set(sys.modules)
sys.exit(f"{code} {heavy}" if code or heavy else 0)
"""


@pytest.mark.parametrize(
    "arguments",
    [["--version"], ["--help"], *([*words, "--help"] for words in commands()), ["registry", "--help"]],
    ids=" ".join,
)
def test_help_is_light(arguments):
    done = subprocess.run([sys.executable, "-c", IMPORTS, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "words",
    [
        "train s --model ",
        "train s --preset ",
        "features s f",
        "gen P s --provider ",
        "registry show ee",
        "eval ee-5jets@",
    ],
)
def test_completion_is_light(words):
    asked = {
        "COMP_WORDS": f"ampcli {words}",
        "COMP_CWORD": str(len(words.split(" "))),
        "_AMPCLI_COMPLETE": "complete_bash",
    }
    call = [sys.executable, "-c", IMPORTS]
    done = subprocess.run(call, env=os.environ | asked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) > 1


def test_module_and_script_are_the_same():
    outputs = [
        subprocess.run([*words, "gen", "--help"], check=True, capture_output=True, text=True).stdout
        for words in ([sys.executable, "-m", "ampcli"], [str(Path(sys.executable).with_name("ampcli"))])
    ]
    assert outputs[0] == outputs[1] != ""


@pytest.mark.parametrize(
    ("text", "count"), [("500", 500), ("500k", 500_000), ("5e5", 500_000), ("2M", 2_000_000), ("1.5K", 1500), ("0", 0)]
)
def test_counts(text, count):
    assert parse_count("--points", text) == count


@pytest.mark.parametrize("text", ["", "k", "-5", "1.5", "1e400", "nan", "inf", "5 000", "0x10", "3kk"])
def test_counts_that_are_none(text):
    with pytest.raises(UsageError, match="--points"):
        parse_count("--points", text)


def test_errors_survive_pickling():
    import pickle

    for kind in (errors.UsageError, errors.InterruptedRun, errors.IntegrityError):
        copy = pickle.loads(pickle.dumps(kind("what", "hint")))
        assert (type(copy), copy.what, copy.hint, str(copy)) == (kind, "what", "hint", "what\n  hint")


def test_a_progress_bar_needs_no_thread():
    """Where memory is short none can start, and tqdm would warn of it."""
    before = set(threading.enumerate())
    with progress_bar("points", 3) as advance:
        advance(1)
        assert set(threading.enumerate()) == before
