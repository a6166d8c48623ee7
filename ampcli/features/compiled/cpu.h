// The features on a CPU as a Python module.  baseline.cpp, avx2.cpp and avx512.cpp compile it, each for its instruction
// set; AMPCLI_MODULE is the module's name.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using std::asinh, std::atan2, std::fabs, std::log, std::sqrt;

#include "inputs.h"

namespace py = pybind11;

namespace AMPCLI_SPACE::radiation {

using Array = py::array_t<double, py::array::c_style>;

Task task_of(const std::string& bytes) {
  Task task;
  if (bytes.size() != sizeof task) throw std::invalid_argument("a task of another ampcli");
  std::memcpy(&task, bytes.data(), sizeof task);
  return task;
}

// Legs, variables, kernel, reduced momenta (beams first) and inputs of outgoing momenta.
py::tuple compute(const std::string& bytes, const Array& final, int threads) {
  const Task task = task_of(bytes);
  const long legs = task.step[0].legs, steps = task.steps;
  if (final.ndim() != 3 || final.shape(1) != legs - 2 || final.shape(2) != 4)
    throw std::invalid_argument("momenta of another process");
  const long n = final.shape(0);
  Array to_legs({n, 3 * steps}), variables({n, 2 * steps}), kernel(n), reduced({n, legs - steps, 4L}),
      inputs({n, long(task.columns)});
  const double* in = final.data();
  const Rows rows{to_legs.mutable_data(), variables.mutable_data(), kernel.mutable_data(), reduced.mutable_data(),
                  inputs.mutable_data()};
  {
    py::gil_scoped_release released;
    const auto work = [&](long first, long last) {
      for (long event = first; event < last; ++event)
        features(task, in + event * (legs - 2) * 4, rows_of(task, event, rows));
    };
    const long shares = std::max(1L, std::min(long(threads), n / 256));
    std::vector<std::thread> others;
    for (long share = 1; share < shares; ++share)
      others.emplace_back(work, n * share / shares, n * (share + 1) / shares);
    work(0, n / shares);
    for (auto& other : others) other.join();
  }
  return py::make_tuple(to_legs, variables, kernel, reduced, inputs);
}

#ifdef AMPCLI_TASKS  // one module of all makes tasks

Groups groups_of(const std::vector<std::vector<int>>& lists) {
  Groups groups{};
  for (const auto& list : lists) {
    if (groups.count == MAX_GROUPS || list.size() > MAX_LEGS) throw std::invalid_argument("too many legs");
    std::copy(list.begin(), list.end(), groups.leg[groups.count]);
    groups.size[groups.count++] = int(list.size());
  }
  return groups;
}

Step step_of(int last_gluon, int rank, const std::vector<std::pair<int, int>>& candidates,
             const std::vector<int>& jets, const std::vector<bool>& massive, const std::vector<bool>& gluon,
             const std::optional<std::pair<int, int>>& string, int numerator) {
  Step step{};
  if (massive.size() > MAX_LEGS || candidates.size() > MAX_CANDIDATES) throw std::invalid_argument("too many legs");
  step.legs = int(massive.size()), step.last_gluon = last_gluon, step.rank = rank;
  for (auto [emitter, emitted] : candidates)
    step.emitter[step.candidates] = emitter, step.emitted[step.candidates++] = emitted;
  for (int jet : jets) step.jet[step.jets++] = jet;
  std::copy(massive.begin(), massive.end(), step.massive);
  std::copy(gluon.begin(), gluon.end(), step.gluon);
  if (string) step.strings = 1, step.end[0] = string->first, step.end[1] = string->second, step.numerator = numerator;
  return step;
}

py::bytes task_bytes(const std::vector<Step>& steps, const std::vector<std::vector<int>>& identical,
                     const std::vector<std::vector<int>>& exchangeable, int columns, const Choices& choices) {
  Task task{choices, int(steps.size()), columns, {}, groups_of(identical), groups_of(exchangeable)};
  if (steps.empty() || steps.size() > 2) throw std::invalid_argument("one or two emissions");
  std::copy(steps.begin(), steps.end(), task.step);
  return py::bytes(reinterpret_cast<const char*>(&task), sizeof task);
}

void add_tasks(py::module_& module) {
  py::class_<Choices>(module, "Choices")
      .def(py::init([](bool initial, bool either, bool printed_kernel, bool delta_r, int spectator, bool extended,
                       bool orient, bool canonical, double coupling) {
             return Choices{initial, either, printed_kernel, delta_r, spectator, extended, orient, canonical, coupling};
           }),
           py::kw_only(), py::arg("initial"), py::arg("either"), py::arg("printed_kernel"), py::arg("delta_r"),
           py::arg("spectator"), py::arg("extended"), py::arg("orient"), py::arg("canonical"), py::arg("coupling"));
  py::class_<Step>(module, "Step")
      .def(py::init(&step_of), py::kw_only(), py::arg("last_gluon"), py::arg("rank"), py::arg("candidates"),
           py::arg("jets"), py::arg("massive"), py::arg("gluon"), py::arg("string") = py::none(),
           py::arg("numerator") = 0);
  module.def("task", &task_bytes, py::kw_only(), py::arg("steps"), py::arg("identical"), py::arg("exchangeable"),
             py::arg("columns"), py::arg("choices"));
}

#endif

}  // namespace AMPCLI_SPACE::radiation

PYBIND11_MODULE(AMPCLI_MODULE, module) {
  module.doc() = "Features of radiations (see radiation.h)";
  module.def("compute", &AMPCLI_SPACE::radiation::compute, py::arg("task"), py::arg("final"), py::arg("threads"));
#ifdef AMPCLI_TASKS
  AMPCLI_SPACE::radiation::add_tasks(module);
#endif
}
