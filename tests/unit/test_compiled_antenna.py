"""Antennae in the compiled pass against those in torch, for every instruction set of this machine."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from ampcli.amplitudes.native.provider import Native
from ampcli.features.antenna import AntennaBlock
from ampcli.features.blocks import make_block, new_options
from ampcli.inference.compiled.engine import Member, bundle_of, ways
from ampcli.inference.load import load_predictor
from ampcli.inference.network import TrainedNetwork
from ampcli.inference.probe import read_probe
from ampcli.instructions import instruction_set
from ampcli.kinematics import with_beams
from ampcli.models.antenna import AntennaAnsatz
from ampcli.models.factorised import FactorisedAnsatz
from ampcli.models.mlp import Mlp
from ampcli.models.options import LikelihoodOptions
from ampcli.phasespace.rambo import rambo
from ampcli.process import parse_process
from ampcli.records.architecture import Architecture
from ampcli.registry.resolve import resolve
from ampcli.registry.search import find_registry

_ORDER = ("baseline", "avx2", "avx512")
SETS = _ORDER[: _ORDER.index(instruction_set()) + 1]
WAYS = [(on, way) for on in SETS for way in ways(on)]

#: Largest relative difference of |M|^2 and its median, as in test_compiled_networks.py; 5 times that of sigma.
LARGEST = {"single": 1e-5, "split": 2e-4}
MEDIAN = {"single": 1e-6, "split": 2e-5}

#: One to four gluons, in every kind of place.
PROCESSES = ["e- e+ > d d~ g", "e- e+ > u~ g u", "e- e+ > g d g d~", "e- e+ > d d~ g g g", "e- e+ > g g d~ d g g"]
SHIPPED = [f"ee-{jets}jets@{version}" for jets in (3, 4, 5) for version in (1, 2)]


def sample(legs: int, n: int, seed: int = 2) -> Tensor:
    """Outgoing momenta at 1 TeV, flat in phase space."""
    return torch.from_numpy(np.ascontiguousarray(rambo(np.random.default_rng(seed).random((n, legs, 4)), 1000.0)))


def symmetric(text: str, n: int = 50) -> Tensor:
    """Events at 1 TeV in which quark and antiquark have one energy, and all gluons one: nothing orders them."""
    process = parse_process(text)
    gluons = process.final_positions("gluon")
    rng = np.random.default_rng(4)
    turned = np.linalg.qr(rng.normal(size=(n, 3, 3)))[0]  # columns: three axes at right angles
    final = np.zeros((n, process.n_final, 4))
    for sign, kind in ((1, "quark"), (-1, "antiquark")):
        final[:, process.final_positions(kind)[0], 1:] = turned @ np.array([sign * 0.7, sign * 0.4, 0.8])
    for k, gluon in enumerate(gluons):
        angle, radius = 2 * np.pi * k / len(gluons), 0.0 if len(gluons) == 1 else 0.9
        final[:, gluon, 1:] = turned @ np.array([radius * np.cos(angle), radius * np.sin(angle), -1.6 / len(gluons)])
    final[..., 0] = np.linalg.norm(final[0, :, 1:], axis=1).round(12)
    return torch.from_numpy(final * (1000.0 / final[:, :, 0].sum(axis=1)[:, None, None]))


def untrained(text: str, kind: type[AntennaAnsatz] | type[FactorisedAnsatz]) -> TrainedNetwork:
    """A network with random weights, whose scales are those of a sample."""
    process = parse_process(text)
    block = make_block("antenna", process, new_options("antenna", Native(process).identity()))
    final = sample(process.n_final, 300, seed=3)
    exact = torch.from_numpy(Native(process).evaluate(with_beams(final.numpy())))
    ansatz = kind.fit(process, {"momenta": final, **block.compute(final)}, exact, LikelihoodOptions())
    architecture = Architecture(
        hidden=(24, 24), activation="gelu", residual=False, inputs=ansatz.n_inputs, outputs=ansatz.n_outputs
    )
    parameters = Mlp.of(architecture).initialise([5])[0]
    return TrainedNetwork.build(ansatz, architecture, block, parameters, torch.device("cpu"))


def content_of(network: TrainedNetwork) -> dict:
    content = bundle_of(network.network, network.ansatz, network.block)
    assert content is not None
    return {**content, "parameters": network.parameters.numpy()}


def require_same(found: tuple[Tensor, Tensor], expected: tuple[Tensor, Tensor], way: str) -> None:
    for ours, theirs, factor in zip(found, expected, (1, 5), strict=True):
        difference = (ours / theirs - 1).abs()
        assert difference.max() < factor * LARGEST[way]
        assert difference.median() < factor * MEDIAN[way]


@pytest.mark.parametrize("text", PROCESSES)
@pytest.mark.parametrize("on", SETS)
def test_features_are_those_of_torch(text: str, on: str) -> None:
    network = untrained(text, AntennaAnsatz)
    member = Member(content_of(network), "single", on)
    block = network.block
    assert isinstance(block, AntennaBlock)
    for final in (sample(block.process.n_final, 500), symmetric(text)):
        arrays = network.arrays(final)
        found, expected = member.terms(final), arrays["terms"]
        assert found.shape == expected.shape
        strings, azimuths = block.n_strings, block.n_azimuths
        torch.testing.assert_close(found[:, :strings], expected[:, :strings], rtol=1e-10, atol=0)
        # cos and sin cross zero: relative to the antennae that they multiply
        strength = torch.hypot(expected[:, strings : strings + azimuths], expected[:, strings + azimuths :]).repeat(
            1, 2
        )
        assert ((found[:, strings:] - expected[:, strings:]).abs() <= 1e-10 * strength).all()
        torch.testing.assert_close(member.inputs(final), network.ansatz.inputs(arrays), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_models(name: str) -> None:
    predictor = load_predictor(name, device="cpu")
    [network] = predictor.networks
    probe = read_probe(resolve(find_registry(), name), predictor.manifest)["momenta"]
    for final in (probe, symmetric(str(predictor.process))):
        for on, way in WAYS:
            found = Member(content_of(network), way, on).predict(final)
            require_same(found, network.predict(network.arrays(final)), way)


def test_an_ansatz_of_another_kind() -> None:
    network = untrained("e- e+ > d d~ g g", FactorisedAnsatz)
    final = sample(4, 200)
    for on, way in WAYS:
        found = Member(content_of(network), way, on).predict(final)
        require_same(found, network.predict(network.arrays(final)), way)


def test_momenta_that_are_no_numbers() -> None:
    network = untrained("e- e+ > d d~ g g", AntennaAnsatz)
    for component in range(4):
        final = sample(4, 12)
        for event in range(4):
            final[event, event, component] = torch.nan
        amplitude, _ = Member(content_of(network), "single").predict(final)
        assert amplitude.isnan().nonzero().flatten().tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("table", ["quarks", "gluons", "chains", "terms", "splittings"])
@pytest.mark.parametrize("number", [-2, 1000])
def test_damaged_tables(table: str, number: int) -> None:
    content = content_of(untrained("e- e+ > d d~ g g", AntennaAnsatz))
    damaged = content[f"antenna/{table}"].copy()
    damaged.flat[-1] = number
    with pytest.raises(ValueError, match="damaged"):
        Member({**content, f"antenna/{table}": damaged})


def test_parts_that_do_not_fit() -> None:
    content = content_of(untrained("e- e+ > d d~ g g", AntennaAnsatz))
    fewer = {name: value for name, value in content.items() if name != "antenna/scales"}
    with pytest.raises(ValueError, match="correction is missing"):
        Member(fewer)
    process = parse_process("e- e+ > d d~ g g")
    radiation = make_block("fg1", process, new_options("fg1", Native(process).identity()))
    foreign = bundle_of(radiation)
    assert foreign is not None
    without = {name: value for name, value in content.items() if not name.startswith("antenna/")}
    with pytest.raises(ValueError, match="no antennae"):
        Member({**without, **foreign, "antenna/scales": content["antenna/scales"]})
    with pytest.raises(ValueError, match="does not fit the features"):
        Member({**content, "widths": np.array([22, 5], dtype=np.int32)})
    with pytest.raises(ValueError, match="cannot multiply"):
        Member(content, "double")
