#define AMPCLI_MODULE _avx2
#include "cpu.h"
