"""Features depend neither on labels of identical particles nor on the frame along the beams, whatever is chosen."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from radiation_reference import canonical_events

from ampcli.factorisation.momenta import external_momenta
from ampcli.factorisation.radiation import SPECTATORS
from ampcli.features.blocks import FeatureBlock, make_block
from ampcli.features.canonical import canonical_order
from ampcli.phasespace.rambo import rambo
from ampcli.process import Process, parse_process

DDX, DG, GG = "d d~ > z g g g g", "d g > z d g g g", "g g > z d d~ g g"
PAPER = {"provider": "native"}
MIXED = [  # between the paper's choices and ours
    PAPER | {"pair": pair, "spectator": spectator, "inputs": inputs, "orient": orient}
    for pair, spectator, inputs, orient in itertools.product(
        ("product", "delta-r"), SPECTATORS, ("paper", "extended"), (False, True)
    )
]
CASES = [
    *((process, "invariants", {}) for process in (DDX, DG, GG, "u u > z u u")),
    *((DDX, name, PAPER) for name in ("fg1", "fg3", "fg1^2", "iq1", "iq2", "iq1^2", "fg1,iq1")),
    *((DG, name, PAPER) for name in ("fg1", "fq1", "ig1", "iq1", "fa1", "fq1^2", "fg1,ig1,fq1")),
    *((GG, name, PAPER) for name in ("fg1", "fq1", "ig1", "ig1^2")),
    *((DDX, name, choices) for name in ("fg1", "iq1") for choices in MIXED),
    *((DG, name, choices) for name in ("fq1", "ig1") for choices in MIXED),
]


def sample(process: Process, n: int) -> torch.Tensor:
    """Final states (n, n_final, 4) of jets with some pT, in frames that move along z."""
    rng = np.random.default_rng(1)
    final = rambo(rng.random((20 * n, process.n_final, 4)), 1000.0)
    final = final[np.hypot(final[..., 1], final[..., 2]).min(axis=1) > 20][:n]
    assert len(final) == n
    y, energy, pz = rng.uniform(-1.5, 1.5, (n, 1)), final[..., 0].copy(), final[..., 3].copy()
    final[..., 3] = np.cosh(y) * pz + np.sinh(y) * energy
    masses = np.array(process.final_masses)  # put on in the end: the events need not be flat
    final[..., 0] = np.sqrt((final[..., 1:] ** 2).sum(axis=2) + masses**2)
    return torch.from_numpy(np.ascontiguousarray(final))


def turned(final: torch.Tensor) -> torch.Tensor:
    cosine, sine = np.cos(2.0), np.sin(2.0)
    e, x, y, z = final.unbind(dim=2)
    return torch.stack([e, cosine * x - sine * y, sine * x + cosine * y, z], dim=2)


def reflected(final: torch.Tensor) -> torch.Tensor:
    return final * torch.tensor([1.0, 1.0, -1.0, 1.0])


def boosted(final: torch.Tensor) -> torch.Tensor:
    e, x, y, z = final.unbind(dim=2)
    return torch.stack([np.cosh(0.7) * e + np.sinh(0.7) * z, x, y, np.cosh(0.7) * z + np.sinh(0.7) * e], dim=2)


def mirrored(final: torch.Tensor) -> torch.Tensor:
    return final * torch.tensor([1.0, 1.0, 1.0, -1.0])


TRANSFORMATIONS: list[Callable[[torch.Tensor], torch.Tensor]] = [turned, reflected, boosted]


def relabelled(final: torch.Tensor, process: Process) -> torch.Tensor:
    """Identical particles in the reverse order."""
    order = list(range(process.n_final))
    for pdg in {leg.pdg for leg in process.outgoing}:
        places = [place for place, leg in enumerate(process.outgoing) if leg.pdg == pdg]
        for place, other in zip(places, reversed(places), strict=True):
            order[place] = other
    return final[:, order].contiguous()


def observed(block: FeatureBlock, final: torch.Tensor) -> torch.Tensor:
    """All that a model reads, side by side."""
    found = block.compute(final.contiguous())
    logs = [found[key].log().reshape(len(final), -1) for key in ("kernel", "reduced_amplitude") if key in found]
    return torch.cat([found["inputs"], *logs], dim=1)


@pytest.mark.parametrize(("name", "block", "choices"), CASES)
def test_nothing_changes(name, block, choices):
    process = parse_process(name)
    made, final = make_block(block, process, choices), sample(process, 40)
    usual = observed(made, final)
    for change in TRANSFORMATIONS:
        torch.testing.assert_close(observed(made, change(final)), usual, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(observed(made, relabelled(final, process)), usual, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("name", "block"), [(DDX, "fg1"), (DDX, "iq1"), (DDX, "iq1^2"), (GG, "ig1"), ("d d > z d d g", "iq1")]
)
def test_beams_may_be_exchanged_where_the_process_is_symmetric(name, block):
    process = parse_process(name)
    final = sample(process, 40)
    choices = {"provider": "native", "orient": True} if "d d >" not in name else {"orient": True}
    made = make_block(block, process, choices)
    if "d d >" in name:  # its reduced amplitudes are pyamplicol's: not needed here
        made._amplitude = lambda external: torch.ones(len(external), dtype=torch.float64)
    usual = made.compute(final)["inputs"]
    torch.testing.assert_close(made.compute(mirrored(final))["inputs"], usual, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("name", "block", "version", "moved_by"),
    [
        (DDX, "invariants", 1, [relabelled]),
        (DDX, "fg1", 2, [turned, reflected, boosted]),
        (DG, "fq1", 2, [turned, reflected, boosted]),
        (DG, "fg1,ig1", 1, [turned, reflected, boosted]),
    ],
)
def test_blocks_of_old_models_are_what_they_were(name, block, version, moved_by):
    process = parse_process(name)
    old, new = (make_block(block, process, PAPER if block != "invariants" else {}, v) for v in (version, None))
    assert (old.version, new.version) == (version, version + 1)
    final = sample(process, 40)
    for change in moved_by:
        other = change(final, process) if change is relabelled else change(final)
        assert (observed(old, other) - observed(old, final)).abs().max() > 1e-3


def test_improved_features_kept_their_version():
    improved = {"pair": "delta-r", "spectator": "gluon", "inputs": "extended", "orient": True}
    for block, version in (("fg1+", 2), ("fq1+", 2), ("fg1,ig1+", 1)):
        assert make_block(block, parse_process(DG), PAPER | improved).version == version
        assert make_block(block, parse_process(DG), PAPER | improved, version).version == version
        assert make_block(block, parse_process(DG), PAPER | improved, 7).version == version  # the caller compares


def test_the_canonical_event():
    process = parse_process(DG)
    final = sample(process, 50)
    events, order = canonical_events(final, process)
    torch.testing.assert_close(order, canonical_order(final, process))
    assert (order[:, :2] == torch.tensor([0, 1])).all()
    pt = torch.hypot(events[..., 1], events[..., 2])
    assert (pt[:, 2:].diff(dim=1) < 0).all()
    torch.testing.assert_close(pt, torch.hypot(final[..., 1], final[..., 2]).gather(1, order))
    assert events[..., 3].sum(dim=1).abs().max() < 1e-9
    beams = external_momenta(events)[:, :2, 0]
    torch.testing.assert_close(beams[:, 0], beams[:, 1])
    total, before = events.sum(dim=1), final.sum(dim=1)
    torch.testing.assert_close(total[:, 0] ** 2, before[:, 0] ** 2 - before[:, 3] ** 2)


def test_two_particles_of_one_pt():
    process = parse_process("d d~ > g g")
    final = sample(process, 40)
    made = make_block("invariants", process, {})
    usual = observed(made, final)
    for changed in (final.flip(1), turned(final), boosted(final)):
        torch.testing.assert_close(observed(made, changed), usual, rtol=1e-10, atol=1e-10)
