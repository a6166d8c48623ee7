"""Where generated code and models are kept."""

from __future__ import annotations

import os
from pathlib import Path


def cache_root() -> Path:
    """``AMPCLI_CACHE``, or the user's cache folder."""
    if given := os.environ.get("AMPCLI_CACHE"):
        return Path(given)
    import platformdirs

    return Path(platformdirs.user_cache_dir("ampcli"))
