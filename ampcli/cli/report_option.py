"""`--report FILE.html`: the option, and what commands that have it share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ampcli.cli.command import configuration
from ampcli.errors import UsageError
from ampcli.extras import require

if TYPE_CHECKING:
    import torch

    from ampcli.registry.manifest import Manifest
    from ampcli.registry.search import AnyRegistry
    from ampcli.reports.page import Section
    from ampcli.store.reader import Store


def _as_page(path: Path | None) -> Path | None:
    """Browsers go by the ending of a file's name.

    Raises:
        UsageError: another one.
        AmpcliError: what makes plots is not installed.
    """
    if path is not None:
        if path.suffix.lower() not in (".html", ".htm"):
            raise UsageError(f"--report {path}: a page for browsers is written", "Call it something.html.")
        require("plots")
    return path


ReportOption = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="FILE.html",
        callback=_as_page,
        help="One page with tables, plots and where all of it comes from, for a browser.",
        show_default="no page",
    ),
]


def lineage(
    command: str,
    device: torch.device,
    models: Iterable[Manifest],
    registry: AnyRegistry | None,
    store: Store | None = None,
) -> list[Section]:
    """Sections on the command ("eval", or "registry compare"), the data and the models."""
    from ampcli.registry.resolve import resolve
    from ampcli.registry.search import find_registry
    from ampcli.reports.lineage import data_section, made_section, model_section

    root = find_registry(registry)
    sections = [made_section(command, configuration(command.split()[-1]), device)]
    if store is not None:
        sections.append(data_section(store))
    return [*sections, *(model_section(resolve(root, manifest.reference), manifest) for manifest in models)]
