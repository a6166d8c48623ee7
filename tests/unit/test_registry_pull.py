"""Models from other registries: folders, and web servers of all sorts on loopback."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from lines import check, everything, publish_line, publish_mean

from ampcli.cli.main import run
from ampcli.errors import AmpcliError, IntegrityError, NotFoundError, UsageError
from ampcli.registry.archive import export_model
from ampcli.registry.manifest import read_manifest
from ampcli.registry.pull import pull
from ampcli.registry.resolve import references, resolve, set_alias
from ampcli.registry.storage import verify


class Server(SimpleHTTPRequestHandler):
    """Files of a folder; `mischief` may answer in their place."""

    mischief: Callable[[Server], bool] = staticmethod(lambda request: False)
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if not self.mischief():
            super().do_GET()

    def log_message(self, format: str, *arguments: object) -> None:
        pass

    def send_bytes(self, content: bytes, announced: int) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(announced))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def served(folder: Path, mischief: Callable[[Server], bool] = lambda request: False) -> Iterator[tuple[str, list[str]]]:
    """The address of a server of a folder, and what it is asked for."""
    asked: list[str] = []
    handler = type("Handler", (Server,), {"mischief": mischief, "asked": asked})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    root = tmp_path / "theirs"
    publish_mean(root)
    publish_line(root)
    set_alias(root, "mean@1", "best")
    return root


@pytest.mark.parametrize("reference", ["mean@1", "mean@best"])
def test_an_ensemble_from_a_server(theirs: Path, tmp_path: Path, reference: str) -> None:
    with served(theirs) as (address, asked):
        assert pull(tmp_path / "mine", reference, address, check) == ["member@1", "member@2", "mean@1"]
        for file in everything(tmp_path / "mine"):
            if (theirs / file).is_file():
                assert (theirs / file).read_bytes() == (tmp_path / "mine" / file).read_bytes()
        verify(resolve(tmp_path / "mine", "mean"), check)
        asked.clear()
        assert pull(tmp_path / "mine", reference, address + "/", check) == ["mean@1"]  # it is there
        assert not [path for path in asked if path.endswith(".safetensors")]


@pytest.mark.parametrize("source", ["{}", "file://{}"])
def test_from_another_folder(theirs: Path, tmp_path: Path, source: str) -> None:
    address = source.format(theirs)
    assert pull(tmp_path / "mine", "mean", address, check)[-1] == "mean@1"
    assert pull(tmp_path / "mine", "line@1", address, check) == ["line@1"]
    with pytest.raises(NotFoundError, match="no model"):
        pull(tmp_path / "mine", "absent", address)
    assert references(tmp_path / "mine") == ["line@1", "mean@1", "member@1", "member@2"]


def _breaks_off(request: Server) -> bool:
    if not request.path.endswith("weights.safetensors"):
        return False
    content = Path(request.translate_path(request.path)).read_bytes()
    request.send_bytes(content[: len(content) // 2], len(content))
    request.close_connection = True
    return True


def _wrong_bytes(request: Server) -> bool:
    if not request.path.endswith("weights.safetensors"):
        return False
    content = Path(request.translate_path(request.path)).read_bytes()
    request.send_bytes(content[:-1] + bytes([content[-1] ^ 1]), len(content))
    return True


def _fails(request: Server) -> bool:
    request.send_error(503)
    return True


def _lacks_a_member(request: Server) -> bool:
    if "/member/2/" not in request.path:
        return False
    request.send_error(404)
    return True


def _swaps_members(request: Server) -> bool:
    if request.path.endswith("/member/2/manifest.json"):
        request.path = "/member/1/manifest.json"
    return False


def _redirects_for_ever(request: Server) -> bool:
    request.send_response(302)
    request.send_header("Location", request.path)
    request.end_headers()
    return True


def _talks_nonsense(request: Server) -> bool:
    request.wfile.write(b"what?\r\n\r\n")
    request.close_connection = True
    return True


def _never_ends(request: Server) -> bool:
    request.send_response(200)
    request.end_headers()
    with suppress(OSError):
        while True:
            request.wfile.write(b" " * 2**20)
    request.close_connection = True
    return True


def _to_a_file(request: Server) -> bool:
    request.send_response(302)
    request.send_header("Location", "file:///etc/hostname")
    request.end_headers()
    return True


@pytest.mark.parametrize(
    ("mischief", "kind", "said"),
    [
        (_breaks_off, AmpcliError, "broke off"),
        (_wrong_bytes, IntegrityError, r"weights.safetensors of member@1 .* has the SHA-256"),
        (_fails, AmpcliError, "503"),
        (_lacks_a_member, NotFoundError, "no member@2, a member of mean@1, in"),
        (_swaps_members, IntegrityError, "is not the one"),
        (_redirects_for_ever, AmpcliError, "redirect"),
        (_talks_nonsense, AmpcliError, "try again"),
        (_to_a_file, AmpcliError, "302"),
        (_never_ends, IntegrityError, "too large"),
    ],
)
def test_nothing_appears_when_something_is_wrong(
    theirs: Path, tmp_path: Path, mischief: Callable[[Server], bool], kind: type[AmpcliError], said: str
) -> None:
    with served(theirs, mischief) as (address, _), pytest.raises(kind, match=said) as caught:
        pull(tmp_path / "mine", "mean@1", address, check)
    assert type(caught.value) is kind
    assert not (tmp_path / "mine").exists()


def test_a_server_that_has_moved(theirs: Path, tmp_path: Path) -> None:
    def moved(request: Server) -> bool:
        if request.path.startswith("/new/"):
            request.path = request.path.removeprefix("/new")
            return False
        request.send_response(301)
        request.send_header("Location", f"/new{request.path}")
        request.end_headers()
        return True

    with served(theirs, moved) as (address, _):
        assert pull(tmp_path / "mine", "line@1", address, check) == ["line@1"]


@pytest.mark.parametrize(
    ("reference", "kind", "said"),
    [
        ("mean", UsageError, "which version of mean is the newest"),
        ("mean@2", NotFoundError, 'no "mean@2"'),
        ("mean@worst", NotFoundError, 'no alias "worst"'),
        ("line@best", NotFoundError, 'aliases of "line"'),
        ("../x@1", UsageError, "cannot name a model"),
    ],
)
def test_what_a_server_does_not_have(
    theirs: Path, tmp_path: Path, reference: str, kind: type[AmpcliError], said: str
) -> None:
    with served(theirs) as (address, _), pytest.raises(kind, match=said):
        pull(tmp_path / "mine", reference, address)
    assert not (tmp_path / "mine").exists()


def test_nobody_answers(theirs: Path, tmp_path: Path) -> None:
    with served(theirs) as (address, _):
        pass
    with pytest.raises(AmpcliError, match="try again"):
        pull(tmp_path / "mine", "line@1", address)
    for source, code in (("ftp://host/x", 2), (str(tmp_path / "absent"), 4), ("http://[", 1)):
        assert run(["registry", "pull", "line@1", "--from", source, "--registry", str(tmp_path / "mine")]) == code


def test_a_different_model_of_that_name_stays(theirs: Path, tmp_path: Path) -> None:
    publish_line(tmp_path / "mine", slope=7.0)
    with served(theirs) as (address, _), pytest.raises(IntegrityError, match="is a different model"):
        pull(tmp_path / "mine", "line@1", address, check)
    assert references(tmp_path / "mine") == ["line@1"]


def test_import_from_an_address_and_under_another_name(registry: Path, tmp_path: Path) -> None:
    """A real model: its predictions are checked."""
    export_model(resolve(registry, "plain3"), tmp_path / "a.tar")
    mine = tmp_path / "mine"
    with served(tmp_path) as (address, _):
        words = ["registry", "import", f"{address}/a.tar", "--registry", str(mine)]
        assert run([*words, "--as", "theirs"]) == 0
        assert run([*words, "--as", "theirs"]) == 0  # the same again: nothing to do
        assert run(words) == 0
        assert run(["registry", "import", f"{address}/b.tar", "--registry", str(mine)]) == 4
    assert references(mine) == ["plain3@1", "theirs@1"]
    before, after = read_manifest(mine / "plain3" / "1"), read_manifest(mine / "theirs" / "1")
    assert after.weights_sha256 == before.weights_sha256
    assert "It was called plain3@1" in after.card
