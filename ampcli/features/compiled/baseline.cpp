#define AMPCLI_MODULE _baseline
#define AMPCLI_TASKS
#include "cpu.h"
