"""Event files of other programs through the real commands: taken in, checked, reweighted."""

from __future__ import annotations

import gzip
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from lhe_pieces import FOLDER, NAMES, piece, with_line

from ampcli.amplitudes.native.provider import Native
from ampcli.process import parse_process
from ampcli.store.reader import open_store

if TYPE_CHECKING:
    from conftest import Ampcli


def word(place: int, value: bytes) -> Callable[[list[bytes]], list[bytes]]:
    """Changes one word of a line."""
    return lambda words: [value if at == place else one for at, one in enumerate(words)]


def of_event(name: str, event: int, line: int, place: int, value: bytes) -> bytes:
    return with_line(piece(name), event, line, word(place, value))


#: Files that were damaged, and what the error has to say.
DAMAGED = {
    "wrong colour line": (of_event("powheg-zj", 2, 1, 4, b"509"), "colours: event 2: a colour line that does not"),
    "momentum off": (of_event("powheg-trijet", 1, 4, 8, b"-3.3e+01"), "momentum: event 1: incoming and outgoing"),
    "weight sum": (piece("powheg-zj").replace(b"1.41997E+02", b"2.91997E+02"), "sections: weights do not give"),
    "swapped beams": (piece("whizard-eeww").replace(b" -11 11  2.5", b" 11 -11  2.5"), "beams: 4 events (0, 1, 2, 3)"),
    "wrong alpha_s": (of_event("pythia-weakbosons", 7, 0, 5, b"1.4e-01"), "alpha_s: event 7: AQCDUP does not follow"),
    "off shell": (of_event("whizard-eeww", 1, 3, 10, b"80.5"), "shells: event 1: a particle is off the mass shell"),
    "broken mothers": (of_event("powheg-zj", 4, 4, 2, b"12"), "mothers: event 4: a mother that is not there"),
    "wrong cross section": (
        piece("powheg-zj").replace(b"  1.41939E+02", b"  1.41939E+03"),
        "sections: weights do not give the cross section of <init>",
    ),
    "NaN weight": (of_event("powheg-zj", 5, 0, 2, b"NaN"), "weights: event 5: a weight is not finite"),
    "truncated": (piece("powheg-zj")[:-500], "file: it is damaged or truncated"),
}


@pytest.mark.parametrize(("text", "said"), DAMAGED.values(), ids=DAMAGED.keys())
def test_what_is_wrong_is_found(ampcli: Ampcli, tmp_path: Path, text: bytes, said: str) -> None:
    file = tmp_path / "damaged.lhe.gz"
    file.write_bytes(gzip.compress(text))
    outcome = ampcli.fails(3, "check", file, "--provider", "none", "--json", naming=said)
    assert not outcome.document["sound"]


@pytest.mark.parametrize("name", NAMES)
def test_every_piece_is_checked_to_its_end(ampcli: Ampcli, name: str) -> None:
    outcome = ampcli.run("check", FOLDER / f"{name}.lhe", "--provider", "native", "--json")
    assert outcome.code == (0 if outcome.document["sound"] else 3)
    assert outcome.document["events"] == piece(name).count(b"</event>")
    assert sum(row["events"] for row in outcome.document["processes"]) == outcome.document["events"]


def test_events_of_a_resonance_are_taken_on_our_shell(ampcli: Ampcli, tmp_path: Path) -> None:
    choice = ("--momenta", FOLDER / "powheg-zj.lhe", "--process-only")
    outcome = ampcli("gen", "u g > z u g", tmp_path / "s.zarr", *choice, "--on-shell", "--provider", "native", "--json")
    intake = outcome.document["intake"]
    assert (intake["taken"], intake["in_file"], intake["not_physical"]) == (2, 6, 0)
    assert 0.001 < intake["largest_shift"] < 0.5
    store = open_store(tmp_path / "s.zarr")
    assert store.read("event").tolist() == [2, 5]
    assert store.read("event_weight").tolist() == [141.997, 141.997]
    z = store.read("momenta")[:, 0]
    np.testing.assert_allclose(z[:, 0] ** 2 - (z[:, 1:] ** 2).sum(axis=1), 91.188**2, rtol=1e-9)
    named = ("leg 2 (z) has the mass", "--on-shell moves it there")
    ampcli.fails(2, "gen", "u g > z u g", tmp_path / "t.zarr", *choice, naming=named)
    ampcli.fails(2, "gen", "u g > z u g", tmp_path / "t.zarr", *choice, "--on-shell", "--repair", naming="--on-shell")
    assert not (tmp_path / "t.zarr").exists()


def test_amplitudes_of_events_as_they_are(ampcli: Ampcli, tmp_path: Path) -> None:
    file = FOLDER / "sherpa-eejets.lhe"
    outcome = ampcli("gen", "e- e+ > c c~ g", tmp_path / "s.zarr", "--momenta", file, "--process-only", "--json")
    assert outcome.document["intake"]["reasons"] == {}
    store = open_store(tmp_path / "s.zarr")
    assert store.read("event").tolist() == [1, 5]
    beams = np.zeros((2, 2, 4))
    beams[:, :, 0], beams[:, 0, 3], beams[:, 1, 3] = 22.0, 22.0, -22.0
    momenta = np.concatenate([beams, store.read("momenta")], axis=1)
    values = Native(parse_process("e- e+ > c c~ g")).evaluate(momenta)
    np.testing.assert_allclose(store.read("amplitude"), values, rtol=1e-9)


def test_a_reweighted_file_is_taken_like_the_original(ampcli: Ampcli, tmp_path: Path) -> None:
    file, out = FOLDER / "sherpa-eejets.lhe", tmp_path / "new.lhe.gz"
    ampcli("reweight", file, out, "--exact", "--parameter", "alpha_s=0.13", "--colour", "leading")
    taken = []
    for events in (file, out):
        store = tmp_path / f"{events.stem}.zarr"
        ampcli("gen", "e- e+ > c c~ g", store, "--momenta", events, "--process-only")
        taken.append(open_store(store).plan.source)
    assert taken[0] == taken[1]
    kept = ampcli.run("check", out, "--provider", "native", "--json").document["findings"]
    assert kept == ampcli.run("check", file, "--provider", "native", "--json").document["findings"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_reweighting_leaves_nothing(ampcli: Ampcli, tmp_path: Path, number: signal.Signals) -> None:
    head, *events = piece("sherpa-eejets").removesuffix(b"</LesHouchesEvents>\n").split(b"<event")
    text = head + b"".join(b"<event" + event for event in events) * 3000 + b"</LesHouchesEvents>\n"
    (tmp_path / "long.lhe").write_bytes(text)
    with ampcli.started("reweight", tmp_path / "long.lhe", tmp_path / "new.lhe", "--colour", "leading") as running:
        running.wait_until(lambda: "events" in running.stderr)
        running.signal(number)
        outcome = running.end()
    assert outcome.code == 75
    assert "nothing was written" in outcome.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["long.lhe"]
