"""README and docs/: commands that exist, and pages that read the same on a git host and on the site."""

from __future__ import annotations

import re

import pytest
import typer
from documentation import PAGES, REPOSITORY, commands_in_blocks, commands_in_text
from markdown_it import MarkdownIt

from ampcli.cli.app import build_app


@pytest.fixture(scope="module")
def root():
    return typer.main.get_command(build_app())


def _command(root, words):
    """The command that words call, and what is left of them."""
    command, rest = root, words[1:]
    while rest and (found := getattr(command, "commands", {}).get(rest[0])):
        command, rest = found, rest[1:]
    return command, rest


def test_commands_in_blocks_can_be_read(root, monkeypatch):
    monkeypatch.chdir(REPOSITORY)  # recipes are named from there
    wrong, seen = [], 0
    for place, words in commands_in_blocks():
        command, rest = _command(root, words)
        seen += 1
        try:
            with command.make_context(command.name, list(rest)):
                pass
        except typer.Exit:  # --help
            pass
        except Exception as error:
            wrong.append(f"{place}: {' '.join(words)}: {error}")
    assert seen > 100
    assert not wrong, "\n".join(wrong)


def test_commands_in_sentences_exist_with_their_options(root):
    wrong = []
    for place, words in commands_in_text():
        command, rest = _command(root, words)
        known = {name for p in getattr(command, "params", []) for name in (*p.opts, *p.secondary_opts)} | {"--help"}
        if command is root and rest and re.fullmatch(r"[a-z]+", rest[0]):
            wrong.append(f"{place}: no command {rest[0]}")
        wrong += [
            f"{place}: {command.name} has no {word}"
            for word in rest
            if re.match(r"--?[a-z]", word) and word.split("=")[0] not in known and command is not root
        ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages_read_the_same_on_a_git_host_and_on_the_site(page):
    markdown = pytest.importorskip("markdown")  # comes with the site: extra `docs`
    text = page.read_text()
    host = MarkdownIt("commonmark").enable("table").render(text)
    site = markdown.markdown(text, extensions=["tables", "toc", "pymdownx.superfences"])
    kinds = ("h2", "h3", "h4", "li", "p", "pre", "td", "strong", "em")
    there, here = ({kind: len(re.findall(rf"<{kind}[ >]", html)) for kind in kinds} for html in (host, site))
    assert there == here
