"""Classes of collisions: what each answers, and that it is written as it always was."""

from __future__ import annotations

import json

import numpy as np
import pydantic
import pytest
from samples import LEPTONS, PROTONS, REGION

from ampcli.collisions import AnyCollisions
from ampcli.collisions.given import GivenEvents
from ampcli.collisions.refined import Refined
from ampcli.errors import AmpcliError, UsageError
from ampcli.kinematics import min_invariant
from ampcli.phasespace.jets import exclusive_jets
from ampcli.phasespace.rambo import rambo
from ampcli.process import parse_process

GIVEN = GivenEvents(sha256="ab", sqrt_s=1000.0)
ALL = pydantic.TypeAdapter(AnyCollisions)
THREE_JETS = parse_process("e- e+ > d d~ g")


@pytest.fixture(scope="module")
def final() -> np.ndarray:
    return np.ascontiguousarray(rambo(np.random.default_rng(5).random((500, 3, 4)), 1000.0))


@pytest.mark.parametrize("collisions", [LEPTONS, PROTONS, GIVEN], ids=lambda collisions: collisions.kind)
def test_written_and_read(collisions):
    document = json.loads(collisions.model_dump_json())
    assert ALL.validate_python(document) == collisions
    with pytest.raises(pydantic.ValidationError, match="unheard_of"):
        ALL.validate_python(document | {"unheard_of": 1})


@pytest.mark.parametrize("collisions", [LEPTONS, PROTONS], ids=lambda collisions: collisions.kind)
def test_refined_ones_say_so(collisions):
    refined = Refined(model="m@1", manifest_sha256="0" * 64, kept_from=0.1, least=0.05)
    chosen = collisions.model_copy(update={"refined": refined})
    assert ALL.validate_json(chosen.model_dump_json()) == chosen
    assert chosen.are_unweighted
    assert "refined" not in collisions.model_dump()


def test_defaults_of_later_versions_are_not_written():
    """Plans, and so digests of stores, stay what they were before there was anything to choose."""
    assert LEPTONS.model_dump() == {"kind": "rambo", "sqrt_s": 1000.0, "y_cut": 1e-3, "seed": 1}
    assert GIVEN.model_dump() == {"kind": "given", "sha256": "ab", "sqrt_s": 1000.0, "skipped": 0}
    assert "running" not in PROTONS.model_dump()
    assert LEPTONS.model_copy(update={"cuts": "jade"}).model_dump()["cuts"] == "jade"


def test_numbers_are_finite():
    with pytest.raises(AmpcliError, match="y_cut is nan"):
        type(LEPTONS)(sqrt_s=1000.0, y_cut=float("nan"), seed=1)


@pytest.mark.parametrize(
    ("collisions", "facts"),
    [
        (LEPTONS, (1000.0, 1e-3, True, True, False, {})),
        (LEPTONS.model_copy(update={"overweight": 0.01}), (1000.0, 1e-3, True, True, True, {})),
        (PROTONS, (None, None, True, False, True, {"x": (2,)})),
        (PROTONS.model_copy(update={"unweighted": "two-stage"}), (None, None, True, False, True, {"x": (2,)})),
        (PROTONS.model_copy(update={"unweighted": False}), (None, None, True, False, False, {"x": (2,)})),
        (GIVEN, (1000.0, None, False, False, False, {})),
        (GIVEN.model_copy(update={"columns": ("event",)}), (1000.0, None, False, False, False, {"event": ()})),
    ],
)
def test_facts(collisions, facts):
    c = collisions
    assert (c.sqrt_s, c.y_cut, c.are_sampled, c.have_flat_weights, c.are_unweighted, c.arrays) == facts


def test_who_may_share_points():
    other = LEPTONS.model_copy(update={"seed": 2})
    assert LEPTONS.overlap(LEPTONS.model_copy(update={"y_cut": 0.1})) == "seed"
    assert LEPTONS.overlap(other) is None
    assert LEPTONS.overlap(PROTONS) is PROTONS.overlap(LEPTONS) is None  # of one seed: other streams
    assert GIVEN.overlap(GIVEN) == "same"
    assert GIVEN.overlap(GIVEN.model_copy(update={"sha256": "cd"})) == "unknown"
    assert GIVEN.overlap(LEPTONS) == LEPTONS.overlap(GIVEN) == PROTONS.overlap(GIVEN) == "unknown"


def test_jets(final):
    assert (LEPTONS.jets(final, THREE_JETS) == exclusive_jets(final, 0.01e6)).all()
    assert (GIVEN.jets(final, THREE_JETS) == exclusive_jets(final, 0.01e6)).all()
    z = parse_process("d d~ > z g g")
    assert PROTONS.jets(final, z).tolist() == GIVEN.jets(final, z).tolist() == [2] * 500


def test_what_lies_outside(final):
    few = exclusive_jets(final, 0.01e6) < 2
    low = min_invariant(final) < 1e-3 * 1e6
    flags = LEPTONS.outside(final, THREE_JETS, REGION)
    assert (flags["jets"] == few).all()
    assert (flags["min_sij"] == low).all()
    jade = LEPTONS.model_copy(update={"cuts": "jade"})
    assert set(jade.outside(final, THREE_JETS, REGION)) == {"min_sij"}
    covered = REGION.model_copy(update={"min_sij_over_s": 0.05})
    assert GIVEN.outside(final, THREE_JETS, REGION) == {}
    assert (GIVEN.outside(final, THREE_JETS, covered)["min_sij"] == (min_invariant(final) < 0.05e6)).all()
    assert GIVEN.model_copy(update={"sqrt_s": None}).outside(final, THREE_JETS, covered) == {}


@pytest.mark.parametrize("collisions", [LEPTONS, GIVEN], ids=lambda collisions: collisions.kind)
def test_what_cannot_be_perturbed(collisions):
    assert not collisions.can_be_perturbed
    with pytest.raises(UsageError, match="needs a store with events of hadron beams"):
        collisions.perturbation(THREE_JETS, 0.1)


def test_perturbations_of_protons():
    assert PROTONS.can_be_perturbed
    assert callable(PROTONS.perturbation(parse_process("d d~ > z g g"), 0.1))
    with pytest.raises(UsageError, match="one particle, or a pair of leptons, beside the jets"):
        PROTONS.perturbation(parse_process("d d~ > g g"), 0.1)
