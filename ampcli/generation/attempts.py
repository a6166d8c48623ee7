"""Values of a part by a provider that may fail at single points: what it computed is kept, the rest is named."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ampcli.amplitudes.protocol import Failure, FallibleProvider
from ampcli.errors import AmpcliError, setting
from ampcli.files import read_file, replacing
from ampcli.generation.points import Points
from ampcli.interrupt import held
from ampcli.kinematics import FloatArray

#: More failures than this share of the points, or than this number of the first ones, are no accident.
_MOST_SHARE, _MOST = 0.01, 10

_BATCH = 1024  # points whose momenta are put together at a time


def values_file(books: Path, number: int) -> Path:
    """Where the values of a part are kept until the part is written."""
    return books / f"values-{number:06d}.npz"


@dataclass
class Attempts:
    """The values of a part's points.

    Args:
        provider: of the values; name: its name, for errors.
        file: where they are kept while some are missing.
        label: of the part, for errors, such as "part 2 of 16".
        on_pass: called now and then, and may raise to stop.
    """

    provider: FallibleProvider
    name: str
    file: Path
    label: str
    on_pass: Callable[[], None]
    values: FloatArray = field(init=False)
    """(n,); NaN where there is none."""
    failures: dict[int, Failure] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.values = kept_values(self.file)

    def evaluate(self, points: Points) -> None:
        """Evaluate those of the points that have no value yet; what is known is kept in the file if this ends early.

        Raises:
            AmpcliError: the provider fails at too many points.
        """
        n = len(points.outgoing)
        known = self.values[:n]
        self.values = np.concatenate([known, np.full(n - len(known), np.nan)])
        missing = [int(row) for row in np.flatnonzero(np.isnan(self.values)) if row not in self.failures]
        try:
            for start in range(0, len(missing), _BATCH):
                self._attempt(points, missing[start : start + _BATCH])
        except BaseException:
            self.keep()
            raise
        if self.failures and (n >= 100 or len(self.failures) == n) and len(self.failures) > _MOST_SHARE * n:
            self.keep()
            raise self._too_many(points, n)

    def _attempt(self, points: Points, rows: list[int]) -> None:
        chosen = np.array(rows)
        momenta = np.concatenate([points.incoming[chosen], points.outgoing[chosen]], axis=1)
        for row, found in zip(rows, self.provider.attempt(momenta, self.on_pass), strict=True):
            self.on_pass()
            if isinstance(found, Failure):
                self.failures[row] = found
                tried = int(np.isfinite(self.values).sum()) + len(self.failures)
                if len(self.failures) > max(_MOST, _MOST_SHARE * tried):
                    raise self._too_many(points, tried)
            else:
                self.values[row] = found

    def completed(self, points: Points, more: Callable[[int], Points] | None) -> Points:
        """Points with their values.

        Args:
            points: of the part.
            more: so many points of the part's stream, which begins with `points`: failures are left out, and the next
                points take their places (None: there may be no failure).

        Raises:
            AmpcliError: the provider fails at too many points, or at one that may not be left out.
        """
        wanted = len(points.outgoing)
        self.evaluate(points)
        if more is None:
            self.require_all(points)
        else:
            while len(points.outgoing) - len(self.failures) < wanted:
                points = more(wanted + len(self.failures))
                self.evaluate(points)
        return points.chosen(np.flatnonzero(np.isfinite(self.values)), self.values)

    def keep(self) -> None:
        """Write what is known."""
        write_values(self.file, self.values)

    def require_all(self, points: Points) -> None:
        """Make sure that there are no failures.

        Raises:
            AmpcliError: there are; the values of the other points are kept.
        """
        if not self.failures:
            return
        self.keep()
        count = len(self.failures)
        others = f"; it fails at {count - 1} others of this part as well" if count > 1 else ""
        raise AmpcliError(
            f"{self._first(points)}{others}",
            f"The values of the other points are kept. With {setting('resume')} what is missing is tried again; "
            f"with {setting('skip_bad')} too, it is left out.",
        )

    def _first(self, points: Points) -> str:
        row = min(self.failures)
        momenta = points.batch(slice(row, row + 1))[0].tolist()
        where = f"{self.name}, point {row} (from 0) of {self.label}"
        return f"{where}: the library {self.failures[row]}; its momenta are {momenta}"

    def _too_many(self, points: Points, tried: int) -> AmpcliError:
        return AmpcliError(
            f"{self._first(points)}; it fails at {len(self.failures)} of {tried} points, which is too many",
            f"More than 1 % are not left out. Values that it computed are kept for {setting('resume')}.",
        )


def write_values(file: Path, values: FloatArray) -> None:
    """Keep values (n,) of a part, NaN where there is none."""
    with held(), replacing(file) as draft, draft.open("wb") as opened:
        np.savez(opened, values=values)


def kept_values(file: Path) -> FloatArray:
    """The values of an earlier attempt; none where there are none, or damaged ones."""
    try:
        with np.load(io.BytesIO(read_file(file))) as content:
            values = np.asarray(content["values"], dtype=np.float64)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, AmpcliError):
        return np.empty(0)
    return values if values.ndim == 1 else np.empty(0)
