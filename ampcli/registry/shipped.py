"""The registry that ships with ampcli."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def shipped_registry() -> Path | None:
    """Its folder: package data of an installed ampcli, ``registry`` of a checkout; None where there is neither."""
    installed = _PACKAGE / "shipped" / "registry"
    if installed.is_dir():
        return installed
    checkout = _PACKAGE.parent
    # Beside an installed package stand those of others: one called "registry" would be none of ours.
    is_checkout = (checkout / "pyproject.toml").is_file() and (checkout / "registry").is_dir()
    return checkout / "registry" if is_checkout else None
