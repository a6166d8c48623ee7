// Steps of SOAP (ampcli/training/soap.py) by products of upper halves: directions of steps are noisier than their 2^-9.
#pragma once

#include "halves.h"

#ifdef AMPCLI_SPLIT_PRODUCTS

AMPCLI_MATRIX_UNIT_BEGIN

namespace ampcli::training {

struct Decay { float add1, keep2, add2, epsilon, weights; };  // of moments and, by the rate, of weights

// Adam's steps in the eigenbases L, R of layers' matrices W (rows, columns): W -= scale L step(L^T G R) R^T; and their preconditioners.
class Turns {
 public:
  struct Shape { long rows, columns, start; };

  Turns(const std::vector<Shape>& shapes, long replicas, long parameters)
      : shapes_(shapes), replicas_(replicas), parameters_(parameters), bases_(shapes.size() * replicas) {}

  long layers() const { return long(shapes_.size()); }
  long replicas() const { return replicas_; }
  long parameters() const { return parameters_; }
  const Shape& shape(long layer) const { return shapes_[layer]; }

  void turn_to(long replica, long layer, const float* left, const float* right) {
    const Shape& shape = shapes_[layer];
    Bases& to = bases_[replica * layers() + layer];
    const long m = squares(shape.rows), n = squares(shape.columns);
    to.left.resize(m * m), to.left_turned.resize(m * m), to.right.resize(n * n), to.right_turned.resize(n * n);
    alignas(64) float square[SQUARE];
    alignas(64) Halves straight, pairs;
    for (long a = 0; a < m; ++a)
      for (long b = 0; b < m; ++b) {
        Split::cut(left, shape.rows, shape.rows, a * SIDE, b * SIDE, square);
        Halves& kept = to.left.data()[a * m + b];
        to_left<1>(square, kept), to_right<1>(kept, pairs), turn<1>(pairs, to.left_turned.data()[b * m + a]);
      }
    for (long a = 0; a < n; ++a)
      for (long b = 0; b < n; ++b) {
        Split::cut(right, shape.columns, shape.columns, a * SIDE, b * SIDE, square);
        to_left<1>(square, straight), to_right<1>(straight, to.right.data()[b * n + a]);
        turn<1>(straight, to.right_turned.data()[a * n + b]);
      }
  }

  // Left and right preconditioners (R, count, n, n) of layers from `first` on: P += weight (G G^T - P), and G^T G.
  void learn(long first, long count, const float* gradient, float* left, float* right, float weight, long threads) {
    const long items = replicas_ * count, shares = std::max(1L, std::min(items, threads));
    memory_.resize(std::max(long(memory_.size()), shares));
    in_threads(items, shares, [&](long share, long from, long to) {
      const Tiles tiles;
      for (long item = from; item < to; ++item) {
        const Shape& shape = shapes_[first + item % count];
        squares_of(shape, gradient + item / count * parameters_ + shape.start, left + item * shape.rows * shape.rows,
                   right + item * shape.columns * shape.columns, weight, memory_[share]);
      }
    });
  }

  // W becomes (1 - rate decay) W - scale L step R^T.
  void step(float* parameters, const float* gradient, float* first, float* second, const float* rates,
            const float* scale, const Decay& by, long threads) {
    const long count = replicas_ * layers(), shares = std::max(1L, std::min(count, threads));
    memory_.resize(std::max(long(memory_.size()), shares));
    in_threads(count, shares, [&](long share, long from, long to) {
      const Tiles tiles;
      for (long item = from; item < to; ++item) {
        const long replica = item / layers();
        const Shape& shape = shapes_[item % layers()];
        const long at = replica * parameters_ + shape.start;
        layer(shape, bases_[item], parameters + at, gradient + at, first + at, second + at,
              1.0f - rates[replica] * by.weights, scale[replica], by, memory_[share]);
      }
    });
  }

 private:
  struct Bases { Buffer<Halves> left, left_turned, right, right_turned; };  // where they stand in products
  struct Memory { Buffer<Halves> right, left, right_turned, left_turned; };

  static long squares(long n) { return padded(n, SIDE) / SIDE; }

  static void layer(const Shape& shape, const Bases& bases, float* weights, const float* gradient, float* first,
                    float* second, float kept, float scale, const Decay& by, Memory& memory) {
    const long m = squares(shape.rows), n = squares(shape.columns), rows = shape.rows, columns = shape.columns;
    memory.right.resize(m * n), memory.left.resize(m * n);
    Halves *right = memory.right.data(), *left = memory.left.data();
    alignas(64) float square[SQUARE];
    alignas(64) Halves halves;
    for (long a = 0; a < m; ++a)
      for (long b = 0; b < n; ++b) {
        Split::cut(gradient, rows, columns, a * SIDE, b * SIDE, square);
        to_left<1>(square, halves), to_right<1>(halves, right[b * m + a]);
      }
    for (long b = 0; b < n; ++b)  // L^T G
      for (long a = 0; a < m; ++a) {
        multiply_roughly(bases.left_turned.data() + a * m, 1, right + b * m, 1, m, square);
        to_left<1>(square, left[a * n + b]);
      }
    for (long b = 0; b < n; ++b)  // times R, and the step there
      for (long a = 0; a < m; ++a) {
        multiply_roughly(left + a * n, 1, bases.right.data() + b * n, 1, n, square);
        move(square, std::min(SIDE, rows - a * SIDE), std::min(SIDE, columns - b * SIDE), columns,
             first + a * SIDE * columns + b * SIDE, second + a * SIDE * columns + b * SIDE, by);
        to_left<1>(square, halves), to_right<1>(halves, right[b * m + a]);
      }
    for (long b = 0; b < n; ++b)  // back: L times it
      for (long a = 0; a < m; ++a) {
        multiply_roughly(bases.left.data() + a * m, 1, right + b * m, 1, m, square);
        to_left<1>(square, left[a * n + b]);
      }
    for (long b = 0; b < n; ++b)  // times R^T
      for (long a = 0; a < m; ++a) {
        multiply_roughly(left + a * n, 1, bases.right_turned.data() + b * n, 1, n, square);
        blend(square, std::min(SIDE, rows - a * SIDE), std::min(SIDE, columns - b * SIDE), columns, kept, -scale,
              weights + a * SIDE * columns + b * SIDE);
      }
  }

  // matrix (rows, width), `columns` to a row: kept matrix + scale square
  static void blend(const float* square, long rows, long width, long columns, float kept, float scale, float* matrix) {
    for (long row = 0; row < rows; ++row, matrix += columns, square += SIDE) {
      if (width == SIDE)
        for (long n = 0; n < SIDE; n += LANES) store(matrix + n, kept * load(matrix + n) + scale * load(square + n));
      else
        for (long n = 0; n < width; ++n) matrix[n] = kept * matrix[n] + scale * square[n];
    }
  }

  static void squares_of(const Shape& shape, const float* gradient, float* left, float* right, float weight,
                         Memory& memory) {
    const long m = squares(shape.rows), n = squares(shape.columns), rows = shape.rows, columns = shape.columns;
    memory.left.resize(m * n), memory.right.resize(m * n);
    memory.left_turned.resize(m * n), memory.right_turned.resize(m * n);
    Halves *g_left = memory.left.data(), *g_right = memory.right.data();
    Halves *turned_left = memory.left_turned.data(), *turned_right = memory.right_turned.data();
    alignas(64) float square[SQUARE];
    for (long a = 0; a < m; ++a)
      for (long b = 0; b < n; ++b) {
        Split::cut(gradient, rows, columns, a * SIDE, b * SIDE, square);
        to_left<1>(square, g_left[a * n + b]), turn<1>(g_left[a * n + b], turned_right[a * n + b]);
        to_right<1>(g_left[a * n + b], g_right[b * m + a]), turn<1>(g_right[b * m + a], turned_left[b * m + a]);
      }
    for (long a = 0; a < m; ++a)
      for (long c = 0; c < m; ++c) {
        multiply_roughly(g_left + a * n, 1, turned_right + c * n, 1, n, square);
        blend(square, std::min(SIDE, rows - a * SIDE), std::min(SIDE, rows - c * SIDE), rows, 1.0f - weight, weight,
              left + a * SIDE * rows + c * SIDE);
      }
    for (long b = 0; b < n; ++b)
      for (long c = 0; c < n; ++c) {
        multiply_roughly(turned_left + b * m, 1, g_right + c * m, 1, m, square);
        blend(square, std::min(SIDE, columns - b * SIDE), std::min(SIDE, columns - c * SIDE), columns, 1.0f - weight,
              weight, right + b * SIDE * columns + c * SIDE);
      }
  }

  // The turned gradient's square becomes the step's; moments (rows, width) of `columns` each.
  static void move(float* square, long rows, long width, long columns, float* first, float* second, const Decay& by) {
    const auto update = [&](Vector g, Vector& m, Vector& v) {
      m += by.add1 * (g - m);
      v = by.keep2 * v + by.add2 * g * g;
      return over_root(m, v, by.epsilon);
    };
    for (long row = 0; row < rows; ++row, first += columns, second += columns) {
      float* to = square + row * SIDE;
      for (long n = 0; n < width; n += LANES) {
        const long count = std::min<long>(LANES, width - n);
        if (count == LANES) {
          Vector m = load(first + n), v = load(second + n);
          store(to + n, update(load(to + n), m, v));
          store(first + n, m), store(second + n, v);
          continue;
        }
        Vector m = {}, v = {}, g = load(to + n);
        for (long k = 0; k < count; ++k) m[k] = first[n + k], v[k] = second[n + k];
        g = update(g, m, v);
        for (long k = 0; k < count; ++k) first[n + k] = m[k], second[n + k] = v[k], to[n + k] = g[k];
      }
    }
  }

  std::vector<Shape> shapes_;
  long replicas_, parameters_;
  std::vector<Bases> bases_;
  std::vector<Memory> memory_;  // of each thread
};

}  // namespace ampcli::training

AMPCLI_MATRIX_UNIT_END

#endif
