"""The command line without a process of its own: as fast as a function call, and as if the process were fresh."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import torch

from ampcli import interrupt
from ampcli.cli.main import run
from ampcli.cli.output import shown


class _Stream(io.StringIO):
    """What a pipe in UTF-8 would be."""

    encoding = "utf-8"  # type: ignore[assignment]


def run_here(arguments: list[str], folder: Path, environment: Mapping[str, str]) -> tuple[int, str, str]:
    """Run one command line in a folder with an environment; exit code, stdout, stderr."""
    out, err = _Stream(), _Stream()
    with _fresh(folder, environment), redirect_stdout(out), redirect_stderr(err):
        code = run(arguments)
    return code, out.getvalue(), err.getvalue()


@contextmanager
def _fresh(folder: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """Nothing that came before matters to the command, and nothing that it changes to what comes after."""
    logger = logging.getLogger()
    before, variables = Path.cwd(), dict(os.environ)
    handlers, level, threads, argv = logger.handlers[:], logger.level, torch.get_num_threads(), sys.argv
    shown.json, shown.quiet, shown.verbose = False, False, 0
    logger.handlers = []
    try:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        yield
    finally:
        os.chdir(before)
        os.environ.clear()
        os.environ.update(variables)
        logger.handlers, sys.argv = handlers, argv
        logger.setLevel(level)
        torch.set_num_threads(threads)
        interrupt.forget()
