#define AMPCLI_MODULE _baseline
#define AMPCLI_LANES 2
#include "cpu.h"
