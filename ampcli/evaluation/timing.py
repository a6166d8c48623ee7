"""Seconds per event of exact amplitudes and of the parts of a surrogate, one thread."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from pydantic import FiniteFloat

from ampcli.amplitudes.protocol import Provider
from ampcli.evaluation.metrics import Frozen
from ampcli.features.multi_radiation import MultiRadiationBlock
from ampcli.features.radiation import RadiationBlock
from ampcli.inference.predictor import Network, Predictor
from ampcli.kinematics import FloatArray, with_beams

_REPEATS = 5
_LEAST_SECONDS = 0.2  # of a repeat


class SurrogateTimes(Frozen):
    """Seconds per event: `total` is measured as a whole, `features` is what is left of it."""

    total: FiniteFloat
    features: FiniteFloat
    reduced_amplitude: FiniteFloat
    network: FiniteFloat


def seconds_per_event(call: Callable[[], object], events: int) -> float:
    """Median over repeats of at least 0.2 s each, after one call that does not count."""
    call()
    found = []
    for _ in range(_REPEATS):
        calls, started = 0, time.perf_counter()
        while calls == 0 or time.perf_counter() - started < _LEAST_SECONDS:
            call()
            calls += 1
        found.append((time.perf_counter() - started) / (calls * events))
    return statistics.median(found)


def exact_seconds(provider: Provider, final: FloatArray) -> float:
    """Of exact amplitudes of outgoing momenta (n, n_final, 4)."""
    momenta = with_beams(final)
    return seconds_per_event(lambda: provider.evaluate(momenta), len(momenta))


def surrogate_times(predictor: Predictor, final: FloatArray) -> SurrogateTimes:
    """Of a model with its features (all members of an ensemble), on outgoing momenta (n, n_final, 4) in one batch."""
    members = [_network_times(network, final, predictor.device) for network in predictor.networks]
    return SurrogateTimes(**{name: sum(getattr(m, name) for m in members) for name in SurrogateTimes.model_fields})


def _network_times(network: Network, final: FloatArray, device: torch.device) -> SurrogateTimes:
    batch = torch.from_numpy(np.ascontiguousarray(final)).to(device)
    n = len(batch)

    def synchronised(call: Callable[[], object]) -> Callable[[], object]:
        def run() -> None:
            call()
            if device.type == "cuda":
                torch.cuda.synchronize(device)

        return run

    total = seconds_per_event(synchronised(lambda: network.predict(batch)), n)
    reduced = 0.0
    arrays = {"momenta": batch, **(network.block.compute(batch) if network.block else {})}
    if isinstance(network.block, RadiationBlock | MultiRadiationBlock):
        provider = network.block.provider
        momenta = with_beams(arrays["reduced_momenta"].flatten(0, -3).cpu().numpy())
        reduced = seconds_per_event(lambda: provider.evaluate(momenta), n)
    with torch.no_grad():
        inputs = network.ansatz.inputs(arrays).expand(network.n_members, -1, -1)
        forward = seconds_per_event(synchronised(lambda: network.network.forward(network.layers, inputs)), n)
    return SurrogateTimes(
        total=total, features=max(total - reduced - forward, 0.0), reduced_amplitude=reduced, network=forward
    )
