// The amplitude on a GPU: one event a thread, scratch memory interleaved between threads.  Compiled at run time (ampcli/gpu.py).
#include "amplitude.h"

namespace ampcli {

template <class V, int POLARISATIONS>
__device__ __forceinline__ void evaluate_events(long long events, const double* momenta, double* values,
                                                unsigned char* bad, const int* ints, const double* colour,
                                                const int* roles, const double* numbers, V* memory) {
  Tables tables{ints, colour};
  Legs legs = legs_of(roles, tables.gluons());
  Parameters parameters = parameters_of(numbers, -1);
  long threads = long(gridDim.x) * blockDim.x, thread = long(blockIdx.x) * blockDim.x + threadIdx.x;
  Scratch<V, long> scratch(memory + thread, threads, tables);
  for (long long event = thread; event < events; event += threads) {
    Cartesian<double> p[MAX_LEGS];
    const double* q = momenta + event * legs.external * 4;
    for (int leg = 0; leg < legs.external; ++leg, q += 4) p[leg] = {q[0], q[1], q[2], q[3]};
    double faulty;
    values[event] = evaluate<POLARISATIONS, false>(p, tables, legs, parameters, scratch, faulty);
    bad[event] = faulty != 0;
  }
}

}  // namespace ampcli

#define AMPCLI_KERNEL(NAME, V, POLARISATIONS)                                                                       \
  extern "C" __global__ void __launch_bounds__(128)                                                                 \
      NAME(long long events, const double* momenta, double* values, unsigned char* bad, const int* ints,            \
           const double* colour, const int* roles, const double* numbers, V* memory) {                              \
    ampcli::evaluate_events<V, POLARISATIONS>(events, momenta, values, bad, ints, colour, roles, numbers, memory);  \
  }

AMPCLI_KERNEL(evaluate_float64_1, double, 1)
AMPCLI_KERNEL(evaluate_float64_2, double, 2)
AMPCLI_KERNEL(evaluate_float64_3, double, 3)
AMPCLI_KERNEL(evaluate_float32_1, float, 1)
AMPCLI_KERNEL(evaluate_float32_2, float, 2)
AMPCLI_KERNEL(evaluate_float32_3, float, 3)
