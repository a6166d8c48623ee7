// The amplitude on a CPU as a Python module.  baseline.cpp, avx2.cpp and avx512.cpp compile it, each for its instruction
// set: AMPCLI_MODULE is the module's name, AMPCLI_LANES the events in a SIMD vector.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "../../library/instructions.h"
#include "evaluate.h"

namespace py = pybind11;

namespace AMPCLI_SPACE {

struct Release {
  void operator()(void* p) const { std::free(p); }
};

// Events first .. last - 1, with scratch memory of their own.
void run_share(const Job& job, const double* momenta, long first, long last, double* values, unsigned char* bad) {
  std::unique_ptr<void, Release> scratch(std::aligned_alloc(64, scratch_bytes(job)));
  if (!scratch) throw std::bad_alloc();
  run(job, momenta, first, last, values, bad, scratch.get());
}

// Calls run(first, last) for all events, shared between threads: whole SIMD vectors to each.
template <class Run>
void shared_between(int threads, long events, const Run& run) {
  long groups = (events + AMPCLI_LANES - 1) / AMPCLI_LANES;
  long share = (groups + threads - 1) / threads * AMPCLI_LANES;
  std::vector<std::thread> others;
  for (long first = share; first < events; first += share)
    others.emplace_back([=, &run] { run(first, std::min(first + share, events)); });
  run(0, std::min(share, events));
  for (auto& other : others) other.join();
}

// The same as CUDA threads would: one event at a time, strided scratch memory.  For tests, and single precision.
template <class V, int POLARISATIONS>
void run_as_threads(const Job& job, const double* momenta, long events, double* values, unsigned char* bad) {
  constexpr long THREADS = 32;
  std::vector<V> memory(Scratch<V, long>::size(job.tables) * THREADS);
  for (long event = 0; event < events; ++event) {
    Cartesian<double> p[MAX_LEGS];
    const double* q = momenta + event * job.legs.external * 4;
    for (int leg = 0; leg < job.legs.external; ++leg, q += 4) p[leg] = {q[0], q[1], q[2], q[3]};
    Scratch<V, long> scratch(memory.data() + event % THREADS, THREADS, job.tables);
    double faulty;
    values[event] = evaluate<POLARISATIONS, false>(p, job.tables, job.legs, job.parameters, scratch, faulty);
    bad[event] = faulty != 0;
  }
}

using Array = py::array_t<double, py::array::c_style>;
using IntArray = py::array_t<int, py::array::c_style>;

Job job_of(const IntArray& ints, const Array& colour, const IntArray& legs, const Array& parameters, int replaced,
           bool squares) {
  Job job{};
  job.tables = {ints.data(), colour.data()};
  int gluons = job.tables.gluons();
  if (gluons > MAX_GLUONS || legs.size() != 3 + 2 + gluons || parameters.size() != 9)
    throw std::invalid_argument("tables, legs and parameters do not fit together");
  job.legs = legs_of(legs.data(), gluons);
  job.parameters = parameters_of(parameters.data(), replaced);
  job.squares = squares;
  return job;
}

void check_momenta(const Array& momenta, const Job& job) {
  if (momenta.ndim() != 3 || momenta.shape(1) != job.legs.external || momenta.shape(2) != 4)
    throw std::invalid_argument("momenta must be (events, legs, 4)");
}

py::tuple evaluate_events(const Array& momenta, const IntArray& ints, const Array& colour, const IntArray& legs,
                          const Array& parameters, bool squares, int threads, int replaced) {
  Job job = job_of(ints, colour, legs, parameters, replaced, squares);
  check_momenta(momenta, job);
  long events = momenta.shape(0);
  Array values({events, squares ? long(job.tables.orderings()) : 1L});
  py::array_t<unsigned char> bad(events);
  const double* in = momenta.data();
  double* out = values.mutable_data();
  unsigned char* faults = bad.mutable_data();
  {
    py::gil_scoped_release released;
    shared_between(threads, events, [&](long first, long last) { run_share(job, in, first, last, out, faults); });
  }
  return py::make_tuple(values, bad);
}

py::tuple evaluate_as_threads(const Array& momenta, const IntArray& ints, const Array& colour, const IntArray& legs,
                              const Array& parameters, bool single) {
  Job job = job_of(ints, colour, legs, parameters, -1, false);
  check_momenta(momenta, job);
  Array values(momenta.shape(0));
  py::array_t<unsigned char> bad(momenta.shape(0));
  auto chosen = single ? run_as_threads<float, 3> : run_as_threads<double, 3>;
  switch (polarisations_of(job.legs)) {
    case 1: chosen = single ? run_as_threads<float, 1> : run_as_threads<double, 1>; break;
    case 2: chosen = single ? run_as_threads<float, 2> : run_as_threads<double, 2>;
  }
  chosen(job, momenta.data(), momenta.shape(0), values.mutable_data(), bad.mutable_data());
  return py::make_tuple(values, bad);
}

}  // namespace AMPCLI_SPACE

#include "other_cpu.h"

PYBIND11_MODULE(AMPCLI_MODULE, m) {
  m.doc() = "Exact amplitudes of one quark line, n gluons and a vector (see amplitude.h).";
  m.def("evaluate", &AMPCLI_SPACE::evaluate_events, py::arg("momenta").noconvert(), py::arg("ints").noconvert(),
        py::arg("colour").noconvert(), py::arg("legs").noconvert(), py::arg("parameters").noconvert(),
        py::arg("squares"), py::arg("threads"), py::arg("replaced"));
  m.def("evaluate_two_lines", &AMPCLI_SPACE::evaluate_two_lines_events, py::arg("momenta").noconvert(),
        py::arg("ints").noconvert(), py::arg("colour").noconvert(), py::arg("legs").noconvert(),
        py::arg("parameters").noconvert(), py::arg("squares"), py::arg("threads"), py::arg("replaced"));
  m.def("evaluate_gluons", &AMPCLI_SPACE::evaluate_gluons_events, py::arg("momenta").noconvert(),
        py::arg("ints").noconvert(), py::arg("colour").noconvert(), py::arg("legs").noconvert(),
        py::arg("parameters").noconvert(), py::arg("squares"), py::arg("threads"), py::arg("replaced"));
#if AMPCLI_LANES == 2
  m.def("instruction_set", [] { return AMPCLI_SPACE::name_of(AMPCLI_SPACE::instruction_set()); });
  m.def("scratch_size", [](const AMPCLI_SPACE::IntArray& ints) {
    return AMPCLI_SPACE::Scratch<double, long>::size(AMPCLI_SPACE::Tables{ints.data(), nullptr});
  });
  m.def("evaluate_as_threads", &AMPCLI_SPACE::evaluate_as_threads, py::arg("momenta").noconvert(),
        py::arg("ints").noconvert(), py::arg("colour").noconvert(), py::arg("legs").noconvert(),
        py::arg("parameters").noconvert(), py::arg("single"));
#endif
}
