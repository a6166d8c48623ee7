"""The interfaces that generators know already: UMAMI (madspace) and BLHA2."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import pytest

from ampcli.amplitudes.native.couplings import Parameters
from ampcli.amplitudes.native.provider import Native
from ampcli.cli.main import run
from ampcli.kinematics import with_beams
from ampcli.phasespace.rambo import rambo
from ampcli.process import parse_process

PROCESS = "d d~ > z g g"
SUCCESS, FAILED, UNSUPPORTED_INPUT, UNSUPPORTED_OUTPUT, UNSUPPORTED_META, MISSING_INPUT = 0, 1, 3, 4, 6, 7


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("exported") / "zgg"
    assert run(["export", PROCESS, str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def library(exported) -> ctypes.CDLL:
    return ctypes.CDLL(str(exported / "libampcli.so"))


def sample(n: int) -> np.ndarray:
    process = Native(parse_process(PROCESS)).process
    final = np.ascontiguousarray(rambo(np.random.default_rng(8).random((n, 3, 4)), 900.0))
    final[..., 0] = np.sqrt((final[..., 1:] ** 2).sum(axis=2) + np.array(process.final_masses) ** 2)
    return with_beams(final)


def exact(momenta: np.ndarray) -> np.ndarray:
    return Native(parse_process(PROCESS)).evaluate(momenta)


def pointers(arrays) -> ctypes.Array:
    return (ctypes.c_void_p * len(arrays))(*(None if array is None else array.ctypes.data for array in arrays))


class Umami:
    def __init__(self, library: ctypes.CDLL, card: str = "") -> None:
        self.library = library
        self.handle = ctypes.c_void_p()
        self.status = library.umami_initialize(ctypes.byref(self.handle), card.encode())

    def matrix_element(self, inputs: dict[int, np.ndarray | None], outputs: dict[int, np.ndarray], n, stride, offset):
        sizes = map(ctypes.c_size_t, (n, stride, offset, len(inputs)))
        keys, wanted = (ctypes.c_int * len(inputs))(*inputs), (ctypes.c_int * len(outputs))(*outputs)
        given, made = pointers(list(inputs.values())), pointers(list(outputs.values()))
        number = ctypes.c_size_t(len(outputs))
        return self.library.umami_matrix_element(self.handle, *sizes, keys, given, number, wanted, made)


def columns(momenta: np.ndarray) -> np.ndarray:
    """As UMAMI wants them: events are the fastest axis, then legs, then components."""
    return np.ascontiguousarray(momenta.transpose(2, 1, 0))


def test_madspace_computes_with_an_exported_library(exported):
    madspace = pytest.importorskip("madspace")
    context = madspace.Context(1)
    api = context.load_matrix_element(str(exported / "libampcli.so"), "")
    assert (api.particle_count(), api.diagram_count()) == (5, 1)
    inputs, outputs = madspace.MatrixElement.MatrixElementInput, madspace.MatrixElement.MatrixElementOutput
    element = madspace.MatrixElement(api, [inputs.momenta_in, inputs.alpha_s_in], [outputs.matrix_element_out])
    momenta, alpha_s = sample(700), np.linspace(0.1, 0.13, 700)
    found = np.asarray(madspace.FunctionRuntime(element.function(), context)(momenta, alpha_s))
    expected = Native(parse_process(PROCESS)).evaluate(momenta, alpha_s)
    np.testing.assert_allclose(found.reshape(-1), expected, rtol=1e-12)


@pytest.mark.parametrize(("n", "stride", "offset"), [(600, 600, 0), (5, 600, 300), (0, 600, 600), (256, 600, 17)])
def test_umami_computes_a_share_of_the_events(library, n, stride, offset):
    umami = Umami(library)
    momenta, values, squares = sample(stride), np.full(stride, -7.0), np.full(stride, -7.0)
    alpha_s = np.full(stride, 0.2)
    assert (
        umami.matrix_element({0: columns(momenta), 1: alpha_s}, {0: values, 1: squares}, n, stride, offset) == SUCCESS
    )
    share = slice(offset, offset + n)
    expected = exact(momenta) * (0.2 / 0.118) ** 2
    np.testing.assert_allclose(values[share], expected[share], rtol=1e-12)
    np.testing.assert_array_equal(squares, values)
    assert (np.delete(values, np.arange(offset, offset + n)) == -7.0).all()
    assert library.umami_free(umami.handle) == SUCCESS


def test_umami_metadata(library):
    number, masses = ctypes.c_int(), (ctypes.c_double * 5)()
    assert library.umami_get_meta(1, ctypes.byref(number)) == SUCCESS
    assert number.value == 5
    assert library.umami_get_meta(0, ctypes.byref(number)) == SUCCESS
    assert number.value == 0
    assert library.umami_get_meta(5, masses) == SUCCESS
    assert list(masses) == [0, 0, 91.188, 0, 0]
    for key in (-1, 3, 4, 6, 99):  # helicities, colours
        assert library.umami_get_meta(key, ctypes.byref(number)) == UNSUPPORTED_META
    assert library.umami_get_meta(1, None) == FAILED


def test_umami_refuses(library):
    umami = Umami(library)
    momenta, values = columns(sample(4)), np.full(4, -7.0)
    flavours = np.array([0, 0, 1, 0], dtype=np.int32)
    assert umami.matrix_element({}, {0: values}, 4, 4, 0) == MISSING_INPUT
    assert umami.matrix_element({0: None}, {0: values}, 4, 4, 0) == MISSING_INPUT
    assert umami.matrix_element({0: momenta, 6: flavours}, {0: values}, 4, 4, 0) == UNSUPPORTED_INPUT
    assert umami.matrix_element({0: momenta, 2: flavours}, {0: values}, 4, 4, 0) == UNSUPPORTED_INPUT
    assert umami.matrix_element({0: momenta}, {2: flavours}, 4, 4, 0) == UNSUPPORTED_OUTPUT
    assert umami.matrix_element({0: momenta}, {0: None}, 4, 4, 0) == FAILED
    for n, stride, offset in [(5, 4, 0), (1, 4, 4), (1, 4, 5), (2**64 - 1, 4, 1), (1, 4, 2**64 - 1)]:
        assert umami.matrix_element({0: momenta}, {0: values}, n, stride, offset) == FAILED
    assert (values == -7.0).all()
    assert umami.matrix_element({0: momenta, 2: flavours}, {0: values}, 2, 4, 0) == SUCCESS
    assert (
        library.umami_matrix_element(None, *[ctypes.c_size_t(0)] * 4, None, None, ctypes.c_size_t(0), None, None) == 1
    )
    assert library.umami_initialize(None, b"") == FAILED
    assert library.umami_free(None) == SUCCESS


def test_umami_parameters(library):
    umami, other = Umami(library), Umami(library)
    found, two = ctypes.c_double(), ctypes.c_double(0.236)
    library.umami_set_parameter.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_double, ctypes.c_double]
    assert library.umami_set_parameter(umami.handle, b"alpha_s", two, 0.0) == SUCCESS
    assert library.umami_set_parameter(umami.handle, b"alpha_s", -1.0, 0.0) == FAILED
    assert library.umami_set_parameter(umami.handle, b"m_z", 80.0, 0.0) == FAILED
    for name, value in [(b"alpha_s", 0.236), (b"m_z", 91.188)]:
        assert library.umami_get_parameter(umami.handle, name, ctypes.byref(found), None) == SUCCESS
        assert found.value == value
    assert library.umami_get_parameter(umami.handle, b"m_h", ctypes.byref(found), None) == FAILED
    momenta, values, others = sample(3), np.empty(3), np.empty(3)
    assert umami.matrix_element({0: columns(momenta)}, {0: values}, 3, 3, 0) == SUCCESS
    assert other.matrix_element({0: columns(momenta)}, {0: others}, 3, 3, 0) == SUCCESS
    np.testing.assert_allclose(values, 4 * others, rtol=1e-14)


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("Block MASS\n 23 9.118800e+01 # MZ\n  25 125.\n", True),
        ("BLOCK SMINPUTS\n 3 0.118\nBLOCK MASS # m\n 1 0.0\n 23 91.188\nDECAY 23 2.44\n 1 80.\n", True),
        ("Block mass\n 23 80.0\n", False),
        ("Block mass\n 1 0.005\n", False),
        ("nothing", True),
    ],
)
def test_umami_compares_masses_with_the_parameter_card(library, tmp_path, text, good):
    (tmp_path / "card.dat").write_text(text)
    assert Umami(library, str(tmp_path / "card.dat")).status == (SUCCESS if good else FAILED)
    assert Umami(library, str(tmp_path / "none.dat")).status == FAILED


ORDER = """\
# An order
InterfaceVersion BLHA2
Model SMdiag
CorrectionType QCD
IRregularisation CDR
AmplitudeType Tree
CouplingPower QCD 2

1 -1 -> 23 21 21
-1 1 -> 21 23 21   # crossed
"""


class Blha:
    def __init__(self, library: ctypes.CDLL) -> None:
        self.library = library

    def order(self, order: Path, contract: Path) -> int:
        code = ctypes.c_int(77)
        self.library.OLP_Order(str(order).encode(), str(contract).encode(), ctypes.byref(code))
        return code.value

    def start(self, contract: Path) -> int:
        code = ctypes.c_int(77)
        self.library.OLP_Start(str(contract).encode(), ctypes.byref(code))
        return code.value

    def set(self, name: str, value: float) -> int:
        code = ctypes.c_int(77)
        real, imaginary = ctypes.c_double(value), ctypes.c_double(0.0)
        self.library.OLP_SetParameter(name.encode(), ctypes.byref(real), ctypes.byref(imaginary), ctypes.byref(code))
        return code.value

    def evaluate(self, label: int, event: np.ndarray) -> tuple[float, float]:
        """Of an event (legs, 4): the amplitude and its accuracy."""
        padded = np.concatenate([event, np.zeros((len(event), 1))], axis=1)
        value, accuracy = ctypes.c_double(77), ctypes.c_double(77)
        number, scale = ctypes.c_int(label), ctypes.c_double(91.188)
        arguments = (padded.ctypes.data_as(ctypes.c_void_p), ctypes.byref(scale))
        self.library.OLP_EvalSubProcess2(ctypes.byref(number), *arguments, ctypes.byref(value), ctypes.byref(accuracy))
        return value.value, accuracy.value


@pytest.fixture
def blha(library, tmp_path) -> Blha:
    found = Blha(library)
    (tmp_path / "order.lh").write_text(ORDER)
    assert found.order(tmp_path / "order.lh", tmp_path / "contract.lh") == 1
    assert found.start(tmp_path / "contract.lh") == 1
    assert found.set("alphas", 0.118) == 1
    return found


def test_blha_contract(blha, tmp_path):
    lines = (tmp_path / "contract.lh").read_text().splitlines()
    assert lines[0] == "# An order"
    assert lines[1:7] == [f"{line} | OK" for line in ORDER.splitlines()[1:7]]
    assert lines[8:] == ["1 -1 -> 23 21 21 | 1 1", "-1 1 -> 21 23 21 | 1 2"]


def test_blha_amplitudes(blha):
    momenta = sample(9)
    expected = exact(momenta)
    for event, value in zip(momenta, expected, strict=True):
        assert blha.evaluate(1, event) == (pytest.approx(value, rel=1e-12), 0.0)
        assert blha.evaluate(2, event[[1, 0, 3, 2, 4]]) == (pytest.approx(value, rel=1e-12), 0.0)
    assert blha.set("alphas", 0.236) == 1
    assert blha.evaluate(1, momenta[0])[0] == pytest.approx(4 * expected[0], rel=1e-12)


def test_blha_says_where_there_is_no_amplitude(blha):
    momenta = sample(1)[0]
    bad = momenta.copy()
    bad[3, 0] *= 1.01
    for value, accuracy in (blha.evaluate(3, momenta), blha.evaluate(0, momenta), blha.evaluate(1, bad)):
        assert np.isnan(value)
        assert accuracy == -1.0


def test_blha_parameters(blha, tmp_path):
    found = [
        blha.set(*setting)
        for setting in [("mass(23)", 91.188), ("mass(23)", 80.0), ("mass(25)", 125.0), ("sw2", 0.3), ("alphas", -1.0)]
    ]
    assert found == [1, 0, 2, 0, 0]
    blha.set("alphas", 0.12)
    blha.library.OLP_PrintParameter(str(tmp_path / "parameters").encode())
    first, *lines = (tmp_path / "parameters").read_text().splitlines()
    values = dict(line.split() for line in lines)
    assert first == PROCESS
    assert {name: float(value) for name, value in values.items()} == {
        "alphas": 0.12,
        "alpha": Parameters().alpha_ew,
        "sw2": Parameters().sin2_theta_w,
        "mass(23)": 91.188,
        "width(23)": Parameters().gamma_z,
    }


def test_blha_info(library):
    name, version, message = (ctypes.create_string_buffer(size) for size in (15, 15, 255))
    library.OLP_Info(name, version, message)
    library.ampcli_version.restype = ctypes.c_char_p
    assert name.value == b"ampcli"
    assert version.value == library.ampcli_version()
    assert b"tree" in message.value


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("InterfaceVersion BLHA1", "Error: BLHA2 is all there is"),
        ("AmplitudeType Loop", "Error: Tree is all there is"),
        ("Model MSSM", "Error: the standard model is all there is"),
        ("MassiveParticles 5 6", "Error: light quarks and leptons are massless"),
        ("CouplingPower QCD two", "Error: no power"),
        ("Frobnicate yes", "Error: unknown"),
        ("Extra AmpcliModel /nowhere.bundle", "Error: /nowhere.bundle cannot be read"),
        ("1 -1 -> 23 21", "Error: no model of this process; export it"),
        ("1 -> 23 21 21", "Error: no process"),
        ("1 -1 -> 23 x 21", "Error: no process"),
    ],
)
def test_blha_answers_what_it_cannot_do(library, tmp_path, capfd, line, answer):
    blha = Blha(library)
    (tmp_path / "order.lh").write_text(ORDER + line + "\n")
    assert blha.order(tmp_path / "order.lh", tmp_path / "contract.lh") == 0
    assert (tmp_path / "contract.lh").read_text().splitlines()[-1] == f"{line} | {answer}"
    assert blha.start(tmp_path / "contract.lh") == 0
    assert line in capfd.readouterr().err


def test_blha_default_is_loops(library, tmp_path):
    (tmp_path / "order.lh").write_text("1 -1 -> 23 21 21\n")
    assert Blha(library).order(tmp_path / "order.lh", tmp_path / "contract.lh") == 0
    assert "AmplitudeType Tree is all there is" in (tmp_path / "contract.lh").read_text()


def test_blha_powers_of_the_coupling(library, tmp_path):
    (tmp_path / "order.lh").write_text("AmplitudeType Tree\nAlphasPower 3\n1 -1 -> 23 21 21\n")
    assert Blha(library).order(tmp_path / "order.lh", tmp_path / "contract.lh") == 0
    assert (tmp_path / "contract.lh").read_text().splitlines()[-1].endswith("it goes with power 2 of alpha_s")


def test_blha_takes_other_models(library, tmp_path):
    assert run(["export", "e- e+ > u u~ g", str(tmp_path / "ee3")]) == 0
    order = f"AmplitudeType Tree\nExtra AmpcliModel {tmp_path}/ee3/model.bundle\n11 -11 -> 21 2 -2\n1 -1 -> 23 21 21\n"
    (tmp_path / "order.lh").write_text(order)
    blha = Blha(library)
    assert blha.order(tmp_path / "order.lh", tmp_path / "contract.lh") == 1
    assert blha.start(tmp_path / "contract.lh") == 1
    assert blha.set("alphas", 0.118) == 1
    momenta = with_beams(np.ascontiguousarray(rambo(np.random.default_rng(1).random((1, 3, 4)), 500.0)))[0]
    expected = Native(parse_process("e- e+ > u u~ g")).evaluate(momenta[None, [0, 1, 3, 4, 2]])[0]
    assert blha.evaluate(1, momenta)[0] == pytest.approx(expected, rel=1e-12)
    assert blha.evaluate(2, sample(1)[0])[0] == pytest.approx(exact(sample(1))[0], rel=1e-12)


@pytest.mark.parametrize("content", [None, ORDER, "1 -1 -> 23 21 21 | 1\n", "1 -1 -> 23 21 | 1 1\n"])
def test_blha_contracts_that_are_none(library, tmp_path, content):
    if content is not None:
        (tmp_path / "contract.lh").write_text(content)
    assert Blha(library).start(tmp_path / "contract.lh") == 0
