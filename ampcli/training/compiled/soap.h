// Steps of SOAP (ampcli/training/soap.py) by products of halves.
#pragma once

#include "halves.h"

#ifdef AMPCLI_HALVES

#pragma GCC push_options
#pragma GCC target("avx512bw,avx512bf16,amx-tile,amx-bf16")

namespace ampcli::training {

struct Decay { float add1, keep2, add2, epsilon; };

// Adam's steps in the eigenbases L, R of layers' matrices W (rows, columns): W -= scale L step(L^T G R) R^T.
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
        to_left(square, kept), to_right(kept, pairs), turn(pairs, to.left_turned.data()[b * m + a]);
      }
    for (long a = 0; a < n; ++a)
      for (long b = 0; b < n; ++b) {
        Split::cut(right, shape.columns, shape.columns, a * SIDE, b * SIDE, square);
        to_left(square, straight), to_right(straight, to.right.data()[b * n + a]);
        turn(straight, to.right_turned.data()[a * n + b]);
      }
  }

  void step(float* parameters, const float* gradient, float* first, float* second, const float* scale,
            const Decay& by, long threads) {
    const long count = replicas_ * layers(), shares = std::max(1L, std::min(count, threads));
    memory_.resize(shares);
    in_threads(count, shares, [&](long share, long from, long to) {
      const Tiles tiles;
      for (long item = from; item < to; ++item) {
        const long replica = item / layers();
        const Shape& shape = shapes_[item % layers()];
        const long at = replica * parameters_ + shape.start;
        layer(shape, bases_[item], parameters + at, gradient + at, first + at, second + at, scale[replica], by,
              memory_[share]);
      }
    });
  }

 private:
  struct Bases { Buffer<Halves> left, left_turned, right, right_turned; };  // where they stand in products
  struct Memory { Buffer<Halves> right, left; };

  static long squares(long n) { return padded(n, SIDE) / SIDE; }

  static void layer(const Shape& shape, const Bases& bases, float* weights, const float* gradient, float* first,
                    float* second, float scale, const Decay& by, Memory& memory) {
    const long m = squares(shape.rows), n = squares(shape.columns), rows = shape.rows, columns = shape.columns;
    memory.right.resize(m * n), memory.left.resize(m * n);
    Halves *right = memory.right.data(), *left = memory.left.data();
    alignas(64) float square[SQUARE];
    alignas(64) Halves halves;
    for (long a = 0; a < m; ++a)
      for (long b = 0; b < n; ++b) {
        Split::cut(gradient, rows, columns, a * SIDE, b * SIDE, square);
        to_left(square, halves), to_right(halves, right[b * m + a]);
      }
    for (long b = 0; b < n; ++b)  // L^T G
      for (long a = 0; a < m; ++a) {
        multiply(bases.left_turned.data() + a * m, 1, right + b * m, 1, m, square);
        to_left(square, left[a * n + b]);
      }
    for (long b = 0; b < n; ++b)  // times R, and the step there
      for (long a = 0; a < m; ++a) {
        multiply(left + a * n, 1, bases.right.data() + b * n, 1, n, square);
        move(square, std::min(SIDE, rows - a * SIDE), std::min(SIDE, columns - b * SIDE), columns,
             first + a * SIDE * columns + b * SIDE, second + a * SIDE * columns + b * SIDE, by);
        to_left(square, halves), to_right(halves, right[b * m + a]);
      }
    for (long b = 0; b < n; ++b)  // back: L times it
      for (long a = 0; a < m; ++a) {
        multiply(bases.left.data() + a * m, 1, right + b * m, 1, m, square);
        to_left(square, left[a * n + b]);
      }
    for (long b = 0; b < n; ++b)  // times R^T
      for (long a = 0; a < m; ++a) {
        multiply(left + a * n, 1, bases.right_turned.data() + b * n, 1, n, square);
        for (long row = 0; row < std::min(SIDE, rows - a * SIDE); ++row)
          for (long column = 0; column < std::min(SIDE, columns - b * SIDE); ++column)
            weights[(a * SIDE + row) * columns + b * SIDE + column] -= scale * square[row * SIDE + column];
      }
  }

  // The turned gradient's square becomes the step's; moments (rows, width) of `columns` each.
  static void move(float* square, long rows, long width, long columns, float* first, float* second, const Decay& by) {
    const auto update = [&](Vector g, Vector& m, Vector& v) {
      m += by.add1 * (g - m);
      v = by.keep2 * v + by.add2 * g * g;
      return m / (square_root(v) + by.epsilon);
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

#pragma GCC pop_options

#endif
