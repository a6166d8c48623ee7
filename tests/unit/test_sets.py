"""Which model serves an event, and what channels are together."""

from __future__ import annotations

import numpy as np
import pytest

from ampcli.amplitudes import check
from ampcli.amplitudes.trees import Trees
from ampcli.channels.groups import flavours_of
from ampcli.errors import AmpcliError
from ampcli.events.lhe.read import LheEvents
from ampcli.events.lhe.records import LheEvent, LheParticle
from ampcli.events.served import Found, Served, targets_of
from ampcli.process import Process, parse_process
from ampcli.registry.manifest import Member
from ampcli.registry.sets import SetChannel, SurrogateSet
from ampcli.speedup.report import Report, Strategy
from ampcli.speedup.stages import Outcome
from ampcli.speedup.whole import Part, whole_speedup


def squares(process: Process, momenta: np.ndarray) -> np.ndarray:
    return Trees(process).squares(momenta, check.leading_order(process))


@pytest.mark.parametrize(
    ("text", "others"),
    [
        ("d d~ > z g", {"s s~ > z g", "b b~ > z g"}),
        ("u g > z u", {"c g > z c", "u~ g > z u~", "c~ g > z c~"}),
        ("u d~ > w+ g", {"c s~ > w+ g", "u~ d > w- g", "c~ s > w- g"}),
    ],
)
def test_a_model_serves_all_processes_of_its_amplitude(text, others):
    """Judged by the trees of the Standard Model."""
    process = parse_process(text)
    found = flavours_of(process)
    assert (found[0].process, {each.process for each in found[1:]}) == (text, others)
    momenta = check.events(process, (3.0,))
    expected = squares(process, momenta)
    for each in found:
        reflected = momenta * [1.0, 1.0, -1.0 if each.mirrored else 1.0, 1.0]
        np.testing.assert_allclose(squares(parse_process(each.process), reflected), expected, rtol=1e-10)


def served() -> Served:
    """By two models; nobody serves gluons."""
    processes = (parse_process("d d~ > z g"), parse_process("d g > z d"))
    targets = [each for member, process in enumerate(processes) for each in targets_of(member, flavours_of(process))]
    targets += targets_of(None, flavours_of(parse_process("g g > d d~")), "not trained")
    return Served("a process of zj@1", processes, targets)


def event(*particles: tuple[int, int, int]) -> LheEvent:
    """By PDG codes, status and (first) mothers; the energy is the line, from 1."""
    lines = [
        LheParticle(pdg, status, (mother, mother), (0, 0), (float(line), 0.0, 0.0, 0.0), 0.0, b"")
        for line, (pdg, status, mother) in enumerate(particles, start=1)
    ]
    return LheEvent(0, 1, 1.0, 91.0, -1.0, -1.0, lines)


@pytest.mark.parametrize(
    ("particles", "member", "mirrored", "lines"),
    [
        ([(3, -1, 0), (-3, -1, 0), (23, 1, 1), (21, 1, 1)], 0, False, [1, 2, 3, 4]),
        ([(-3, -1, 0), (3, -1, 0), (21, 1, 1), (23, 1, 1)], 0, False, [2, 1, 4, 3]),
        ([(21, -1, 0), (-1, -1, 0), (-1, 1, 1), (23, 1, 1)], 1, True, [2, 1, 4, 3]),
        # a Z that decays, written before the gluon
        ([(1, -1, 0), (-1, -1, 0), (23, 2, 1), (11, 1, 3), (-11, 1, 3), (21, 1, 1)], 0, False, [1, 2, 3, 6]),
    ],
)
def test_whose_an_event_is(particles, member, mirrored, lines):
    table = served()
    for _ in range(2):  # events of one shape are looked up once
        found = table.find(event(*particles))
        assert isinstance(found, Found)
        assert (found.member, found.target.mirrored) == (member, mirrored)
        assert [leg.momentum[0] for leg in found.legs] == lines


def test_batches_are_of_one_model_each(tmp_path):
    """Events of two channels in turn, some at reflected momenta, the first parton towards -z."""
    kinds = [(3, -3, 23, 21), (1, 21, 23, 1), (-1, 21, 23, -1)]
    lines = ["<LesHouchesEvents version='3.0'>", "<init>", "2212 2212 6500 6500 0 0 0 0 -4 1", "1. 0.1 1. 1", "</init>"]
    for number in range(20):
        lines += ["<event>", f"4 1 {1 + number} 91.188 7.5e-3 0.118"]
        for leg, code in enumerate(kinds[number % 3]):
            along = (-5.0, 5.0, 1.0, -1.0)[leg]
            lines.append(f"{code} {-1 if leg < 2 else 1} 0 0 0 0 {leg} {number} {along} 5. 0. 0. 9.")
        lines.append("</event>")
    (tmp_path / "a.lhe").write_text("\n".join([*lines, "</LesHouchesEvents>\n"]))
    batches = list(LheEvents(tmp_path / "a.lhe", served()).batches(2))
    assert sorted(int(each) for batch in batches for each in batch.event) == list(range(20))
    for batch in batches:
        assert len(batch.event) <= 2
        np.testing.assert_array_equal(batch.member, (batch.event % 3 > 0)[0])
        assert len(set(batch.event % 3 > 0)) == 1
        # half a turn about the x axis for all, and p_y once more for antiquarks
        expected = np.where(batch.event % 3 == 2, batch.event, -batch.event)
        np.testing.assert_array_equal(batch.momenta[:, 0, 2], expected)
        np.testing.assert_array_equal(batch.momenta[:, 0, 3], 5.0)
        np.testing.assert_array_equal(batch.weight, 1.0 + batch.event)


def test_events_that_nobody_serves():
    assert served().find(event((2, -1, 0), (-2, -1, 0), (23, 1, 1), (21, 1, 1))) == ""
    assert served().find(event((21, -1, 0), (21, -1, 0), (5, 1, 1), (-5, 1, 1))) == "not trained"
    assert served().find(event((1, -1, 0), (-1, 1, 1), (23, 1, 1), (21, 1, 1))) == ""


@pytest.mark.parametrize(
    ("changes", "naming"),
    [
        ([{"member": None, "reason": "no features"}], "has no members"),
        ([{"reason": "no features"}], "a model or a reason"),
        ([{}, {}], "two channels of one name"),
    ],
)
def test_sets_that_cannot_be(changes, naming):
    process = parse_process("d d~ > z g")
    known = {"name": "ddx_zg", "process": str(process), "flavours": flavours_of(process),
             "member": Member(model="zj-ddx_zg@1", manifest_sha256="0")}  # fmt: skip
    with pytest.raises(AmpcliError, match=naming):
        SurrogateSet(name="zj", process="p p > z j", definitions={},
                     channels=tuple(SetChannel(**known | each) for each in changes))  # fmt: skip


def report(seconds: float, executed: float, used: list[float]) -> Report:
    outcome = Outcome(thresholds=[0.1] * len(used), used=used, tolerance=0.0, tolerance_error=0.0, factor=1.0)
    best = Strategy.model_construct(name="best", provider="native", executed=executed, outcome=outcome)
    other = best.model_copy(update={"name": "other", "executed": 100.0})
    return Report.model_construct(yardstick="native", exact={"native": seconds}, best="best", strategies=[other, best])


def test_the_speed_up_of_a_whole_sample():
    """1000 + 600 us become 200 + 1200, or 200 + 600 where the slower one stays exact."""
    whole = whole_speedup([Part(100, report(10e-6, 5.0, [0.9])), Part(300, report(2e-6, 0.5, [0.5, 0.25]))], 500)
    assert (whole.channels, whole.covered) == (2, 0.8)
    assert whole.decided == pytest.approx((90 + 225) / 400)
    assert whole.factor == pytest.approx(1600 / 1400)
    assert whole.factor_of_both == pytest.approx(2.0)
