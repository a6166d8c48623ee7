"""A report as one HTML file that needs nothing else: no network, no fonts, no other file.

What is in it comes from files of others too (names, cards, processes): the template escapes all of it, and a content
security policy allows the one script of the page and its inline images, nothing more.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import jinja2
from markupsafe import Markup

from ampcli.files import replacing
from ampcli.plots.style import Plot
from ampcli.plots.svg import svg_panels


@dataclass(frozen=True)
class Table:
    """Rows of cells; a column is sorted by the numbers that its cells begin with, where they do.

    Attributes:
        columns: headings; the first column names the rows.
        caption: what it shows, with the unit where the headings have none.
        sortable: whether the order of the rows is free.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    sortable: bool = True


@dataclass(frozen=True)
class Section:
    """Part of a page, in this order: text, notes, tables, fields, plots, code.

    Attributes:
        title: its heading, and its entry in the contents.
        text: paragraphs of plain text.
        notes: what a reader must know.
        fields: names and values.
        code: captions and what is set in a fixed width as it is.
    """

    title: str
    text: Sequence[str] = ()
    notes: Sequence[str] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    tables: Sequence[Table] = ()
    plots: Sequence[Plot] = ()
    code: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """A report: what it is, of what, and its sections."""

    title: str
    about: str
    sections: Sequence[Section]


def write_page(page: Page, file: Path) -> None:
    """Write a page; readers see the old file or the new one.

    Raises:
        AmpcliError: nothing can be written there.
    """
    text = rendered(page).encode("utf-8", "replace")  # a file's name may be no UTF-8
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as draft:
        draft.write_bytes(text)


def rendered(page: Page) -> str:
    """The page as HTML."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("ampcli.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["typeset"] = typeset
    style, script = (_text(environment, name) for name in ("report.css", "sort.js"))
    return environment.get_template("report.html").render(
        page=page,
        panels=lambda plot: [Markup(panel) for panel in svg_panels(plot)],  # shapes alone
        style=Markup(style),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def typeset(text: str) -> str:
    """What the terminal spells out: Delta, +- and exponents."""
    return text.replace("Delta R", "ΔR").replace("Delta", "Δ").replace(" +- ", " ± ").replace("|M|^2", "|M|²")


def _text(environment: jinja2.Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]
