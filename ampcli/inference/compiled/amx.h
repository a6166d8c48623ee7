// Dense networks on a tile of events, products by the matrix unit (AMX) in split bfloat16.
//
// A number is the sum of two bfloat16, x = hi + lo to 2^-17; of a product, hi hi + hi lo + lo hi are kept, and sums are in
// single precision.  The matrix unit multiplies 16 events x 32 inputs with 32 inputs x 16 outputs at a time; two by two
// such blocks share what is loaded.
#pragma once

#include "../../library/instructions.h"
#include "dense.h"

#if defined(__AVX512F__) && defined(AMPCLI_MATRIX_UNIT)
#define AMPCLI_SPLIT_PRODUCTS

#include <immintrin.h>

#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // gcc 12 warns of its own header
#pragma GCC push_options
#pragma GCC target("avx512bw,avx512bf16,amx-tile,amx-bf16")

namespace AMPCLI_SPACE::surrogate {

// The matrix unit's registers as 16 rows of 64 bytes, for as long as this lives.
class TileSession {
 public:
  TileSession() {
    struct alignas(64) {
      uint8_t palette = 1, start = 0, reserved[14] = {};
      uint16_t bytes[16] = {};
      uint8_t rows[16] = {};
    } layout;
    for (int t = 0; t < 8; ++t) layout.bytes[t] = 64, layout.rows[t] = 16;
    __asm__ volatile("" ::: "memory");  // the compiler does not know what is read there, and below
    _tile_loadconfig(&layout);
  }
  ~TileSession() { _tile_release(); }
  TileSession(const TileSession&) = delete;
};

namespace split {

constexpr int DEPTH = 32, SIDE = 16;  // of a block: inputs; events and outputs

using Half = uint16_t;  // the bits of a bfloat16

inline __m256i rounded(__m512 v) { return (__m256i)_mm512_cvtneps_pbh(v); }
inline __m512 widened(__m256i v) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(v), 16)); }

inline void split16(__m512 v, Half* hi, Half* lo) {
  __m256i high = rounded(v);
  _mm256_store_si256(reinterpret_cast<__m256i*>(hi), high);
  _mm256_store_si256(reinterpret_cast<__m256i*>(lo), rounded(_mm512_sub_ps(v, widened(high))));
}

struct Layer {
  int inputs, outputs;   // both padded, in blocks
  Buffer<Half> weights;  // for 16 outputs after 16: for 32 inputs after 32: hi, then lo, each pairs of inputs by output
  Buffer<float> bias;

  // Weights (inputs, outputs) row by row, then biases.
  Layer(Shape shape, const float* parameters)
      : inputs(padded(shape.inputs, DEPTH) / DEPTH), outputs(padded(shape.outputs, SIDE) / SIDE),
        weights(long(inputs) * outputs * 2 * DEPTH * SIDE), bias(outputs * SIDE) {
    Half* to = weights.get();
    for (int n = 0; n < outputs; ++n)
      for (int k = 0; k < inputs; ++k, to += 2 * DEPTH * SIDE)
        for (int row = 0; row < DEPTH; ++row) {
          alignas(64) float values[SIDE] = {};
          alignas(64) Half hi[SIDE], lo[SIDE];
          for (int c = 0; c < SIDE && k * DEPTH + row < shape.inputs && n * SIDE + c < shape.outputs; ++c)
            values[c] = parameters[long(k * DEPTH + row) * shape.outputs + n * SIDE + c];
          split16(_mm512_load_ps(values), hi, lo);
          for (int c = 0; c < SIDE; ++c) {
            int place = row / 2 * 2 * SIDE + 2 * c + row % 2;
            to[place] = hi[c], to[DEPTH * SIDE + place] = lo[c];
          }
        }
    std::copy_n(parameters + long(shape.inputs) * shape.outputs, shape.outputs, bias.get());
  }
};

// Numbers of a tile of events, row by row: (TILE, width), and split, 32 after 32 for 16 events after 16.
struct Tile {
  int stride;
  bool kept;             // values of hidden layers are wanted
  Buffer<float> values;
  Buffer<Half> halves;   // hi, then lo, of (blocks of events, blocks of inputs, 16, 32)

  Tile(int width, bool kept)
      : stride(padded(width, DEPTH)), kept(kept), values(long(TILE) * stride), halves(2L * TILE * stride) {}

  float* row(int event) { return values.get() + long(event) * stride; }
  const float* row(int event) const { return values.get() + long(event) * stride; }
  long place(int event, int column) const {
    return (long(event / SIDE) * (stride / DEPTH) + column / DEPTH) * 2 * SIDE * DEPTH + event % SIDE * DEPTH +
           column % DEPTH;
  }
  void put_split(int event, int column, __m512 v) {
    Half* to = halves.get() + place(event, column);
    split16(v, to, to + SIDE * DEPTH);
  }
  // Splits the values that were written to the rows.
  void ready(int events, int) {
    for (int event = 0; event < events; ++event)
      for (int column = 0; column < stride; column += SIDE) put_split(event, column, _mm512_load_ps(row(event) + column));
  }
};

// Sums of 16 M events x 16 N outputs, from (event, output) on, into `sums` (32, 32).
template <int M, int N>
inline void products(const Layer& layer, const Tile& in, int event, int output, float* sums) {
  constexpr int BLOCK = DEPTH * SIDE;
  __asm__ volatile("" ::: "memory");
  _tile_zero(0);
  if (N > 1) _tile_zero(1);
  if (M > 1) _tile_zero(2);
  if (M > 1 && N > 1) _tile_zero(3);
  long down = long(in.stride / DEPTH) * 2 * BLOCK;
  const Half* a = in.halves.get() + long(event / SIDE) * down;
  const Half* b = layer.weights.get() + long(output) * layer.inputs * 2 * BLOCK;
  long across = long(layer.inputs) * 2 * BLOCK;
  const auto load_events = [&](const Half* from) {
    _tile_loadd(4, from, 64);
    if (M > 1) _tile_loadd(5, from + down, 64);
  };
  const auto load_weights = [&](const Half* from) {
    _tile_loadd(6, from, 64);
    if (N > 1) _tile_loadd(7, from + across, 64);
  };
  const auto multiply = [] {
    _tile_dpbf16ps(0, 4, 6);
    if (N > 1) _tile_dpbf16ps(1, 4, 7);
    if (M > 1) _tile_dpbf16ps(2, 5, 6);
    if (M > 1 && N > 1) _tile_dpbf16ps(3, 5, 7);
  };
  for (int k = 0; k < layer.inputs; ++k, a += 2 * BLOCK, b += 2 * BLOCK) {
    load_events(a), load_weights(b + BLOCK), multiply();  // hi lo
    load_weights(b), multiply();                          // hi hi
    load_events(a + BLOCK), multiply();                   // lo hi
  }
  _tile_stored(0, sums, 128);
  if (N > 1) _tile_stored(1, sums + SIDE, 128);
  if (M > 1) _tile_stored(2, sums + 32 * SIDE, 128);
  if (M > 1 && N > 1) _tile_stored(3, sums + 32 * SIDE + SIDE, 128);
}

inline void apply(const Layer& layer, const Tile& in, Tile& out, int events, Then then, Activation activation) {
  alignas(64) float sums[32 * 32];
  for (int event = 0; event < events; event += 32) {
    const int rows = std::min(32, events - event), blocks = (rows + SIDE - 1) / SIDE;
    for (int output = 0; output < layer.outputs; output += 2) {
      int columns = std::min(2, layer.outputs - output);
      auto chosen = blocks > 1 ? (columns > 1 ? products<2, 2> : products<2, 1>)
                               : (columns > 1 ? products<1, 2> : products<1, 1>);
      chosen(layer, in, event, output, sums);
      for (int c = 0; c < columns; ++c) {
        int column = (output + c) * SIDE;
        Floats bias = lanes(layer.bias.get() + column);
        for (int r = 0; r < rows; ++r) {
          Floats sum = lanes(sums + r * 32 + c * SIDE) + bias;
          Floats& kept = lanes(out.row(event + r) + column);
          if (then == Then::activate) sum = activated(sum, activation);
          if (then == Then::add) sum += kept;
          if (out.kept || then == Then::nothing) kept = sum;
          if (then != Then::nothing) out.put_split(event + r, column, (__m512)sum);
        }
        // the next layer reads all of a block, and no weight of zero makes a NaN that was left there a number
        if (columns == 1 && then != Then::nothing)
          for (int r = 0; r < rows; ++r) out.put_split(event + r, column + SIDE, _mm512_setzero_ps());
      }
    }
  }
}

}  // namespace split

struct SplitProducts {
  using Session = TileSession;
  using Layer = split::Layer;
  using Tile = split::Tile;
  static constexpr auto apply = split::apply;
};

}  // namespace AMPCLI_SPACE::surrogate

#pragma GCC pop_options

#endif
