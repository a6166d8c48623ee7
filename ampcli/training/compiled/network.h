// Forward and backward pass of dense networks, R of one shape at once, without a graph.
//
// A batch is cut into blocks of rows, which go through the whole network on one core.  What is done to a block is left to
// a kernel: products in single precision (float32.h), or of halves of the numbers on processors with AMX (halves.h).
#pragma once

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>
#include <thread>
#include <vector>

#include "vector.h"

namespace ampcli::training {

constexpr long BLOCK = 256;  // rows: a panel of them stays in the first cache

enum class Role { ACTIVATED, ADDED, LAST };  // what becomes of a layer's result

inline long padded(long n, long to) { return (n + to - 1) / to * to; }

// Calls work(share, first, last) for shares of `count` in as many threads.
template <class Work>
void in_threads(long count, long threads, const Work& work) {
  const long shares = std::max(1L, std::min(count, threads));
  std::vector<std::thread> others;
  const auto run = [&](long share) {
    const WithoutTiny tiny;
    work(share, count * share / shares, count * (share + 1) / shares);
  };
  for (long share = 1; share < shares; ++share) others.emplace_back(run, share);
  run(0);
  for (auto& other : others) other.join();
}

// Memory on cache lines, zero at first.
template <class T>
class Buffer {
 public:
  T* data() { return memory_.get(); }
  const T* data() const { return memory_.get(); }

  void resize(long count) {
    if (count <= size_) return;
    const std::size_t bytes = std::size_t(padded(count * long(sizeof(T)), 64));
    void* memory = std::aligned_alloc(64, bytes);
    if (!memory) throw std::bad_alloc();
    std::memset(memory, 0, bytes);
    memory_.reset(static_cast<T*>(memory)), size_ = count;
  }

 private:
  struct Free {
    void operator()(T* memory) const { std::free(memory); }
  };
  std::unique_ptr<T, Free> memory_;
  long size_ = 0;
};

struct Layer {
  long in, out;
  Role role;
  long weights, bias;  // where in the parameters
};

inline std::vector<Layer> layers_of(const std::vector<long>& widths, bool residual) {
  std::vector<Layer> layers;
  long at = 0;
  for (std::size_t n = 0; n + 1 < widths.size(); ++n) {
    const bool last = n + 2 == widths.size(), outer = residual && n > 0 && n % 2 == 0;
    const long in = widths[n], out = widths[n + 1];
    layers.push_back({in, out, last ? Role::LAST : outer ? Role::ADDED : Role::ACTIVATED, at, at + in * out});
    at += (in + 1) * out;
  }
  return layers;
}

class Network {
 public:
  virtual ~Network() = default;

  // (R, P), (R, rows, inputs) -> (R, rows, outputs); keeps what `backward` needs.
  virtual void forward(const float* parameters, const float* inputs, long replicas, long rows, float* outputs,
                       long threads) = 0;
  // Of the slopes (R, rows, outputs) of a loss after `forward`: its gradient (R, P).
  virtual void backward(const float* slopes, float* gradient, long threads) = 0;

  long parameters() const { return layers_.back().bias + layers_.back().out; }
  long inputs() const { return layers_.front().in; }
  long outputs() const { return layers_.back().out; }
  long replicas() const { return replicas_; }  // of the last `forward`
  long rows() const { return rows_; }

 protected:
  explicit Network(std::vector<Layer> layers) : layers_(std::move(layers)) {}

  std::vector<Layer> layers_;
  long replicas_ = 0, rows_ = 0;
};

template <class Kernel>
class Dense : public Network {
 public:
  Dense(const std::vector<long>& widths, bool residual, Activation activation)
      : Network(layers_of(widths, residual)), kernel_(layers_, activation) {}

  void forward(const float* parameters, const float* inputs, long replicas, long rows, float* outputs,
               long threads) override {
    replicas_ = replicas, rows_ = rows, per_replica_ = (rows + BLOCK - 1) / BLOCK;
    packed_.resize(replicas), blocks_.resize(replicas * per_replica_);
    in_threads(replicas, threads, [&](long, long first, long last) {
      for (long replica = first; replica < last; ++replica)
        kernel_.pack(parameters + replica * this->parameters(), packed_[replica]);
    });
    in_threads(long(blocks_.size()), threads, [&](long, long first, long last) {
      for (long block = first; block < last; ++block) {
        const long replica = block / per_replica_, start = block % per_replica_ * BLOCK;
        const long at = replica * rows + start;
        kernel_.forward(blocks_[block], packed_[replica], inputs + at * this->inputs(), std::min(BLOCK, rows - start),
                        outputs + at * this->outputs());
      }
    });
  }

  void backward(const float* slopes, float* gradient, long threads) override {
    // A thread adds up its blocks of each replica that it meets: where the gradient is if it has the first of them.
    std::vector<long> apart;  // replicas of sums elsewhere
    const long count = long(blocks_.size()), shares = std::max(1L, std::min(count, threads));
    sums_.resize(shares), scratch_.resize(shares);
    for (long share = 0; share < shares; ++share) {
      const long first = count * share / shares;
      apart.push_back(first % per_replica_ ? first / per_replica_ : -1);
    }
    in_threads(count, shares, [&](long share, long first, long last) {
      float* sum = nullptr;
      for (long block = first; block < last; ++block) {
        const long replica = block / per_replica_, start = block % per_replica_ * BLOCK;
        if (start == 0) {
          sum = gradient + replica * parameters();
        } else if (block == first) {
          sums_[share].resize(parameters());
          sum = sums_[share].data();
        }
        kernel_.backward(blocks_[block], packed_[replica], slopes + (replica * rows_ + start) * outputs(), sum,
                         block == first || start == 0, scratch_[share]);
      }
    });
    for (long share = 0; share < shares; ++share)
      if (apart[share] >= 0) {
        float* sum = gradient + apart[share] * parameters();
        for (long n = 0; n < parameters(); ++n) sum[n] += sums_[share].data()[n];
      }
  }

 private:
  Kernel kernel_;
  long per_replica_ = 0;
  std::vector<typename Kernel::Packed> packed_;
  std::vector<typename Kernel::Block> blocks_;
  std::vector<Buffer<float>> sums_;  // of threads that have no replica's first block
  std::vector<typename Kernel::Scratch> scratch_;
};

}  // namespace ampcli::training
