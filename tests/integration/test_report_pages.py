"""`--report` in a real browser: on a phone, in the dark, in print, without a script, and without a network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Ampcli
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
STORE = "<img src=x onerror=alert(1)>&\"'.zarr"  # what a file may be called

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")


@pytest.fixture(scope="module")
def pages(ampcli: Ampcli, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pages on the shipped models of three jets."""
    folder = tmp_path_factory.mktemp("reports")
    registry = ("--registry", repository / "registry", "--threads", "1")
    ampcli("gen", "e- e+ > d d~ g", folder / STORE, "--points", "1k", "--seed", "4242", "-q")
    files = {name: folder / f"{name}.html" for name in ("eval", "trajectory")}
    said = ampcli("eval", "ee-3jets@2", "ee-3jets@1", folder / STORE, *registry, "--report", files["eval"]).stdout
    assert f"report in {files['eval']}" in said
    ampcli("trajectory", "ee-3jets", "--count", "2", "--points", "50", *registry, "--report", files["trajectory"])
    return files


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    options = ["--disable-gpu", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield started
        started.close()


@pytest.fixture
def opened(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a page; at the end, it has said nothing on the console and asked for nothing but itself."""
    contexts, said, asked = [], [], []

    def open_page(file: Path, width: int = 1280, **options: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 800}, offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(file.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert said == []
    assert {url.partition(":")[0] for url in asked} <= {"file", "data"}
    assert len([url for url in asked if url.startswith("file:")]) == len(contexts)


@pytest.mark.parametrize("name", ["eval", "trajectory"])
def test_on_a_phone(opened: Callable[..., Page], pages: dict[str, Path], name: str) -> None:
    page = opened(pages[name], width=390, device_scale_factor=2, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    widths = page.evaluate("[...document.querySelectorAll('.panel svg')].map(e => e.getBoundingClientRect().width)")
    assert len(widths) >= 5
    assert all(300 < width <= 390 for width in widths)  # each panel has the whole width
    wide = page.evaluate("[...document.querySelectorAll('.table')].map(e => e.scrollWidth > e.clientWidth)")
    assert any(wide)  # they scroll in boxes of their own


def test_what_it_says(opened: Callable[..., Page], pages: dict[str, Path]) -> None:
    page = opened(pages["eval"])
    text = page.inner_text("body")
    assert STORE in text
    assert page.locator("img").count() == 0
    for words in (
        "e- e+ > d d~ g, √s = 1000 GeV",
        "Model ee-3jets@1",
        "manifest (SHA-256)",
        "[eval]",
        "[gen]",
        "torch",
    ):
        assert words in text
    headings = page.locator("h2").all_inner_texts()
    assert headings[:4] == ["Result", "Plots", "ee-3jets@2", "ee-3jets@1"]
    assert page.locator("nav a").all_inner_texts() == headings


def test_a_click_sorts(opened: Callable[..., Page], pages: dict[str, Path]) -> None:
    page = opened(pages["eval"])
    table = page.locator("table.sortable").first
    column = table.locator("thead th").all_inner_texts().index("mean|Δ|, points")

    def values() -> list[float]:
        cells = table.locator(f"tbody tr > :nth-child({column + 1})").all_inner_texts()
        return [float(cell.partition("(")[0]) for cell in cells]

    written = values()
    assert written == sorted(written)  # the most accurate first
    heading = table.locator("thead th").nth(column)
    heading.locator("button").click()
    assert values() == written
    heading.locator("button").click()
    assert values() == written[::-1] != written
    assert heading.get_attribute("aria-sort") == "descending"


def test_without_its_script(opened: Callable[..., Page], pages: dict[str, Path]) -> None:
    page = opened(pages["eval"], java_script_enabled=False)
    table = page.locator("table.sortable").first
    assert table.locator("tbody tr").count() == 2
    assert table.locator("button").count() == 0


def test_in_the_dark_and_in_print(opened: Callable[..., Page], pages: dict[str, Path]) -> None:
    page = opened(pages["eval"], color_scheme="dark")
    look = "e => [getComputedStyle(e).backgroundColor, getComputedStyle(document.querySelector('svg')).filter]"
    background, of_plots = page.locator("body").evaluate(look)
    assert background == "rgb(21, 24, 28)"
    assert "invert" in of_plots
    page.set_viewport_size({"width": 680, "height": 1000})  # A4 without its margins
    page.emulate_media(media="print")
    assert page.locator("body").evaluate(look) == ["rgb(255, 255, 255)", "none"]
    assert page.evaluate("document.documentElement.scrollWidth") == 680
    assert page.pdf(format="A4").startswith(b"%PDF-")


def test_the_name_of_the_file(ampcli: Ampcli, repository: Path) -> None:
    ampcli.fails(2, "eval", "ee-3jets", "none.zarr", "--report", "page.pdf", naming=("--report page.pdf", ".html"))
