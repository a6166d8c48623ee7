// The amplitude on a CPU as a Python module.  baseline.cpp, avx2.cpp and avx512.cpp compile it, each for its instruction
// set: AMPCLI_MODULE is the module's name, AMPCLI_LANES the events in a SIMD vector.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cmath>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using std::sqrt;

#include "amplitude.h"

namespace py = pybind11;

namespace ampcli {

typedef double SimdDouble __attribute__((vector_size(8 * AMPCLI_LANES)));

template <>
struct Lanes<SimdDouble> {
  using Scalar = double;
  static AMPCLI_INLINE SimdDouble from(SimdDouble v) { return v; }
  static AMPCLI_INLINE SimdDouble root(SimdDouble v) {
    for (int i = 0; i < AMPCLI_LANES; ++i) v[i] = std::sqrt(v[i]);
    return v;
  }
};

struct Job {
  Tables tables;
  Legs legs;
  Parameters parameters;
  bool squares;
};

struct Release {
  void operator()(void* p) const { std::free(p); }
};

// Events first .. last - 1 of `momenta` (events, legs, 4), a SIMD vector at a time; a short last one repeats its event.
template <int POLARISATIONS, bool SQUARES>
void run(const Job& job, const double* momenta, long first, long last, double* values, unsigned char* bad) {
  using V = SimdDouble;
  long columns = SQUARES ? job.tables.orderings() : 1;
  long size = Scratch<V, Contiguous>::size(job.tables);
  std::unique_ptr<void, Release> memory(std::aligned_alloc(64, (size * sizeof(V) + 63) / 64 * 64));
  if (!memory) throw std::bad_alloc();
  Scratch<V, Contiguous> scratch(static_cast<V*>(memory.get()), Contiguous{}, job.tables);
  int external = job.legs.external;
  for (long event = first; event < last; event += AMPCLI_LANES) {
    Cartesian<V> p[MAX_LEGS];
    for (int lane = 0; lane < AMPCLI_LANES; ++lane) {
      long from = event + lane < last ? event + lane : last - 1;
      const double* q = momenta + from * external * 4;
      for (int leg = 0; leg < external; ++leg, q += 4)
        p[leg].e[lane] = q[0], p[leg].x[lane] = q[1], p[leg].y[lane] = q[2], p[leg].z[lane] = q[3];
    }
    V faulty;
    V value = evaluate<POLARISATIONS, SQUARES>(p, job.tables, job.legs, job.parameters, scratch, faulty);
    for (int lane = 0; lane < AMPCLI_LANES && event + lane < last; ++lane) {
      bad[event + lane] = faulty[lane] != 0;
      for (long i = 0; i < columns; ++i)
        values[(event + lane) * columns + i] = SQUARES ? scratch.square[i][lane] : value[lane];
    }
  }
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
  bool leptons = job.legs.other_lepton >= 0;
  auto chosen = leptons ? (squares ? run<2, true> : run<2, false>) : (squares ? run<3, true> : run<3, false>);
  {
    py::gil_scoped_release released;
    long groups = (events + AMPCLI_LANES - 1) / AMPCLI_LANES;
    long share = (groups + threads - 1) / threads * AMPCLI_LANES;
    std::vector<std::thread> others;
    for (long first = share; first < events; first += share)
      others.emplace_back([=, &job] { chosen(job, in, first, std::min(first + share, events), out, faults); });
    chosen(job, in, 0, std::min(share, events), out, faults);
    for (auto& other : others) other.join();
  }
  return py::make_tuple(values, bad);
}

py::tuple evaluate_as_threads(const Array& momenta, const IntArray& ints, const Array& colour, const IntArray& legs,
                              const Array& parameters, bool single) {
  Job job = job_of(ints, colour, legs, parameters, -1, false);
  check_momenta(momenta, job);
  Array values(momenta.shape(0));
  py::array_t<unsigned char> bad(momenta.shape(0));
  bool leptons = job.legs.other_lepton >= 0;
  auto chosen = leptons ? (single ? run_as_threads<float, 2> : run_as_threads<double, 2>)
                        : (single ? run_as_threads<float, 3> : run_as_threads<double, 3>);
  chosen(job, momenta.data(), momenta.shape(0), values.mutable_data(), bad.mutable_data());
  return py::make_tuple(values, bad);
}

// The widest instruction set that this processor has and setup.py compiles.
const char* instruction_set() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                __builtin_cpu_supports("avx512vl");
  return avx512 && avx2 ? "avx512" : avx2 ? "avx2" : "baseline";
#else
  return "baseline";
#endif
}

}  // namespace ampcli

PYBIND11_MODULE(AMPCLI_MODULE, m) {
  m.doc() = "Exact amplitudes of one quark line, n gluons and a vector (see amplitude.h).";
  m.def("evaluate", &ampcli::evaluate_events, py::arg("momenta").noconvert(), py::arg("ints").noconvert(),
        py::arg("colour").noconvert(), py::arg("legs").noconvert(), py::arg("parameters").noconvert(),
        py::arg("squares"), py::arg("threads"), py::arg("replaced"));
#if AMPCLI_LANES == 2
  m.def("instruction_set", &ampcli::instruction_set);
  m.def("scratch_size", [](const ampcli::IntArray& ints) {
    return ampcli::Scratch<double, long>::size(ampcli::Tables{ints.data(), nullptr});
  });
  m.def("evaluate_as_threads", &ampcli::evaluate_as_threads, py::arg("momenta").noconvert(),
        py::arg("ints").noconvert(), py::arg("colour").noconvert(), py::arg("legs").noconvert(),
        py::arg("parameters").noconvert(), py::arg("single"));
#endif
}
