// Attention over listed key rows.
#include "Fused.hpp"
#include "Tiles.hpp"

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

/// Queries that products are taken of at a time.
constexpr size_t few_queries = 32;

/// Queries that follow each other and see nearly the same keys: these are laid out once for all of
/// them, and scores become matrix products.
class QueryBlock {
 public:
  static constexpr size_t most = 128;
  const size_t begin, count;
  /// Rows of the keys that some of the queries see, ascending.
  std::vector<int> rows;
  /// Which part of `rows` each query sees.
  size_t low[most], high[most];

  QueryBlock(size_t begin, size_t count) : begin(begin), count(count) {}

  /// Whether each query sees one stretch of the rows, and most of them together are seen.
  bool gather(const int *ranges, size_t per_query) {
    if (count < 2) return false;
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
    if (as_is) grow(plain, count * d);
    if (transposed) grow(turned, count * d);
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
  /// Keys and values as tiles, queries times the scale, and the left side of a product.
  Aligned<uint16_t> k_tiles, v_tiles;
  Aligned<float> queries;
  Rounded rounded;
  Aligned<float> scores;
  std::vector<float> slopes, capped, dk, dv;
  std::vector<int> rows;

  /// Gives back what a long text needed: other operations need it before the next attention does.
  void trim() {
    constexpr size_t usual = size_t(1) << 19;
    if (k_tiles.size() > usual) *this = Scratch();
  }
};

/// How products of queries and keys become scores.
struct Scores {
  float scale, cap;
};

/// The shares of each query's own keys `[count, rows]`, and zeros for others; the slopes of capped scores
/// where they are `capped` and asked for.
void share(
    const QueryBlock &block, const AttentionShape &s, const float *q, Scores how, Scratch &scratch,
    bool with_slopes = false) {
  const size_t n = block.rows.size();
  grow(scratch.scores, block.count * n);
  if (with_slopes) grow(scratch.capped, block.count * n);
  scratch.k.by_turned(q, block.count, s.heads * s.d_head, scratch.scores.data());
  for (size_t i = 0; i < block.count; ++i) {
    float *row = scratch.scores.data() + i * n, *own = row + block.low[i];
    const size_t count = block.high[i] - block.low[i];
    std::fill(row, own, 0.0f);
    std::fill(row + block.high[i], row + n, 0.0f);
    kernels::scale(how.scale, own, count);
    if (how.cap > 0)
      kernels::soft_cap(
          how.cap, own, with_slopes ? scratch.capped.data() + i * n + block.low[i] : nullptr, count);
    kernels::share(own, count);
  }
}

class AttentionGrad : public Fused {
 public:
  explicit AttentionGrad(Scores scores) : scores_(scores) {}
  DEFINE_NAME(AttentionGrad)

  /// Inputs q, k, v, ranges, dz; outputs dq, dk, dv. Scores are found anew: those of the forward pass were
  /// not kept, and may have been rounded.
  void eval_cpu(const Arrays &inputs, Arrays &outputs) override {
    dispatch(inputs, outputs, [scores = scores_](const Arrays &in_, Arrays &out_) {
      const AttentionShape s(in_[0], in_[1], in_[3]);
      // Every head adds into its own copy; the copies of a group are then summed in order, so the
      // result is the same for any number of threads.
      const size_t plane = s.keys * s.d_head;
      std::vector<float> dk(s.heads * plane), dv(s.heads * plane);
      parallel(s.heads, 1, [&](size_t begin, size_t end) {
        thread_local Scratch scratch;
        for (size_t first = 0; first < s.queries; first += few_queries) {
          QueryBlock block(first, std::min(few_queries, s.queries - first));
          const bool together = block.gather(in_[3].data<int>(), s.ranges);
          for (size_t h = begin; h < end; ++h) {
            float *planes[] = {dk.data() + h * plane, dv.data() + h * plane};
            together ? block_grad(in_, out_, s, block, h, scores, scratch, planes)
                     : query_grad(in_, out_, s, block, h, scores, scratch, planes);
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
      Scores how, Scratch &scratch, float *planes[2]) {
    const size_t n = block.rows.size(), d = s.d_head, wide = s.heads * d;
    const size_t at = block.begin * wide + h * d, kv = s.kv_head(h) * d;
    const float *q = in(in_[0]) + at, *dz = in(in_[4]) + at;
    scratch.k.gather(in(in_[1]) + kv, block.rows, s.stride(), d, true, true);
    scratch.v.gather(in(in_[2]) + kv, block.rows, s.stride(), d, false, true);
    share(block, s, q, how, scratch, true);
    for (auto *scratched : {&scratch.slopes, &scratch.dk, &scratch.dv})
      grow(*scratched, std::max(block.count, d) * n);
    const float *p = scratch.scores.data();
    float *slopes = scratch.slopes.data();
    kernels::multiply(
        {p, dz, scratch.dv.data(), n, block.count, d, 1, n, wide, d, false});
    scratch.v.by_turned(dz, block.count, wide, slopes);
    for (size_t i = 0; i < block.count; ++i) {
      const size_t low = i * n + block.low[i], high = i * n + block.high[i];
      std::fill(slopes + i * n, slopes + low, 0.0f);
      std::fill(slopes + high, slopes + (i + 1) * n, 0.0f);
      kernels::softmax_grad(
          p + low, how.cap > 0 ? scratch.capped.data() + low : nullptr, how.scale, slopes + low,
          high - low);
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
      Scores how, Scratch &scratch, float *planes[2]) {
    grow(scratch.scores, kernels::Attended::rows_of_gradient * s.keys);
    for (size_t i = block.begin; i < block.begin + block.count; ++i) {
      visible_rows(in_[3].data<int>() + i * s.ranges * 3, s.ranges, scratch.rows);
      const size_t at = (i * s.heads + h) * s.d_head, kv = s.kv_head(h) * s.d_head;
      kernels::attend_grad(
          {in(in_[0]) + at, 1, in(in_[1]) + kv, in(in_[2]) + kv, scratch.rows.data(),
           scratch.rows.size(), s.stride(), s.d_head, how.scale, how.cap, scratch.scores.data(),
           out(out_[0]) + at},
          in(in_[4]) + at, planes[0], planes[1]);
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

  Scores scores_;
};

class Attention : public Fused {
 public:
  /// `in_parts`: products as of weights in two parts.
  Attention(Scores scores, bool in_parts) : scores_(scores), in_parts_(in_parts) {}
  DEFINE_NAME(Attention)

  /// Inputs q, k, v, ranges; output z.
  void eval_cpu(const Arrays &inputs, Arrays &outputs) override {
    dispatch(inputs, outputs, [in_parts = in_parts_, scores = scores_](
                                  const Arrays &in_, Arrays &out_) {
      const AttentionShape s(in_[0], in_[1], in_[3]);
      const size_t usual = in_parts ? QueryBlock::most : few_queries;
      const size_t blocks = (s.queries + usual - 1) / usual, tasks = blocks * s.kv_heads;
      parallel(tasks, 1, [&](size_t begin, size_t end) {
        thread_local Scratch scratch;
        for (size_t task = begin; task < end; ++task) {
          // The last blocks mostly see the most keys: first, so that no thread waits for another's.
          const size_t first = (blocks - 1 - task / s.kv_heads) * usual;
          attend(
              {in_, out_, s, scores, task % s.kv_heads, in_parts}, first,
              std::min(usual, s.queries - first), scratch);
        }
        scratch.trim();
      });
    });
  }

  Arrays vjp(
      const Arrays &primals, const Arrays &cotangents, const std::vector<int> &argnums,
      const Arrays &) override {
    Arrays inputs = primals;
    inputs.push_back(mx::contiguous(cotangents[0]));
    auto grads = mx::array::make_arrays(
        {primals[0].shape(), primals[1].shape(), primals[2].shape()},
        {mx::float32, mx::float32, mx::float32},
        std::make_shared<AttentionGrad>(scores_), inputs);
    Arrays result;
    for (int argument : argnums) {
      if (argument > 2) throw std::invalid_argument("attention: the key ranges are constants");
      result.push_back(grads[argument]);
    }
    return result;
  }

 private:
  /// What is computed for one head of keys.
  struct Task {
    const Arrays &in_;
    Arrays &out_;
    const AttentionShape &s;
    Scores how;
    size_t kv;
    bool in_parts;

    size_t first_head() const { return kv * (s.heads / s.kv_heads); }
    size_t last_head() const { return first_head() + s.heads / s.kv_heads; }
  };

  static void attend(const Task &task, size_t first, size_t count, Scratch &scratch) {
    QueryBlock block(first, count);
    if (block.gather(task.in_[3].data<int>(), task.s.ranges))
      return task.in_parts ? attend_tiles(task, block, scratch)
                           : attend_plain(task, block, scratch);
    if (count <= few_queries) return attend_queries(task, block, scratch);
    for (size_t i = 0; i < count; i += few_queries)
      attend(task, first + i, std::min(few_queries, count - i), scratch);
  }

  static void attend_plain(const Task &task, const QueryBlock &block, Scratch &scratch) {
    const auto &[in_, out_, s, how, kv, in_parts] = task;
    const size_t d = s.d_head, wide = s.heads * d;
    scratch.k.gather(in(in_[1]) + kv * d, block.rows, s.stride(), d, false, true);
    scratch.v.gather(in(in_[2]) + kv * d, block.rows, s.stride(), d, true, false);
    for (size_t h = task.first_head(); h < task.last_head(); ++h) {
      const size_t at = block.begin * wide + h * d;
      share(block, s, in(in_[0]) + at, how, scratch);
      scratch.v.by_plain(scratch.scores.data(), block.count, out(out_[0]) + at, wide);
    }
  }

#if defined(__x86_64__)
  static constexpr int parts = 2;
  static constexpr int64_t unit = 2 * parts * tiles::tile;

  /// Keys and values of a block as tiles, and 32 queries at a time over those strips of 32 keys that they
  /// see.
  static void attend_tiles(const Task &task, const QueryBlock &block, Scratch &scratch) {
    const int64_t depth = tiles::steps(task.s.d_head), strips = tiles::steps(block.rows.size());
    for (auto *memory : {&scratch.k_tiles, &scratch.v_tiles})
      grow(*memory, size_t(strips * depth * unit));
    pack(task, block, scratch.k_tiles.data(), scratch.v_tiles.data());
    for (size_t i = 0; i < block.count; i += few_queries) {
      const size_t end = std::min(i + few_queries, block.count);
      const int64_t low = *std::min_element(block.low + i, block.low + end) / tiles::pair;
      const int64_t high = tiles::steps(*std::max_element(block.high + i, block.high + end));
      for (size_t h = task.first_head(); h < task.last_head(); ++h)
        attend_strips(task, block, i, end, h, low, high, scratch);
    }
  }

  static void pack(
      const Task &task, const QueryBlock &block, uint16_t *keys, uint16_t *values) {
    const AttentionShape &s = task.s;
    const int64_t n = block.rows.size(), depth = tiles::steps(s.d_head);
    const auto rows_of = [&](const mx::array &x) {
      return [&, first = in(x) + task.kv * s.d_head](int64_t i) {
        return first + size_t(block.rows[i]) * s.stride();
      };
    };
    const auto key = rows_of(task.in_[1]);
    for (int64_t strip = 0; strip < tiles::steps(n); ++strip)
      tiles::pack_strip(
          [&](int64_t i) { return key(strip * tiles::pair + i); }, n - strip * tiles::pair,
          s.d_head, parts, keys + strip * depth * unit);
    tiles::pack_turned(rows_of(task.in_[2]), n, s.d_head, parts, values);
  }

  /// Queries first ..< last of a block and the strips low ..< high of its keys.
  static void attend_strips(
      const Task &task, const QueryBlock &block, size_t first, size_t last, size_t head,
      int64_t low, int64_t high, Scratch &scratch) {
    const AttentionShape &s = task.s;
    const int64_t m = last - first, d = s.d_head, wide = s.heads * d, depth = tiles::steps(d);
    const int64_t strips = tiles::steps(block.rows.size()), width = (high - low) * tiles::pair;
    const size_t at = (block.begin + first) * wide + head * d;
    grow(scratch.queries, size_t(m * d));
    grow(scratch.scores, size_t(m * width));
    float *q = scratch.queries.data(), *scores = scratch.scores.data(), *z = out(task.out_[0]) + at;
    for (int64_t i = 0; i < m; ++i) {
      std::copy_n(in(task.in_[0]) + at + i * wide, d, q + i * d);
      kernels::scale(task.how.scale, q + i * d, d);
    }
    multiply(
        scratch.rounded, {q, m, d, d}, {scratch.k_tiles.data() + low * depth * unit, depth},
        {scores, width, width});
    float shares[few_queries];
    for (int64_t i = 0; i < m; ++i) {
      const int64_t begin = block.low[first + i] - low * tiles::pair;
      const int64_t end = block.high[first + i] - low * tiles::pair;
      float *row = scores + i * width;
      std::fill(row, row + begin, 0.0f);
      std::fill(row + end, row + width, 0.0f);
      if (task.how.cap > 0) kernels::soft_cap(task.how.cap, row + begin, nullptr, end - begin);
      const float top = kernels::maximum(row + begin, end - begin);
      shares[i] = 1 / kernels::exp_shifted(row + begin, top, end - begin);
    }
    multiply(
        scratch.rounded, {scores, m, width, width}, {scratch.v_tiles.data() + low * unit, strips},
        {z, d, wide});
    for (int64_t i = 0; i < m; ++i) kernels::scale(shares[i], z + i * wide, d);
  }

  struct Left {
    const float *a;
    int64_t rows, columns, stride;
  };
  struct Right {
    const uint16_t *tiles;
    int64_t pitch;
  };
  struct Product {
    float *c;
    int64_t columns, stride;
  };

  static void multiply(Rounded &rounded, const Left &a, const Right &b, const Product &c) {
    const int64_t steps = tiles::steps(a.columns), blocks = (a.rows + tiles::side - 1) / tiles::side;
    rounded.rows = a.rows;
    grow(rounded.bits, size_t(blocks * steps * parts * tiles::tile));
    tiles::to_tiles(a.a, a.rows, a.columns, a.stride, parts, 0, blocks, rounded.bits.data());
    const tiles::TileScope scope;
    tiles::strips<parts>(
        {rounded, steps, b.tiles, b.pitch}, tiles::steps(c.columns), c.c, c.stride, c.columns,
        false);
  }
#else
  static constexpr auto attend_tiles = attend_plain;
#endif

  static void attend_queries(const Task &task, const QueryBlock &block, Scratch &scratch) {
    const auto &[in_, out_, s, how, kv, in_parts] = task;
    const size_t first = task.first_head(), group = task.last_head() - first;
    for (size_t i = block.begin; i < block.begin + block.count; ++i) {
      visible_rows(in_[3].data<int>() + i * s.ranges * 3, s.ranges, scratch.rows);
      const size_t n = scratch.rows.size(), at = (i * s.heads + first) * s.d_head;
      grow(scratch.scores, kernels::Attended::group_at_once * n);
      kernels::attend(
          {in(in_[0]) + at, group, in(in_[1]) + kv * s.d_head, in(in_[2]) + kv * s.d_head,
           scratch.rows.data(), n, s.stride(), s.d_head, how.scale, how.cap, scratch.scores.data(),
           out(out_[0]) + at});
    }
  }

  Scores scores_;
  bool in_parts_;
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
    float scale, float cap, bool in_parts) {
  return guarded_array([&] {
    auto a = operand("attention", q->value), b = operand("attention", k->value);
    auto c = operand("attention", v->value), r = operand("attention", ranges->value, mx::int32);
    require(
        a.ndim() == 3 && b.ndim() == 3 && b.shape() == c.shape() && a.shape(2) == b.shape(2) &&
            a.shape(1) % b.shape(1) == 0 && r.ndim() == 3 && r.shape(0) == a.shape(0) &&
            r.shape(2) == 3,
        "attention", {a, b, c, r});
    if (graph::is_used()) return graph::attention(a, b, c, ranges->value, scale, cap);
    in_parts = in_parts && packs_in_parts();
#if defined(__x86_64__)
    if (in_parts) tiles::require();
#endif
    return single(
        a.shape(), std::make_shared<Attention>(Scores{scale, cap}, in_parts), {a, b, c, r});
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
