// The amplitude of many events on a CPU, a SIMD vector of events at a time.  AMPCLI_LANES: events in a vector.
#pragma once

#include <cmath>
#include <cstddef>

using std::sqrt;

#include "amplitude.h"

namespace AMPCLI_SPACE {

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

// What is the same for all events.
struct Job {
  Tables tables;
  Legs legs;
  Parameters parameters;
  bool squares;  // every ordering's square instead of the sum over colours
};

// Currents and kinematics in double precision.
struct InDouble {
  using Currents = SimdDouble;
  using Kinematics = SimdDouble;
  static constexpr int EVENTS = AMPCLI_LANES;  // in a vector
};

// Bytes that one call of `run` works in: a multiple of 64, to be aligned to 64; calls at the same time need their own.
inline std::size_t scratch_bytes(const Job& job) {
  std::size_t size = std::size_t(Scratch<SimdDouble, Contiguous>::size(job.tables)) * sizeof(SimdDouble);
  return (size + 63) / 64 * 64;
}

template <class Precision, int POLARISATIONS, bool SQUARES>
void run_as(const Job& job, const double* momenta, long first, long last, double* values, unsigned char* bad,
            void* memory) {
  using V = typename Precision::Currents;
  using W = typename Precision::Kinematics;
  constexpr int EVENTS = Precision::EVENTS;
  long columns = SQUARES ? job.tables.orderings() : 1;
  Scratch<V, Contiguous> scratch(static_cast<V*>(memory), Contiguous{}, job.tables);
  int external = job.legs.external;
  for (long event = first; event < last; event += EVENTS) {
    Cartesian<W> p[MAX_LEGS];
    for (int lane = 0; lane < EVENTS; ++lane) {
      long from = event + lane < last ? event + lane : last - 1;
      const double* q = momenta + from * external * 4;
      for (int leg = 0; leg < external; ++leg, q += 4)
        p[leg].e[lane] = q[0], p[leg].x[lane] = q[1], p[leg].y[lane] = q[2], p[leg].z[lane] = q[3];
    }
    W faulty;
    V value = evaluate<POLARISATIONS, SQUARES>(p, job.tables, job.legs, job.parameters, scratch, faulty);
    for (int lane = 0; lane < EVENTS && event + lane < last; ++lane) {
      bad[event + lane] = faulty[lane] != 0;
      for (long i = 0; i < columns; ++i)
        values[(event + lane) * columns + i] = SQUARES ? scratch.square[i][lane] : value[lane];
    }
  }
}

// Events first .. last - 1 of `momenta` (events, legs, 4); a short last vector repeats its event.  `bad` is 1 where
// momenta are not physical, whose values mean nothing.
inline void run(const Job& job, const double* momenta, long first, long last, double* values, unsigned char* bad,
                void* scratch) {
  auto chosen = job.squares ? run_as<InDouble, 3, true> : run_as<InDouble, 3, false>;
  switch (polarisations_of(job.legs)) {
    case 1: chosen = job.squares ? run_as<InDouble, 1, true> : run_as<InDouble, 1, false>; break;
    case 2: chosen = job.squares ? run_as<InDouble, 2, true> : run_as<InDouble, 2, false>;
  }
  chosen(job, momenta, first, last, values, bad, scratch);
}

}  // namespace AMPCLI_SPACE
