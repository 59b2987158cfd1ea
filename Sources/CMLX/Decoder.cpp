// One token each for a few sequences. A graph of small operations costs more to make than they cost to
// run; here a pass is a list made once, and the threads walk it together.
#include <hwy/cache_control.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <optional>
#include <thread>
#include <utility>

#include "Fused.hpp"

using namespace cmlx;

namespace {

/// A layer's cached keys or values, in fp32 or half precision.
struct CacheRows {
  void *data;
  bool half;

  const void *at(size_t place) const {
    return static_cast<const char *>(data) + place * (half ? sizeof(uint16_t) : sizeof(float));
  }
  void write(size_t place, const float *x, size_t n) const {
    half ? kernels::to_half(x, static_cast<uint16_t *>(data) + place, n)
         : void(std::copy_n(x, n, static_cast<float *>(data) + place));
  }
};

/// What one run is given, besides the registers.
struct Step {
  struct View {
    const float *cosine, *sine;
    size_t angles;
    /// For every token the rows of the caches that it sees.
    std::vector<std::vector<int>> rows;
  };
  size_t tokens;
  /// The row of the caches that each token's key and value are written to.
  std::vector<size_t> rows;
  std::vector<View> views;
  std::vector<CacheRows> keys, values;
};

/// One thread's part of the work.
struct Share {
  size_t thread, threads;
  std::vector<float> &scores;
  /// How much of the operation's work has been taken, where threads take it bit by bit.
  std::atomic<size_t> *taken;

  /// This thread's part of `count` items, in multiples of `unit`.
  std::pair<size_t, size_t> of(size_t count, size_t unit = 1) const {
    const size_t units = (count + unit - 1) / unit;
    const auto edge = [&](size_t i) { return std::min(units * i / threads * unit, count); };
    return {edge(thread), edge(thread + 1)};
  }

  /// Calls `body(first, last)` for this thread's parts: one even part, or, as in `parallel`, ever smaller
  /// ones, so that a thread that runs slower holds up the others less.
  template <typename Body>
  void each(size_t count, size_t unit, Body body) const {
    if (!taken) {
      const auto [first, last] = of(count, unit);
      if (first < last) body(first, last);
      return;
    }
    const size_t units = (count + unit - 1) / unit;
    size_t begin = taken->load(std::memory_order_relaxed);
    while (begin < units) {
      const size_t end = begin + std::max<size_t>(1, (units - begin) / (2 * threads));
      if (!taken->compare_exchange_weak(begin, end, std::memory_order_relaxed)) continue;
      body(begin * unit, std::min(end * unit, count));
      begin = taken->load(std::memory_order_relaxed);
    }
  }
};

using Registers = std::vector<Aligned<float>>;
using Roundings = std::map<std::pair<int, int>, Rounded>;

/// Reads some places and writes others; what runs between two barriers must not do both to one.
struct Operation {
  std::vector<int> reads, writes;
  std::function<void(const Step &, Registers &, const Share &)> run;
  /// Where a register is rounded first.
  std::shared_ptr<const PackedWeight> weight;
  /// Whether one token is one thread's work; such operations need not wait for each other then.
  bool by_token = false;
  bool waits = false;
};

/// Threads that walk a list together wait for each other hundreds of times a token: libgomp's barrier
/// takes three microseconds, which would be a fifth of the time.
class Barrier {
 public:
  void wait(size_t threads) {
    const unsigned round = round_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads) {
      arrived_.store(0, std::memory_order_relaxed);
      round_.store(round + 1, std::memory_order_release);
      return;
    }
    // A thread that is not running cannot arrive while this one holds its processor.
    for (int spins = 0; round_.load(std::memory_order_acquire) == round; ++spins)
      spins < patience ? hwy::Pause() : std::this_thread::yield();
  }

 private:
  static constexpr int patience = 2000;
  std::atomic<size_t> arrived_{0};
  std::atomic<unsigned> round_{0};
};

/// The weight of a linear layer, whichever way it is kept.
struct Weight {
  std::shared_ptr<const PackedWeight> packed;
  std::optional<mx::array> plain, bias;
  float scale;
  bool adds;

  size_t rows() const { return packed ? size_t(packed->rows) : size_t(plain->shape(0)); }
  size_t columns() const { return packed ? size_t(packed->columns) : size_t(plain->shape(1)); }

  /// Rows first ..< last of W.
  void multiply(
      const Rounded *rounded, const float *x, float *y, size_t m, size_t first, size_t last) const {
    if (packed) {
      packed->multiply(*rounded, first, last, y + first, rows(), adds);
    } else {
      const size_t k = columns();
      for (size_t r = first; r < last; ++r)
        for (size_t t = 0; t < m; ++t) {
          const float product = scale * kernels::dot(x + t * k, plain->data<float>() + r * k, k);
          float &out = y[t * rows() + r];
          out = adds ? out + product : product;
        }
    }
    if (!bias) return;
    for (size_t t = 0; t < m; ++t)
      kernels::axpy(1, bias->data<float>() + first, y + t * rows() + first, last - first);
  }
};

}  // namespace

struct cmlx_decoder {
  std::vector<int> widths;
  std::vector<Operation> operations;
  /// How many views and layers the operations refer to, and what a row of a layer's cache holds.
  int views = 0;
  std::vector<int> cache_widths;

  // What a run needs is kept for the next.
  Registers registers;
  Roundings roundings;
  std::vector<Operation> schedule;
  std::vector<std::atomic<size_t>> taken;
  size_t scheduled = 0;
  Barrier barrier;

  int width(int r) const { return widths.at(size_t(r)); }
  void add(Operation operation) {
    operations.push_back(std::move(operation));
    schedule.clear();
  }

  /// Sizes the registers, and says what is rounded and who waits for whom.
  void prepare(size_t tokens);
  void run(const Step &step);
};

namespace {

/// Places that no register has: roundings, and the caches.
int rounding_place(int from, int form) { return 1000 + from * 4 + form; }
constexpr int cache_place = -1;

Operation rounding(
    int from, std::shared_ptr<const PackedWeight> weight, Rounded &rounded, int place) {
  Operation o{{from}, {place}, {}, nullptr, true};
  o.run = [=, &rounded](const Step &step, Registers &registers, const Share &share) {
    const auto [first, last] = share.of((step.tokens + 15) / 16);
    if (first < last)
      weight->round_rows(
          registers[from].data(), weight->columns, first, last, rounded, false);
  };
  return o;
}

bool meet(const std::vector<int> &a, const std::vector<int> &b) {
  return std::any_of(a.begin(), a.end(), [&](int x) {
    return std::find(b.begin(), b.end(), x) != b.end();
  });
}

/// Makes an operation wait where it needs what was done since the last wait, or would spoil it.
void find_waits(std::vector<Operation> &operations, size_t tokens) {
  std::vector<const Operation *> since;
  for (auto &o : operations) {
    o.waits = std::any_of(since.begin(), since.end(), [&](const Operation *other) {
      if (tokens == 1 && o.by_token && other->by_token) return false;
      return meet(o.reads, other->writes) || meet(o.writes, other->writes) ||
             meet(o.writes, other->reads);
    });
    if (o.waits) since.clear();
    since.push_back(&o);
  }
}

mx::array evaluated(const char *operation, const mx::array &a) {
  auto value = operand(operation, a);
  mx::eval(value);
  return value;
}

/// A cache, some rows of which are to be written in place.
CacheRows rows_of(const cmlx_array *cache, const std::vector<size_t> &rows) {
  const auto &a = cache->value;
  const bool half = a.dtype() == mx::float16;
  if (rows.empty() || (a.dtype() != mx::float32 && !half) || a.ndim() != 3 || !a.flags().row_contiguous ||
      a.data_size() != a.size() ||
      *std::max_element(rows.begin(), rows.end()) >= size_t(a.shape(0)))
    throw std::invalid_argument("decoder: expected a cache with room, found " + text(a));
  return {const_cast<uint8_t *>(a.data<uint8_t>()), half};
}

/// Turns heads of a token's row, `count` of them.
void turn_heads(
    const Step::View &view, size_t token, float *x, size_t count, size_t d_head,
    std::vector<float> &scratch) {
  if (!view.cosine) return;
  grow(scratch, 2 * view.angles);
  for (size_t h = 0; h < count; ++h, x += d_head) {
    kernels::rope(
        x, view.cosine + token * view.angles, view.sine + token * view.angles, 1, scratch.data(),
        view.angles);
    std::copy_n(scratch.data(), 2 * view.angles, x);
  }
}

Operation turning(int q, int k, int v, cmlx_decoder_attention a) {
  Operation o{{q, k, v}, {q, k, cache_place}, {}, nullptr};
  o.run = [=](const Step &step, Registers &registers, const Share &share) {
    const Step::View &view = step.views[a.view];
    const size_t d = a.d_head, group = a.heads / a.kv_heads, stride = a.kv_heads * d;
    share.each(step.tokens * a.kv_heads, 1, [&](size_t first, size_t last) {
      for (size_t i = first; i < last; ++i) {
        const size_t t = i / a.kv_heads, head = i % a.kv_heads;
        float *query = registers[q].data() + (t * a.heads + head * group) * d;
        turn_heads(view, t, query, group, d, share.scores);
        const size_t from = t * stride + head * d, to = step.rows[t] * stride + head * d;
        float *key = registers[k].data() + from;
        turn_heads(view, t, key, 1, d, share.scores);
        step.keys[a.layer].write(to, key, d);
        step.values[a.layer].write(to, registers[v].data() + from, d);
      }
    });
  };
  return o;
}

Operation attending(int q, int to, cmlx_decoder_attention a) {
  Operation o{{q, cache_place}, {to}, {}, nullptr};
  o.run = [=](const Step &step, Registers &registers, const Share &share) {
    const size_t d = a.d_head, group = a.heads / a.kv_heads, stride = a.kv_heads * d;
    // A few queries of a group at a time, so that one head of keys is not one thread's alone.
    constexpr size_t few = kernels::Attended::group_at_once;
    const size_t parts = (group + few - 1) / few, pieces = a.kv_heads * parts;
    const auto attend = [&](size_t i) {
      const auto &rows = step.views[a.view].rows[i / pieces];
      const size_t head = i % pieces / parts, from = i % parts * few;
      const size_t kv = head * d, at = ((i / pieces * a.kv_heads + head) * group + from) * d;
      grow(share.scores, few * rows.size());
      kernels::attend(
          {registers[q].data() + at, std::min(few, group - from), step.keys[a.layer].at(kv),
           step.values[a.layer].at(kv), rows.data(), rows.size(), stride, d, a.scale, a.soft_cap,
           share.scores.data(), registers[to].data() + at, step.keys[a.layer].half});
    };
    share.each(step.tokens * pieces, 1, [&](size_t first, size_t last) {
      for (size_t i = first; i < last; ++i) attend(i);
    });
  };
  return o;
}

}  // namespace

void cmlx_decoder::prepare(size_t tokens) {
  const int64_t m = int64_t(tokens);
  registers.resize(widths.size());
  for (size_t i = 0; i < widths.size(); ++i)
    grow(registers[i], size_t(m) * widths[i]);
  // One token, a few and many differ in how they are rounded and shared out.
  const size_t kind = m == 1 ? 1 : m <= integer_rows ? 2 : 3;
  if (schedule.empty() || scheduled != kind) {
    scheduled = 0;
    schedule.clear();
    roundings.clear();
    std::vector<int> rounded;
    for (const auto &o : operations) {
      if (o.weight) {
        const int from = o.reads[0], form = o.weight->form(m), place = rounding_place(from, form);
        if (std::find(rounded.begin(), rounded.end(), place) == rounded.end()) {
          schedule.push_back(rounding(from, o.weight, roundings[{from, form}], place));
          rounded.push_back(place);
        }
      }
      schedule.push_back(o);
      if (o.weight) schedule.back().reads.push_back(rounding_place(o.reads[0], o.weight->form(m)));
      // What was rounded of a register holds until it is written to.
      std::erase_if(rounded, [&](int place) {
        return meet(o.writes, {(place - 1000) / 4});
      });
    }
    find_waits(schedule, tokens);
    taken = std::vector<std::atomic<size_t>>(schedule.size());
    // Last: what is half done, for want of memory, is done again.
    scheduled = kind;
  }
  for (const auto &o : operations)
    if (o.weight)
      o.weight->prepare(
          m, o.weight->columns, roundings[{o.reads[0], o.weight->form(m)}], false);
}

void cmlx_decoder::run(const Step &step) {
  std::atomic<bool> failed = false;
  std::exception_ptr failure;
  for (auto &count : taken) count.store(0, std::memory_order_relaxed);
  together([&](size_t thread, size_t threads) {
    thread_local std::vector<float> scores;
    for (size_t i = 0; i < schedule.size(); ++i) {
      const auto &o = schedule[i];
      // With one token, operations by token do not wait for each other, so they must stay on one thread.
      const bool bits = step.tokens > 1 && !o.by_token;
      const Share share{thread, threads, scores, bits ? &taken[i] : nullptr};
      if (o.waits && threads > 1) barrier.wait(threads);
      // A thread that fails, for want of memory, still meets the others at each barrier.
      if (failed.load(std::memory_order_relaxed)) continue;
      try {
        o.run(step, registers, share);
      } catch (...) {
        if (!failed.exchange(true)) failure = std::current_exception();
      }
    }
  });
  if (failure) std::rethrow_exception(failure);
}

extern "C" {

cmlx_decoder *cmlx_decoder_new(void) {
  return guarded<cmlx_decoder *>(nullptr, [] { return new cmlx_decoder; });
}
void cmlx_decoder_free(cmlx_decoder *decoder) { delete decoder; }

int cmlx_decoder_register(cmlx_decoder *decoder, int width) {
  return guarded(-1, [&] {
    decoder->widths.push_back(width);
    return int(decoder->widths.size()) - 1;
  });
}

bool cmlx_decoder_norm(
    cmlx_decoder *decoder, int from, int to, const cmlx_array *weight, const cmlx_array *bias,
    float epsilon) {
  return guarded(false, [&] {
    const auto w = evaluated("decoder norm", weight->value);
    std::optional<mx::array> b;
    if (bias) b = evaluated("decoder norm", bias->value);
    const size_t wide = w.size(), width = decoder->width(from);
    require(
        width % wide == 0 && decoder->width(to) == int(width) && (!b || b->size() == wide),
        "decoder norm", {w});
    Operation o{{from}, {to}, {}, nullptr, wide == width};
    o.run = [=](const Step &step, Registers &registers, const Share &share) {
      const auto [first, last] = share.of(step.tokens * width / wide);
      for (size_t i = first; i < last; ++i) {
        const float *x = registers[from].data() + i * wide;
        float *y = registers[to].data() + i * wide;
        b ? kernels::layer_norm(x, w.data<float>(), b->data<float>(), epsilon, y, wide)
          : kernels::rms_norm(x, w.data<float>(), epsilon, y, wide);
      }
    };
    decoder->add(std::move(o));
    return true;
  });
}

bool cmlx_decoder_linear(
    cmlx_decoder *decoder, int from, int to, const cmlx_packed *packed, const cmlx_array *weight,
    const cmlx_array *bias, float scale, bool adds) {
  return guarded(false, [&] {
    Weight w{packed ? packed->value : nullptr, {}, {}, scale, adds};
    if (w.packed && scale != 1)
      throw std::invalid_argument("decoder linear: packed weights take no scale");
    if (!w.packed && !weight)
      throw std::invalid_argument("decoder linear: these weights were packed for a graph");
    if (!w.packed) w.plain = evaluated("decoder linear", weight->value);
    if (bias) w.bias = evaluated("decoder linear", bias->value);
    if (int(w.columns()) != decoder->width(from) || int(w.rows()) != decoder->width(to) ||
        (w.bias && w.bias->size() != w.rows()))
      throw std::invalid_argument("decoder linear: the weight has another shape than the registers");
    Operation o{{from}, {to}, {}, w.packed};
    if (adds) o.reads.push_back(to);
    auto &roundings = decoder->roundings;
    o.run = [=, &roundings](const Step &step, Registers &registers, const Share &share) {
      const Rounded *rounded =
          w.packed ? &roundings.find({from, w.packed->form(int64_t(step.tokens))})->second : nullptr;
      share.each(w.rows(), 32, [&](size_t first, size_t last) {
        w.multiply(
            rounded, registers[from].data(), registers[to].data(), step.tokens, first, last);
      });
    };
    decoder->add(std::move(o));
    return true;
  });
}

bool cmlx_decoder_attend(
    cmlx_decoder *decoder, int q, int k, int v, int to, cmlx_decoder_attention attention) {
  return guarded(false, [&] {
    const auto &a = attention;
    if (decoder->width(q) != a.heads * a.d_head || decoder->width(k) != a.kv_heads * a.d_head ||
        decoder->width(v) != decoder->width(k) || decoder->width(to) != decoder->width(q) ||
        a.heads % a.kv_heads != 0)
      throw std::invalid_argument("decoder attention: the heads do not fill the registers");
    decoder->views = std::max(decoder->views, a.view + 1);
    if (decoder->cache_widths.size() <= size_t(a.layer)) decoder->cache_widths.resize(a.layer + 1);
    decoder->cache_widths[a.layer] = a.kv_heads * a.d_head;
    decoder->add(turning(q, k, v, a));
    decoder->add(attending(q, to, a));
    return true;
  });
}

bool cmlx_decoder_activate(
    cmlx_decoder *decoder, cmlx_activation act, int gate, int up, int to) {
  return guarded(false, [&] {
    const size_t width = decoder->width(gate);
    if ((up >= 0 && decoder->width(up) != int(width)) || decoder->width(to) != int(width))
      throw std::invalid_argument("decoder activation: registers of several widths");
    Operation o{{gate}, {to}, {}, nullptr};
    if (up >= 0) o.reads.push_back(up);
    o.run = [=](const Step &step, Registers &registers, const Share &share) {
      share.each(step.tokens * width, 64, [&](size_t first, size_t last) {
        kernels::gated(
            kernels::Activation(act), registers[gate].data() + first,
            up >= 0 ? registers[up].data() + first : nullptr, registers[to].data() + first,
            last - first);
      });
    };
    decoder->add(std::move(o));
    return true;
  });
}

bool cmlx_decoder_add(cmlx_decoder *decoder, int a, int b, int to) {
  return guarded(false, [&] {
    const size_t width = decoder->width(a);
    if (decoder->width(b) != int(width) || decoder->width(to) != int(width))
      throw std::invalid_argument("decoder addition: registers of several widths");
    Operation o{{a, b}, {to}, {}, nullptr};
    o.run = [=](const Step &step, Registers &registers, const Share &share) {
      const auto [first, last] = share.of(step.tokens * width, 64);
      const float *x = registers[a].data(), *y = registers[b].data();
      float *z = registers[to].data();
      for (size_t i = first; i < last; ++i) z[i] = x[i] + y[i];
    };
    decoder->add(std::move(o));
    return true;
  });
}

cmlx_array *cmlx_decoder_run(
    cmlx_decoder *decoder, const cmlx_array *x, const cmlx_decoder_view *views, int view_count,
    cmlx_array *const *keys, cmlx_array *const *values, int layers, const int *rows) {
  return guarded_array([&] {
    const auto input = evaluated("decoder", x->value);
    require(
        input.ndim() == 2 && input.shape(1) == decoder->width(0), "decoder", {input});
    if (view_count < decoder->views || layers != int(decoder->cache_widths.size()))
      throw std::invalid_argument("decoder: expected a view and a cache for every layer");
    for (int i = 0; i < layers; ++i)
      for (auto *cache : {keys[i], values[i]})
        require(
            cache->value.ndim() == 3 &&
                cache->value.shape(1) * cache->value.shape(2) == decoder->cache_widths[i],
            "decoder", {cache->value});
    const size_t tokens = input.shape(0);
    Step step{tokens, {rows, rows + tokens}, {}, {}, {}};
    std::vector<mx::array> kept;
    for (int i = 0; i < view_count; ++i) {
      const auto &view = views[i];
      auto ranges = operand("decoder", view.ranges->value, mx::int32);
      mx::eval(ranges);
      require(
          ranges.ndim() == 3 && ranges.shape(2) == 3 && ranges.shape(0) == int(tokens), "decoder",
          {ranges});
      Step::View made{nullptr, nullptr, 0, std::vector<std::vector<int>>(tokens)};
      if (view.cosine) {
        for (auto *angles : {view.cosine, view.sine})
          kept.push_back(evaluated("decoder", angles->value));
        made.sine = kept.back().data<float>();
        made.cosine = kept[kept.size() - 2].data<float>();
        made.angles = kept.back().shape(1);
      }
      for (size_t t = 0; t < tokens; ++t)
        visible_rows(
            ranges.data<int>() + t * ranges.shape(1) * 3, ranges.shape(1), made.rows[t]);
      step.views.push_back(std::move(made));
    }
    for (int i = 0; i < layers; ++i) {
      step.keys.push_back(rows_of(keys[i], step.rows));
      step.values.push_back(rows_of(values[i], step.rows));
      if (step.keys.back().half != step.values.back().half)
        throw std::invalid_argument("decoder: expected keys and values of one type");
    }
    decoder->prepare(tokens);
    std::copy_n(input.data<float>(), input.size(), decoder->registers[0].data());
    decoder->run(step);
    const int last = int(decoder->widths.size()) - 1;
    mx::array output(mx::allocator::malloc(tokens * decoder->width(last) * sizeof(float)),
                     {int(tokens), decoder->width(last)}, mx::float32);
    std::copy_n(decoder->registers[last].data(), output.size(), output.data<float>());
    return output;
  });
}

}  // extern "C"
