#define AMPCLI_MODULE _avx512
#include "cpu.h"
