// Attention over listed key rows.
#include "Fused.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>

using namespace cmlx;

void cmlx::visible_rows(const int *ranges, size_t count, std::vector<int> &rows) {
  rows.clear();
  for (size_t r = 0; r < count; ++r)
    for (int row = ranges[3 * r]; row < ranges[3 * r + 1]; row += ranges[3 * r + 2])
      rows.push_back(row);
}

namespace {

struct AttentionShape {
  size_t queries, heads, d_head, keys, kv_heads, ranges;
  AttentionShape(const mx::array &q, const mx::array &k, const mx::array &r)
      : queries(q.shape(0)), heads(q.shape(1)), d_head(q.shape(2)), keys(k.shape(0)),
        kv_heads(k.shape(1)), ranges(r.shape(1)) {}
  size_t kv_head(size_t head) const { return head / (heads / kv_heads); }
  size_t stride() const { return kv_heads * d_head; }
};

/// Key rows that follow each other.
struct Run {
  int begin, end;
};

/// Queries that follow each other and see nearly the same keys: these are laid out once for all of
/// them, and scores become matrix products.
class QueryBlock {
 public:
  static constexpr size_t most = 32;
  const size_t begin, count;
  /// Rows of the keys that some of the queries see, ascending.
  std::vector<int> rows;
  /// Which part of `rows` each query sees.
  size_t low[most], high[most];

  QueryBlock(size_t begin, size_t count) : begin(begin), count(count) {}

  /// Whether each query sees one stretch of the rows, and most of them together are seen.
  bool gather(const int *ranges, size_t per_query) {
    std::vector<Run> own, first, last;
    const auto at = [&](size_t i) { return ranges + (begin + i) * per_query * 3; };
    if (!runs(at(0), per_query, first) || !runs(at(count - 1), per_query, last)) return false;
    // What lies between is mostly seen by the first or the last of them; what is not is found below.
    const std::vector<Run> all = merged(first, last);
    size_t seen = 0, total = 0;
    for (const Run &run : all) total += size_t(run.end - run.begin);
    for (size_t i = 0; i < count; ++i) {
      if (!runs(at(i), per_query, own) || !place(own, all, low[i], high[i])) return false;
      seen += high[i] - low[i];
    }
    if (2 * seen < count * total) return false;
    rows.clear();
    for (const Run &run : all)
      for (int row = run.begin; row < run.end; ++row) rows.push_back(row);
    return true;
  }

 private:
  /// Ranges as ascending runs; false where they are strided or not ascending.
  static bool runs(const int *ranges, size_t per_query, std::vector<Run> &result) {
    result.clear();
    for (size_t r = 0; r < per_query; ++r) {
      const int begin = ranges[3 * r], end = ranges[3 * r + 1], stride = ranges[3 * r + 2];
      if (begin >= end) continue;
      if (stride != 1 && end - begin > stride) return false;
      const int last = stride == 1 ? end : begin + 1;
      if (!result.empty() && begin < result.back().end) return false;
      if (!result.empty() && begin == result.back().end) {
        result.back().end = last;
      } else {
        result.push_back({begin, last});
      }
    }
    return !result.empty();
  }

  static std::vector<Run> merged(const std::vector<Run> &a, const std::vector<Run> &b) {
    std::vector<Run> all;
    std::merge(
        a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(all),
        [](const Run &x, const Run &y) { return x.begin < y.begin; });
    size_t kept = 0;
    for (size_t i = 1; i < all.size(); ++i) {
      if (all[i].begin <= all[kept].end) {
        all[kept].end = std::max(all[kept].end, all[i].end);
      } else {
        all[++kept] = all[i];
      }
    }
    all.resize(kept + 1);
    return all;
  }

  /// Where the rows of `own` lie in those of `all`, which they have to be a stretch of.
  static bool place(
      const std::vector<Run> &own, const std::vector<Run> &all, size_t &low, size_t &high) {
    size_t before = 0, part = 0;
    for (const Run &run : all) {
      if (part < own.size() && own[part].begin >= run.begin && own[part].begin < run.end) {
        const size_t offset = before + size_t(own[part].begin - run.begin);
        if (own[part].end > run.end || (part > 0 && offset != high)) return false;
        if (part == 0) low = offset;
        high = offset + size_t(own[part].end - own[part].begin);
        ++part;
        if (part < own.size() && own[part].begin < run.end) return false;
      }
      before += size_t(run.end - run.begin);
    }
    return part == own.size();
  }
};

/// Rows of one head, side by side, and transposed in chunks that fit the first-level cache.
struct Panel {
  static constexpr size_t chunk = 128;
  size_t count = 0, d = 0;
  std::vector<float> plain, turned;

  /// Only in the forms that are used.
  void gather(
      const float *x, const std::vector<int> &rows, size_t stride, size_t width, bool as_is,
      bool transposed) {
    count = rows.size();
    d = width;
    if (as_is) plain.resize(std::max(plain.size(), count * d));
    if (transposed) turned.resize(std::max(turned.size(), count * d));
    for (size_t from = 0; from < count; from += chunk) {
      const size_t n = std::min(chunk, count - from);
      float *t = turned.data() + from * d;
      for (size_t j = 0; j < n; ++j) {
        const float *row = x + size_t(rows[from + j]) * stride;
        if (as_is) std::copy_n(row, d, plain.data() + (from + j) * d);
        if (!transposed) continue;
        for (size_t i = 0; i < d; ++i) t[i * n + j] = row[i];
      }
    }
  }

  /// c `[rows, count]` = a · this panel's transpose; rows of a lie `a_row` apart.
  void by_turned(const float *a, size_t rows, size_t a_row, float *c) const {
    for (size_t from = 0; from < count; from += chunk) {
      const size_t n = std::min(chunk, count - from);
      kernels::multiply(
          {a, turned.data() + from * d, c + from, rows, d, n, a_row, 1, n, count, false});
    }
  }

  /// c `[rows, d]` = a `[rows, count]` · this panel; rows of c lie `c_row` apart.
  void by_plain(const float *a, size_t rows, float *c, size_t c_row) const {
    for (size_t from = 0; from < count; from += chunk) {
      const size_t n = std::min(chunk, count - from);
      kernels::multiply(
          {a + from, plain.data() + from * d, c, rows, n, d, count, 1, d, c_row, from > 0});
    }
  }
};

/// What a thread needs for one block after the other.
struct Scratch {
  Panel k, v;
  std::vector<float> scores, slopes, dk, dv;
  std::vector<int> rows;
};

/// scores `[count, rows]` = scale · q kᵀ.
void score(const QueryBlock &block, const AttentionShape &s, const float *q, Scratch &scratch) {
  const size_t n = block.rows.size();
  scratch.scores.resize(std::max(scratch.scores.size(), block.count * n));
  scratch.k.by_turned(q, block.count, s.heads * s.d_head, scratch.scores.data());
}

/// Turns the scores of each query's own keys into exp(scale · score - shift) and the others' into 0.
/// Without `log_sums` to go by, they are found and written, and the result sums to one.
void normalise(
    const QueryBlock &block, float scale, Scratch &scratch, float *log_sums, size_t stride,
    bool known) {
  const size_t n = block.rows.size();
  for (size_t i = 0; i < block.count; ++i) {
    float *row = scratch.scores.data() + i * n, *own = row + block.low[i];
    const size_t count = block.high[i] - block.low[i];
    std::fill(row, own, 0.0f);
    std::fill(row + block.high[i], row + n, 0.0f);
    kernels::scale(scale, own, count);
    if (known) {
      kernels::exp_shifted(own, log_sums[i * stride], count);
      continue;
    }
    const float top = kernels::maximum(own, count);
    const float sum = kernels::exp_shifted(own, top, count);
    kernels::scale(1.0f / sum, own, count);
    log_sums[i * stride] = top + std::log(sum);
  }
}

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
        thread_local Scratch scratch;
        for (size_t first = 0; first < s.queries; first += QueryBlock::most) {
          QueryBlock block(first, std::min(QueryBlock::most, s.queries - first));
          const bool together = block.gather(in_[3].data<int>(), s.ranges);
          for (size_t h = begin; h < end; ++h) {
            float *planes[] = {dk.data() + h * plane, dv.data() + h * plane};
            together ? block_grad(in_, out_, s, block, h, scale, scratch, planes)
                     : query_grad(in_, out_, s, block, h, scale, scratch, planes);
          }
        }
      });
      gather(dk, out(out_[1]), s);
      gather(dv, out(out_[2]), s);
    });
  }

 private:
  static void block_grad(
      const Arrays &in_, Arrays &out_, const AttentionShape &s, const QueryBlock &block, size_t h,
      float scale, Scratch &scratch, float *planes[2]) {
    const size_t n = block.rows.size(), d = s.d_head, wide = s.heads * d;
    const size_t at = block.begin * wide + h * d, kv = s.kv_head(h) * d;
    const float *q = in(in_[0]) + at, *dz = in(in_[6]) + at;
    scratch.k.gather(in(in_[1]) + kv, block.rows, s.stride(), d, true, true);
    scratch.v.gather(in(in_[2]) + kv, block.rows, s.stride(), d, false, true);
    score(block, s, q, scratch);
    // The log sums are an input here, and only read.
    normalise(
        block, scale, scratch, const_cast<float *>(in(in_[5])) + block.begin * s.heads + h,
        s.heads, true);
    for (auto *scratched : {&scratch.slopes, &scratch.dk, &scratch.dv})
      scratched->resize(std::max(scratched->size(), std::max(block.count, d) * n));
    const float *p = scratch.scores.data();
    float *slopes = scratch.slopes.data();
    kernels::multiply(
        {p, dz, scratch.dv.data(), n, block.count, d, 1, n, wide, d, false});
    scratch.v.by_turned(dz, block.count, wide, slopes);
    for (size_t i = 0; i < block.count; ++i) {
      // dz · z, from the sums at hand: where a query sees one key, the difference is then exactly zero.
      const float mean = kernels::dot(p + i * n, slopes + i * n, n);
      for (size_t j = 0; j < n; ++j)
        slopes[i * n + j] = scale * p[i * n + j] * (slopes[i * n + j] - mean);
    }
    scratch.k.by_plain(slopes, block.count, out(out_[0]) + at, wide);
    kernels::multiply(
        {slopes, q, scratch.dk.data(), n, block.count, d, 1, n, wide, d, false});
    for (size_t j = 0; j < n; ++j) {
      const size_t place = size_t(block.rows[j]) * d;
      kernels::axpy(1, scratch.dk.data() + j * d, planes[0] + place, d);
      kernels::axpy(1, scratch.dv.data() + j * d, planes[1] + place, d);
    }
  }

  static void query_grad(
      const Arrays &in_, Arrays &out_, const AttentionShape &s, const QueryBlock &block, size_t h,
      float scale, Scratch &scratch, float *planes[2]) {
    scratch.scores.resize(std::max(scratch.scores.size(), s.keys + 16));
    for (size_t i = block.begin; i < block.begin + block.count; ++i) {
      visible_rows(in_[3].data<int>() + i * s.ranges * 3, s.ranges, scratch.rows);
      const size_t at = (i * s.heads + h) * s.d_head, kv = s.kv_head(h) * s.d_head;
      kernels::attend_grad(
          in(in_[0]) + at, in(in_[1]) + kv, in(in_[2]) + kv, scratch.rows.data(),
          scratch.rows.size(), s.stride(), s.d_head, scale, in(in_[5])[i * s.heads + h],
          in(in_[4]) + at, in(in_[6]) + at, scratch.scores.data(), out(out_[0]) + at, planes[0],
          planes[1]);
    }
  }

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
      const size_t blocks = (s.queries + QueryBlock::most - 1) / QueryBlock::most;
      parallel(blocks * s.kv_heads, 1, [&](size_t begin, size_t end) {
        thread_local Scratch scratch;
        for (size_t task = begin; task < end; ++task) {
          const size_t first = task / s.kv_heads * QueryBlock::most;
          QueryBlock block(first, std::min(QueryBlock::most, s.queries - first));
          const bool together =
              block.count > 1 && block.gather(in_[3].data<int>(), s.ranges);
          together ? attend_block(in_, out_, s, block, task % s.kv_heads, scale, scratch)
                   : attend_queries(in_, out_, s, block, task % s.kv_heads, scale, scratch);
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
  static void attend_block(
      const Arrays &in_, Arrays &out_, const AttentionShape &s, const QueryBlock &block, size_t kv,
      float scale, Scratch &scratch) {
    const size_t d = s.d_head, wide = s.heads * d;
    const size_t group = s.heads / s.kv_heads;
    scratch.k.gather(in(in_[1]) + kv * d, block.rows, s.stride(), d, false, true);
    scratch.v.gather(in(in_[2]) + kv * d, block.rows, s.stride(), d, true, false);
    for (size_t h = kv * group; h < (kv + 1) * group; ++h) {
      const size_t at = block.begin * wide + h * d;
      score(block, s, in(in_[0]) + at, scratch);
      normalise(
          block, scale, scratch, out(out_[1]) + block.begin * s.heads + h, s.heads, false);
      scratch.v.by_plain(scratch.scores.data(), block.count, out(out_[0]) + at, wide);
    }
  }

  static void attend_queries(
      const Arrays &in_, Arrays &out_, const AttentionShape &s, const QueryBlock &block, size_t kv,
      float scale, Scratch &scratch) {
    const size_t group = s.heads / s.kv_heads;
    scratch.scores.resize(std::max(scratch.scores.size(), s.keys + 16));
    for (size_t i = block.begin; i < block.begin + block.count; ++i) {
      visible_rows(in_[3].data<int>() + i * s.ranges * 3, s.ranges, scratch.rows);
      for (size_t h = kv * group; h < (kv + 1) * group; ++h) {
        const size_t at = (i * s.heads + h) * s.d_head;
        out(out_[1])[i * s.heads + h] = kernels::attend(
            in(in_[0]) + at, in(in_[1]) + kv * s.d_head, in(in_[2]) + kv * s.d_head,
            scratch.rows.data(), scratch.rows.size(), s.stride(), s.d_head, scale,
            scratch.scores.data(), out(out_[0]) + at);
      }
    }
  }

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
