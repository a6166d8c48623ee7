"""Amplitudes of a UFO model (tests/models/zprime) against closed forms, and what is known of its particles."""

from __future__ import annotations

import math
import shutil
import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ampcli.amplitudes.check import events
from ampcli.amplitudes.providers import (
    asked_process,
    kind_named,
    make_provider,
    named_with_model,
    note_on,
    provider_of,
)
from ampcli.amplitudes.ufo import find_model
from ampcli.errors import AmpcliError, IntegrityError, NotFoundError, UsageError
from ampcli.factorisation.radiation import mirror_symmetric
from ampcli.kinematics import FloatArray
from ampcli.records.provider import ParticleRecord, ProviderRecord
from ampcli.speedup.measure import providers_of

MODEL = Path(__file__).parents[1] / "models" / "zprime"
NAME = f"pyamplicol:{MODEL}"
DEFAULTS = {"aEWM1": 132.507, "aS": 0.118, "gl": 0.25, "gr": 0.1, "gq": 0.2, "gs": 0.3, "MZp": 600.0, "WZp": 15.0}
CHANGED = {"gl": 0.5, "gr": -0.2, "MZp": 450.0, "WZp": 40.0, "aS": 0.3}


def invariants(p: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """s, t, u of events (n, 4, 4)."""
    metric = np.array([1.0, -1.0, -1.0, -1.0])
    s, t, u = ((q**2) @ metric for q in (p[:, 0] + p[:, 1], p[:, 0] - p[:, 2], p[:, 0] - p[:, 3]))
    return s, t, u


def exchanged(s: FloatArray, charges: float, couplings: float, c: dict[str, float]) -> FloatArray:
    """|e^2 Q Q' / s + g g' / (s - M^2 + i M Gamma)|^2."""
    z = couplings / (s - c["MZp"] ** 2 + 1j * c["MZp"] * c["WZp"])
    return np.asarray(np.abs(4 * math.pi / c["aEWM1"] * charges / s + z) ** 2)


def muons(p: FloatArray, c: dict[str, float]) -> FloatArray:
    s, t, u = invariants(p)
    same = sum(exchanged(s, 1.0, c[g] ** 2, c) for g in ("gl", "gr"))
    return np.asarray(u**2 * same + 2 * t**2 * exchanged(s, 1.0, c["gl"] * c["gr"], c))


def quarks(p: FloatArray, c: dict[str, float]) -> FloatArray:
    s, t, u = invariants(p)
    return np.asarray(3 * (t**2 + u**2) * sum(exchanged(s, -2 / 3, c[g] * c["gq"], c) for g in ("gl", "gr")))


def scalars(p: FloatArray, c: dict[str, float]) -> FloatArray:
    s, t, u = invariants(p)
    couplings = sum(exchanged(s, 0.0, c[g] * c["gs"], c) for g in ("gl", "gr"))
    return np.asarray(couplings * (s * (s - c["MZp"] ** 2 / 4) - (t - u) ** 2) / 4)  # its mass is MZp / 4


def annihilation(p: FloatArray, c: dict[str, float]) -> FloatArray:
    """Two massless fermions and two vectors, of couplings 1: summed over spins."""
    s, t, u = invariants(p)
    return np.asarray(4 * (t**2 + u**2 + 2 * s * c["MZp"] ** 2) / (t * u))


def photons(p: FloatArray, c: dict[str, float]) -> FloatArray:
    return np.asarray(math.pi / c["aEWM1"] * (c["gl"] ** 2 + c["gr"] ** 2) * annihilation(p, c))


CLOSED_FORMS: dict[str, Callable[[FloatArray, dict[str, float]], FloatArray]] = {
    "e- e+ > mu- mu+": muons,
    "e- e+ > u u~": quarks,
    "e- e+ > chi chi~": scalars,
    "chi chi~ > e- e+": lambda p, c: 4 * scalars(p, c),  # no spins to average over
    "e- e+ > zp a": photons,
    "Zp a > e- e+": lambda p, c: 4 / 6 * photons(p, c),
    "u u~ > Zp g": lambda p, c: 4 * math.pi * c["aS"] * 2 * c["gq"] ** 2 / 9 * annihilation(p, c),
}


@pytest.mark.parametrize("changed", [{}, CHANGED], ids=["defaults", "changed"])
@pytest.mark.parametrize("text", CLOSED_FORMS)
def test_closed_forms(text: str, changed: dict[str, float]) -> None:
    process = asked_process(NAME, text, changed)
    provider = make_provider(NAME, process, changed)
    momenta = events(process, (1.4, 3.0, 11.0))
    exact = CLOSED_FORMS[text](momenta, DEFAULTS | changed)
    np.testing.assert_allclose(provider.evaluate(momenta), exact, rtol=1e-12)


def test_identity_is_that_of_the_files_wherever_they_lie(tmp_path: Path) -> None:
    moved = shutil.copytree(MODEL, tmp_path / "zprime", ignore=shutil.ignore_patterns("__pycache__"))
    process = asked_process(NAME, "e- e+ > chi chi~", {"ratio": 0.3})
    record = make_provider(f"pyamplicol:{moved}", process, {"ratio": 0.3}).identity()
    assert record == make_provider(NAME, process, {"ratio": 0.3}).identity()
    assert record.name.startswith("pyamplicol:zprime@")
    assert record.parameters == DEFAULTS | {"ratio": 0.3}  # no power of alpha_s: it is not in there
    chi = ParticleRecord(name="chi", pdg=9900042, spin=1, colour=1, charge=0.0, mass=180.0)
    assert record.particles[2] == chi
    shutil.rmtree(moved)
    again = provider_of(record, record.described("e- e+ > chi chi~"))
    assert again.identity() == record
    assert again.process == process
    assert "all that ampcli has checked is that they do not depend on the frame" in str(note_on(record, process))
    file = shutil.copytree(MODEL, tmp_path / "zprime") / "couplings.py"
    file.write_text(file.read_text().replace("complex(0,1)*gl", "2*complex(0,1)*gl"))
    assert kind_named(f"pyamplicol:{tmp_path / 'zprime'}").name != record.name


def test_a_store_of_the_standard_model_keeps_its_bytes() -> None:
    record = ProviderRecord(name="native", version="1", parameters={"alpha_s": 0.118})
    assert list(record.model_dump()) == ["name", "version", "options", "parameters"]
    assert record.model is None


def test_particles() -> None:
    process = asked_process(NAME, "E- e+ > Zp CHI chi~ u u~ g", {})
    assert str(process) == "e- e+ > Zp chi chi~ u u~ g"
    kinds = ["lepton", "lepton", "vector", "scalar", "scalar", "quark", "antiquark", "gluon"]
    assert [leg.kind for leg in process.legs] == kinds
    assert process.final_masses == (600.0, 150.0, 150.0, 0.0, 0.0, 0.0)
    assert process.n_jets == 3
    assert not mirror_symmetric(asked_process(NAME, "u u~ > Zp g", {}))  # nobody knows
    assert mirror_symmetric(asked_process("auto", "u u~ > z g", {}))
    with pytest.raises(UsageError, match='unknown particle "z"'):
        asked_process(NAME, "e- e+ > z u u~", {})


@pytest.mark.parametrize(
    ("spin", "colour", "pdg", "mass", "kind"),
    [
        (2, 1, 9900012, 100.0, "fermion"),
        (2, 1, -16, 0.0, "lepton"),
        (2, -3, -8, 900.0, "antiquark"),
        (3, 8, 21, 0.0, "gluon"),
        (3, 8, 9900021, 900.0, None),
        (1, 3, 42, 900.0, None),
        (2, 8, 1000021, 900.0, None),
        (5, 1, 39, 0.0, None),
    ],
)
def test_kinds(spin: int, colour: int, pdg: int, mass: float, kind: str | None) -> None:
    assert ParticleRecord(name="x", pdg=pdg, spin=spin, colour=colour, charge=0.0, mass=mass).kind == kind


def test_names_of_either_side(tmp_path: Path) -> None:
    """The model's own name comes first; a card of values is part of the model."""
    named = shutil.copytree(MODEL, tmp_path / "named")
    particles = named / "particles.py"
    particles.write_text(particles.read_text().replace('"a", "a"', '"A0", "A0"').replace('"Zp", "Zp"', '"a", "a"'))
    process = asked_process(f"pyamplicol:{named}", "e- e+ > a A0", {})
    assert [(leg.name, leg.pdg) for leg in process.outgoing] == [("a", 9900032), ("A0", 22)]
    (named / "restrict_light.dat").write_text("Block MASS\n  9900032 50.\nBlock ZPRIME\n  3 0.\n")
    light = find_model(f"{named}-light")
    assert light.reference.startswith("named-light@")
    assert light.process("e- e+ > a mu- mu+").final_masses == (50.0, 0.0, 0.0)
    assert "gq" not in light.parameters  # the card makes it zero


def test_what_depends_on_the_frame_is_refused(tmp_path: Path) -> None:
    """Without vertices of gluons among themselves: |M|^2 depends on the gauge of the polarisations."""
    broken = shutil.copytree(MODEL, tmp_path / "broken")
    vertices = broken / "vertices.py"
    vertices.write_text(vertices.read_text() + 'all_vertices = [v for v in all_vertices if v.name != "V_ggg"]\n')
    name = f"pyamplicol:{broken}"
    process = asked_process(name, "e- e+ > u u~ g g", {})
    with pytest.raises(UsageError, match=r"is not right: in another frame it differs by 0\.\d+ of its value"):
        make_provider(name, process).identity()
    taken = make_provider(name, process, unchecked=True).identity()
    assert taken.options | {"unchecked": "yes", "frame": "dependent"} == taken.options
    assert "checked is that they depend on the frame" in str(note_on(taken, process))
    assert provider_of(taken, process).fault is not None


HEAVY = {
    "parameters": """
        y = Parameter("y", "external", 0.7, "ZPRIME", [6])
        MF = Parameter("MF", "external", 300.0, "MASS", [9900051])
        all_parameters += [y, MF]""",
    "particles": """
        from .parameters import MF
        heavy = Particle(9900051, "F", "F~", 2, 1, MF, ZERO, 0.0)
        all_particles += [heavy, heavy.anti()]""",
    "lorentz": """
        FFSL, FFSR = Lorentz("FFSL", [2, 2, 1], "ProjM(2,1)"), Lorentz("FFSR", [2, 2, 1], "ProjP(2,1)")
        all_lorentz += [FFSL, FFSR]""",
    "couplings": """
        YUKAWA = Coupling("YUKAWA", "complex(0,1)*y", {"NP": 1})
        all_couplings += [YUKAWA]""",
    "vertices": """
        from .couplings import YUKAWA
        from .lorentz import FFSL, FFSR
        from .particles import heavy
        all_vertices += [
            Vertex("V_1", [heavy.anti(), electron, scalar], ["1"], [FFSR], {(0, 0): YUKAWA}),
            Vertex("V_2", [electron.anti(), heavy, scalar.anti()], ["1"], [FFSL], {(0, 0): YUKAWA}),
        ]""",
}


def test_a_massless_fermion_turns_into_a_massive_one(tmp_path: Path) -> None:
    """pyamplicol lacks such diagrams, but for a mass that is too small to be seen."""
    model = shutil.copytree(MODEL, tmp_path / "heavy")
    for module, lines in HEAVY.items():
        with (model / f"{module}.py").open("a") as file:
            file.write(textwrap.dedent(lines))
    name, alone = f"pyamplicol:{model}", {"gs": 0.0}
    process = asked_process(name, "e- e+ > chi chi~", alone)
    assert process.incoming[0].mass == 0
    momenta = events(process, (1.4, 3.0, 11.0))
    _, t, u = invariants(momenta)
    exact = 0.7**4 * (t * u - 150.0**4) / (4 * (u - 300.0**2) ** 2)
    np.testing.assert_allclose(make_provider(name, process, alone).evaluate(momenta), exact, rtol=1e-12)


def test_alpha_s_is_said_where_weights_can_run_with_it(tmp_path: Path) -> None:
    identity = make_provider(NAME, asked_process(NAME, "u u~ > Zp g", {}), {"aS": 0.12}).identity()
    assert identity.parameters["alpha_s"] == identity.parameters["aS"] == 0.12
    mixed = shutil.copytree(MODEL, tmp_path / "mixed")
    couplings = mixed / "couplings.py"
    couplings.write_text(couplings.read_text().replace("complex(0,1)*gq", "complex(0,1)*gq*(1 + aS)"))
    name = f"pyamplicol:{mixed}"
    assert "alpha_s" not in make_provider(name, asked_process(name, "u u~ > Zp g", {})).identity().parameters


def test_what_there_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="Leave out provider"):
        named_with_model("native", str(MODEL))
    with pytest.raises(NotFoundError, match="there is no UFO model"):
        find_model(str(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match=r"it has no __init__\.py"):
        find_model(str(tmp_path))
    with pytest.raises(NotFoundError, match=r"has no card restrict_strange\.dat"):
        find_model(f"{MODEL}-strange")
    with pytest.raises(NotFoundError, match="the UFO model zprime@0123456789abcdef is not known on this machine"):
        find_model("zprime@0123456789abcdef")
    (tmp_path / "__init__.py").write_text("import nothing_like_it\n")
    with pytest.raises(AmpcliError, match="cannot be read: ModuleNotFoundError: No module named 'nothing_like_it'"):
        find_model(str(tmp_path))
    with pytest.raises(UsageError, match=r'has no tree amplitude of the UFO model zprime@.* for "e- e. > u u"'):
        make_provider(NAME, asked_process(NAME, "e- e+ > u u", {})).identity()
    with pytest.raises(UsageError, match='has no parameter "alpha"'):
        asked_process(NAME, "e- e+ > mu- mu+", {"alpha": 1 / 137})
    with pytest.raises(UsageError, match="z is no particle of zprime@"):
        make_provider(NAME, asked_process("auto", "e- e+ > z u u~", {}))
    monkeypatch.setenv("AMPCLI_CACHE", str(tmp_path / "cache"))
    model = find_model(str(MODEL))
    model.file.write_text("{")
    with pytest.raises(IntegrityError, match="cannot be read"):
        find_model(str(MODEL)).process("e- e+ > mu- mu+")


def test_yardsticks_are_those_of_the_model() -> None:
    record = make_provider(NAME, process := asked_process(NAME, "e- e+ > u u~ g", {})).identity()

    class Made:
        class plan:  # noqa: N801
            provider = record

    Made.process = process  # type: ignore[attr-defined]
    assert list(providers_of(Made, [])) == [record.name]  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="native has no amplitudes of the UFO model zprime@"):
        providers_of(Made, ["native"])  # type: ignore[arg-type]
