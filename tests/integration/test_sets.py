"""Sets of surrogates: made of a sample's channels, and given events of many subprocesses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pylhe
import pytest
from quick import quick_adaptation

from ampcli.channels.sample import open_sample
from ampcli.seal import sealed

if TYPE_CHECKING:
    from conftest import Ampcli

pytest.importorskip("madspace")

#: d d~ and s s~ are one channel; d g, s g and, by CP, d~ g and s~ g another.
FEW = ("p p > z j", "--define", "p=g d s d~ s~", "--define", "j=p", "--beams", "lhc13", "--seed", "3")
CHANNELS = ["ddx_zg", "dg_zd"]
TINY = ("--model", "nofa", "--hidden", "8,8", "--epochs", "1")
ONE = ("--threads", "1")


@pytest.fixture(scope="module", autouse=True)
def _quickly():
    with quick_adaptation():
        yield


@pytest.fixture(scope="module")
def sample(ampcli: Ampcli, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With features.  Read only."""
    path = tmp_path_factory.mktemp("sets") / "s.zarr"
    ampcli("gen", *FEW, path, "--points", "1k", "--unweighted")
    ampcli("features", path, "invariants", *ONE)
    return path


@pytest.fixture(scope="module")
def registry(ampcli: Ampcli, sample: Path) -> Path:
    """The sets zj@1 and zj@2.  Read only."""
    root = sample.with_name("registry")
    ampcli("train", sample, "--name", "zj", *TINY, "--replicas", "2", "--registry", root, *ONE)
    return root


@pytest.fixture(scope="module")
def file(ampcli: Ampcli, sample: Path) -> Path:
    """All events, mixed, with their real flavours; either proton gives either parton."""
    out = sample.with_name("s.lhe")
    ampcli("export", sample, out)
    return out


@pytest.fixture
def copy(registry: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(registry, tmp_path / "registry"))


def manifest_of(root: Path, name: str, version: int = 1) -> dict[str, Any]:
    return dict(json.loads((root / name / str(version) / "manifest.json").read_text()))


def test_what_a_set_holds(ampcli: Ampcli, registry: Path, sample: Path) -> None:
    plan, _ = open_sample(sample)
    for version in (1, 2):
        found = manifest_of(registry, "zj", version)
        assert (found["kind"], found["process"], found["version"]) == ("set", "p p > z j", version)
        assert found["definitions"]["p"] == ["g", "d", "s", "d~", "s~"]
        assert [each["member"]["model"] for each in found["channels"]] == [f"zj-{c}@{version}" for c in CHANNELS]
        served = [[flavour["process"] for flavour in each["flavours"]] for each in found["channels"]]
        assert served == [[each.process for each in channel.flavours] for channel in plan.channels]
    assert "zj-dg_zd@2" in ampcli("registry", "show", "zj", "--registry", registry).stdout
    both = ampcli("registry", "compare", "zj", "--registry", registry, "--json").document
    assert [row["model"] for row in both["models"]] == [f"zj-{c}@2" for c in CHANNELS]
    ampcli.fails(2, "calibrate", "zj", sample / "channels" / "dg_zd", "--registry", registry, naming="is a set")


def test_each_event_of_a_mixed_file_goes_to_the_model_of_its_flavours(
    ampcli: Ampcli, registry: Path, sample: Path, file: Path, tmp_path: Path
) -> None:
    mixed, alone = tmp_path / "mixed.npz", tmp_path / "alone.npz"
    options = ("--registry", registry, *ONE)
    said = ampcli("predict", "zj@1", file, mixed, *options, "--json").document
    for channel in CHANNELS:
        ampcli("predict", f"zj-{channel}@1", sample / "channels" / channel, tmp_path / f"{channel}.npz", *options)
    ampcli("predict", "zj@1", sample, tmp_path / "by.npz", *options)
    events = list(pylhe.LHEFile.fromfile(file).events)
    with np.load(mixed) as found:
        assert list(found["channels"]) == CHANNELS
        np.testing.assert_array_equal(found["event"], np.arange(1000))
        np.testing.assert_array_equal(found["channel"], [int(e.eventinfo.pid) - 1 for e in events])
        for number, channel in enumerate(CHANNELS):
            rows = found["channel"] == number
            assert said["channels"][channel] == np.count_nonzero(rows) > 100
            for name in (f"{channel}.npz", f"by-{channel}.npz"):
                with np.load(tmp_path / name) as single:
                    for array in ("amplitude", "uncertainty"):
                        np.testing.assert_allclose(found[array][rows], single[array], rtol=1e-12)
        # a model alone serves all flavours of its |M|^2
        ampcli("predict", "zj-dg_zd@1", file, alone, "--process-only", *options)
        with np.load(alone) as single:
            np.testing.assert_array_equal(single["event"], np.flatnonzero(found["channel"] == 1))
            np.testing.assert_array_equal(single["amplitude"], found["amplitude"][found["channel"] == 1])


def test_weights_by_a_set(ampcli: Ampcli, registry: Path, sample: Path, file: Path, tmp_path: Path) -> None:
    """Over exact amplitudes, which reflected momenta need as well."""
    out = tmp_path / "new.lhe"
    ampcli("reweight", file, out, "--model", "zj@1", "--registry", registry, *ONE)
    ratios = [
        next(iter(event.weights.values())) / event.eventinfo.weight for event in pylhe.LHEFile.fromfile(out).events
    ]
    ampcli("predict", "zj@1", file, tmp_path / "p.npz", "--registry", registry, *ONE)
    with np.load(tmp_path / "p.npz") as found:
        for number, store in enumerate(open_sample(sample)[1]):
            rows = found["channel"] == number
            expected = found["amplitude"][rows] / store.read("amplitude")
            np.testing.assert_allclose(np.array(ratios)[rows], expected, rtol=1e-9)


def test_channels_without_a_model(ampcli: Ampcli, sample: Path, file: Path, tmp_path: Path) -> None:
    part = Path(shutil.copytree(sample, tmp_path / "part.zarr"))
    shutil.rmtree(part / "channels" / "ddx_zg" / "features")
    options = ("--registry", tmp_path / "registry", *ONE)
    trained = ampcli("train", part, "--name", "part", *TINY, *options)
    assert "part@1: a set of 1 models for p p > z j" in trained.stdout
    [without, _] = manifest_of(tmp_path / "registry", "part")["channels"]
    assert without["member"] is None
    assert "invariants" in without["reason"]
    out = tmp_path / "p.npz"
    said = ("not a process of part@1: its channel ddx_zg has no model (", "--process-only")
    ampcli.fails(2, "predict", "part", file, out, *options, naming=said)
    document = ampcli("predict", "part", file, out, "--process-only", *options, "--json").document
    assert document["events"] + sum(document["intake"]["other_processes"].values()) == 1000
    ampcli.fails(4, "predict", "part", sample / "channels" / "ddx_zg", tmp_path / "q.npz", *options,
                 naming="has no model of d d~ > z g")  # fmt: skip
    np.savez(tmp_path / "momenta.npz", momenta=np.zeros((1, 4, 4)))
    assert "left out: part@1 has no model of the channel ddx_zg" in ampcli("eval", "part", sample, *options).stdout


def test_an_npz_file_does_not_say_whose_events_it_has(ampcli: Ampcli, registry: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "momenta.npz", momenta=np.zeros((1, 4, 4)))
    ampcli.fails(2, "predict", "zj", tmp_path / "momenta.npz", tmp_path / "p.npz", "--registry", registry,
                 naming="does not name the particles")  # fmt: skip


def test_the_whole_sample(ampcli: Ampcli, registry: Path, sample: Path) -> None:
    document = ampcli("eval", "zj@1", sample, "--registry", registry, *ONE, "--json").document
    sigma = {s.path.name: s.attributes["statistics"]["mean_weighted_amplitude"] for s in open_sample(sample)[1]}
    found = {name: each["events"]["overall"] for name, each in document["channels"].items()}
    for key, value in (
        ("mean_abs_delta", lambda e: e["mean_abs_delta"]),
        ("beyond_1_percent", lambda e: e["outside"]["1%"]["value"]),
    ):
        mean = sum(sigma[name] * value(each) for name, each in found.items()) / sum(sigma.values())
        whole = document["whole"]["zj@1"][key]
        assert (whole["value"] if isinstance(whole, dict) else whole) == pytest.approx(mean, rel=1e-12)
    assert document["whole"]["zj@1"]["covered"] == pytest.approx(1.0)


def test_an_interrupted_training_goes_on(ampcli: Ampcli, copy: Path, sample: Path) -> None:
    """What is left when the last channel was not trained: no set, and models of the others."""
    again = ("train", sample, "--name", "zj", *TINY, "--replicas", "2", "--registry", copy, *ONE)
    before = {path: path.read_bytes() for path in (copy / "zj-ddx_zg").rglob("manifest.json")}
    for lost in ("zj", "zj-dg_zd"):
        shutil.rmtree(copy / lost)
    ampcli(*again)
    assert {path: path.read_bytes() for path in (copy / "zj-ddx_zg").rglob("manifest.json")} == before
    assert [each["member"]["model"] for each in manifest_of(copy, "zj", 2)["channels"]] == ["zj-ddx_zg@2", "zj-dg_zd@2"]
    ampcli(*again)  # one that ended is trained anew, as the next versions
    assert [each["member"]["model"] for each in manifest_of(copy, "zj", 3)["channels"]] == ["zj-ddx_zg@3", "zj-dg_zd@3"]
    ampcli("registry", "verify", "--registry", copy)


def test_sets_are_sealed_and_pin_their_members(ampcli: Ampcli, copy: Path, sample: Path, tmp_path: Path) -> None:
    tar = tmp_path / "zj.tar"
    exported = ampcli("registry", "export", "zj@1", tar, "--registry", copy, "--json").document
    assert exported["models"] == ["zj-ddx_zg@1", "zj-dg_zd@1", "zj@1"]
    ampcli("registry", "import", tar, "--registry", tmp_path / "other")
    assert manifest_of(tmp_path / "other", "zj") == manifest_of(copy, "zj")
    manifest = copy / "zj-dg_zd" / "1" / "manifest.json"
    document = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(sealed({**document, "card": "another"})))
    for words in (("registry", "verify", "zj@1"), ("eval", "zj@1", sample)):
        ampcli.fails(5, *words, "--registry", copy, naming="is not the one that zj@1 is made of")
    damaged = copy / "zj" / "2" / "manifest.json"
    damaged.write_text(damaged.read_text().replace("p p > z j", "p p > z a"))
    ampcli.fails(5, "registry", "show", "zj@2", "--registry", copy, naming="does not match its seal")


def test_sets_are_joined(ampcli: Ampcli, copy: Path) -> None:
    where = ("--registry", copy)
    ampcli("registry", "join", "zj-mixed", "zj-dg_zd@2", "zj@1", *where)
    members = [each["member"] for each in manifest_of(copy, "zj-mixed")["channels"]]
    assert [member["model"] for member in members] == ["zj-ddx_zg@1", "zj-dg_zd@2"]
    ampcli("registry", "verify", "zj-mixed", *where)
    ampcli.fails(2, "registry", "join", "other", "zj-dg_zd@2", *where, naming="Name a set among them")
    assert not (copy / "other").exists()
