// What operations with derivatives of their own share. Each is an MLX primitive: it takes part in MLX's
// graph, memory and differentiation, and brings only its CPU kernel and its vector-Jacobian product.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "Gemm.hpp"
#include "Graph.hpp"
#include "Handle.hpp"
#include "Kernels.hpp"
#include "Parallel.hpp"
#include "mlx/backend/cpu/encoder.h"
#include "mlx/primitives.h"

struct cmlx_packed {
  std::shared_ptr<const cmlx::PackedWeight> value;
  /// In bf16 and row-major, in the place of the above where the graph is used.
  std::optional<cmlx::mx::array> plain;
};

namespace cmlx {

using Arrays = std::vector<mx::array>;

/// Elements below which a second thread costs more than it saves.
constexpr size_t parallel_elements = 16384;

inline mx::Stream cpu_stream() { return mx::default_stream(mx::Device(mx::Device::cpu)); }

inline std::string text(const mx::array &a) {
  std::string result = "[";
  for (size_t i = 0; i < a.ndim(); ++i) result += (i ? ", " : "") + std::to_string(a.shape(i));
  return result + "]";
}

/// An fp32 (or int32) operand in row-major order, or an error naming the operation.
inline mx::array operand(const char *operation, const mx::array &a, mx::Dtype dtype = mx::float32) {
  if (a.dtype() != dtype)
    throw std::invalid_argument(
        std::string(operation) + " expected " + (dtype == mx::float32 ? "float32" : "int32") +
        " operands, found another type with shape " + text(a));
  return mx::contiguous(a);
}

inline void require(bool condition, const char *operation, std::initializer_list<mx::array> shapes) {
  if (condition) return;
  std::string message = std::string(operation) + " cannot take shapes";
  for (const auto &a : shapes) message += " " + text(a);
  throw std::invalid_argument(message);
}

/// What all primitives here share: they run on the CPU, and are told apart by address.
class Fused : public mx::Primitive {
 public:
  Fused() : Primitive(cpu_stream()) {}
  void eval_gpu(const Arrays &, Arrays &) override {
    throw std::runtime_error(std::string(name()) + " has no GPU kernel");
  }

 protected:
  /// Allocates the outputs, then runs `kernel(inputs, outputs)` in the stream's turn. Where it `replaces`, the first output takes the
  /// first input's memory if nobody else needs that.
  template <typename Kernel>
  void dispatch(const Arrays &inputs, Arrays &outputs, Kernel kernel, bool replaces = false) {
    // MLX prepares several operations ahead of the one that runs, and each takes its memory when it is
    // prepared: large ones wait, so that what their forerunners leave is free for them.
    constexpr size_t large = size_t(8) << 20;
    size_t bytes = 0;
    for (const auto &output : outputs) bytes += output.nbytes();
    if (bytes >= large) mx::synchronize(stream());
    for (auto &output : outputs) {
      if (replaces && inputs[0].is_donatable() && inputs[0].nbytes() == output.nbytes()) {
        output.copy_shared_buffer(inputs[0]);
      } else {
        output.set_data(mx::allocator::malloc(output.nbytes()));
      }
      replaces = false;
    }
    auto weak = [](const Arrays &arrays) {
      Arrays copies;
      for (const auto &a : arrays) copies.push_back(mx::array::unsafe_weak_copy(a));
      return copies;
    };
    auto &encoder = mx::cpu::get_command_encoder(stream());
    encoder.dispatch([kernel, inputs = weak(inputs), outputs = weak(outputs)]() mutable {
      kernel(inputs, outputs);
    });
  }
};

inline const float *in(const mx::array &a) { return a.data<float>(); }
inline float *out(mx::array &a) { return a.data<float>(); }

/// The key rows of a query's `count` ranges (begin, end, stride), written out one by one.
void visible_rows(const int *ranges, size_t count, std::vector<int> &rows);

/// An fp32 array that `primitive` makes of `inputs`.
inline mx::array single(mx::Shape shape, std::shared_ptr<mx::Primitive> primitive, Arrays inputs) {
  return mx::array(std::move(shape), mx::float32, std::move(primitive), std::move(inputs));
}

}  // namespace cmlx
