"""Reading process strings."""

from __future__ import annotations

import pickle

import pytest

from ampcli.errors import UsageError
from ampcli.process import parse_process


@pytest.mark.parametrize("text", ["e- e+ > d d~ g g", "d d~ > z g g g g", "d g > z d g g g", "g g > h h"])
def test_string_round_trip(text):
    assert str(parse_process(text)) == text


def test_blanks_and_case_do_not_matter():
    assert parse_process("  E-  e+ >   D d~ G ") == parse_process("e- e+ > d d~ g")


def test_legs_of_four_jets():
    process = parse_process("e- e+ > d d~ g g")
    assert [leg.pdg for leg in process.legs] == [11, -11, 1, -1, 21, 21]
    assert (process.n_external, process.n_final, process.n_jets) == (6, 4, 4)
    assert process.final_positions("quark") == (0,)
    assert process.final_positions("antiquark") == (1,)
    assert process.final_positions("gluon") == (2, 3)
    assert process.final_masses == (0.0, 0.0, 0.0, 0.0)


def test_z_is_massive_and_no_jet():
    process = parse_process("d d~ > z g g")
    assert process.final_masses == (91.188, 0.0, 0.0)
    assert process.jet_legs == (3, 4)
    assert process.n_jets == 2


@pytest.mark.parametrize(
    ("text", "factor"),
    [
        ("e- e+ > d d~ g", 1),
        ("e- e+ > d d~ g g g", 6),
        ("d d~ > z g g g g", 24),
        ("e- e+ > d d~ d d~", 4),
        ("g g > h h", 2),
    ],
)
def test_identical_particles(text, factor):
    assert parse_process(text).identical_factor == factor


def test_processes_travel_to_workers():
    process = parse_process("d g > z d g")
    assert pickle.loads(pickle.dumps(process)) == process


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("e- e+ d d~", 'exactly one ">"'),
        ("e- > e+ > d d~", 'exactly one ">"'),
        ("", 'exactly one ">"'),
        ("e- > d d~", "1 incoming particles, not 2"),
        ("e- e+ g > d d~", "3 incoming particles, not 2"),
        ("e- e+ >", "no outgoing particles"),
        ("e- e+ > q q~", 'unknown particle "q"'),
        ("p p > z j", 'unknown particle "p"'),
        ("e- e+ > z h, z > d d~", "decay chains"),
        ("e- e+ > d d~ / a", "decay chains"),
        ("e- e+ > d d~ QCD=2", "coupling orders"),
    ],
)
def test_what_is_refused(text, said):
    with pytest.raises(UsageError) as refused:
        parse_process(text)
    assert said in refused.value.what
    assert refused.value.exit_code == 2
    assert refused.value.hint


def test_a_typing_error_gets_a_suggestion():
    with pytest.raises(UsageError, match=r"Did you mean .*\bd~"):
        parse_process("e- e+ > d d~~ g")
