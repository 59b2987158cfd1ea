// Handles: making arrays from memory, reading them back, evaluation and memory accounting.
#include <cstring>

#include "Handle.hpp"

using namespace cmlx;

namespace {
thread_local std::string last_error;
}

void cmlx::set_error(const char *message) { last_error = message; }

mx::Dtype cmlx::dtype_from(cmlx_dtype dtype) {
  switch (dtype) {
    case CMLX_BOOL: return mx::bool_;
    case CMLX_UINT8: return mx::uint8;
    case CMLX_UINT32: return mx::uint32;
    case CMLX_INT32: return mx::int32;
    case CMLX_INT64: return mx::int64;
    case CMLX_FLOAT16: return mx::float16;
    case CMLX_BFLOAT16: return mx::bfloat16;
    case CMLX_FLOAT32: return mx::float32;
  }
  throw std::invalid_argument("unknown dtype");
}

extern "C" {

const char *cmlx_error(void) { return last_error.c_str(); }
const char *cmlx_version(void) { return mx::version(); }

cmlx_array *cmlx_empty(const int *shape, int rank, cmlx_dtype dtype) {
  return guarded_array([&] {
    auto type = dtype_from(dtype);
    auto dims = shape_of(shape, rank);
    size_t size = mx::size_of(type);
    for (auto dim : dims) size *= dim;
    return mx::array(mx::allocator::malloc(size), std::move(dims), type);
  });
}

void *cmlx_data(cmlx_array *a) { return a->value.data<uint8_t>(); }

cmlx_array *cmlx_from_bytes(const void *bytes, const int *shape, int rank, cmlx_dtype dtype) {
  auto *array = cmlx_empty(shape, rank, dtype);
  if (array) std::memcpy(cmlx_data(array), bytes, array->value.nbytes());
  return array;
}

cmlx_array *cmlx_full(const int *shape, int rank, float value, cmlx_dtype dtype) {
  return guarded_array(
      [&] { return mx::full(shape_of(shape, rank), mx::array(value), dtype_from(dtype)); });
}

cmlx_array *cmlx_arange(double start, double stop, double step, cmlx_dtype dtype) {
  return guarded_array([&] { return mx::arange(start, stop, step, dtype_from(dtype)); });
}

cmlx_array *cmlx_copy_handle(const cmlx_array *a) {
  return guarded_array([&] { return a->value; });
}

void cmlx_free(cmlx_array *a) { delete a; }
int cmlx_rank(const cmlx_array *a) { return static_cast<int>(a->value.ndim()); }
const int *cmlx_shape(const cmlx_array *a) { return a->value.shape().data(); }
size_t cmlx_size(const cmlx_array *a) { return a->value.size(); }

int cmlx_dtype_of(const cmlx_array *a) {
  for (int type = CMLX_BOOL; type <= CMLX_FLOAT32; ++type)
    if (dtype_from(static_cast<cmlx_dtype>(type)) == a->value.dtype()) return type;
  return -1;
}

bool cmlx_copy_out(const cmlx_array *a, void *destination, size_t bytes) {
  return guarded(false, [&] {
    auto value = mx::contiguous(a->value);
    mx::eval(value);
    if (value.nbytes() != bytes) throw std::invalid_argument("size mismatch when copying out");
    std::memcpy(destination, value.data<uint8_t>(), bytes);
    return true;
  });
}

bool cmlx_eval(cmlx_array *const *arrays, int count) {
  return guarded(false, [&] {
    mx::eval(unwrap(arrays, count));
    return true;
  });
}

}  // extern "C"
