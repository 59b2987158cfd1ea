#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "Kernels.cpp"
#include <hwy/foreach_target.h>

#include <hwy/highway.h>

#include <hwy/contrib/math/math-inl.h>

#include <cmath>

#include "Kernels.hpp"

HWY_BEFORE_NAMESPACE();
namespace cmlx::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

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
  const auto mask = hn::FirstN(d, n - i);
  body(
      i, [d, mask](const float *p) HWY_ATTR { return hn::MaskedLoad(mask, d, p); },
      [d, mask](V v, float *p) HWY_ATTR { hn::BlendedStore(v, mask, d, p); });
}

HWY_INLINE float Sum(V v) { return hn::GetLane(hn::SumOfLanes(D(), v)); }

HWY_INLINE V Sigmoid(V x) {
  const auto one = hn::Set(D(), 1.0f);
  // Highway's Exp is valid up to 104; beyond 88 the sigmoid is below every normal float anyway.
  const auto e = hn::Exp(D(), hn::Min(hn::Neg(x), hn::Set(D(), 88.0f)));
  return hn::Div(one, hn::Add(one, e));
}

void Swiglu(const float *gate, const float *up, float *out, size_t n) {
  for_each_vector(n, [&](size_t i, auto load, auto store) HWY_ATTR {
    const V g = load(gate + i);
    store(hn::Mul(hn::Mul(g, Sigmoid(g)), load(up + i)), out + i);
  });
}

void SwigluGrad(
    const float *gate, const float *up, const float *d, float *d_gate, float *d_up, size_t n) {
  const auto one = hn::Set(D(), 1.0f);
  for_each_vector(n, [&](size_t i, auto load, auto store) HWY_ATTR {
    const V g = load(gate + i), c = load(d + i), s = Sigmoid(g), silu = hn::Mul(g, s);
    // silu'(g) = s + g s (1 - s)
    const V slope = hn::MulAdd(silu, hn::Sub(one, s), s);
    store(hn::Mul(hn::Mul(c, load(up + i)), slope), d_gate + i);
    store(hn::Mul(c, silu), d_up + i);
  });
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
    const V e = hn::IfThenElseZero(mask, hn::Exp(d, hn::Sub(hn::MaskedLoad(mask, d, x + i), s)));
    hn::BlendedStore(e, mask, d, x + i);
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

/// scores[j] = scale · q·k[rows[j]]
HWY_INLINE void Scores(
    const float *q, const float *k, const int *rows, size_t count, size_t stride, size_t d_head,
    float scale, float *scores) {
  for (size_t j = 0; j < count; ++j)
    scores[j] = scale * Dot(q, k + size_t(rows[j]) * stride, d_head);
}

/// out = Σ_j weights[j] · x[rows[j]], a vector of `out` at a time so that it stays in a register.
HWY_INLINE void Mix(
    const float *weights, const float *x, const int *rows, size_t count, size_t stride,
    size_t d_head, float *out) {
  for_each_vector(d_head, [&](size_t i, auto load, auto store) HWY_ATTR {
    V sum = hn::Zero(D());
    for (size_t j = 0; j < count; ++j)
      sum = hn::MulAdd(hn::Set(D(), weights[j]), load(x + size_t(rows[j]) * stride + i), sum);
    store(sum, out + i);
  });
}

float Attend(
    const float *q, const float *k, const float *v, const int *rows, size_t count, size_t stride,
    size_t d_head, float scale, float *scores, float *out) {
  Scores(q, k, rows, count, stride, d_head, scale, scores);
  const float top = Maximum(scores, count);
  const float sum = ExpShifted(scores, top, count);
  Scale(1.0f / sum, scores, count);
  Mix(scores, v, rows, count, stride, d_head, out);
  return top + std::log(sum);
}

void AttendGrad(
    const float *q, const float *k, const float *v, const int *rows, size_t count, size_t stride,
    size_t d_head, float scale, float log_sum, const float *z, const float *d, float *scores,
    float *dq, float *dk, float *dv) {
  Scores(q, k, rows, count, stride, d_head, scale, scores);
  ExpShifted(scores, log_sum, count);
  const float mean = Dot(d, z, d_head);
  for (size_t j = 0; j < count; ++j) {
    const size_t row = size_t(rows[j]);
    Axpy(scores[j], d, dv + row * d_head, d_head);
    scores[j] *= scale * (Dot(d, v + row * stride, d_head) - mean);
    Axpy(scores[j], q, dk + row * d_head, d_head);
  }
  Mix(scores, k, rows, count, stride, d_head, dq);
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
    out[i] = uint16_t((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
  }
}

const char *TargetName() { return hwy::TargetName(HWY_TARGET); }

}  // namespace cmlx::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cmlx::kernels {

HWY_EXPORT(Swiglu);
HWY_EXPORT(SwigluGrad);
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
HWY_EXPORT(AdamW);
HWY_EXPORT(ToBfloat16);
HWY_EXPORT(TargetName);

void swiglu(const float *gate, const float *up, float *out, size_t n) {
  HWY_DYNAMIC_DISPATCH(Swiglu)(gate, up, out, n);
}
void swiglu_grad(
    const float *gate, const float *up, const float *d, float *d_gate, float *d_up, size_t n) {
  HWY_DYNAMIC_DISPATCH(SwigluGrad)(gate, up, d, d_gate, d_up, n);
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
float attend(
    const float *q, const float *k, const float *v, const int *rows, size_t count, size_t stride,
    size_t d_head, float scale, float *scores, float *out) {
  return HWY_DYNAMIC_DISPATCH(Attend)(
      q, k, v, rows, count, stride, d_head, scale, scores, out);
}
void attend_grad(
    const float *q, const float *k, const float *v, const int *rows, size_t count, size_t stride,
    size_t d_head, float scale, float log_sum, const float *z, const float *d, float *scores,
    float *dq, float *dk, float *dv) {
  HWY_DYNAMIC_DISPATCH(AttendGrad)
  (q, k, v, rows, count, stride, d_head, scale, log_sum, z, d, scores, dq, dk, dv);
}
void to_bfloat16(const float *x, uint16_t *out, size_t n) {
  HWY_DYNAMIC_DISPATCH(ToBfloat16)(x, out, n);
}
const char *target_name() { return HWY_DYNAMIC_DISPATCH(TargetName)(); }

}  // namespace cmlx::kernels
#endif
