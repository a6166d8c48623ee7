"""The engine as GPU threads run it: emulated on the CPU, compiled where NVRTC is, run where a GPU is."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from ampcli import gpu
from ampcli.amplitudes.native import cuda, engine
from ampcli.amplitudes.native.couplings import DEFAULTS
from ampcli.amplitudes.native.provider import Native
from ampcli.errors import AmpcliError, UsageError
from ampcli.instructions import compiled_module
from ampcli.process import parse_process

PROCESSES = {
    "ee_ddg": "e- e+ > d d~ g",
    "ee_ddggg": "e- e+ > d d~ g g g",
    "ddx_zgg": "d d~ > z g g",
    "dg_zdggg": "d g > z d g g g",
}


def native(name: str) -> Native:
    return Native(parse_process(PROCESSES[name]))


def as_threads(name: str, momenta: np.ndarray, single: bool) -> tuple[np.ndarray, np.ndarray]:
    constants = engine.constants(native(name).line, DEFAULTS)
    return compiled_module(engine.PACKAGE, "baseline").evaluate_as_threads(momenta, *constants, single=single)


@pytest.mark.parametrize("name", PROCESSES)
def test_emulated_threads(amplitude_reference, name):
    momenta, exact = (amplitude_reference[f"{name}/regular/{key}"] for key in ("momenta", "me2"))
    values, bad = as_threads(name, momenta, single=False)
    np.testing.assert_allclose(values, exact, rtol=1e-12)
    assert not bad.any()
    corner, exact = (amplitude_reference[f"{name}/corner/{key}"] for key in ("momenta", "me2"))
    np.testing.assert_allclose(as_threads(name, corner, single=False)[0], exact, rtol=1e-9)


@pytest.mark.parametrize("name", PROCESSES)
def test_single_precision(amplitude_reference, name):
    momenta, exact = (amplitude_reference[f"{name}/regular/{key}"] for key in ("momenta", "me2"))
    error = np.abs(as_threads(name, momenta, single=True)[0] / exact - 1)
    assert 1e-9 < np.median(error) < 5e-7  # really single, and no worse than that
    assert error.max() < 1e-5


def test_bad_events_are_marked(amplitude_reference):
    momenta = amplitude_reference["ddx_zgg/regular/momenta"].copy()
    momenta[[3, 40], 2, 0] *= 1.01
    for single in (False, True):
        assert np.flatnonzero(as_threads("ddx_zgg", momenta, single)[1]).tolist() == [3, 40]


def test_tensors_on_the_cpu(amplitude_reference):
    momenta = torch.from_numpy(amplitude_reference["ddx_zgg/regular/momenta"])
    values = native("ddx_zgg").evaluate_tensor(momenta)
    assert values.dtype == torch.float64
    np.testing.assert_array_equal(values.numpy(), native("ddx_zgg").evaluate(momenta.numpy()))
    momenta = momenta.clone()
    momenta[5, 1, 2] = torch.nan
    with pytest.raises(UsageError, match="event 5 "):
        native("ddx_zgg").evaluate_tensor(momenta)


def test_without_cuda_core_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cuda.core", None)
    gpu.compiled.cache_clear()
    with pytest.raises(AmpcliError, match="cuda-core") as refused:
        gpu.compiled(cuda.SOURCE, "sm_90")
    assert "ampcli[cuda]" in str(refused.value)


def test_it_compiles_for_a_gpu():
    pytest.importorskip("cuda.core")
    assert len(gpu.compiled(cuda.SOURCE, "sm_90").code) > 10_000


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", PROCESSES)
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_on_a_gpu(amplitude_reference, name, precision):
    momenta, exact = (amplitude_reference[f"{name}/regular/{key}"] for key in ("momenta", "me2"))
    on_device = torch.from_numpy(np.concatenate([momenta] * 1000)).cuda()
    values = native(name).evaluate_tensor(on_device, precision)
    assert values.device == on_device.device
    tolerance = 1e-12 if precision == "float64" else 1e-5
    np.testing.assert_allclose(values.cpu().numpy(), np.concatenate([exact] * 1000), rtol=tolerance)
    on_device[70, 1, 1] = torch.nan
    with pytest.raises(UsageError, match="event 70 "):
        native(name).evaluate_tensor(on_device, precision)
