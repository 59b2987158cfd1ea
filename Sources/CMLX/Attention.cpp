// Attention over listed key rows.
#include "Fused.hpp"

#include <algorithm>
#include <cmath>

using namespace cmlx;

namespace {

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

}  // namespace

extern "C" {

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

}  // extern "C"
