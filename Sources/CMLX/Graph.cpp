#include "Graph.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>

using namespace cmlx;

namespace {

std::atomic<bool> used = false;

#ifdef CMLX_GPU
// A GPU is used when it is asked for, where MLX would take it by itself, and multiplies fp32 as such: by
// itself MLX takes 10 bits of it there (TF32), and reads this once.
[[maybe_unused]] const bool begins_on_the_processor = [] {
  setenv("MLX_ENABLE_TF32", "0", 0);
  mx::set_default_device(mx::Device(mx::Device::cpu));
  return true;
}();
#endif

mx::array number(float x) { return mx::array(x); }

/// Which keys each query sees, `[queries, keys]`.
mx::array visible(const mx::array &ranges, int keys) {
  const int queries = ranges.shape(0);
  const auto key = mx::reshape(mx::arange(keys), {1, keys});
  auto seen = mx::zeros({queries, keys}, mx::bool_);
  for (int range = 0; range < ranges.shape(1); ++range) {
    const auto part = [&](int i) {
      return mx::reshape(
          mx::slice(ranges, {0, range, i}, {queries, range + 1, i + 1}), {queries, 1});
    };
    const auto from = mx::subtract(key, part(0));
    const auto inside = mx::logical_and(
        mx::greater_equal(from, mx::array(0)), mx::less(key, part(1)));
    const auto hit = mx::equal(mx::remainder(from, part(2)), mx::array(0));
    seen = mx::logical_or(seen, mx::logical_and(inside, hit));
  }
  return seen;
}

/// The mask of the ranges last asked for: those of a pass are the same in layer after layer.
const mx::array &mask_of(const mx::array &ranges, int keys) {
  struct Known {
    mx::array ranges, mask;
    int keys;
  };
  thread_local std::vector<Known> known;
  const auto found = std::find_if(known.begin(), known.end(), [&](const Known &k) {
    return k.ranges.id() == ranges.id() && k.keys == keys;
  });
  if (found != known.end()) return found->mask;
  // Layers of two kinds, with a window and without, take turns.
  if (known.size() >= 2) known.erase(known.begin());
  known.push_back({ranges, visible(ranges, keys), keys});
  return known.back().mask;
}

/// Heads first: `[rows, heads, d]` as `[1, heads, rows, d]`.
mx::array by_head(const mx::array &x) {
  return mx::expand_dims(mx::transpose(x, {1, 0, 2}), 0);
}

}  // namespace

bool graph::is_used() { return used.load(std::memory_order_relaxed); }

mx::array graph::linear(
    const mx::array &x, const mx::array &weight, const std::optional<mx::array> &a,
    const std::optional<mx::array> &b, float scale) {
  const auto w = mx::transpose(mx::stop_gradient(weight));
  auto y = w.dtype() == mx::float32
               ? mx::matmul(x, w)
               : mx::astype(mx::matmul(mx::astype(x, w.dtype()), w), mx::float32);
  if (!a) return y;
  const auto low = mx::matmul(mx::matmul(x, mx::transpose(*a)), mx::transpose(*b));
  return mx::add(y, mx::multiply(low, number(scale)));
}

mx::array graph::activate(kernels::Activation act, const mx::array &x) {
  const auto half = mx::multiply(x, number(0.5f));
  switch (act) {
    case kernels::Activation::silu: return mx::multiply(x, mx::sigmoid(x));
    case kernels::Activation::gelu:
      return mx::multiply(
          half, mx::add(number(1), mx::erf(mx::multiply(x, number(std::sqrt(0.5f))))));
    case kernels::Activation::gelu_tanh: {
      const auto cube = mx::multiply(mx::square(x), x);
      const auto inner = mx::multiply(
          mx::add(x, mx::multiply(cube, number(0.044715f))), number(0.7978845608f));
      return mx::multiply(half, mx::add(number(1), mx::tanh(inner)));
    }
  }
  throw std::invalid_argument("unknown activation");
}

mx::array graph::rope(const mx::array &x, const mx::array &cosine, const mx::array &sine) {
  const int tokens = x.shape(0), heads = x.shape(1), d = x.shape(2), n = cosine.shape(1);
  const auto part = [&](int from, int to) {
    return mx::slice(x, {0, 0, from}, {tokens, heads, to});
  };
  const auto c = mx::expand_dims(cosine, 1), s = mx::expand_dims(sine, 1);
  const auto low = part(0, n), high = part(n, 2 * n);
  return mx::concatenate(
      {mx::subtract(mx::multiply(low, c), mx::multiply(high, s)),
       mx::add(mx::multiply(high, c), mx::multiply(low, s)), part(2 * n, d)},
      2);
}

mx::array graph::attention(
    const mx::array &q, const mx::array &k, const mx::array &v, const mx::array &ranges, float scale,
    float cap) {
  const auto &mask = mask_of(ranges, k.shape(0));
  const auto back = [&](const mx::array &z) {
    return mx::transpose(mx::reshape(z, {q.shape(1), q.shape(0), q.shape(2)}), {1, 0, 2});
  };
  if (cap == 0)
    return back(mx::fast::scaled_dot_product_attention(
        by_head(q), by_head(k), by_head(v), scale, "", mask));
  // Queries of a group share a head of keys: `[kv heads, group, rows, d]`.
  const int heads = k.shape(1), group = q.shape(1) / heads;
  const auto grouped = mx::reshape(
      mx::transpose(q, {1, 0, 2}), {heads, group, q.shape(0), q.shape(2)});
  const auto shared = [](const mx::array &x) {
    return mx::expand_dims(mx::transpose(x, {1, 0, 2}), 1);
  };
  auto scores = mx::multiply(
      mx::matmul(grouped, mx::transpose(shared(k), {0, 1, 3, 2})), number(scale / cap));
  scores = mx::where(mask, mx::multiply(mx::tanh(scores), number(cap)), number(-INFINITY));
  return back(mx::matmul(mx::softmax(scores, std::vector<int>{-1}), shared(v)));
}

namespace {

/// `of` each block of rows' logits, one below the other.
template <typename Of>
std::vector<mx::array> of_logits(const mx::array &h, const mx::array &unembed, Of of) {
  constexpr int at_once = 1024;
  std::vector<std::vector<mx::array>> columns;
  for (int i = 0; i < h.shape(0); i += at_once) {
    const int end = std::min(i + at_once, int(h.shape(0)));
    const auto logits = graph::linear(
        mx::slice(h, {i, 0}, {end, h.shape(1)}), unembed, std::nullopt, std::nullopt, 0);
    const std::vector<mx::array> parts = of(logits, i, end);
    columns.resize(parts.size());
    for (size_t c = 0; c < parts.size(); ++c) columns[c].push_back(parts[c]);
  }
  std::vector<mx::array> whole;
  for (auto &parts : columns)
    whole.push_back(parts.size() == 1 ? parts[0] : mx::concatenate(parts, 0));
  return whole;
}

}  // namespace

mx::array graph::cross_entropy(
    const mx::array &h, const mx::array &unembed, const mx::array &targets) {
  return of_logits(h, unembed, [&](const mx::array &logits, int begin, int end) {
    const auto own = mx::take_along_axis(
        logits, mx::expand_dims(mx::slice(targets, {begin}, {end}), 1), 1);
    return std::vector<mx::array>{
        mx::subtract(mx::logsumexp(logits, 1), mx::squeeze(own, 1))};
  })[0];
}

std::vector<mx::array> graph::log_partition(
    const mx::array &h, const mx::array &unembed, bool with_expected) {
  return of_logits(h, unembed, [&](const mx::array &logits, int, int) {
    std::vector<mx::array> parts{
        mx::logsumexp(logits, 1), mx::astype(mx::argmax(logits, 1), mx::int32)};
    if (with_expected)
      parts.push_back(linear(
          mx::softmax(logits, 1), mx::transpose(unembed), std::nullopt, std::nullopt, 0));
    return parts;
  });
}

std::vector<mx::array> graph::adamw(
    const kernels::AdamWStep &step, const mx::array &p, const mx::array &g, const mx::array &m,
    const mx::array &v) {
  const auto mixed = [](const mx::array &old, const mx::array &now, double beta) {
    return mx::add(
        mx::multiply(old, number(float(beta))), mx::multiply(now, number(float(1 - beta))));
  };
  const auto first = mixed(m, g, step.beta1), second = mixed(v, mx::square(g), step.beta2);
  const auto size = mx::add(
      mx::divide(mx::sqrt(second), number(step.correction)), number(step.epsilon));
  const auto moved = mx::multiply(mx::divide(first, size), number(step.rate));
  return {mx::subtract(mx::multiply(p, number(step.keep)), moved), first, second};
}

extern "C" {

void cmlx_use_graph(bool use) { used.store(use); }
bool cmlx_uses_graph(void) { return graph::is_used(); }

bool cmlx_use_gpu(void) {
  return guarded(false, [] {
    const mx::Device gpu(mx::Device::gpu);
    if (!mx::is_available(gpu)) throw std::runtime_error("no GPU that this MLX can use");
    mx::set_default_device(gpu);
    cmlx_use_graph(true);
    return true;
  });
}

const char *cmlx_gpu_name(void) {
  static const std::string name = guarded<std::string>("gpu", [] {
    const auto &info = mx::device_info(mx::Device(mx::Device::gpu));
    const auto found = info.find("device_name");
    const auto *text = found == info.end() ? nullptr : std::get_if<std::string>(&found->second);
    return text ? *text : std::string("gpu");
  });
  return name.c_str();
}

}  // extern "C"
