"""What `import ampcli` offers."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import ampcli
from ampcli.errors import NotFoundError, UsageError


def test_all_that_is_public_is_there_and_nothing_else_shows():
    assert dir(ampcli) == sorted(ampcli.__all__)
    for name in ampcli.__all__:
        assert getattr(ampcli, name) is not None
    with pytest.raises(AttributeError, match=r"no attribute 'predict'; it has .*load"):
        _ = ampcli.predict


def test_import_is_light_and_names_come_when_asked_for():
    script = (
        "import ampcli, sys; assert not {'numpy', 'torch', 'zarr'} & set(sys.modules); "
        "assert issubclass(ampcli.errors.NotFoundError, ampcli.errors.AmpcliError); "
        "assert ampcli.Store.__name__ == 'Store'"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_exact_amplitudes_are_those_of_the_store(store3):
    store = ampcli.open_store(str(store3.path))
    assert isinstance(store, ampcli.Store)
    assert repr(store) == f"<Store {store3.path}: {store3.rows} points of e- e+ > d d~ g>"
    final = store.read("momenta", slice(0, 100))
    beams = np.zeros((100, 2, 4))
    beams[:] = [[500, 0, 0, 500], [500, 0, 0, -500]]
    momenta = np.concatenate([beams, final], axis=1)
    amplitude = ampcli.exact("e- e+ > d d~ g")
    np.testing.assert_allclose(amplitude.evaluate(momenta), store.read("amplitude", slice(0, 100)), rtol=1e-9)
    twice = ampcli.exact("e- e+ > d d~ g", "native", {"alpha_s": 0.236}).evaluate(momenta)
    np.testing.assert_allclose(twice, 2 * amplitude.evaluate(momenta), rtol=1e-12)
    with pytest.raises(UsageError, match="no_such"):
        ampcli.exact("e- e+ > d d~ g", parameters={"no_such": 1.0})


def test_models_are_listed_and_say_what_they_are(registry):
    assert "fame3@1" in ampcli.list_models(registry)
    model = ampcli.load("fame3@1", str(registry))
    assert isinstance(model, ampcli.Predictor)
    assert repr(model) == "<Predictor fame3@1: e- e+ > d d~ g at 1000 GeV>"
    with pytest.raises(NotFoundError):
        ampcli.list_models(registry / "nothing")


def test_a_model_knows_the_amplitude_that_it_learned(registry, store3):
    record = ampcli.load("fame3@1", registry).exact().identity()
    assert record == store3.plan.provider


def test_one_event_is_a_batch_of_one(registry, store3):
    model = ampcli.load("fame3@1", registry)
    events = store3.read("momenta", slice(0, 3))
    for momenta in (events, events.astype(np.float32)):
        one = model.predict(momenta[0])
        many = model.predict(momenta)
        assert one.amplitude.shape == one.uncertainty.shape == one.outside.shape == (1,)
        np.testing.assert_allclose(one.amplitude, many.amplitude[:1], rtol=1e-6)


@pytest.mark.parametrize("shape", [(4,), (4, 4), (2, 4, 4), (2, 3, 3), (1, 2, 3, 4)])
def test_shapes_that_are_taken_are_named(registry, shape):
    with pytest.raises(UsageError, match=r"\(events, 3, 4\), or \(events, 5, 4\) with the beams first, not"):
        ampcli.load("fame3@1", registry).predict(np.ones(shape))


def test_a_wrong_type_of_numbers_is_named(registry):
    with pytest.raises(UsageError, match="must be float64, not int64"):
        ampcli.load("fame3@1", registry).predict(np.ones((2, 3, 4), dtype=np.int64))
