"""Pages: nothing in them is markup that came from elsewhere, nothing is loaded, and their size has bounds."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from samples import DATASET, PROVIDER, REGION

from ampcli.plots.style import Plot
from ampcli.plots.svg import svg_panels
from ampcli.registry.manifest import MANIFEST, Manifest, Member, manifest_bytes
from ampcli.reports.lineage import made_section, model_section
from ampcli.reports.page import Page, Section, Table, rendered, write_page

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\" onload='alert(3)' ]]> --> & {{ 7*7 }} $x^"


class Elements(HTMLParser):
    """Elements with their attributes, and the text between them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.text += data


def line(axes: Axes) -> None:
    axes.plot([0, 1], [1, 2], label="a < b & c")
    axes.set_xlabel("--> <script>")
    axes.legend()


def test_what_comes_from_elsewhere_is_text() -> None:
    plot = Plot(f"p{HOSTILE}", HOSTILE, (line,), {}, about=HOSTILE)
    table = Table([HOSTILE, HOSTILE], [[HOSTILE, HOSTILE]], HOSTILE)
    section = Section(HOSTILE, [HOSTILE], [HOSTILE], {HOSTILE: HOSTILE}, [table], [plot], {HOSTILE: HOSTILE})
    page = Elements(rendered(Page(HOSTILE, HOSTILE, [section])))
    assert [tag for tag, _ in page.found].count("script") == 1  # the page's own
    assert "img" not in {tag for tag, _ in page.found}
    assert not [name for _, attributes in page.found for name in attributes if name.startswith("on")]
    assert page.text.count("{{ 7*7 }}") == page.text.count("alert(3)") == 19


def test_a_page_loads_nothing() -> None:
    text = rendered(Page("t", "a", [Section("s", plots=[Plot("p", "c", (line,), {})])]))
    page = Elements(text)
    links = [attributes[name] or "" for _, attributes in page.found for name in ("href", "src") if name in attributes]
    assert links
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in links)
    assert not re.search(r"url\((?!#)|@import|@font-face", text)
    policy = next(each["content"] for _, each in page.found if each.get("http-equiv") == "Content-Security-Policy")
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    assert f"script-src 'sha256-{digest}'" in policy


def test_plots_of_a_page_do_not_share_names() -> None:
    plots = [Plot("one", "", (line, line), {}), Plot("two", "", (line,), {})]
    text = "".join(panel for plot in plots for panel in svg_panels(plot))
    names = re.findall(r'\bid="([^"]*)"', text)
    assert len(names) == len(set(names)) > 20
    used = {*re.findall(r'href="#([^"]*)"', text), *re.findall(r"url\(#([^)]*)\)", text)}
    assert used
    assert used <= set(names)
    assert "<!--" not in text  # letters are shapes
    assert svg_panels(plots[0]) == svg_panels(plots[0])


def test_a_plot_of_many_points_becomes_an_image() -> None:
    x = np.linspace(0, 1, 20_000)

    def draw(axes: Axes) -> None:
        axes.scatter(x, x**2, c=x, s=4)
        axes.plot(x, x**3)
        axes.fill_between(x, x**4, x**5)

    plot = Plot("many", "", (draw,), {})
    (panel,) = svg_panels(plot)
    assert "data:image/png;base64," in panel
    assert len(panel) < 200_000  # vectors of the dots alone are 2 MB


def test_lineage(tmp_path: Path) -> None:
    common = {"process": "e- e+ > d d~ g", "provider": PROVIDER, "dataset": DATASET, "region": REGION, "version": 1}
    members = [Member(model=f"m@{n}", manifest_sha256=f"{n}" * 64) for n in (1, 2)]
    both = {"members": members, "combine": "mean", "parents": ["old@3"], "card": HOSTILE}
    manifest = Manifest.model_validate({**common, "name": "e", "kind": "ensemble", **both})
    (tmp_path / MANIFEST).write_bytes(manifest_bytes(manifest))
    section = model_section(tmp_path, manifest)
    assert section.text == [HOSTILE]
    assert section.fields["manifest (SHA-256)"] == hashlib.sha256(manifest_bytes(manifest)).hexdigest()
    assert section.fields["trained on, digest"] == manifest.dataset.digest
    assert section.fields["member m@2 (SHA-256)"] == "2" * 64
    assert section.fields["parents"] == "old@3"
    made = made_section("registry compare", "[compare]\nstore = 'x'\n", torch.device("cpu"))
    assert "torch" in made.fields["packages"]
    assert made.code == {
        "ampcli registry compare --config compare.toml, with compare.toml:": "[compare]\nstore = 'x'\n"
    }


def test_a_page_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "new" / "a\udcff.html"
    write_page(Page("first \udcff", "", []), file)
    before = file.read_bytes()
    assert b"<h1>first ?</h1>" in before

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        write_page(Page("second", "", []), file)
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]
