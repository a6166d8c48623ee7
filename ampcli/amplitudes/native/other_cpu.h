// Two quark lines, and gluons alone, on a CPU, as functions of the Python modules of cpu.h.
#pragma once

#include "gluons.h"
#include "two_lines.h"

namespace AMPCLI_SPACE {

struct TwoLinesJob {
  TwoLinesTables tables;
  Legs legs;
  TwoLinesParameters parameters;
};

// Loads SIMD vectors of events first .. last - 1; a short last vector repeats its event.  `evaluate` takes a vector of
// events, and where to say which are faulty, and returns `columns` values.
template <class Evaluate>
void in_vectors(const double* momenta, int external, long first, long last, int columns, double* values,
                unsigned char* bad, const Evaluate& evaluate) {
  for (long event = first; event < last; event += AMPCLI_LANES) {
    Cartesian<SimdDouble> p[MAX_LEGS];
    for (int lane = 0; lane < AMPCLI_LANES; ++lane) {
      const double* q = momenta + std::min(event + lane, last - 1) * external * 4;
      for (int leg = 0; leg < external; ++leg, q += 4)
        p[leg].e[lane] = q[0], p[leg].x[lane] = q[1], p[leg].y[lane] = q[2], p[leg].z[lane] = q[3];
    }
    SimdDouble faulty;
    const SimdDouble* found = evaluate(p, faulty);
    for (int lane = 0; lane < AMPCLI_LANES && event + lane < last; ++lane) {
      bad[event + lane] = faulty[lane] != 0;
      for (int i = 0; i < columns; ++i) values[(event + lane) * columns + i] = found[i][lane];
    }
  }
}

std::unique_ptr<void, Release> vectors(long size) {
  std::unique_ptr<void, Release> memory(std::aligned_alloc(64, (size * sizeof(SimdDouble) + 63) / 64 * 64));
  if (!memory) throw std::bad_alloc();
  return memory;
}

template <bool SQUARES>
void run_two_lines(const TwoLinesJob& job, const double* momenta, long first, long last, double* values,
                   unsigned char* bad) {
  auto scratch = vectors(job.tables.scratch() + job.tables.flows());
  SimdDouble* found = static_cast<SimdDouble*>(scratch.get());
  Memory<SimdDouble, Contiguous> memory{found + job.tables.flows(), {}};
  auto evaluate = [&](Cartesian<SimdDouble>* p, SimdDouble& faulty) {
    SimdDouble sum = evaluate_two_lines<SQUARES>(p, job.tables, job.legs, job.parameters, found, memory, faulty);
    if (!SQUARES) found[0] = sum;
    return found;
  };
  in_vectors(momenta, job.legs.external, first, last, SQUARES ? job.tables.squares() : 1, values, bad, evaluate);
}

struct GluonsJob {
  Tables tables;
  Legs legs;
  GluonsParameters parameters;
};

template <bool SQUARES>
void run_gluons(const GluonsJob& job, const double* momenta, long first, long last, double* values,
                unsigned char* bad) {
  using WorkSpace = Scratch<SimdDouble, Contiguous>;
  auto memory = vectors(WorkSpace::size(job.tables));
  WorkSpace scratch(static_cast<SimdDouble*>(memory.get()), Contiguous{}, job.tables);
  auto evaluate = [&](Cartesian<SimdDouble>* p, SimdDouble& faulty) {
    SimdDouble sum = evaluate_gluons<SQUARES>(p, job.tables, job.legs, job.parameters, scratch, faulty);
    if (!SQUARES) scratch.square[0] = sum;
    return &scratch.square[0];
  };
  in_vectors(momenta, job.legs.external, first, last, SQUARES ? job.tables.orderings() : 1, values, bad, evaluate);
}

// `run` for all events, shared between threads: values (events, columns), and which events are faulty.
template <class Job, class Run>
py::tuple all_events(const Job& job, Run* run, const Array& momenta, long columns, int threads) {
  if (momenta.ndim() != 3 || momenta.shape(1) != job.legs.external || momenta.shape(2) != 4)
    throw std::invalid_argument("momenta must be (events, legs, 4)");
  long events = momenta.shape(0);
  Array values({events, columns});
  py::array_t<unsigned char> bad(events);
  const double* in = momenta.data();
  double* out = values.mutable_data();
  unsigned char* faults = bad.mutable_data();
  {
    py::gil_scoped_release released;
    shared_between(threads, events, [&](long first, long last) { run(job, in, first, last, out, faults); });
  }
  return py::make_tuple(values, bad);
}

py::tuple evaluate_two_lines_events(const Array& momenta, const IntArray& ints, const Array& colour,
                                    const IntArray& legs, const Array& parameters, bool squares, int threads,
                                    int replaced) {
  TwoLinesJob job{{ints.data(), colour.data()}, {}, {}};
  int gluons = job.tables.gluons();
  if (gluons > MAX_TWO_LINES_GLUONS || legs.size() != 3 + 4 + gluons || parameters.size() != 20)
    throw std::invalid_argument("tables, legs and parameters do not fit together");
  job.legs = legs_of(legs.data(), gluons + 2);
  job.parameters = two_lines_parameters_of(parameters.data(), replaced);
  auto run = squares ? run_two_lines<true> : run_two_lines<false>;
  return all_events(job, run, momenta, squares ? job.tables.squares() : 1, threads);
}

py::tuple evaluate_gluons_events(const Array& momenta, const IntArray& ints, const Array& colour, const IntArray& legs,
                                 const Array& parameters, bool squares, int threads, int replaced) {
  GluonsJob job{{ints.data(), colour.data()}, {}, {}};
  int gluons = job.tables.gluons();
  if (gluons > MAX_GLUONS || legs.size() != 3 + 2 + gluons || parameters.size() != 2)
    throw std::invalid_argument("tables, legs and parameters do not fit together");
  job.legs = legs_of(legs.data(), gluons);
  job.parameters = {parameters.data()[0], parameters.data()[1], replaced};
  auto run = squares ? run_gluons<true> : run_gluons<false>;
  return all_events(job, run, momenta, squares ? job.tables.orderings() : 1, threads);
}

}  // namespace AMPCLI_SPACE
