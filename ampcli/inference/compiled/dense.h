// Dense networks on a tile of events, products in single precision.
//
// The tile's numbers stay in cache from layer to layer; weights lie in panels of a few SIMD vectors of outputs, each
// of which is used for ROWS events before the next is read.
#pragma once

#include <algorithm>
#include <vector>

#include "lanes.h"

namespace AMPCLI_SPACE::surrogate {

constexpr int TILE = 96;  // events

enum class Then { activate, add, nothing };  // what becomes of a layer's sums: `add` is a residual connection

struct Shape { int inputs, outputs; };

namespace single {

constexpr int MOST_ROWS = FLOATS == 16 ? 12 : 6;  // events at a time, so that their sums fill the registers
constexpr int MOST = 2;                      // SIMD vectors of outputs at a time

struct Layer {
  int inputs, outputs;  // outputs padded
  int panels;
  Buffer<float> weights;  // panel by panel, row by row
  Buffer<float> bias;

  // Weights (inputs, outputs) row by row, then biases.
  Layer(Shape shape, const float* parameters)
      : inputs(shape.inputs), outputs(padded(shape.outputs, FLOATS)), panels((outputs / FLOATS + MOST - 1) / MOST),
        weights(long(inputs) * outputs), bias(outputs) {
    float* to = weights.get();
    for (int panel = 0, first = 0; panel < panels; ++panel) {
      const int size = vectors(panel);
      for (int k = 0; k < inputs; ++k)
        for (int c = first; c < first + size * FLOATS; ++c)
          *to++ = c < shape.outputs ? parameters[long(k) * shape.outputs + c] : 0.0f;
      first += size * FLOATS;
    }
    std::copy_n(parameters + long(inputs) * shape.outputs, shape.outputs, bias.get());
  }

  // SIMD vectors in a panel.
  int vectors(int panel) const { return (outputs / FLOATS + panel) / panels; }
};

// Numbers of a tile of events, (TILE, width) row by row.
struct Tile {
  int stride;
  Buffer<float> values;

  Tile(int width, bool) : stride(padded(width, FLOATS)), values(long(TILE) * stride) {}

  float* row(int event) { return values.get() + long(event) * stride; }
  const float* row(int event) const { return values.get() + long(event) * stride; }
  void ready(int, int) {}  // inputs were written
};

template <int ROWS, int COLUMNS>
inline void block(const float* in, int in_stride, const float* weights, int inputs, const float* bias, float* out,
                  int out_stride, Then then, Activation activation) {
  Floats sum[ROWS][COLUMNS];
  for (int r = 0; r < ROWS; ++r)
    for (int c = 0; c < COLUMNS; ++c) sum[r][c] = lanes(bias + c * FLOATS);
  for (int k = 0; k < inputs; ++k, weights += COLUMNS * FLOATS)
    for (int r = 0; r < ROWS; ++r)
      for (int c = 0; c < COLUMNS; ++c) sum[r][c] += in[r * in_stride + k] * lanes(weights + c * FLOATS);
  for (int r = 0; r < ROWS; ++r)
    for (int c = 0; c < COLUMNS; ++c) {
      Floats& to = lanes(out + r * out_stride + c * FLOATS);
      to = then == Then::activate ? activated(sum[r][c], activation) : then == Then::add ? to + sum[r][c] : sum[r][c];
    }
}

// The smallest block that has room for so many events: each one's sums are the same in all.
template <int COLUMNS>
inline auto block_for(int events) {
  constexpr int MANY = std::min(8, MOST_ROWS);
  return events == 1      ? block<1, COLUMNS>
         : events == 2    ? block<2, COLUMNS>
         : events <= 4    ? block<4, COLUMNS>
         : events <= MANY ? block<MANY, COLUMNS>
                          : block<MOST_ROWS, COLUMNS>;
}

inline void apply(const Layer& layer, const Tile& in, Tile& out, int events, Then then, Activation activation) {
  const float* weights = layer.weights.get();
  for (int panel = 0, first = 0; panel < layer.panels; ++panel) {
    const int size = layer.vectors(panel);
    for (int event = 0; event < events; event += MOST_ROWS) {
      auto chosen = size == 1 ? block_for<1>(events - event) : block_for<MOST>(events - event);
      chosen(in.row(event), in.stride, weights, layer.inputs, layer.bias.get() + first, out.row(event) + first,
             out.stride, then, activation);
    }
    weights += long(layer.inputs) * size * FLOATS, first += size * FLOATS;
  }
}

}  // namespace single

// A network of `Products::Layer`s, as ampcli/models/mlp.py writes its parameters.
template <class Products>
class Network {
 public:
  using Tile = typename Products::Tile;

  struct Scratch {
    Tile in, one, other;
    explicit Scratch(const Network& network)
        : in(network.shapes_.front().inputs, false), one(network.widest_, network.residual_),
          other(network.widest_, false) {}
  };

  Network(const std::vector<Shape>& shapes, Activation activation, bool residual, const float* parameters)
      : shapes_(shapes), activation_(activation), residual_(residual) {
    for (Shape shape : shapes) {
      layers_.emplace_back(shape, parameters);
      parameters += long(shape.inputs + 1) * shape.outputs;
      widest_ = std::max(widest_, shape.outputs);
    }
  }

  int inputs() const { return shapes_.front().inputs; }
  int outputs() const { return shapes_.back().outputs; }

  // Outputs of so many events, whose inputs are in scratch.in: rows of the tile that is returned.
  const Tile& forward(Scratch& scratch, int events) const {
    scratch.in.ready(events, inputs());
    Tile *now = &scratch.one, *next = &scratch.other;
    int last = int(layers_.size()) - 1;
    if (last == 0) return put(0, scratch.in, *now, events, Then::nothing);
    put(0, scratch.in, *now, events, Then::activate);
    for (int l = 1; l < last; ++l) {
      // residual: the second of each pair adds to the input of the first
      put(l, *now, *next, events, residual_ && l % 2 == 0 ? Then::add : Then::activate);
      std::swap(now, next);
    }
    return put(last, *now, *next, events, Then::nothing);
  }

 private:
  const Tile& put(int layer, const Tile& in, Tile& out, int events, Then then) const {
    Products::apply(layers_[layer], in, out, events, then, activation_);
    return out;
  }

  std::vector<Shape> shapes_;
  Activation activation_;
  bool residual_;
  int widest_ = 0;
  std::vector<typename Products::Layer> layers_;
};

struct SingleProducts {
  struct Session {};  // what a thread needs for as long as it multiplies
  using Layer = single::Layer;
  using Tile = single::Tile;
  static constexpr auto apply = single::apply;
};

}  // namespace AMPCLI_SPACE::surrogate
