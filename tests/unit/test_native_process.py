"""The provider `native`: processes, parameters, identity, and which momenta it refuses."""

from __future__ import annotations

import importlib
import json
import pickle

import numpy as np
import pytest

from ampcli import instructions
from ampcli.amplitudes.native import engine
from ampcli.amplitudes.native.couplings import DEFAULTS, Parameters
from ampcli.amplitudes.native.provider import Native
from ampcli.amplitudes.native.quark_line import find_quark_line
from ampcli.amplitudes.providers import make_provider
from ampcli.amplitudes.pyamplicol import PYAMPLICOL, PyAmplicol
from ampcli.cli.output import flag
from ampcli.errors import AmpcliError, UsageError
from ampcli.instructions import instruction_set
from ampcli.kinematics import TOLERANCE, checked_momenta, physical_events, with_beams
from ampcli.phasespace.rambo import rambo
from ampcli.process import parse_process

E = 1000.0
JETS, Z = "e- e+ > d d~ g g", "d g > d z g g"
N = 21  # no multiple of the events in a SIMD vector


def native(process: str, **parameters: float) -> Native:
    return Native(parse_process(process), Parameters.of(parameters))


def sample(process: str, n: int = N, m_z: float = DEFAULTS.m_z) -> np.ndarray:
    legs = parse_process(process).with_mass("z", m_z)
    final = np.ascontiguousarray(rambo(np.random.default_rng(4).random((n, legs.n_final, 4)), E))
    final[..., 0] = np.sqrt((final[..., 1:] ** 2).sum(axis=2) + np.array(legs.final_masses) ** 2)
    return with_beams(final)


COVERED = [  # quark, antiquark, gluons, boson, leptons
    ("e- e+ > d d~", 2, 3, (), None, (0, 1)),
    ("e+ e- > u~ u", 3, 2, (), None, (1, 0)),
    ("mu- mu+ > g b~ g b", 5, 3, (2, 4), None, (0, 1)),
    ("ta- ta+ > s s~ g g g g g", 2, 3, (4, 5, 6, 7, 8), None, (0, 1)),
    ("d d~ > z", 1, 0, (), 2, None),
    ("u~ u > g z", 0, 1, (2,), 3, None),
    ("b b~ > z g g g g g", 1, 0, (3, 4, 5, 6, 7), 2, None),
    ("d g > d z g", 2, 0, (1, 4), 3, None),
    ("g d > z d g", 3, 1, (0, 4), 2, None),
    ("c~ g > z c~", 0, 3, (1,), 2, None),
    ("g g > s s~ z", 2, 3, (0, 1), 4, None),
    ("g g > z u~ u g g g", 4, 3, (0, 1, 5, 6, 7), 2, None),
    ("d d~ > e- e+", 1, 0, (), None, (3, 2)),
    ("g u~ > ta+ g ta- u~", 1, 5, (0, 3), None, (2, 4)),
    ("b b~ > vm vm~ g g g g g", 1, 0, (4, 5, 6, 7, 8), None, (3, 2)),
    ("u d~ > e+ ve", 1, 0, (), None, (2, 3)),
    ("g s > c mu- vm~", 2, 1, (0,), None, (4, 3)),
    ("g g > c~ s ta+ vt", 3, 2, (0, 1), None, (4, 5)),
    ("u d~ > w+", 1, 0, (), 2, None),
    ("g d > u g w-", 2, 1, (0, 3), 4, None),
    ("c~ g > s~ w- g g", 0, 2, (1, 4, 5), 3, None),
    ("d d~ > g g", 1, 0, (2, 3), None, None),
    ("g u > g u g", 3, 1, (0, 2, 4), None, None),
    ("g g > b b~ g g g", 2, 3, (0, 1, 4, 5, 6), None, None),
]
NOT_COVERED = """
    e- e+ > e- e+; d d~ > z z; d u~ > z g; d d~ > w+ g; g g > g g g g g; e- e+ > d d~ u u~ z; e- e+ > z g;
    ve ve~ > d d~;
    t t~ > z g; e- e+ > t t~; d d~ > a g; d d~ > z g g g g g g; e- e+ > d d~ g g g g g g; e- mu+ > d d~; d d~ > g h;
    e- e- > d d~; e- e+ > d s~; e- e+ > z d d~; d z > z d; z z > d d~; d d~ > e- mu+; e- d > e- d; d d > z g;
    d d~ > d d~ a; d d~ > h g; w+ w- > d d~; a a > d d~; e- e+ > d d~ h; g g > z h; z d > d g; d g > z u; d d~ > h;
    u d~ > e- ve~; u d~ > e+ vm; u d~ > e- e+; u s~ > e+ ve; u u~ > e- e+ z; u u~ > e+ ve; u d~ > g g;
    u c~ > e- e+; u u~ > ve vm~; d u~ > e+ ve; u u~ > e- e-; u u~ > e- e+ mu- mu+; g g > e- e+; u d~ > ve ve~
"""


@pytest.mark.parametrize(("process", "quark", "antiquark", "gluons", "boson", "leptons"), COVERED)
def test_quark_lines(process, quark, antiquark, gluons, boson, leptons):
    line = find_quark_line(parse_process(process))
    assert line is not None
    assert (line.quark, line.antiquark, line.gluons) == (quark, antiquark, gluons)
    assert (line.vector.boson, line.vector.leptons) == (boson, leptons)
    assert line.flavour.name.removesuffix("~") in "udscb"
    vector = [-1 if boson is None else boson, -1] if leptons is None else [*leptons]
    assert line.engine_legs().tolist() == [line.process.n_external, *vector, quark, antiquark, *gluons]
    assert make_provider("auto", parse_process(process)).identity().name == "native"


@pytest.mark.parametrize("text", [" ".join(text.split()) for text in NOT_COVERED.split(";")])
def test_other_processes(text):
    process = parse_process(text)
    assert find_quark_line(process) is None
    assert isinstance(make_provider("auto", process, unchecked=True), PyAmplicol)
    with pytest.raises(UsageError, match="does not cover") as refused:
        make_provider("native", process)
    assert f'"{process}"' in refused.value.what
    assert "one massless quark line with up to 5 gluons" in refused.value.what
    right = PYAMPLICOL.covers(process) is None
    assert refused.value.told(flag).endswith("Take --provider pyamplicol.") == right


def test_providers_by_name():
    process = parse_process(JETS)
    assert isinstance(make_provider("native", process), Native)
    assert isinstance(make_provider("pyamplicol", process), PyAmplicol)
    with pytest.raises(UsageError, match='unknown provider "comix"') as refused:
        make_provider("comix", process)
    assert refused.value.hint == "Known: native, olp, pyamplicol, python, table, umami."


@pytest.mark.parametrize(("name", "process"), [("pyamplicol", JETS), ("auto", "g g > t t~")])
def test_parameters_that_cannot_be_set(name, process):
    with pytest.raises(UsageError, match="pyamplicol has fixed parameters: m_z, alpha_s cannot be set"):
        make_provider(name, parse_process(process), {"m_z": 90.0, "alpha_s": 0.12})


NAMES = ["alpha_s", "alpha_ew", "m_z", "gamma_z", "sin2_theta_w", "gamma_w"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [0.0, -0.1, float("nan"), float("inf"), -float("inf")])
def test_impossible_parameters(name, value):
    with pytest.raises(UsageError, match=f"^{name} = .*must be positive"):
        make_provider("native", parse_process(JETS), {"alpha_s": 0.12, name: value})


def test_impossible_mixing_angles():
    with pytest.raises(UsageError, match="sin2_theta_w = 1: it must be positive and below 1"):
        Parameters.of({"sin2_theta_w": 1.0})
    assert Parameters.of({"sin2_theta_w": 0.999}).sin2_theta_w == 0.999


def test_massive_quarks_are_not_covered():
    assert find_quark_line(parse_process("b b~ > z g").with_mass("b", 4.7).with_mass("b~", 4.7)) is None
    assert find_quark_line(parse_process("g g > b b~").with_mass("b", 4.7).with_mass("b~", 4.7)) is None


def test_unknown_parameters():
    with pytest.raises(UsageError, match='native has no parameter "alphas"') as refused:
        make_provider("native", parse_process(JETS), {"alphas": 0.12})
    assert refused.value.hint == f"Known: {', '.join(NAMES)}."
    assert Parameters.of({}) == DEFAULTS


@pytest.mark.parametrize("process", [JETS, Z])
def test_identity(process):
    usual = native(process).identity().model_dump()
    assert json.loads(json.dumps(usual)) == usual
    assert list(usual["parameters"]) == NAMES[:-1]  # gamma_w is of processes with a W alone
    for name in NAMES[:-1]:
        changed = native(process, **{name: 0.25}).identity().model_dump()
        assert changed == {**usual, "parameters": {**usual["parameters"], name: 0.25}}


def test_another_z_mass():
    heavy = make_provider("native", parse_process(Z), {"m_z": 95.0})
    assert [leg.mass for leg in heavy.process.legs] == [0, 0, 0, 95.0, 0, 0]
    usual, changed = sample(Z), sample(Z, m_z=95.0)
    assert (heavy.evaluate(changed) > 0).all()
    with pytest.raises(UsageError, match=r"event 0 .*leg 3 is off its mass shell \(z, m = 95 GeV\)"):
        heavy.evaluate(usual)
    with pytest.raises(UsageError, match=r"event 0 .*leg 3 is off its mass shell \(z, m = 91.188 GeV\)"):
        native(Z).evaluate(changed)


@pytest.mark.parametrize("process", [JETS, Z])
def test_pickling(process):
    provider = Native(parse_process(process), Parameters.of({"alpha_s": 0.1, "m_z": 95.0}), threads=2)
    travelled = pickle.loads(pickle.dumps(provider))
    p = sample(process, m_z=95.0)
    assert travelled.identity() == provider.identity()
    assert travelled.threads == 2
    np.testing.assert_array_equal(travelled.evaluate(p), provider.evaluate(p))


CASES = [
    ("not finite", lambda event: event.__setitem__((4, 2), np.nan)),
    ("not finite", lambda event: event.__setitem__((0, 0), np.inf)),
    ("not finite", lambda event: event.__setitem__((3, 0), np.nan)),
    ("not finite", lambda event: event.__setitem__((2, 1), -np.inf)),
    ("is off its mass shell", lambda event: event.__setitem__((5, 0), event[5, 0] * (1 + 1e-7))),
    ("is off its mass shell", lambda event: event.__setitem__((1, 0), event[1, 0] * (1 - 1e-7))),
    ("is off its mass shell", lambda event: event.__setitem__((3, 3), event[3, 3] + 1.0)),
    ("energies must be positive", lambda event: event.__imul__(-1.0)),
    ("energies must be positive", lambda event: event.__setitem__((2, 0), -event[2, 0])),
    ("energies must be positive", lambda event: event.__setitem__(5, 0.0)),
    ("momentum is not conserved", lambda event: event.__setitem__(4, event[4] * (1 + 1e-6))),
    ("momentum is not conserved", lambda event: event.__setitem__(slice(0, 2), event[:2] * 1.1)),
    ("momentum is not conserved", lambda event: event.__setitem__(4, event[5])),
]


@pytest.mark.parametrize("process", [JETS, Z])
@pytest.mark.parametrize(("reason", "change"), CASES)
def test_bad_events_are_named(process, reason, change):
    provider, p = native(process), sample(process)
    for first in (12, 7):
        change(p[first])
        for call in (provider.evaluate, provider.squared_orderings, lambda p: provider.colour_flows(p, np.zeros(N))):
            with pytest.raises(UsageError, match=rf"^event {first} \(from 0\): .*{reason}") as refused:
                call(p)
            assert refused.value.hint


@pytest.mark.parametrize("on", ["baseline", instruction_set()])
@pytest.mark.parametrize(("reason", "change"), CASES)
def test_every_place_is_checked_and_no_other_suspected(reason, change, on):
    for event in (0, 8, N - 1):
        p = sample(Z)
        change(p[event])
        bad = engine.evaluate(native(Z).line, DEFAULTS, p, on=on)[1]
        assert np.flatnonzero(bad).tolist() == [event]
        with pytest.raises(UsageError, match=rf"^event {event} .*{reason}"):
            native(Z).evaluate(p)


def test_shapes_dtypes_and_memory_order():
    provider, p = native(JETS), sample(JETS)
    expected = provider.evaluate(p)
    np.testing.assert_array_equal(provider.evaluate(np.asfortranarray(p)), expected)
    np.testing.assert_array_equal(provider.evaluate(np.repeat(p, 2, axis=0)[::2]), expected)
    np.testing.assert_array_equal(provider.evaluate(p.tolist()), expected)
    for wrong in (p[0], p[:, :5], p[..., :3], p[None], np.empty(0)):
        with pytest.raises(UsageError, match=r"must have the shape \(events, 6, 4\)"):
            provider.evaluate(wrong)
    for dtype in (np.float32, np.int64, np.complex128):
        with pytest.raises(UsageError, match=f"must be float64, not {np.dtype(dtype).name}"):
            provider.evaluate(p.astype(dtype))


@pytest.mark.parametrize("process", [JETS, Z])
def test_mask_of_physical_events(process, rng):
    provider, p = native(process), sample(process, 400)
    for event in range(100):
        CASES[event % len(CASES)][1](p[event])
    for event in range(200, 400):  # at the tolerance's edge, to the last digits
        size = np.linalg.norm(p[event, 2, 1:]) / np.sqrt(1 - TOLERANCE)
        p[event, 2, 0] = size * (1 + (event % 11 - 5) * np.finfo(float).eps)
    p = p[rng.permutation(400)]
    mask = physical_events(p, provider.process)
    assert 150 < mask.sum() < 250
    for event, physical in enumerate(mask):
        one = p[event : event + 1]
        at_edge = abs((one[0, 2] ** 2 @ [1, -1, -1, -1]) / one[0, 2, 0] ** 2 / TOLERANCE - 1) < 1e-3
        calls = [lambda one: checked_momenta(one, provider.process), *([] if at_edge else [provider.evaluate])]
        for call in calls:
            if physical:
                call(one)
            else:
                with pytest.raises(UsageError, match=r"^event 0 "):
                    call(one)


@pytest.mark.parametrize("threads", [0, -1])
def test_threads(threads):
    with pytest.raises(UsageError, match=f"{threads} threads"):
        Native(parse_process(JETS), threads=threads)


@pytest.mark.parametrize("alpha_s", [0.0, -0.1, np.nan, np.inf, np.full(N - 1, 0.1), np.full((N, 1), 0.1)])
def test_alpha_s_of_events(alpha_s):
    with pytest.raises(UsageError, match="alpha_s must be"):
        native(JETS).evaluate(sample(JETS), alpha_s=alpha_s)


@pytest.mark.parametrize("uniforms", [np.full(N, 1.0), np.full(N, -0.1), np.full(N, np.nan), np.full(N - 1, 0.5)])
def test_uniforms_of_colour_flows(uniforms):
    with pytest.raises(UsageError, match="uniforms must be"):
        native(JETS).colour_flows(sample(JETS), uniforms)


def test_exact_singularities_are_infinite():
    collinear = np.array([[[500, 0, 0, 500], [500, 0, 0, -500], [250, 0, 0, 250], [500, 0, 0, -500], [250, 0, 0, 250]]])
    along_beam = with_beams(np.array([[[500.0, 0, 0, (500**2 - DEFAULTS.m_z**2) ** 0.5], [300.0, 0, 0, -300.0]]]))
    assert native("e- e+ > d d~ g").evaluate(collinear.astype(float)) == np.inf
    assert native("d d~ > z g").evaluate(along_beam) == np.inf


def test_whole_numbers_as_parameters():
    assert native(Z, m_z=90).process == native(Z, m_z=90).identity().described(Z)
    assert native(Z, m_z=90).process.final_masses[1] == 90.0


def test_missing_compiled_module(monkeypatch):
    def fail(name: str) -> None:
        raise ImportError(f"no {name}")

    instructions.compiled_module.cache_clear()
    instructions.instruction_set.cache_clear()
    with monkeypatch.context() as patched:
        patched.setattr(importlib, "import_module", fail)
        with pytest.raises(
            AmpcliError, match=r"modules of ampcli cannot be loaded: no ampcli\.amplitudes\.native\._baseline"
        ) as refused:
            native(JETS).evaluate(sample(JETS))
    assert "C++17 compiler" in str(refused.value.hint)
    assert (native(JETS).evaluate(sample(JETS)) > 0).all()
