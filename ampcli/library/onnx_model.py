"""A trained model as an ONNX graph: arrays of features in, amplitudes and uncertainties out.

For models that need no exact amplitude of a smaller process.  Standardisation, ansatz, the mean of an ensemble and the
recalibration of uncertainties are part of the graph; scales and ansatz are float64, networks float32 as in training.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from ampcli.errors import AmpcliError, UsageError
from ampcli.extras import remedy
from ampcli.inference.network import TrainedNetwork
from ampcli.inference.predictor import Predictor
from ampcli.models.antenna import LARGEST, AntennaAnsatz
from ampcli.models.factorised import FactorisedAnsatz
from ampcli.models.fame import FameAnsatz
from ampcli.models.likelihood import LOG_SIGMA
from ampcli.models.mlp import Mlp
from ampcli.models.plain import PlainAnsatz
from ampcli.models.scaling import MomentumInputs, Standardiser
from ampcli.models.single import SingleAnsatz
from ampcli.registry.manifest import Recalibration

if TYPE_CHECKING:
    import onnx

#: Opset and version of the format: runtimes since 2022 read them.
_OPSET, _FORMAT = 17, 8

_EVENTS = "events"


def onnx_model(predictor: Predictor) -> bytes:
    """The graph of a model.

    Inputs are the arrays that its kind reads (`momenta` (n, n_final, 4) in GeV, `recoil`, `dipoles`, `inputs`, ...),
    float64, as `ampcli features` makes them; outputs `amplitude` (n,) and `uncertainty` (n,), one standard deviation,
    NaN where it is not known.

    Raises:
        UsageError: a kind of model that a graph cannot hold.
        AmpcliError: the package onnx is missing.
    """
    graph = _Graph(predictor)
    amplitudes, relatives = zip(*(_network(graph, network) for network in predictor.networks), strict=True)
    if predictor.manifest.members:
        amplitude, uncertainty = _mean(graph, amplitudes)
    else:
        amplitude, uncertainty = amplitudes[0], graph.op("Mul", graph.op("Abs", amplitudes[0]), relatives[0])
    if predictor.manifest.recalibration is not None:
        size = graph.op("Max", graph.op("Abs", amplitude), graph.constant(np.finfo(float).tiny))
        relative = _recalibrated(graph, graph.op("Div", uncertainty, size), predictor.manifest.recalibration)
        uncertainty = graph.op("Mul", size, relative)
    known = graph.op("Greater", uncertainty, graph.constant(0.0))
    uncertainty = graph.op("Where", known, uncertainty, graph.constant(math.nan))
    return graph.model(amplitude, uncertainty)


def input_shapes(model: bytes) -> dict[str, tuple[int, ...]]:
    """Trailing shapes of the inputs of a graph that `onnx_model` made."""
    import onnx

    inputs = onnx.load_from_string(model).graph.input
    return {entry.name: tuple(axis.dim_value for axis in entry.type.tensor_type.shape.dim[1:]) for entry in inputs}


def require_exportable(predictor: Predictor) -> None:
    """Make sure that a graph can hold a model.

    Raises:
        UsageError: it cannot, and why.
    """
    reference = predictor.manifest.reference
    if predictor.manifest.members and predictor.manifest.combine != "mean":
        raise UsageError(f"{reference} combines its members by their covariance; ONNX files hold means of members")
    for network in predictor.networks:
        if type(network.ansatz) not in _AMPLITUDES:
            raise UsageError(f"{reference} is of a kind that ONNX files cannot hold: they hold {_KINDS}")
        if not isinstance(network.network, Mlp):
            raise UsageError(
                f"{reference} has a network ({network.network.kind}) that ONNX files cannot hold: mlp only"
            )
        if network.block is not None and "kernel" in network.block.shapes():
            raise UsageError(
                f"{reference} needs the exact amplitude of a smaller process, which an ONNX file cannot hold",
                f"ONNX files hold {_KINDS}.",
            )
    if len({_recipe(network) for network in predictor.networks}) > 1:
        raise UsageError(f"the members of {reference} read different features; ONNX files hold one set of them")


def _recipe(network: TrainedNetwork) -> str:
    block = network.block
    return "" if block is None else f"{block.name} {block.version} {sorted(block.options.items())}"


class _Graph:
    """Nodes one after the other; what an operation makes is known by a name."""

    def __init__(self, predictor: Predictor) -> None:
        require_exportable(predictor)
        try:
            import onnx
        except ImportError:
            raise AmpcliError("the package onnx is missing", remedy("onnx")) from None
        self.onnx = onnx
        self.n_final = predictor.process.n_final
        self.name = predictor.manifest.reference
        block = predictor.networks[0].block
        self.shapes = {"momenta": (self.n_final, 4), **({} if block is None else block.shapes())}
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.inputs: list[str] = []

    def constant(self, value: float | Sequence[int] | npt.NDArray[Any] | torch.Tensor) -> str:
        """Numbers are float64, lists of integers int64."""
        if isinstance(value, torch.Tensor):
            array = value.detach().cpu().numpy()
        else:
            array = np.asarray(value, dtype=np.int64 if isinstance(value, Sequence) else None)
        name = f"constant{len(self.constants)}"
        self.constants.append(self.onnx.numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def array(self, name: str) -> str:
        """An input."""
        if name not in self.inputs:
            self.inputs.append(name)
        return name

    def columns(self, x: str, first: int, last: int) -> str:
        """Some of the last axis."""
        return self.op("Slice", x, self.constant([first]), self.constant([last]), self.constant([-1]))

    def total(self, x: str) -> str:
        """The sum over the last axis."""
        return self.op("ReduceSum", x, self.constant([-1]), keepdims=0)

    def single(self, x: str) -> str:
        return self.op("Cast", x, to=self.onnx.TensorProto.FLOAT)

    def double(self, x: str) -> str:
        return self.op("Cast", x, to=self.onnx.TensorProto.DOUBLE)

    def standardised(self, x: str, by: Standardiser) -> str:
        return self.op("Div", self.op("Sub", x, self.constant(by.mean)), self.constant(by.deviation))

    def restored(self, x: str, by: Standardiser) -> str:
        return self.op("Add", self.op("Mul", x, self.constant(by.deviation)), self.constant(by.mean))

    def model(self, amplitude: str, uncertainty: str) -> bytes:
        helper, double = self.onnx.helper, self.onnx.TensorProto.DOUBLE
        outputs = {"amplitude": amplitude, "uncertainty": uncertainty}
        for name, value in outputs.items():
            self.nodes.append(helper.make_node("Identity", [value], [name]))
        graph = helper.make_graph(
            self.nodes,
            self.name,
            [helper.make_tensor_value_info(name, double, [_EVENTS, *self.shapes[name]]) for name in self.inputs],
            [helper.make_tensor_value_info(name, double, [_EVENTS]) for name in outputs],
            self.constants,
        )
        opset = helper.make_opsetid("", _OPSET)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=_FORMAT, producer_name="ampcli")
        self.onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString(deterministic=True))


def _network(graph: _Graph, network: TrainedNetwork) -> tuple[str, str]:
    """Amplitude and relative uncertainty of one network, (n,) each."""
    ansatz = network.ansatz
    inputs, amplitude = _AMPLITUDES[type(ansatz)]
    assert isinstance(network.network, Mlp)  # require_exportable
    outputs = _layers(graph, network.network, network.layers, inputs(graph, ansatz))
    if isinstance(ansatz, AntennaAnsatz | FactorisedAnsatz):  # the last output is the logarithm of the uncertainty
        spread = ansatz.target if isinstance(ansatz, AntennaAnsatz) else ansatz.correction
        last = graph.columns(outputs, ansatz.n_outputs - 1, ansatz.n_outputs)
        logarithm = graph.op("Clip", graph.double(last), *map(graph.constant, LOG_SIGMA))
        relative = graph.total(graph.op("Mul", graph.op("Exp", logarithm), graph.constant(spread.deviation)))
        return amplitude(graph, ansatz, outputs), relative
    value = amplitude(graph, ansatz, outputs)
    ones = graph.op("Add", graph.op("Mul", value, graph.constant(0.0)), graph.constant(1.0))
    return value, graph.op("Mul", ones, graph.constant(network.typical))


def _layers(graph: _Graph, network: Mlp, layers: Sequence[tuple[torch.Tensor, torch.Tensor]], inputs: str) -> str:
    """`Mlp.forward` of one network, (n, inputs) -> (n, outputs) float32."""

    def linear(layer: tuple[torch.Tensor, torch.Tensor], x: str) -> str:
        return graph.op("Gemm", x, graph.constant(layer[0][0]), graph.constant(layer[1][0, 0]))

    def activated(x: str) -> str:
        if network.activation == "tanh":
            return graph.op("Tanh", x)
        half, one = (graph.constant(np.array(c, dtype=np.float32)) for c in (0.5, 1.0))
        erf = graph.op("Erf", graph.op("Mul", x, graph.constant(np.array(math.sqrt(0.5), dtype=np.float32))))
        return graph.op("Mul", graph.op("Mul", x, half), graph.op("Add", erf, one))

    if len(layers) == 1:
        return linear(layers[0], inputs)
    first, *hidden, last = layers
    x = activated(linear(first, inputs))
    if network.residual:
        for inner, outer in zip(hidden[0::2], hidden[1::2], strict=True):
            x = graph.op("Add", x, linear(outer, activated(linear(inner, x))))
    else:
        for layer in hidden:
            x = activated(linear(layer, x))
    return linear(last, x)


def _momentum_inputs(graph: _Graph, scaling: MomentumInputs, momenta: str) -> str:
    """`MomentumInputs.inputs`."""
    if scaling.orient:
        leg = graph.op("Slice", momenta, graph.constant([0]), graph.constant([1]), graph.constant([1]))
        x, y = graph.columns(leg, 1, 2), graph.columns(leg, 2, 3)
        squares = graph.op("Add", graph.op("Mul", x, x), graph.op("Mul", y, y))
        transverse = graph.op("Max", graph.op("Sqrt", squares), graph.constant(1e-300))
        cosine, sine = graph.op("Div", x, transverse), graph.op("Div", y, transverse)
        px, py = graph.columns(momenta, 1, 2), graph.columns(momenta, 2, 3)
        along = graph.op("Add", graph.op("Mul", cosine, px), graph.op("Mul", sine, py))
        across = graph.op("Sub", graph.op("Mul", cosine, py), graph.op("Mul", sine, px))
        parts = (graph.columns(momenta, 0, 1), along, across, graph.columns(momenta, 3, 4))
        momenta = graph.op("Concat", *parts, axis=-1)
    scaled = graph.standardised(momenta, scaling.standardiser)
    return graph.single(graph.op("Reshape", scaled, graph.constant([-1, 4 * scaling.n_final])))


def _plain_inputs(graph: _Graph, ansatz: PlainAnsatz) -> str:
    return _momentum_inputs(graph, ansatz.momenta, graph.array("momenta"))


def _single_amplitude(graph: _Graph, ansatz: PlainAnsatz, outputs: str) -> str:
    return graph.total(graph.restored(graph.double(outputs), ansatz.target))


def _plain_amplitude(graph: _Graph, ansatz: PlainAnsatz, outputs: str) -> str:
    return graph.op("Exp", _single_amplitude(graph, ansatz, outputs))


def _fame_inputs(graph: _Graph, ansatz: FameAnsatz) -> str:
    momenta = graph.array("rest_momenta" if "rest_momenta" in graph.shapes else "momenta")
    inputs = _momentum_inputs(graph, ansatz.momenta, momenta)
    columns = len(ansatz.log_recoil.mean)
    if columns == 0:
        return inputs
    recoil = graph.op("Log", graph.columns(graph.array("recoil"), 0, columns))
    return graph.op("Concat", inputs, graph.single(graph.standardised(recoil, ansatz.log_recoil)), axis=-1)


def _sinh(graph: _Graph, x: str) -> str:
    growing, falling = graph.op("Exp", x), graph.op("Exp", graph.op("Neg", x))
    return graph.op("Mul", graph.op("Sub", growing, falling), graph.constant(0.5))


def _fame_amplitude(graph: _Graph, ansatz: FameAnsatz, outputs: str) -> str:
    sinh = _sinh(graph, graph.double(outputs))
    coefficients = graph.op("Mul", sinh, graph.constant(ansatz.s_pred / ansatz.s_dipole))
    return graph.total(graph.op("Mul", coefficients, graph.columns(graph.array("dipoles"), 0, ansatz.n_outputs)))


def _antenna_amplitude(graph: _Graph, ansatz: AntennaAnsatz, outputs: str) -> str:
    coefficients = graph.double(graph.columns(outputs, 0, ansatz.n_terms))
    bounds = graph.constant(-LARGEST), graph.constant(LARGEST)
    sinh = _sinh(graph, graph.op("Clip", coefficients, *bounds))
    total = graph.total(graph.op("Mul", sinh, graph.array("terms")))
    return graph.op("Mul", total, graph.constant(ansatz.s_coef))


def _feature_inputs(graph: _Graph, ansatz: FactorisedAnsatz | AntennaAnsatz) -> str:
    return graph.single(graph.standardised(graph.array("inputs"), ansatz.features))


def _bare_amplitude(graph: _Graph, ansatz: FactorisedAnsatz, outputs: str) -> str:
    logarithm = graph.restored(graph.double(graph.columns(outputs, 0, 1)), ansatz.correction)
    return graph.op("Exp", graph.total(logarithm))


#: How inputs of the network and the amplitude are made, for each kind of ansatz.
_AMPLITUDES: dict[type, tuple[Callable[[_Graph, Any], str], Callable[[_Graph, Any, str], str]]] = {
    PlainAnsatz: (_plain_inputs, _plain_amplitude),
    SingleAnsatz: (_plain_inputs, _single_amplitude),
    FameAnsatz: (_fame_inputs, _fame_amplitude),
    AntennaAnsatz: (_feature_inputs, _antenna_amplitude),
    FactorisedAnsatz: (_feature_inputs, _bare_amplitude),
}
_KINDS = "plain, single, fame, fame+, nofa and nofa+"


def _mean(graph: _Graph, amplitudes: Sequence[str]) -> tuple[str, str]:
    """`mean_and_error` of the members."""
    n = len(amplitudes)
    mean = graph.op("Div", graph.op("Sum", *amplitudes), graph.constant(float(n)))
    differences = [graph.op("Sub", amplitude, mean) for amplitude in amplitudes]
    squares = graph.op("Sum", *(graph.op("Mul", d, d) for d in differences))
    return mean, graph.op("Sqrt", graph.op("Div", squares, graph.constant(float(n * (n - 1)))))


def _recalibrated(graph: _Graph, relative: str, recalibration: Recalibration) -> str:
    """`recalibrated`: the logarithm of the factor is a sum of ramps between the knots."""
    knots, scales = np.array(recalibration.log_sigma), np.array(recalibration.log_scale)
    if len(knots) == 1:
        return graph.op("Mul", relative, graph.constant(math.exp(scales[0])))
    column = graph.op("Unsqueeze", graph.op("Max", relative, graph.constant(1e-100)), graph.constant([-1]))
    widths = graph.constant(np.diff(knots))
    places = graph.op("Div", graph.op("Sub", graph.op("Log", column), graph.constant(knots[:-1])), widths)
    ramps = graph.op("Clip", places, graph.constant(0.0), graph.constant(1.0))
    rises = graph.total(graph.op("Mul", ramps, graph.constant(np.diff(scales))))
    return graph.op("Mul", relative, graph.op("Exp", graph.op("Add", rises, graph.constant(float(scales[0])))))
