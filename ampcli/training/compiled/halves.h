// Products of numbers that are split in two halves, by the matrix unit (ampcli/simd/matrix_unit.h).  Errors are 2^-17 of
// each product, where those of TF32 are 2^-11.
//
// Matrices are kept in squares of 32 x 32 numbers, four tiles of 1 KiB each: hi and lo of the upper and the lower rows
// where the square stands left in products, of the left and the right columns where it stands right.
#pragma once

#include "../../simd/matrix_unit.h"
#include "network.h"

#ifdef AMPCLI_SPLIT_PRODUCTS

AMPCLI_MATRIX_UNIT_BEGIN

namespace ampcli::training {

using simd::widened;
using Tiles = simd::TileSession;

constexpr long SIDE = 32;
constexpr long SQUARE = SIDE * SIDE;

struct alignas(64) Halves { simd::Half tile[2][2][512]; };  // [hi, lo][first, second 16 rows or columns]

inline simd::Operand operand(const Halves* squares, long step) {
  return {squares->tile[0][0], step * long(sizeof(Halves) / sizeof(simd::Half)), 2 * simd::TILE_SIZE, simd::TILE_SIZE};
}

// sum (32 x 32) = left right over `count` squares; steps between them in squares
inline void multiply(const Halves* left, long left_step, const Halves* right, long right_step, long count, float* sum) {
  simd::multiply<2, 2>(operand(left, left_step), operand(right, right_step), count, sum);
}

// The same to 2^-9, of upper halves alone.
inline void multiply_roughly(const Halves* left, long left_step, const Halves* right, long right_step, long count,
                             float* sum) {
  simd::multiply<2, 2, simd::Halves::upper>(operand(left, left_step), operand(right, right_step), count, sum);
}

// A square of floats, row by row, as the left one of products; COUNT is 1 where the lower halves are not wanted.
template <int COUNT = 2>
inline void to_left(const float* square, Halves& left) {
  for (int row = 0; row < SIDE; ++row) {
    const __m512 a = _mm512_loadu_ps(square + row * SIDE), b = _mm512_loadu_ps(square + row * SIDE + 16);
    const __m512i hi = (__m512i)_mm512_cvtne2ps_pbh(b, a);
    _mm512_store_si512(left.tile[0][row / 16] + row % 16 * 32, hi);
    if (COUNT == 1) continue;
    const __m512 ahi = widened(_mm512_castsi512_si256(hi)), bhi = widened(_mm512_extracti64x4_epi64(hi, 1));
    const __m512i lo = (__m512i)_mm512_cvtne2ps_pbh(_mm512_sub_ps(b, bhi), _mm512_sub_ps(a, ahi));
    _mm512_store_si512(left.tile[1][row / 16] + row % 16 * 32, lo);
  }
}

// Columns of two rows next to each other, as the right one of products has them.
template <int COUNT = 2>
inline void to_right(const Halves& left, Halves& right) {
  for (int half = 0; half < COUNT; ++half)
    for (int pair = 0; pair < 16; ++pair) {
      const std::uint16_t* rows = left.tile[half][pair / 8] + pair % 8 * 64;
      const __m512i upper = _mm512_load_si512(rows), lower = _mm512_load_si512(rows + 32);
      const auto join = [](__m256i a, __m256i b) {
        return _mm512_or_si512(_mm512_cvtepu16_epi32(a), _mm512_slli_epi32(_mm512_cvtepu16_epi32(b), 16));
      };
      _mm512_store_si512(right.tile[half][0] + pair * 32,
                         join(_mm512_castsi512_si256(upper), _mm512_castsi512_si256(lower)));
      _mm512_store_si512(right.tile[half][1] + pair * 32,
                         join(_mm512_extracti64x4_epi64(upper, 1), _mm512_extracti64x4_epi64(lower, 1)));
    }
}

// Of a square for the right, its transpose for the left, and the other way round: tiles of 16 x 16 pairs turned.
template <int COUNT = 2>
inline void turn(const Halves& from, Halves& to) {
  for (int half = 0; half < COUNT; ++half)
    for (int part = 0; part < 2; ++part) {
      const std::uint16_t* in = from.tile[half][part];
      std::uint16_t* out = to.tile[half][part];
      __m512i a[16], b[16];
      for (int n = 0; n < 16; ++n) a[n] = _mm512_load_si512(in + n * 32);
      for (int n = 0; n < 16; n += 2)
        b[n] = _mm512_unpacklo_epi32(a[n], a[n + 1]), b[n + 1] = _mm512_unpackhi_epi32(a[n], a[n + 1]);
      for (int n = 0; n < 16; n += 4) {
        a[n] = _mm512_unpacklo_epi64(b[n], b[n + 2]), a[n + 1] = _mm512_unpackhi_epi64(b[n], b[n + 2]);
        a[n + 2] = _mm512_unpacklo_epi64(b[n + 1], b[n + 3]), a[n + 3] = _mm512_unpackhi_epi64(b[n + 1], b[n + 3]);
      }
      for (int n = 0; n < 4; ++n) {
        b[n] = _mm512_shuffle_i32x4(a[n], a[n + 4], 0x88), b[n + 4] = _mm512_shuffle_i32x4(a[n], a[n + 4], 0xdd);
        b[n + 8] = _mm512_shuffle_i32x4(a[n + 8], a[n + 12], 0x88);
        b[n + 12] = _mm512_shuffle_i32x4(a[n + 8], a[n + 12], 0xdd);
      }
      for (int n = 0; n < 4; ++n) {
        _mm512_store_si512(out + n * 32, _mm512_shuffle_i32x4(b[n], b[n + 8], 0x88));
        _mm512_store_si512(out + (n + 8) * 32, _mm512_shuffle_i32x4(b[n], b[n + 8], 0xdd));
        _mm512_store_si512(out + (n + 4) * 32, _mm512_shuffle_i32x4(b[n + 4], b[n + 12], 0x88));
        _mm512_store_si512(out + (n + 12) * 32, _mm512_shuffle_i32x4(b[n + 4], b[n + 12], 0xdd));
      }
    }
}

class Split {
 public:
  struct Packed {
    Buffer<Halves> weights;
    Buffer<float> shifts;
  };
  struct Block {
    long count, rows;  // rows, and squares of them
    std::vector<Buffer<Halves>> inputs;  // of each layer, [square of rows][of columns], for the left of products
    std::vector<Buffer<float>> slopes, values;  // of the activation after a layer; what is added to later
  };
  struct Scratch {
    Buffer<Halves> left, right, next, turned;
    Buffer<float> carried;
  };

  Split(const std::vector<Layer>& layers, Activation activation) : activation_(activation) {
    for (const Layer& layer : layers) {
      Place place{layer, padded(layer.in, SIDE) / SIDE, padded(layer.out, SIDE) / SIDE, size_, 0, shifts_};
      place.turned = size_ + place.ins * place.outs;
      size_ = place.turned + place.ins * place.outs, shifts_ += place.outs * SIDE;
      widest_ = std::max({widest_, place.ins, place.outs});
      layers_.push_back(place);
    }
  }

  void pack(const float* parameters, Packed& to) const {
    to.weights.resize(size_), to.shifts.resize(shifts_);
    alignas(64) float square[SQUARE] = {};
    alignas(64) Halves left;
    for (const Place& layer : layers_) {
      std::copy_n(parameters + layer.bias, layer.out, to.shifts.data() + layer.shift);
      Halves *straight = to.weights.data() + layer.packed, *turned = to.weights.data() + layer.turned;
      for (long in = 0; in < layer.ins; ++in)
        for (long out = 0; out < layer.outs; ++out) {
          cut(parameters + layer.weights, layer.in, layer.out, in * SIDE, out * SIDE, square);
          to_left(square, left);
          to_right(left, straight[out * layer.ins + in]);
          turn(left, turned[in * layer.outs + out]);
        }
    }
  }

  void forward(Block& block, const Packed& packed, const float* inputs, long count, float* outputs) const {
    const Tiles tiles;
    const long rows = padded(count, SIDE) / SIDE;
    block.count = count, block.rows = rows;
    block.inputs.resize(layers_.size()), block.slopes.resize(layers_.size()), block.values.resize(layers_.size());
    for (std::size_t n = 0; n < layers_.size(); ++n) {
      block.inputs[n].resize(rows * layers_[n].ins);
      if (layers_[n].role == Role::ACTIVATED) block.slopes[n].resize(rows * layers_[n].outs * SQUARE);
      if (n + 2 < layers_.size() && layers_[n + 2].role == Role::ADDED)
        block.values[n].resize(rows * layers_[n].outs * SQUARE);
    }
    alignas(64) float square[SQUARE];
    for (long row = 0; row < rows; ++row)
      for (long in = 0; in < layers_[0].ins; ++in) {
        cut(inputs, count, layers_[0].in, row * SIDE, in * SIDE, square);
        to_left(square, block.inputs[0].data()[row * layers_[0].ins + in]);
      }
    for (long n = 0; n < long(layers_.size()); ++n) {
      const Place& layer = layers_[n];
      for (long out = 0; out < layer.outs; ++out)
        for (long row = 0; row < rows; ++row) {
          multiply(block.inputs[n].data() + row * layer.ins, 1,
                   packed.weights.data() + layer.packed + out * layer.ins, 1, layer.ins, square);
          const long at = (out * rows + row) * SQUARE;
          const float* shift = packed.shifts.data() + layer.shift + out * SIDE;
          if (layer.role == Role::LAST) {
            paste(square, shift, outputs, count, layer.out, row * SIDE, out * SIDE);
            continue;
          }
          if (layer.role == Role::ADDED) add(square, shift, block.values[n - 2].data() + at);
          else if (activation_ == Activation::gelu) activate<Activation::gelu>(square, shift, block.slopes[n].data() + at);
          else activate<Activation::tanh>(square, shift, block.slopes[n].data() + at);
          if (n + 2 < long(layers_.size()) && layers_[n + 2].role == Role::ADDED)
            std::memcpy(block.values[n].data() + at, square, sizeof square);
          to_left(square, block.inputs[n + 1].data()[row * layer.outs + out]);
        }
    }
  }

  void backward(const Block& block, const Packed& packed, const float* slopes, float* gradient, bool fresh,
                Scratch& scratch) const {
    const Tiles tiles;
    const long rows = block.rows, last = long(layers_.size()) - 1;
    scratch.left.resize(widest_ * rows), scratch.right.resize(widest_ * rows), scratch.next.resize(widest_ * rows);
    scratch.turned.resize(rows), scratch.carried.resize(widest_ * rows * SQUARE);
    Halves *left = scratch.left.data(), *next = scratch.next.data(), *right = scratch.right.data();
    alignas(64) float square[SQUARE];
    for (long row = 0; row < rows; ++row)
      for (long out = 0; out < layers_[last].outs; ++out) {
        cut(slopes, block.count, layers_[last].out, row * SIDE, out * SIDE, square);
        to_left(square, left[row * layers_[last].outs + out]);
      }
    for (long n = last; n >= 0; --n) {
      const Place& layer = layers_[n];
      to_parameters(layer, block, block.inputs[n].data(), left, right, scratch.turned.data(), gradient, fresh);
      if (n == 0) break;
      const Place& before = layers_[n - 1];
      const bool plus = n < last && layers_[n + 1].role == Role::ADDED, carries = before.role == Role::ADDED;
      for (long in = 0; in < layer.ins; ++in)
        for (long row = 0; row < rows; ++row) {
          multiply(left + row * layer.outs, 1, packed.weights.data() + layer.turned + in * layer.outs, 1, layer.outs,
                   square);
          const long at = (in * rows + row) * SQUARE;
          float* carried = scratch.carried.data() + at;
          const float* by = before.role == Role::ACTIVATED ? block.slopes[n - 1].data() + at : nullptr;
          for (long v = 0; v < SQUARE; v += LANES) {
            Vector sum = load(square + v);
            if (plus) sum += load(carried + v);
            if (carries) store(carried + v, sum);
            store(square + v, by ? sum * load(by + v) : sum);
          }
          to_left(square, next[row * layer.ins + in]);
        }
      std::swap(left, next);
    }
  }

  // 32 x 32 numbers of a matrix (rows, columns), zero beyond it
  static void cut(const float* matrix, long rows, long columns, long row, long column, float* square) {
    const long width = std::min(SIDE, columns - column);
    for (long n = 0; n < SIDE; ++n) {
      float* to = square + n * SIDE;
      if (row + n >= rows) std::fill_n(to, SIDE, 0.0f);
      else std::copy_n(matrix + (row + n) * columns + column, width, to), std::fill(to + width, to + SIDE, 0.0f);
    }
  }

 private:
  struct Place : Layer {
    long ins, outs;  // squares
    long packed, turned, shift;  // where W, its transpose and the bias are
  };

  static void paste(const float* square, const float* shift, float* matrix, long rows, long columns, long row,
                    long column) {
    for (long n = 0; n < std::min(SIDE, rows - row); ++n)
      for (long m = 0; m < std::min(SIDE, columns - column); ++m)
        matrix[(row + n) * columns + column + m] = square[n * SIDE + m] + shift[m];
  }

  template <Activation KIND>
  static void activate(float* square, const float* shift, float* slope) {
    for (long v = 0; v < SQUARE; v += LANES) {
      const Vector x = load(square + v) + load(shift + v % SIDE);
      const Activated found = activated_with_slope<KIND>(x);
      store(square + v, found.value), store(slope + v, found.slope);
    }
  }

  static void add(float* square, const float* shift, const float* to) {
    for (long v = 0; v < SQUARE; v += LANES)
      store(square + v, load(square + v) + load(shift + v % SIDE) + load(to + v));
  }

  // Adds or writes the slopes of a layer's weights and biases: inputs^T slopes, and the sums of slopes.
  static void to_parameters(const Place& layer, const Block& block, const Halves* inputs, const Halves* slopes,
                            Halves* right, Halves* turned, float* gradient, bool fresh) {
    alignas(64) float square[SQUARE];
    alignas(64) Halves pairs;
    const long rows = block.rows;
    for (long out = 0; out < layer.outs; ++out) {
      Vector sums[2] = {};
      for (long row = 0; row < rows; ++row) {
        const Halves& from = slopes[row * layer.outs + out];
        to_right(from, right[out * rows + row]);
        for (int half = 0; half < 2; ++half)
          for (int n = 0; n < SIDE; ++n)
            for (int v = 0; v < 2; ++v) {
              const __m256i bits = _mm256_load_si256((const __m256i*)(from.tile[half][n / 16] + n % 16 * 32 + v * 16));
              sums[v] += Vector(widened(bits));
            }
      }
      for (long v = 0; v < std::min(SIDE, layer.out - out * SIDE); ++v) {
        float& to = gradient[layer.bias + out * SIDE + v];
        to = sums[v / 16][v % 16] + (fresh ? 0.0f : to);
      }
    }
    for (long in = 0; in < layer.ins; ++in) {
      for (long row = 0; row < rows; ++row) to_right(inputs[row * layer.ins + in], pairs), turn(pairs, turned[row]);
      for (long out = 0; out < layer.outs; ++out) {
        multiply(turned, 1, right + out * rows, 1, rows, square);
        const long width = std::min(SIDE, layer.out - out * SIDE);
        for (long n = 0; n < std::min(SIDE, layer.in - in * SIDE); ++n) {
          float* to = gradient + layer.weights + (in * SIDE + n) * layer.out + out * SIDE;
          const float* from = square + n * SIDE;
          if (fresh) std::copy_n(from, width, to);
          else for (long v = 0; v < width; ++v) to[v] += from[v];
        }
      }
    }
  }

  Activation activation_;
  std::vector<Place> layers_;
  long size_ = 0, shifts_ = 0, widest_ = 0;
};

}  // namespace ampcli::training

AMPCLI_MATRIX_UNIT_END

#endif
