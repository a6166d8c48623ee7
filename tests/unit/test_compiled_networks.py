"""The compiled pass from momenta to amplitudes against the one in torch, for every instruction set of this machine."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from torch import Tensor

from ampcli.amplitudes.native.provider import Native
from ampcli.errors import UsageError
from ampcli.features.blocks import make_block, new_options
from ampcli.inference.compiled.engine import Member, bundle_of, ways
from ampcli.inference.load import load_predictor
from ampcli.inference.network import TrainedNetwork
from ampcli.inference.probe import read_probe
from ampcli.instructions import instruction_set
from ampcli.kinematics import with_beams
from ampcli.models.ansatz import Arrays
from ampcli.models.factorised import FactorisedAnsatz
from ampcli.models.mlp import Mlp
from ampcli.models.options import LikelihoodOptions
from ampcli.phasespace.rambo import rambo
from ampcli.process import Process, parse_process
from ampcli.records.architecture import Architecture
from ampcli.registry.resolve import resolve
from ampcli.registry.search import find_registry

_ORDER = ("baseline", "avx2", "avx512")
WAYS = [(on, way) for on in _ORDER[: _ORDER.index(instruction_set()) + 1] for way in ways(on)]

#: Largest difference of ln|M|^2 and its median; those of ln sigma, which is about -5 where networks give numbers of
#: order one, may be 5 times larger.  Sums are in single precision; of factors that are split for the matrix unit, 2^-17
#: is dropped.
LARGEST = {"single": 1e-5, "split": 2e-4}
MEDIAN = {"single": 1e-6, "split": 2e-5}

#: Reduced amplitudes of one quark line or two gluons less: every radiation, and none.
CASES = [
    ("d d~ > z g g g g", ("fg1", "fg1+", "fg2", "fg1^2", "fg1^2+", "iq1", "iq2^2", "fg1,iq1+", "invariants")),
    ("d g > z d g g g", ("fq1", "fa1", "ig1+", "fg1,ig1,fq1", "invariants")),
    ("e- e+ > d d~ g g", ("fg1",)),
    ("d d~ > z g", ("invariants",)),
]
SHIPPED = ["ddx-zgggg-fg1", "ddx-zgggg-iq1", "ddx-zgggg-nofa", "ddx-zgggg-nofa@1", "dg-zdggg-fq1", "dg-zdggg-ig1"]


def sample(process: Process, n: int, seed: int = 2, energy: float = 1000.0) -> Tensor:
    """Outgoing momenta, flat in phase space, of moving protons' partons."""
    rng = np.random.default_rng(seed)
    final = rambo(rng.random((n, process.n_final, 4)), energy)
    if process.incoming[0].kind != "lepton":
        y = rng.uniform(-1.5, 1.5, (n, 1))
        final[..., 3] = np.cosh(y) * final[..., 3] + np.sinh(y) * final[..., 0]
    final[..., 0] = np.sqrt((final[..., 1:] ** 2).sum(axis=2) + np.array(process.final_masses) ** 2)
    return torch.from_numpy(np.ascontiguousarray(final))


def untrained(text: str, block_name: str, hidden=(32, 48), activation="gelu", residual=False) -> TrainedNetwork:
    """A network with random weights, whose scales are those of a sample."""
    process = parse_process(text)
    provider = Native(process)
    block = make_block(block_name, process, new_options(block_name, provider.identity()))
    final = sample(process, 500, seed=3)
    arrays = {"momenta": final, **block.compute(final)}
    exact = torch.from_numpy(provider.evaluate(with_beams(final.numpy())))
    ansatz = FactorisedAnsatz.fit(process, arrays, exact, LikelihoodOptions())
    architecture = Architecture(
        hidden=hidden, activation=activation, residual=residual, inputs=ansatz.n_inputs, outputs=ansatz.n_outputs
    )
    network = Mlp.of(architecture)
    parameters = network.initialise([11])[0]
    return TrainedNetwork.build(ansatz, architecture, block, parameters, torch.device("cpu"))


def compiled(network: TrainedNetwork, on: str, way: str) -> Member:
    content = bundle_of(network.network, network.ansatz, network.block)
    assert content is not None
    return Member({**content, "parameters": network.parameters.numpy()}, way, on)


def require_same(found: tuple[Tensor, Tensor], expected: tuple[Tensor, Tensor], way: str) -> None:
    for ours, theirs, factor in zip(found, expected, (1, 5), strict=True):
        difference = (ours.log() - theirs.log()).abs()
        assert difference.max() < factor * LARGEST[way]
        assert difference.median() < factor * MEDIAN[way]


@pytest.mark.parametrize(("text", "block"), [(text, block) for text, blocks in CASES for block in blocks])
def test_every_radiation(text: str, block: str) -> None:
    network = untrained(text, block)
    final = sample(network.block.process if hasattr(network.block, "process") else parse_process(text), 333)
    arrays = network.arrays(final)
    for on, way in WAYS:
        member = compiled(network, on, way)
        require_same(member.predict(final), network.predict(arrays), way)
        given = network.ansatz.inputs(arrays)
        torch.testing.assert_close(member.inputs(final), given, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("energy", [1e3, 1e9])
def test_reduced_amplitudes_in_single_precision_whatever_their_size(energy: float) -> None:
    """1e-39 GeV^-4 lies below what single precision holds."""
    network = untrained("d d~ > z g g g g", "fg1+", hidden=(8,))
    final = sample(parse_process("d d~ > z g g g g"), 200, energy=energy)
    arrays = network.arrays(final)
    exact = (arrays["kernel"] * arrays["reduced_amplitude"]).log()
    for on, way in WAYS:
        difference = (compiled(network, on, way).terms(final)[:, 0] - exact).abs()
        assert difference.max() < 2e-5
        assert difference.median() < 1e-6


@pytest.mark.parametrize(
    ("hidden", "activation", "residual"),
    [((5,), "tanh", False), ((128, 256, 65), "tanh", False), ((33,) * 3, "tanh", True), ((160,) * 7, "gelu", True),
     ((16,), "gelu", True), ((7, 300, 20, 4), "gelu", False)],
)  # fmt: skip
def test_every_shape_of_network(hidden, activation, residual) -> None:
    network = untrained("d d~ > z g g g", "fg1", hidden, activation, residual)
    final = sample(parse_process("d d~ > z g g g"), 200)
    expected = network.predict(network.arrays(final))
    for on, way in WAYS:
        require_same(compiled(network, on, way).predict(final), expected, way)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_models(name: str) -> None:
    predictor = load_predictor(name, device="cpu")
    [network] = predictor.networks
    final = read_probe(resolve(find_registry(), name), predictor.manifest)["momenta"]
    for on, way in WAYS:
        require_same(compiled(network, on, way).predict(final), network.predict(network.arrays(final)), way)


def test_a_predictor_uses_it() -> None:
    predictor = load_predictor("ddx-zgggg-fg1", device="cpu")
    [network] = predictor.networks
    final = read_probe(resolve(find_registry(), "ddx-zgggg-fg1"), predictor.manifest)["momenta"]
    assert network.compiled is not None
    expected, relative = network.compiled.predict(final)
    found = predictor.predicted(final.numpy())
    np.testing.assert_array_equal(found.amplitude, expected.numpy())
    np.testing.assert_array_equal(found.bare, (expected * relative).numpy())


@pytest.mark.parametrize(("on", "way"), WAYS)
def test_batches_and_threads_change_nothing(on: str, way: str) -> None:
    member = compiled(untrained("d d~ > z g g g", "fg1"), on, way)
    final = sample(parse_process("d d~ > z g g g"), 1000)
    threads = torch.get_num_threads()
    together, _ = member.predict(final)
    try:
        torch.set_num_threads(3)
        torch.testing.assert_close(member.predict(final)[0], together, rtol=0, atol=0)
    finally:
        torch.set_num_threads(threads)
    for first, last in ((0, 1), (5, 100), (96, 192), (999, 1000), (3, 3)):
        torch.testing.assert_close(member.predict(final[first:last])[0], together[first:last], rtol=0, atol=0)


def test_events_without_an_amplitude_are_left_to_torch() -> None:
    network = untrained("d d~ > z g g g", "fg1")
    final = sample(parse_process("d d~ > z g g g"), 20)
    good, _ = network.predict_momenta(final)
    assert good.isfinite().all()
    final[7, 1] = torch.nan
    assert network.compiled is not None
    assert network.compiled.predict(final)[0].isnan().nonzero().flatten().tolist() == [7]
    with pytest.raises(UsageError, match="event 0"):
        network.predict_momenta(final)


def test_parts_that_do_not_fit() -> None:
    network = untrained("d d~ > z g g g", "fg1")
    content = bundle_of(network.network, network.ansatz, network.block)
    assert content is not None
    parameters = network.parameters.numpy()
    with pytest.raises(ValueError, match="parameters has the shape"):
        Member({**content, "parameters": parameters[:-1]})
    with pytest.raises(ValueError, match="mean has the shape"):
        Member({**content, "parameters": parameters, "mean": np.zeros(3)})
    with pytest.raises(ValueError, match="does not fit the features"):
        Member({**content, "parameters": parameters, "widths": np.array([3, 2], dtype=np.int32)})
    with pytest.raises(ValueError, match="momenta of another process"):
        network.compiled.predict(torch.zeros((2, 3, 4), dtype=torch.float64))


def test_kinds_without_a_compiled_pass() -> None:
    network = untrained("d d~ > z g g g", "fg1")
    assert bundle_of(network.network, network.ansatz, None) is None
    assert (
        bundle_of(network.network, network.ansatz, make_block("momenta", parse_process("d d~ > z g g g"), {})) is None
    )


def test_a_class_that_inherits_is_not_taken_for_its_parent() -> None:
    class Other(FactorisedAnsatz):
        def amplitude(self, outputs: Tensor, arrays: Arrays) -> Tensor:
            return 2 * super().amplitude(outputs, arrays)

    network = untrained("d d~ > z g g g", "fg1")
    given = {field.name: getattr(network.ansatz, field.name) for field in fields(network.ansatz)}
    other = replace(network, ansatz=Other(**given))
    assert network.compiled is not None
    assert other.compiled is None
    final = sample(parse_process("d d~ > z g g g"), 10)
    torch.testing.assert_close(
        other.predict_momenta(final)[0], 2 * network.predict_momenta(final)[0], rtol=1e-3, atol=0
    )
