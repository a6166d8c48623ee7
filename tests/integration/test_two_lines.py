"""Processes of two quark lines and of gluons alone through the real commands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pylhe
import pytest
from quick import quick_adaptation

from ampcli.store.reader import open_store

if TYPE_CHECKING:
    from conftest import Ampcli

pytest.importorskip("madspace")


@pytest.mark.parametrize(("process", "most"), [("u u~ > z u u~", 2), ("g g > g g g", 5)])
def test_unweighted_events_with_colours(ampcli: Ampcli, tmp_path: Path, process: str, most: int) -> None:
    path, file = tmp_path / "events.zarr", tmp_path / "events.lhe"
    with quick_adaptation():
        ampcli("gen", process, path, "--beams", "lhc13", "--points", "500", "--unweighted")
    store = open_store(path)
    assert store.plan.provider.name == "native"
    assert (store.read("amplitude") > 0).all()
    ampcli("export", path, file)
    flows = set()
    for event in pylhe.LHEFile.fromfile(file).events:
        starts, ends = {}, {}
        for leg, particle in enumerate(event.particles):
            incoming = leg < 2
            for line, out in ((particle.color1, not incoming), (particle.color2, incoming)):
                if line:
                    assert line not in (starts if out else ends)
                    (starts if out else ends)[int(line)] = particle.id, incoming
        assert starts.keys() == ends.keys()
        assert len(starts) == most
        flows.add(tuple(sorted((starts[line], ends[line]) for line in starts)))
    # a quark's line ends at its own antiquark or at the other one; all gluons look alike here
    assert len(flows) > 1


def test_more_gluons_are_refused(ampcli: Ampcli, tmp_path: Path) -> None:
    call = ("gen", "u d > u d g g g", tmp_path / "x.zarr", "--points", "10", "--provider", "native")
    ampcli.fails(2, *call, naming=("native", "two massless quark lines with up to 2 gluons"))
    assert not list(tmp_path.iterdir())
