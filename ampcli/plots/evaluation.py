"""All plots and numbers of one evaluation, or of several models on the same points."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from ampcli.evaluation.comparison import Comparison
from ampcli.files import replacing
from ampcli.plots.cross_section import plot_cross_section
from ampcli.plots.errors import plot_cumulative, plot_errors
from ampcli.plots.growth import plot_growth
from ampcli.plots.regions import plot_regions
from ampcli.plots.uncertainty import plot_uncertainty
from ampcli.weighted import part


def plot_comparisons(comparisons: Mapping[str, Comparison], document: Mapping[str, object], folder: Path) -> list[Path]:
    """Write evaluation.json and the plots into `folder`.

    Besides `plot_overlays`, of each model: regions; where it knows its uncertainty for each point, uncertainty; of the
    mean of an ensemble, growth.  With several models their names follow, as in regions-NAME.
    """
    written = plot_overlays(comparisons, document, folder)
    for label, comparison in comparisons.items():
        ending = "" if len(comparisons) == 1 else f"-{label}"
        y_cut = comparison.evaluation.y_cut
        written += plot_regions(comparison.delta, comparison.min_sij, y_cut, folder, f"regions{ending}")
        if comparison.relative is not None and (comparison.relative > 0).any():
            known = comparison.relative > 0
            measures = {
                name: part(weight, known) for name, weight in comparison.measures.apart(len(comparison.delta)).items()
            }
            written += plot_uncertainty(
                comparison.delta[known], comparison.relative[known], folder, f"uncertainty{ending}", measures
            )
        if comparison.evaluation.growth:
            written += plot_growth(comparison.evaluation.growth, folder, f"growth{ending}")
    return written


def plot_overlays(comparisons: Mapping[str, Comparison], document: Mapping[str, object], folder: Path) -> list[Path]:
    """Write evaluation.json, and plots with a line for each model, into `folder`.

    These are errors, cumulative (both also for events, where these lie elsewhere than the points), and cross_section
    where the points have weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    numbers = folder / "evaluation.json"  # before the plots, of which one may fail
    with replacing(numbers) as draft:
        draft.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n")
    deltas, weights = {}, {}
    for label, comparison in comparisons.items():
        measures = comparison.measures.apart(len(comparison.delta))
        for measure, weight in measures.items():
            line = label if measure == "points" else f"{label}, {measure}"
            deltas[line], weights[line] = comparison.delta, weight
    written = plot_errors(deltas, folder, weights=weights)
    written += plot_cumulative(deltas, folder, weights=weights)
    curves = {
        label: comparison.evaluation.cross_section.curve
        for label, comparison in comparisons.items()
        if comparison.evaluation.cross_section is not None
    }
    if curves:
        written += plot_cross_section(curves, folder)
    return [numbers, *written]
