"""Models as files: what an export holds, and what an import takes, mends and refuses."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from lines import check, everything, publish_line, publish_mean

from ampcli.errors import IntegrityError, NotFoundError, UsageError
from ampcli.registry.archive import export_model, import_model
from ampcli.registry.manifest import read_manifest
from ampcli.registry.resolve import resolve
from ampcli.registry.storage import PROBE, WEIGHTS, read_weights, verify


def test_an_ensemble_travels_with_its_members(tmp_path: Path) -> None:
    here, there, archive = tmp_path / "here", tmp_path / "there", tmp_path / "mean.tar"
    publish_mean(here)
    models = ["member@1", "member@2", "mean@1"]
    assert export_model(resolve(here, "mean"), archive) == models
    assert import_model(there, archive, check) == models
    assert everything(there) == everything(here)
    for name in everything(here):
        if (here / name).is_file():
            assert (here / name).read_bytes() == (there / name).read_bytes()
    before = everything(there)
    assert import_model(there, archive, check) == models  # identical: nothing to do
    assert everything(there) == before


def test_import_never_overwrites(tmp_path: Path) -> None:
    here, there, archive = tmp_path / "here", tmp_path / "there", tmp_path / "line.tar"
    publish_line(here, slope=2.0)
    publish_line(there, slope=3.0)
    export_model(resolve(here, "line"), archive)
    before = everything(there)
    with pytest.raises(IntegrityError, match="is a different model from line@1"):
        import_model(there, archive)
    assert everything(there) == before
    assert read_weights(there / "line" / "1", read_manifest(there / "line" / "1"))["slope"] == 3.0


def test_export_neither_overwrites_nor_spreads_damage(tmp_path: Path) -> None:
    publish_line(tmp_path / "registry")
    folder = resolve(tmp_path / "registry", "line")
    (tmp_path / "taken.tar").write_text("precious")
    with pytest.raises(UsageError, match="already there"):
        export_model(folder, tmp_path / "taken.tar")
    with pytest.raises(NotFoundError, match="no folder"):
        export_model(folder, tmp_path / "absent" / "line.tar")
    (folder / WEIGHTS).write_bytes(b"")
    with pytest.raises(IntegrityError, match="has changed"):
        export_model(folder, tmp_path / "line.tar")
    assert {path.name for path in tmp_path.iterdir()} == {"registry", "taken.tar"}


@pytest.mark.parametrize(
    "name",
    [
        "../outside/1/manifest.json",
        "/tmp/line/1/manifest.json",
        "line/1/../2/manifest.json",
        "line/1/model.pkl",
        "line/0/manifest.json",
        "line/manifest.json",
        "line/1/manifest.json\n",
    ],
)
def test_import_refuses_names_that_are_no_part_of_a_model(tmp_path: Path, name: str) -> None:
    archive = tmp_path / "bad.tar"
    with tarfile.open(archive, "w") as tar:
        tar.addfile(tarfile.TarInfo(name))
    with pytest.raises(IntegrityError, match="which is no part of a model"):
        import_model(tmp_path / "registry", archive)
    assert everything(tmp_path) == {"bad.tar"}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_import_refuses_what_is_no_plain_file(tmp_path: Path, kind: bytes) -> None:
    archive = tmp_path / "bad.tar"
    info = tarfile.TarInfo("line/1/manifest.json")
    info.type, info.linkname = kind, "/etc/passwd"
    with tarfile.open(archive, "w") as tar:
        tar.addfile(info)
    with pytest.raises(IntegrityError, match="which is no part of a model"):
        import_model(tmp_path / "registry", archive)
    assert everything(tmp_path) == {"bad.tar"}


def test_import_refuses_doubles_and_damage(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    publish_line(here)
    whole = tmp_path / "line.tar"
    export_model(resolve(here, "line"), whole)
    data = whole.read_bytes()
    double = tmp_path / "double.tar"
    double.write_bytes(data)
    with tarfile.open(double, "a") as tar:
        tar.add(here / "line" / "1" / PROBE, "line/1/probe.safetensors")
    for name, content in {"cut": data[:1500], "none": b"", "text": b"no tar" * 1000}.items():
        (tmp_path / name).write_bytes(content)
    for name in ("double.tar", "cut", "none", "text"):
        with pytest.raises(IntegrityError, match=name):
            import_model(there, tmp_path / name)
    with pytest.raises(NotFoundError, match="no file"):
        import_model(there, tmp_path / "absent")
    assert not there.exists()


def test_import_verifies_before_anything_appears(tmp_path: Path) -> None:
    here, there, archive = tmp_path / "here", tmp_path / "there", tmp_path / "mean.tar"
    publish_mean(here)
    export_model(resolve(here, "mean"), archive)
    partial = tmp_path / "partial.tar"
    with tarfile.open(archive) as tar, tarfile.open(partial, "w") as rest:
        for entry in tar:
            if not entry.name.startswith("member/2/"):
                rest.addfile(entry, tar.extractfile(entry))
    with pytest.raises(IntegrityError, match=r"member@2, a member of mean@1"):
        import_model(there, partial)
    assert not there.exists()


def _old_gnu_sparse(name: str, real: int) -> bytes:
    """A header of GNU tar for a file of holes that claims `real` bytes."""
    info = tarfile.TarInfo(name)
    info.type = tarfile.GNUTYPE_SPARSE
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[483:495] = b"%011o\0" % real
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header[:512])
    return bytes(header)


def _with_pax(name: str, **headers: str) -> bytes:
    info = tarfile.TarInfo(name)
    info.pax_headers = headers
    return info.tobuf(tarfile.PAX_FORMAT)


_END = bytes(1024)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (_old_gnu_sparse("line/1/manifest.json", 50 * 10**9) + _END, "no part of a model"),
        (_with_pax("line/1/manifest.json", **{"GNU.sparse.realsize": "50000000000"}) + _END, "no part of a model"),
        (_with_pax("line/1/manifest.json", **{"GNU.sparse.major": "1", "GNU.sparse.name": "x"}) + _END, "no part of"),
        (_with_pax("line/1/weights.safetensors", size="50000000000") + _END, "damaged|no part of a model|larger"),
    ],
)
def test_import_expands_nothing(tmp_path: Path, content: bytes, said: str) -> None:
    archive = tmp_path / "bomb.tar"
    archive.write_bytes(content)
    with pytest.raises(IntegrityError, match=said):
        import_model(tmp_path / "registry", archive)
    assert everything(tmp_path) == {"bomb.tar"}


def test_import_believes_no_size(tmp_path: Path) -> None:
    archive = tmp_path / "long.tar"
    info = tarfile.TarInfo("line/1/weights.safetensors")
    info.size = 10**12
    archive.write_bytes(info.tobuf() + b"short" + _END)
    with pytest.raises(IntegrityError, match=r"long\.tar"):
        import_model(tmp_path / "registry", archive)
    info = tarfile.TarInfo("line/1/manifest.json")
    info.size = 65 * 2**20
    with archive.open("wb") as file:
        file.write(info.tobuf())
        file.truncate(512 + info.size)  # holes: no disk is needed
    with pytest.raises(IntegrityError, match="too large for a manifest"):
        import_model(tmp_path / "registry", archive)
    assert everything(tmp_path) == {"long.tar"}


def test_import_counts_files_and_letters(tmp_path: Path) -> None:
    archive = tmp_path / "many.tar"
    with tarfile.open(archive, "w") as tar:
        for number in range(10_001):
            tar.addfile(tarfile.TarInfo(f"line/{number + 1}/manifest.json"))
    with pytest.raises(IntegrityError, match="more than 10000 files"):
        import_model(tmp_path / "registry", archive)
    with tarfile.open(archive, "w") as tar:
        tar.addfile(tarfile.TarInfo("a" * 300 + "/1/manifest.json"))
    with pytest.raises(IntegrityError, match="no part of a model") as refused:
        import_model(tmp_path / "registry", archive)
    assert len(str(refused.value)) < 600
    assert everything(tmp_path) == {"many.tar"}


@pytest.mark.parametrize("name", [WEIGHTS, PROBE])
@pytest.mark.parametrize("damage", ["cut", "missing"])
def test_import_mends_a_damaged_version(tmp_path: Path, name: str, damage: str) -> None:
    publish_line(tmp_path / "registry")
    folder, archive = resolve(tmp_path / "registry", "line"), tmp_path / "line.tar"
    export_model(folder, archive)
    sound = (folder / name).read_bytes()
    if damage == "cut":
        (folder / name).write_bytes(sound[:20])
    else:
        (folder / name).unlink()
    assert import_model(tmp_path / "registry", archive, check) == ["line@1"]
    assert (folder / name).read_bytes() == sound
    verify(folder, check)


@pytest.mark.parametrize("name", ["line.tar.gz", "line.tgz", "line.zip", "line"])
def test_what_is_no_plain_tar_is_not_written_under_its_name(tmp_path: Path, name: str) -> None:
    publish_line(tmp_path / "registry")
    with pytest.raises(UsageError, match=r"call it line\.tar"):
        export_model(resolve(tmp_path / "registry", "line"), tmp_path / name)
    assert not (tmp_path / name).exists()


def test_an_ensemble_under_another_name(tmp_path: Path) -> None:
    here, there, archive = tmp_path / "here", tmp_path / "there", tmp_path / "mean.tar"
    publish_mean(here)
    export_model(resolve(here, "mean"), archive)
    publish_line(there, "member", slope=9.0)
    publish_line(there, "mean", slope=9.0)
    models = ["theirs-member@1", "theirs-member@2", "theirs@1"]
    assert import_model(there, archive, check, "theirs") == models
    before = everything(there)
    assert import_model(there, archive, check, "theirs") == models
    assert everything(there) == before
    folder = resolve(there, "theirs")
    verify(folder, check)
    assert [member.model for member in read_manifest(folder).members] == models[:2]
    assert read_manifest(folder).card.endswith("It was called mean@1 where it was made.")
    with pytest.raises(UsageError, match="cannot name a model"):
        import_model(there, archive, check, "../theirs")
    assert everything(there) == before


@pytest.mark.parametrize("cut", [False, True])
def test_import_takes_no_damaged_header_for_the_end(tmp_path: Path, cut: bool) -> None:
    """`tarfile` does, and would import the models before it."""
    here, there, archive = tmp_path / "here", tmp_path / "there", tmp_path / "mean.tar"
    publish_mean(here)
    export_model(resolve(here, "mean"), archive)
    with tarfile.open(archive) as tar:
        middle = tar.getmembers()[3].offset
    data = bytearray(archive.read_bytes())
    data[middle + 100] ^= 0x0C
    archive.write_bytes(data[:middle] if cut else data)
    with pytest.raises(IntegrityError, match="after its first 3 files"):
        import_model(there, archive)
    assert not there.exists()
