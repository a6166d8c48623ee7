"""Event files in HDF5 (LHEH5, arXiv:2309.13154), which Sherpa and Pythia read in parallel; written by pylhe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ampcli.errors import AmpcliError
from ampcli.extras import remedy

if TYPE_CHECKING:
    import pylhe


def require_writer() -> None:
    """Raises: AmpcliError: the package that writes these files is missing."""
    try:
        import pylhe  # noqa: F401
    except ImportError:
        raise AmpcliError("HDF5 files need the package pylhe", remedy("hdf5")) from None


def write_hdf5(text: Path, out: Path) -> None:
    """The events of a Les Houches file as HDF5, a few thousand at a time.

    Args:
        text: an event file of ours.  Its events have one scale, which is that of both couplings and densities,
            and one trial each: they are what is left of all trials, and their weights average to the cross section.
    """
    import pylhe

    file = pylhe.LHEFile.fromfile(text)
    file.events = _completed(file.events)
    file.tofile(out, pylhe.HDF5_GZ_FORMAT)


def _completed(events: Iterable[pylhe.LHEEvent]) -> Iterator[pylhe.LHEEvent]:
    for event in events:
        event.attributes["trials"] = "1"
        event.scales |= {"muf": event.eventinfo.scale, "mur": event.eventinfo.scale}
        yield event
