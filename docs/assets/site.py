"""Hooks of MkDocs (mkdocs.yml).

Links in docs/ are those of a checkout, so that they work on any git host: to README.md, CHANGELOG.md, examples,
recipes.  Here what they lead to becomes pages of the site, and the links lead there.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

#: Where the keys of all commands go in json.md.
_KEYS = re.compile(r"<!-- keys of all commands[^>]*-->\n")

REPOSITORY = Path(__file__).resolve().parents[2]

#: Pages of the repository that are pages of the site, where they exist.
PAGES = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}

#: A link that is called by its file.
_CALLED_BY_FILE = re.compile(r"\[([\w./-]+\.md)\](?=\(([^)\s#]+))")
_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)\s#]+)")
_LANGUAGES = {".py": "python", ".cpp": "cpp", ".c": "c", ".f90": "fortran", ".toml": "toml", ".sh": "bash", ".h": "c"}
_FETCHED = re.compile(r"<(?:script|img|iframe|link)\b[^>]*?\b(?:src|href)=\"?(?:https?:)?//[^\">\s]+")


def on_files(files: Files, *, config: Any) -> Files:
    """Add the pages that lie outside docs/, and whatever any page links to."""
    waiting = [name for name in PAGES if (REPOSITORY / name).is_file()]
    waiting += [f"docs/{file.src_uri}" for file in files if file.is_documentation_page()]
    seen = set(waiting)
    for name in waiting:  # it grows
        if not name.startswith("docs/"):
            files.append(File.generated(config, _place(name), content=_page(REPOSITORY / name)))
        if (REPOSITORY / name).is_dir():
            found = [f"{name}/{path.relative_to(REPOSITORY / name)}" for path in _texts(REPOSITORY / name)]
        elif name.endswith(".md"):
            found = [target for target, _ in _targets(name, (REPOSITORY / name).read_text())]
        else:
            found = []
        new = [target for target in found if target not in seen and not target.startswith("docs/")]
        waiting += dict.fromkeys(new)
        seen.update(new)
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """Turn links of the checkout into those of the site; what they call by its file is called by its title."""
    names = {place: name for name, place in PAGES.items()}
    here = page.file.src_uri
    name = names.get(here, f"docs/{here}")
    if not (REPOSITORY / name).is_file():
        return markdown  # made here
    for target, found in reversed(list(_targets(name, markdown))):
        link = posixpath.relpath(_place(target), posixpath.dirname(here) or ".")
        markdown = markdown[: found.start()] + link + markdown[found.end() :]
    titles = {place: title for section in config.nav for pages in section.values() for page in pages
              for title, place in page.items()}  # fmt: skip

    def called(found: re.Match[str]) -> str:
        place = posixpath.normpath(posixpath.join(posixpath.dirname(here), found[2]))
        return f"[{titles.get(place, found[1])}]"

    return _KEYS.sub(lambda found: _keys(), _CALLED_BY_FILE.sub(called, markdown))


def _keys() -> str:
    """Tables of the keys that commands write with ``--json``, from their schemas."""
    from ampcli.schemas.keys import tables
    from ampcli.schemas.schema import commands, schema

    parts = []
    for command in commands():
        parts.append(f"## {command}\n")
        for number, table in enumerate(tables(command, schema(command))):
            rows = [f"| `{key}` | {_cell(kind)} | {_cell(meaning)} |\n" for key, kind, meaning in table.rows]
            title = "" if number == 0 else f"**{table.name}**: "
            parts.append(f"{title}{_cell(table.about)}\n")
            parts.append("".join(["| key | type | meaning |\n|---|---|---|\n", *rows]) if rows else "")
    return "\n".join(parts)


def _cell(text: str) -> str:
    for mark in "|<*_[]":
        text = text.replace(mark, f"&#{ord(mark)};")
    return text


def on_post_page(output: str, *, page: Any, **_: Any) -> str:
    """Refuse pages that fetch something from the network.

    Raises:
        PluginError: one does.
    """
    if fetched := _FETCHED.search(output):
        raise PluginError(f"{page.file.src_uri} fetches from the network: {fetched[0]}")
    return output


def _targets(name: str, markdown: str) -> Iterator[tuple[str, re.Match[str]]]:
    """Files and folders of the repository that a page of it links to."""
    for found in _LINK.finditer(markdown):
        target = posixpath.normpath(posixpath.join(posixpath.dirname(name), found[1]))
        if not target.startswith("..") and (REPOSITORY / target).exists():
            yield target, found


def _place(name: str) -> str:
    """Where in the site a file or folder of the repository is."""
    if name.startswith("docs/"):
        return name.removeprefix("docs/")
    return PAGES.get(name) or (f"{name}/index.md" if (REPOSITORY / name).is_dir() else f"{name}.md")


def _page(path: Path) -> str:
    """A file, or the list of those in a folder, as a page."""
    title = path.relative_to(REPOSITORY)
    if path.is_dir():
        entries = "\n".join(f"- [{e}]({e}.md)" for e in (p.relative_to(path) for p in _texts(path)))
        return f"# {title}\n\n{entries}\n"
    text = path.read_text()
    return text if path.suffix == ".md" else f"# {title}\n\n````{_LANGUAGES.get(path.suffix, 'text')}\n{text}\n````\n"


def _texts(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in _LANGUAGES)
