"""`ampcli completion`."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer

COMPLETE_VARIABLE = "_AMPCLI_COMPLETE"


#: Else bash takes the alias of name@alias for a word of its own.
_WHOLE_WORDS = "COMP_WORDBREAKS=${COMP_WORDBREAKS//@/}\n"

_EXAMPLE = "Example: ampcli completion bash > ~/.local/share/bash-completion/completions/ampcli"


def add(app: typer.Typer) -> None:
    app.command("completion", epilog=_EXAMPLE)(completion)


def completion(shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(help="Your shell.")]) -> None:
    """Print the script that completes ampcli's commands and options."""
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    script = get_completion_script(prog_name="ampcli", complete_var=COMPLETE_VARIABLE, shell=shell)
    sys.stdout.write(script.rstrip("\n") + "\n" + (_WHOLE_WORDS if shell == "bash" else ""))
