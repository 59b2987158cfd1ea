#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "Kernels.cpp"
#include <hwy/foreach_target.h>

#include <hwy/highway.h>

#include <hwy/contrib/math/math-inl.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "Kernels.hpp"

HWY_BEFORE_NAMESPACE();
namespace cmlx::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

/// The first n numbers at p, and zeros. Nothing behind them is touched: on some targets masked loads and
/// stores read and write whole vectors, which may belong to another thread.
HWY_INLINE V LoadPart(const float *p, size_t n) {
  const D d;
#if HWY_MEM_OPS_MIGHT_FAULT
  HWY_ALIGN float whole[HWY_MAX_BYTES / sizeof(float)] = {};
  std::memcpy(whole, p, n * sizeof(float));
  return hn::Load(d, whole);
#else
  return hn::MaskedLoad(hn::FirstN(d, n), d, p);
#endif
}

HWY_INLINE void StorePart(V v, float *p, size_t n) {
  const D d;
#if HWY_MEM_OPS_MIGHT_FAULT
  HWY_ALIGN float whole[HWY_MAX_BYTES / sizeof(float)];
  hn::Store(v, d, whole);
  std::memcpy(p, whole, n * sizeof(float));
#else
  hn::BlendedStore(v, hn::FirstN(d, n), d, p);
#endif
}

/// Calls `body(offset, load, store)` for whole vectors, then once more for a partial one whose
/// missing lanes read as zero and are not written.
template <class Body>
HWY_INLINE void for_each_vector(size_t n, Body body) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    body(
        i, [d](const float *p) HWY_ATTR { return hn::LoadU(d, p); },
        [d](V v, float *p) HWY_ATTR { hn::StoreU(v, d, p); });
  }
  if (i == n) return;
  const size_t left = n - i;
  body(
      i, [left](const float *p) HWY_ATTR { return LoadPart(p, left); },
      [left](V v, float *p) HWY_ATTR { StorePart(v, p, left); });
}

HWY_INLINE float Sum(V v) { return hn::GetLane(hn::SumOfLanes(D(), v)); }

HWY_INLINE V Sigmoid(V x) {
  const auto one = hn::Set(D(), 1.0f);
  // Highway's Exp is valid up to 104; beyond 88 the sigmoid is below every normal float anyway.
  const auto e = hn::Exp(D(), hn::Min(hn::Neg(x), hn::Set(D(), 88.0f)));
  return hn::Div(one, hn::Add(one, e));
}

/// An activation's value and its derivative at x.
struct ValueSlope {
  V value, slope;
};

struct Silu {
  static HWY_INLINE V Value(V x) { return hn::Mul(x, Sigmoid(x)); }
  static HWY_INLINE ValueSlope Both(V x) {
    const V s = Sigmoid(x), value = hn::Mul(x, s);
    // silu'(x) = s + x s (1 - s)
    return {value, hn::MulAdd(value, hn::Sub(hn::Set(D(), 1.0f), s), s)};
  }
};

struct Gelu {
  /// Φ(x) = erfc(-x/√2)/2, by the rational Chebyshev-like fit of Abramowitz & Stegun 7.1.26 to
  /// erfc, whose error is below 1.5e-7, about one unit in the last place of 1.
  static HWY_INLINE V Phi(V x, V *density) {
    const D d;
    const V one = hn::Set(d, 1.0f);
    const V z = hn::Mul(hn::Abs(x), hn::Set(d, 0.70710678f));
    const V t = hn::Div(one, hn::MulAdd(z, hn::Set(d, 0.3275911f), one));
    V p = hn::Set(d, 1.061405429f);
    p = hn::MulAdd(p, t, hn::Set(d, -1.453152027f));
    p = hn::MulAdd(p, t, hn::Set(d, 1.421413741f));
    p = hn::MulAdd(p, t, hn::Set(d, -0.284496736f));
    p = hn::MulAdd(p, t, hn::Set(d, 0.254829592f));
    const V e = hn::Exp(d, hn::Max(hn::Neg(hn::Mul(z, z)), hn::Set(d, -87.0f)));
    const V tail = hn::Mul(hn::Mul(hn::Mul(p, t), e), hn::Set(d, 0.5f));
    *density = hn::Mul(e, hn::Set(d, 0.39894228f));
    return hn::IfThenElse(hn::Lt(x, hn::Zero(d)), tail, hn::Sub(one, tail));
  }
  static HWY_INLINE V Value(V x) {
    V density;
    return hn::Mul(x, Phi(x, &density));
  }
  static HWY_INLINE ValueSlope Both(V x) {
    V density;
    const V phi = Phi(x, &density);
    return {hn::Mul(x, phi), hn::MulAdd(x, density, phi)};
  }
};

struct GeluTanh {
  /// ½ (1 + tanh u) is the sigmoid of 2u.
  static HWY_INLINE V Gate(V x, V *slope) {
    const D d;
    const V twice = hn::Set(d, 1.5957691216f), cubic = hn::Set(d, 0.044715f);
    const V square = hn::Mul(x, x);
    *slope = hn::Mul(twice, hn::MulAdd(hn::Mul(square, cubic), hn::Set(d, 3.0f), hn::Set(d, 1.0f)));
    return Sigmoid(hn::Mul(hn::Mul(twice, x), hn::MulAdd(square, cubic, hn::Set(d, 1.0f))));
  }
  static HWY_INLINE V Value(V x) {
    V slope;
    return hn::Mul(x, Gate(x, &slope));
  }
  static HWY_INLINE ValueSlope Both(V x) {
    V inner;
    const V s = Gate(x, &inner), value = hn::Mul(x, s);
    const V rest = hn::Sub(hn::Set(D(), 1.0f), s);
    return {value, hn::MulAdd(hn::Mul(value, rest), inner, s)};
  }
};

template <class Act>
void GatedOf(const float *gate, const float *up, float *out, size_t n) {
  for_each_vector(n, [&](size_t i, auto load, auto store) HWY_ATTR {
    const V value = Act::Value(load(gate + i));
    store(up ? hn::Mul(value, load(up + i)) : value, out + i);
  });
}

template <class Act>
void GatedGradOf(
    const float *gate, const float *up, const float *d, float *d_gate, float *d_up, size_t n) {
  for_each_vector(n, [&](size_t i, auto load, auto store) HWY_ATTR {
    const V c = load(d + i);
    const ValueSlope act = Act::Both(load(gate + i));
    store(hn::Mul(up ? hn::Mul(c, load(up + i)) : c, act.slope), d_gate + i);
    if (up) store(hn::Mul(c, act.value), d_up + i);
  });
}

void Gated(Activation act, const float *gate, const float *up, float *out, size_t n) {
  switch (act) {
    case Activation::silu: return GatedOf<Silu>(gate, up, out, n);
    case Activation::gelu: return GatedOf<Gelu>(gate, up, out, n);
    case Activation::gelu_tanh: return GatedOf<GeluTanh>(gate, up, out, n);
  }
}

void GatedGrad(
    Activation act, const float *gate, const float *up, const float *d, float *d_gate, float *d_up,
    size_t n) {
  switch (act) {
    case Activation::silu: return GatedGradOf<Silu>(gate, up, d, d_gate, d_up, n);
    case Activation::gelu: return GatedGradOf<Gelu>(gate, up, d, d_gate, d_up, n);
    case Activation::gelu_tanh: return GatedGradOf<GeluTanh>(gate, up, d, d_gate, d_up, n);
  }
}

float Dot(const float *a, const float *b, size_t n) {
  V sum = hn::Zero(D());
  for_each_vector(n, [&](size_t i, auto load, auto) HWY_ATTR {
    sum = hn::MulAdd(load(a + i), load(b + i), sum);
  });
  return Sum(sum);
}

void RmsNorm(const float *x, const float *weight, float epsilon, float *out, size_t n) {
  const V r = hn::Set(D(), 1.0f / std::sqrt(Dot(x, x, n) / float(n) + epsilon));
  for_each_vector(n, [&](size_t i, auto load, auto store) HWY_ATTR {
    store(hn::Mul(hn::Mul(load(x + i), r), load(weight + i)), out + i);
  });
}

void RmsNormGrad(
    const float *x, const float *weight, float epsilon, const float *d, float *dx, size_t n) {
  const float r = 1.0f / std::sqrt(Dot(x, x, n) / float(n) + epsilon);
  V sum = hn::Zero(D());
  for_each_vector(n, [&](size_t i, auto load, auto) HWY_ATTR {
    sum = hn::MulAdd(hn::Mul(load(d + i), load(weight + i)), load(x + i), sum);
  });
  // dx = r (w d - x r² mean(w d x))
  const V rate = hn::Set(D(), r), pull = hn::Set(D(), r * r * r * Sum(sum) / float(n));
  for_each_vector(n, [&](size_t i, auto load, auto store) HWY_ATTR {
    const V wd = hn::Mul(load(d + i), load(weight + i));
    store(hn::Sub(hn::Mul(wd, rate), hn::Mul(load(x + i), pull)), dx + i);
  });
}

/// A row's mean and 1 / sqrt(variance + epsilon).
struct Moments {
  float mean, rate;
};

HWY_INLINE Moments MomentsOf(const float *x, float epsilon, size_t n) {
  const D d;
  V sum = hn::Zero(d);
  for_each_vector(n, [&](size_t i, auto load, auto) HWY_ATTR { sum = hn::Add(sum, load(x + i)); });
  const float mean = Sum(sum) / float(n);
  // Whole vectors only: lanes that a partial one lacks would each count as one more mean².
  const size_t whole = n - n % hn::Lanes(d);
  V squares = hn::Zero(d);
  const V m = hn::Set(d, mean);
  for_each_vector(whole, [&](size_t i, auto load, auto) HWY_ATTR {
    const V centred = hn::Sub(load(x + i), m);
    squares = hn::MulAdd(centred, centred, squares);
  });
  float variance = Sum(squares);
  for (size_t i = whole; i < n; ++i) variance += (x[i] - mean) * (x[i] - mean);
  return {mean, 1.0f / std::sqrt(variance / float(n) + epsilon)};
}

void LayerNorm(
    const float *x, const float *weight, const float *bias, float epsilon, float *out, size_t n) {
  const Moments moments = MomentsOf(x, epsilon, n);
  const V mean = hn::Set(D(), moments.mean), rate = hn::Set(D(), moments.rate);
  for_each_vector(n, [&](size_t i, auto load, auto store) HWY_ATTR {
    const V normed = hn::Mul(hn::Sub(load(x + i), mean), rate);
    store(hn::MulAdd(normed, load(weight + i), load(bias + i)), out + i);
  });
}

void LayerNormGrad(
    const float *x, const float *weight, float epsilon, const float *d, float *dx, size_t n) {
  const Moments moments = MomentsOf(x, epsilon, n);
  const V mean = hn::Set(D(), moments.mean), rate = hn::Set(D(), moments.rate);
  V sum = hn::Zero(D()), along = hn::Zero(D());
  for_each_vector(n, [&](size_t i, auto load, auto) HWY_ATTR {
    const V wd = hn::Mul(load(d + i), load(weight + i));
    sum = hn::Add(sum, wd);
    along = hn::MulAdd(wd, hn::Mul(hn::Sub(load(x + i), mean), rate), along);
  });
  // With y the normalised row, dx = r (w d - mean(w d) - y mean(w d y)).
  const V level = hn::Set(D(), Sum(sum) / float(n)), pull = hn::Set(D(), Sum(along) / float(n));
  for_each_vector(n, [&](size_t i, auto load, auto store) HWY_ATTR {
    const V wd = hn::Mul(load(d + i), load(weight + i));
    const V normed = hn::Mul(hn::Sub(load(x + i), mean), rate);
    store(hn::Mul(rate, hn::Sub(hn::Sub(wd, level), hn::Mul(normed, pull))), dx + i);
  });
}

void Rope(
    const float *x, const float *cosine, const float *sine, float sign, float *out, size_t n) {
  const V s = hn::Set(D(), sign);
  for_each_vector(n, [&](size_t i, auto load, auto store) HWY_ATTR {
    const V low = load(x + i), high = load(x + n + i);
    const V c = load(cosine + i), si = hn::Mul(load(sine + i), s);
    store(hn::Sub(hn::Mul(low, c), hn::Mul(high, si)), out + i);
    store(hn::Add(hn::Mul(high, c), hn::Mul(low, si)), out + n + i);
  });
}

void Axpy(float alpha, const float *x, float *y, size_t n) {
  const V a = hn::Set(D(), alpha);
  for_each_vector(n, [&](size_t i, auto load, auto store) HWY_ATTR {
    store(hn::MulAdd(a, load(x + i), load(y + i)), y + i);
  });
}

void Scale(float alpha, float *x, size_t n) {
  const V a = hn::Set(D(), alpha);
  for_each_vector(
      n, [&](size_t i, auto load, auto store) HWY_ATTR { store(hn::Mul(a, load(x + i)), x + i); });
}

void SoftCap(float cap, float *x, float *slopes, size_t n) {
  const D d;
  const V c = hn::Set(d, cap), inverse = hn::Set(d, 1 / cap), one = hn::Set(d, 1.0f);
  for_each_vector(n, [&](size_t i, auto load, auto store) HWY_ATTR {
    const V t = hn::Tanh(d, hn::Mul(load(x + i), inverse));
    store(hn::Mul(c, t), x + i);
    if (slopes) store(hn::NegMulAdd(t, t, one), slopes + i);
  });
}

float Maximum(const float *x, size_t n) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  float best = -INFINITY;
  V top = hn::Set(d, best);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) top = hn::Max(top, hn::LoadU(d, x + i));
  best = hn::GetLane(hn::MaxOfLanes(d, top));
  for (; i < n; ++i) best = x[i] > best ? x[i] : best;
  return best;
}

float ExpShifted(float *x, float shift, size_t n) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  const V s = hn::Set(d, shift);
  V sum = hn::Zero(d);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const V e = hn::Exp(d, hn::Sub(hn::LoadU(d, x + i), s));
    hn::StoreU(e, d, x + i);
    sum = hn::Add(sum, e);
  }
  float total = Sum(sum);
  if (i < n) {
    const auto mask = hn::FirstN(d, n - i);
    const V e = hn::IfThenElseZero(mask, hn::Exp(d, hn::Sub(LoadPart(x + i, n - i), s)));
    StorePart(e, x + i, n - i);
    total += Sum(e);
  }
  return total;
}

float LogSumExp(const float *x, float top, size_t n) {
  const V s = hn::Set(D(), top);
  V sum = hn::Zero(D());
  const D d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes)
    sum = hn::Add(sum, hn::Exp(d, hn::Sub(hn::LoadU(d, x + i), s)));
  float total = Sum(sum);
  for (; i < n; ++i) total += std::exp(x[i] - top);
  return top + std::log(total);
}

/// From the slopes of a loss along shares to those along scores before scale and cap, whose own slopes
/// are `capped` or one.
void SoftmaxGrad(
    const float *shares, const float *capped, float scale, float *slopes, size_t n) {
  // dz · z, from the shares at hand: where a query sees one key, the difference is then exactly zero.
  const V mean = hn::Set(D(), Dot(shares, slopes, n)), s = hn::Set(D(), scale);
  for_each_vector(n, [&](size_t i, auto load, auto store) HWY_ATTR {
    V slope = hn::Mul(hn::Mul(s, load(shares + i)), hn::Sub(load(slopes + i), mean));
    if (capped) slope = hn::Mul(slope, load(capped + i));
    store(slope, slopes + i);
  });
}

/// Rows of keys or values, in fp32 or half precision.
template <typename T>
struct KeyRows {
  const T *x;
  const int *rows;
  size_t count, stride;

  const T *row(size_t j) const { return x + size_t(rows[j]) * stride; }

  /// Asks for the row that is needed a few rows on: what was cached of a batch's tokens lies far apart.
  HWY_INLINE void ahead(size_t j, size_t offset, size_t width) const {
    constexpr size_t distance = 6, line = 64 / sizeof(T);
    if (j + distance >= count) return;
    const T *next = row(j + distance) + offset;
    for (size_t i = 0; i < width; i += line) __builtin_prefetch(next + i);
  }
};

template <typename T>
HWY_INLINE KeyRows<T> RowsOf(const Attended &a, const void *x) {
  return {static_cast<const T *>(x), a.rows, a.count, a.stride};
}

/// A vector of those numbers, of which only the first `left` belong to the row.
HWY_INLINE V LoadNumbers(const float *p, size_t left) {
  return left >= hn::Lanes(D()) ? hn::LoadU(D(), p) : LoadPart(p, left);
}
HWY_INLINE V LoadNumbers(const hwy::float16_t *p, size_t left) {
  const hn::Rebind<hwy::float16_t, D> half;
  if (left >= hn::Lanes(D())) return hn::PromoteTo(D(), hn::LoadU(half, p));
  HWY_ALIGN hwy::float16_t whole[HWY_MAX_BYTES / sizeof(float)] = {};
  std::memcpy(whole, p, left * sizeof(whole[0]));
  return hn::PromoteTo(D(), hn::Load(half, whole));
}

/// Numbers too large for half precision become its largest, and NaN stays.
void ToHalf(const float *x, uint16_t *out, size_t n) {
  const D d;
  const hn::Rebind<hwy::float16_t, D> half;
  const V most = hn::Set(d, 65504.0f);
  const size_t lanes = hn::Lanes(d);
  HWY_ALIGN hwy::float16_t whole[HWY_MAX_BYTES / sizeof(float)];
  for (size_t i = 0; i < n; i += lanes) {
    const V v = LoadNumbers(x + i, n - i);
    const V clamped = hn::IfThenElse(hn::IsNaN(v), v, hn::Min(hn::Max(v, hn::Neg(most)), most));
    hn::Store(hn::DemoteTo(half, clamped), half, whole);
    std::memcpy(out + i, whole, std::min(lanes, n - i) * sizeof(uint16_t));
  }
}

/// The scores of `group` queries with one row of keys after the other, which is read once for all.
template <size_t group, typename T>
HWY_INLINE void GroupScores(const Attended &a, const float *q, float *scores) {
  const auto keys = RowsOf<T>(a, a.k);
  for (size_t j = 0; j < a.count; ++j) {
    keys.ahead(j, 0, a.d_head);
    const T *row = keys.row(j);
    V sums[group];
    for (V &sum : sums) sum = hn::Zero(D());
    for_each_vector(a.d_head, [&](size_t i, auto load, auto) HWY_ATTR {
      const V key = LoadNumbers(row + i, a.d_head - i);
      for (size_t g = 0; g < group; ++g)
        sums[g] = hn::MulAdd(load(q + g * a.d_head + i), key, sums[g]);
    });
    for (size_t g = 0; g < group; ++g) scores[g * a.count + j] = a.scale * Sum(sums[g]);
  }
}

/// Scores as the shares of each key, which sum to one.
void Share(float *scores, size_t count) {
  const float sum = ExpShifted(scores, Maximum(scores, count), count);
  Scale(1.0f / sum, scores, count);
}

/// What `group` queries mix of the values by their weights, four vectors of it at a time so that they stay
/// in registers.
template <size_t group, typename T>
HWY_INLINE void GroupMix(const Attended &a, const void *mixed, const float *weights, float *out) {
  const auto values = RowsOf<T>(a, mixed);
  const D d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + 4 * lanes <= a.d_head; i += 4 * lanes) {
    V sums[group][4];
    for (auto &query : sums)
      for (V &sum : query) sum = hn::Zero(d);
    for (size_t j = 0; j < a.count; ++j) {
      values.ahead(j, i, 4 * lanes);
      const T *row = values.row(j) + i;
      for (size_t part = 0; part < 4; ++part) {
        const V value = LoadNumbers(row + part * lanes, lanes);
        for (size_t g = 0; g < group; ++g)
          sums[g][part] = hn::MulAdd(hn::Set(d, weights[g * a.count + j]), value, sums[g][part]);
      }
    }
    for (size_t g = 0; g < group; ++g)
      for (size_t part = 0; part < 4; ++part)
        hn::StoreU(sums[g][part], d, out + g * a.d_head + i + part * lanes);
  }
  for_each_vector(a.d_head - i, [&](size_t offset, auto, auto store) HWY_ATTR {
    V sums[group];
    for (V &sum : sums) sum = hn::Zero(d);
    for (size_t j = 0; j < a.count; ++j) {
      const V value = LoadNumbers(values.row(j) + i + offset, a.d_head - i - offset);
      for (size_t g = 0; g < group; ++g)
        sums[g] = hn::MulAdd(hn::Set(d, weights[g * a.count + j]), value, sums[g]);
    }
    for (size_t g = 0; g < group; ++g) store(sums[g], out + g * a.d_head + i + offset);
  });
}

/// `group` queries from number `first` on.
template <size_t group, typename T>
HWY_INLINE void AttendGroup(const Attended &a, size_t first) {
  GroupScores<group, T>(a, a.q + first * a.d_head, a.scores);
  if (a.cap > 0) SoftCap(a.cap, a.scores, nullptr, group * a.count);
  for (size_t g = 0; g < group; ++g) Share(a.scores + g * a.count, a.count);
  GroupMix<group, T>(a, a.v, a.scores, a.out + first * a.d_head);
}

template <typename T>
HWY_INLINE void AttendRows(const Attended &a) {
  size_t first = 0;
  static_assert(Attended::group_at_once == 3);
  for (; first + 3 <= a.group; first += 3) AttendGroup<3, T>(a, first);
  if (first + 2 == a.group) return AttendGroup<2, T>(a, first);
  if (first < a.group) AttendGroup<1, T>(a, first);
}

void Attend(const Attended &a) {
  a.half ? AttendRows<hwy::float16_t>(a) : AttendRows<float>(a);
}

void AttendGrad(const Attended &a, const float *dz, float *dk, float *dv) {
  float *shares = a.scores, *slopes = shares + a.count, *capped = slopes + a.count;
  GroupScores<1, float>(a, a.q, shares);
  if (a.cap > 0) SoftCap(a.cap, shares, capped, a.count);
  Share(shares, a.count);
  for (size_t j = 0; j < a.count; ++j) {
    const size_t row = size_t(a.rows[j]);
    Axpy(shares[j], dz, dv + row * a.d_head, a.d_head);
    slopes[j] = Dot(dz, static_cast<const float *>(a.v) + row * a.stride, a.d_head);
  }
  SoftmaxGrad(shares, a.cap > 0 ? capped : nullptr, a.scale, slopes, a.count);
  for (size_t j = 0; j < a.count; ++j)
    Axpy(slopes[j], a.q, dk + size_t(a.rows[j]) * a.d_head, a.d_head);
  GroupMix<1, float>(a, a.k, slopes, a.out);
}

/// Some rows of c, two vectors of columns at a time: as many sums as stay in registers.
template <size_t rows>
HWY_INLINE void MultiplyRows(const SmallProduct &p, size_t row) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  const float *a = p.a + row * p.a_row;
  float *c = p.c + row * p.c_row;
  size_t j = 0;
  for (; j + 2 * lanes <= p.columns; j += 2 * lanes) {
    // What is there already is added last: a sum of parts is rounded less than one long sum.
    V low[rows], high[rows];
    for (size_t i = 0; i < rows; ++i) {
      low[i] = hn::Zero(d);
      high[i] = hn::Zero(d);
    }
    for (size_t l = 0; l < p.inner; ++l) {
      const V first = hn::LoadU(d, p.b + l * p.b_row + j);
      const V second = hn::LoadU(d, p.b + l * p.b_row + j + lanes);
      for (size_t i = 0; i < rows; ++i) {
        const V factor = hn::Set(d, a[i * p.a_row + l * p.a_column]);
        low[i] = hn::MulAdd(factor, first, low[i]);
        high[i] = hn::MulAdd(factor, second, high[i]);
      }
    }
    for (size_t i = 0; i < rows; ++i) {
      float *to = c + i * p.c_row + j;
      if (p.adds) {
        low[i] = hn::Add(low[i], hn::LoadU(d, to));
        high[i] = hn::Add(high[i], hn::LoadU(d, to + lanes));
      }
      hn::StoreU(low[i], d, to);
      hn::StoreU(high[i], d, to + lanes);
    }
  }
  for (; j < p.columns; j += lanes) {
    const size_t left = std::min(lanes, p.columns - j);
    V sum[rows];
    for (size_t i = 0; i < rows; ++i) sum[i] = hn::Zero(d);
    for (size_t l = 0; l < p.inner; ++l) {
      const V only = LoadPart(p.b + l * p.b_row + j, left);
      for (size_t i = 0; i < rows; ++i)
        sum[i] = hn::MulAdd(hn::Set(d, a[i * p.a_row + l * p.a_column]), only, sum[i]);
    }
    for (size_t i = 0; i < rows; ++i) {
      float *to = c + i * p.c_row + j;
      StorePart(p.adds ? hn::Add(sum[i], LoadPart(to, left)) : sum[i], to, left);
    }
  }
}

void Multiply(const SmallProduct &p) {
  // As many rows as have their sums in registers, of which AVX2 and older have half.
  constexpr size_t most = HWY_ARCH_X86 && HWY_TARGET > HWY_AVX3 ? 4 : 8;
  size_t row = 0;
  for (; row + most <= p.rows; row += most) MultiplyRows<most>(p, row);
  for (; row + 4 <= p.rows; row += 4) MultiplyRows<4>(p, row);
  for (; row < p.rows; ++row) MultiplyRows<1>(p, row);
}

/// A panel's rows, as many as a vector has lanes, with one row of x.
template <PanelType type>
HWY_INLINE void PanelLanes(const PanelProduct &p, const uint8_t *panel, const float *x, float *y) {
  const hn::CappedTag<float, panel_rows> d;
  const hn::RebindToUnsigned<decltype(d)> du;
  const hn::RebindToSigned<decltype(d)> di;
  const hn::Rebind<hwy::float16_t, decltype(d)> half;
  const hn::Rebind<int8_t, decltype(d)> small;
  const hn::Rebind<uint8_t, decltype(d)> plain;
  constexpr bool nibbles = has_nibbles(type);
  constexpr size_t start = panel_header(type) * panel_rows;
  const auto number = [&](auto bits, auto mask) HWY_ATTR {
    return hn::ConvertTo(d, hn::BitCast(di, hn::And(bits, mask)));
  };
  for (size_t lane = 0; lane < panel_rows; lane += hn::Lanes(d)) {
    auto sum = hn::Zero(d);
    for (size_t c = 0; c < p.columns; c += 32) {
      const uint8_t *block = panel + c / 32 * panel_block_bytes(type);
      const auto *scales = reinterpret_cast<const hwy::float16_t *>(block);
      // The first 16 columns, and the others.
      auto low = hn::Zero(d), high = low;
      float low_sum = 0, high_sum = 0;
      for (size_t j = 0; j < (nibbles ? 16 : 32); j += 4) {
        auto bits = hn::LoadU(
            du, reinterpret_cast<const uint32_t *>(block + start + j * panel_rows) + lane);
        for (size_t i = j; i < j + 4; ++i) {
          const auto only = hn::Set(d, x[c + i]), other = hn::Set(d, nibbles ? x[c + i + 16] : 0);
          const auto q = number(bits, hn::Set(du, nibbles ? 15 : 255));
          (i < 16 ? low : high) = hn::MulAdd(q, only, i < 16 ? low : high);
          (i < 16 ? low_sum : high_sum) += x[c + i];
          bits = hn::ShiftRight<4>(bits);
          if (nibbles) {
            high = hn::MulAdd(number(bits, hn::Set(du, 15)), other, high);
            high_sum += x[c + i + 16];
          }
          bits = hn::ShiftRight<4>(bits);
        }
      }
      const auto add = [&](size_t which, auto part, float total) HWY_ATTR {
        auto scale = hn::PromoteTo(d, hn::LoadU(half, scales + lane));
        auto least = hn::Zero(d);
        if (type == PanelType::q4_1) {
          least = hn::PromoteTo(d, hn::LoadU(half, scales + panel_rows + lane));
        } else if (is_halved(type)) {
          const uint8_t *integers = block + 4 * panel_rows + which * panel_rows + lane;
          const auto factor = hn::LoadU(small, reinterpret_cast<const int8_t *>(integers));
          const auto leasts = hn::LoadU(plain, integers + 2 * panel_rows);
          scale = hn::Mul(scale, hn::ConvertTo(d, hn::PromoteTo(di, factor)));
          least = hn::Neg(hn::Mul(
              hn::PromoteTo(d, hn::LoadU(half, scales + panel_rows + lane)),
              hn::ConvertTo(d, hn::PromoteTo(di, leasts))));
        }
        least = hn::NegMulAdd(scale, hn::Set(d, float(p.zero)), least);
        sum = hn::MulAdd(scale, part, hn::MulAdd(least, hn::Set(d, total), sum));
      };
      add(0, low, low_sum);
      add(1, high, high_sum);
    }
    hn::StoreU(sum, d, y + lane);
  }
}

template <PanelType type>
void MultiplyPanelsOf(const PanelProduct &p) {
  const size_t bytes = p.columns / 32 * panel_block_bytes(type);
  float sums[panel_rows];
  for (size_t row = 0; row < p.rows; row += panel_rows)
    for (size_t t = 0; t < p.m; ++t) {
      PanelLanes<type>(p, p.panels + row / panel_rows * bytes, p.x + t * p.columns, sums);
      float *y = p.y + t * p.y_row + row;
      for (size_t i = 0; i < panel_rows && row + i < p.rows; ++i)
        y[i] = p.adds ? y[i] + sums[i] : sums[i];
    }
}

void MultiplyPanels(const PanelProduct &p) {
  switch (p.type) {
    case PanelType::q4_0: return MultiplyPanelsOf<PanelType::q4_0>(p);
    case PanelType::q4_1: return MultiplyPanelsOf<PanelType::q4_1>(p);
    case PanelType::q8_0: return MultiplyPanelsOf<PanelType::q8_0>(p);
    case PanelType::halved_nibbles: return MultiplyPanelsOf<PanelType::halved_nibbles>(p);
    case PanelType::halved_bytes: return MultiplyPanelsOf<PanelType::halved_bytes>(p);
  }
}

void RoundBlock(const float *x, int8_t *parts, float &scale, int32_t sums[2]) {
  const hn::CappedTag<float, 16> d;
  using Numbers = hn::Vec<decltype(d)>;
  const size_t lanes = hn::Lanes(d);
  auto top = hn::Zero(d), wrong = hn::Zero(d);
  for (size_t i = 0; i < 32; i += lanes) {
    const Numbers a = hn::LoadU(d, x + i);
    top = hn::Max(top, hn::Abs(a));
    wrong = hn::MulAdd(a, hn::Zero(d), wrong);
  }
  // The largest integer whose parts are bytes.
  constexpr float most = (127 << 14) + (63 << 7) + 63;
  const float largest = hn::GetLane(hn::MaxOfLanes(d, top));
  scale = largest / most;
  // What is smaller than this could not be divided by, and is nothing beside any weight.
  const Numbers inverse = hn::Set(d, largest > 1e-30f ? most / largest : 0);
  // A number that is none, or infinite, has to show in the result.
  scale += hn::GetLane(hn::SumOfLanes(d, wrong));
  const hn::RebindToSigned<decltype(d)> di;
  const hn::Rebind<int8_t, decltype(d)> bytes;
  for (size_t half = 0; half < 2; ++half) {
    auto total = hn::Zero(di);
    for (size_t i = 16 * half; i < 16 * (half + 1); i += lanes) {
      const auto q = hn::NearestInt(hn::Mul(hn::LoadU(d, x + i), inverse));
      const auto high = hn::ShiftRight<14>(hn::Add(q, hn::Set(di, 1 << 13)));
      const auto rest = hn::Sub(q, hn::ShiftLeft<14>(high));
      const auto middle = hn::ShiftRight<7>(hn::Add(rest, hn::Set(di, 64)));
      const auto low = hn::Sub(rest, hn::ShiftLeft<7>(middle));
      total = hn::Add(total, q);
      hn::StoreU(hn::DemoteTo(bytes, high), bytes, parts + i);
      hn::StoreU(hn::DemoteTo(bytes, middle), bytes, parts + 32 + i);
      hn::StoreU(hn::DemoteTo(bytes, low), bytes, parts + 64 + i);
    }
    int32_t whole[16];
    hn::StoreU(total, di, whole);
    // Of numbers that are none, the integers are anything.
    uint32_t all = 0;
    for (size_t i = 0; i < lanes; ++i) all += uint32_t(whole[i]);
    sums[half] = int32_t(all);
  }
}

void AdamW(
    const AdamWStep &step, const float *p, const float *g, const float *m, const float *v,
    float *p_out, float *m_out, float *v_out, size_t n) {
  const D d;
  const V beta1 = hn::Set(d, float(step.beta1)), rest1 = hn::Set(d, float(1 - step.beta1));
  const V beta2 = hn::Set(d, float(step.beta2)), rest2 = hn::Set(d, float(1 - step.beta2));
  const V epsilon = hn::Set(d, step.epsilon), keep = hn::Set(d, step.keep);
  const V rate = hn::Set(d, step.rate), correction = hn::Set(d, step.correction);
  for_each_vector(n, [&](size_t i, auto load, auto store) HWY_ATTR {
    const V gradient = load(g + i);
    const V first = hn::MulAdd(load(m + i), beta1, hn::Mul(gradient, rest1));
    const V second =
        hn::MulAdd(load(v + i), beta2, hn::Mul(hn::Mul(gradient, gradient), rest2));
    const V scale = hn::Add(hn::Div(hn::Sqrt(second), correction), epsilon);
    store(
        hn::NegMulAdd(hn::Div(first, scale), rate, hn::Mul(load(p + i), keep)), p_out + i);
    store(first, m_out + i);
    store(second, v_out + i);
  });
}

void ToBfloat16(const float *x, uint16_t *out, size_t n) {
  // A plain loop: the compiler vectorises the integer rounding for the target at hand.
  for (size_t i = 0; i < n; ++i) {
    uint32_t bits;
    __builtin_memcpy(&bits, x + i, 4);
    const bool none = (bits & 0x7fffffffu) > 0x7f800000u;
    // Rounded up, what is no number could become one.
    out[i] = uint16_t((none ? bits | 0x400000u : bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
  }
}

const char *TargetName() { return hwy::TargetName(HWY_TARGET); }

}  // namespace cmlx::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cmlx::kernels {

HWY_EXPORT(Gated);
HWY_EXPORT(GatedGrad);
HWY_EXPORT(LayerNorm);
HWY_EXPORT(LayerNormGrad);
HWY_EXPORT(RmsNorm);
HWY_EXPORT(RmsNormGrad);
HWY_EXPORT(Rope);
HWY_EXPORT(Dot);
HWY_EXPORT(Axpy);
HWY_EXPORT(Scale);
HWY_EXPORT(Maximum);
HWY_EXPORT(ExpShifted);
HWY_EXPORT(LogSumExp);
HWY_EXPORT(Attend);
HWY_EXPORT(AttendGrad);
HWY_EXPORT(SoftCap);
HWY_EXPORT(Share);
HWY_EXPORT(SoftmaxGrad);
HWY_EXPORT(AdamW);
HWY_EXPORT(Multiply);
HWY_EXPORT(MultiplyPanels);
HWY_EXPORT(RoundBlock);
HWY_EXPORT(ToBfloat16);
HWY_EXPORT(ToHalf);
HWY_EXPORT(TargetName);

void gated(Activation act, const float *gate, const float *up, float *out, size_t n) {
  HWY_DYNAMIC_DISPATCH(Gated)(act, gate, up, out, n);
}
void gated_grad(
    Activation act, const float *gate, const float *up, const float *d, float *d_gate, float *d_up,
    size_t n) {
  HWY_DYNAMIC_DISPATCH(GatedGrad)(act, gate, up, d, d_gate, d_up, n);
}
void layer_norm(
    const float *x, const float *weight, const float *bias, float epsilon, float *out, size_t n) {
  HWY_DYNAMIC_DISPATCH(LayerNorm)(x, weight, bias, epsilon, out, n);
}
void layer_norm_grad(
    const float *x, const float *weight, float epsilon, const float *d, float *dx, size_t n) {
  HWY_DYNAMIC_DISPATCH(LayerNormGrad)(x, weight, epsilon, d, dx, n);
}
void rms_norm(const float *x, const float *weight, float epsilon, float *out, size_t n) {
  HWY_DYNAMIC_DISPATCH(RmsNorm)(x, weight, epsilon, out, n);
}
void rms_norm_grad(
    const float *x, const float *weight, float epsilon, const float *d, float *dx, size_t n) {
  HWY_DYNAMIC_DISPATCH(RmsNormGrad)(x, weight, epsilon, d, dx, n);
}
void rope(
    const float *x, const float *cosine, const float *sine, float sign, float *out, size_t n) {
  HWY_DYNAMIC_DISPATCH(Rope)(x, cosine, sine, sign, out, n);
}
void adamw(
    const AdamWStep &step, const float *p, const float *g, const float *m, const float *v,
    float *p_out, float *m_out, float *v_out, size_t n) {
  HWY_DYNAMIC_DISPATCH(AdamW)(step, p, g, m, v, p_out, m_out, v_out, n);
}
float dot(const float *a, const float *b, size_t n) { return HWY_DYNAMIC_DISPATCH(Dot)(a, b, n); }
void axpy(float alpha, const float *x, float *y, size_t n) {
  HWY_DYNAMIC_DISPATCH(Axpy)(alpha, x, y, n);
}
void scale(float alpha, float *x, size_t n) { HWY_DYNAMIC_DISPATCH(Scale)(alpha, x, n); }
float maximum(const float *x, size_t n) { return HWY_DYNAMIC_DISPATCH(Maximum)(x, n); }
float exp_shifted(float *x, float shift, size_t n) {
  return HWY_DYNAMIC_DISPATCH(ExpShifted)(x, shift, n);
}
float log_sum_exp(const float *x, float top, size_t n) {
  return HWY_DYNAMIC_DISPATCH(LogSumExp)(x, top, n);
}
void attend(const Attended &attended) {
  HWY_DYNAMIC_DISPATCH(Attend)(attended);
}
void attend_grad(const Attended &attended, const float *dz, float *dk, float *dv) {
  HWY_DYNAMIC_DISPATCH(AttendGrad)(attended, dz, dk, dv);
}
void soft_cap(float cap, float *x, float *slopes, size_t n) {
  HWY_DYNAMIC_DISPATCH(SoftCap)(cap, x, slopes, n);
}
void share(float *scores, size_t n) { HWY_DYNAMIC_DISPATCH(Share)(scores, n); }
void softmax_grad(
    const float *shares, const float *capped, float scale, float *slopes, size_t n) {
  HWY_DYNAMIC_DISPATCH(SoftmaxGrad)(shares, capped, scale, slopes, n);
}
void multiply(const SmallProduct &product) { HWY_DYNAMIC_DISPATCH(Multiply)(product); }
void multiply_panels(const PanelProduct &product) {
  HWY_DYNAMIC_DISPATCH(MultiplyPanels)(product);
}
void round_block(const float *x, int8_t *parts, float &scale, int32_t sums[2]) {
  HWY_DYNAMIC_DISPATCH(RoundBlock)(x, parts, scale, sums);
}
void to_bfloat16(const float *x, uint16_t *out, size_t n) {
  HWY_DYNAMIC_DISPATCH(ToBfloat16)(x, out, n);
}
void to_half(const float *x, uint16_t *out, size_t n) { HWY_DYNAMIC_DISPATCH(ToHalf)(x, out, n); }
const char *target_name() { return HWY_DYNAMIC_DISPATCH(TargetName)(); }

}  // namespace cmlx::kernels
#endif
