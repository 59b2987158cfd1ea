// What every file of the shim shares: the handle type and the border that exceptions do not cross.
#pragma once

#include <cstdlib>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "include/CMLX.h"
#include "mlx/mlx.h"

struct cmlx_array {
  mlx::core::array value;
};

namespace cmlx {

namespace mx = mlx::core;

/// Where arrays and scratch begin: at a cache line, so that no wide load straddles two.
constexpr size_t alignment = 64;

/// Memory that begins at a cache line, in huge pages where it is large.
void *aligned_memory(size_t bytes);
void free_aligned_memory(void *block, size_t bytes);

template <typename T>
struct AlignedAllocator {
  using value_type = T;
  AlignedAllocator() = default;
  template <typename U>
  AlignedAllocator(const AlignedAllocator<U> &) {}
  T *allocate(size_t n) { return static_cast<T *>(aligned_memory(n * sizeof(T))); }
  void deallocate(T *p, size_t n) { free_aligned_memory(p, n * sizeof(T)); }
  bool operator==(const AlignedAllocator &) const { return true; }
};

/// Scratch for products and kernels.
template <typename T>
using Aligned = std::vector<T, AlignedAllocator<T>>;

/// Gives scratch room for so many elements at least.
template <typename Memory>
void grow(Memory &memory, size_t size) {
  if (memory.size() < size) memory.resize(size);
}

void set_error(const char *message);
mx::Dtype dtype_from(cmlx_dtype dtype);

inline cmlx_array *wrap(mx::array value) { return new cmlx_array{std::move(value)}; }

/// Runs `body` and turns any exception into `failed` plus a message for `cmlx_error()`.
template <typename Result, typename Body>
Result guarded(Result failed, Body &&body) {
  try {
    return body();
  } catch (const std::exception &error) {
    set_error(error.what());
  } catch (...) {
    set_error("unknown C++ exception");
  }
  return failed;
}

template <typename Body>
cmlx_array *guarded_array(Body &&body) {
  return guarded<cmlx_array *>(nullptr, [&] { return wrap(body()); });
}

inline mx::Shape shape_of(const int *shape, int rank) { return mx::Shape(shape, shape + rank); }

inline std::vector<mx::array> unwrap(cmlx_array *const *arrays, int count) {
  std::vector<mx::array> values;
  values.reserve(count);
  for (int i = 0; i < count; ++i) values.push_back(arrays[i]->value);
  return values;
}

}  // namespace cmlx
