// Dense networks on a tile of events, products by the matrix unit in split bfloat16 (ampcli/simd).
#pragma once

#include "../../simd/matrix_unit.h"
#include "dense.h"

#ifdef AMPCLI_SPLIT_PRODUCTS

AMPCLI_MATRIX_UNIT_BEGIN

namespace AMPCLI_SPACE::surrogate {

namespace split {

using simd::Half, simd::Operand, simd::rounded, simd::widened;

constexpr int DEPTH = simd::TILE_DEPTH, SIDE = simd::TILE_SIDE;  // of a block: inputs; events and outputs

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
  constexpr long BLOCK = simd::TILE_SIZE;
  const long down = long(in.stride / DEPTH) * 2 * BLOCK, across = long(layer.inputs) * 2 * BLOCK;
  const Operand events{in.halves.get() + long(event / SIDE) * down, 2 * BLOCK, BLOCK, down};
  const Operand weights{layer.weights.get() + long(output) * across, 2 * BLOCK, BLOCK, across};
  simd::multiply<M, N>(events, weights, layer.inputs, sums);
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
  using Session = simd::TileSession;
  using Layer = split::Layer;
  using Tile = split::Tile;
  static constexpr auto apply = split::apply;
};

}  // namespace AMPCLI_SPACE::surrogate

AMPCLI_MATRIX_UNIT_END

#endif
