"""All plots and numbers of one evaluation, or of several models on the same points."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ampcli.evaluation.comparison import Comparison
from ampcli.files import replacing
from ampcli.plots.cross_section import plot_cross_section
from ampcli.plots.errors import plot_cumulative, plot_errors
from ampcli.plots.growth import plot_growth
from ampcli.plots.regions import plot_regions
from ampcli.plots.style import Plot, save
from ampcli.plots.uncertainty import plot_uncertainty
from ampcli.weighted import part


def comparison_plots(comparisons: Mapping[str, Comparison], about: str) -> list[Plot]:
    """Those of all models (`overlay_plots`), then those of each (`model_plots`).

    Args:
        about: what the points are (`ampcli.evaluation.about`).
    """
    plots = overlay_plots(comparisons, about)
    for label, comparison in comparisons.items():
        own = model_plots(comparison, "" if len(comparisons) == 1 else f"-{label}")
        plots += [replace(plot, about=about) for plot in own]
    return plots


def overlay_plots(comparisons: Mapping[str, Comparison], about: str) -> list[Plot]:
    """With a line for each model: errors, cumulative (both also for events, where these lie elsewhere than the points),
    and cross_section where the points have weights.
    """
    deltas, weights = {}, {}
    for label, comparison in comparisons.items():
        measures = comparison.measures.apart(len(comparison.delta))
        for measure, weight in measures.items():
            line = label if measure == "points" else f"{label}, {measure}"
            deltas[line], weights[line] = comparison.delta, weight
    plots = [plot_errors(deltas, weights=weights), plot_cumulative(deltas, weights=weights)]
    curves = {
        label: comparison.evaluation.cross_section.curve
        for label, comparison in comparisons.items()
        if comparison.evaluation.cross_section is not None
    }
    if curves:
        plots.append(plot_cross_section(curves))
    return [replace(plot, about=about) for plot in plots]


def model_plots(comparison: Comparison, ending: str) -> list[Plot]:
    """Of a model: regions; of one that knows its uncertainty for each point, uncertainty; of an ensemble, growth.

    Args:
        ending: of the names of the plots, as in regions-NAME.
    """
    evaluation = comparison.evaluation
    plots = [plot_regions(comparison.delta, comparison.min_sij, evaluation.y_cut, f"regions{ending}")]
    if comparison.relative is not None and (comparison.relative > 0).any():
        known = comparison.relative > 0
        apart = comparison.measures.apart(len(comparison.delta))
        measures = {name: part(weight, known) for name, weight in apart.items()}
        delta, relative = comparison.delta[known], comparison.relative[known]
        plots.append(plot_uncertainty(delta, relative, f"uncertainty{ending}", measures))
    if evaluation.growth:
        plots.append(plot_growth(evaluation.growth, f"growth{ending}"))
    return plots


def write_comparisons(document: Mapping[str, object], plots: Sequence[Plot], folder: Path) -> list[Path]:
    """Write evaluation.json and the plots into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers = folder / "evaluation.json"  # before the plots, of which one may fail
    with replacing(numbers) as draft:
        draft.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n")
    return [numbers, *(path for plot in plots for path in save(plot, folder))]
