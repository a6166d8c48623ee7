"""A real Slurm of one node, in a folder of its own, with its own munged: several may run on one machine."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PROGRAMS = ("munged", "mungekey", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "scancel")
_LIMIT = 250.0  # seconds after which a condition is taken to hang

_CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=bf_interval=1,sched_interval=1
SlurmdParameters=config_overrides
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


class Slurm:
    """Asks and tells a running Slurm."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.variables = {"SLURM_CONF": str(folder / "slurm.conf")}

    @property
    def node(self) -> str:
        return socket.gethostname()

    def __call__(self, *words: object) -> str:
        """Run one of its programs; returns what it says."""
        done = subprocess.run(
            [*map(str, words)], env=os.environ | self.variables, capture_output=True, text=True, timeout=_LIMIT
        )
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout

    def states(self, job: str) -> list[str]:
        """The states of the tasks of an array, or of a job, that are in the queue."""
        answer = self("squeue", "--noheader", "--array", "--format", "%F %T")
        return [state for number, state in map(str.split, answer.splitlines()) if number == job]

    def fact(self, job: str, name: str) -> str:
        """What Slurm knows of a job, such as Restarts."""
        words = self("scontrol", "show", "job", job).split()
        return next(word.partition("=")[2] for word in words if word.startswith(f"{name}="))

    def wait_until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _LIMIT
        while not condition():
            assert time.monotonic() < deadline, f"waited too long: {self('squeue')}"
            time.sleep(0.1)


def missing() -> str | None:
    """Why there can be no Slurm here."""
    if absent := [name for name in _PROGRAMS if shutil.which(name, path=_path()) is None]:
        return f"Slurm is not installed: no {', '.join(absent)}"
    return None if os.geteuid() == 0 else "slurmd needs root"


@contextmanager
def running() -> Iterator[Slurm]:
    """Slurm, and nothing of it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="slurm", dir="/tmp"))  # a short path: sockets are in it
    slurm = Slurm(folder)
    try:
        _start(slurm)
        yield slurm
    finally:
        with suppress(AssertionError, subprocess.SubprocessError):
            slurm("scancel", "--user", "root")
            slurm.wait_until(lambda: not slurm("squeue", "--noheader"))
        for name in ("slurmd", "slurmctld", "munged"):
            _stop(folder / f"{name}.pid")
        shutil.rmtree(folder, ignore_errors=True)


def _start(slurm: Slurm) -> None:
    folder = slurm.folder
    for name in ("state", "spool"):
        (folder / name).mkdir()
    text = _CONFIGURATION.format(host=slurm.node, folder=folder, ports=_free_ports(2))
    (folder / "slurm.conf").write_text(text)
    files = {name: folder / f"munge.{name}" for name in ("socket", "key", "log", "seed")}
    _run("mungekey", "--create", f"--keyfile={files['key']}")
    options = [f"--{name}-file={files[name]}" for name in ("key", "log", "seed")]
    _run("munged", "--force", f"--socket={files['socket']}", f"--pid-file={folder}/munged.pid", *options)
    _run("slurmctld", "-f", folder / "slurm.conf")
    _run("slurmd", "-f", folder / "slurm.conf", "-N", slurm.node)
    slurm.wait_until(lambda: slurm("sinfo", "--noheader", "--format", "%T").split() == ["idle"])


def _run(*words: object) -> None:
    environment = os.environ | {"PATH": _path()}
    with open(os.devnull, "w") as nothing:  # daemons keep what they inherit
        subprocess.run([*map(str, words)], check=True, env=environment, stdout=nothing, stderr=nothing, timeout=_LIMIT)


def _path() -> str:
    return f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _stop(file: Path) -> None:
    with suppress(FileNotFoundError, ValueError, ProcessLookupError):
        process = int(file.read_text())
        os.kill(process, signal.SIGTERM)
        for _ in range(100):
            os.kill(process, 0)
            time.sleep(0.05)
        os.kill(process, signal.SIGKILL)
