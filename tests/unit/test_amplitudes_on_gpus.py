"""`gen --device`: where amplitudes are computed, and that stores say so.  GPU threads are emulated on the CPU."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

from ampcli.amplitudes import tensors
from ampcli.amplitudes.native import cuda, engine
from ampcli.amplitudes.native.provider import Native
from ampcli.amplitudes.providers import make_provider, provider_of
from ampcli.amplitudes.pyamplicol import PyAmplicol
from ampcli.amplitudes.tensors import OnDevice, evaluate_tensor, on_device
from ampcli.errors import UsageError
from ampcli.generation.generate import GenerationRequest, generate, prepare
from ampcli.generation.lepton_points import LeptonSettings
from ampcli.instructions import compiled_module
from ampcli.process import parse_process
from ampcli.store.reader import open_store

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
PROCESS = parse_process("e- e+ > d d~ g")


class HostOnly:
    """A provider without tensors."""

    def __init__(self, process):
        self.native, self.process, self.fault = Native(process), process, None

    def identity(self):
        return self.native.identity().model_copy(update={"name": "host"})

    def evaluate(self, momenta):
        return self.native.evaluate(momenta)


@pytest.fixture
def gpu(monkeypatch):
    """A GPU whose memory is this machine's, and whose threads are emulated."""

    def evaluate(line, parameters, momenta, precision):
        constants = engine.constants(line, parameters)
        module = compiled_module(engine.PACKAGE, "baseline")
        values, bad = module.evaluate_as_threads(momenta.numpy(), *constants, single=precision == "float32")
        return torch.from_numpy(values), torch.from_numpy(bad).bool()

    class Moved(torch.Tensor):
        """A tensor that says that it lies on a GPU."""

        device = CUDA

    to = torch.Tensor.to
    monkeypatch.setattr(tensors, "choose_device", lambda name: CPU if name == "cpu" else CUDA)
    monkeypatch.setattr(torch.Tensor, "to", lambda t, where: t.as_subclass(Moved) if where == CUDA else to(t, where))
    monkeypatch.setattr(cuda, "evaluate", evaluate)


def test_the_host_serves_providers_without_tensors(amplitude_reference):
    momenta = torch.from_numpy(amplitude_reference["ee_ddg/regular/momenta"])
    expected = Native(PROCESS).evaluate(momenta.numpy())
    for provider in (Native(PROCESS), HostOnly(PROCESS)):
        np.testing.assert_array_equal(evaluate_tensor(provider, momenta), expected)


def test_a_provider_on_a_device(amplitude_reference):
    momenta = amplitude_reference["ee_ddg/regular/momenta"]
    plain = make_provider("native", PROCESS, {"alpha_s": 0.12})
    moved = pickle.loads(pickle.dumps(OnDevice(plain, CPU)))  # as workers get it
    np.testing.assert_array_equal(moved.evaluate(momenta), plain.evaluate(momenta))
    assert moved.process == plain.process
    assert moved.fault is None
    with pytest.raises(UsageError, match="event 1 "):
        moved.evaluate(momenta[:3] * np.array([1, 1.01, 1])[:, None, None] ** [[[0, 1, 1, 1]]])


def test_what_is_chosen(gpu):
    native, host = Native(PROCESS), HostOnly(PROCESS)
    assert on_device(native, "cpu") is native
    for device in ("cuda", "auto"):
        chosen = on_device(native, device)
        assert chosen == OnDevice(native, CUDA)
        assert chosen.identity().options == {"colour": "full", "device": "cuda"}
    assert on_device(host, "auto") is host
    with pytest.raises(UsageError, match="the provider host computes on CPUs alone"):
        on_device(host, "cuda")
    assert not hasattr(PyAmplicol, "evaluate_tensor")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_no_gpu(tmp_path):
    native = Native(PROCESS)
    assert on_device(native, "auto") is native
    with pytest.raises(UsageError, match="no CUDA device"):
        prepare(request(tmp_path / "a.zarr", "cuda"))
    assert not (tmp_path / "a.zarr").exists()


def request(path, device: str) -> GenerationRequest:
    return GenerationRequest(str(PROCESS), path, 600, LeptonSettings(1000.0, 0.01), provider="native", device=device)


def test_stores_say_where_their_amplitudes_come_from(gpu, tmp_path, monkeypatch):
    here, there = (
        generate(prepare(request(tmp_path / f"{device}.zarr", device)))["digest"] for device in ("cpu", "cuda")
    )
    assert here != there
    on_cpu, on_gpu = (open_store(tmp_path / f"{device}.zarr") for device in ("cpu", "cuda"))
    assert on_gpu.plan.provider.options["device"] == "cuda"
    assert "device" not in on_cpu.plan.provider.options
    np.testing.assert_array_equal(on_cpu.read("momenta"), on_gpu.read("momenta"))
    np.testing.assert_allclose(on_cpu.read("amplitude"), on_gpu.read("amplitude"), rtol=1e-11)
    # exact amplitudes of the store are known where there is no GPU
    assert isinstance(provider_of(on_gpu.plan.provider, PROCESS), Native)
    # shares that were computed elsewhere do not get into it
    with pytest.raises(UsageError, match="other"):
        generate(prepare(request(tmp_path / "cuda.zarr", "cpu")), resume=True)
