"""Sampled momenta where double precision is short."""

from __future__ import annotations

import numpy as np
import pytest

from ampcli.errors import AmpcliError
from ampcli.kinematics import physical_events, with_beams
from ampcli.phasespace.colour_chain import on_shell
from ampcli.process import parse_process


def test_rounding_of_sampled_legs_is_put_right():
    process = parse_process("d d~ > e+ e- g")
    rng = np.random.default_rng(2)
    final = rng.normal(size=(50, 3, 3))
    final[:, 0] *= 1e-9  # next to nothing of the event
    final[:, 2] = -final[:, :2].sum(axis=1)
    momenta = with_beams(np.concatenate([np.linalg.norm(final, axis=2)[..., None], final], axis=2))
    rounded = momenta.copy()
    rounded[:, 2, 0] += 1e-15 * rng.normal(size=50)
    assert not physical_events(rounded, process).all()
    mended = on_shell(rounded.copy(), process)
    assert physical_events(mended, process).all()
    np.testing.assert_array_equal(mended[:, [0, 1, 3, 4]], momenta[:, [0, 1, 3, 4]])
    np.testing.assert_array_equal(on_shell(momenta.copy(), process), momenta)
    rounded[7, 3, 0] *= 1.001
    with pytest.raises(AmpcliError, match="beyond double precision") as refused:
        on_shell(rounded, process)
    assert "report" in refused.value.hint
