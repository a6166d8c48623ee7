"""Samples of all channels through the real commands."""

from __future__ import annotations

import gzip
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pylhe
import pytest
from quick import quick_adaptation

from ampcli.channels.sample import open_sample
from ampcli.process import parse_process
from ampcli.speedup import timing
from ampcli.store.reader import open_store

if TYPE_CHECKING:
    from conftest import Ampcli

pytest.importorskip("madspace")

LHC = ("--beams", "lhc13", "--seed", "3")
ASKED = ("gen", "p p > z j", "--points", "8k", "--unweighted", *LHC)
CHANNELS = ("ddx_zg", "dg_zd", "uux_zg", "ug_zu")


@pytest.fixture(scope="module", autouse=True)
def _quickly():
    with quick_adaptation():
        yield


@pytest.fixture(scope="module")
def made(ampcli: Ampcli, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """An unweighted sample, and what the command said.  Read only, but for features."""
    path = tmp_path_factory.mktemp("channels") / "s.zarr"
    return path, ampcli(*ASKED, path, "--json").document


@pytest.fixture(scope="module")
def file(ampcli: Ampcli, made: tuple[Path, dict[str, Any]]) -> Path:
    out = made[0].with_name("s.lhe.gz")
    ampcli("export", made[0], out)
    return out


def test_what_a_sample_holds(made: tuple[Path, dict[str, Any]]) -> None:
    path, document = made
    plan, stores = open_sample(path)
    assert tuple(channel.name for channel in plan.channels) == CHANNELS
    assert sum(store.rows for store in stores) == document["points"] == 8000
    assert len({channel.seed for channel in plan.channels}) == len(CHANNELS)
    total = 0.0
    for channel, store, said in zip(plan.channels, stores, document["channels"], strict=True):
        sigma = store.attributes["statistics"]["mean_weighted_amplitude"]
        assert said["cross_section"] == sigma
        assert channel.survey is not None
        assert abs(channel.survey.cross_section - sigma) < 5 * np.hypot(channel.survey.error, said["error"])
        assert said["points"] == pytest.approx(8000 * channel.survey.cross_section / sum(
            c.survey.cross_section for c in plan.channels if c.survey), abs=2)  # fmt: skip
        counts = np.bincount(store.read("flavour").astype(int), minlength=len(channel.flavours))
        assert (counts > 0).all()
        total += sigma
    assert document["cross_section"] == pytest.approx(total)
    assert sum(each["share"] for each in document["channels"]) == pytest.approx(1)
    # events of all channels have all but equal weights
    assert document["effective_points"] > 0.9 * 8000


def test_the_same_from_shares_workers_and_a_lost_channel(
    ampcli: Ampcli, made: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    path = tmp_path / "again.zarr"
    assert ampcli(*ASKED, path, "--part", "2/2", "--json").document == {"store": str(path), "finished": False}
    assert ampcli(*ASKED, path, "--part", "1/2", "--json").document["digest"] == made[1]["digest"]
    shutil.rmtree(path / "channels" / "dg_zd")
    ampcli.fails(2, *ASKED, path, naming=("exists already", "--resume"))
    resumed = ampcli(*ASKED, path, "--resume", "--json").document
    assert resumed["digest"] == made[1]["digest"]
    ampcli.fails(
        2, "gen", "p p > z j", path, "--points", "9k", "--unweighted", *LHC, "--resume", naming="points: 9000 here"
    )


def test_a_survey_that_was_interrupted_goes_on(
    ampcli: Ampcli, made: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    """What a killed process leaves: the plan without a survey, and some adaptations."""
    path = tmp_path / "begun.zarr"
    shutil.copytree(made[0] / "survey" / "dg_zd", path / "survey" / "dg_zd")
    shutil.copy(made[0] / "zarr.json", path / "zarr.json")
    from ampcli.channels.record import read_sample_plan, write_sample_plan

    write_sample_plan(path, read_sample_plan(made[0]).asked)
    ampcli.fails(5, "export", path, tmp_path / "x.lhe", naming=("is not finished", "--resume"))
    assert ampcli(*ASKED, path, "--resume", "--json").document["digest"] == made[1]["digest"]


def test_a_channel_is_its_flavours_made_one_by_one(
    ampcli: Ampcli, made: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    """d d~ > z g and s s~ > z g, each in the way that it was made before there were samples."""
    sigma, variance = 0.0, 0.0
    for quark in "ds":
        path = tmp_path / f"{quark}.zarr"
        ampcli("gen", f"{quark} {quark}~ > z g", path, "--points", "4k", *LHC)
        statistics = open_store(path).attributes["statistics"]
        sigma += statistics["mean_weighted_amplitude"]
        variance += statistics["mean_weighted_amplitude_error"] ** 2
    grouped = made[1]["channels"][CHANNELS.index("ddx_zg")]
    error = np.sqrt(variance + grouped["error"] ** 2)
    assert error < 0.06 * sigma
    assert abs(grouped["cross_section"] - sigma) < 4 * error


def test_cross_sections_of_madgraph(ampcli: Ampcli, tmp_path: Path) -> None:
    """p p > e+ e- j and its classes, of which those with two different partons count one order."""
    known = json.loads((Path(__file__).parents[1] / "reference" / "cross_sections.json").read_text())["p p > e+ e- j"]
    path = tmp_path / "eej.zarr"
    ampcli("gen", "p p > e+ e- j", path, "--points", "40k", "--scale", "91.188", *LHC)
    found: dict[str, list[float]] = {name: [0.0, 0.0] for name in known}
    for store in open_sample(path)[1]:
        f = store.read("weight") * store.read("amplitude") / store.tried
        for index, each in enumerate(store.plan.source.flavours):
            row = f[store.read("flavour") == index]
            first, second = (leg.pdg for leg in parse_process(each.process).incoming)
            name = "qqbar_eeg" if second != 21 else "gq_eeq" if first > 0 else "gqbar_eeqbar"
            for target, factor in ((name, 0.5), ("pp_eej", 1.0)):
                found[target][0] += factor * row.sum()
                found[target][1] += factor**2 * (row**2).sum()
    for name, (sigma, error) in known.items():
        ours, variance = found[name]
        assert variance**0.5 < 0.04 * ours
        assert abs(ours - sigma) < 4 * (variance + error**2) ** 0.5, name


def test_one_event_file_of_all_channels(made: tuple[Path, dict[str, Any]], file: Path) -> None:
    events = list(pylhe.LHEFile.fromfile(file).events)
    assert len(events) == 8000
    assert np.mean([e.eventinfo.weight for e in events]) == pytest.approx(made[1]["cross_section"], rel=1e-12)
    numbers = np.array([int(e.eventinfo.pid) for e in events])
    for number, channel in enumerate(made[1]["channels"], start=1):
        assert np.count_nonzero(numbers == number) == channel["points"]
        half = np.count_nonzero(numbers[:4000] == number)  # mixed at random
        assert abs(half - channel["points"] / 2) < 5 * np.sqrt(channel["points"]) / 2
    seen = Counter()
    for event in events:
        legs = [(int(p.id), int(p.color1), int(p.color2), p.status) for p in event.particles]
        seen[frozenset(code for code, _, _, status in legs if status == -1)] += 1
        flow = Counter()
        for code, colour, anticolour, status in legs:
            kind = 0 if code == 23 else (1 if code != 21 and code > 0 else -1 if code != 21 else 2)
            assert (colour > 0, anticolour > 0) == {0: (False, False), 1: (True, False), -1: (False, True),
                                                    2: (True, True)}[kind]  # fmt: skip
            flow[colour if status == 1 else -colour] += 1
            flow[-anticolour if status == 1 else anticolour] += 1
        ends = Counter(abs(line) for line in flow.elements() if line)
        assert set(ends.values()) == {2}
        assert all(flow[line] == 1 and flow[-line] == 1 for line in ends)
    assert len(seen) == 12  # every pair of partons


def test_pythia_showers_every_event(made: tuple[Path, dict[str, Any]], file: Path) -> None:
    pythia8 = pytest.importorskip("pythia8mc")
    pythia = pythia8.Pythia("", False)
    plain = file.with_suffix("")
    plain.write_bytes(gzip.decompress(file.read_bytes()))
    quiet = ("Print:quiet = on", "PartonLevel:MPI = off", "HadronLevel:all = off")
    for setting in ("Beams:frameType = 4", f"Beams:LHEF = {plain}", *quiet):
        assert pythia.readString(setting)
    assert pythia.init()
    assert all(pythia.next() for _ in range(500))
    # in mb, the mean of the weights of 500 events, which differ by what channels' cross sections are uncertain by
    assert pythia.infoPython().sigmaGen() * 1e9 == pytest.approx(made[1]["cross_section"], rel=0.02)


def test_the_header_of_an_event_file(made: tuple[Path, dict[str, Any]], file: Path) -> None:
    init = pylhe.LHEFile.fromfile(file).init
    assert [int(each.procId) for each in init.procInfo] == [1, 2, 3, 4]
    found = [(each.xSection, each.error) for each in init.procInfo]
    assert found == [(each["cross_section"], each["error"]) for each in made[1]["channels"]]


@pytest.mark.parametrize("process", ["d~ g > z d~", "c g > z c", "u u~ > z g"])
def test_events_have_the_amplitudes_of_their_flavours(
    ampcli: Ampcli, made: tuple[Path, dict[str, Any]], file: Path, tmp_path: Path, process: str
) -> None:
    """Events of one flavour, computed anew from their momenta in the file: weight and |M|^2 give the densities back."""
    ampcli("gen", process, tmp_path / "back.zarr", "--momenta", file, "--process-only")
    back = open_store(tmp_path / "back.zarr")
    _, stores = open_sample(made[0])
    flavours = [(store, row) for store in stores for row, each in enumerate(store.plan.source.flavours)
                if each.process == process]  # fmt: skip
    [(store, row)] = flavours
    chosen = store.read("flavour") == row
    assert back.rows == np.count_nonzero(chosen) > 50
    np.testing.assert_allclose(np.sort(back.read("amplitude")), np.sort(store.read("amplitude")[chosen]), rtol=1e-9)


def test_commands_over_all_channels(ampcli: Ampcli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "_LEAST_SECONDS", 0.01)
    path, channels = tmp_path / "few.zarr", {"ddx_zg", "uux_zg"}
    ampcli("gen", "p p > z j", path, "--define", "j=g", "--points", "3k", *LHC)
    said = ampcli("features", path, "invariants", "--json", "--threads", "1").document
    assert set(said["channels"]) == channels
    registry = ("--registry", tmp_path / "registry", "--threads", "1")
    training = ("--model", "nofa", "--hidden", "8,8", "--epochs", "2", "--replicas", "2")
    trained = ampcli("train", path, "--name", "zj", *training, *registry, "--json").document
    assert {name: each["models"][0]["name"] for name, each in trained["channels"].items()} == {
        name: f"zj-{name}" for name in channels
    }
    both = ampcli("ensemble", "zj-both", "zj@1-2", "--data", path, *registry, "--json").document
    assert [m["model"] for m in both["channels"]["uux_zg"]["members"]] == ["zj-uux_zg@1", "zj-uux_zg@2"]
    evaluated = ampcli("eval", "zj@1", path, *registry, "--json").document
    assert set(evaluated["channels"]) == channels
    assert evaluated["channels"]["ddx_zg"]["model"] == "zj-ddx_zg@1"
    ampcli("predict", "zj", path, tmp_path / "p.npz", *registry)
    with np.load(tmp_path / "p-uux_zg.npz") as stored:
        assert len(stored["amplitude"]) == open_store(path / "channels" / "uux_zg").rows
    asked = ("--tolerance", "0.9:0.5", "--batch", "512", "--provider", "native", "--out", tmp_path / "reports")
    ampcli("speedup", "zj@1", path, *asked, *registry[:2])
    shutil.rmtree(tmp_path / "reports" / "uux_zg")  # a channel without a report is exact
    again = ("gen", "p p > z j", "--define", "j=g", "--points", "2k", *LHC, *registry[:2])
    mixed = ampcli(*again, tmp_path / "mixed", "--surrogate", tmp_path / "reports", "--json").document
    closures = {each["name"]: each["closure"] for each in mixed["channels"]}
    assert closures["uux_zg"] is None
    assert closures["ddx_zg"]["largest"] > 0
    planned = ampcli(*again, tmp_path / "plan", "--surrogate", tmp_path / "reports", "--dry-run", "--json").document
    taken = {each["name"]: each["surrogate"] for each in planned["plan"]["channels"]}
    assert taken == {"ddx_zg": str(tmp_path / "reports" / "ddx_zg" / "speedup.json"), "uux_zg": None}
    none = ("--surrogate", tmp_path / "registry")
    for dry in ((), ("--dry-run",)):
        ampcli.fails(2, *again, tmp_path / "none", *none, *dry, naming="no channel of this sample has a report")
    shutil.rmtree(tmp_path / "registry" / "zj-ddx_zg")
    left = ampcli("eval", "zj", path, *registry)
    assert "ddx_zg was left out: " in left.stdout
    ampcli.fails(4, "eval", "other", path, *registry, naming='no model "other"')


def test_what_is_refused(ampcli: Ampcli, made: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    path = made[0]
    new = tmp_path / "new.zarr"
    ampcli.fails(2, "gen", "p p > z j", new, "--points", "1k", naming=("has multiparticles", "--beams"))
    ampcli.fails(2, "gen", "p p > z j", new, *LHC, naming="how many points?")
    ampcli.fails(2, "gen", "p p > z j", new, "--points", "3", *LHC, naming="there are 4 channels")
    ampcli.fails(
        2, "gen", "d g > z d", new, "--points", "3", *LHC, "--flavours", "5", naming="--flavours has no effect"
    )
    ampcli.fails(2, "gen", "p p > z j", new, "--points", "1k", *LHC, "--pt-min", "7000", naming="points pass the cuts")
    assert not new.exists()
    new.mkdir()
    ampcli.fails(2, "gen", "p p > z j", new, "--points", "1k", *LHC, naming="no sample of many channels")
    damaged = tmp_path / "damaged.zarr"
    damaged.mkdir()
    document = json.loads((path / "sample.json").read_text())
    document["points"] = 7
    (damaged / "sample.json").write_text(json.dumps(document))
    ampcli.fails(5, "features", damaged, "invariants", naming="does not match its seal")


def test_a_plan_without_points(ampcli: Ampcli, tmp_path: Path) -> None:
    said = ampcli("gen", "p p > z j", tmp_path / "s", "--points", "1k", *LHC, "--define", "j=g", "--dry-run", "--json")
    plan = said.document["plan"]
    assert [channel["process"] for channel in plan["channels"]] == ["d d~ > z g", "u u~ > z g"]
    assert plan["definitions"]["j"] == ["g"]
    assert not (tmp_path / "s").exists()
    three_lines = ("p p > z j j j j", tmp_path / "t", "--points", "1k", *LHC, "--define", "p=d", "--define", "j=d d~")
    plan = ampcli("gen", *three_lines, "--dry-run", "--json").document["plan"]
    assert [channel["provider"] for channel in plan["channels"]] == ["pyamplicol"]  # which did not make its code
