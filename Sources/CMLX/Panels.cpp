#include "Panels.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "Parallel.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#define CMLX_DOTS __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))
#define CMLX_WIDENS __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))
#endif

using namespace cmlx;
using kernels::BlockType;

namespace {

/// Scales, and minima, before a block's weights: two bytes each, in a file once and in a panel 16 times.
constexpr size_t header(BlockType type) { return type == BlockType::q4_1 ? 4 : 2; }

/// What stored nibbles or bytes are less than the integers that they stand for; bytes of Q8_0 are signed
/// in a file and not in a panel.
constexpr int offset(BlockType type) {
  return type == BlockType::q4_0 ? 8 : type == BlockType::q8_0 ? 128 : 0;
}

/// One row's block of the file, into its lane of a panel's block.
void place(BlockType type, const uint8_t *from, int64_t lane, uint8_t *to) {
  for (size_t i = 0; i < header(type); i += 2)
    std::memcpy(to + i * Panels::lanes + lane * 2, from + i, 2);
  const uint8_t *q = from + header(type);
  uint8_t *out = to + header(type) * Panels::lanes + lane * 4;
  const bool is_signed = type == BlockType::q8_0;
  for (int i = 0; i < (is_signed ? 32 : 16); ++i)
    out[i / 4 * Panels::lanes * 4 + i % 4] = is_signed ? q[i] ^ 0x80 : q[i];
}

#if defined(__x86_64__)

/// Whether four products of bytes are summed in one instruction.
bool dots() {
  static const bool value =
      __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl");
  return value;
}

/// The payload of four columns a row, and in types of nibbles of the four 16 columns on.
template <BlockType type>
struct Columns {
  static constexpr int vectors = type == BlockType::q8_0 ? 8 : 4;
};

CMLX_DOTS inline __m512 halves(const uint8_t *p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(p)));
}

/// Four bytes of a token's, for all rows.
CMLX_DOTS inline __m512i spread(const int8_t *x) {
  int32_t four;
  std::memcpy(&four, x, 4);
  return _mm512_set1_epi32(four);
}

/// A panel with `m` tokens, which share the reading of it.
template <BlockType type, int m>
CMLX_DOTS void dot_panel(
    const uint8_t *panel, int64_t blocks, const Rounded &x, int64_t token, __m512 *y) {
  const __m512i nibble = _mm512_set1_epi8(15);
  constexpr int vectors = Columns<type>::vectors, parts = 3;
  constexpr size_t bytes = kernels::panel_block_bytes(type), start = header(type) * 16;
  for (int t = 0; t < m; ++t) y[t] = _mm512_setzero_ps();
  for (int64_t b = 0; b < blocks; ++b, panel += bytes) {
    for (size_t i = 0; i < bytes; i += 64)
      _mm_prefetch(reinterpret_cast<const char *>(panel + 4096 + i), _MM_HINT_T0);
    __m512i sums[parts][m];
    const int8_t *few[m];
    for (int t = 0; t < m; ++t) {
      few[t] = x.few.data() + ((token + t) * blocks + b) * kernels::round_block_bytes;
      for (int i = 0; i < parts; ++i) sums[i][t] = _mm512_setzero_si512();
    }
    for (int j = 0; j < vectors; ++j) {
      const __m512i q = _mm512_loadu_si512(panel + start + j * 64);
      const __m512i first = type == BlockType::q8_0 ? q : _mm512_and_si512(q, nibble);
      for (int t = 0; t < m; ++t)
        for (int i = 0; i < parts; ++i)
          sums[i][t] = _mm512_dpbusd_epi32(sums[i][t], first, spread(few[t] + 32 * i + 4 * j));
      if constexpr (type != BlockType::q8_0) {
        const __m512i second = _mm512_and_si512(_mm512_srli_epi16(q, 4), nibble);
        for (int t = 0; t < m; ++t)
          for (int i = 0; i < parts; ++i)
            sums[i][t] =
                _mm512_dpbusd_epi32(sums[i][t], second, spread(few[t] + 32 * i + 16 + 4 * j));
      }
    }
    const __m512 scale = halves(panel);
    const __m512 least = type == BlockType::q4_1
                             ? halves(panel + 32)
                             : _mm512_mul_ps(scale, _mm512_set1_ps(-offset(type)));
    for (int t = 0; t < m; ++t) {
      const int64_t at = (token + t) * blocks + b;
      // The upper part's products fill 20 bits, and those of the lower two together 27.
      const __m512i low = _mm512_add_epi32(_mm512_slli_epi32(sums[1][t], 7), sums[2][t]);
      const __m512 sum = _mm512_fmadd_ps(
          _mm512_cvtepi32_ps(sums[0][t]), _mm512_set1_ps(1 << 14), _mm512_cvtepi32_ps(low));
      const __m512 s = _mm512_set1_ps(x.scales[at]);
      y[t] = _mm512_fmadd_ps(_mm512_mul_ps(sum, s), scale, y[t]);
      y[t] = _mm512_fmadd_ps(least, _mm512_set1_ps(x.scales[at] * float(x.sums[at])), y[t]);
    }
  }
}

template <BlockType type, int m>
CMLX_DOTS void dot_tokens(
    const uint8_t *panel, int64_t blocks, const Rounded &x, int64_t token, __mmask16 rows, float *y,
    int64_t stride, bool adds) {
  __m512 sums[m];
  dot_panel<type, m>(panel, blocks, x, token, sums);
  for (int t = 0; t < m; ++t) {
    float *out = y + (token + t) * stride;
    if (adds) sums[t] = _mm512_add_ps(sums[t], _mm512_maskz_loadu_ps(rows, out));
    _mm512_mask_storeu_ps(out, rows, sums[t]);
  }
}

template <BlockType type>
CMLX_DOTS void dot_rows(
    const uint8_t *panels, int64_t count, int64_t columns, const Rounded &x, float *y,
    int64_t stride, bool adds) {
  const int64_t blocks = columns / 32;
  for (int64_t row = 0; row < count; row += 16) {
    const __mmask16 rows = count - row >= 16 ? 0xffff : __mmask16((1u << (count - row)) - 1);
    const uint8_t *panel = panels + row / 16 * blocks * kernels::panel_block_bytes(type);
    int64_t t = 0;
    for (; t + 4 <= x.rows; t += 4)
      dot_tokens<type, 4>(panel, blocks, x, t, rows, y + row, stride, adds);
    for (; t + 2 <= x.rows; t += 2)
      dot_tokens<type, 2>(panel, blocks, x, t, rows, y + row, stride, adds);
    for (; t < x.rows; ++t)
      dot_tokens<type, 1>(panel, blocks, x, t, rows, y + row, stride, adds);
  }
}

/// The weights in some bits of a dword: those bits become the upper ones of the fraction of a number from
/// 16 to 32 (256 to 512 for bytes), which takes no conversion. `least` is that of the fraction's zero.
template <bool nibbles>
CMLX_WIDENS inline __m512 numbers(__m512i q, int shift, __m512 scale, __m512 least) {
  constexpr int place = nibbles ? 19 : 15, base = nibbles ? 0x41800000 : 0x43800000;
  const __m512i moved = shift < place ? _mm512_slli_epi32(q, place - shift)
                                      : _mm512_srli_epi32(q, shift - place);
  const __m512i mask = _mm512_set1_epi32((nibbles ? 15 : 255) << place);
  // (moved & mask) | base
  const __m512i bits = _mm512_ternarylogic_epi32(moved, mask, _mm512_set1_epi32(base), 0xea);
  return _mm512_fmadd_ps(_mm512_castsi512_ps(bits), scale, least);
}

/// Two columns of 16 rows, rounded, those of a row side by side.
CMLX_WIDENS inline void store_pair(__m512 even, __m512 odd, uint16_t *to) {
  const __m512i order = _mm512_or_si512(
      _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
      _mm512_slli_epi32(
          _mm512_set_epi32(31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16), 16));
  const __m512i both = (__m512i)_mm512_cvtne2ps_pbh(odd, even);
  _mm512_storeu_si512(to, _mm512_permutexvar_epi16(order, both));
}

template <BlockType type>
CMLX_WIDENS void widen_block(const uint8_t *from, uint16_t *tile) {
  const __m512 scale = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)from));
  constexpr bool nibbles = type != BlockType::q8_0;
  constexpr float base = nibbles ? 16 : 256;
  const __m512 least =
      type == BlockType::q4_1
          ? _mm512_fmadd_ps(
                scale, _mm512_set1_ps(-base),
                _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(from + 32))))
          : _mm512_mul_ps(scale, _mm512_set1_ps(-base - offset(type)));
  for (size_t i = 0; i < kernels::panel_block_bytes(type); i += 64)
    _mm_prefetch(reinterpret_cast<const char *>(from + 4096 + i), _MM_HINT_T0);
  from += header(type) * 16;
  for (int j = 0; j < Columns<type>::vectors; ++j)
    for (int half = 0; half < 2; ++half) {
      const __m512i q = _mm512_loadu_si512(from + j * 64);
      const int shift = 16 * half;
      uint16_t *to = tile + (2 * j + half) * 32;
      store_pair(
          numbers<nibbles>(q, shift, scale, least), numbers<nibbles>(q, shift + 8, scale, least), to);
      if constexpr (nibbles)
        store_pair(
            numbers<nibbles>(q, shift + 4, scale, least),
            numbers<nibbles>(q, shift + 12, scale, least), to + 8 * 32);
    }
}

#else
bool dots() { return false; }
#endif

}  // namespace

Panels::Panels(
    BlockType type, const uint8_t *blocks, int64_t rows, int64_t columns, const int *order)
    : type(type), rows(rows), columns(columns) {
  const int64_t steps = columns / block, panels = (rows + lanes - 1) / lanes;
  const size_t bytes = kernels::block_bytes(type), wide = kernels::panel_block_bytes(type);
  // What is prefetched behind the last block is read by nobody; it need not exist.
  bytes_.resize(panels * panel_bytes());
  parallel(panels, 4, [&](size_t begin, size_t end) {
    for (int64_t row = begin * lanes; row < std::min<int64_t>(end * lanes, rows); ++row) {
      const uint8_t *from = blocks + (order ? order[row] : row) * steps * bytes;
      uint8_t *to = bytes_.data() + row / lanes * panel_bytes();
      for (int64_t step = 0; step < steps; ++step)
        place(type, from + step * bytes, row % lanes, to + step * wide);
    }
  });
}

void Panels::prepare(int64_t m, Rounded &rounded) const {
  const size_t blocks = m * (columns / block);
  rounded.rows = m;
  const auto grow = [](auto &memory, size_t size) {
    if (memory.size() < size) memory.resize(size);
  };
  grow(rounded.scales, blocks);
  grow(rounded.sums, blocks);
  grow(rounded.few, blocks * kernels::round_block_bytes);
}

void Panels::round(const float *x, int64_t begin, int64_t end, Rounded &rounded) const {
  rounded.plain = x;
  if (!dots()) return;
  const int64_t steps = columns / block;
  for (int64_t at = begin * steps; at < end * steps; ++at)
    kernels::round_block(
        x + at * block, rounded.few.data() + at * kernels::round_block_bytes, rounded.scales[at],
        rounded.sums[at]);
}

void Panels::multiply(
    const Rounded &x, int64_t first, int64_t last, float *y, int64_t stride, bool adds) const {
  const uint8_t *panels = bytes_.data() + first / lanes * panel_bytes();
#if defined(__x86_64__)
  if (dots()) {
    switch (type) {
      case BlockType::q4_0:
        return dot_rows<BlockType::q4_0>(panels, last - first, columns, x, y, stride, adds);
      case BlockType::q4_1:
        return dot_rows<BlockType::q4_1>(panels, last - first, columns, x, y, stride, adds);
      case BlockType::q8_0:
        return dot_rows<BlockType::q8_0>(panels, last - first, columns, x, y, stride, adds);
    }
  }
#endif
  kernels::multiply_panels(
      {type, panels, size_t(last - first), size_t(columns), x.plain, size_t(x.rows), y,
       size_t(stride), adds});
}

void Panels::widen(int64_t panel, int64_t step, uint16_t *tile) const {
#if defined(__x86_64__)
  const uint8_t *from =
      bytes_.data() + panel * panel_bytes() + step * kernels::panel_block_bytes(type);
  switch (type) {
    case BlockType::q4_0: return widen_block<BlockType::q4_0>(from, tile);
    case BlockType::q4_1: return widen_block<BlockType::q4_1>(from, tile);
    case BlockType::q8_0: return widen_block<BlockType::q8_0>(from, tile);
  }
#endif
}
