"""Which amplitudes of pyamplicol are taken: every class, by its examples, without generating anything."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ampcli.amplitudes import artifacts, check, coverage
from ampcli.amplitudes.providers import make_provider, note_on, provider_of
from ampcli.amplitudes.pyamplicol import PyAmplicol
from ampcli.amplitudes.trees import Trees
from ampcli.errors import UsageError
from ampcli.inference.described import require_described
from ampcli.process import parse_process
from ampcli.records.provider import ProviderRecord

EXAMPLES = [(key, text) for key, known in coverage.CLASSES.items() for text in known.examples]
RIGHT = [text for key, text in EXAMPLES if coverage.CLASSES[key].fault is None]
WRONG = [text for key, text in EXAMPLES if coverage.CLASSES[key].fault and not coverage.CLASSES[key].mixed]


@pytest.mark.parametrize(("key", "text"), EXAMPLES)
def test_classes_hold_their_examples(key, text):
    assert coverage.class_of(parse_process(text)) is coverage.CLASSES[key]


@pytest.fixture
def generated(monkeypatch, tmp_path):
    """pyamplicol replaced: its corrected numbers are our trees' times `error`; lists what was generated."""
    made = SimpleNamespace(error=1.0, processes=[])

    def ensure(process):
        made.processes.append(str(process))
        return tmp_path / str(process).replace(" ", "_")

    def values(self, folder, momenta):
        return made.error * Trees(self.process).squares(momenta, check.leading_order(self.process))

    monkeypatch.setattr(artifacts, "ensure_artifact", ensure)
    monkeypatch.setattr(PyAmplicol, "_values", values)
    monkeypatch.setattr("ampcli.amplitudes.pyamplicol._parameters", lambda folder: {"alpha_s": 0.118})
    return made


@pytest.mark.parametrize("text", WRONG)
def test_wrong_classes_are_refused_before_they_are_generated(generated, text):
    with pytest.raises(UsageError, match="is not right") as refused:
        make_provider("auto", parse_process(text))
    known = coverage.class_of(parse_process(text))
    assert text in refused.value.what
    assert known.name in refused.value.what
    assert str(known.fault) in refused.value.what
    assert "unchecked" in str(refused.value)
    assert not generated.processes


SMALL = [text for text in RIGHT if check.affordable(parse_process(text)) and text.count("g") < 2]


@pytest.mark.parametrize("text", SMALL)
def test_right_classes_are_taken_after_a_comparison(generated, text):
    process = parse_process(text)
    provider = make_provider("pyamplicol", process)
    options = provider.identity().options
    assert ("normalisation" in options) == (coverage.normalisation(process) != 1.0)
    assert "unchecked" not in options


@pytest.mark.parametrize("text", ["u u~ > z z", "e- e+ > mu- mu+", "b b~ > w+ w-"])
def test_a_wrong_amplitude_of_any_class_is_refused(generated, text):
    generated.error = 1.0 + 1e-6
    with pytest.raises(UsageError, match="is not right"):
        make_provider("pyamplicol", parse_process(text)).identity()
    unchecked = make_provider("pyamplicol", parse_process(text), unchecked=True)
    assert unchecked.identity().options["unchecked"] == "yes"


@pytest.mark.parametrize("text", ["t b~ > w+ z", "b b~ > w+ w-"])
def test_in_mixed_classes_the_comparison_decides(generated, text):
    assert "unchecked" not in make_provider("pyamplicol", parse_process(text)).identity().options


def test_a_mixed_process_that_is_too_large_is_refused(generated):
    with pytest.raises(UsageError, match="b quark turns into a top quark"):
        make_provider("pyamplicol", parse_process("g g > b b~ w+ w- g")).identity()


@pytest.mark.parametrize("change", ["negative", "not symmetric", "not a number"])
def test_what_is_too_large_for_trees_is_held_against_itself(generated, monkeypatch, change):
    def values(self, folder, momenta):
        s = momenta[:, 0, 0] * momenta[:, 1, 0]
        return {"negative": -s, "not symmetric": s * (1 + momenta[:, 4, 0]), "not a number": s * np.nan}[change]

    process = parse_process("g g > g g g g")
    assert not check.affordable(process)
    monkeypatch.setattr(PyAmplicol, "_values", values)
    with pytest.raises(UsageError, match="differs from itself"):
        make_provider("pyamplicol", process).identity()
    monkeypatch.setattr(PyAmplicol, "_values", lambda self, folder, p: (p[:, 2:, 0] ** 2).sum(axis=1))
    make_provider("pyamplicol", parse_process("g g > u u~ d d~ g")).identity()


def test_known_factors():
    two_too_many = (8 * math.pi / 132.507) ** 2
    expected = {
        "u u~ > z z": 1.0,
        "e- e+ > mu- mu+": 1 / two_too_many,
        "e- e+ > mu- mu+ a": 1 / two_too_many,
        "w+ w- > z z": 4 / 9 / two_too_many,
        "z h > z h": 4 / 3 / two_too_many,
        "z u > z u": 2 / 3,
        "h h > t t~": 4.0,
    }
    for text, factor in expected.items():
        assert coverage.normalisation(parse_process(text)) == pytest.approx(factor, rel=1e-14)


@pytest.mark.parametrize("damage", [None, b"", b"{", b"[]", b'{"format": 1}', "digit"])
def test_the_record_of_a_comparison(tmp_path, damage):
    record = tmp_path / "x.check.json"
    assert check.recorded_difference(record, "key", lambda: 2e-14) == 2e-14
    if damage == "digit":
        record.write_bytes(record.read_bytes().replace(b"2e-14", b"3e-14"))
    elif damage is not None:
        record.write_bytes(damage)
    assert check.recorded_difference(record, "key", lambda: 5.0) == (2e-14 if damage is None else 5.0)
    assert check.recorded_difference(record, "another", lambda: math.inf) == math.inf


def test_a_cache_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    assert check.recorded_difference(tmp_path / "file" / "x.json", "key", lambda: 1e-14) == 1e-14


@pytest.mark.parametrize(
    ("name", "options", "text", "said"),
    [
        ("native", {}, "e- e+ > d d~", None),
        ("not installed here", {"unchecked": "yes"}, "e- e+ > d d~", None),
        ("pyamplicol", {}, "u u~ > z z", None),
        ("pyamplicol", {"normalisation": "corrected"}, "e- e+ > mu- mu+", None),
        ("pyamplicol", {}, "e- e+ > mu- mu+", "before ampcli corrected"),
        ("pyamplicol", {}, "e- e+ > w+ w-", "are wrong"),
        ("pyamplicol", {"unchecked": "yes"}, "e- e+ > w+ w-", "unchecked"),
    ],
)
def test_what_is_said_of_a_store(name, options, text, said):
    note = note_on(ProviderRecord(name=name, version="1", options=options), parse_process(text))
    assert note is None if said is None else said in note


def test_stores_from_before_the_correction_are_not_continued(generated):
    process = parse_process("e- e+ > mu- mu+")
    record = make_provider("pyamplicol", process).identity()
    assert provider_of(record, process).identity() == record
    with pytest.raises(UsageError, match="before ampcli corrected"):
        provider_of(record.model_copy(update={"options": artifacts.OPTIONS}), process)


@pytest.mark.parametrize("options", [{}, {"normalisation": "corrected"}, {"unchecked": "yes"}])
def test_a_model_describes_the_same_amplitudes_only(options):
    provider = ProviderRecord(name="pyamplicol", version="1.0.1", options=options, parameters={"alpha_s": 0.118})
    manifest = SimpleNamespace(process="e- e+ > mu- mu+", sqrt_s=500.0, provider=provider, reference="m@1")
    for other in ({}, {"normalisation": "corrected"}, {"unchecked": "yes"}):
        plan = SimpleNamespace(process="e- e+ > mu- mu+", provider=provider.model_copy(update={"options": other}))
        store = SimpleNamespace(plan=plan, sqrt_s=500.0, path=Path("s.zarr"))
        if other == options:
            require_described(manifest, store)  # type: ignore[arg-type]
        else:
            with pytest.raises(UsageError, match="amplitudes"):
                require_described(manifest, store)  # type: ignore[arg-type]
