// Two quark lines on a CPU, as a function of the Python modules of cpu.h.
#pragma once

#include "two_lines.h"

namespace AMPCLI_SPACE {

struct TwoLinesJob {
  TwoLinesTables tables;
  Legs legs;
  TwoLinesParameters parameters;
};

// Events first .. last - 1, with scratch memory of their own; a short last vector repeats its event.
template <bool SQUARES>
void run_two_lines(const TwoLinesJob& job, const double* momenta, long first, long last, double* values,
                   unsigned char* bad) {
  using V = SimdDouble;
  int columns = SQUARES ? job.tables.squares() : 1;
  long size = job.tables.scratch() + job.tables.flows();
  std::unique_ptr<void, Release> scratch(std::aligned_alloc(64, (size * sizeof(V) + 63) / 64 * 64));
  if (!scratch) throw std::bad_alloc();
  V* square = static_cast<V*>(scratch.get());
  Memory<V, Contiguous> memory{square + job.tables.flows(), {}};
  int external = job.legs.external;
  for (long event = first; event < last; event += AMPCLI_LANES) {
    Cartesian<V> p[MAX_LEGS];
    for (int lane = 0; lane < AMPCLI_LANES; ++lane) {
      const double* q = momenta + std::min(event + lane, last - 1) * external * 4;
      for (int leg = 0; leg < external; ++leg, q += 4)
        p[leg].e[lane] = q[0], p[leg].x[lane] = q[1], p[leg].y[lane] = q[2], p[leg].z[lane] = q[3];
    }
    V faulty;
    V value = evaluate_two_lines<SQUARES>(p, job.tables, job.legs, job.parameters, square, memory, faulty);
    for (int lane = 0; lane < AMPCLI_LANES && event + lane < last; ++lane) {
      bad[event + lane] = faulty[lane] != 0;
      for (int i = 0; i < columns; ++i) values[(event + lane) * columns + i] = SQUARES ? square[i][lane] : value[lane];
    }
  }
}

py::tuple evaluate_two_lines_events(const Array& momenta, const IntArray& ints, const Array& colour,
                                    const IntArray& legs, const Array& parameters, bool squares, int threads,
                                    int replaced) {
  TwoLinesJob job{{ints.data(), colour.data()}, {}, two_lines_parameters_of(parameters.data(), replaced)};
  int gluons = job.tables.gluons();
  if (gluons > MAX_TWO_LINES_GLUONS || legs.size() != 3 + 4 + gluons || parameters.size() != 20)
    throw std::invalid_argument("tables, legs and parameters do not fit together");
  job.legs = legs_of(legs.data(), gluons + 2);
  if (momenta.ndim() != 3 || momenta.shape(1) != job.legs.external || momenta.shape(2) != 4)
    throw std::invalid_argument("momenta must be (events, legs, 4)");
  long events = momenta.shape(0);
  Array values({events, squares ? long(job.tables.squares()) : 1L});
  py::array_t<unsigned char> bad(events);
  const double* in = momenta.data();
  double* out = values.mutable_data();
  unsigned char* faults = bad.mutable_data();
  {
    py::gil_scoped_release released;
    auto run = squares ? run_two_lines<true> : run_two_lines<false>;
    shared_between(threads, events, [&](long first, long last) { run(job, in, first, last, out, faults); });
  }
  return py::make_tuple(values, bad);
}

}  // namespace AMPCLI_SPACE
