"""`ampcli man`: the manual page holds every command and option, and is well-formed."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
import typer

from ampcli.cli.app import build_app


@pytest.fixture(scope="module")
def page(ampcli) -> str:
    return ampcli("man").stdout


def test_every_command_and_option_is_there(page):
    plain = page.replace(r"\-", "-")
    commands = typer.main.get_command(build_app()).commands
    for name, command in commands.items():
        for path, one in {f"{name} {inner}": it for inner, it in getattr(command, "commands", {}).items()}.items() or [
            (name, command)
        ]:
            assert f".SS ampcli {path}" in plain
            for option in (option for p in one.params for option in p.opts if option.startswith("--")):
                assert option in plain, (path, option)


def test_it_has_the_exit_codes_and_no_line_that_is_an_accident(page):
    assert re.search(r"^\\fB75\\fR\ninterrupted", page, re.MULTILINE)
    assert {line.split(" ")[0] for line in page.splitlines() if line.startswith((".", "'"))} == {
        *(".TH", ".SH", ".SS", ".TP", ".P", ".EX", ".EE")
    }
    assert "env var" not in page


@pytest.mark.skipif(shutil.which("groff") is None, reason="no groff")
def test_groff_reads_it_without_a_warning(page):
    words = ["groff", "-man", "-ww", "-Tutf8", "-z"]
    read = subprocess.run(words, input=page, capture_output=True, text=True, check=True)
    assert read.stderr == ""
