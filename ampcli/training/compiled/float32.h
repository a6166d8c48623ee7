// Products in single precision.
//
// Matrices of a block of rows are kept in panels of 32 columns, [column / 32][row][column % 32], padded by zeros: so are
// weights, packed at every forward pass.  Every product is made of tiles of MR rows and NR columns in registers, and what
// follows it (bias, activation, its derivative) is done before a tile is written.
#pragma once

#include "network.h"

namespace ampcli::training {

constexpr int PANEL = 32;
constexpr int VECTORS = LANES == 4 ? 1 : 2;
constexpr int NR = VECTORS * LANES;
constexpr int MR = LANES == 16 ? 8 : 4;

// Columns of MR rows of A B: A in panels over K or along K, B one panel; tells of each vector (row, column in the panel).
struct Left {
  const float* start;  // of the MR rows
  long row, inner, panel;  // steps to the next row, to the next of K, to the next PANEL of K
};

template <class Write>
AMPCLI_INLINE void tile(const Left& a, const float* b, long k, const Write& write) {
  Vector sum[MR][VECTORS] = {};
  for (long first = 0; first < k; first += PANEL) {
    const float* left = a.start + first / PANEL * a.panel;
    const long count = std::min<long>(PANEL, k - first);
    for (long n = 0; n < count; ++n, b += PANEL, left += a.inner) {
      Vector right[VECTORS];
      for (int v = 0; v < VECTORS; ++v) right[v] = load(b + v * LANES);
      for (int m = 0; m < MR; ++m)
        for (int v = 0; v < VECTORS; ++v) sum[m][v] += left[m * a.row] * right[v];
    }
  }
  for (int m = 0; m < MR; ++m)
    for (int v = 0; v < VECTORS; ++v) write(m, v * LANES, sum[m][v]);
}

struct Place : Layer {
  long padded_in, padded_out;
  long packed, turned, shift;  // where in what is packed: W, its transpose, the bias
};

class Float32 {
 public:
  using Packed = Buffer<float>;
  using Scratch = Buffer<float>;
  struct Block {
    long count, rows;  // rows and, padded, those in memory
    std::vector<Buffer<float>> inputs, slopes;  // of each layer; of the activation after it
  };

  Float32(const std::vector<Layer>& layers, Activation activation) : activation_(activation) {
    for (const Layer& layer : layers) {
      Place place{layer, padded(layer.in, PANEL), padded(layer.out, PANEL), size_, 0, 0};
      place.turned = place.packed + layer.in * place.padded_out;
      place.shift = place.turned + place.padded_in * layer.out;
      size_ = place.shift + place.padded_out;
      widest_ = std::max({widest_, place.padded_in, place.padded_out});
      layers_.push_back(place);
    }
  }

  void pack(const float* parameters, Packed& to) const {
    to.resize(size_);
    float* packed = to.data();
    for (const Place& layer : layers_) {
      const float* weights = parameters + layer.weights;
      float *straight = packed + layer.packed, *turned = packed + layer.turned, *shift = packed + layer.shift;
      for (long column = 0; column < layer.out; ++column) shift[column] = parameters[layer.bias + column];
      for (long first = 0; first < layer.out; first += PANEL) {
        const long count = std::min<long>(PANEL, layer.out - first);
        float* panel = straight + first * layer.in;
        for (long row = 0; row < layer.in; ++row)
          std::memcpy(panel + row * PANEL, weights + row * layer.out + first, count * sizeof(float));
      }
      if (&layer == &layers_.front()) continue;  // nobody asks for slopes of the inputs
      for (long first = 0; first < layer.in; first += PANEL) {
        float* panel = turned + first * layer.out;
        const long count = std::min<long>(PANEL, layer.in - first);
        for (long column = 0; column < layer.out; ++column)
          for (long row = 0; row < count; ++row)
            panel[column * PANEL + row] = weights[(first + row) * layer.out + column];
      }
    }
  }

  // left (rows, k) in panels times right (k, columns) in panels; write(offset in panels, column, vector)
  template <class Write>
  static AMPCLI_INLINE void product(const float* left, long rows, long k, const float* right, long columns,
                                    const Write& write) {
    for (long column = 0; column < columns; column += NR) {
      const long panel = column / PANEL, within = column % PANEL;
      for (long row = 0; row < rows; row += MR)
        tile(Left{left + row * PANEL, PANEL, 1, rows * PANEL}, right + panel * k * PANEL + within, k,
             [&](int m, int v, Vector sum) { write((panel * rows + row + m) * PANEL + within + v, column + v, sum); });
    }
  }

  template <Activation KIND>
  static void activate(const float* left, long rows, const Place& layer, const float* packed, float* value,
                       float* slope) {
    const float* shift = packed + layer.shift;
    product(left, rows, layer.in, packed + layer.packed, layer.padded_out, [&](long at, long column, Vector sum) {
      const Activated found = activated_with_slope<KIND>(sum + load(shift + column));
      store(value + at, found.value);
      store(slope + at, found.slope);
    });
  }

  void forward(Block& block, const Packed& weights, const float* inputs, long count, float* outputs) const {
    const float* packed = weights.data();
    const long rows = padded(count, MR), width = layers_[0].in;
    block.count = count, block.rows = rows;
    block.inputs.resize(layers_.size()), block.slopes.resize(layers_.size());
    for (std::size_t n = 0; n < layers_.size(); ++n) {
      block.inputs[n].resize(rows * layers_[n].padded_in);
      if (layers_[n].role == Role::ACTIVATED) block.slopes[n].resize(rows * layers_[n].padded_out);
    }
    float* x = block.inputs[0].data();
    std::fill(x, x + rows * layers_[0].padded_in, 0.0f);
    for (long row = 0; row < count; ++row)
      for (long column = 0; column < width; ++column)
        x[(column / PANEL * rows + row) * PANEL + column % PANEL] = inputs[row * width + column];
    for (std::size_t n = 0; n < layers_.size(); ++n) {
      const Place& layer = layers_[n];
      const float *left = block.inputs[n].data(), *shift = packed + layer.shift;
      if (layer.role == Role::ACTIVATED) {
        float *value = block.inputs[n + 1].data(), *slope = block.slopes[n].data();
        if (activation_ == Activation::gelu) activate<Activation::gelu>(left, rows, layer, packed, value, slope);
        else activate<Activation::tanh>(left, rows, layer, packed, value, slope);
      } else if (layer.role == Role::ADDED) {
        float* value = block.inputs[n + 1].data();
        const float* before = block.inputs[n - 1].data();
        product(left, rows, layer.in, packed + layer.packed, layer.padded_out, [&](long at, long column, Vector sum) {
          store(value + at, load(before + at) + (sum + load(shift + column)));
        });
      } else {
        product(left, rows, layer.in, packed + layer.packed, padded(layer.out, NR),
                [&](long at, long column, Vector sum) {
                  const long row = at / PANEL % rows;
                  if (row >= count) return;
                  sum += load(shift + column);
                  for (long v = 0; v < LANES && column + v < layer.out; ++v)
                    outputs[row * layer.out + column + v] = sum[v];
                });
      }
    }
  }

  // Adds or writes the slopes of a layer's weights and biases: inputs^T slopes, and the sums of slopes.
  static void to_parameters(const Place& layer, const float* inputs, const float* slopes, long rows, float* gradient,
                            bool fresh) {
    float *weights = gradient + layer.weights, *bias = gradient + layer.bias;
    const auto put = [fresh](float* to, Vector x, long left) {
      if (left >= LANES) store(to, fresh ? x : x + load(to));
      else
        for (long v = 0; v < left; ++v) to[v] = fresh ? x[v] : x[v] + to[v];
    };
    for (long column = 0; column < padded(layer.out, NR); column += NR) {
      const float* right = slopes + column / PANEL * rows * PANEL + column % PANEL;
      for (long v = column; v < column + NR; v += LANES) {
        Vector sum = {};
        for (long row = 0; row < rows; ++row) sum += load(right + row * PANEL + v - column);
        put(bias + v, sum, layer.out - v);
      }
      for (long in = 0; in < padded(layer.in, MR); in += MR)
        tile(Left{inputs + in / PANEL * rows * PANEL + in % PANEL, 1, PANEL, PANEL * PANEL}, right, rows,
             [&](int m, int v, Vector sum) {
               if (in + m < layer.in) put(weights + (in + m) * layer.out + column + v, sum, layer.out - column - v);
             });
    }
  }

  void backward(const Block& block, const Packed& weights, const float* slopes, float* gradient, bool fresh,
                Scratch& scratch) const {
    const float* packed = weights.data();
    const long rows = block.rows, last = long(layers_.size()) - 1, size = widest_ * rows;
    const long columns = layers_[last].out;
    scratch.resize(3 * size);
    float *of_layer = scratch.data(), *next = of_layer + size, *carried = next + size;
    std::fill(of_layer, of_layer + layers_[last].padded_out * rows, 0.0f);
    for (long row = 0; row < block.count; ++row)
      for (long column = 0; column < columns; ++column)
        of_layer[(column / PANEL * rows + row) * PANEL + column % PANEL] = slopes[row * columns + column];
    for (long n = last; n >= 0; --n) {
      const Place& layer = layers_[n];
      to_parameters(layer, block.inputs[n].data(), of_layer, rows, gradient, fresh);
      if (n == 0) break;
      const Place& before = layers_[n - 1];
      const float* by = before.role == Role::ACTIVATED ? block.slopes[n - 1].data() : nullptr;
      const float* plus = n + 1 <= last && layers_[n + 1].role == Role::ADDED ? carried : nullptr;
      // The slopes of this layer's inputs; after them, those of what comes before the activation.
      const float* right = packed + layer.turned;
      product(of_layer, rows, layer.out, right, layer.padded_in, [&](long at, long, Vector sum) {
        if (plus) sum += load(plus + at);
        store(next + at, by ? sum * load(by + at) : sum);
      });
      if (before.role == Role::ADDED) std::memcpy(carried, next, layer.padded_in * rows * sizeof(float));
      std::swap(of_layer, next);
    }
  }

  Activation activation_;
  std::vector<Place> layers_;
  long size_ = 0, widest_ = 0;
};

}  // namespace ampcli::training
