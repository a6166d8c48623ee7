// Forward and backward pass of dense networks, R of one shape at once, without a graph.
//
// Matrices of a block of rows are kept in panels of 32 columns, [column / 32][row][column % 32], padded by zeros: so are
// weights, packed at every forward pass.  Every product is made of tiles of MR rows and NR columns in registers, and what
// follows it (bias, activation, its derivative) is done before a tile is written.
#pragma once

#include <algorithm>
#include <thread>
#include <vector>

#include "vector.h"

namespace ampcli::training {

constexpr int PANEL = 32;
constexpr int VECTORS = LANES == 4 ? 1 : 2;
constexpr int NR = VECTORS * LANES;
constexpr int MR = LANES == 16 ? 8 : 4;
constexpr long BLOCK = 256;  // rows: a panel of them stays in the first cache

enum class Activation { TANH, GELU };
enum class Role { ACTIVATED, ADDED, LAST };  // what becomes of a layer's result

inline long padded(long n, long to) { return (n + to - 1) / to * to; }

// Calls work(share, first, last) for shares of `count` in as many threads.
template <class Work>
void in_threads(long count, long threads, const Work& work) {
  const long shares = std::max(1L, std::min(count, threads));
  std::vector<std::thread> others;
  for (long share = 1; share < shares; ++share)
    others.emplace_back(work, share, count * share / shares, count * (share + 1) / shares);
  work(0L, 0L, count / shares);
  for (auto& other : others) other.join();
}

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

struct Layer {
  long in, out;
  Role role;
  long weights, bias;  // where in the parameters
  long packed, turned, shift;  // where in what is packed: W, its transpose, the bias

  long padded_in() const { return padded(in, PANEL); }
  long padded_out() const { return padded(out, PANEL); }
};

class Dense {
 public:
  Dense(const std::vector<long>& widths, bool residual, Activation activation) : activation_(activation) {
    for (std::size_t n = 0; n + 1 < widths.size(); ++n) {
      const bool last = n + 2 == widths.size(), outer = residual && n > 0 && n % 2 == 0;
      Layer layer{widths[n], widths[n + 1], last ? Role::LAST : outer ? Role::ADDED : Role::ACTIVATED, 0, 0, 0, 0, 0};
      layer.weights = parameters_, layer.bias = parameters_ + layer.in * layer.out;
      parameters_ += (layer.in + 1) * layer.out;
      layer.packed = size_, layer.turned = layer.packed + layer.in * layer.padded_out();
      layer.shift = layer.turned + layer.padded_in() * layer.out;
      size_ = layer.shift + layer.padded_out();
      layers_.push_back(layer);
      widest_ = std::max({widest_, layer.padded_in(), layer.padded_out()});
    }
  }

  long parameters() const { return parameters_; }
  long inputs() const { return layers_.front().in; }
  long outputs() const { return layers_.back().out; }
  long replicas() const { return replicas_; }  // of the last `forward`
  long rows() const { return rows_; }

  // (R, P), (R, rows, inputs) -> (R, rows, outputs); keeps what `backward` needs.
  void forward(const float* parameters, const float* inputs, long replicas, long rows, float* outputs, long threads) {
    replicas_ = replicas, rows_ = rows, per_replica_ = (rows + BLOCK - 1) / BLOCK;
    packed_.resize(replicas * size_);
    blocks_.resize(replicas * per_replica_);
    in_threads(replicas, threads, [&](long, long first, long last) {
      for (long replica = first; replica < last; ++replica)
        pack(parameters + replica * parameters_, packed_.data() + replica * size_);
    });
    in_threads(long(blocks_.size()), threads, [&](long, long first, long last) {
      for (long block = first; block < last; ++block) {
        const long replica = block / per_replica_, start = block % per_replica_ * BLOCK;
        const long count = std::min(BLOCK, rows - start), at = replica * rows + start;
        forward_block(blocks_[block], packed_.data() + replica * size_, inputs + at * this->inputs(), count,
                      outputs + at * this->outputs());
      }
    });
  }

  // Of the slopes (R, rows, outputs) of a loss after `forward`: its gradient (R, P).
  void backward(const float* slopes, float* gradient, long threads) {
    const long shares = std::max(1L, std::min(long(blocks_.size()), threads));
    // A thread adds up its blocks of each replica that it meets; the first of a replica, where the gradient is.
    std::vector<std::vector<float>> apart(blocks_.size());
    in_threads(long(blocks_.size()), shares, [&](long, long first, long last) {
      std::vector<float> scratch(3 * widest_ * padded(std::min(rows_, BLOCK), MR));
      float* sum = nullptr;
      for (long block = first; block < last; ++block) {
        const long replica = block / per_replica_, start = block % per_replica_ * BLOCK;
        const bool fresh = block == first || start == 0;
        if (start == 0) sum = gradient + replica * parameters_;
        else if (block == first) apart[block].resize(parameters_), sum = apart[block].data();
        backward_block(blocks_[block], packed_.data() + replica * size_,
                       slopes + (replica * rows_ + start) * outputs(), sum, fresh, scratch.data());
      }
    });
    for (std::size_t block = 0; block < apart.size(); ++block)
      if (!apart[block].empty()) {
        float* sum = gradient + long(block) / per_replica_ * parameters_;
        for (long n = 0; n < parameters_; ++n) sum[n] += apart[block][n];
      }
  }

 private:
  struct Block {
    long count, rows;  // rows and, padded, those in memory
    std::vector<std::vector<float>> inputs, slopes;  // of each layer; of the activation after it
  };

  void pack(const float* parameters, float* packed) const {
    for (const Layer& layer : layers_) {
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
  static AMPCLI_INLINE Activated activated(Vector x) {
    return KIND == Activation::GELU ? gelu(x) : training::tanh(x);
  }

  template <Activation KIND>
  static void activate(const float* left, long rows, const Layer& layer, const float* packed, float* value,
                       float* slope) {
    const float* shift = packed + layer.shift;
    product(left, rows, layer.in, packed + layer.packed, layer.padded_out(), [&](long at, long column, Vector sum) {
      const Activated found = activated<KIND>(sum + load(shift + column));
      store(value + at, found.value);
      store(slope + at, found.slope);
    });
  }

  void forward_block(Block& block, const float* packed, const float* inputs, long count, float* outputs) const {
    const long rows = padded(count, MR);
    block.count = count, block.rows = rows;
    block.inputs.resize(layers_.size()), block.slopes.resize(layers_.size());
    for (std::size_t n = 0; n < layers_.size(); ++n) {
      block.inputs[n].resize(rows * layers_[n].padded_in());
      if (layers_[n].role == Role::ACTIVATED) block.slopes[n].resize(rows * layers_[n].padded_out());
    }
    float* x = block.inputs[0].data();
    std::fill(block.inputs[0].begin(), block.inputs[0].end(), 0.0f);
    for (long row = 0; row < count; ++row)
      for (long column = 0; column < this->inputs(); ++column)
        x[(column / PANEL * rows + row) * PANEL + column % PANEL] = inputs[row * this->inputs() + column];
    for (std::size_t n = 0; n < layers_.size(); ++n) {
      const Layer& layer = layers_[n];
      const float *left = block.inputs[n].data(), *shift = packed + layer.shift;
      if (layer.role == Role::ACTIVATED) {
        float *value = block.inputs[n + 1].data(), *slope = block.slopes[n].data();
        if (activation_ == Activation::GELU) activate<Activation::GELU>(left, rows, layer, packed, value, slope);
        else activate<Activation::TANH>(left, rows, layer, packed, value, slope);
      } else if (layer.role == Role::ADDED) {
        float* value = block.inputs[n + 1].data();
        const float* before = block.inputs[n - 1].data();
        product(left, rows, layer.in, packed + layer.packed, layer.padded_out(), [&](long at, long column, Vector sum) {
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
  static void to_parameters(const Layer& layer, const float* inputs, const float* slopes, long rows, float* gradient,
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

  void backward_block(const Block& block, const float* packed, const float* slopes, float* gradient, bool fresh,
                      float* scratch) const {
    const long rows = block.rows, last = long(layers_.size()) - 1, size = widest_ * rows;
    float *of_layer = scratch, *next = scratch + size, *carried = scratch + 2 * size;
    std::fill(of_layer, of_layer + layers_[last].padded_out() * rows, 0.0f);
    for (long row = 0; row < block.count; ++row)
      for (long column = 0; column < outputs(); ++column)
        of_layer[(column / PANEL * rows + row) * PANEL + column % PANEL] = slopes[row * outputs() + column];
    for (long n = last; n >= 0; --n) {
      const Layer& layer = layers_[n];
      to_parameters(layer, block.inputs[n].data(), of_layer, rows, gradient, fresh);
      if (n == 0) break;
      const Layer& before = layers_[n - 1];
      const float* by = before.role == Role::ACTIVATED ? block.slopes[n - 1].data() : nullptr;
      const float* plus = n + 1 <= last && layers_[n + 1].role == Role::ADDED ? carried : nullptr;
      // The slopes of this layer's inputs; after them, those of what comes before the activation.
      const float* right = packed + layer.turned;
      product(of_layer, rows, layer.out, right, layer.padded_in(), [&](long at, long, Vector sum) {
        if (plus) sum += load(plus + at);
        store(next + at, by ? sum * load(by + at) : sum);
      });
      if (before.role == Role::ADDED) std::memcpy(carried, next, layer.padded_in() * rows * sizeof(float));
      std::swap(of_layer, next);
    }
  }

  Activation activation_;
  std::vector<Layer> layers_;
  long parameters_ = 0, size_ = 0, widest_ = 0, replicas_ = 0, rows_ = 0, per_replica_ = 0;
  std::vector<float> packed_;  // zeros where nothing is packed
  std::vector<Block> blocks_;
};

}  // namespace ampcli::training
