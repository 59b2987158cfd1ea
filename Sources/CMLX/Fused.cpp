// Operations with derivatives of their own. Each is an MLX primitive: it takes part in MLX's graph,
// memory and differentiation, and brings only its CPU kernel and its vector-Jacobian product.
#include <algorithm>
#include <functional>
#include <numeric>

#include "Gemm.hpp"
#include "Handle.hpp"
#include "Kernels.hpp"
#include "Parallel.hpp"
#include "mlx/backend/cpu/encoder.h"
#include "mlx/primitives.h"

using namespace cmlx;

struct cmlx_packed {
  std::shared_ptr<const PackedWeight> value;
};

namespace {

using Arrays = std::vector<mx::array>;

/// Elements below which a second thread costs more than it saves.
constexpr size_t parallel_elements = 16384;

mx::Stream cpu_stream() { return mx::default_stream(mx::Device(mx::Device::cpu)); }

std::string text(const mx::array &a) {
  std::string result = "[";
  for (size_t i = 0; i < a.ndim(); ++i) result += (i ? ", " : "") + std::to_string(a.shape(i));
  return result + "]";
}

/// An fp32 (or int32) operand in row-major order, or an error naming the operation.
mx::array operand(const char *operation, const mx::array &a, mx::Dtype dtype = mx::float32) {
  if (a.dtype() != dtype)
    throw std::invalid_argument(
        std::string(operation) + " expected " + (dtype == mx::float32 ? "float32" : "int32") +
        " operands, found another type with shape " + text(a));
  return mx::contiguous(a);
}

void require(bool condition, const char *operation, std::initializer_list<mx::array> shapes) {
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
  /// Allocates the outputs, the first with room for so many more bytes, then runs
  /// `kernel(inputs, outputs)` in the stream's turn.
  template <typename Kernel>
  void dispatch(const Arrays &inputs, Arrays &outputs, Kernel kernel, size_t spare = 0) {
    for (auto &output : outputs) {
      output.set_data(allocate(output.nbytes(), spare));
      spare = 0;
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

const float *in(const mx::array &a) { return a.data<float>(); }
float *out(mx::array &a) { return a.data<float>(); }

/// Bytes behind `rows` rows of floats that products with packed weights write to.
size_t padding(int64_t rows, int64_t columns) {
  return size_t(padded(rows) - rows) * columns * sizeof(float);
}

/// Rounds rows of x to bf16 into scratch that lives as long as the stream's thread; the rows that
/// fill the last tile are zero.
const uint16_t *bfloat16(const float *x, int64_t rows, int64_t columns) {
  thread_local Aligned<uint16_t> scratch;
  const size_t n = rows * columns, all = padded(rows) * columns;
  scratch.resize(std::max(scratch.size(), all));
  // Taken here: inside the loop body `scratch` would name the worker's own.
  uint16_t *bits = scratch.data();
  std::fill(bits + n, bits + all, uint16_t(0));
  parallel(n, parallel_elements, [=](size_t begin, size_t end) {
    kernels::to_bfloat16(x + begin, bits + begin, end - begin);
  });
  return bits;
}

// MARK: - Linear with an optional low-rank adapter

using Packed = std::shared_ptr<const PackedWeight>;

/// Whether packed weights do for both directions, so that no fp32 copy has to be at hand.
bool suffices(const Packed &packed) {
  return packed && packed->has_backward() && packed->blocks() == 1;
}

/// y = x Wᵀ
void base_product(const float *x, const float *w, const Packed &packed, int64_t m, int64_t n,
                  int64_t k, float *y) {
  if (!packed) return sgemm(false, true, m, n, k, 1, x, k, w, k, 0, y, n);
  const auto bits = bfloat16(x, m, k);
  if (packed->blocks() == 1) return packed->forward(0, bits, m, y);
  Aligned<float> part(padded(m) * packed_rows);
  for (size_t block = 0; block < packed->blocks(); ++block) {
    const int64_t width = packed->block_rows(block);
    packed->forward(block, bits, m, part.data());
    for (int64_t row = 0; row < m; ++row)
      std::copy_n(part.data() + row * width, width, y + row * n + packed->block_begin(block));
  }
}

class LinearGrad : public Fused {
 public:
  LinearGrad(Packed packed, float scale) : packed_(std::move(packed)), scale_(scale) {}
  DEFINE_NAME(LinearGrad)

  /// Inputs dy, x, with an adapter t = x Aᵀ, A, B, and W unless packed weights suffice; outputs dx
  /// and, with an adapter, dA, dB.
  void eval_cpu(const Arrays &inputs, Arrays &outputs) override {
    dispatch(inputs, outputs, [packed = packed_, s = scale_](const Arrays &in_, Arrays &out_) {
      const int64_t m = in_[0].shape(0), n = in_[0].shape(1), k = in_[1].shape(1);
      const float *dy = in(in_[0]), *x = in(in_[1]);
      float *dx = out(out_[0]);
      if (suffices(packed)) {
        packed->backward(0, bfloat16(dy, m, n), m, dx, false);
      } else {
        sgemm(false, false, m, k, n, 1, dy, n, in(in_.back()), k, 0, dx, k);
      }
      if (out_.size() == 1) return;
      const float *t = in(in_[2]), *a = in(in_[3]), *b = in(in_[4]);
      const int64_t r = in_[3].shape(0);
      Aligned<float> u(m * r);
      sgemm(false, false, m, r, n, s, dy, n, b, r, 0, u.data(), r);
      sgemm(false, false, m, k, r, 1, u.data(), r, a, k, 1, dx, k);
      sgemm(true, false, r, k, m, 1, u.data(), r, x, k, 0, out(out_[1]), k);
      sgemm(true, false, n, r, m, s, dy, n, t, r, 0, out(out_[2]), r);
    }, padding(inputs[1].shape(0), inputs[1].shape(1)));
  }

 private:
  Packed packed_;
  float scale_;
};

class Linear : public Fused {
 public:
  Linear(Packed packed, float scale) : packed_(std::move(packed)), scale_(scale) {}
  DEFINE_NAME(Linear)

  /// Inputs x, with an adapter A, B, and W unless packed weights suffice; outputs y and, with an
  /// adapter, t = x Aᵀ.
  void eval_cpu(const Arrays &inputs, Arrays &outputs) override {
    dispatch(inputs, outputs, [packed = packed_, s = scale_](const Arrays &in_, Arrays &out_) {
      const int64_t m = in_[0].shape(0), k = in_[0].shape(1), n = out_[0].shape(1);
      base_product(
          in(in_[0]), packed ? nullptr : in(in_.back()), packed, m, n, k, out(out_[0]));
      if (out_.size() == 1) return;
      const int64_t r = in_[1].shape(0);
      sgemm(false, true, m, r, k, 1, in(in_[0]), k, in(in_[1]), k, 0, out(out_[1]), r);
      sgemm(false, true, m, n, r, s, out(out_[1]), r, in(in_[2]), r, 1, out(out_[0]), n);
    }, padding(outputs[0].shape(0), outputs[0].shape(1)));
  }

  Arrays vjp(
      const Arrays &primals, const Arrays &cotangents, const std::vector<int> &argnums,
      const Arrays &outputs) override {
    const bool adapted = outputs.size() == 2;
    Arrays inputs{mx::contiguous(cotangents[0]), primals[0]};
    std::vector<mx::Shape> shapes{primals[0].shape()};
    if (adapted) {
      inputs.insert(inputs.end(), {outputs[1], primals[1], primals[2]});
      shapes.insert(shapes.end(), {primals[1].shape(), primals[2].shape()});
    }
    if (!suffices(packed_)) inputs.push_back(primals.back());
    auto grads = mx::array::make_arrays(
        shapes, std::vector<mx::Dtype>(shapes.size(), mx::float32),
        std::make_shared<LinearGrad>(packed_, scale_), inputs);
    Arrays result;
    for (int argument : argnums) {
      if (argument >= int(grads.size()))
        throw std::invalid_argument("linear: the base weight is frozen");
      result.push_back(grads[argument]);
    }
    return result;
  }

 private:
  Packed packed_;
  float scale_;
};

// MARK: - SwiGLU

class SwiGLUGrad : public Fused {
 public:
  DEFINE_NAME(SwiGLUGrad)
  void eval_cpu(const Arrays &inputs, Arrays &outputs) override {
    dispatch(inputs, outputs, [](const Arrays &in_, Arrays &out_) {
      parallel(in_[0].size(), parallel_elements, [&](size_t begin, size_t end) {
        kernels::swiglu_grad(
            in(in_[0]) + begin, in(in_[1]) + begin, in(in_[2]) + begin, out(out_[0]) + begin,
            out(out_[1]) + begin, end - begin);
      });
    });
  }
};

class SwiGLU : public Fused {
 public:
  DEFINE_NAME(SwiGLU)
  void eval_cpu(const Arrays &inputs, Arrays &outputs) override {
    dispatch(inputs, outputs, [](const Arrays &in_, Arrays &out_) {
      parallel(in_[0].size(), parallel_elements, [&](size_t begin, size_t end) {
        kernels::swiglu(
            in(in_[0]) + begin, in(in_[1]) + begin, out(out_[0]) + begin, end - begin);
      });
    });
  }
  Arrays vjp(
      const Arrays &primals, const Arrays &cotangents, const std::vector<int> &argnums,
      const Arrays &) override {
    auto grads = mx::array::make_arrays(
        {primals[0].shape(), primals[1].shape()}, {mx::float32, mx::float32},
        std::make_shared<SwiGLUGrad>(),
        {primals[0], primals[1], mx::contiguous(cotangents[0])});
    Arrays result;
    for (int argument : argnums) result.push_back(grads[argument]);
    return result;
  }
};

// MARK: - AdamW

/// A parameter's step in one pass over its memory. No derivative: nothing flows through an optimiser.
class AdamW : public Fused {
 public:
  explicit AdamW(kernels::AdamWStep step) : step_(step) {}
  DEFINE_NAME(AdamW)
  /// Inputs p, g, m, v; outputs p, m, v one step on.
  void eval_cpu(const Arrays &inputs, Arrays &outputs) override {
    dispatch(inputs, outputs, [step = step_](const Arrays &in_, Arrays &out_) {
      parallel(in_[0].size(), parallel_elements, [&](size_t begin, size_t end) {
        kernels::adamw(
            step, in(in_[0]) + begin, in(in_[1]) + begin, in(in_[2]) + begin, in(in_[3]) + begin,
            out(out_[0]) + begin, out(out_[1]) + begin, out(out_[2]) + begin, end - begin);
      });
    });
  }

 private:
  kernels::AdamWStep step_;
};

// MARK: - RMSNorm

class RMSNormGrad : public Fused {
 public:
  explicit RMSNormGrad(float epsilon) : epsilon_(epsilon) {}
  DEFINE_NAME(RMSNormGrad)
  void eval_cpu(const Arrays &inputs, Arrays &outputs) override {
    dispatch(inputs, outputs, [e = epsilon_](const Arrays &in_, Arrays &out_) {
      const size_t n = in_[1].size(), rows = in_[0].size() / n;
      parallel(rows, parallel_elements / n + 1, [&](size_t begin, size_t end) {
        for (size_t i = begin * n; i < end * n; i += n)
          kernels::rms_norm_grad(
              in(in_[0]) + i, in(in_[1]), e, in(in_[2]) + i, out(out_[0]) + i, n);
      });
    });
  }

 private:
  float epsilon_;
};

class RMSNorm : public Fused {
 public:
  explicit RMSNorm(float epsilon) : epsilon_(epsilon) {}
  DEFINE_NAME(RMSNorm)
  void eval_cpu(const Arrays &inputs, Arrays &outputs) override {
    dispatch(inputs, outputs, [e = epsilon_](const Arrays &in_, Arrays &out_) {
      const size_t n = in_[1].size(), rows = in_[0].size() / n;
      parallel(rows, parallel_elements / n + 1, [&](size_t begin, size_t end) {
        for (size_t i = begin * n; i < end * n; i += n)
          kernels::rms_norm(in(in_[0]) + i, in(in_[1]), e, out(out_[0]) + i, n);
      });
    });
  }
  Arrays vjp(
      const Arrays &primals, const Arrays &cotangents, const std::vector<int> &argnums,
      const Arrays &) override {
    const auto &x = primals[0], &weight = primals[1];
    Arrays result;
    for (int argument : argnums) {
      if (argument == 0) {
        result.push_back(mx::array(
            x.shape(), mx::float32, std::make_shared<RMSNormGrad>(epsilon_),
            {x, weight, mx::contiguous(cotangents[0])}));
      } else {
        // Rarely asked for (norms stay frozen under LoRA), so plain operations do.
        auto rate = mx::rsqrt(mx::add(mx::mean(mx::square(x), -1, true), mx::array(epsilon_)));
        auto terms = mx::multiply(cotangents[0], mx::multiply(x, rate));
        std::vector<int> axes(x.ndim() - 1);
        std::iota(axes.begin(), axes.end(), 0);
        result.push_back(mx::sum(terms, axes));
      }
    }
    return result;
  }

 private:
  float epsilon_;
};

// MARK: - Rotary position embedding

class RoPE : public Fused {
 public:
  explicit RoPE(float sign) : sign_(sign) {}
  DEFINE_NAME(RoPE)
  void eval_cpu(const Arrays &inputs, Arrays &outputs) override {
    dispatch(inputs, outputs, [sign = sign_](const Arrays &in_, Arrays &out_) {
      const size_t tokens = in_[0].shape(0), heads = in_[0].shape(1), d = in_[0].shape(2);
      parallel(tokens, parallel_elements / (heads * d) + 1, [&](size_t begin, size_t end) {
        for (size_t t = begin; t < end; ++t)
          for (size_t h = 0; h < heads; ++h) {
            const size_t at = (t * heads + h) * d;
            kernels::rope(
                in(in_[0]) + at, in(in_[1]) + t * d / 2, in(in_[2]) + t * d / 2, sign,
                out(out_[0]) + at, d / 2);
          }
      });
    });
  }
  Arrays vjp(
      const Arrays &primals, const Arrays &cotangents, const std::vector<int> &argnums,
      const Arrays &) override {
    if (argnums != std::vector<int>{0})
      throw std::invalid_argument("rope: the angles are constants");
    // A rotation's transpose is the rotation back.
    return {mx::array(
        primals[0].shape(), mx::float32, std::make_shared<RoPE>(-sign_),
        {mx::contiguous(cotangents[0]), primals[1], primals[2]})};
  }

 private:
  float sign_;
};

// MARK: - Attention

/// The key rows that query `i` sees, written out one by one.
void visible_rows(const int *ranges, size_t count, std::vector<int> &rows) {
  rows.clear();
  for (size_t r = 0; r < count; ++r)
    for (int row = ranges[3 * r]; row < ranges[3 * r + 1]; row += ranges[3 * r + 2])
      rows.push_back(row);
}

struct AttentionShape {
  size_t queries, heads, d_head, keys, kv_heads, ranges;
  AttentionShape(const mx::array &q, const mx::array &k, const mx::array &r)
      : queries(q.shape(0)), heads(q.shape(1)), d_head(q.shape(2)), keys(k.shape(0)),
        kv_heads(k.shape(1)), ranges(r.shape(1)) {}
  size_t kv_head(size_t head) const { return head / (heads / kv_heads); }
  size_t stride() const { return kv_heads * d_head; }
};

class AttentionGrad : public Fused {
 public:
  explicit AttentionGrad(float scale) : scale_(scale) {}
  DEFINE_NAME(AttentionGrad)

  /// Inputs q, k, v, ranges, z, log sums, dz; outputs dq, dk, dv.
  void eval_cpu(const Arrays &inputs, Arrays &outputs) override {
    dispatch(inputs, outputs, [scale = scale_](const Arrays &in_, Arrays &out_) {
      const AttentionShape s(in_[0], in_[1], in_[3]);
      // Every head adds into its own copy; the copies of a group are then summed in order, so the
      // result is the same for any number of threads.
      const size_t plane = s.keys * s.d_head;
      std::vector<float> dk(s.heads * plane), dv(s.heads * plane);
      parallel(s.heads, 1, [&](size_t begin, size_t end) {
        std::vector<int> rows;
        std::vector<float> scores(s.keys + 16);
        for (size_t i = 0; i < s.queries; ++i) {
          visible_rows(in_[3].data<int>() + i * s.ranges * 3, s.ranges, rows);
          for (size_t h = begin; h < end; ++h) {
            const size_t at = (i * s.heads + h) * s.d_head, kv = s.kv_head(h) * s.d_head;
            kernels::attend_grad(
                in(in_[0]) + at, in(in_[1]) + kv, in(in_[2]) + kv, rows.data(), rows.size(),
                s.stride(), s.d_head, scale, in(in_[5])[i * s.heads + h], in(in_[4]) + at,
                in(in_[6]) + at, scores.data(), out(out_[0]) + at, dk.data() + h * plane,
                dv.data() + h * plane);
          }
        }
      });
      gather(dk, out(out_[1]), s);
      gather(dv, out(out_[2]), s);
    });
  }

 private:
  static void gather(const std::vector<float> &planes, float *result, const AttentionShape &s) {
    const size_t group = s.heads / s.kv_heads;
    parallel(s.keys, parallel_elements / s.stride() + 1, [&](size_t begin, size_t end) {
      for (size_t key = begin; key < end; ++key)
        for (size_t kv = 0; kv < s.kv_heads; ++kv) {
          float *row = result + key * s.stride() + kv * s.d_head;
          std::fill(row, row + s.d_head, 0.0f);
          for (size_t h = kv * group; h < (kv + 1) * group; ++h)
            kernels::axpy(1, planes.data() + (h * s.keys + key) * s.d_head, row, s.d_head);
        }
    });
  }
  float scale_;
};

class Attention : public Fused {
 public:
  explicit Attention(float scale) : scale_(scale) {}
  DEFINE_NAME(Attention)

  /// Inputs q, k, v, ranges; outputs z and log Σ exp of the scores, both needed by the derivative.
  void eval_cpu(const Arrays &inputs, Arrays &outputs) override {
    dispatch(inputs, outputs, [scale = scale_](const Arrays &in_, Arrays &out_) {
      const AttentionShape s(in_[0], in_[1], in_[3]);
      parallel(s.queries, 8, [&](size_t begin, size_t end) {
        std::vector<int> rows;
        std::vector<float> scores(s.keys + 16);
        for (size_t i = begin; i < end; ++i) {
          visible_rows(in_[3].data<int>() + i * s.ranges * 3, s.ranges, rows);
          for (size_t h = 0; h < s.heads; ++h) {
            const size_t at = (i * s.heads + h) * s.d_head, kv = s.kv_head(h) * s.d_head;
            out(out_[1])[i * s.heads + h] = kernels::attend(
                in(in_[0]) + at, in(in_[1]) + kv, in(in_[2]) + kv, rows.data(), rows.size(),
                s.stride(), s.d_head, scale, scores.data(), out(out_[0]) + at);
          }
        }
      });
    });
  }

  Arrays vjp(
      const Arrays &primals, const Arrays &cotangents, const std::vector<int> &argnums,
      const Arrays &outputs) override {
    Arrays inputs = primals;
    inputs.insert(inputs.end(), {outputs[0], outputs[1], mx::contiguous(cotangents[0])});
    auto grads = mx::array::make_arrays(
        {primals[0].shape(), primals[1].shape(), primals[2].shape()},
        {mx::float32, mx::float32, mx::float32}, std::make_shared<AttentionGrad>(scale_), inputs);
    Arrays result;
    for (int argument : argnums) {
      if (argument > 2) throw std::invalid_argument("attention: the key ranges are constants");
      result.push_back(grads[argument]);
    }
    return result;
  }

 private:
  float scale_;
};

/// Every range must lie within the keys and every query must see at least one: an index out of
/// bounds would read foreign memory.
void check_ranges(const mx::array &ranges, int keys) {
  auto evaluated = mx::contiguous(ranges);
  mx::eval(evaluated);
  const int *r = evaluated.data<int>();
  const size_t per_query = evaluated.shape(1);
  for (int i = 0; i < evaluated.shape(0); ++i) {
    size_t seen = 0;
    for (size_t j = 0; j < per_query; ++j, r += 3) {
      const int begin = r[0], end = r[1], stride = r[2];
      if (begin >= end) continue;
      if (begin < 0 || stride < 1 || begin + (end - 1 - begin) / stride * stride >= keys)
        throw std::invalid_argument(
            "attention: query " + std::to_string(i) + " has the key range (" +
            std::to_string(begin) + ", " + std::to_string(end) + ", " + std::to_string(stride) +
            ") but there are " + std::to_string(keys) + " keys");
      seen += (end - begin + stride - 1) / stride;
    }
    if (seen == 0 || seen > size_t(keys))
      throw std::invalid_argument(
          "attention: query " + std::to_string(i) + " sees " + std::to_string(seen) + " of " +
          std::to_string(keys) + " keys");
  }
}

// MARK: - Cross-entropy over a large vocabulary

class CrossEntropy : public Fused {
 public:
  CrossEntropy(Packed packed, bool with_gradient)
      : packed_(std::move(packed)), with_gradient_(with_gradient) {}
  DEFINE_NAME(CrossEntropy)

  /// Inputs h `[tokens, d]`, U `[vocabulary, d]`, targets; outputs the loss a token and, with the
  /// gradient, d loss / d h. One pass: the running maximum rescales what was summed so far, as in
  /// an online softmax, so logits never exist for more than a chunk of the vocabulary.
  void eval_cpu(const Arrays &inputs, Arrays &outputs) override {
    dispatch(
        inputs, outputs,
        [packed = packed_, gradient = with_gradient_](const Arrays &in_, Arrays &out_) {
          const int64_t m = in_[0].shape(0), d = in_[0].shape(1), vocabulary = in_[1].shape(0);
          const float *h = in(in_[0]), *u = in(in_[1]);
          const int *targets = in_[2].data<int>();
          float *loss = out(out_[0]), *dh = gradient ? out(out_[1]) : nullptr;
          Aligned<float> logits(padded(m) * packed_rows);
          std::vector<float> top(m, -INFINITY), sum(m, 0), target(m, 0);
          Aligned<uint16_t> h_bits(packed ? padded(m) * d : 0);
          if (packed) kernels::to_bfloat16(h, h_bits.data(), m * d);
          Aligned<float> sums(dh ? padded(m) * d : 0);
          for (int64_t begin = 0; begin < vocabulary; begin += packed_rows) {
            const int64_t n = std::min(packed_rows, vocabulary - begin);
            const size_t block = begin / packed_rows;
            if (packed) {
              packed->forward(block, h_bits.data(), m, logits.data());
            } else {
              sgemm(false, true, m, n, d, 1, h, d, u + begin * d, d, 0, logits.data(), n);
            }
            parallel(m, parallel_elements / n + 1, [&](size_t first, size_t last) {
              for (size_t t = first; t < last; ++t) {
                float *row = logits.data() + t * n;
                const int64_t place = targets[t] - begin;
                if (place >= 0 && place < n) target[t] = row[place];
                const float higher = std::max(top[t], kernels::maximum(row, n));
                const float shrink = std::exp(top[t] - higher);
                sum[t] = sum[t] * shrink + kernels::exp_shifted(row, higher, n);
                if (dh && shrink != 1) kernels::scale(shrink, sums.data() + t * d, d);
                top[t] = higher;
              }
            });
            if (!dh) continue;
            if (packed && packed->has_backward()) {
              packed->backward(block, bfloat16(logits.data(), m, n), m, sums.data(), true);
            } else {
              sgemm(false, false, m, d, n, 1, logits.data(), n, u + begin * d, d, 1, sums.data(), d);
            }
          }
          for (int64_t t = 0; t < m; ++t) {
            loss[t] = top[t] + std::log(sum[t]) - target[t];
            if (!dh) continue;
            std::copy_n(sums.data() + t * d, d, dh + t * d);
            kernels::scale(1 / sum[t], dh + t * d, d);
            kernels::axpy(-1, u + int64_t(targets[t]) * d, dh + t * d, d);
          }
        });
  }

  Arrays vjp(
      const Arrays &, const Arrays &cotangents, const std::vector<int> &argnums,
      const Arrays &outputs) override {
    if (!with_gradient_) throw std::invalid_argument("cross_entropy: made without a gradient");
    if (argnums != std::vector<int>{0})
      throw std::invalid_argument("cross_entropy: the unembedding is frozen");
    return {mx::multiply(mx::expand_dims(cotangents[0], 1), outputs[1])};
  }

 private:
  Packed packed_;
  bool with_gradient_;
};

void check_targets(const mx::array &targets, int vocabulary) {
  auto evaluated = mx::contiguous(targets);
  mx::eval(evaluated);
  for (size_t i = 0; i < evaluated.size(); ++i) {
    const int target = evaluated.data<int>()[i];
    if (target < 0 || target >= vocabulary)
      throw std::invalid_argument(
          "cross_entropy: target " + std::to_string(target) + " at position " +
          std::to_string(i) + " is not in a vocabulary of " + std::to_string(vocabulary));
  }
}

mx::array single(mx::Shape shape, std::shared_ptr<mx::Primitive> primitive, Arrays inputs) {
  return mx::array(std::move(shape), mx::float32, std::move(primitive), std::move(inputs));
}

}  // namespace

extern "C" {

cmlx_packed *cmlx_pack(const cmlx_array *weight, bool backward) {
  return guarded<cmlx_packed *>(nullptr, [&] {
    auto w = operand("pack", weight->value);
    require(w.ndim() == 2, "pack", {w});
    mx::eval(w);
    return new cmlx_packed{
        std::make_shared<PackedWeight>(w.data<float>(), w.shape(0), w.shape(1), backward)};
  });
}

void cmlx_packed_free(cmlx_packed *packed) { delete packed; }
bool cmlx_packed_is_complete(const cmlx_packed *packed) { return suffices(packed->value); }

cmlx_array *cmlx_linear(
    const cmlx_array *x, const cmlx_array *weight, const cmlx_packed *packed,
    const cmlx_array *a, const cmlx_array *b, float scale) {
  return guarded_array([&] {
    Arrays inputs{operand("linear", x->value)};
    Packed base = packed ? packed->value : nullptr;
    if (!weight && !suffices(base))
      throw std::invalid_argument("linear: expected an fp32 weight beside this packed one");
    const int rows = weight ? weight->value.shape(0) : int(base->rows);
    const int columns = weight ? weight->value.shape(-1) : int(base->columns);
    const auto &first = inputs[0];
    require(first.ndim() == 2 && first.shape(1) == columns, "linear",
            weight ? std::initializer_list<mx::array>{first, weight->value}
                   : std::initializer_list<mx::array>{first});
    if (weight) require(weight->value.ndim() == 2, "linear", {first, weight->value});
    if (base && (base->rows != rows || base->columns != columns))
      throw std::invalid_argument("linear: the packed weight has another shape than the weight");
    mx::Shape shape{first.shape(0), rows};
    auto primitive = std::make_shared<Linear>(base, scale);
    const auto frozen = [&] {
      if (!suffices(base)) inputs.push_back(operand("linear", weight->value));
    };
    if (!a) return frozen(), single(shape, primitive, inputs);
    auto la = operand("linear", a->value), lb = operand("linear", b->value);
    require(
        la.ndim() == 2 && lb.ndim() == 2 && la.shape(1) == columns && lb.shape(0) == rows &&
            la.shape(0) == lb.shape(1),
        "linear adapter", {first, la, lb});
    mx::Shape low{first.shape(0), la.shape(0)};
    inputs.insert(inputs.end(), {la, lb});
    frozen();
    return mx::array::make_arrays(
        {shape, low}, {mx::float32, mx::float32}, primitive, inputs)[0];
  });
}

bool cmlx_adamw(
    const cmlx_array *p, const cmlx_array *g, const cmlx_array *m, const cmlx_array *v,
    cmlx_adamw_step step, cmlx_array **updated) {
  return guarded(false, [&] {
    Arrays inputs;
    for (const auto *a : {p, g, m, v}) inputs.push_back(operand("adamw", a->value));
    for (const auto &a : inputs)
      require(a.shape() == inputs[0].shape(), "adamw", {inputs[0], a});
    auto results = mx::array::make_arrays(
        std::vector<mx::Shape>(3, inputs[0].shape()), std::vector<mx::Dtype>(3, mx::float32),
        std::make_shared<AdamW>(kernels::AdamWStep{
            step.beta1, step.beta2, step.epsilon, step.keep, step.rate, step.correction}),
        inputs);
    for (int i = 0; i < 3; ++i) updated[i] = wrap(std::move(results[i]));
    return true;
  });
}

cmlx_array *cmlx_swiglu(const cmlx_array *gate, const cmlx_array *up) {
  return guarded_array([&] {
    auto g = operand("swiglu", gate->value), u = operand("swiglu", up->value);
    require(g.shape() == u.shape(), "swiglu", {g, u});
    return single(g.shape(), std::make_shared<SwiGLU>(), {g, u});
  });
}

cmlx_array *cmlx_rms_norm(const cmlx_array *x, const cmlx_array *weight, float epsilon) {
  return guarded_array([&] {
    auto a = operand("rms_norm", x->value), w = operand("rms_norm", weight->value);
    require(a.ndim() >= 1 && w.ndim() == 1 && a.shape(-1) == w.shape(0), "rms_norm", {a, w});
    return single(a.shape(), std::make_shared<RMSNorm>(epsilon), {a, w});
  });
}

cmlx_array *cmlx_rope(const cmlx_array *x, const cmlx_array *cosine, const cmlx_array *sine) {
  return guarded_array([&] {
    auto a = operand("rope", x->value);
    auto c = operand("rope", cosine->value), s = operand("rope", sine->value);
    require(
        a.ndim() == 3 && a.shape(2) % 2 == 0 && c.shape() == s.shape() &&
            c.shape() == mx::Shape{a.shape(0), a.shape(2) / 2},
        "rope", {a, c, s});
    return single(a.shape(), std::make_shared<RoPE>(1.0f), {a, c, s});
  });
}

cmlx_array *cmlx_attention(
    const cmlx_array *q, const cmlx_array *k, const cmlx_array *v, const cmlx_array *ranges,
    float scale) {
  return guarded_array([&] {
    auto a = operand("attention", q->value), b = operand("attention", k->value);
    auto c = operand("attention", v->value), r = operand("attention", ranges->value, mx::int32);
    require(
        a.ndim() == 3 && b.ndim() == 3 && b.shape() == c.shape() && a.shape(2) == b.shape(2) &&
            a.shape(1) % b.shape(1) == 0 && r.ndim() == 3 && r.shape(0) == a.shape(0) &&
            r.shape(2) == 3,
        "attention", {a, b, c, r});
    mx::Shape sums{a.shape(0), a.shape(1)};
    return mx::array::make_arrays(
        {a.shape(), sums}, {mx::float32, mx::float32}, std::make_shared<Attention>(scale),
        {a, b, c, r})[0];
  });
}

bool cmlx_check_ranges(const cmlx_array *ranges, int keys) {
  return guarded(false, [&] {
    auto r = operand("attention", ranges->value, mx::int32);
    require(r.ndim() == 3 && r.shape(2) == 3, "attention", {r});
    check_ranges(r, keys);
    return true;
  });
}

bool cmlx_summarise_rows(const cmlx_array *logits, int32_t *best, float *log_sum) {
  return guarded(false, [&] {
    auto a = operand("summarise", logits->value);
    require(a.ndim() == 2 && a.shape(1) > 0, "summarise", {a});
    mx::eval(a);
    const size_t n = a.shape(1);
    parallel(a.shape(0), parallel_elements / n + 1, [&](size_t begin, size_t end) {
      for (size_t i = begin; i < end; ++i) {
        const float *row = in(a) + i * n, top = kernels::maximum(row, n);
        best[i] = int32_t(std::find(row, row + n, top) - row);
        log_sum[i] = kernels::log_sum_exp(row, top, n);
      }
    });
    return true;
  });
}

cmlx_array *cmlx_cross_entropy(
    const cmlx_array *h, const cmlx_array *unembed, const cmlx_packed *packed,
    const cmlx_array *targets, bool with_gradient) {
  return guarded_array([&] {
    auto a = operand("cross_entropy", h->value), u = operand("cross_entropy", unembed->value);
    auto t = operand("cross_entropy", targets->value, mx::int32);
    require(
        a.ndim() == 2 && u.ndim() == 2 && t.ndim() == 1 && a.shape(1) == u.shape(1) &&
            t.shape(0) == a.shape(0),
        "cross_entropy", {a, u, t});
    check_targets(t, u.shape(0));
    auto primitive =
        std::make_shared<CrossEntropy>(packed ? packed->value : nullptr, with_gradient);
    mx::Shape loss{a.shape(0)};
    if (!with_gradient) return single(loss, primitive, {a, u, t});
    return mx::array::make_arrays(
        {loss, a.shape()}, {mx::float32, mx::float32}, primitive, {a, u, t})[0];
  });
}

}  // extern "C"
