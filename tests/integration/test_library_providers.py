"""Amplitudes of shared libraries, by BLHA2 and UMAMI: what they compute, how they fail, and what is left out."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from own_library import COMPILER, FAULTY, ONE_LOOP, ROOT, OneLoop, compiled

from ampcli.kinematics import with_beams
from ampcli.store.reader import open_store

if TYPE_CHECKING:
    from commands import Ampcli

pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C compiler")

PROCESS = "e- e+ > u u~ g"
ASKED = ("--points", "2k", "--y-cut", "0.001")
BAD = 799  # the first row of 2000 at which faulty libraries fail


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Compiled libraries, by what is wrong with them."""
    folder = tmp_path_factory.mktemp("libraries")

    def make(*macros: str) -> Path:
        target = folder / f"lib{'-'.join(macros) or 'sound'}.so"
        return target if target.exists() else compiled(FAULTY, target, *macros)

    return make


@pytest.fixture
def mine(ampcli: Ampcli, tmp_path: Path) -> Ampcli:
    return type(ampcli)(tmp_path, ampcli.environment)


@pytest.fixture(scope="module")
def exported(ampcli: Ampcli, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "ee3"
    ampcli("export", PROCESS, folder)
    return folder / "libampcli.so"


@pytest.fixture(scope="module")
def sound(ampcli: Ampcli, library: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of a library that does not fail."""
    path = tmp_path_factory.mktemp("sound") / "sound.zarr"
    ampcli("gen", PROCESS, path, *ASKED, "--provider", f"umami:{library()}")
    return path


@pytest.fixture(scope="module")
def one_loop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(ONE_LOOP, tmp_path_factory.mktemp("one_loop") / "libeeqqg.so")


def amplitude(path: Path) -> np.ndarray:
    return open_store(path).read("amplitude")


def test_our_own_library_by_both_interfaces(mine: Ampcli, exported: Path, tmp_path: Path) -> None:
    mine("gen", PROCESS, "native.zarr", *ASKED, "--provider", "native")
    for interface in ("olp", "umami"):
        asked = ("--provider", f"{interface}:{exported}")
        mine("gen", PROCESS, f"{interface}.zarr", *ASKED, *asked)
        strong = (*asked, "--parameter", "alpha_s=0.236")
        mine("gen", PROCESS, f"{interface}2.zarr", *ASKED, *strong)
        np.testing.assert_allclose(
            amplitude(tmp_path / f"{interface}.zarr"), amplitude(tmp_path / "native.zarr"), 1e-13
        )
        record = open_store(tmp_path / f"{interface}2.zarr").plan.provider
        assert (record.name, record.parameters) == (f"{interface}:{exported}", {"alpha_s": 0.236})
        doubled = amplitude(tmp_path / f"{interface}2.zarr")
        np.testing.assert_allclose(doubled, 2 * amplitude(tmp_path / f"{interface}.zarr"), rtol=1e-13)


def test_protons(mine: Ampcli, tmp_path: Path) -> None:
    """|M|^2 decides where points are drawn; alpha_s runs."""
    mine("export", "d d~ > z g g", "zgg")
    asked = ("--points", "1k", "--beams", "lhc13")
    for name in ("native", "umami:zgg/libampcli.so"):
        mine("gen", "d d~ > z g g", f"{name[:6]}.zarr", *asked, "--provider", name)
    np.testing.assert_allclose(amplitude(tmp_path / "umami:.zarr"), amplitude(tmp_path / "native.zarr"), rtol=1e-9)
    olp = ("--provider", "olp:zgg/libampcli.so", "--skip-bad")
    mine.fails(2, "gen", "d d~ > z g g", "s.zarr", *asked, *olp, naming="here amplitudes decide which points are drawn")


def test_one_loop(mine: Ampcli, one_loop: Path, tmp_path: Path) -> None:
    """Real numbers of the example, stored as they are."""
    shutil.copy(one_loop, tmp_path)
    own = ("--provider", "olp:./libeeqqg.so:finite", "--parameter", "mu_r=500", "--parameter", "alpha_ew=0.0076")
    mine("gen", PROCESS, "loop.zarr", *ASKED, *own)
    store = open_store(tmp_path / "loop.zarr")
    assert store.plan.provider.signed
    assert store.plan.provider.parameters == {"alpha_s": 0.118, "mu_r": 500.0, "alpha_ew": 0.0076}
    call = OneLoop(one_loop, "11 -11 -> 2 -2 21", tmp_path, alphas=0.118, alpha=0.0076)
    momenta = with_beams(store.read("momenta"), 1000.0)
    values = store.read("amplitude")
    np.testing.assert_array_equal(values[:50], [call(event, 500.0)[0][2] for event in momenta[:50]])
    assert (values > 0).any()
    assert (values < 0).any()
    mine("gen", PROCESS, "born.zarr", *ASKED, "--provider", "olp:./libeeqqg.so:born")
    mine("gen", PROCESS, "tree.zarr", *ASKED, "--provider", "olp:./libeeqqg.so")
    mine("gen", PROCESS, "native.zarr", *ASKED)
    for name in ("born", "tree"):
        np.testing.assert_allclose(
            amplitude(tmp_path / f"{name}.zarr"), amplitude(tmp_path / "native.zarr"), rtol=1e-10
        )


FAULTS = {
    "CRASHES": "the library crashed (SIGSEGV)",
    "HANGS": "the library did not answer within 0.3 s",
    "EXITS": 'the library ended its process (exit code 3); it said: "I have had enough"',
    "NOT_A_NUMBER": "the library returned nan",
    "INFINITE": "the library returned inf",
    "NEGATIVE": "a squared amplitude is positive",
    "INACCURATE": "with the relative accuracy 0.25, worse than 0.001",
    "ERROR_CODE": "the library returned the error code 1",
}


@pytest.mark.parametrize(
    ("interface", "fault"),
    [
        (i, fault)
        for i in ("olp", "umami")
        for fault in FAULTS
        if (i, fault) not in [("olp", "ERROR_CODE"), ("umami", "INACCURATE")]
    ],
)
def test_a_point_fails(
    interface: str, fault: str, mine: Ampcli, library: Callable[..., Path], sound: Path, tmp_path: Path
) -> None:
    """The point is named, the others are kept, and with --skip-bad the next one of the stream takes its place."""
    asked = (
        "gen",
        PROCESS,
        "s.zarr",
        *ASKED,
        "--provider",
        f"{interface}:{library(f'FAULT={fault}')}",
        "--time-limit",
        "0.3",
    )
    final = open_store(sound).read("momenta")
    named = (f"point {BAD} (from 0) of part 1 of 2: ", FAULTS[fault], str(final[BAD, 0].tolist()))
    mine.fails(1, *asked, naming=named)
    with np.load(tmp_path / "s.zarr" / ".ampcli" / "values-000000.npz") as kept:
        assert np.isfinite(kept["values"]).sum() == 1023
    done = mine(*asked, "--skip-bad", "--resume", "--json")
    failed = done.document["failed_points"]
    assert f"failed at {failed} points, which were left out" in done.stderr
    store = open_store(tmp_path / "s.zarr")
    left = store.read("momenta")
    assert not bad_points(left).any()
    np.testing.assert_array_equal(left[:BAD], final[:BAD])
    np.testing.assert_array_equal(left[BAD], final[BAD + 1])
    np.testing.assert_array_equal(store.read("amplitude")[:BAD], amplitude(sound)[:BAD])
    assert done.document["tried"] >= open_store(sound).attributes["tried"] + failed
    assert not list((tmp_path / "s.zarr" / ".ampcli").glob("values-*"))


def bad_points(final: np.ndarray) -> np.ndarray:
    """At which of the momenta (n, n_final, 4) faulty libraries fail."""
    scaled = np.abs(final[:, 0, 1] * 16)
    return scaled - np.floor(scaled) < 0.003


def test_workers_find_the_same(mine: Ampcli, library: Callable[..., Path], tmp_path: Path) -> None:
    asked = ("--provider", f"olp:{library('FAULT=CRASHES')}", "--skip-bad", "--points", "3k")
    mine.process("gen", PROCESS, "two.zarr", *asked, "--workers", "2")
    mine("gen", PROCESS, "one.zarr", *asked)
    assert open_store(tmp_path / "one.zarr").digest == open_store(tmp_path / "two.zarr").digest


def test_what_is_kept_is_not_computed_again(mine: Ampcli, library: Callable[..., Path], tmp_path: Path) -> None:
    asked = ("gen", PROCESS, "s.zarr", *ASKED, "--provider", f"olp:{library('FAULT=CRASHES')}")
    mine.fails(1, *asked, naming="crashed")
    kept = tmp_path / "s.zarr" / ".ampcli" / "values-000000.npz"
    with np.load(kept) as content:
        marked = content["values"].copy()
    marked[5] = 42.0
    np.savez(kept, values=marked)
    mine(*asked, "--resume", "--skip-bad")
    assert amplitude(tmp_path / "s.zarr")[5] == 42.0


def test_damaged_values_are_computed_again(mine: Ampcli, library: Callable[..., Path], tmp_path: Path) -> None:
    asked = ("gen", PROCESS, "s.zarr", *ASKED, "--provider", f"olp:{library('FAULT=CRASHES')}")
    mine.fails(1, *asked, naming="crashed")
    (tmp_path / "s.zarr" / ".ampcli" / "values-000000.npz").write_bytes(b"PK\x03\x04 no archive")
    mine(*asked, "--resume", "--skip-bad")


@pytest.mark.parametrize("share", ["2", "0.05"])
def test_too_many_failures(share: str, mine: Ampcli, library: Callable[..., Path]) -> None:
    many = library("FAULT=CRASHES", f"SHARE={share}")
    asked = ("gen", PROCESS, "s.zarr", *ASKED, "--provider", f"olp:{many}", "--skip-bad")
    mine.fails(1, *asked, naming=("the library crashed (SIGSEGV)", "points, which is too many"))


@pytest.mark.parametrize("workers", ["1", "2"])
def test_given_events(workers: str, mine: Ampcli, library: Callable[..., Path], sound: Path, tmp_path: Path) -> None:
    """Events at which the library fails are left out of the store, which knows their numbers."""
    final = open_store(sound).read("momenta")
    np.savez(tmp_path / "events.npz", momenta=with_beams(final, 1000.0))
    own = ("--provider", f"umami:{library('FAULT=CRASHES')}")
    asked = ("gen", PROCESS, "s.zarr", "--momenta", "events.npz", *own, "--workers", workers)
    mine.process.fails(1, *asked, naming="the library crashed (SIGSEGV)")
    done = mine.process(*asked, "--skip-bad", "--resume", "--json")
    bad = np.flatnonzero(bad_points(final))
    assert done.document["failed_points"] == len(bad) > 1
    assert done.document["points"] == 2000 - len(bad)
    store = open_store(tmp_path / "s.zarr")
    assert store.plan.source.failed == tuple(bad)
    np.testing.assert_array_equal(store.read("momenta"), np.delete(final, bad, axis=0))
    np.testing.assert_array_equal(store.read("amplitude"), np.delete(amplitude(sound), bad))
    np.testing.assert_array_equal(store.read("event"), np.delete(np.arange(2000), bad))
    again = mine(*asked, "--skip-bad", "--resume", "--json")
    assert again.document["digest"] == done.document["digest"]
    mine.fails(2, *asked, "--skip-bad", "--part", "1/2", naming="--part with --skip-bad")


def test_a_library_that_talks(mine: Ampcli, library: Callable[..., Path], sound: Path, tmp_path: Path) -> None:
    talks = library("FAULT=PRINTS")
    done = mine.process("gen", PROCESS, "s.zarr", *ASKED, "--provider", f"olp:{talks}", "--json")
    assert done.document["points"] == 2000
    assert "talks" not in done.stderr
    np.testing.assert_array_equal(amplitude(tmp_path / "s.zarr"), amplitude(sound))


def test_contract_beside_a_library_without_orders(mine: Ampcli, library: Callable[..., Path], tmp_path: Path) -> None:
    shutil.copy(library("NO_ORDER"), tmp_path / "lib.so")
    asked = ("gen", PROCESS, "s.zarr", *ASKED, "--provider", "olp:lib.so")
    mine.fails(1, *asked, naming='answers "11 -11 -> 2 -2 21" with ""')
    contract = tmp_path / "lib.so.lh"
    contract.write_text("AmplitudeType Tree | OK\n-11 11 -> 21 2 -2 | 1 7\n")
    mine("gen", PROCESS, "s.zarr", *ASKED, "--provider", "olp:lib.so")
    contract.write_text("AmplitudeType Tree | OK\n11 -11 -> 21 2 -2 | 1 7\n")
    mine.fails(2, *asked, "--resume", naming="provider.options.lib.so.lh")


@pytest.mark.parametrize(
    ("code", "macros", "options", "said"),
    [
        (1, "FAULT=START_CRASHES", (), "when it was loaded, the library crashed (SIGABRT)"),
        (2, "FIRST_VERSION", (), "it has no function OLP_EvalSubProcess2"),
        (2, "FAULT=START_FAILS", (), 'OLP_Start does not accept the contract (code 0); it said: "no licence"'),
        (2, "", ("--parameter", "mass(6)=173"), "mass(6) = 173 cannot be set: the library does not know it"),
        (2, "", ("--parameter", "alpha_s=-1"), "alphas = -1 cannot be set: the library does not take this value"),
        (2, "", ("--parameter", "mu_r=100"), "mu_r has no effect on trees"),
        (2, "", ("--accuracy", "0"), "--accuracy 0: a positive number is needed"),
        (2, "", ("--unweighted", "--skip-bad"), "here amplitudes decide which points are drawn"),
    ],
)
def test_what_a_library_refuses(
    code: int,
    macros: str,
    options: tuple[str, ...],
    said: str,
    mine: Ampcli,
    library: Callable[..., Path],
    tmp_path: Path,
) -> None:
    asked = ("gen", PROCESS, "s.zarr", *ASKED, "--provider", f"olp:{library(*filter(None, [macros]))}")
    mine.fails(code, *asked, *options, naming=said)
    assert not (tmp_path / "s.zarr").exists()


def test_what_is_refused(mine: Ampcli, exported: Path, one_loop: Path, tmp_path: Path) -> None:
    (tmp_path / "text.so").write_text("no library")
    for code, process, options, said in (
        (4, PROCESS, ("--provider", "olp:nowhere.so"), "there is no file nowhere.so"),
        (4, PROCESS, ("--provider", "umami:nowhere.so"), "there is no file nowhere.so"),
        (1, PROCESS, ("--provider", "olp:text.so"), "it cannot be loaded"),
        (2, PROCESS, ("--provider", "olp"), "takes a library of yours"),
        (2, PROCESS, ("--provider", f"umami:{one_loop}"), "it has no function umami_initialize"),
        (2, PROCESS, ("--provider", f"olp:{exported}:finite"), "Tree is all there is"),
        (2, "e- e+ > d d~ g", ("--provider", f"olp:{exported}"), "no model of this process"),
        (2, "e- e+ > u u~ g g", ("--provider", f"umami:{exported}"), "its process has 5 legs, and this one 6"),
        (2, PROCESS, ("--provider", f"umami:{exported}", "--parameter", "m_x=1"), "m_x = 1 cannot be set"),
        (2, PROCESS, ("--provider", f"olp:{one_loop}", "--parameter", "gamma_w=2"), "width(24) = 2 cannot be set"),
        (2, PROCESS, ("--provider", f"olp:{one_loop}", "--signed"), "are squared amplitudes, and positive"),
        (2, PROCESS, ("--provider", "native", "--time-limit", "5"), "--time-limit has no effect"),
        (2, PROCESS, ("--provider", "native", "--skip-bad"), "--skip-bad has no effect"),
    ):
        mine.fails(code, "gen", process, "s.zarr", *ASKED, *options, naming=said)
        assert not (tmp_path / "s.zarr").exists()


def test_a_changed_library_is_another_amplitude(mine: Ampcli, library: Callable[..., Path], tmp_path: Path) -> None:
    shutil.copy(library(), tmp_path / "lib.so")
    asked = ("gen", PROCESS, "s.zarr", *ASKED, "--provider", "olp:lib.so")
    mine(*asked)
    shutil.copy(library("FAULT=PRINTS"), tmp_path / "lib.so")
    mine.fails(2, *asked, "--resume", naming="provider.version")


def test_the_library_ends_with_its_command(mine: Ampcli, library: Callable[..., Path], tmp_path: Path) -> None:
    """Killed in the middle of a call that never returns, it leaves no process and no folder behind."""
    hangs = library("FAULT=HANGS", "SHARE=2")
    place = tmp_path / "temporary"
    place.mkdir()
    ours = type(mine)(tmp_path, mine.environment | {"TMPDIR": str(place)})
    with ours.started(
        "gen", PROCESS, "s.zarr", *ASKED, "--provider", f"olp:{hangs}", "--time-limit", "1000"
    ) as running:
        running.wait_until((tmp_path / "hanging").exists)
        (child,) = children(running.pid)
        os.kill(running.pid, 9)
        wait_until_gone(child)
    assert not list(place.glob("ampcli-library-*"))


def test_the_example(ampcli: Ampcli, tmp_path: Path) -> None:
    """examples/c/run.sh, as it stands, with this ampcli."""
    command = tmp_path / "bin" / "ampcli"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ampcli "$@"\n')
    command.chmod(0o755)
    path = os.pathsep.join([str(command.parent), os.environ["PATH"]])
    environment = ampcli.environment | {"PATH": path, "PYTHONPATH": str(ROOT)}
    script = ONE_LOOP.with_name("run.sh")
    done = subprocess.run(["sh", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "registry" / "k-factor" / "1" / "manifest.json").is_file()
    loop, born = (open_store(tmp_path / f"{name}.zarr") for name in ("loop", "born"))
    np.testing.assert_array_equal(loop.read("momenta"), born.read("momenta"))
    assert (loop.read("amplitude") < 0).any()


def test_an_interrupted_part_keeps_its_values(mine: Ampcli, library: Callable[..., Path], tmp_path: Path) -> None:
    own = ("--provider", f"olp:{library('FAULT=HANGS')}", "--time-limit", "1000")
    with mine.started("gen", PROCESS, "s.zarr", *ASKED, *own) as running:
        running.wait_until((tmp_path / "hanging").exists)
        (child,) = children(running.pid)
        running.signal(signal.SIGINT)
        assert running.end().code == 75
    wait_until_gone(child)
    with np.load(tmp_path / "s.zarr" / ".ampcli" / "values-000000.npz") as kept:
        assert not np.isfinite(kept["values"][BAD])
    mine("gen", PROCESS, "s.zarr", *ASKED, *own[:2], "--time-limit", "0.3", "--resume", "--skip-bad")


def test_files_of_the_user_hide_no_modules(mine: Ampcli, library: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit(1)\n")
    mine("gen", PROCESS, "s.zarr", *ASKED, "--provider", f"olp:{library()}")


def children(parent: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def wait_until_gone(process: int) -> None:
    deadline = time.monotonic() + 60
    while Path(f"/proc/{process}").exists():
        assert time.monotonic() < deadline, "the library's process is left behind"
        time.sleep(0.01)
