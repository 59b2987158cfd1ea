// Frozen linear layers with an optional low-rank adapter, and the cross-entropy of a large vocabulary.
#include "Fused.hpp"

#include <algorithm>
#include <cmath>

using namespace cmlx;

namespace {

// MARK: - Linear with an optional low-rank adapter

using Packed = std::shared_ptr<const PackedWeight>;

/// Rounds into memory that lives as long as the stream's thread.
const Rounded &rounded(
    const PackedWeight &packed, const float *x, int64_t m, int64_t k, bool turned = false) {
  thread_local Rounded scratch;
  packed.round(x, m, k, scratch, turned);
  return scratch;
}

/// Whether packed weights do for both directions, so that no fp32 copy has to be at hand.
bool suffices(const Packed &packed) { return packed && packed->has_backward(); }

/// How many of so many rows to take at a time. No part is small, since few rows are multiplied in another
/// way, and a row's result must not depend on where it stands.
int64_t rows_of_part(int64_t rows, int64_t usual) {
  return rows < usual + many_rows ? rows : usual;
}

/// y = x Wᵀ
void base_product(const float *x, const float *w, const Packed &packed, int64_t m, int64_t n,
                  int64_t k, float *y) {
  if (!packed) return sgemm(false, true, m, n, k, 1, x, k, w, k, 0, y, n);
  // Some rows at a time, so that what is rounded of x stays small.
  for (int64_t i = 0, count; i < m; i += count) {
    count = rows_of_part(m - i, 1024);
    packed->forward(rounded(*packed, x + i * k, count, k), 0, n, y + i * n, n);
  }
}

/// dx = dy W, block by block of W's rows: what is rounded of dy then stays small.
void base_gradient(const float *dy, const PackedWeight &packed, int64_t m, float *dx) {
  const int64_t n = packed.rows;
  if (n <= packed_rows) return packed.backward(rounded(packed, dy, m, n, true), 0, n, dx, false);
  Aligned<float> part(m * packed_rows);
  for (int64_t begin = 0; begin < n; begin += packed_rows) {
    const int64_t width = std::min(packed_rows, n - begin);
    for (int64_t i = 0; i < m; ++i)
      std::copy_n(dy + i * n + begin, width, part.data() + i * width);
    packed.backward(
        rounded(packed, part.data(), m, width, true), begin, begin + width, dx, begin > 0);
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
        base_gradient(dy, *packed, m, dx);
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
    });
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
    });
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

// MARK: - A softmax over a large vocabulary

/// An unembedding U `[vocabulary, d]`, packed or in fp32.
struct Head {
  const Packed &packed;
  const float *u;
  int64_t vocabulary, d;

  /// `weight` is U where packed weights do not suffice.
  Head(const Packed &packed, const mx::array *weight, int64_t d)
      : packed(packed),
        u(weight ? in(*weight) : nullptr),
        vocabulary(packed ? packed->rows : weight->shape(0)),
        d(d) {}
};

/// What is known of softmax(h Uᵀ) row by row: log Σ exp; and where asked for, the first most probable
/// token, the logit of a given one, and Σ p U, the row of U to expect.
struct Softmax {
  float *log_sum;
  int *best = nullptr;
  const int *targets = nullptr;
  float *target_logits = nullptr;
  float *expected = nullptr;

  Softmax from(int64_t row, int64_t d) const {
    const auto at = [](auto *p, int64_t i) { return p ? p + i : p; };
    return {log_sum + row, at(best, row), at(targets, row), at(target_logits, row),
            at(expected, row * d)};
  }
};

/// One pass over U: the running maximum rescales what was summed so far, as in an online softmax.
void softmax_of_some(const Head &head, int64_t m, const float *h, const Softmax &to) {
  const auto &[packed, u, vocabulary, d] = head;
  thread_local Aligned<float> scratch;
  grow(scratch, m * packed_rows);
  float *const logits = scratch.data();  // this thread's, also where others fill it
  std::vector<float> top(m, -INFINITY), sum(m, 0);
  if (to.expected) std::fill_n(to.expected, m * d, 0.0f);
  if (to.best) std::fill_n(to.best, m, 0);  // where all is NaN
  Rounded h_bits;
  if (packed) packed->round(h, m, d, h_bits);
  for (int64_t begin = 0; begin < vocabulary; begin += packed_rows) {
    const int64_t n = std::min(packed_rows, vocabulary - begin);
    if (packed) {
      packed->forward(h_bits, begin, begin + n, logits, n);
    } else {
      sgemm(false, true, m, n, d, 1, h, d, u + begin * d, d, 0, logits, n);
    }
    parallel(m, parallel_elements / n + 1, [&](size_t first, size_t last) {
      for (size_t t = first; t < last; ++t) {
        float *row = logits + t * n;
        if (to.targets) {
          const int64_t place = to.targets[t] - begin;
          if (place >= 0 && place < n) to.target_logits[t] = row[place];
        }
        const float higher = std::max(top[t], kernels::maximum(row, n));
        if (to.best && higher > top[t])
          to.best[t] = int(begin + (std::find(row, row + n, higher) - row));
        const float shrink = std::exp(top[t] - higher);
        sum[t] = sum[t] * shrink + kernels::exp_shifted(row, higher, n);
        if (to.expected && shrink != 1) kernels::scale(shrink, to.expected + t * d, d);
        top[t] = higher;
      }
    });
    if (!to.expected) continue;
    if (suffices(packed)) {
      packed->backward(
          rounded(*packed, logits, m, n, true), begin, begin + n, to.expected, true);
    } else {
      sgemm(false, false, m, d, n, 1, logits, n, u + begin * d, d, 1, to.expected, d);
    }
  }
  for (int64_t t = 0; t < m; ++t) {
    to.log_sum[t] = top[t] + std::log(sum[t]);
    if (to.expected) kernels::scale(1 / sum[t], to.expected + t * d, d);
  }
}

/// Logits never exist for more than some rows and a chunk of the vocabulary.
void softmax_of(const Head &head, int64_t m, const float *h, const Softmax &to) {
  // Each reads all of U. More are 4 % faster where U is read twice; without, memory counts.
  const int64_t rows_at_once = to.expected ? 1024 : 256;
  for (int64_t begin = 0, count; begin < m; begin += count) {
    count = rows_of_part(m - begin, rows_at_once);
    softmax_of_some(head, count, h + begin * head.d, to.from(begin, head.d));
  }
}

class CrossEntropy : public Fused {
 public:
  CrossEntropy(Packed packed, bool with_gradient)
      : packed_(std::move(packed)), with_gradient_(with_gradient) {}
  DEFINE_NAME(CrossEntropy)

  /// Inputs h `[tokens, d]`, the targets' rows of U `[tokens, d]`, targets, and U `[vocabulary, d]`
  /// unless packed weights suffice; outputs the loss a token and, with the gradient, d loss / d h.
  void eval_cpu(const Arrays &inputs, Arrays &outputs) override {
    dispatch(
        inputs, outputs,
        [packed = packed_, gradient = with_gradient_](const Arrays &in_, Arrays &out_) {
          const int64_t m = in_[0].shape(0), d = in_[0].shape(1);
          const Head head(packed, in_.size() == 4 ? &in_[3] : nullptr, d);
          float *loss = out(out_[0]), *dh = gradient ? out(out_[1]) : nullptr;
          std::vector<float> own(m);
          softmax_of(
              head, m, in(in_[0]), {loss, nullptr, in_[2].data<int>(), own.data(), dh});
          for (int64_t t = 0; t < m; ++t) loss[t] -= own[t];
          if (dh) kernels::axpy(-1, in(in_[1]), dh, m * d);
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

class LogPartition : public Fused {
 public:
  LogPartition(Packed packed, bool with_expected)
      : packed_(std::move(packed)), with_expected_(with_expected) {}
  DEFINE_NAME(LogPartition)

  /// Inputs h `[tokens, d]` and U `[vocabulary, d]` unless packed weights suffice; outputs log Σ exp and the
  /// most probable token a row and, where wanted, the expected row of U, which is the first one's gradient.
  void eval_cpu(const Arrays &inputs, Arrays &outputs) override {
    dispatch(inputs, outputs, [packed = packed_](const Arrays &in_, Arrays &out_) {
      const int64_t m = in_[0].shape(0), d = in_[0].shape(1);
      const Head head(packed, in_.size() == 2 ? &in_[1] : nullptr, d);
      float *expected = out_.size() == 3 ? out(out_[2]) : nullptr;
      softmax_of(
          head, m, in(in_[0]), {out(out_[0]), out_[1].data<int>(), nullptr, nullptr, expected});
    });
  }

  Arrays vjp(
      const Arrays &, const Arrays &cotangents, const std::vector<int> &argnums,
      const Arrays &outputs) override {
    if (!with_expected_) throw std::invalid_argument("log_partition: made without a gradient");
    if (argnums != std::vector<int>{0})
      throw std::invalid_argument("log_partition: the unembedding is frozen");
    return {mx::multiply(mx::expand_dims(cotangents[0], 1), outputs[2])};
  }

 private:
  Packed packed_;
  bool with_expected_;
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

/// How many tokens an unembedding knows, held against the width of h.
int checked_vocabulary(
    const std::string &operation, const mx::array &h, const cmlx_array *unembed, const Packed &base) {
  if (!unembed && !suffices(base))
    throw std::invalid_argument(operation + ": expected an fp32 unembedding beside this packed one");
  const int vocabulary = unembed ? unembed->value.shape(0) : int(base->rows);
  const int width = unembed ? unembed->value.shape(-1) : int(base->columns);
  if (base && (base->rows != vocabulary || base->columns != width))
    throw std::invalid_argument(
        operation + ": the packed unembedding has another shape than the unembedding");
  require(width == h.shape(1), operation.c_str(),
          unembed ? std::initializer_list<mx::array>{h, unembed->value}
                  : std::initializer_list<mx::array>{h});
  return vocabulary;
}

/// What a graph multiplies with: weights packed for it, or in fp32.
const mx::array &graph_weight(
    const char *operation, const cmlx_array *weight, const cmlx_packed *packed) {
  if (packed && packed->plain) return *packed->plain;
  if (!weight)
    throw std::invalid_argument(
        std::string(operation) + ": these weights were packed for kernels of the processor");
  return weight->value;
}

mx::array rounded_rows(int rows, int columns, cmlx_row_source source, void *context) {
  constexpr int at_once = 1024;
  mx::array bits(
      mx::allocator::malloc(size_t(rows) * columns * sizeof(uint16_t)), {rows, columns},
      mx::bfloat16);
  auto *to = bits.data<uint16_t>();
  std::vector<float> some(size_t(std::min(at_once, rows)) * columns);
  for (int first = 0; first < rows; first += at_once) {
    const int count = std::min(at_once, rows - first);
    if (!source(context, first, count, some.data()))
      throw std::runtime_error("pack: the weights could not be read");
    kernels::to_bfloat16(
        some.data(), to + size_t(first) * columns, size_t(count) * columns);
  }
  return bits;
}

}  // namespace

extern "C" {

cmlx_packed *cmlx_pack(
    int rows, int columns, int parts, cmlx_row_source source, void *context) {
  return guarded<cmlx_packed *>(nullptr, [&] {
    if (rows < 1 || columns < 1) throw std::invalid_argument("pack: expected a matrix");
    if (graph::is_used()) {
      if (parts != 1) throw std::invalid_argument("pack: MLX's own products take one part");
      return new cmlx_packed{nullptr, rounded_rows(rows, columns, source, context)};
    }
    const auto read = [&](int64_t first, int64_t count, float *to) {
      if (!source(context, int(first), int(count), to))
        throw std::runtime_error("pack: the weights could not be read");
    };
    return new cmlx_packed{PackedWeight::make(read, rows, columns, parts), {}};
  });
}

cmlx_packed *cmlx_pack_blocks(
    cmlx_block_type type, const void *blocks, int rows, int columns, const int *order) {
  return guarded<cmlx_packed *>(nullptr, [&] {
    if (columns % block_columns(BlockType(type)) != 0 || rows < 1)
      throw std::invalid_argument("pack: expected rows of whole blocks");
    return new cmlx_packed{PackedWeight::make(
        BlockType(type), static_cast<const uint8_t *>(blocks), rows, columns, order), {}};
  });
}

int cmlx_block_columns(cmlx_block_type type) { return int(block_columns(BlockType(type))); }

int cmlx_block_bytes(cmlx_block_type type) { return int(block_bytes(BlockType(type))); }

void cmlx_packed_free(cmlx_packed *packed) { delete packed; }

bool cmlx_packed_is_complete(const cmlx_packed *packed) {
  return packed->plain || suffices(packed->value);
}

cmlx_array *cmlx_linear(
    const cmlx_array *x, const cmlx_array *weight, const cmlx_packed *packed,
    const cmlx_array *a, const cmlx_array *b, float scale) {
  return guarded_array([&] {
    Arrays inputs{operand("linear", x->value)};
    Packed base = packed ? packed->value : nullptr;
    if (graph::is_used()) {
      const auto low = [](const cmlx_array *a) {
        return a ? std::optional(a->value) : std::nullopt;
      };
      const auto &frozen = graph_weight("linear", weight, packed);
      require(inputs[0].ndim() == 2 && inputs[0].shape(1) == frozen.shape(1), "linear",
              {inputs[0], frozen});
      return graph::linear(inputs[0], frozen, low(a), low(b), scale);
    }
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

cmlx_array *cmlx_cross_entropy(
    const cmlx_array *h, const cmlx_array *unembed, const cmlx_packed *packed,
    const cmlx_array *target_rows, const cmlx_array *targets, bool with_gradient) {
  return guarded_array([&] {
    auto a = operand("cross_entropy", h->value), r = operand("cross_entropy", target_rows->value);
    auto t = operand("cross_entropy", targets->value, mx::int32);
    require(
        a.ndim() == 2 && a.shape() == r.shape() && t.ndim() == 1 && t.shape(0) == a.shape(0),
        "cross_entropy", {a, r, t});
    if (graph::is_used()) {
      const auto &frozen = graph_weight("cross_entropy", unembed, packed);
      require(frozen.shape(1) == a.shape(1), "cross_entropy", {a, frozen});
      check_targets(t, frozen.shape(0));
      return graph::cross_entropy(a, frozen, t);
    }
    Packed base = packed ? packed->value : nullptr;
    check_targets(t, checked_vocabulary("cross_entropy", a, unembed, base));
    Arrays inputs{a, r, t};
    if (!suffices(base)) inputs.push_back(operand("cross_entropy", unembed->value));
    auto primitive = std::make_shared<CrossEntropy>(base, with_gradient);
    mx::Shape loss{a.shape(0)};
    if (!with_gradient) return single(loss, primitive, inputs);
    return mx::array::make_arrays(
        {loss, a.shape()}, {mx::float32, mx::float32}, primitive, inputs)[0];
  });
}

bool cmlx_log_partition(
    const cmlx_array *h, const cmlx_array *unembed, const cmlx_packed *packed, bool with_expected,
    cmlx_array **results) {
  return guarded(false, [&] {
    auto a = operand("log_partition", h->value);
    require(a.ndim() == 2, "log_partition", {a});
    Arrays outputs;
    if (graph::is_used()) {
      const auto &frozen = graph_weight("log_partition", unembed, packed);
      require(frozen.shape(1) == a.shape(1), "log_partition", {a, frozen});
      outputs = graph::log_partition(a, frozen, with_expected);
    } else {
      Packed base = packed ? packed->value : nullptr;
      checked_vocabulary("log_partition", a, unembed, base);
      Arrays inputs{a};
      if (!suffices(base)) inputs.push_back(operand("log_partition", unembed->value));
      std::vector<mx::Shape> shapes{{a.shape(0)}, {a.shape(0)}};
      std::vector<mx::Dtype> types{mx::float32, mx::int32};
      if (with_expected) shapes.push_back(a.shape()), types.push_back(mx::float32);
      outputs = mx::array::make_arrays(
          shapes, types, std::make_shared<LogPartition>(base, with_expected), inputs);
    }
    for (size_t i = 0; i < outputs.size(); ++i) results[i] = wrap(std::move(outputs[i]));
    return true;
  });
}

}  // extern "C"
