#define AMPCLI_MODULE _avx2
#define AMPCLI_LANES 4
#include "cpu.h"
