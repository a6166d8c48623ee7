// The engines that are linked into the library: one for each sort of models and instruction set.  A new sort is a unit
// that setup.py lists among ENGINES, a line AMPCLI_ENGINE below, and a line of `engine_of`.
#pragma once

#include <cstring>

#include "engine.h"
#include "instructions.h"

#if defined(__x86_64__)
#define AMPCLI_ENGINE(NAME) \
  extern "C" const ampcli_engine NAME##_baseline, NAME##_avx2, NAME##_avx512; \
  static const ampcli_engine* const NAME##_sets[] = {&NAME##_baseline, &NAME##_avx2, &NAME##_avx512};
#else
#define AMPCLI_ENGINE(NAME) \
  extern "C" const ampcli_engine NAME##_baseline; \
  static const ampcli_engine* const NAME##_sets[] = {&NAME##_baseline};
#endif

AMPCLI_ENGINE(ampcli_exact)
AMPCLI_ENGINE(ampcli_surrogate)
#ifdef AMPCLI_MATRIX_UNIT
extern "C" const ampcli_engine ampcli_surrogate_amx;
#endif

namespace AMPCLI_SPACE {

// NULL for a sort that the library does not know.  `set` becomes the one that it computes with: the matrix unit is of no
// use to exact amplitudes.
inline const ampcli_engine* engine_of(const char* kind, Instructions& set) {
  const bool matrix_unit = set == Instructions::amx;
#ifdef AMPCLI_MATRIX_UNIT
  if (!std::strcmp(kind, "surrogate") && matrix_unit) return &ampcli_surrogate_amx;
#endif
  if (matrix_unit) set = Instructions::avx512;
  if (!std::strcmp(kind, "exact")) return ampcli_exact_sets[int(set)];
  if (!std::strcmp(kind, "surrogate")) return ampcli_surrogate_sets[int(set)];
  return nullptr;
}

}  // namespace AMPCLI_SPACE
