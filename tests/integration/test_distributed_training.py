"""Trainings of several processes: the models of one process, whatever happens to one of them on the way."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from commands import Running
from safetensors.torch import load_file

if TYPE_CHECKING:
    from conftest import Ampcli, Outcome


@pytest.fixture(scope="module")
def store(make_store: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("distributed") / "ee3.zarr", "3k", features=True)


def call(store: Path, registry: Path, *options: object, epochs: int = 2) -> tuple[object, ...]:
    settings = ("--name", "m", "--epochs", epochs, "--batch-size", 400, "--threads", 1)
    return ("train", store, *settings, "--registry", registry, "--json", *options)


class Ranks:
    """The processes of a training, started as srun does: each with its rank in the environment."""

    def __init__(self, ampcli: Ampcli, calls: list[tuple[object, ...]]) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        shared = {"WORLD_SIZE": str(len(calls)), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        self.all = [
            Running([*map(str, words)], ampcli.folder, {**ampcli.environment, **shared, "RANK": str(rank)})
            for rank, words in enumerate(calls)
        ]

    def end(self) -> list[Outcome]:
        return [running.end() for running in self.all]


@contextmanager
def ranks(ampcli: Ampcli, *calls: tuple[object, ...]) -> Iterator[Ranks]:
    started = Ranks(ampcli, [*calls])
    try:
        yield started
    finally:
        for running in started.all:
            running.close()


def together(ampcli: Ampcli, size: int, *words: object) -> list[Outcome]:
    """All outcomes of a command that so many processes run together."""
    with ranks(ampcli, *size * [words]) as started:
        return started.end()


def trained(outcomes: list[Outcome]) -> list[dict[str, Any]]:
    """The models of a training that went well, which the first process alone names."""
    assert [outcome.code for outcome in outcomes] == [0] * len(outcomes), outcomes
    assert all(outcome.stdout == outcome.stderr == "" for outcome in outcomes[1:]), outcomes
    return list(outcomes[0].document["models"])


def weights(models: list[dict[str, Any]]) -> list[str]:
    return [model["weights_sha256"] for model in models]


def parameters(registry: Path, version: int) -> torch.Tensor:
    return load_file(registry / "m" / str(version) / "weights.safetensors")["parameters"]


def fails(outcomes: list[Outcome], code: int, *naming: str) -> None:
    """All end with the same code, and the first process says why."""
    assert [outcome.code for outcome in outcomes] == [code] * len(outcomes), outcomes
    first, *others = outcomes
    assert first.stderr.count("ampcli: error: ") == 1, outcomes
    for words in naming:
        assert words in first.stderr
    assert all(outcome.stdout == outcome.stderr == "" for outcome in others), outcomes


SOAP = ("--optimiser", "soap", "--hidden", "24,24,24", "--residual")


@pytest.mark.parametrize(
    ("size", "options", "rounding"),
    [
        (3, ("--replicas", 3, "--batch-size", 100), 1e-5),
        (2, ("--model", "plain", "--training-points", 700), 1e-5),
        # eigenbases of small gradients are made of rounding: of one process, too, 1e-7 of gradients becomes 1e-3 here
        (2, ("--replicas", 2, *SOAP), 1e-2),
    ],
)
def test_losses_and_weights_are_those_of_one_process(
    ampcli: Ampcli, store: Path, tmp_path: Path, size: int, options: tuple[object, ...], rounding: float
) -> None:
    alone = ampcli(*call(store, tmp_path / "one", *options)).document["models"]
    models = trained(together(ampcli, size, *call(store, tmp_path / "several", *options)))
    assert [m["seed"] for m in models] == [m["seed"] for m in alone]
    for one, several in zip(alone, models, strict=True):
        for name in ("best_validation_loss", "best_epoch", "epochs_done"):
            assert several["training"][name] == pytest.approx(one["training"][name], rel=rounding), name
        for name, value in one["metrics"].items():
            assert several["metrics"][name]["value"] == pytest.approx(value["value"], rel=100 * rounding), name
        for name in ("log_amplitude_mean", "log_amplitude_std", "min_sij_over_s"):
            assert several["region"][name] == pytest.approx(one["region"][name], rel=1e-12), name
        found, expected = (parameters(tmp_path / name, one["version"]) for name in ("several", "one"))
        torch.testing.assert_close(found, expected, rtol=0, atol=2 * rounding)
    assert not (tmp_path / "several" / ".training").exists()


def long(store: Path, registry: Path) -> tuple[object, ...]:
    return call(store, registry, "--replicas", 2, epochs=80)


@pytest.fixture(scope="module")
def undisturbed(ampcli: Ampcli, store: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Weights of two processes that nothing happens to."""
    return weights(trained(together(ampcli, 2, *long(store, tmp_path_factory.mktemp("whole")))))


def test_stopped_and_killed_on_the_way(ampcli: Ampcli, store: Path, undisturbed: list[str], tmp_path: Path) -> None:
    """The same weights, bit for bit, as if nothing had happened."""
    words = long(store, tmp_path)

    @contextmanager
    def disturbed() -> Iterator[Ranks]:
        with ranks(ampcli, words, words) as started:
            started.all[0].wait_until(lambda: started.all[0].progress >= 3)
            yield started

    with disturbed() as started:
        started.all[1].signal(signal.SIGTERM)  # one is asked, both stop
        outcomes = started.end()
        (checkpoint,) = (tmp_path / ".training" / "m").glob("*.safetensors")
        fails(outcomes, 75, "interrupted in epoch", str(checkpoint))
    written = checkpoint.read_bytes()
    with disturbed() as started:
        started.all[0].signal(signal.SIGKILL)
        assert [outcome.code for outcome in started.end()] == [-signal.SIGKILL, 75]
    assert checkpoint.read_bytes() == written
    with disturbed() as started:
        started.all[1].signal(signal.SIGKILL)
        first, second = started.end()
        assert (first.code, second.code) == (75, -signal.SIGKILL)
        assert "another process of this training has ended" in first.stderr
        assert f"{checkpoint} is written" in first.stderr
    assert checkpoint.read_bytes() != written
    assert not (tmp_path / "m").exists()
    assert weights(trained(together(ampcli, 2, *words))) == undisturbed


def test_another_number_of_processes_goes_on(ampcli: Ampcli, store: Path, tmp_path: Path) -> None:
    words = call(store, tmp_path, epochs=12)
    with ranks(ampcli, words, words) as started:
        started.all[0].wait_until(lambda: started.all[0].progress >= 3)
        started.all[1].signal(signal.SIGTERM)
        fails(started.end(), 75, "interrupted")
    (model,) = ampcli(*words).document["models"]
    whole = ampcli(*call(store, tmp_path / "whole", epochs=12)).document["models"][0]
    loss = "best_validation_loss"
    assert model["training"][loss] == pytest.approx(whole["training"][loss], rel=1e-4)


def test_processes_that_disagree(ampcli: Ampcli, store: Path, make_store: Callable[..., Path], tmp_path: Path) -> None:
    words = call(store, tmp_path)
    other = make_store(tmp_path / "other.zarr", "3k", "--seed", 9, features=True)
    settings = (*words, "--learning-rate", 0.1, "--threads", 2)
    with ranks(ampcli, words, settings) as started:
        fails(started.end(), 2, "process 2 of 2 has other settings", "learning_rate (0.1, not", "threads (2, not 1)")
    with ranks(ampcli, words, call(other, tmp_path)) as started:
        fails(started.end(), 2, "process 2 of 2 has other settings", "dataset_digest")
    with ranks(ampcli, words, call(tmp_path / "none.zarr", tmp_path)) as started:
        fails(started.end(), 4, "process 2 of 2 (on ", "none.zarr")
    assert not (tmp_path / "m").exists()


def test_errors_are_said_once(ampcli: Ampcli, store: Path, tmp_path: Path, flip_byte: Callable[..., None]) -> None:
    damaged = tmp_path / "damaged.zarr"
    shutil.copytree(store, damaged)
    last = max((damaged / "amplitude" / "c").iterdir(), key=lambda chunk: int(chunk.name))
    flip_byte(last)  # in the share of the second process
    fails(together(ampcli, 2, *call(damaged, tmp_path)), 5, "process 2 of 2 (on ", "amplitude")
    fails(together(ampcli, 2, *call(store, tmp_path, "--batch-size", 1)), 2, "a batch of 1 points for 2 processes")
    fails(together(ampcli, 2, *call(store, tmp_path, "--model", "fks-ensemble")), 2, "fks train in one process")
    fails(together(ampcli, 2, *call(store, tmp_path, "--learning-rate", 1e30)), 1, "no longer a number")
    fails(together(ampcli, 2, *call(store, tmp_path, "--resume", tmp_path / "none")), 4, "no checkpoint")


def test_a_launcher_that_is_half_there(ampcli: Ampcli, store: Path, tmp_path: Path) -> None:
    variables = {"RANK": "0", "WORLD_SIZE": "2"}
    ampcli.process.fails(
        2, *call(store, tmp_path), naming=("MASTER_ADDR, MASTER_PORT", "torchrun"), variables=variables
    )


def test_torchrun_starts_again_and_stops(ampcli: Ampcli, store: Path, undisturbed: list[str], tmp_path: Path) -> None:
    words = long(store, tmp_path)
    launch = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--max-restarts", "1")
    with subprocess.Popen(
        [sys.executable, *launch, "-m", "ampcli", *map(str, words), "-v"],
        cwd=ampcli.folder,
        env=ampcli.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as launcher:
        assert launcher.stderr is not None
        epochs = (int(found[1]) for line in launcher.stderr if (found := re.match(r"epoch (\d+), replica 2", line)))
        reached = next(epoch for epoch in epochs if epoch >= 3)
        os.kill(_workers(launcher.pid)["1"], signal.SIGKILL)
        again = next(epoch for epoch in epochs if epoch < reached or _restarted(launcher.pid))
        assert again >= reached  # from the checkpoint that the other process wrote
        launcher.send_signal(signal.SIGTERM)
        assert "interrupted in epoch" in launcher.stderr.read()
        assert launcher.wait() == 1  # torchrun's own: it does not pass on exit codes
    assert not (tmp_path / "m").exists()
    assert weights(trained(together(ampcli, 2, *words))) == undisturbed


def _environment(process: int | str) -> dict[str, str]:
    entries = Path(f"/proc/{process}/environ").read_text().split("\0")
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)


def _workers(launcher: int) -> dict[str, int]:
    """Process ids of the processes that torchrun has started, by rank."""
    children = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    return {rank: int(child) for child in children if (rank := _environment(child).get("RANK")) is not None}


def _restarted(launcher: int) -> bool:
    return all(_environment(worker)["TORCHELASTIC_RESTART_COUNT"] == "1" for worker in _workers(launcher).values())
