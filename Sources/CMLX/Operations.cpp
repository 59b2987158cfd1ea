// MLX's own operations, one C function a family.
#include "Handle.hpp"

using namespace cmlx;

namespace {

mx::array unary(cmlx_unary_op op, const mx::array &a) {
  switch (op) {
    case CMLX_NEGATE: return mx::negative(a);
    case CMLX_EXP: return mx::exp(a);
    case CMLX_LOG: return mx::log(a);
    case CMLX_SQRT: return mx::sqrt(a);
    case CMLX_RSQRT: return mx::rsqrt(a);
    case CMLX_SQUARE: return mx::square(a);
    case CMLX_ABS: return mx::abs(a);
    case CMLX_SIGMOID: return mx::sigmoid(a);
    case CMLX_TANH: return mx::tanh(a);
    case CMLX_SIN: return mx::sin(a);
    case CMLX_COS: return mx::cos(a);
    case CMLX_RECIPROCAL: return mx::reciprocal(a);
    case CMLX_STOP_GRADIENT: return mx::stop_gradient(a);
    case CMLX_CONTIGUOUS: return mx::contiguous(a);
    case CMLX_LOGICAL_NOT: return mx::logical_not(a);
    case CMLX_ERF: return mx::erf(a);
  }
  throw std::invalid_argument("unknown unary operation");
}

mx::array binary(cmlx_binary_op op, const mx::array &a, const mx::array &b) {
  switch (op) {
    case CMLX_ADD: return mx::add(a, b);
    case CMLX_SUBTRACT: return mx::subtract(a, b);
    case CMLX_MULTIPLY: return mx::multiply(a, b);
    case CMLX_DIVIDE: return mx::divide(a, b);
    case CMLX_MAXIMUM: return mx::maximum(a, b);
    case CMLX_MINIMUM: return mx::minimum(a, b);
    case CMLX_POWER: return mx::power(a, b);
    case CMLX_LESS: return mx::less(a, b);
    case CMLX_LESS_EQUAL: return mx::less_equal(a, b);
    case CMLX_EQUAL: return mx::equal(a, b);
    case CMLX_LOGICAL_AND: return mx::logical_and(a, b);
    case CMLX_MATMUL: return mx::matmul(a, b);
  }
  throw std::invalid_argument("unknown binary operation");
}

mx::array reduce(cmlx_reduce_op op, const mx::array &a, const std::vector<int> &axes, bool keep) {
  switch (op) {
    case CMLX_SUM: return mx::sum(a, axes, keep);
    case CMLX_MEAN: return mx::mean(a, axes, keep);
    case CMLX_MAX: return mx::max(a, axes, keep);
    case CMLX_MIN: return mx::min(a, axes, keep);
    case CMLX_LOGSUMEXP: return mx::logsumexp(a, axes, keep);
    case CMLX_SOFTMAX: return mx::softmax(a, axes);
    case CMLX_VARIANCE: return mx::var(a, axes, keep);
  }
  throw std::invalid_argument("unknown reduction");
}

mx::array along_axis(cmlx_axis_op op, const mx::array &a, int axis) {
  switch (op) {
    case CMLX_ARGMAX: return mx::argmax(a, axis);
    case CMLX_ARGMIN: return mx::argmin(a, axis);
    case CMLX_ARGSORT: return mx::argsort(a, axis);
    case CMLX_CUMSUM: return mx::cumsum(a, axis);
    case CMLX_SORT: return mx::sort(a, axis);
  }
  throw std::invalid_argument("unknown operation along an axis");
}

std::vector<mx::array> factor(cmlx_factor_op op, const mx::array &a) {
  // MLX implements factorisations on the CPU only.
  auto cpu = mx::Device(mx::Device::cpu);
  switch (op) {
    case CMLX_QR: {
      auto [q, r] = mx::linalg::qr(a, cpu);
      return {q, r};
    }
    case CMLX_SVD: return mx::linalg::svd(a, true, cpu);
    case CMLX_INVERSE: return {mx::linalg::inv(a, cpu)};
    case CMLX_CHOLESKY: return {mx::linalg::cholesky(a, false, cpu)};
    case CMLX_EIGH: {
      auto [values, vectors] = mx::linalg::eigh(a, "L", cpu);
      return {values, vectors};
    }
  }
  throw std::invalid_argument("unknown factorisation");
}

}  // namespace

extern "C" {

cmlx_array *cmlx_unary(cmlx_unary_op op, const cmlx_array *a) {
  return guarded_array([&] { return unary(op, a->value); });
}

cmlx_array *cmlx_binary(cmlx_binary_op op, const cmlx_array *a, const cmlx_array *b) {
  return guarded_array([&] { return binary(op, a->value, b->value); });
}

cmlx_array *cmlx_reduce(
    cmlx_reduce_op op, const cmlx_array *a, const int *axes, int count, bool keep_dims) {
  return guarded_array(
      [&] { return reduce(op, a->value, std::vector<int>(axes, axes + count), keep_dims); });
}

cmlx_array *cmlx_along_axis(cmlx_axis_op op, const cmlx_array *a, int axis) {
  return guarded_array([&] { return along_axis(op, a->value, axis); });
}

cmlx_array *cmlx_topk(const cmlx_array *a, int count, int axis) {
  return guarded_array([&] { return mx::topk(a->value, count, axis); });
}

cmlx_array *cmlx_astype(const cmlx_array *a, cmlx_dtype dtype) {
  return guarded_array([&] { return mx::astype(a->value, dtype_from(dtype)); });
}

cmlx_array *cmlx_reshape(const cmlx_array *a, const int *shape, int rank) {
  return guarded_array([&] { return mx::reshape(a->value, shape_of(shape, rank)); });
}

cmlx_array *cmlx_broadcast_to(const cmlx_array *a, const int *shape, int rank) {
  return guarded_array([&] { return mx::broadcast_to(a->value, shape_of(shape, rank)); });
}

cmlx_array *cmlx_transpose(const cmlx_array *a, const int *axes, int count) {
  return guarded_array(
      [&] { return mx::transpose(a->value, std::vector<int>(axes, axes + count)); });
}

cmlx_array *cmlx_expand_dims(const cmlx_array *a, int axis) {
  return guarded_array([&] { return mx::expand_dims(a->value, axis); });
}

cmlx_array *cmlx_squeeze(const cmlx_array *a, int axis) {
  return guarded_array([&] { return mx::squeeze(a->value, axis); });
}

cmlx_array *cmlx_concatenate(cmlx_array *const *arrays, int count, int axis) {
  return guarded_array([&] { return mx::concatenate(unwrap(arrays, count), axis); });
}

cmlx_array *cmlx_slice(
    const cmlx_array *a, const int *start, const int *stop, const int *strides, int rank) {
  return guarded_array([&] {
    return mx::slice(
        a->value, shape_of(start, rank), shape_of(stop, rank), shape_of(strides, rank));
  });
}

cmlx_array *cmlx_slice_update(
    const cmlx_array *a, const cmlx_array *update, const int *start, const int *stop, int rank) {
  return guarded_array([&] {
    return mx::slice_update(a->value, update->value, shape_of(start, rank), shape_of(stop, rank));
  });
}

cmlx_array *cmlx_take(const cmlx_array *a, const cmlx_array *indices, int axis) {
  return guarded_array([&] { return mx::take(a->value, indices->value, axis); });
}

cmlx_array *cmlx_take_along_axis(const cmlx_array *a, const cmlx_array *indices, int axis) {
  return guarded_array([&] { return mx::take_along_axis(a->value, indices->value, axis); });
}

cmlx_array *cmlx_where(const cmlx_array *condition, const cmlx_array *a, const cmlx_array *b) {
  return guarded_array([&] { return mx::where(condition->value, a->value, b->value); });
}

cmlx_array *cmlx_random_key(uint64_t seed) {
  return guarded_array([&] { return mx::random::key(seed); });
}

bool cmlx_random_split(const cmlx_array *key, cmlx_array **first, cmlx_array **second) {
  return guarded(false, [&] {
    auto [a, b] = mx::random::split(key->value);
    *first = wrap(a);
    *second = wrap(b);
    return true;
  });
}

cmlx_array *cmlx_random_uniform(const int *shape, int rank, const cmlx_array *key) {
  return guarded_array(
      [&] { return mx::random::uniform(shape_of(shape, rank), mx::float32, key->value); });
}

cmlx_array *cmlx_random_normal(const int *shape, int rank, const cmlx_array *key) {
  return guarded_array(
      [&] { return mx::random::normal(shape_of(shape, rank), mx::float32, key->value); });
}

cmlx_array *cmlx_random_categorical(const cmlx_array *logits, int axis, const cmlx_array *key) {
  return guarded_array([&] { return mx::random::categorical(logits->value, axis, key->value); });
}

bool cmlx_factor(cmlx_factor_op op, const cmlx_array *a, cmlx_array **out, int *count) {
  return guarded(false, [&] {
    auto results = factor(op, a->value);
    *count = static_cast<int>(results.size());
    for (int i = 0; i < *count; ++i) out[i] = wrap(results[i]);
    return true;
  });
}

cmlx_array *cmlx_solve(const cmlx_array *a, const cmlx_array *b) {
  return guarded_array([&] {
    return mx::linalg::solve(a->value, b->value, mx::Device(mx::Device::cpu));
  });
}

int cmlx_value_and_grad(
    cmlx_function function, void *context, cmlx_array *const *inputs, int count,
    cmlx_array **values, int capacity, cmlx_array **gradients) {
  return guarded(-1, [&] {
    auto body = [&](const std::vector<mx::array> &arguments) {
      std::vector<cmlx_array> handles;
      handles.reserve(arguments.size());
      for (const auto &argument : arguments) handles.push_back({argument});
      std::vector<cmlx_array *> pointers;
      for (auto &handle : handles) pointers.push_back(&handle);
      std::vector<cmlx_array *> outputs(capacity, nullptr);
      int produced = function(
          context, pointers.data(), static_cast<int>(pointers.size()), outputs.data(), capacity);
      if (produced < 1) throw std::runtime_error("the differentiated function failed");
      std::vector<mx::array> results;
      for (int i = 0; i < produced; ++i) {
        results.push_back(outputs[i]->value);
        delete outputs[i];
      }
      return results;
    };
    std::vector<int> argnums(count);
    for (int i = 0; i < count; ++i) argnums[i] = i;
    auto [outputs, grads] = mx::value_and_grad(body, argnums)(unwrap(inputs, count));
    for (size_t i = 0; i < outputs.size(); ++i) values[i] = wrap(outputs[i]);
    for (size_t i = 0; i < grads.size(); ++i) gradients[i] = wrap(grads[i]);
    return static_cast<int>(outputs.size());
  });
}

}  // extern "C"
