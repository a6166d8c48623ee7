// Instruction sets that setup.py compiles for, and the widest of them that this processor has; its matrix unit, whose
// code is compiled with that of AVX-512.
#pragma once

#include <cstring>

#if defined(__x86_64__) && defined(__linux__) && __GNUC__ >= 11 && !defined(__clang__)
#define AMPCLI_MATRIX_UNIT  // this compiler knows it
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#ifndef AMPCLI_SPACE  // one namespace for each instruction set: a linker must not take code of one for another
#define AMPCLI_SPACE ampcli
#endif

namespace AMPCLI_SPACE {

enum class Instructions { baseline = 0, avx2 = 1, avx512 = 2, amx = 3 };

constexpr int INSTRUCTION_SETS = 4;

inline const char* name_of(Instructions set) {
  constexpr const char* names[INSTRUCTION_SETS] = {"baseline", "avx2", "avx512", "amx"};
  return names[int(set)];
}

// False where there is none of that name.
inline bool instructions_of(const char* name, Instructions& set) {
  for (int i = 0; i < INSTRUCTION_SETS; ++i)
    if (!std::strcmp(name, name_of(Instructions(i)))) return set = Instructions(i), true;
  return false;
}

// The widest of vectors.
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

// Whether this processor has AMX and the kernel lets this process use it, as it does from then on.
inline bool has_matrix_unit() {
#ifdef AMPCLI_MATRIX_UNIT
  constexpr long REQUEST = 0x1023, TILE_DATA = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  unsigned a, b, c, d;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d >> 22 & 1) || !(d >> 24 & 1)) return false;
  if (!__get_cpuid_count(7, 1, &a, &b, &c, &d) || !(a >> 5 & 1)) return false;
  return syscall(SYS_arch_prctl, REQUEST, TILE_DATA) == 0;
#else
  return false;
#endif
}

// The widest of vectors, and the matrix unit with the widest vectors of all.
inline Instructions best_instructions() {
  const Instructions set = instruction_set();
  return set == Instructions::avx512 && has_matrix_unit() ? Instructions::amx : set;
}

}  // namespace AMPCLI_SPACE
