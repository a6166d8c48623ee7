"""Seconds per event of exact amplitudes, surrogates and mixtures, one thread."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

import numpy as np
import torch
from pydantic import FiniteFloat

from ampcli.amplitudes.protocol import Provider
from ampcli.features.blocks import ReducingBlock, kind_of
from ampcli.inference.network import TrainedNetwork
from ampcli.inference.predictor import Predictor
from ampcli.kinematics import FloatArray, checked_momenta, with_beams
from ampcli.records.base import Frozen
from ampcli.uncertainty.covariance import combine_by_covariance

_REPEATS = 5
_LEAST_SECONDS = 0.1  # of a repeat
_MOST_SECONDS = 10.0  # of all repeats, beyond the first


class SurrogateTimes(Frozen):
    """Seconds per event: `total` is measured as a whole, `features` is what the parts leave of it (the combination of
    an ensemble's members is in it).

    Attributes:
        total: of a prediction as a whole.
        features: of inputs, and of all that is not below.
        reduced_amplitude: of reduced amplitudes.
        network: of networks.
    """

    total: FiniteFloat
    features: FiniteFloat
    reduced_amplitude: FiniteFloat
    network: FiniteFloat


def seconds_per_event(call: Callable[[], object], events: int) -> float:
    """Median over repeats of at least 0.1 s each, after one call that does not count.

    What takes more than 10 s is repeated less often, but once.
    """
    call()
    return _median(lambda: _once(call, events))


def times_faster(call: Callable[[], object], events: int, other: Callable[[], object], others: int) -> float:
    """How many times faster one call does its events than another: the median of ratios, both taken in turn, since
    other work on the machine slows both.
    """
    call()
    other()
    return _median(lambda: _once(other, others) / _once(call, events))


def _median(measure: Callable[[], float]) -> float:
    found: list[float] = []
    begun = time.perf_counter()
    while len(found) < _REPEATS and (not found or time.perf_counter() - begun < _MOST_SECONDS):
        found.append(measure())
    return statistics.median(found)


def _once(call: Callable[[], object], events: int) -> float:
    calls, started = 0, time.perf_counter()
    while calls == 0 or time.perf_counter() - started < _LEAST_SECONDS:
        call()
        calls += 1
    return (time.perf_counter() - started) / (calls * events)


def exact_seconds(provider: Provider, momenta: FloatArray) -> float:
    """Of exact amplitudes of momenta (n, n_external, 4), which providers check first."""
    return seconds_per_event(lambda: provider.evaluate(momenta), len(momenta))


def check_seconds(provider: Provider, momenta: FloatArray) -> float:
    """Of looking whether momenta (n, n_external, 4) are physical, as exact amplitudes do."""
    return seconds_per_event(lambda: checked_momenta(momenta, provider.process), len(momenta))


def combination_seconds(events: int) -> float:
    """Of combining two predictions by their covariance."""
    amplitudes, relative = torch.ones((2, events)).double(), torch.full((2, events), 0.01).double()
    correlation = torch.eye(2, dtype=torch.float64)
    return seconds_per_event(lambda: combine_by_covariance(amplitudes, relative, correlation), events)


def surrogate_times(predictor: Predictor, final: FloatArray) -> SurrogateTimes:
    """Of a model with its features (all members of an ensemble), on outgoing momenta (n, n_final, 4) in one batch."""
    total = seconds_per_event(lambda: predictor.predict_final(final), len(final))
    reduced, network = _parts(predictor.networks, final, predictor.device)
    return SurrogateTimes(
        total=total, features=max(total - reduced - network, 0.0), reduced_amplitude=reduced, network=network
    )


def _parts(networks: Sequence[TrainedNetwork], final: FloatArray, device: torch.device) -> tuple[float, float]:
    """Seconds per event of all reduced amplitudes, and of all networks with what their ansaetze make of the outputs."""
    batch = torch.from_numpy(np.ascontiguousarray(final)).to(device)
    reduced = forward = 0.0
    for network in networks:
        arrays = network.arrays(batch)
        block = network.block
        if block is not None and kind_of(block.name).undoes_emissions(block.name):
            provider = cast(ReducingBlock, block).provider
            momenta = with_beams(arrays["reduced_momenta"].flatten(0, -3).cpu().numpy())
            reduced += exact_seconds(provider, momenta) * len(momenta) / len(batch)
        if (member := network.compiled) is not None:
            whole = seconds_per_event(partial(member.predict, batch), len(batch))
            forward += max(whole - seconds_per_event(partial(member.inputs, batch), len(batch)), 0.0)
            continue
        with torch.no_grad():
            inputs = network.ansatz.inputs(arrays).expand(network.n_members, -1, -1)

            def run(network: TrainedNetwork = network, inputs: torch.Tensor = inputs) -> None:
                network.network.forward(network.layers, inputs)
                if device.type == "cuda":
                    torch.cuda.synchronize(device)

            forward += seconds_per_event(run, len(batch))
    return reduced, forward
