// The features on a GPU: one event a thread.  Compiled at run time (ampcli/gpu.py).
#include "inputs.h"

extern "C" __global__ void __launch_bounds__(128)
    radiation_features(long long events, const double* final, const ampcli::radiation::Task* task, double* legs,
                       double* variables, double* kernel, double* reduced, double* inputs) {
  using namespace ampcli::radiation;
  Rows rows{legs, variables, kernel, reduced, inputs};
  long long threads = (long long)gridDim.x * blockDim.x;
  for (long long event = (long long)blockIdx.x * blockDim.x + threadIdx.x; event < events; event += threads)
    features(*task, final + event * (task->step[0].legs - 2) * 4, rows_of(*task, event, rows));
}
