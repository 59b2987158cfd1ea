// Vectorised loops over rows of fp32, dispatched at run time to the best instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cmlx::kernels {

/// The nonlinearities of MLPs, numbered as in the C header.
enum class Activation { silu, gelu, gelu_tanh };

/// out = act(gate) · up, n elements; without `up`, act(gate).
void gated(Activation act, const float *gate, const float *up, float *out, size_t n);
/// Derivatives of `gated` for the cotangent `d`.
void gated_grad(
    Activation act, const float *gate, const float *up, const float *d, float *d_gate, float *d_up,
    size_t n);
/// One row: out = (x - mean) / sqrt(variance + epsilon) · weight + bias.
void layer_norm(
    const float *x, const float *weight, const float *bias, float epsilon, float *out, size_t n);
/// One row of the derivative with respect to x.
void layer_norm_grad(
    const float *x, const float *weight, float epsilon, const float *d, float *dx, size_t n);
/// One row: out = x · weight / sqrt(mean(x²) + epsilon).
void rms_norm(const float *x, const float *weight, float epsilon, float *out, size_t n);
/// One row of the derivative with respect to x.
void rms_norm_grad(
    const float *x, const float *weight, float epsilon, const float *d, float *dx, size_t n);
/// One head: rotates the first n elements of x with the n after them by the angles given.
void rope(const float *x, const float *cosine, const float *sine, float sign, float *out, size_t n);
float dot(const float *a, const float *b, size_t n);
/// y += alpha · x
void axpy(float alpha, const float *x, float *y, size_t n);
/// x *= alpha
void scale(float alpha, float *x, size_t n);
float maximum(const float *x, size_t n);
/// x = exp(x - shift); returns the sum.
float exp_shifted(float *x, float shift, size_t n);
/// log Σ exp x, in nats; `top` is the maximum of x.
float log_sum_exp(const float *x, float top, size_t n);
/// What one step of AdamW multiplies and adds.
struct AdamWStep {
  double beta1, beta2;
  float epsilon;
  /// 1 - learning rate · weight decay.
  float keep;
  /// Learning rate over the first moment's bias correction.
  float rate;
  /// Root of the second moment's bias correction.
  float correction;
};
/// n parameters p with gradients g and moments m and v, one step on.
void adamw(
    const AdamWStep &step, const float *p, const float *g, const float *m, const float *v,
    float *p_out, float *m_out, float *v_out, size_t n);
/// Queries `[group, d_head]` that share a head of keys, over `count` of its rows: `rows[j]` indexes k and
/// v, whose rows lie `stride` floats apart. Scores are scale · q·k, with a `cap` above zero cap · tanh of that
/// / cap. k and v are `half`-precision numbers or fp32. `scores` is scratch of `group_at_once` rows of `count`
/// floats, or `rows_of_gradient`; the mixtures of values go to `out` `[group, d_head]`.
struct Attended {
  const float *q;
  size_t group;
  const void *k, *v;
  const int *rows;
  size_t count, stride, d_head;
  float scale, cap;
  float *scores, *out;
  bool half = false;

  static constexpr size_t group_at_once = 3, rows_of_gradient = 3;
};
void attend(const Attended &attended);
/// The derivative of `attend` of one query with fp32 keys for the cotangent `dz`: writes dq to `out`, and
/// adds into dk and dv at the rows' places, d_head floats apart.
void attend_grad(const Attended &attended, const float *dz, float *dk, float *dv);
/// x = cap · tanh(x / cap), and its slopes unless that is null.
void soft_cap(float cap, float *x, float *slopes, size_t n);
/// Scores become exp(score) / Σ exp.
void share(float *scores, size_t n);
/// Slopes along shares become slopes along what `share`, and `soft_cap` with the slopes `capped` unless
/// that is null, and a scale before both were given.
void softmax_grad(const float *shares, const float *capped, float scale, float *slopes, size_t n);
/// c[i, j] (+)= Σ_l a[i, l] b[l, j], what is there added last, for small matrices or parts of large ones: the
/// elements of a lie `a_row` and `a_column` apart, so that it may be transposed, and rows of b and c
/// `b_row` and `c_row`.
struct SmallProduct {
  const float *a, *b;
  float *c;
  size_t rows, inner, columns, a_row, a_column, b_row, c_row;
  bool adds;
};
void multiply(const SmallProduct &product);
/// How blocks of 32 weights a row lie in a panel: as in a GGUF file, or, for types with a scale for every
/// 16, with the header of a `HalvedBlock` and nibbles or bytes. Bytes of Q8_0 are stored 128 higher.
enum class PanelType { q4_0, q4_1, q8_0, halved_nibbles, halved_bytes };
constexpr bool is_halved(PanelType type) { return type > PanelType::q8_0; }
constexpr bool has_nibbles(PanelType type) {
  return type != PanelType::q8_0 && type != PanelType::halved_bytes;
}
/// Rows of weights that lie side by side in a panel.
constexpr int panel_rows = 16;
/// A row's scales and minima, before its weights: half-precision, of halved types followed by their two
/// integers for each half. Of every number, first that of one row after the other's.
constexpr size_t panel_header(PanelType type) {
  return is_halved(type) ? 8 : type == PanelType::q4_1 ? 4 : 2;
}
/// A panel's block: the header, and for every four columns, or four and the four 16 columns on in their
/// upper nibbles, the bytes of one row after the other's.
constexpr size_t panel_block_bytes(PanelType type) {
  return panel_rows * (panel_header(type) + (has_nibbles(type) ? 16 : 32));
}
/// y[t, r] (+)= Σ_c w[r, c] x[t, c] for panels of w, whose integers are `zero` higher than what they stand
/// for; rows of x are `columns` apart and those of y `y_row`.
struct PanelProduct {
  PanelType type;
  int zero;
  const uint8_t *panels;
  size_t rows, columns;
  const float *x;
  size_t m;
  float *y;
  size_t y_row;
  bool adds;
};
void multiply_panels(const PanelProduct &product);
/// 32 numbers as integers of 22 bits times `scale`: 32 bytes in units of 2¹⁴, 32 in units of 2⁷, and 32
/// of what is left. `sums` are those of the first 16 integers and of the others.
void round_block(const float *x, int8_t *parts, float &scale, int32_t sums[2]);
constexpr size_t round_block_bytes = 96;
/// Round to nearest even.
void to_bfloat16(const float *x, uint16_t *out, size_t n);
/// Half precision; numbers beyond it become its largest, and NaN stays.
void to_half(const float *x, uint16_t *out, size_t n);
/// The name of the target that the calls above run on.
const char *target_name();

}  // namespace cmlx::kernels
