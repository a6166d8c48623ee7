"""Les Houches event files through the real commands, and a parton shower that reads them."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pylhe
import pytest
from backports import zstd
from quick import quick_adaptation

from ampcli.phasespace.partons import find_pdf
from ampcli.store.reader import Store, open_store

if TYPE_CHECKING:
    from conftest import Ampcli

pytest.importorskip("madspace")

PROCESS = "d g > z d g g"


@pytest.fixture(scope="module")
def store(ampcli: Ampcli, tmp_path_factory: pytest.TempPathFactory) -> Store:
    path = tmp_path_factory.mktemp("lhe") / "z.zarr"
    with quick_adaptation():
        ampcli("gen", PROCESS, path, "--beams", "lhc13", "--points", "2k", "--unweighted")
    return open_store(path)


@pytest.fixture(scope="module")
def file(ampcli: Ampcli, store: Store) -> Path:
    out = store.path.with_name("z.lhe")
    ampcli("export", store.path, out)
    return out


def events(file: Path) -> list[pylhe.LHEEvent]:
    return list(pylhe.LHEFile.fromfile(file).events)


def test_there_and_back_bit_by_bit(ampcli: Ampcli, tmp_path: Path, store: Store, file: Path) -> None:
    ampcli("gen", PROCESS, tmp_path / "back.zarr", "--momenta", file)
    back = open_store(tmp_path / "back.zarr")
    np.testing.assert_array_equal(back.read("momenta"), store.read("momenta"))
    np.testing.assert_array_equal(back.read("amplitude"), store.read("amplitude"))
    np.testing.assert_array_equal(back.read("event_weight"), [e.eventinfo.weight for e in events(file)])
    np.testing.assert_array_equal(back.read("event"), np.arange(store.rows))
    small = tmp_path / "z.lhe.zst"
    ampcli("export", store.path, small)
    assert zstd.decompress(small.read_bytes()) == file.read_bytes()
    squeezed = tmp_path / "z.lhe.gz"
    ampcli("export", store.path, squeezed)
    assert gzip.decompress(squeezed.read_bytes()) == file.read_bytes()
    ampcli("gen", PROCESS, tmp_path / "gz.zarr", "--momenta", squeezed)
    assert open_store(tmp_path / "gz.zarr").plan.source == back.plan.source


def test_weights_and_orientation(store: Store, file: Path) -> None:
    found = events(file)
    assert len(found) == store.rows
    sigma = store.attributes["statistics"]["mean_weighted_amplitude"]
    assert np.mean([e.eventinfo.weight for e in found]) == pytest.approx(sigma, rel=1e-12)
    quark_first = np.array([e.particles[0].id == 1 for e in found])
    assert abs(quark_first.mean() - 0.5) < 5 * 0.5 / np.sqrt(len(found))  # either proton gives either parton
    for event in found[:200]:
        first, second = event.particles[:2]
        assert first.pz > 0 > second.pz
        total = np.sum([[p.e, p.px, p.py, p.pz] for p in event.particles[2:]], axis=0)
        np.testing.assert_allclose(total, [first.e + second.e, 0, 0, first.pz + second.pz], atol=1e-9)
        assert 0.07 < event.eventinfo.aqcd < 0.15


def test_the_header_says_what_the_events_are(store: Store, file: Path) -> None:
    text = file.read_text().split("<event>")[0]
    for fact in ("process = d g &gt; z d g g", "13000 GeV", "pT &gt; 20 GeV", "H_T/2", "0.13 at M_Z", store.digest):
        assert fact in text
    assert "weights = in pb; their mean is the cross section" in text
    assert "<generator name='ampcli' version='" in text
    assert text.split("<init>\n")[1].split()[4:10] == ["0", "0", "247000", "247000", "4", "1"]


def test_colour_is_conserved(file: Path) -> None:
    seen = set()
    for event in events(file)[:300]:
        starts = [p.color1 if p.status == 1 else p.color2 for p in event.particles]
        ends = [p.color2 if p.status == 1 else p.color1 for p in event.particles]
        assert sorted(filter(None, starts)) == sorted(filter(None, ends)) == [501, 502, 503, 504]
        coloured = {p.id: (bool(p.color1), bool(p.color2)) for p in event.particles}
        assert coloured == {1: (True, False), 21: (True, True), 23: (False, False)}
        seen.add(tuple(sorted((p.id, p.color1, p.color2) for p in event.particles)))
    assert len(seen) == 3  # flows are drawn: six orderings of three gluons, two of them alike


def test_pythia_showers_every_event(file: Path) -> None:
    pythia8 = pytest.importorskip("pythia8mc")
    pythia = pythia8.Pythia("", False)
    for setting in (
        "Beams:frameType = 4",
        f"Beams:LHEF = {file}",
        "Print:quiet = on",
        "PartonLevel:MPI = off",
        "HadronLevel:all = off",
    ):
        assert pythia.readString(setting)
    assert pythia.init()
    assert all(pythia.next() for _ in range(500))


def test_named_weights(ampcli: Ampcli, tmp_path: Path, store: Store, file: Path) -> None:
    """Seven scales, two sets and a coupling; the events are those without them."""
    out = tmp_path / "weights.lhe"
    sets = ("NNPDF23_lo_as_0130_qed", "NNPDF31_lo_as_0118")
    options = ("--scale-weights", "7", "--alpha-s-weights", "0.12")
    ampcli("export", store.path, out, *options, *(word for name in sets for word in ("--pdf-weights", name)))
    read = pylhe.LHEFile.fromfile(out)
    declared = list(read.header.initrwgt.iter_weights())
    assert [int(weight.extra_attributes["PDF"]) for weight in declared] == [*[247000] * 7, 247000, 315000, 247000]
    found = list(read.events)
    bare = events(file)
    keys = [weight.id for weight in declared]
    for event, before in zip(found, bare, strict=True):
        assert event.eventinfo.weight == before.eventinfo.weight
        assert list(event.weights) == keys
        assert event.weights[keys[0]] == event.weights[keys[7]] == event.eventinfo.weight
        assert event.weights[keys[9]] / event.eventinfo.weight < 1  # alpha_s is smaller at any scale
    varied = np.array([list(event.weights.values()) for event in found[:500]])
    assert len(set(varied.mean(axis=0))) == len(keys) - 1  # the first set is that of the events
    plain = [line for line in file.read_text().splitlines() if line[:1] != "<"]
    assert plain == [line for line in out.read_text().splitlines() if line[:1] != "<"]


def test_hdf5(ampcli: Ampcli, tmp_path: Path, store: Store, file: Path) -> None:
    """The same events, to the last bit, with what HDF5 files have besides."""
    out, again = tmp_path / "z.hdf5", tmp_path / "w.hdf5"
    ampcli("export", store.path, out)
    found = events(out)
    for event, text in zip(found, events(file), strict=True):
        assert (event.eventinfo, event.particles) == (text.eventinfo, text.particles)
        assert event.attributes == {"trials": "1.0"}
        assert event.scales == {"fscale": event.eventinfo.scale, "rscale": event.eventinfo.scale}
    ampcli("export", store.path, again, "--scale-weights", "7")
    assert all(len(event.weights) == 7 for event in events(again))
    ampcli.fails(2, "reweight", file, tmp_path / "r.hdf5", "--colour", "leading", naming=".lhe.zst file")
    assert sorted(tmp_path.iterdir()) == [again, out]


def test_weights_need_the_densities_of_the_events(ampcli: Ampcli, tmp_path: Path) -> None:
    """The events alone do not; another grid of the same name is not taken for theirs."""
    grid, store = tmp_path / "mine.dat", tmp_path / "s.zarr"
    shipped = find_pdf("NNPDF23_lo_as_0130_qed")
    grid.write_bytes(shipped.read_bytes())
    with quick_adaptation():
        ampcli("gen", "d d~ > z g", store, "--beams", "lhc13", "--points", "1k", "--pdf", grid, "--alpha-s-mz", "0.13")
    grid.write_bytes(find_pdf("NNPDF31_lo_as_0130").read_bytes())
    asked = ("export", store, tmp_path / "w.lhe", "--scale-weights", "7")
    ampcli.fails(5, *asked, naming=("mine.dat", "not the grid that the events were drawn with"))
    grid.unlink()
    ampcli.fails(4, *asked, naming="mine.dat")
    assert not (tmp_path / "w.lhe").exists()
    ampcli("export", store, tmp_path / "bare.lhe")


def test_predictions_of_an_event_file(ampcli: Ampcli, tmp_path: Path, store: Store, file: Path) -> None:
    registry = ("--registry", tmp_path / "registry")
    ampcli("features", store.path, "invariants")
    train = ("--model", "nofa", "--hidden", "16,16", "--epochs", "2", "--threads", "1")
    ampcli("train", store.path, "--name", "m", *train, *registry)
    ampcli("predict", "m", file, tmp_path / "from_file.npz", *registry)
    ampcli("predict", "m", store.path, tmp_path / "from_store.npz", *registry)
    from_file, from_store = (np.load(tmp_path / f"from_{name}.npz")["amplitude"] for name in ("file", "store"))
    np.testing.assert_allclose(from_file, from_store, rtol=1e-6)


def test_what_is_refused(ampcli: Ampcli, tmp_path: Path, store: Store, file: Path) -> None:
    out = tmp_path / "s.zarr"
    named = ("event 0", "> 23 1 21 21, not d g > z d g", "--process-only")
    ampcli.fails(2, "gen", "d g > z d g", out, "--momenta", file, naming=named)
    ampcli.fails(4, "gen", PROCESS, out, "--momenta", tmp_path / "none.lhe", naming="none.lhe")
    text = file.read_text()
    torn = tmp_path / "torn.lhe"
    torn.write_text(text[: len(text) // 2])
    ampcli.fails(5, "gen", PROCESS, out, "--momenta", torn, naming="torn.lhe")
    torn.write_text("<LesHouchesEvents/>")
    ampcli.fails(2, "gen", PROCESS, out, "--momenta", torn, naming="no event")
    assert not out.exists()
    ampcli.fails(2, "export", store.path, file, naming="exists already")
    ampcli.fails(2, "export", store.path, tmp_path / "z.txt", naming=".lhe")
    new = tmp_path / "new.lhe"
    ampcli.fails(2, "export", store.path, new, "--scale-weights", "8", naming="--scale-weights 8: 7 or 9")
    ampcli.fails(4, "export", store.path, new, "--pdf-weights", "Nowhere", naming="Nowhere")
    ampcli.fails(2, "export", "d d~ > z g", tmp_path / "f", "--scale-weights", "7", naming="no effect without a store")
    assert not new.exists()
    ampcli("gen", "e- e+ > d d~ g", out, "--points", "1k")
    ampcli.fails(2, "export", out, tmp_path / "e.lhe", naming="--beams")
    assert not (tmp_path / "e.lhe").exists()
