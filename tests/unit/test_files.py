"""Files appear whole or not at all: after a failed write, what was there is there, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ampcli.files import replacing
from ampcli.obstacles import clear_unless_file, clear_unless_folder
from ampcli.phasespace.hadron_sampler import Adaptation
from ampcli.phasespace.vegas import VegasGrid
from ampcli.plots.style import Plot, save


def listed(folder):
    return sorted(entry.name for entry in folder.iterdir())


def no_space(*arguments, **options):
    raise OSError(28, "No space left on device")


def test_a_file_is_replaced_in_one_step(tmp_path):
    file = tmp_path / "marker.json"
    for text in ("first", "second"):
        with replacing(file) as draft:
            draft.write_text(text)
            assert not file.exists() or file.read_text() == "first"
        assert file.read_text() == text
    with pytest.raises(UnicodeEncodeError), replacing(file) as draft:
        draft.write_text("third \ud800")
    assert file.read_text() == "second"
    assert listed(tmp_path) == ["marker.json"]


def test_the_adaptation_of_a_sampler(tmp_path, monkeypatch):
    file = tmp_path / "adaptation.npz"
    Adaptation(VegasGrid.flat(5), 3.0).save(file)
    monkeypatch.setattr(np, "savez", no_space)
    with pytest.raises(OSError, match="No space"):
        Adaptation(VegasGrid.flat(5), 4.0).save(file)
    assert Adaptation.load(file).w_max == 3.0
    assert listed(tmp_path) == ["adaptation.npz"]


def test_a_plot(tmp_path, monkeypatch):
    written = save(Plot("errors", "", (Axes.grid,), {"number": 1}), tmp_path)
    assert listed(tmp_path) == sorted(path.name for path in written) == ["errors.json", "errors.pdf", "errors.png"]
    before = {path: path.read_bytes() for path in written}
    monkeypatch.setattr(Figure, "savefig", no_space)
    with pytest.raises(OSError, match="No space"):
        save(Plot("errors", "", (Axes.grid,), {"number": 2}), tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_folder_that_another_process_makes_meanwhile_stays(tmp_path, monkeypatch):
    folder = tmp_path / "c"
    folder.mkdir()
    (folder / "shard").touch()
    with monkeypatch.context() as before_it_was_made:
        before_it_was_made.setattr(Path, "is_dir", lambda self: False)
        clear_unless_folder(folder)
    assert (folder / "shard").is_file()
    in_its_place = tmp_path / "file"
    in_its_place.touch()
    clear_unless_folder(in_its_place)
    assert not in_its_place.exists()
    clear_unless_folder(in_its_place)  # nothing


def test_only_what_is_no_file_is_cleared(tmp_path):
    kept, link, folder = tmp_path / "kept", tmp_path / "link", tmp_path / "folder"
    kept.touch()
    link.symlink_to(kept)
    folder.mkdir()
    for place in (kept, link, folder, tmp_path / "nothing"):
        clear_unless_file(place)
    assert list(tmp_path.iterdir()) == [kept]
