// Memory of networks, and what it holds as SIMD vectors.
#pragma once

#include <cstdlib>
#include <memory>
#include <new>

#include "../../simd/activations.h"

namespace AMPCLI_SPACE::surrogate {

using simd::Activation, simd::activated, simd::Floats, simd::FLOATS;

inline Floats& lanes(float* p) { return *reinterpret_cast<Floats*>(p); }
inline const Floats& lanes(const float* p) { return *reinterpret_cast<const Floats*>(p); }

// Aligned memory of one owner, set to zero.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(long size) : memory_(std::aligned_alloc(64, (size * sizeof(T) + 127) / 64 * 64)) {
    if (!memory_) throw std::bad_alloc();
    T* begin = get();
    for (long i = 0; i < size; ++i) begin[i] = T{};
  }
  T* get() const { return static_cast<T*>(memory_.get()); }
  T& operator[](long i) const { return get()[i]; }

 private:
  struct Release {
    void operator()(void* p) const { std::free(p); }
  };
  std::unique_ptr<void, Release> memory_;
};

constexpr int padded(int size, int unit) { return (size + unit - 1) / unit * unit; }

}  // namespace AMPCLI_SPACE::surrogate
