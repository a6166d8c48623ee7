"""Values of |M|^2 that were computed elsewhere: from an npz file into a store, and on to a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ampcli.store.measures import measures
from ampcli.store.reader import open_store

if TYPE_CHECKING:
    from commands import Ampcli

PROCESS = "e- e+ > u u~ g"


@pytest.fixture(scope="module")
def values(ampcli: Ampcli, tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """Momenta, trees, and something that is no tree."""
    store = tmp_path_factory.mktemp("table") / "s.zarr"
    ampcli("gen", PROCESS, store, "--points", "2k", "--y-cut", "0.01")
    made = open_store(store)
    momenta, tree = made.read("momenta"), made.read("amplitude")
    return {"momenta": momenta, "amplitude": tree, "corrected": tree * (1.1 + 0.1 * np.cos(momenta[:, 0, 3] / 500))}


@pytest.fixture
def file(values: dict[str, np.ndarray], tmp_path: Path) -> Path:
    np.savez(tmp_path / "values.npz", **values)
    return tmp_path / "values.npz"


@pytest.mark.parametrize(("provider", "column"), [("table", "amplitude"), ("table:corrected", "corrected")])
def test_values_go_into_the_store(
    provider: str, column: str, ampcli: Ampcli, values: dict[str, np.ndarray], file: Path, tmp_path: Path
) -> None:
    ampcli("gen", PROCESS, tmp_path / "s", "--momenta", file, "--provider", provider, "--workers", "2")
    store = open_store(tmp_path / "s")
    np.testing.assert_array_equal(store.read("amplitude"), values[column])
    np.testing.assert_allclose(store.read("momenta"), values["momenta"], rtol=1e-12)
    assert store.plan.provider.name == f"table:{column}"


def test_a_model_of_values(ampcli: Ampcli, file: Path, tmp_path: Path) -> None:
    store, registry = tmp_path / "s", ("--registry", tmp_path / "r")
    ampcli("gen", PROCESS, store, "--momenta", file, "--provider", "table:corrected")
    ampcli("features", store, "antenna", "--threads", "1")
    small = ("--epochs", "40", "--batch-size", "128", "--hidden", "24,24,24", "--threads", "1", *registry)
    ampcli("train", store, "--model", "fame+", "--name", "m", *small)
    assert ampcli("eval", "m", store, *registry, "--json").document["overall"]["median_abs_delta"] < 0.03
    ampcli.fails(2, "trajectory", "m", "--count", "1", *registry, naming="for the points of its own file alone")


def test_left_out_events_take_their_values_with_them(
    ampcli: Ampcli, values: dict[str, np.ndarray], tmp_path: Path
) -> None:
    bad = {**values, "momenta": values["momenta"].copy(), "amplitude": values["amplitude"].copy()}
    bad["momenta"][7, 1, 1] = np.nan
    bad["amplitude"][7] = np.nan  # of an event that nobody takes
    np.savez(tmp_path / "bad.npz", **bad)
    ampcli("gen", PROCESS, tmp_path / "s", "--momenta", tmp_path / "bad.npz", "--provider", "table", "--skip-bad")
    np.testing.assert_array_equal(open_store(tmp_path / "s").read("amplitude"), np.delete(values["amplitude"], 7))


def test_values_in_event_files(ampcli: Ampcli, tmp_path: Path) -> None:
    """As weights of their names."""
    pytest.importorskip("madspace")
    store, file = tmp_path / "tree", tmp_path / "events.lhe"
    ampcli("gen", "d d~ > z g", store, "--points", "60", "--beams", "lhc13", "--unweighted")
    ampcli("export", store, file)
    made = open_store(store)
    numbers = iter(made.read("amplitude").tolist())

    def with_values(event: str) -> str:
        value = next(numbers)
        lines = [f"<wgt id='virtual'> {-value:.16e} </wgt>", f'<wgt id="virtual_error">{0.01 * value:.16e}</wgt>']
        return "\n".join(["<rwgt>", *lines, "</rwgt>", f"</event>{event}"])

    head, *events = file.read_text().split("</event>")
    file.write_text(head + "".join(map(with_values, events)))
    gen = ("gen", "d d~ > z g", tmp_path / "s", "--momenta", file)
    ampcli.fails(4, *gen, "--provider", "table:born", naming="has no born, only virtual, virtual_error")
    ampcli.fails(2, *gen, "--provider", "table:virtual", naming="virtual of event 0 (from 0) is -")
    ampcli(*gen, "--provider", "table:virtual", "--signed")
    read = open_store(tmp_path / "s")
    np.testing.assert_allclose(-read.read("amplitude"), made.read("amplitude"), rtol=1e-15)
    np.testing.assert_allclose(read.read("amplitude_error"), 0.01 * made.read("amplitude"), rtol=1e-14)
    text = file.read_text()
    last = text.rindex("<wgt id='virtual'>")
    file.write_text(text[:last] + text[last:].replace("id='virtual'", "id='other'"))
    again = ("--provider", "table:virtual", "--signed", "--resume")
    ampcli.fails(2, *gen, *again, naming="virtual of event 59 (from 0) is nan")


def test_weights_of_events_are_kept(ampcli: Ampcli, values: dict[str, np.ndarray], tmp_path: Path) -> None:
    weight = np.where(np.arange(2000) % 4 == 0, 5.0, 0.5)
    np.savez(tmp_path / "w.npz", event_weight=weight.astype(np.float32), **values)
    gen = ("gen", PROCESS, tmp_path / "s", "--momenta", tmp_path / "w.npz", "--provider", "table")
    ampcli(*gen)
    store = open_store(tmp_path / "s")
    np.testing.assert_array_equal(store.read("event_weight"), weight)
    held = measures(store, "test")
    assert held.points is None
    np.testing.assert_array_equal(held.events, store.read_split("event_weight", "test"))
    for bad, said in (
        (weight[1:], "1999 numbers in event_weight for 2000 events"),
        (weight * np.inf, "weight of event 0"),
    ):
        np.savez(tmp_path / "w.npz", event_weight=bad, **values)
        ampcli.fails(2, *gen[:2], tmp_path / "t", *gen[3:], naming=said)
    np.savez(tmp_path / "w.npz", event_weight=np.ones((2000, 2)), **values)
    ampcli.fails(2, *gen[:2], tmp_path / "t", *gen[3:], naming="event_weight has the shape (2000, 2)")


def test_other_values_are_another_store(
    ampcli: Ampcli, values: dict[str, np.ndarray], file: Path, tmp_path: Path
) -> None:
    gen = ("gen", PROCESS, tmp_path / "s", "--momenta", file, "--provider", "table")
    ampcli(*gen)
    np.savez(file, **{**values, "amplitude": 2 * values["amplitude"]})
    ampcli.fails(2, *gen, "--resume", naming="sha256")


@pytest.mark.parametrize(
    ("code", "change", "said"),
    [
        (4, {"amplitude": None}, "has no amplitude, only momenta, corrected"),
        (2, {"amplitude": lambda a: a[:-1]}, "needs one floating-point number for each of the 2000 events"),
        (2, {"amplitude": lambda a: a.astype(int)}, "holds int64"),
        (2, {"amplitude": lambda a: np.where(np.arange(len(a)) == 5, np.nan, a)}, "of event 5 (from 0) is nan"),
        (2, {"amplitude": lambda a: -a}, "of event 0 (from 0) is -"),
    ],
)
def test_bad_columns(
    code: int, change: dict, said: str, ampcli: Ampcli, values: dict[str, np.ndarray], tmp_path: Path
) -> None:
    arrays = dict(values)
    for name, how in change.items():
        column = arrays.pop(name)
        if how is not None:
            arrays[name] = how(column)
    np.savez(tmp_path / "v.npz", **arrays)
    gen = ("gen", PROCESS, tmp_path / "s", "--momenta", tmp_path / "v.npz", "--provider", "table")
    ampcli.fails(code, *gen, naming=said)
    assert not (tmp_path / "s").exists()


def test_a_table_needs_its_file(ampcli: Ampcli, file: Path, tmp_path: Path) -> None:
    drawn = ("gen", PROCESS, tmp_path / "s", "--points", "10", "--provider", "table")
    ampcli.fails(2, *drawn, naming=("takes |M|^2 from a file with its momenta", "--momenta FILE.npz"))
    damaged = tmp_path / "damaged.npz"
    content = bytearray(file.read_bytes())
    content[int(0.97 * len(content))] ^= 0x20
    damaged.write_bytes(content)
    ampcli.fails(5, *drawn[:3], "--momenta", damaged, "--provider", "table:corrected", naming="cannot be read")
