"""The same store, bit for bit, however it comes about: workers, parts, and interruptions at any moment."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Ampcli

PROCESS = "e- e+ > d d~ g g"
POINTS, PARTS = 160_000, 20  # about 2 s with one worker: a signal lands between the first part and the last
GEN = ("--points", str(POINTS), "--seed", "5")


@pytest.fixture(scope="module")
def digest(ampcli: Ampcli, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of the store of one uninterrupted run with one worker."""
    store = tmp_path_factory.mktemp("uninterrupted") / "ee4.zarr"
    made = ampcli("gen", PROCESS, store, *GEN, "--workers", "1", "--json").document
    shutil.rmtree(store)
    return str(made["digest"])


def test_four_workers_make_the_same_store(ampcli: Ampcli, digest: str, tmp_path: Path) -> None:
    assert ampcli("gen", PROCESS, tmp_path / "s.zarr", *GEN, "--workers", "4", "--json").document["digest"] == digest


def test_another_seed_makes_another_store(ampcli: Ampcli, tmp_path: Path) -> None:
    made = [
        ampcli("gen", PROCESS, tmp_path / name, "--points", "2k", "--seed", seed, "--json").document["digest"]
        for name, seed in (("a", 1), ("b", 2), ("c", 1))
    ]
    assert made[0] == made[2] != made[1]


@pytest.mark.parametrize(
    ("number", "group", "workers"),
    [
        pytest.param(signal.SIGINT, True, "1", id="ctrl-c-1"),  # a terminal sends it to the whole group
        pytest.param(signal.SIGINT, True, "2", id="ctrl-c-2"),
        pytest.param(signal.SIGTERM, False, "1", id="sigterm-1"),
        pytest.param(signal.SIGTERM, True, "2", id="sigterm-group-2"),  # so do batch systems
        pytest.param(signal.SIGKILL, True, "2", id="kill-group-2"),
    ],
)
def test_an_interrupted_store_is_continued(
    ampcli: Ampcli,
    count_parts: Callable[[Path], int],
    digest: str,
    tmp_path: Path,
    number: signal.Signals,
    group: bool,
    workers: str,
) -> None:
    store = tmp_path / "s.zarr"
    call = ("gen", PROCESS, store, *GEN, "--workers", workers)
    with ampcli.started(*call) as running:
        running.wait_until(lambda: count_parts(store) >= 3)
        running.signal(number, group)
        outcome = running.end()
    kept = count_parts(store)
    assert 3 <= kept < PARTS
    if number == signal.SIGKILL:
        assert outcome.code == -signal.SIGKILL
    else:
        assert outcome.code == 75, outcome.stderr
        assert "--resume" in outcome.stderr
    assert outcome.stdout == ""
    first = store / ".ampcli" / "parts" / "000000.json"
    before = first.stat().st_mtime_ns
    ampcli.fails(2, *call, naming=("exists already", "--resume"))
    assert ampcli(*call, "--resume", "--json").document["digest"] == digest
    assert first.stat().st_mtime_ns == before  # finished parts were not made again


def test_workers_do_not_outlive_a_killed_parent(
    ampcli: Ampcli, count_parts: Callable[[Path], int], digest: str, tmp_path: Path
) -> None:
    store = tmp_path / "s.zarr"
    call = ("gen", PROCESS, store, *GEN, "--workers", "2")
    with ampcli.started(*call) as running:
        running.wait_until(lambda: count_parts(store) >= 2)
        running.signal(signal.SIGKILL)
        assert running.end(limit=20).code == -signal.SIGKILL  # fails if the workers are still there
    assert count_parts(store) < PARTS
    assert ampcli(*call, "--resume", "--json").document["digest"] == digest


def test_ctrl_c_while_the_workers_start(ampcli: Ampcli, tmp_path: Path) -> None:
    store = tmp_path / "s.zarr"
    with ampcli.started("gen", PROCESS, store, *GEN, "--workers", "2") as running:
        running.wait_until(lambda: _a_worker_is_importing(running.pid))
        running.signal(signal.SIGINT, group=True)
        outcome = running.end()  # fails on tracebacks of the workers
    assert outcome.code == 75, outcome.stderr
    assert len(outcome.stderr.strip().splitlines()) <= 3, outcome.stderr  # the bar, the message, the advice


def _a_worker_is_importing(parent: int) -> bool:
    for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        with suppress(OSError):  # it has gone
            about = Path("/proc") / child
            if "spawn_main" in (about / "cmdline").read_text() and "numpy" in (about / "maps").read_text():
                return True
    return False


def test_parts_made_by_processes_of_their_own(ampcli: Ampcli, digest: str, tmp_path: Path) -> None:
    store = tmp_path / "s.zarr"
    call = ("gen", PROCESS, store, *GEN, "--json")
    with ExitStack() as stack:
        shares = [stack.enter_context(ampcli.started(*call, "--part", f"{share}/3")) for share in (1, 2, 3)]
        said = [share.end() for share in shares]
    assert [outcome.code for outcome in said] == [0, 0, 0], said
    finished = [outcome.document for outcome in said if outcome.document["finished"]]
    assert finished  # the last one finalises
    assert all(document["digest"] == digest for document in finished)
    # every share may be repeated, and finds its parts there
    assert ampcli(*call, "--part", "2/3").document["digest"] == digest


def test_a_share_alone_leaves_the_store_unfinished(ampcli: Ampcli, tmp_path: Path) -> None:
    store = tmp_path / "s.zarr"
    call = ("gen", PROCESS, store, "--points", "5k", "--part")
    assert ampcli(*call, "1/2", "--json").document == {"store": str(store), "finished": False}
    ampcli.fails(5, "features", store, "fame", naming=("is not finished", "2 of 5 parts are missing", "--resume"))
    assert ampcli(*call, "2/2", "--json").document["finished"] is True
    for part in ("0/2", "3/2", "2", "a/b", "1/0"):
        ampcli.fails(2, *call, part, naming=f"--part {part}")


def test_a_store_of_something_else_is_refused(ampcli: Ampcli, digest: str, tmp_path: Path) -> None:
    store = tmp_path / "s.zarr"
    call = ("gen", PROCESS, store, "--points", "1k")
    made = ampcli(*call, "--json").document["digest"]
    ampcli.fails(2, *call, naming=(str(store), "exists already", "--resume"))
    ampcli.fails(2, *call, "--seed", "2", naming=("holds something else", "source.seed: 2 here, 1 there"))
    ampcli.fails(2, *call, "--resume", "--y-cut", "0.01", naming=("holds something else", "y_cut"))
    ampcli.fails(2, "gen", "e- e+ > d d~ g", store, "--points", "1k", "--resume", naming=("process", "e- e+ > d d~ g"))
    ampcli.fails(2, *call[:-1], "2k", "--resume", naming="points: 2000 here, 1000 there")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")
    ampcli.fails(2, "gen", PROCESS, folder, "--points", "1k", "--resume", naming="is not a store")
    assert [path.name for path in folder.iterdir()] == ["thesis.txt"]
    assert ampcli(*call, "--resume", "--json").document["digest"] == made


def test_resume_repairs_damaged_parts(
    ampcli: Ampcli, flip_byte: Callable[..., None], digest: str, tmp_path: Path
) -> None:
    store = tmp_path / "s.zarr"
    call = ("gen", PROCESS, store, "--points", "6k", "--seed", "3")
    made = ampcli(*call, "--json").document["digest"]
    flip_byte(store / "momenta" / "c" / "1" / "0" / "0", 0.3)
    shard = store / "amplitude" / "c" / "4"
    shard.write_bytes(shard.read_bytes()[:100])
    (store / "weight" / "c" / "2").unlink()
    marker = store / ".ampcli" / "parts" / "000003.json"
    marker.write_text(marker.read_text()[:20])
    assert ampcli(*call, "--resume", "--workers", "2", "--json").document["digest"] == made
    ampcli("features", store, "fame")
