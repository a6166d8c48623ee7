"""What comes with ampcli beside its code: recipes and trained models.

A wheel holds them in this folder (``setup.py`` puts them here); a checkout beside the package.
"""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).resolve().parent


def shipped_recipes() -> Path | None:
    """The folder of the recipes; None where there are none."""
    return _shipped("recipes")


def _shipped(name: str) -> Path | None:
    places = (_HERE / name, _HERE.parents[1] / name)
    return next((place for place in places if place.is_dir()), None)
