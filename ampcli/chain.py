"""Commands one after another, as a user would type them; an interrupted chain goes on where it stopped."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ampcli.cli.output import say
from ampcli.errors import AmpcliError, IntegrityError, LockedError, NotFoundError, UsageError
from ampcli.files import read_file, replacing, write_durably
from ampcli.interrupt import held

_ERRORS = {kind.exit_code: kind for kind in (UsageError, NotFoundError, IntegrityError, LockedError)}


def ask(*words: object) -> Any:
    """The document of a command that changes nothing.

    Raises:
        AmpcliError: its own error, with its own exit code.
    """
    arguments = [sys.executable, "-m", "ampcli", *map(str, words), "--json"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        _, _, said = done.stderr.partition("ampcli: error: ")
        what, _, hint = said.strip().partition("\n")
        raise _ERRORS.get(done.returncode, AmpcliError)(what or f"`ampcli {words[0]}` failed", hint.strip() or None)
    return json.loads(done.stdout)


@dataclass(frozen=True)
class Chain:
    """Commands that are run once: those that are done are noted in a file, and passed over by the next run.

    Attributes:
        notes: the file.
        settings: what all commands follow from, noted as well.
        environment: of the commands.
        within: the folder in which they run; None: this one.
    """

    notes: Path
    settings: dict[str, Any]
    environment: dict[str, str]
    within: Path | None = None

    @classmethod
    def of(
        cls,
        folder: Path,
        notes: str,
        settings: dict[str, Any],
        environment: dict[str, str],
        others: str,
        within: Path | None = None,
    ) -> Chain:
        """The chain of a folder: a new one, or one that was begun there.

        Args:
            notes: name of the file.
            others: what is wrong where the folder holds a chain of other settings.

        Raises:
            UsageError: the folder holds something else.
            IntegrityError: its notes are damaged.
        """
        chain = cls(folder / notes, settings, environment, within)
        if chain.notes.is_file():
            if (noted := chain._read()[0]) != settings:
                found = ", ".join(f"{name} {value}" for name, value in noted.items() if settings.get(name) != value)
                raise UsageError(f"{others}: {found}", "Give the same to go on with it, or choose another folder.")
        elif folder.exists() and any(folder.iterdir()):
            raise UsageError(f"{folder} holds something else", "Choose another folder, or remove it.")
        else:
            folder.mkdir(parents=True, exist_ok=True)
            chain._note({})
        return chain

    def _read(self) -> tuple[dict[str, Any], dict[str, float]]:
        try:
            noted = json.loads(read_file(self.notes))
            return dict(noted["settings"]), {line: float(taken) for line, taken in noted["done"].items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            raise IntegrityError(f"{self.notes} is damaged", "Choose another folder, or remove this one.") from None

    def _note(self, done: dict[str, float]) -> None:
        with replacing(self.notes) as fresh:
            write_durably(fresh, json.dumps({"settings": self.settings, "done": done}, indent=1).encode())

    def __call__(self, *words: object) -> float:
        """Show and run a command; its summary goes to stderr, so that `--json` keeps stdout for the document.

        Returns:
            The seconds that it took.

        Raises:
            AmpcliError: it failed.
        """
        arguments = [str(word) for word in words]
        line = f"ampcli {shlex.join(arguments)}"
        _, done = self._read()
        say(f"$ {line}{'   (done already)' if line in done else ''}\n")
        if line in done:
            return done[line]
        begun = time.monotonic()
        command = [sys.executable, "-m", "ampcli", *arguments]
        child = subprocess.Popen(command, env=self.environment, stdout=sys.stderr, cwd=self.within)
        try:
            code = child.wait()
        finally:  # asked to stop: so is the command, which then keeps what it has
            with held():
                child.terminate()
                child.wait()
        if code != 0:
            raise AmpcliError(f"`{line}` failed with exit code {code}", "Its message stands above.")
        self._note(done | {line: time.monotonic() - begun})
        return time.monotonic() - begun

    def seconds(self, path: Path) -> float:
        """What all commands on a store took."""
        return sum(taken for line, taken in self._read()[1].items() if str(path) in shlex.split(line))
