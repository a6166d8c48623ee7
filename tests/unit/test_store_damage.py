"""Every file of a store, damaged in every way: it is noticed or does not matter, and `--resume` repairs it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from samples import read_fame

from ampcli.errors import AmpcliError, IntegrityError
from ampcli.generation.generate import generate, prepare
from ampcli.seal import sealed
from ampcli.store.features import stored_block, write_features
from ampcli.store.reader import open_store

CPU = torch.device("cpu")
POINTS = 1100  # two parts


@pytest.fixture(autouse=True)
def no_hang() -> Iterator[None]:
    """A pipe that somebody waits for is an error, not a test that never ends."""

    def stop(number: int, frame: object) -> None:
        raise TimeoutError("it hangs")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def made(tmp_path_factory, request_for) -> Callable[[str, int], Path]:
    """Stores by name and seed: with features, and unfinished."""
    root = tmp_path_factory.mktemp("sound")

    def make(name: str, seed: int) -> Path:
        path = root / f"{name}-{seed}.zarr"
        if not path.exists():
            part = (1, 2) if name == "unfinished" else (1, 1)
            generate(prepare(request_for(path, points=POINTS, seed=seed)), part=part)
            if name == "finished":
                write_features(open_store(path), "fame", CPU)
        return path

    return make


def content(path: Path) -> dict[str, np.ndarray | str]:
    """All that commands read from a store."""
    store = open_store(path)
    arrays, amplitude = read_fame(store)
    write_features(store, "fame", CPU)  # says that they are there
    return {
        **{name: values.numpy() for name, values in arrays.items()},
        "amplitude": amplitude.numpy(),
        **{name: store.read(name) for name in store.plan.arrays},
        "digest": store.digest,
        "tried": str(store.tried),
        "statistics": json.dumps(store.attributes["statistics"]),
    }


def same(found: dict, expected: dict) -> bool:
    return set(found) == set(expected) and all(np.array_equal(found[key], expected[key]) for key in expected)


def noticed_or_harmless(path: Path, expected: dict) -> bool:
    try:
        return same(content(path), expected)
    except IntegrityError:
        return True


def instead(file: Path, put: Callable[[Path], object]) -> None:
    file.unlink()
    put(file)


#: What can happen to a file; the second argument is the same file of another store, the third a sibling.
DAMAGE: dict[str, Callable[[Path, Path, Path], object]] = {
    "missing": lambda file, other, sibling: file.unlink(),
    "empty": lambda file, other, sibling: file.write_bytes(b""),
    "truncated": lambda file, other, sibling: file.write_bytes(file.read_bytes()[: 2 * file.stat().st_size // 3]),
    "noise": lambda file, other, sibling: file.write_bytes(np.random.default_rng(1).bytes(500)),
    "nested": lambda file, other, sibling: file.write_text('{"a":' + "[" * 100_000),
    "a long integer": lambda file, other, sibling: file.write_text('{"attributes": ' + "1" * 5000 + "}"),
    "a pipe": lambda file, other, sibling: instead(file, os.mkfifo),
    "a folder": lambda file, other, sibling: instead(file, Path.mkdir),
    "a link to nothing": lambda file, other, sibling: instead(file, lambda place: place.symlink_to("nothing")),
    "of another store": lambda file, other, sibling: shutil.copyfile(other, file),
    "of a sibling": lambda file, other, sibling: shutil.copyfile(sibling, file),
}


def files(path: Path) -> list[Path]:
    return sorted(file.relative_to(path) for file in path.rglob("*") if file.is_file())


def sibling_of(path: Path, file: Path) -> Path:
    """Another file of the store with the same purpose, as far as there is one."""
    alike = [other for other in files(path) if other.name == file.name and other != file]
    alike += [other for other in files(path) if other.parent == file.parent and other != file]
    return path / [*alike, file][0]


def cases(path: Path, each: int) -> list[tuple[Path, str]]:
    """Every file with some kinds of damage, in turn: all kinds come up for files of every purpose."""
    kinds = list(DAMAGE)
    return [(file, kinds[(each * i + k) % len(kinds)]) for i, file in enumerate(files(path)) for k in range(each)]


def resumed(path: Path, request_for) -> dict | None:
    return generate(prepare(request_for(path, points=POINTS)), resume=True)


def test_any_file_of_a_finished_store(made, request_for, tmp_path):
    sound, other = made("finished", 7), made("finished", 8)
    expected, path = content(sound), tmp_path / "s.zarr"
    for file, damage in cases(sound, 2):
        shutil.copytree(sound, path)
        DAMAGE[damage](path / file, other / file, sibling_of(sound, file))
        assert noticed_or_harmless(path, expected), f"{file}, {damage}: not noticed"
        if (file.name, damage) == ("plan.json", "of another store"):
            with pytest.raises(AmpcliError, match="holds something else"):
                resumed(path, request_for)
        else:
            if file.parts[0] == "features":
                write_features(open_store(path), "fame", CPU, replace=True)
            else:
                resumed(path, request_for)
            assert same(content(path), expected), f"{file}, {damage}: not repaired"
        shutil.rmtree(path)


def test_any_file_of_an_unfinished_store(made, request_for, tmp_path):
    sound, other = made("unfinished", 7), made("unfinished", 8)
    expected, path = open_store(made("finished", 7)).attributes, tmp_path / "s.zarr"
    for file, damage in cases(sound, 3):
        shutil.copytree(sound, path)
        DAMAGE[damage](path / file, other / file, sibling_of(sound, file))
        with pytest.raises(IntegrityError):
            open_store(path)
        if (file.name, damage) == ("plan.json", "of another store"):
            with pytest.raises(AmpcliError, match="holds something else"):
                resumed(path, request_for)
        else:
            assert resumed(path, request_for) == expected, f"{file}, {damage}: not repaired"
        shutil.rmtree(path)


def rewrite(file: Path, change: Callable[[dict], object], seal: bool = False) -> None:
    document = json.loads(file.read_text())
    change(document)
    file.write_text(json.dumps(sealed(document) if seal else document))


def leaves(tree: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if isinstance(tree, dict | list):
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from leaves(value, (*path, key))
    else:
        yield path


def put(document: dict, path: tuple[str | int, ...], value: object) -> None:
    *folders, last = path
    for key in folders:
        document = document[key]
    document[last] = value


@pytest.mark.parametrize("name", ["zarr.json", ".ampcli/plan.json", "features/fame/zarr.json", "momenta/zarr.json"])
def test_every_value_of_the_metadata(made, tmp_path, name):
    """Another value or type anywhere is noticed, or is one that nobody reads."""
    sound = made("finished", 7)
    expected, path = content(sound), tmp_path / "s.zarr"
    shutil.copytree(sound, path)
    whole = (path / name).read_text()
    for leaf in leaves(json.loads(whole)):
        old = json.loads(whole)
        for key in leaf:
            old = old[key]
        for value in (-1, 10**30, "x", None, [], {"a": 1}, True):
            if value == old:
                continue
            rewrite(path / name, lambda document, leaf=leaf, value=value: put(document, leaf, value))
            try:
                assert open_store(path).digest == expected["digest"]
                stored_block(open_store(path), "fame")
                open_store(path).read("momenta")
                assert leaf[0] == "attributes" or "configuration" in leaf, (leaf, value)
            except IntegrityError:
                pass
    (path / name).write_text(whole)
    assert same(content(path), expected)


@pytest.mark.parametrize(
    ("leaf", "value"),
    [
        (("plan", "points"), -1),
        (("plan", "points"), 10**30),
        (("plan", "source", "sqrt_s"), 0.0),
        (("plan", "source", "seed"), 8),
        (("plan", "n_final"), 0),
        (("parts",), []),
        (("parts", 0, "tried"), 99_999),
        (("parts", 0, "rows"), 5),
        (("parts", 0, "arrays"), {}),
        (("parts", 1, "sha256"), "0" * 64),
        (("tried",), 99_999),
        (("tried",), "many"),
        (("digest",), "0" * 64),
        (("digest",), None),
        (("format_version",), None),
        (("format_version",), 3),
    ],
)
def test_attributes_that_contradict_each_other_are_refused_even_under_a_seal(made, tmp_path, leaf, value):
    path = tmp_path / "s.zarr"
    shutil.copytree(made("finished", 7), path)

    def change(document: dict) -> None:
        put(document["attributes"]["ampcli"], leaf, value)
        document["attributes"]["ampcli"] = sealed(document["attributes"]["ampcli"])

    rewrite(path / "zarr.json", change)
    with pytest.raises(IntegrityError):
        open_store(path)


@pytest.mark.parametrize("sums", [None, [], "x", {"recoil": 5}, {"recoil": {}}, {"recoil": [1, 2]}])
def test_features_without_checksums_are_refused_even_under_a_seal(made, tmp_path, sums):
    path = tmp_path / "s.zarr"
    shutil.copytree(made("finished", 7), path)

    def change(document: dict) -> None:
        document["attributes"] = sealed(document["attributes"] | {"arrays": sums})

    rewrite(path / "features" / "fame" / "zarr.json", change)
    with pytest.raises(IntegrityError):
        open_store(path).read("features/fame/recoil", slice(5))


def test_without_its_dot_folder(made, request_for, tmp_path):
    """What `cp *` and uploads of artifacts leave of a store."""
    sound, path = made("finished", 7), tmp_path / "s.zarr"
    shutil.copytree(sound, path, ignore=shutil.ignore_patterns(".*"))
    expected = content(sound)
    assert same(content(path), expected)
    write_features(open_store(path), "antenna", CPU)
    assert resumed(path, request_for) == open_store(sound).attributes
    assert files(path / ".ampcli" / "parts") == files(sound / ".ampcli" / "parts")
    shutil.rmtree(path / ".ampcli")
    shutil.copyfile(made("finished", 8) / "amplitude" / "c" / "1", path / "amplitude" / "c" / "1")
    with pytest.raises(IntegrityError, match="amplitude: part 2"):
        content(path)
    resumed(path, request_for)
    assert same(content(path), expected)


def test_a_whole_part_of_another_store(made, request_for, tmp_path):
    sound, other, path = made("finished", 7), made("finished", 8), tmp_path / "s.zarr"
    shutil.copytree(sound, path)
    for file in files(other):
        if (file.parts[0] != "features" and file.parts[-1] == "1") or file.name == "000001.json":
            shutil.copyfile(other / file, path / file)
    shutil.copytree(other / "momenta" / "c" / "1", path / "momenta" / "c" / "1", dirs_exist_ok=True)
    for name in ("momenta", "amplitude"):
        with pytest.raises(IntegrityError, match=f"{name}: part 2"):
            open_store(path).read(name)
    resumed(path, request_for)
    assert same(content(path), content(sound))


def test_parts_that_are_exchanged(made, tmp_path):
    """Of an array without its last, shorter part: the same chunks at other rows."""
    path = tmp_path / "s.zarr"
    shutil.copytree(made("finished", 7), path)
    store = open_store(path)
    first = store.read("amplitude", slice(0, 1024))
    import zarr

    zarr.open_array(path / "amplitude", mode="r+")[0:1024] = first[::-1]
    np.testing.assert_array_equal(store.read("amplitude", slice(0, 1024)), first[::-1])  # it was verified before
    with pytest.raises(IntegrityError, match="amplitude: part 1"):
        open_store(path).read("amplitude", slice(10, 20))


def test_parts_are_read_once_and_verified_once(made, monkeypatch):
    from ampcli.store import reader

    calls = []
    monkeypatch.setattr(reader, "read_rows", lambda *words: calls.append(words[2:]) or read(*words))
    from ampcli.store.rows import read_rows as read

    store = open_store(made("finished", 7))
    for start in range(0, POINTS, 100):
        store.read("momenta", slice(start, min(start + 100, POINTS)))
    assert len(calls) == 2
    store.split_rows("test")
    store.read_split("momenta", "train")
    assert len(calls) == 6


@contextmanager
def without_privileges():
    """As another user where the tests run as root, who may read everything."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_a_lack_of_threads_is_no_damage(made, monkeypatch):
    def failing(*words, **more):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("zarr.open_array", failing)
    with pytest.raises(RuntimeError, match="thread"):
        open_store(made("finished", 7)).read("features/fame/recoil")


def test_no_permission_is_no_damage(made):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "s.zarr"
        shutil.copytree(made("finished", 7), path)
        (path / "amplitude" / "c" / "1").chmod(0)
        with without_privileges(), pytest.raises(AmpcliError, match="cannot read") as refused:
            open_store(path).read("amplitude")
    assert refused.value.exit_code == 1


def as_format_1(path: Path) -> None:
    """Make a store what older versions wrote: no seals, one checksum for a part."""
    attributes = json.loads((path / "zarr.json").read_text())["attributes"]["ampcli"]
    plan = attributes["plan"] | {"format_version": 1}
    old = {key: value for key, value in attributes.items() if key not in ("seal", "parts")}
    rewrite(path / "zarr.json", lambda d: d["attributes"].update(ampcli=old | {"plan": plan, "format_version": 1}))
    (path / ".ampcli" / "plan.json").write_text(json.dumps(plan))
    for file in (path / ".ampcli" / "parts").iterdir():
        marker = json.loads(file.read_text())
        file.write_text(json.dumps({key: marker[key] for key in ("part", "rows", "tried", "sha256", "host", "exact")}))
    block = path / "features" / "fame" / "zarr.json"
    rewrite(block, lambda d: [d["attributes"].pop(key) for key in ("arrays", "seal")])


def test_stores_of_format_1(made, request_for, tmp_path):
    sound, path = made("finished", 7), tmp_path / "s.zarr"
    expected = content(sound)
    for books in (True, False):
        shutil.copytree(sound, path)
        as_format_1(path)
        if not books:
            shutil.rmtree(path / ".ampcli")
        assert same(content(path), expected)
        whole = (path / "weight" / "c" / "1").read_bytes()
        shutil.copyfile(made("finished", 8) / "amplitude" / "c" / "1", path / "weight" / "c" / "1")
        with pytest.raises(IntegrityError):
            open_store(path).read("amplitude")
        (path / "weight" / "c" / "1").write_bytes(whole)
        rewrite(path / "zarr.json", lambda d: d["attributes"]["ampcli"].update(digest="0" * 64))
        with pytest.raises(IntegrityError, match="digest"):
            open_store(path)
        rewrite(path / "zarr.json", lambda d: d["attributes"]["ampcli"].update(digest=expected["digest"]))
        assert resumed(path, request_for) == open_store(sound).attributes  # and is of format 2 now
        assert open_store(path).parts == open_store(sound).parts
        assert same(content(path), expected)
        shutil.rmtree(path)


def test_a_finished_store_never_gets_another_digest(made, request_for, tmp_path, monkeypatch):
    """A lost part that comes out differently (another processor, say) is an error, not a new store."""
    path = tmp_path / "s.zarr"
    shutil.copytree(made("finished", 7), path)
    before = (path / "zarr.json").read_text()
    shutil.rmtree(path / "momenta" / "c" / "1")
    job = prepare(request_for(path, points=POINTS))
    exact = type(job.provider).evaluate
    monkeypatch.setattr(type(job.provider), "evaluate", lambda self, momenta: exact(self, momenta) * (1 + 1e-15))
    with pytest.raises(IntegrityError, match="finished with other values"):
        generate(job, resume=True)
    assert (path / "zarr.json").read_text() == before
