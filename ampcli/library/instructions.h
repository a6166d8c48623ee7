// Instruction sets that setup.py compiles for, and the widest of them that this processor has.
#pragma once

#include <cstring>

#ifndef AMPCLI_SPACE  // one namespace for each instruction set: a linker must not take code of one for another
#define AMPCLI_SPACE ampcli
#endif

namespace AMPCLI_SPACE {

enum class Instructions { baseline = 0, avx2 = 1, avx512 = 2 };

constexpr int INSTRUCTION_SETS = 3;

inline const char* name_of(Instructions set) {
  constexpr const char* names[INSTRUCTION_SETS] = {"baseline", "avx2", "avx512"};
  return names[int(set)];
}

// False where there is none of that name.
inline bool instructions_of(const char* name, Instructions& set) {
  for (int i = 0; i < INSTRUCTION_SETS; ++i)
    if (!std::strcmp(name, name_of(Instructions(i)))) return set = Instructions(i), true;
  return false;
}

inline Instructions instruction_set() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                __builtin_cpu_supports("avx512vl");
  return avx512 && avx2 ? Instructions::avx512 : avx2 ? Instructions::avx2 : Instructions::baseline;
#else
  return Instructions::baseline;
#endif
}

}  // namespace AMPCLI_SPACE
