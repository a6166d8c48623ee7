"""The feature blocks of radiations, against plain loops over events, and invariants."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from ampcli.amplitudes.native.couplings import Parameters
from ampcli.amplitudes.native.provider import Native
from ampcli.errors import UsageError
from ampcli.factorisation.momenta import external_momenta, external_products
from ampcli.factorisation.radiation import parse_radiation, reduced_process
from ampcli.features.blocks import default_choices, make_block
from ampcli.features.fame import FameBlock
from ampcli.features.momenta import InvariantsBlock, log_invariants
from ampcli.features.radiation import RadiationBlock
from ampcli.kinematics import min_invariant, with_beams
from ampcli.phasespace.rambo import rambo, with_masses
from ampcli.process import Process, parse_process

METRIC = np.array([1.0, -1.0, -1.0, -1.0])
ALPHA_S = 0.118

BLOCKS = [
    ("d d~ > z g g g g", "fg1"),
    ("d d~ > z g g g g", "fg2"),
    ("d d~ > z g g g g", "fg6"),
    ("d d~ > z g g g g", "iq1"),
    ("d d~ > z g g g g", "iq3"),
    ("d g > z d g g g", "fg1"),
    ("d g > z d g g g", "fq1"),
    ("d g > z d g g g", "ig2"),
    ("d g > z d g g g", "iq1"),
    ("g d~ > g z g d~", "fg1"),
    ("g d~ > g z g d~", "ig1"),
    ("g g > z d d~ g g", "fq1"),
    ("g g > z d d~ g g", "ig3"),
    ("d d~ > z g g g g", "fg1^2"),
    ("d d~ > z g g g g", "iq1^2"),
    ("d d~ > z g g g", "iq2^2"),
    ("d g > z d g g g", "fg1^2"),
    ("d g > z d g g g", "fq1^2"),
    ("g g > z d d~ g g", "fq1^2"),
    ("g g > z d d~ g g", "ig1^2"),
    ("g g > z g g d d~", "fq1^2"),  # the quarks move up when a gluon goes
]


def sample(process: Process, n: int, seed: int = 1, rapidity: float = 1.5) -> torch.Tensor:
    """Final states (n, n_final, 4) of jets with some distance, in frames that move along z."""
    rng = np.random.default_rng(seed)
    final = np.ascontiguousarray(rambo(rng.random((20 * n + 200, process.n_final, 4)), 1000.0))
    transverse = np.hypot(final[..., 1], final[..., 2]).min(axis=1)
    final = final[(min_invariant(final) > 1e-3 * 1000**2) & (transverse > 20)][:n]
    assert len(final) == n
    masses = np.array(process.final_masses)
    final = with_masses(final, process.final_masses)
    y = rng.uniform(-rapidity, rapidity, (n, 1))
    energy, pz = final[..., 0].copy(), final[..., 3].copy()
    final[..., 3] = np.cosh(y) * pz + np.sinh(y) * energy
    final[..., 0] = np.sqrt((final[..., 1:] ** 2).sum(axis=2) + masses**2)
    return torch.from_numpy(final)


def dot(p: np.ndarray, q: np.ndarray) -> float:
    return float((p * q * METRIC).sum(-1))


@dataclass
class Step:
    """One emission undone, of one event."""

    legs: tuple[int, int, int]
    ranked: list[tuple[int, int]]
    variables: tuple[float, float]
    kernel: float
    momenta: np.ndarray
    merged: int


def undo(p: np.ndarray, names: list[str], kind: str, rank: int, shared: int | None, paper: bool) -> Step:
    """A plain transcription for one event: `names` of the legs, `kind` as fg; `shared` must be among the pair."""
    gluons = [i for i in range(2, len(names)) if names[i] == "g"]
    jets = [i for i in range(2, len(names)) if names[i] != "z"]
    sort = {"g": ["g"], "q": ["d", "d~"]}[kind[1]]
    emitters = [i for i in ((0, 1) if kind[0] == "i" else jets) if names[i] in sort]
    pairs = [(i, j) for i in emitters for j in gluons if (i < j if kind == "fg" else i != j)]
    ranked = sorted(pairs, key=lambda pair: dot(p[pair[0]], p[pair[1]]))
    i, j = ranked[rank - 1] if shared is None else next(pair for pair in ranked if shared in pair)
    if kind == "fg" and p[j, 0] > p[i, 0]:
        i, j = j, i
    k = max((leg for leg in jets if leg not in (i, j)), key=lambda leg: p[leg, 0])
    pij, pik, pjk = dot(p[i], p[j]), dot(p[i], p[k]), dot(p[j], p[k])
    if kind[0] == "f":
        y, z = pij / (pij + pjk + pik), pik / (pik + pjk)
        if kind == "fg":
            value = 6 * (1 / (1 - z * (1 - y)) + 1 / (1 - (1 - z) * (1 - y)) - 2 + (0 if paper else z * (1 - z)))
        else:
            value = 4 / 3 * (2 / (1 - z * (1 - y)) - 1 + (z if paper else -z))
        value, variables = value / pij, (y, z)
        emitter, spectator = p[i] + p[j] - y / (1 - y) * p[k], p[k] / (1 - y)
    else:
        x, u = (pik + pij - pjk) / (pik + pij), pij / (pij + pik)
        if kind == "ig":
            value = 6 * (1 / (1 - x + u) + (0 if paper else (1 - x) / x) - 1 + x * (1 - x))
        else:
            value = (8 if paper else 4) / 3 * (2 / (1 - x + u) - 1 - x)
        value, variables = max(value, 1e-2) / (x * pij), (x, u)
        emitter, spectator = x * p[i], p[k] + p[j] - (1 - x) * p[i]
    momenta = p.copy()
    momenta[i], momenta[k] = emitter, spectator
    last = gluons[-1]  # takes the place of the emitted gluon
    momenta[j] = momenta[last]
    merged = j if i == last else i
    kernel = 4 * math.pi * ALPHA_S * value
    reduced = np.delete(momenta, last, axis=0)
    return Step((i, j, k), ranked, variables, kernel, reduced, merged - (merged > last))


def by_hand(final: torch.Tensor, process: str, name: str, paper: bool = False) -> list[list[Step]]:
    """The steps of each event."""
    kind, rank = name[:2], int(name[2])
    events = []
    for event in with_beams(final.numpy()):
        names = process.replace(">", "").split()
        steps = [undo(event, names, kind, rank, None, paper)]
        if name.endswith("^2"):
            del names[max(i for i in range(2, len(names)) if names[i] == "g")]
            steps.append(undo(steps[0].momenta, names, kind, rank, steps[0].merged, paper))
        events.append(steps)
    return events


def canonical(final: torch.Tensor, process: str) -> tuple[torch.Tensor, list[list[int]]]:
    """Events, one by one, at rest along z and with their gluons by pT; and where each particle was."""
    names = process.partition(">")[2].split()
    gluons = [place for place, name in enumerate(names) if name == "g"]
    events, orders = [], []
    for event in final.numpy():
        total = event.sum(axis=0)
        y = math.atanh(total[3] / total[0])
        order = list(range(len(names)))
        for place, gluon in zip(gluons, sorted(gluons, key=lambda g: -math.hypot(*event[g, 1:3])), strict=True):
            order[place] = gluon
        moved = event[order].copy()
        moved[:, 0] = math.cosh(y) * event[order, 0] - math.sinh(y) * event[order, 3]
        moved[:, 3] = math.cosh(y) * event[order, 3] - math.sinh(y) * event[order, 0]
        events.append(moved)
        orders.append(order)
    return torch.from_numpy(np.array(events)), orders


def block_of(process: str, name: str, version: int | None = None, **options: object) -> RadiationBlock:
    made = make_block(name, parse_process(process), options, version)
    assert isinstance(made, RadiationBlock)
    return made


def test_external_momenta():
    final = sample(parse_process("d d~ > z g g g"), 100)
    external = external_momenta(final)
    assert external.shape == (100, 6, 4)
    assert torch.equal(external[:, 2:], final)
    np.testing.assert_allclose(external, with_beams(final.numpy()), rtol=1e-14, atol=1e-12)
    imbalance = external[:, :2].sum(1) - external[:, 2:].sum(1)
    assert imbalance.abs().max() < 1e-9
    assert (external[:, 0, 0] == external[:, 0, 3]).all()
    assert (external[:, 1, 0] == -external[:, 1, 3]).all()
    assert (external[:, :2, 1:3] == 0).all()
    assert (external[:, 0, 0] / external[:, 1, 0]).log().abs().max() > 1  # the lab is not the centre of mass


@pytest.mark.parametrize("name", ["d d~ > z g g g", "d g > g z d g", "e- e+ > d d~ g g"])
def test_products(name):
    process = parse_process(name)
    external = external_momenta(sample(process, 200))
    found = external_products(external, process)
    p = external.numpy()
    expected = np.einsum("nia,nja,a->nij", p, p, METRIC)
    off_diagonal = ~np.eye(process.n_external, dtype=bool)
    np.testing.assert_allclose(found.numpy()[:, off_diagonal], expected[:, off_diagonal], rtol=1e-9)
    assert torch.equal(found, found.transpose(1, 2))
    assert found.is_contiguous()


def test_log_invariants():
    rng = np.random.default_rng(3)
    found = np.exp(rng.normal(size=(7, 5, 5)))
    found = found + found.transpose(0, 2, 1)
    order = np.stack([rng.permutation(5) for _ in range(7)])
    logs = log_invariants(torch.from_numpy(found), torch.from_numpy(order)).numpy()
    pairs = list(itertools.combinations(range(5), 2))
    expected = [[math.log(found[n, order[n, a], order[n, b]]) for a, b in pairs] for n in range(7)]
    np.testing.assert_allclose(logs, expected, rtol=1e-14)


def test_invariants_block():
    process = parse_process("d g > z d g")
    made = make_block("invariants", process, {})
    assert isinstance(made, InvariantsBlock)
    assert (made.name, made.version, made.options, made.shapes()) == ("invariants", 2, {}, {"inputs": (10,)})
    final = sample(process, 50)
    (inputs,) = made.compute(final).values()
    for p, row in zip(with_beams(final.numpy()), inputs.numpy(), strict=True):
        expected = [math.log(dot(p[i], p[j])) for i in range(5) for j in range(i + 1, 5)]
        np.testing.assert_allclose(row, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("process", "name"), BLOCKS)
def test_shapes(process, name):
    made = block_of(process, name)
    steps, parsed = (2 if "^" in name else 1), parse_process(process)
    n, legs = parsed.n_final, parsed.n_external
    assert made.name == name
    assert made.shapes() == {
        "legs": (3 * steps,),
        "variables": (2 * steps,),
        "kernel": (),
        "reduced_momenta": (n - steps, 4),
        "reduced_amplitude": (),
        "inputs": (legs * (legs - 1) // 2 + 7 + 2 * steps,),
    }
    assert block_of(process, name, 2).shapes()["inputs"] == (legs * (legs - 1) // 2 + 8 + 2 * steps,)
    found = made.compute(sample(parsed, 5))
    assert {key: tuple(value.shape) for key, value in found.items()} == {
        key: (5, *shape) for key, shape in made.shapes().items()
    }
    assert {value.dtype for value in found.values()} == {torch.float64}


@pytest.mark.parametrize(("version", "kernel"), [(2, "corrected"), (None, "corrected"), (None, "paper")])
@pytest.mark.parametrize(("process", "name"), BLOCKS)
def test_a_loop_over_events_finds_the_same(process, name, version, kernel):
    parsed = parse_process(process)
    final = sample(parsed, 60)
    found = block_of(process, name, version, kernel=kernel).compute(final)
    seen, orders = canonical(final, process)
    if version == 2:
        seen, orders = final, [list(range(parsed.n_final))] * 60
    events = by_hand(seen, process, name, paper=kernel == "paper")
    legs = [
        [leg if leg < 2 else 2 + order[leg - 2] for leg in steps[0].legs] + [k for s in steps[1:] for k in s.legs]
        for steps, order in zip(events, orders, strict=True)
    ]
    np.testing.assert_array_equal(found["legs"], legs)
    variables = [[v for step in steps for v in step.variables] for steps in events]
    np.testing.assert_allclose(found["variables"], variables, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found["kernel"], [math.prod(s.kernel for s in steps) for steps in events], rtol=1e-8)
    reduced = np.array([steps[-1].momenta[2:] for steps in events])
    np.testing.assert_allclose(found["reduced_momenta"], reduced, rtol=0, atol=1e-8)


@pytest.mark.parametrize(("process", "name"), BLOCKS)
def test_reduced_events_are_physical_and_their_amplitude_is_the_providers(process, name):
    final = canonical(sample(parse_process(process), 40), process)[0]
    found = block_of(process, name).compute(final)
    reduced = parse_process(process)
    for _ in range(2 if "^" in name else 1):
        reduced = reduced_process(reduced)
    momenta = found["reduced_momenta"].numpy()
    masses2 = np.array(reduced.final_masses) ** 2
    off_shell = np.abs((momenta**2 * METRIC).sum(axis=2) - masses2) / momenta[..., 0] ** 2
    assert (momenta[..., 0] > 0).all()
    assert off_shell.max() < 1e-10
    before, after = final.numpy().sum(axis=1), momenta.sum(axis=1)
    if name[0] == "f":
        np.testing.assert_allclose(after, before, rtol=1e-12, atol=1e-9)
    else:  # one beam is slower; nothing is left across
        np.testing.assert_allclose(after[:, 1:3], before[:, 1:3], rtol=0, atol=1e-9)
        beams = np.stack([after[:, 0] + after[:, 3], after[:, 0] - after[:, 3]], axis=1) / 2
        full = with_beams(final.numpy())[:, :2, 0]
        emitters = found["legs"][:, 0].long().numpy()
        rows = np.arange(len(final))
        np.testing.assert_allclose(beams[rows, 1 - emitters], full[rows, 1 - emitters], rtol=1e-12)
        x = found["variables"].numpy()[:, ::2].prod(axis=1)
        np.testing.assert_allclose(beams[rows, emitters], x * full[rows, emitters], rtol=1e-11)
    exact = Native(reduced).evaluate(with_beams(momenta))
    np.testing.assert_allclose(found["reduced_amplitude"], exact, rtol=1e-9)


@pytest.mark.parametrize("name", ["fg1", "iq1"])
def test_untouched_legs_keep_their_places(name):
    process = parse_process("d g > g z d g g")
    final = canonical(sample(process, 50), str(process))[0]
    found = block_of(str(process), name).compute(final)
    touched = found["legs"].long()
    kept = [leg for leg in range(2, 7) if leg != 6]  # the last gluon goes
    for event in range(50):
        for place, leg in enumerate(kept):
            if leg not in touched[event]:
                torch.testing.assert_close(found["reduced_momenta"][event, place], final[event, leg - 2])


def oriented(emitter: np.ndarray, gluon: np.ndarray) -> list[float]:
    """E, px, pz of the emitter and E, px, |py|, pz of the gluon, x along the first that has a transverse momentum."""
    across = math.hypot(*emitter[1:3])
    x, y = (emitter if across > 0 else gluon)[1:3] / (across or math.hypot(*gluon[1:3]))
    turned = [x * gluon[1] + y * gluon[2], abs(x * gluon[2] - y * gluon[1])]
    return [emitter[0], across, emitter[3], gluon[0], *turned, gluon[3]]


def expected_inputs(final: torch.Tensor, process: str, name: str, version: int) -> np.ndarray:
    """Log-invariants with the legs that can radiate or be radiated sorted by rank, and what comes after them."""
    rows = []
    names = process.replace(">", "").split()
    for p, steps in zip(with_beams(final.numpy()), by_hand(final, process, name), strict=True):
        i, j, _ = steps[0].legs
        pairs = [(i, j)] + [pair for pair in steps[0].ranked if set(pair) != {i, j}]
        seen = list(dict.fromkeys(leg for pair in pairs for leg in pair))
        order = list(range(len(names)))
        for group in ("in", "gluons", "quarks"):
            members = [leg for leg in seen if (leg < 2) == (group == "in")]
            members = [leg for leg in members if group == "in" or (names[leg] == "g") == (group == "gluons")]
            for place, leg in zip(sorted(members), members, strict=True):
                order[place] = leg
        logs = [math.log(dot(p[a], p[b])) for a, b in itertools.combinations(order, 2)]
        pair = [*p[i], *p[j]] if version == 2 else oriented(p[i], p[j])
        rows.append([*logs, *pair, *(v for step in steps for v in step.variables)])
    return np.array(rows)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize(("process", "name"), BLOCKS)
def test_inputs(process, name, version):
    final = sample(parse_process(process), 40)
    found = block_of(process, name, version).compute(final)["inputs"]
    seen = final if version == 2 else canonical(final, process)[0]
    np.testing.assert_allclose(found, expected_inputs(seen, process, name, version), rtol=1e-8, atol=1e-8)


def exchanged(final: torch.Tensor, process: Process, gluons: tuple[int, ...]) -> torch.Tensor:
    """The same events with their final gluons in another order."""
    places = [place for place, leg in enumerate(process.outgoing) if leg.name == "g"]
    order = list(range(process.n_final))
    for place, other in zip(places, gluons, strict=True):
        order[place] = places[other]
    return final[:, order].contiguous()


@pytest.mark.parametrize(("process", "name"), BLOCKS)
def test_exchange_of_gluons_changes_nothing(process, name):
    parsed = parse_process(process)
    made, final = block_of(process, name), sample(parsed, 25)
    before = made.compute(final)
    gluons = sum(leg.name == "g" for leg in parsed.outgoing)
    for order in itertools.permutations(range(gluons)):
        after = made.compute(exchanged(final, parsed, order))
        for key in ("variables", "kernel", "reduced_amplitude", "inputs"):
            torch.testing.assert_close(after[key], before[key], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("process", "kind"), [("d d~ > z g g g g", "fg"), ("d g > z d g g g", "ig")])
def test_ranks_are_ordered_by_singularity(process, kind):
    parsed = parse_process(process)
    final = sample(parsed, 60)
    all_products = external_products(external_momenta(final), parsed)
    rows = torch.arange(60)
    chosen = []
    for rank in (1, 2, 3):
        i, j, _ = block_of(process, f"{kind}{rank}").compute(final)["legs"].long().unbind(1)
        chosen.append(all_products[rows, i, j])
    assert (chosen[0] < chosen[1]).all()
    assert (chosen[1] < chosen[2]).all()


def test_two_steps_are_two_blocks():
    # The second step of fg1^2 is a step of the reduced event that involves the reduced gluon.
    process = parse_process("d d~ > z g g g g")
    final = canonical(sample(process, 80), str(process))[0]
    twice, once = block_of(str(process), "fg1^2").compute(final), block_of(str(process), "fg1").compute(final)
    torch.testing.assert_close(twice["legs"][:, :3], once["legs"])
    torch.testing.assert_close(twice["variables"][:, :2], once["variables"])
    second = [
        block_of("d d~ > z g g g", f"fg{rank}").compute(once["reduced_momenta"].contiguous()) for rank in (1, 2, 3)
    ]
    emitter = final[torch.arange(80), once["legs"][:, 0].long() - 2]
    emitted = final[torch.arange(80), once["legs"][:, 1].long() - 2]
    used = set()
    for event in range(80):
        # The reduced gluon is the one nearest to the sum of its two.
        gluons = once["reduced_momenta"][event, 1:]
        spectator = final[event, int(once["legs"][event, 2]) - 2]
        y = once["variables"][event, 0]
        merged = 3 + int((gluons - (emitter + emitted)[event] + y / (1 - y) * spectator).abs().sum(1).argmin())
        rank = next(r for r in range(3) if merged in second[r]["legs"][event, :2])
        used.add(rank)
        assert merged in twice["legs"][event, 3:5]
        torch.testing.assert_close(twice["legs"][event, 3:], second[rank]["legs"][event])
        kernel = once["kernel"][event] * second[rank]["kernel"][event]
        torch.testing.assert_close(twice["kernel"][event], kernel, rtol=1e-8, atol=0)
        torch.testing.assert_close(
            twice["reduced_amplitude"][event], second[rank]["reduced_amplitude"][event], rtol=1e-8, atol=0
        )
    assert used == {0, 1}  # with three gluons, one of the two best pairs holds any given gluon


def test_old_models_choose_the_spectator_in_the_laboratory():
    process = parse_process("d d~ > z g g g g")
    rest = sample(process, 200, rapidity=0.0)
    lab = sample(process, 200)
    made = block_of(str(process), "fg1", 2)
    one, other = made.compute(rest), made.compute(lab)
    assert torch.equal(one["legs"][:, :2].sort(1).values, other["legs"][:, :2].sort(1).values)
    changed = one["legs"][:, 2] != other["legs"][:, 2]
    assert 0.05 < changed.double().mean() < 0.5
    torch.testing.assert_close(one["kernel"][~changed], other["kernel"][~changed], rtol=1e-9, atol=0)


@pytest.mark.parametrize(("process", "name"), [BLOCKS[0], BLOCKS[6], BLOCKS[7], BLOCKS[8], BLOCKS[13]])
def test_kernels_as_printed_change_the_kernel_alone(process, name):
    final = sample(parse_process(process), 40)
    corrected, paper = (block_of(process, name, kernel=k).compute(final) for k in ("corrected", "paper"))
    assert ((paper["kernel"] / corrected["kernel"] - 1).abs() > 1e-3).double().mean() > 0.9
    for key in ("legs", "variables", "reduced_momenta", "reduced_amplitude", "inputs"):
        assert torch.equal(paper[key], corrected[key])


@pytest.mark.parametrize(("name", "steps"), [("fg1", 1), ("fg1^2", 2), ("iq1^2", 2)])
def test_the_coupling(name, steps):
    process = "d d~ > z g g g g"
    final = sample(parse_process(process), 20)
    usual = block_of(process, name).compute(final)
    changed = block_of(process, name, parameters={"alpha_s": 0.236}).compute(final)
    torch.testing.assert_close(changed["kernel"], 2.0**steps * usual["kernel"], rtol=1e-13, atol=0)
    expected = 2.0 ** (4 - steps) * usual["reduced_amplitude"]
    torch.testing.assert_close(changed["reduced_amplitude"], expected, rtol=1e-12, atol=0)
    assert torch.equal(changed["inputs"], usual["inputs"])


def test_the_mass_of_the_z():
    process = parse_process("d d~ > z g g g").with_mass("z", 120.0)
    final = sample(process, 20)
    made = make_block("fg1", process, {"parameters": {"m_z": 120.0}})
    reduced = reduced_process(process)
    found = made.compute(final)
    exact = Native(reduced, Parameters.of({"m_z": 120.0})).evaluate(with_beams(found["reduced_momenta"].numpy()))
    np.testing.assert_allclose(found["reduced_amplitude"], exact, rtol=1e-9)
    with pytest.raises(UsageError, match=r"off its mass shell \(z, m = 91\.188 GeV\)"):
        make_block("fg1", process, {}).compute(final)


def test_a_batch_is_its_events():
    process = parse_process("d g > z d g g g")
    final = sample(process, 30)
    for name in ("fg1^2", "fq2", "ig1", "iq1"):
        made = block_of(str(process), name)
        whole, some = made.compute(final), made.compute(final[17:20])
        for key, array in whole.items():
            torch.testing.assert_close(some[key], array[17:20], rtol=1e-12, atol=0)


def test_events_are_left_alone():
    final = sample(parse_process("d d~ > z g g g g"), 10)
    before = final.clone()
    for name in ("fg1^2", "iq1", "invariants"):
        make_block(name, parse_process("d d~ > z g g g g"), {}).compute(final)
    assert torch.equal(final, before)


def test_blocks_by_name():
    process = parse_process("d g > z d g g g")
    chosen = {"provider": "native", "parameters": {"alpha_s": 0.12}, "kernel": "paper", "pair": "delta-r"}
    chosen |= {"spectator": "s-ijk", "inputs": "extended", "orient": True}
    for name in ("fg1", "fg3", "fq2", "ig3", "iq1", "fg1^2", "fq1^2", "ig2^2", "iq1^2", "fg1+", "iq1^2+"):
        made = make_block(name, process, chosen)
        assert isinstance(made, RadiationBlock)
        assert made.radiation == parse_radiation(name.removesuffix("+"))
        assert (made.name, made.options) == (name, chosen)
    assert block_of(str(process), "fg1").options == {"provider": "auto", "parameters": {}, **default_choices("fg1")}
    assert isinstance(make_block("invariants", process, {}), InvariantsBlock)
    assert isinstance(make_block("fame", parse_process("e- e+ > d d~ g"), {}), FameBlock)


@pytest.mark.parametrize("name", ["", "fg", "fg0", "fg10", "xg1", "fg1^3", "nofa", "Invariants"])
def test_unknown_blocks(name):
    with pytest.raises(UsageError, match=re.escape(f'unknown features "{name}"')):
        make_block(name, parse_process("d d~ > z g g g"), {})


@pytest.mark.parametrize(
    ("process", "name", "said"),
    [
        ("d d~ > z g g g", "ig1", "has 0 radiations IG"),
        ("d d~ > z g g g", "fq1", "has 0 radiations FQ"),
        ("d d~ > z g g g", "fg4", "has 3 radiations FG"),
        ("d d~ > z g g g", "fg1^2", '"d d~ > z g g" has 1 radiations FG and 0 spectators'),
        ("g g > z d d~ g g", "fg1^2", '"g g > z d d~ g" has 0 radiations FG'),
        ("u u~ > z g g", "fg1", '"u u~ > z g g" has iq1 to iq4.'),
        ("g g > t t~ g", "fq1", "no emission to undo"),
    ],
)
def test_blocks_that_do_not_apply(process, name, said):
    with pytest.raises(UsageError, match=re.escape(said)):
        make_block(name, parse_process(process), {})


@pytest.mark.parametrize("name", ["fg1", "iq1", "iq1^2", "invariants"])
def test_an_event_alone(name):
    """One event is computed as in a batch."""
    process = parse_process("d d~ > z g g g g")
    final = np.ascontiguousarray(rambo(np.random.default_rng(8).random((5, 5, 4)), 1000.0))
    final[:, 0, 0] = np.sqrt((final[:, 0, 1:] ** 2).sum(axis=1) + 91.188**2)
    block = make_block(name, process, {} if name == "invariants" else {"provider": "native"})
    together = block.compute(torch.from_numpy(final))
    for event in range(5):
        for key, array in block.compute(torch.from_numpy(final[event : event + 1])).items():
            torch.testing.assert_close(array[0], together[key][event], rtol=1e-12, atol=0)


def test_a_second_emission_has_no_rank_of_its_own():
    assert make_block("fg6^2", parse_process("d d~ > z g g g g"), {"provider": "native"}).shapes()["legs"] == (6,)
