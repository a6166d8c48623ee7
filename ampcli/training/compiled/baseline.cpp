#define AMPCLI_MODULE _baseline
#include "cpu.h"
