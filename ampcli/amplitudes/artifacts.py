"""The content-addressed cache of generated pyamplicol artifacts.

Generation needs Symbolica, of which one process per user may run: it happens in a child process under a lock
that all of a user's ampcli processes share.  Evaluation never touches Symbolica.
"""

from __future__ import annotations

import hashlib
import json
import logging
import platform
import re
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

from ampcli.amplitudes import check, symbolica
from ampcli.amplitudes.cache import cache_root
from ampcli.amplitudes.ufo import Model
from ampcli.errors import AmpcliError, LockedError, UsageError
from ampcli.extras import version_of
from ampcli.process import Process

log = logging.getLogger(__name__)

#: Full colour; "compiled" evaluates 2.4 times faster than the default mode (docs/amplitudes.md).
OPTIONS = {"color-accuracy": "full", "execution-mode": "compiled"}


def generator_version() -> str:
    """Version of the installed pyamplicol (read without importing it).

    Raises:
        AmpcliError: it is not installed.
    """
    return version_of("pyamplicol", "pyamplicol")


def artifact_folder(process: Process, model: Model | None = None) -> Path:
    """Where the artifact of `process` lives: the name holds a hash of all that determines its content."""
    content = {
        "generator": generator_version(),
        "process": str(process),
        "options": OPTIONS,
        "machine": platform.machine(),  # just-in-time code is portable within an architecture
    } | ({} if model is None else {"model": model.key})
    key = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
    slug = re.sub(r"[^a-z0-9]+", "_", str(process).lower().replace("~", "x").replace("> ", "to "))
    return cache_root() / "pyamplicol" / f"{slug}-{key}"


def ensure_artifact(process: Process, model: Model | None = None) -> Path:
    """The folder of the artifact, generated first where it is missing (seconds to minutes, once).

    Args:
        model: a UFO model; None: pyamplicol's Standard Model.

    Raises:
        UsageError: pyamplicol knows no amplitude for this process.
        LockedError: another process holds Symbolica's only slot.
        AmpcliError: generation failed for another reason.
    """
    folder = artifact_folder(process, model)
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with symbolica.only_one():
        if not folder.is_dir():  # it may have made this one
            _generate(process, model, folder)
    return folder


def _generate(process: Process, model: Model | None, folder: Path) -> None:
    # A person at a terminal is told; of a script that fails, one message is all that stderr holds.
    level = logging.WARNING if sys.stderr is not None and sys.stderr.isatty() else logging.INFO
    log.log(level, "generating the amplitude of %s, once: this takes seconds to minutes", process)
    draft = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
    text = str(process) if model is None else model.own_text(process)
    options = [word for key, value in OPTIONS.items() for word in (f"--{key}", value)]
    source = draft.with_name(f"{draft.name}.json")
    if model is not None:
        source.write_text(json.dumps(model.for_code))
        options += ["--model", str(source), "--no-model-cache"]
    options += ["--no-emit-api-bundle", "--no-symbolica-suggestion", "--progress", "off", "--log-level", "error"]
    try:
        done = symbolica.run("pyamplicol", ["generate", text, str(draft), *options])
        if done.returncode != 0:
            raise _failure(process, model, done)
        draft.rename(folder)
    finally:
        source.unlink(missing_ok=True)
        shutil.rmtree(draft, ignore_errors=True)


def _failure(process: Process, model: Model | None, done: subprocess.CompletedProcess[str]) -> AmpcliError:
    said = (done.stderr.strip() or done.stdout.strip()).splitlines()
    reason = re.sub(r"^ERROR [\w.]+: ", "", said[-1]) if said else f"exit code {done.returncode}"
    if any(words in reason for words in ("no valid processes", "no model-supported", "no concrete process")):
        whose = "" if model is None else f" of the UFO model {model.reference}"
        return UsageError(
            f'the provider pyamplicol has no tree amplitude{whose} for "{process}"', _why_there_is_none(process, model)
        )
    if symbolica.lacks_licence(done):
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


def _why_there_is_none(process: Process, model: Model | None) -> str:
    if model is not None or not check.affordable(process):
        return "Check charges, flavours and colours."
    if check.vanishes(process):
        return (
            "Check charges, flavours and colours: in the Standard Model this process vanishes at tree level. One that "
            "begins with a loop, such as g g > h g, needs an amplitude of your own: docs/extending.md."
        )
    return (
        "In the Standard Model there is one, but pyamplicol lacks W exchange between two fermion lines and "
        "neutrinos in most places; of a charged lepton and its neutrino, name the charged one first."
    )
