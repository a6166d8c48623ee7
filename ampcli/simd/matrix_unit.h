// Matrix products by the matrix unit of a processor (AMX), of numbers that are split in two.
//
// A number is the sum of two bfloat16, x = hi + lo to 2^-17; of a product, hi hi + hi lo + lo hi are kept, and sums are in
// single precision.  The unit multiplies 16 rows x 32 with 32 x 16 columns at a time; two by two such tiles share what is
// loaded.  A tile of 32 x 16 has pairs of its 32, each 16 columns after the other.
#pragma once

#include <cstdint>

#include "../library/instructions.h"
#include "floats.h"

#if defined(__AVX512F__) && defined(AMPCLI_MATRIX_UNIT)
#define AMPCLI_SPLIT_PRODUCTS  // what includes this has code for the matrix unit: see `has_matrix_unit` before it is run

// Functions between these two lines may use it.
#define AMPCLI_MATRIX_UNIT_BEGIN \
  _Pragma("GCC push_options") _Pragma("GCC target(\"avx512bw,avx512bf16,amx-tile,amx-bf16\")")
#define AMPCLI_MATRIX_UNIT_END _Pragma("GCC pop_options")

AMPCLI_MATRIX_UNIT_BEGIN

namespace AMPCLI_SPACE::simd {

using Half = std::uint16_t;  // the bits of a bfloat16

constexpr int TILE_SIDE = 16, TILE_DEPTH = 32;
constexpr int TILE_SIZE = TILE_SIDE * TILE_DEPTH;

// The matrix unit's registers as 16 rows of 64 bytes, for as long as this lives.
class TileSession {
 public:
  TileSession() {
    struct alignas(64) {
      std::uint8_t palette = 1, start = 0, reserved[14] = {};
      std::uint16_t bytes[16] = {};
      std::uint8_t rows[16] = {};
    } layout;
    for (int t = 0; t < 8; ++t) layout.bytes[t] = 64, layout.rows[t] = 16;
    __asm__ volatile("" ::: "memory");  // the compiler does not know what is read there, and below
    _tile_loadconfig(&layout);
  }
  ~TileSession() { _tile_release(); }
  TileSession(const TileSession&) = delete;
};

inline __m256i rounded(__m512 v) { return (__m256i)_mm512_cvtneps_pbh(v); }
inline __m512 widened(__m256i v) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(v), 16)); }

// Tiles of upper halves: steps to those of the next 32, to the lower halves, and to the next 16 rows or columns.
struct Operand {
  const Half* start;
  long next, lower, second;
};

enum class Halves { both, upper };  // which ones count: upper ones alone are good to 2^-9

// 16 M rows of `a` times 16 N columns of `b` over `count` tiles: sums, row by row, 32 apart.
template <int M, int N, Halves KEPT = Halves::both>
inline void multiply(Operand a, Operand b, long count, float* sums) {
  constexpr bool BOTH = KEPT == Halves::both;
  __asm__ volatile("" ::: "memory");  // what is loaded has been written
  _tile_zero(0);
  if (N > 1) _tile_zero(1);
  if (M > 1) _tile_zero(2);
  if (M > 1 && N > 1) _tile_zero(3);
  const Half *left = a.start, *right = b.start;
  for (long n = 0; n < count; ++n, left += a.next, right += b.next) {
    _tile_loadd(4, left, 64);
    if (BOTH) {
      _tile_loadd(6, right + b.lower, 64);
      _tile_dpbf16ps(0, 4, 6);  // hi lo
    }
    if (M > 1) _tile_loadd(5, left + a.second, 64);
    if (BOTH) {
      if (M > 1) _tile_dpbf16ps(2, 5, 6);
      if (N > 1) _tile_loadd(7, right + b.lower + b.second, 64);
      if (N > 1) _tile_dpbf16ps(1, 4, 7);
      if (M > 1 && N > 1) _tile_dpbf16ps(3, 5, 7);
    }
    _tile_loadd(6, right, 64);
    _tile_dpbf16ps(0, 4, 6);  // hi hi
    if (M > 1) _tile_dpbf16ps(2, 5, 6);
    if (N > 1) _tile_loadd(7, right + b.second, 64);
    if (N > 1) _tile_dpbf16ps(1, 4, 7);
    if (M > 1 && N > 1) _tile_dpbf16ps(3, 5, 7);
    if (BOTH) {
      _tile_loadd(4, left + a.lower, 64);
      _tile_dpbf16ps(0, 4, 6);  // lo hi
      if (N > 1) _tile_dpbf16ps(1, 4, 7);
      if (M > 1) _tile_loadd(5, left + a.lower + a.second, 64);
      if (M > 1) _tile_dpbf16ps(2, 5, 6);
      if (M > 1 && N > 1) _tile_dpbf16ps(3, 5, 7);
    }
  }
  _tile_stored(0, sums, 128);
  if (N > 1) _tile_stored(1, sums + TILE_SIDE, 128);
  if (M > 1) _tile_stored(2, sums + 32 * TILE_SIDE, 128);
  if (M > 1 && N > 1) _tile_stored(3, sums + 32 * TILE_SIDE + TILE_SIDE, 128);
}

}  // namespace AMPCLI_SPACE::simd

AMPCLI_MATRIX_UNIT_END

#endif
