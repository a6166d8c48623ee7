"""The content-addressed cache of generated pyamplicol artifacts.

Generation needs Symbolica, of which one process per user may run: it happens in a child process under a lock
that all of a user's ampcli processes share.  Evaluation never touches Symbolica.
"""

from __future__ import annotations

import getpass
import hashlib
import importlib.metadata
import json
import logging
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from contextlib import suppress
from pathlib import Path

from ampcli.amplitudes import check
from ampcli.errors import AmpcliError, LockedError, UsageError
from ampcli.interrupt import blocked
from ampcli.locks import locked
from ampcli.process import Process

log = logging.getLogger(__name__)

#: Full colour; "compiled" evaluates 2.4 times faster than the default mode (docs/amplitudes.md).
OPTIONS = {"color-accuracy": "full", "execution-mode": "compiled"}

_LOCK_SECONDS = 3600.0


def generator_version() -> str:
    """Version of the installed pyamplicol (read without importing it)."""
    return importlib.metadata.version("pyamplicol")


def cache_root() -> Path:
    """``AMPCLI_CACHE``, or the user's cache folder."""
    if given := os.environ.get("AMPCLI_CACHE"):
        return Path(given)
    import platformdirs

    return Path(platformdirs.user_cache_dir("ampcli"))


def artifact_folder(process: Process) -> Path:
    """Where the artifact of `process` lives: the name holds a hash of all that determines its content."""
    content = {
        "generator": generator_version(),
        "process": str(process),
        "options": OPTIONS,
        "machine": platform.machine(),  # just-in-time code is portable within an architecture
    }
    key = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
    slug = re.sub(r"[^a-z0-9]+", "_", str(process).replace("~", "x").replace("> ", "to "))
    return cache_root() / "pyamplicol" / f"{slug}-{key}"


def ensure_artifact(process: Process) -> Path:
    """The folder of the artifact, generated first where it is missing (seconds to minutes, once).

    Raises:
        UsageError: pyamplicol knows no amplitude for this process.
        LockedError: another process holds Symbolica's only slot.
        AmpcliError: generation failed for another reason.
    """
    folder = artifact_folder(process)
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = Path(tempfile.gettempdir()) / f"ampcli-symbolica-{getpass.getuser()}.lock"
    busy = "another process of yours generates amplitudes"
    with locked(lock, busy, f"Wait for it to finish; if none is running, remove {lock}.", _LOCK_SECONDS):
        if not folder.is_dir():  # it may have made this one
            _generate(process, folder)
    return folder


def _generate(process: Process, folder: Path) -> None:
    # A person at a terminal is told; of a script that fails, one message is all that stderr holds.
    level = logging.WARNING if sys.stderr is not None and sys.stderr.isatty() else logging.INFO
    log.log(level, "generating the amplitude of %s, once: this takes seconds to minutes", process)
    draft = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
    options = [word for key, value in OPTIONS.items() for word in (f"--{key}", value)]
    call = [sys.executable, "-m", "ampcli.amplitudes.child", "generate", str(process), str(draft), *options]
    call += ["--no-emit-api-bundle", "--no-symbolica-suggestion", "--progress", "off", "--log-level", "error"]
    environment = {**os.environ, "SYMBOLICA_HIDE_BANNER": "1"}
    try:
        done = _run(call, environment)
        if done.returncode != 0:
            raise _failure(process, done)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _run(call: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command that ends with this process, together with all that it starts."""
    theirs, ours = os.pipe()  # closes when this process ends
    child = None
    try:
        with blocked():
            child = subprocess.Popen(
                call,
                stdin=theirs,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=environment,
                start_new_session=True,
            )
        out, err = child.communicate()
        return subprocess.CompletedProcess(call, child.returncode, out, err)
    finally:
        if child is not None:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        os.close(theirs)
        os.close(ours)


def _failure(process: Process, done: subprocess.CompletedProcess[str]) -> AmpcliError:
    said = (done.stderr.strip() or done.stdout.strip()).splitlines()
    reason = re.sub(r"^ERROR [\w.]+: ", "", said[-1]) if said else f"exit code {done.returncode}"
    if "no valid processes" in reason or "no model-supported" in reason:
        return UsageError(f'the provider pyamplicol has no tree amplitude for "{process}"', _why_there_is_none(process))
    if done.returncode == -signal.SIGABRT or "restricted Symbolica" in done.stderr:
        return LockedError(
            "Symbolica allows one process per user without a licence, and another one is running",
            "Wait until it ends (a `pyamplicol` command, or a Python that imported symbolica) and try again.",
        )
    if done.returncode < 0:
        return AmpcliError(
            f'the generation of "{process}" was ended by signal {-done.returncode}',
            "Try again; memory may have run out: it takes up to some GB.",
        )
    return AmpcliError(f'pyamplicol could not generate "{process}": {reason}')


def _why_there_is_none(process: Process) -> str:
    if not check.affordable(process):
        return "Check charges, flavours and colours."
    if check.vanishes(process):
        return "Check charges, flavours and colours: in the Standard Model this process vanishes at tree level."
    return (
        "In the Standard Model there is one, but pyamplicol lacks W exchange between two fermion lines and "
        "neutrinos in most places; of a charged lepton and its neutrino, name the charged one first."
    )
