"""Amplitudes of the user's own, by a Python function: gen, features, train, speedup, and what goes wrong."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ampcli.store.reader import open_store

if TYPE_CHECKING:
    from commands import Ampcli

EXAMPLE = Path(__file__).parents[2] / "examples" / "python" / "photon.py"
PROCESS, OWN = "e- e+ > u u~ g", ("--provider", "python:photon:squared")
ASKED = ("--points", "3k", "--y-cut", "0.01")


@pytest.fixture
def mine(ampcli: Ampcli, tmp_path: Path) -> Ampcli:
    """The command, where the example's file is."""
    shutil.copy(EXAMPLE, tmp_path)
    return type(ampcli)(tmp_path, ampcli.environment).process  # with modules of its own


def test_the_example_agrees_with_our_photon(mine: Ampcli, tmp_path: Path) -> None:
    """Our own engine with a Z that is too heavy to be seen."""
    mine("gen", PROCESS, "own.zarr", *ASKED, *OWN, "--workers", "2")
    couplings = ("--parameter", "alpha_ew=0.007546771114581117", "--parameter", "m_z=1e7")
    mine("gen", PROCESS, "ours.zarr", *ASKED, "--provider", "native", *couplings)
    own, ours = (open_store(tmp_path / name) for name in ("own.zarr", "ours.zarr"))
    np.testing.assert_array_equal(own.read("momenta"), ours.read("momenta"))
    np.testing.assert_allclose(own.read("amplitude"), ours.read("amplitude"), rtol=1e-6)
    record = own.plan.provider
    assert record.name == "python:photon:squared"
    assert record.parameters == {"alpha_s": 0.118, "alpha": 1 / 132.507}
    mine("gen", PROCESS, "strong.zarr", *ASKED, *OWN, "--parameter", "alpha_s=0.236")
    doubled = open_store(tmp_path / "strong.zarr").read("amplitude")
    np.testing.assert_allclose(doubled, 2 * own.read("amplitude"), rtol=1e-13)


def test_training_and_speed_up(mine: Ampcli, tmp_path: Path) -> None:
    mine("gen", PROCESS, "own.zarr", *ASKED, *OWN)
    mine("features", "own.zarr", "antenna", "--threads", "1")
    small = ("--epochs", "40", "--batch-size", "128", "--hidden", "24,24,24", "--threads", "1", "--registry", "r")
    mine("train", "own.zarr", "--model", "fame+", "--name", "m", *small)
    evaluated = mine("eval", "m", "own.zarr", "--registry", "r", "--json").document
    assert evaluated["overall"]["median_abs_delta"] < 0.02
    timed = mine("speedup", "m", "own.zarr", "--registry", "r", "--tolerance", "0.2:0.1", "--json").document
    assert timed["yardstick"] == "python:photon:squared"


def test_a_changed_function_is_another_amplitude(mine: Ampcli, tmp_path: Path) -> None:
    gen = ("gen", PROCESS, "own.zarr", *ASKED, *OWN)
    mine(*gen)
    file = tmp_path / "photon.py"
    file.write_text(file.read_text().replace("return 8 *", "return 9 *"))
    mine.fails(2, *gen, "--resume", naming="provider.version")


BROKEN = {
    "raised": ("return 1 / 0", "python:photon:squared failed: ZeroDivisionError"),
    "shape": ("return momenta[:, 0, 0].sum()", "returned an array of the shape () for"),
    "nan": ("return np.full(len(momenta), np.nan)", "python:photon:squared is nan for the momenta [["),
    "text": ("return ['much'] * len(momenta)", "failed: ValueError"),
    "negative": ("return -np.ones(len(momenta))", "a squared amplitude is positive"),
    "exit": ("raise SystemExit(0)", "failed: SystemExit"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_function(what: str, mine: Ampcli, tmp_path: Path) -> None:
    body, said = BROKEN[what]
    (tmp_path / "photon.py").write_text(f"import numpy as np\n\ndef squared(momenta):\n    {body}\n")
    mine.fails(1, "gen", PROCESS, "own.zarr", *ASKED, *OWN, naming=said)


@pytest.mark.parametrize(
    ("code", "provider", "said"),
    [
        (4, "python:nowhere:f", "there is no module nowhere"),
        (4, "python:photon:f", "photon has nothing of that name"),
        (2, "python:photon:CHARGE", "is no function, but float"),
        (2, "python:photon", "names no function"),
        (2, "python:../photon:f", "names no function"),
        (2, "python", "python:MODULE:FUNCTION takes a function of yours"),
        (2, "native:photon", "the provider native takes no argument"),
        (2, "pithon:photon:f", 'unknown provider "pithon"'),
    ],
)
def test_what_is_refused(code: int, provider: str, said: str, mine: Ampcli, tmp_path: Path) -> None:
    mine.fails(code, "gen", PROCESS, "own.zarr", *ASKED, "--provider", provider, naming=said)
    assert not (tmp_path / "own.zarr").exists()


def test_parameters(mine: Ampcli, tmp_path: Path) -> None:
    mine.fails(2, "gen", PROCESS, "own.zarr", *ASKED, *OWN, "--parameter", "m_z=91", naming='no parameter "m_z"')
    (tmp_path / "photon.py").write_text("def squared(momenta, *, scheme='on-shell'):\n    return momenta[:, 0, 0]\n")
    mine.fails(2, "gen", PROCESS, "own.zarr", *ASKED, *OWN, naming="its argument scheme has no number as default")
    (tmp_path / "photon.py").write_text("import nothing_like_it\n")
    mine.fails(1, "gen", PROCESS, "own.zarr", *ASKED, *OWN, naming="its module cannot be imported")


def test_protons_need_its_coupling(mine: Ampcli, tmp_path: Path) -> None:
    """With a parameter alpha_s, which runs with the scale, a function does all that our amplitudes do."""
    pytest.importorskip("madspace")
    (tmp_path / "zg.py").write_text(
        "from ampcli.amplitudes.providers import make_provider\n"
        "from ampcli.process import parse_process\n"
        "def squared(momenta, *, alpha_s=0.118):\n"
        '    exact = make_provider("native", parse_process("d d~ > z g g"), {"alpha_s": alpha_s})\n'
        "    return exact.evaluate(momenta)\n"
        "def fixed(momenta):\n"
        "    return squared(momenta)\n"
    )
    gen = ("gen", "d d~ > z g g")
    events = ("--beams", "lhc13", "--unweighted", "--points", "1k")
    mine.fails(2, *gen, "f.zarr", *events, "--provider", "python:zg:fixed", naming="f(momenta, *, alpha_s=0.118)")
    mine(*gen, "own.zarr", *events, "--provider", "python:zg:squared")
    mine(*gen, "ours.zarr", *events, "--provider", "native")
    own, ours = (open_store(tmp_path / name) for name in ("own.zarr", "ours.zarr"))
    for name in ("momenta", "amplitude", "weight"):
        np.testing.assert_array_equal(own.read(name), ours.read(name))
    mine("features", "own.zarr", "iq1+", "--threads", "1")
    small = ("--epochs", "3", "--batch-size", "128", "--hidden", "24,24,24", "--threads", "1", "--registry", "r")
    mine("train", "own.zarr", "--model", "iq1+", "--name", "m", "--perturb", "0.1", *small)
    trained = mine("registry", "show", "m", "--registry", "r", "--json").document
    assert trained["training"]["labelled_points"] > 1000
    file = tmp_path / "zg.py"
    file.write_text(file.read_text() + "# changed\n")
    again = ("train", "own.zarr", "--model", "iq1+", "--name", "n", "--perturb", "0.1", *small)
    mine.fails(2, *again, naming="has changed since the store was made")
