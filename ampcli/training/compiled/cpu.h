// Steps of trainings on a CPU as a Python module.  baseline.cpp, avx2.cpp and avx512.cpp compile it, each for its
// instruction set; AMPCLI_MODULE is the module's name.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <stdexcept>
#include <string>

#include "adam.h"
#include "float32.h"
#include "halves.h"
#include "soap.h"

namespace py = pybind11;

namespace ampcli::training {

using Array = py::array_t<float, py::array::c_style>;

bool halves_here() {
#ifdef AMPCLI_SPLIT_PRODUCTS
  static const bool usable = has_matrix_unit();
  return usable;
#else
  return false;
#endif
}

std::unique_ptr<Network> make(const std::vector<long>& widths, bool residual, const std::string& activation,
                              bool halves) {
  if (widths.size() < 2) throw std::invalid_argument("a network without a layer");
  const Activation kind = activation == "gelu" ? Activation::gelu : Activation::tanh;
  if (halves && !halves_here()) throw std::invalid_argument("no products of halves on this processor");
#ifdef AMPCLI_SPLIT_PRODUCTS
  if (halves) return std::make_unique<Dense<Split>>(widths, residual, kind);
#endif
  return std::make_unique<Dense<Float32>>(widths, residual, kind);
}

void require(bool right, const char* what) {
  if (!right) throw std::invalid_argument(what);
}

void forward(Network& network, const Array& parameters, const Array& inputs, Array& outputs, int threads) {
  require(parameters.ndim() == 2 && parameters.shape(1) == network.parameters(), "parameters of another network");
  const long replicas = parameters.shape(0);
  require(inputs.ndim() == 3 && inputs.shape(0) == replicas && inputs.shape(2) == network.inputs(), "other inputs");
  const long rows = inputs.shape(1);
  require(outputs.ndim() == 3 && outputs.shape(0) == replicas && outputs.shape(1) == rows &&
              outputs.shape(2) == network.outputs(), "other outputs");
  const float *from = parameters.data(), *in = inputs.data();
  float* out = outputs.mutable_data();
  py::gil_scoped_release released;
  network.forward(from, in, replicas, rows, out, threads);
}

void backward(Network& network, const Array& slopes, Array& gradient, int threads) {
  require(slopes.ndim() == 3 && slopes.shape(0) == network.replicas() && slopes.shape(1) == network.rows() &&
              slopes.shape(2) == network.outputs(), "slopes of other outputs");
  require(gradient.ndim() == 2 && gradient.shape(0) == network.replicas() &&
              gradient.shape(1) == network.parameters(), "a gradient of another network");
  const float* from = slopes.data();
  float* to = gradient.mutable_data();
  py::gil_scoped_release released;
  network.backward(from, to, threads);
}

void adam(Array& parameters, const Array& gradient, Array& first, Array& second, const Array& rates,
          const Moments& moments, float decay, int threads) {
  require(parameters.ndim() == 2 && rates.size() == parameters.shape(0), "a rate for each replica");
  require(gradient.size() == parameters.size() && first.size() == parameters.size() &&
              second.size() == parameters.size(), "moments of another network");
  const long replicas = parameters.shape(0), count = parameters.shape(1);
  float *p = parameters.mutable_data(), *m = first.mutable_data(), *v = second.mutable_data();
  const float *g = gradient.data(), *rate = rates.data();
  py::gil_scoped_release released;
  for (long replica = 0; replica < replicas; ++replica) {
    const long at = replica * count;
    adam_step(p + at, g + at, m + at, v + at, count, rate[replica], moments, decay, threads);
  }
}

#ifdef AMPCLI_SPLIT_PRODUCTS

Turns make_turns(const std::vector<std::pair<long, long>>& shapes, long replicas) {
  require(halves_here(), "no products of halves on this processor");
  std::vector<Turns::Shape> placed;
  long start = 0;
  for (auto [rows, columns] : shapes) placed.push_back({rows, columns, start}), start += rows * columns;
  return Turns(placed, replicas, start);
}

void turn_to(Turns& turns, long replica, long layer, const Array& left, const Array& right) {
  require(replica < turns.replicas() && layer < turns.layers(), "no such layer");
  const auto [rows, columns, start] = turns.shape(layer);
  require(left.size() == rows * rows && right.size() == columns * columns, "bases of another layer");
  turns.turn_to(replica, layer, left.data(), right.data());
}

void learn_turned(Turns& turns, long first, const Array& gradient, Array& left, Array& right, float weight,
                  int threads) {
  require(left.ndim() == 4 && right.ndim() == 4 && left.shape(0) == turns.replicas() && first >= 0 &&
              first + left.shape(1) <= turns.layers(), "no such layers");
  const long count = left.shape(1);
  const auto [rows, columns, start] = turns.shape(first);
  require(left.size() == turns.replicas() * count * rows * rows &&
              right.size() == turns.replicas() * count * columns * columns, "preconditioners of other layers");
  require(gradient.size() == turns.replicas() * turns.parameters(), "a gradient of another network");
  float *l = left.mutable_data(), *r = right.mutable_data();
  const float* g = gradient.data();
  py::gil_scoped_release released;
  turns.learn(first, count, g, l, r, weight, threads);
}

void step_turned(Turns& turns, Array& parameters, const Array& gradient, Array& first, Array& second,
                 const Array& rates, const Array& scale, double beta1, double beta2, double epsilon, double decay,
                 int threads) {
  const long size = turns.replicas() * turns.parameters();
  require(parameters.size() == size && gradient.size() == size && first.size() == size && second.size() == size &&
              rates.size() == turns.replicas() && scale.size() == turns.replicas(), "parameters of another network");
  float *p = parameters.mutable_data(), *m = first.mutable_data(), *v = second.mutable_data();
  const float *g = gradient.data(), *rate = rates.data(), *by = scale.data();
  py::gil_scoped_release released;
  turns.step(p, g, m, v, rate, by,
             {float(1 - beta1), float(beta2), float(1 - beta2), float(epsilon), float(decay)}, threads);
}

#endif

}  // namespace ampcli::training

PYBIND11_MODULE(AMPCLI_MODULE, module) {
  namespace training = ampcli::training;
  module.doc() = "Steps of trainings (see network.h and adam.h)";
  py::class_<training::Network>(module, "Dense", py::module_local())
      .def(py::init(&training::make), py::kw_only(), py::arg("widths"), py::arg("residual"), py::arg("activation"),
           py::arg("halves"))
      .def("forward", &training::forward, py::arg("parameters").noconvert(), py::arg("inputs").noconvert(),
           py::arg("outputs").noconvert(), py::arg("threads"))
      .def("backward", &training::backward, py::arg("slopes").noconvert(), py::arg("gradient").noconvert(),
           py::arg("threads"));
  module.def("halves_usable", &training::halves_here);
  py::class_<training::Moments>(module, "Moments", py::module_local())
      .def(py::init<double, double, double, double, double>(), py::kw_only(), py::arg("beta1"), py::arg("beta2"),
           py::arg("correction1"), py::arg("correction2"), py::arg("epsilon"));
  module.def("adam", &training::adam, py::arg("parameters").noconvert(), py::arg("gradient").noconvert(),
             py::arg("first").noconvert(), py::arg("second").noconvert(), py::arg("rates").noconvert(),
             py::arg("moments"), py::arg("decay"), py::arg("threads"));
#ifdef AMPCLI_SPLIT_PRODUCTS
  py::class_<training::Turns>(module, "Turns", py::module_local())
      .def(py::init(&training::make_turns), py::kw_only(), py::arg("shapes"), py::arg("replicas"))
      .def("turn_to", &training::turn_to, py::arg("replica"), py::arg("layer"), py::arg("left").noconvert(),
           py::arg("right").noconvert())
      .def("step", &training::step_turned, py::arg("parameters").noconvert(), py::arg("gradient").noconvert(),
           py::arg("first").noconvert(), py::arg("second").noconvert(), py::arg("rates").noconvert(),
           py::arg("scale").noconvert(), py::kw_only(), py::arg("beta1"), py::arg("beta2"), py::arg("epsilon"),
           py::arg("decay"), py::arg("threads"))
      .def("learn", &training::learn_turned, py::arg("first"), py::arg("gradient").noconvert(),
           py::arg("left").noconvert(), py::arg("right").noconvert(), py::kw_only(), py::arg("weight"),
           py::arg("threads"));
#endif
}
