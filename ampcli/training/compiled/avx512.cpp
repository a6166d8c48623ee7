#define AMPCLI_MODULE _avx512
#define AMPCLI_LANES 8
#include "cpu.h"
