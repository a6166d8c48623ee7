"""libampcli on exact amplitudes: Python's numbers, flags, couplings, threads, and codes for what is malformed."""

from __future__ import annotations

import itertools
import subprocess
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from c_library import COMPILER, EXACT, FLAGS, FOLDER, NOT_PHYSICAL, ROOT, CError, Model, compile_unit

from ampcli.amplitudes.native.couplings import Parameters
from ampcli.amplitudes.native.provider import Native
from ampcli.inference.load import load_predictor
from ampcli.instructions import instruction_set
from ampcli.kinematics import with_beams
from ampcli.library.bundle import write_bundle
from ampcli.library.contents import exact_content, sealed
from ampcli.library.surrogates import surrogate_content
from ampcli.phasespace.rambo import rambo
from ampcli.process import parse_process

PROCESSES = ["d d~ > z", "u~ u > g z", "d g > d z g", "g g > z u~ u g g g", "e- e+ > d d~", "mu- mu+ > g b~ g b"]
PROCESSES += ["d d~ > e- g e+", "g u > d e+ ve g", "u d~ > w+ g", "u u~ > g g g"]
COMPILED = list(FLAGS)[: list(FLAGS).index(instruction_set()) + 1]  # those that this processor runs


def native(process: str, **parameters: float) -> Native:
    return Native(parse_process(process), Parameters.of(parameters))


def sample(provider: Native, n: int, energy: float = 1000.0) -> np.ndarray:
    process = provider.process
    if process.n_final == 1:
        final = np.zeros((n, 1, 4))
        final[:, 0, 0] = process.final_masses[0]
    else:
        final = np.ascontiguousarray(rambo(np.random.default_rng(4).random((n, process.n_final, 4)), energy))
        final[..., 0] = np.sqrt((final[..., 1:] ** 2).sum(axis=2) + np.array(process.final_masses) ** 2)
    return with_beams(final)


def bundle(provider: Native) -> bytes:
    return write_bundle(exact_content(provider))


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("instructions", COMPILED)
def test_the_numbers_are_those_of_python(process, instructions):
    provider = native(process)
    momenta = sample(provider, 21)
    with Model(bundle(provider), instructions) as model:
        values, errors, flags = model.evaluate(momenta)
        np.testing.assert_allclose(values, provider.evaluate(momenta), rtol=1e-12)
        assert (errors == 0).all()
        assert (flags == EXACT).all()
        again, more = model.exact(momenta)
        np.testing.assert_array_equal(again, values)
        np.testing.assert_array_equal(more, flags)
        np.testing.assert_array_equal(model.evaluate_or_exact(0.0, momenta)[0], values)
        assert model.info().instructions.decode() == instructions


def test_information():
    provider = native("d g > d z g", m_z=80.0, alpha_s=0.13)
    with Model(bundle(provider)) as model:
        info = model.info()
        assert info.name == info.process == b"d g > d z g"
        assert info.kind == b"exact"
        assert info.pdg[: info.legs] == [1, 21, 1, 23, 21]
        assert info.masses[: info.legs] == [0, 0, 0, 80.0, 0]
        assert (info.sqrt_s, info.alpha_s, info.alpha_s_power, info.has_exact) == (0.0, 0.13, 2, 1)
        assert info.instructions.decode() == instruction_set()
        assert info.digest.decode() == exact_content(provider)["digest"]
    assert exact_content(native("d g > d z g"))["digest"] != exact_content(provider)["digest"]


def test_the_strong_coupling_of_each_event():
    provider = native("d d~ > z g g g")
    momenta, alpha_s = sample(provider, 9), np.linspace(0.09, 0.14, 9)
    with Model(bundle(provider)) as model:
        values = model.evaluate(momenta, alpha_s)[0]
        np.testing.assert_allclose(values, provider.evaluate(momenta, alpha_s), rtol=1e-12)
        alpha_s[2:5] = -0.1, np.nan, np.inf
        values, errors, flags = model.evaluate(momenta, alpha_s)
        bad = np.isin(np.arange(9), [2, 3, 4])
        np.testing.assert_array_equal(np.isnan(values), bad)
        np.testing.assert_array_equal(np.isnan(errors), bad)
        np.testing.assert_array_equal((flags & NOT_PHYSICAL) != 0, bad)


def test_events_that_are_not_physical_are_flagged():
    provider = native("e- e+ > d d~ g")
    momenta = sample(provider, 12)
    good = momenta.copy()
    momenta[1, 2, 0] *= 1.001
    momenta[3, 4, 1] = np.nan
    momenta[5, 0, 0] = np.inf
    momenta[7] *= -1
    momenta[10] = 0
    with Model(bundle(provider)) as model:
        values, errors, flags = model.evaluate(momenta)
        bad = np.isin(np.arange(12), [1, 3, 5, 7, 10])
        np.testing.assert_array_equal(flags == NOT_PHYSICAL, bad)
        np.testing.assert_array_equal(np.isnan(values), bad)
        np.testing.assert_array_equal(np.isnan(errors), bad)
        np.testing.assert_array_equal(values[~bad], model.evaluate(good)[0][~bad])


@pytest.mark.parametrize("process", ["d d~ > z g g", "d d~ > e- e+ g", "u d~ > e+ ve g", "u u~ > g g g"])
@pytest.mark.parametrize("instructions", COMPILED)
def test_strongly_boosted_events_keep_their_digits(process, instructions):
    provider = native(process)
    final = sample(provider, 40)[:, 2:]
    rapidity = np.linspace(-16.0, 16.0, 40)[:, None]
    plus, minus = (final[..., 0] + final[..., 3]) * np.exp(rapidity), (final[..., 0] - final[..., 3]) / np.exp(rapidity)
    final[..., 0], final[..., 3] = (plus + minus) / 2, (plus - minus) / 2
    final[..., 0] = np.sqrt((final[..., 1:] ** 2).sum(axis=2) + np.array(provider.process.final_masses) ** 2)
    momenta = with_beams(final)
    with Model(bundle(provider), instructions) as model:
        values, _, flags = model.evaluate(momenta)
        assert (flags == EXACT).all()
        # boosts of up to 1000, as they are, cost 1e-10; larger ones would cost 1e-3
        np.testing.assert_allclose(values, provider.evaluate(momenta), rtol=1e-9)


def test_vanishing_invariants_are_infinite():
    provider = native("d d~ > z g g")
    final = np.array([[[0.0, 0, 0, 0], [100, 0, 60, 80], [100, 0, 60, 80]]])
    final[0, 0] = -final[0, 1:].sum(axis=0)
    final[0, 0, 0] = np.sqrt(provider.parameters.m_z**2 + (final[0, 0, 1:] ** 2).sum())
    momenta = with_beams(final)
    with Model(bundle(provider)) as model:
        assert provider.evaluate(momenta)[0] == np.inf
        assert model.evaluate(momenta)[0][0] == np.inf


@pytest.mark.parametrize("events", [0, 1, 255, 256, 257, 1023, 1025, 2049])
def test_any_number_of_events(events):
    provider = native("d d~ > z g")
    momenta = sample(provider, events)
    with Model(bundle(provider)) as model:
        values, _, flags = model.evaluate(momenta, np.full(events, 0.118))
        np.testing.assert_allclose(values, provider.evaluate(momenta), rtol=1e-12)
        assert (flags == EXACT).all()


@pytest.mark.parametrize("instructions", COMPILED)
def test_an_amplitude_does_not_depend_on_what_comes_with_it(instructions):
    provider = native("d d~ > z g g")
    momenta = sample(provider, 30)
    with Model(bundle(provider), instructions) as model:
        together = model.evaluate(momenta)[0]
        for size in (1, 3, 7):
            parts = [model.evaluate(np.ascontiguousarray(momenta[i : i + size]))[0] for i in range(0, 30, size)]
            np.testing.assert_array_equal(np.concatenate(parts), together)


def test_one_handle_serves_many_threads():
    provider = native("e- e+ > d d~ g g")
    momenta = sample(provider, 400)
    with Model(bundle(provider)) as model, ThreadPoolExecutor(8) as pool:
        shares = [np.ascontiguousarray(momenta[i : i + 25]) for i in range(0, 400, 25)] * 20
        found = [values for values, _, _ in pool.map(model.evaluate, shares)]
        np.testing.assert_array_equal(np.concatenate(found), np.tile(model.evaluate(momenta)[0], 20))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "oracle"}, "models of the kind oracle are none of this library's"),
        ({"exact/ints": np.zeros(2000, dtype=np.int32)}, "the tables of the amplitude are damaged"),
        ({"exact/legs": np.array([5, 2, -1, 1, 0, 3, 3], dtype=np.int32)}, "the legs of the amplitude do not fit"),
        ({"exact/parameters": np.full(9, np.nan)}, "a parameter of the amplitude is not finite"),
        ({"exact/parameters": np.zeros(8)}, "exact/parameters has the shape (8) instead of (9)"),
        (
            {"pdg": np.array([1, -1, 23, 21], dtype=np.int32), "masses": np.zeros(4)},
            "an amplitude of 5 legs instead of 4",
        ),
        ({"alpha_s": np.array(0.0)}, "alpha_s is none"),
        ({"masses": np.full(5, -1.0)}, "the mass of a leg is none"),
        ({"alpha_s": "0.118"}, "alpha_s is text instead of float64"),
    ],
)
def test_what_does_not_fit_together(change, message):
    content = exact_content(native("d d~ > z g g"))
    with pytest.raises(CError) as caught:
        Model(write_bundle(sealed(content | change)))
    assert message in str(caught.value)
    assert caught.value.code == 2


def small_surrogate(name: str) -> bytes:
    """A shipped model with small networks: a file of which most bytes mean something."""
    content = surrogate_content(load_predictor(name, ROOT / "registry", "cpu"))
    rng = np.random.default_rng(3)
    for member in range(int(content["members"])):
        prefix = f"member/{member}/"
        inputs, outputs = content[f"{prefix}widths"][[0, -1]]
        widths = np.array([inputs, 5, 5, 5, outputs], dtype=np.int32)
        size = int(((widths[:-1] + 1) * widths[1:]).sum())
        parameters = 0.1 * rng.standard_normal(size, dtype=np.float32)
        activation = ("tanh", "gelu")[member]
        content |= {f"{prefix}widths": widths, f"{prefix}parameters": parameters, f"{prefix}activation": activation}
    if content["combination"] == "covariance":
        content["first_alone"] = np.array(0.3)
    return write_bundle(sealed(content))


@pytest.mark.timeout(400)  # of which compiling with sanitizers is the most
def test_malformed_files_and_batches_give_codes(tmp_path):
    paths = []
    for number, process in enumerate(["d d~ > z g g", "e- e+ > u u~ g", "g g > z d d~ g"]):
        paths.append(tmp_path / f"{number}.bundle")
        paths[-1].write_bytes(bundle(native(process)))
    for name in ("ddx-zgggg-pair", "ddx-zgggg-nofa"):
        paths.append(tmp_path / f"{name}.bundle")
        paths[-1].write_bytes(small_surrogate(name))
    checked = ["-O1", "-g1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    units = []
    used = instruction_set()  # the others differ in the width of vectors
    for engine, name in itertools.product(("exact", "surrogate"), FLAGS):
        units.append(tmp_path / f"{engine}_{name}.o")
        compile_unit(
            f"ampcli/library/{engine}.cpp", name, units[-1], ["-Wno-psabi", *(checked if name == used else ["-O0"])]
        )
    sources = [ROOT / "tests/unit/library_malformed.cpp", FOLDER / "library.cpp", FOLDER / "blha.cpp"]
    flags = ["-std=c++17", f"-I{FOLDER}", '-DAMPCLI_PACKAGE_VERSION="0"', "-pthread", "-ldl", *checked]
    subprocess.run([COMPILER, *flags, *sources, *units, "-o", tmp_path / "malformed"], check=True)
    words = [tmp_path / "malformed", "4000", "8", *paths]
    run = subprocess.run(words, capture_output=True, text=True, errors="replace", cwd=tmp_path)
    assert run.returncode == 0, run.stderr[-5000:]
    opened, refused = map(int, run.stdout.split())
    assert opened + refused > 18_000
    assert opened > 100  # damage to numbers, say; those were evaluated
