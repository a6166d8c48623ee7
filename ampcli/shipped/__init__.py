"""What comes with ampcli besides code: trained models and recipes.

An installed package has them in this folder, where the build copies them (setup.py); a checkout has them at its root.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

_HERE = Path(__file__).parent
_CHECKOUT = _HERE.parents[1]


def shipped_folder(name: Literal["registry", "recipes"]) -> Path | None:
    """The folder of the shipped models or recipes; None where an installation has none."""
    folders = [_HERE / name]
    if (_CHECKOUT / "pyproject.toml").is_file():  # else it is where packages are installed
        folders.append(_CHECKOUT / name)
    return next((folder for folder in folders if folder.is_dir()), None)


def shipped_recipes() -> dict[str, Path]:
    """The recipes by name, ``ee-4jets`` or ``fame/3jets``, sorted: tables of options for `--config`."""
    folder = shipped_folder("recipes")
    if folder is None:
        return {}
    return {file.relative_to(folder).with_suffix("").as_posix(): file for file in sorted(folder.rglob("*.toml"))}
