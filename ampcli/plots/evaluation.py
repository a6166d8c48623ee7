"""All plots and numbers of one evaluation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from ampcli.evaluation.model import Comparison
from ampcli.plots.cross_section import plot_cross_section
from ampcli.plots.errors import plot_errors
from ampcli.plots.regions import plot_regions
from ampcli.store.parts import write_atomically


def plot_comparison(comparison: Comparison, label: str, document: Mapping[str, object], folder: Path) -> list[Path]:
    """Write evaluation.json and the plots errors, regions and cross_section into `folder`."""
    evaluation = comparison.evaluation
    written = plot_errors({label: comparison.delta}, folder)
    written += plot_regions(comparison.delta, comparison.min_sij, evaluation.y_cut, folder)
    if evaluation.cross_section is not None:
        written += plot_cross_section({label: evaluation.cross_section.curve}, folder)
    numbers = folder / "evaluation.json"
    write_atomically(numbers, json.dumps(document, indent=2, allow_nan=False) + "\n")
    return [numbers, *written]
