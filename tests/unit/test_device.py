"""Settings of the process that a call needs for a while are as before when it returns, or fails."""

from __future__ import annotations

import sys

import pytest
import torch

from ampcli.amplitudes import pyamplicol
from ampcli.cli.main import run
from ampcli.cli.output import shown
from ampcli.device import one_thread, tf32_products


def test_one_thread_for_a_while(monkeypatch):
    threads = [4]
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads[-1])
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    with one_thread():
        assert torch.get_num_threads() == 1
    with pytest.raises(ValueError, match="inside"), one_thread():
        raise ValueError("inside")
    assert threads == [4, 1, 4, 1, 4]


@pytest.mark.parametrize("wanted", [False, True])
def test_products_in_tf32_for_a_while(wanted):
    products = torch.backends.cuda.matmul
    with tf32_products(not wanted):
        with tf32_products(wanted):
            assert products.allow_tf32 is wanted
        assert products.allow_tf32 is not wanted
        with pytest.raises(ValueError, match="inside"), tf32_products(wanted):
            raise ValueError("inside")
        assert products.allow_tf32 is not wanted


def test_symbolica_cannot_be_imported_for_a_while(monkeypatch):
    monkeypatch.delitem(sys.modules, "symbolica", raising=False)
    with pytest.raises(ModuleNotFoundError), pyamplicol._without_symbolica():
        import symbolica  # noqa: F401
    assert "symbolica" not in sys.modules
    monkeypatch.setitem(sys.modules, "symbolica", sys)  # somebody's who has it already
    with pyamplicol._without_symbolica():
        assert sys.modules["symbolica"] is sys
    assert sys.modules["symbolica"] is sys


def test_a_run_does_not_remember_how_talkative_the_one_before_was(tmp_path, capsys):
    missing = str(tmp_path / "nothing.zarr")
    assert run(["features", missing, "fame", "-vv"]) == 4
    assert "Traceback" in capsys.readouterr().err
    assert (shown.json, shown.quiet, shown.verbose) == (False, False, 0)
    assert run(["features", missing, "--no-such-option"]) == 2
    assert "Traceback" not in capsys.readouterr().err
