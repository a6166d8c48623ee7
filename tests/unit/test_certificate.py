"""Flags of points outside the training region, and momenta in single precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from samples import DATASET, PROTONS, PROVIDER, REGION

import ampcli
from ampcli.errors import UsageError
from ampcli.events.repair import restored
from ampcli.kinematics import checked_momenta, min_invariant, with_beams
from ampcli.phasespace.jets import exclusive_jets
from ampcli.phasespace.rambo import rambo
from ampcli.process import parse_process
from ampcli.records.region import Region
from ampcli.registry.manifest import Manifest, Recalibration
from ampcli.store.measures import Measures
from ampcli.uncertainty.certificate import certify, unusual_spread
from ampcli.uncertainty.kind import UncertaintyKind
from ampcli.uncertainty.recalibration import recalibrated

FOUR_JETS = parse_process("e- e+ > d d~ g g")


def manifest_of(process: str = "e- e+ > d d~ g g", **changes: object) -> Manifest:
    settings: dict[str, object] = {
        "name": "m",
        "kind": "fame",
        "process": process,
        "sqrt_s": 1000.0,
        "provider": PROVIDER,
        "dataset": DATASET,
        "region": REGION,
    }
    return Manifest.model_validate(settings | changes)


def spread(largest: float | None) -> Region:
    return REGION.model_copy(update={"relative_uncertainty_999": largest})


@pytest.fixture(scope="module")
def final() -> np.ndarray:
    cube = np.random.default_rng(11).random((4000, 4, 4))
    cube[:1000, 1] = cube[:1000, 0] + 0.01 * (cube[:1000, 1] - cube[:1000, 0])  # quark and antiquark close
    cube[1000:2000, 2:] = cube[1000:2000, :1] + 0.02 * cube[1000:2000, 2:]  # and three legs in one jet
    return np.ascontiguousarray(rambo(np.clip(cube, 1e-9, 1 - 1e-9), 1000.0))


def test_flags_of_min_sij_and_jets(final):
    certificate = certify(manifest_of(), FOUR_JETS, final, np.full(len(final), 0.01))
    assert set(certificate.reasons) == {"min_sij", "jets"}
    low = min_invariant(final) < 1e-3 * 1e6
    few = exclusive_jets(final, 0.01 * 1e6) < 3
    np.testing.assert_array_equal(certificate.reasons["min_sij"], low)
    np.testing.assert_array_equal(certificate.reasons["jets"], few)
    np.testing.assert_array_equal(certificate.outside, low | few)
    for kind in (low & ~few, few & ~low, ~low & ~few):
        assert kind.any()


def test_points_of_the_training_are_inside(registry, store4):
    prediction = ampcli.load("fame4", registry).predict(store4.read("momenta"))
    assert set(prediction.certificate.reasons) == {"min_sij", "jets"}
    assert not prediction.outside.any()


def test_a_prediction_is_a_pair(registry, store3):
    prediction = ampcli.load("fame3@1", registry).predict(store3.read("momenta", slice(0, 50)))
    amplitude, uncertainty = prediction
    assert amplitude is prediction.amplitude is prediction[0]
    assert uncertainty is prediction.uncertainty
    assert prediction.outside.shape == (50,)


def test_spread_beyond_that_of_the_validation_points(final):
    relative = np.linspace(0.001, 0.1, 2001)
    largest = unusual_spread(UncertaintyKind.OWN, relative)
    assert largest == pytest.approx(0.001 + 0.999 * 0.099)
    flags = certify(manifest_of(region=spread(largest)), FOUR_JETS, final[:2001], relative).reasons["spread"]
    assert flags.tolist() == [False] * 1999 + [True] * 2


def test_the_recalibration_does_not_change_who_is_flagged(final):
    relative = np.geomspace(1e-3, 1e-1, 2001)
    recalibration = Recalibration(log_sigma=[-6.0, -3.0], log_scale=[1.0, 0.5], intervals={})
    region = spread(unusual_spread(UncertaintyKind.OWN, relative))
    bare = certify(manifest_of(region=region), FOUR_JETS, final[:2001], relative)
    manifest = manifest_of(region=region, recalibration=recalibration)
    honest = recalibrated(torch.from_numpy(relative), recalibration).numpy()
    flags = certify(manifest, FOUR_JETS, final[:2001], honest).reasons["spread"]
    np.testing.assert_array_equal(flags, bare.reasons["spread"])


def test_uncertainties_that_tell_no_points_apart_say_nothing():
    for kind in (UncertaintyKind.TYPICAL, UncertaintyKind.NONE):
        assert unusual_spread(kind, np.linspace(0.1, 0.2, 100)) is None
    assert unusual_spread(UncertaintyKind.OWN, np.empty(0)) is None


def test_an_unusual_spread_is_one_of_points_and_of_events(rng):
    """Where the cross section lies at large uncertainties, 99.9 % of it stay inside too."""
    relative = np.exp(rng.normal(-6, 1, 200_000))
    events = relative.copy()  # log-normal again, a deviation higher
    largest = unusual_spread(UncertaintyKind.OWN, relative, Measures(events=events))
    assert np.log(largest) == pytest.approx(-6 + 1 + 3.09, abs=0.15)
    assert events[relative > largest].sum() / events.sum() == pytest.approx(1e-3, rel=0.5)
    few = np.zeros(200_000)
    few[:500] = 1.0  # too few effective events to know their tail
    assert unusual_spread(UncertaintyKind.OWN, relative, Measures(events=few)) == unusual_spread(
        UncertaintyKind.OWN, relative
    )


def test_cuts_at_hadron_colliders():
    process = parse_process("d d~ > z g g")
    dataset = DATASET.model_copy(update={"source": PROTONS})
    manifest = manifest_of("d d~ > z g g", sqrt_s=None, dataset=dataset)

    def event(pt: float, eta: float, phi: float) -> np.ndarray:
        first = np.array([30.0 * np.cosh(1), 30.0, 0.0, 30.0 * np.sinh(1)])
        second = pt * np.array([np.cosh(eta), np.cos(phi), np.sin(phi), np.sinh(eta)])
        z = -(first + second)
        z[0] = np.sqrt(91.188**2 + (z[1:] ** 2).sum())
        return np.stack([z, first, second])

    events = np.stack([event(25, 0, 2), event(19, 0, 2), event(25, 5.1, 2), event(25, 1.2, 0.3), event(25, 1.2, 0.5)])
    flags = certify(manifest, process, events, np.zeros(5)).reasons
    assert set(flags) == {"cuts"}
    assert flags["cuts"].tolist() == [False, True, True, True, False]


def test_single_precision_is_put_right(final):
    wide = final[min_invariant(final) > 1e-3 * 1e6]
    single = wide.astype(np.float32)
    for given in (single, with_beams(wide, 1000.0).astype(np.float32)):
        fixed = restored(given, FOUR_JETS, 1000.0)
        np.testing.assert_array_equal(checked_momenta(fixed, FOUR_JETS), fixed)
        assert np.abs(fixed[:, 2:, 0].sum(axis=1) - 1000.0).max() < 1e-9
        np.testing.assert_allclose(fixed[:, 2:], wide, rtol=0, atol=1e-3)
        np.testing.assert_allclose(min_invariant(fixed[:, 2:]), min_invariant(wide), rtol=1e-4)
    # What float32 energies would make of it: s_ij with errors of 6e-8 E^2.
    total = single[:, :, None].astype(float) + single[:, None].astype(float)
    plain = total[..., 0] ** 2 - (total[..., 1:] ** 2).sum(axis=-1)
    smallest = plain[:, *np.triu_indices(4, 1)].min(axis=1)
    assert np.abs(smallest / min_invariant(wide) - 1).max() > 1e-5


def test_predictions_in_single_precision(registry, store3):
    model = ampcli.load("fame3@1", registry)
    final = store3.read("momenta", slice(0, 500))
    expected, _ = model.predict(final)
    for given in (final, with_beams(final, 1000.0)):
        found, _ = model.predict(given.astype(np.float32))
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_massive_legs_in_single_precision():
    process = parse_process("d d~ > z g")
    z = np.array([0.0, 40.0, 30.0, 200.0])
    z[0] = np.sqrt(91.188**2 + (z[1:] ** 2).sum())
    gluon = np.array([np.sqrt(2500.0 + 900.0), -40.0, -30.0, 30.0])
    fixed = restored(np.stack([z, gluon])[None].astype(np.float32), process, None)
    np.testing.assert_array_equal(checked_momenta(fixed, process), fixed)
    np.testing.assert_allclose(fixed[0, 2], z, rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: p * np.array([1.001, 1, 1, 1], dtype=np.float32), "mass shell"),
        (lambda p: p * np.float32(1.01), "the energy is not 1000"),
        (lambda p: p[:, :3], "shape"),
        (lambda p: np.concatenate([p[:, :3], np.float32(1.001) * p[:, 3:]], axis=1), "balance"),
        (lambda p: np.where(np.arange(len(p))[:, None, None] == 7, np.float32(np.nan), p), r"event 7 .* leg 0"),
    ],
)
def test_single_precision_is_no_excuse(final, change, words):
    with pytest.raises(UsageError, match=words):
        restored(change(final.astype(np.float32)), FOUR_JETS, 1000.0)
