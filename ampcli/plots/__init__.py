"""Plots in settings of their own: the user's matplotlibrc and backend are for plots of the user's.

They are read when matplotlib is imported, where a wrong one is an error, so the first import happens here without them.
matplotlib and mplhep are the extra ``plots``: commands ask for it before their work.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from ampcli.extras import require


@contextmanager
def _without_user_settings() -> Iterator[None]:
    ours = {"MPLBACKEND": "agg", "MATPLOTLIBRC": os.devnull}
    theirs = {name: os.environ.get(name) for name in ours}
    here = os.open(os.curdir, os.O_RDONLY)
    try:
        os.environ.update(ours)
        os.chdir(os.sep)  # the current folder may hold a matplotlibrc, which would come first
        yield
    finally:
        os.fchdir(here)
        os.close(here)
        for name, value in theirs.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


require("plots")

with _without_user_settings():
    import matplotlib  # noqa: F401
