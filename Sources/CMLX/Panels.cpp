#include "Panels.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "Parallel.hpp"
#include "Tiles.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#define CMLX_DOTS __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))
#define CMLX_READS __attribute__((target("avx512f,avx512bw,avx512vl")))
#endif

using namespace cmlx;
using kernels::PanelType;

namespace {

PanelType panel_type(BlockType type) {
  switch (type) {
    case BlockType::q4_0: return PanelType::q4_0;
    case BlockType::q4_1: return PanelType::q4_1;
    case BlockType::q8_0: return PanelType::q8_0;
    default: return has_nibbles(type) ? PanelType::halved_nibbles : PanelType::halved_bytes;
  }
}

/// What stored integers are higher than what they stand for; bytes of Q8_0 are signed in a file and not
/// in a panel.
int zero_of(BlockType type) {
  return type == BlockType::q4_0 ? 8 : type == BlockType::q8_0 ? 128 : cmlx::zero(type);
}

/// Where the four columns from i on of a row's lane begin.
uint8_t *columns_at(PanelType type, uint8_t *block, int64_t lane, int i) {
  return block + (panel_header(type) + i) * Panels::lanes + lane * 4;
}

/// One row's block of the file, into its lane of a panel's block.
void place(PanelType type, const uint8_t *from, int64_t lane, uint8_t *to) {
  const size_t header = panel_header(type);
  for (size_t i = 0; i < header; i += 2)
    std::memcpy(to + i * Panels::lanes + lane * 2, from + i, 2);
  const uint8_t *q = from + header;
  const bool is_signed = type == PanelType::q8_0;
  for (int i = 0; i < (is_signed ? 32 : 16); ++i)
    columns_at(type, to, lane, i / 4 * 4)[i % 4] = is_signed ? q[i] ^ 0x80 : q[i];
}

void place(PanelType type, const HalvedBlock &from, int64_t lane, uint8_t *to) {
  constexpr int64_t lanes = Panels::lanes;
  std::memcpy(to + lane * 2, &from.scale, 2);
  std::memcpy(to + 2 * lanes + lane * 2, &from.least, 2);
  for (int half = 0; half < 2; ++half) {
    to[(4 + half) * lanes + lane] = uint8_t(from.scales[half]);
    to[(6 + half) * lanes + lane] = from.leasts[half];
  }
  const bool nibbles = has_nibbles(type);
  for (int i = 0; i < (nibbles ? 16 : 32); ++i)
    columns_at(type, to, lane, i / 4 * 4)[i % 4] =
        uint8_t(nibbles ? from.q[i] | from.q[i + 16] << 4 : from.q[i]);
}

#if defined(__x86_64__)

/// Whether four products of bytes are summed in one instruction.
bool dots() {
  static const bool value =
      __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl");
  return value;
}

CMLX_READS inline __m512 halves(const uint8_t *p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(p)));
}

/// What a half of a block's integers are multiplied by, and what is added to the products.
struct Affine {
  __m512 scale, least;
};

template <PanelType type>
CMLX_READS inline Affine affine(const uint8_t *block, int half, int zero) {
  const __m512 factor = _mm512_set1_ps(float(-zero));
  __m512 scale = halves(block);
  if constexpr (type == PanelType::q4_1) return {scale, halves(block + 32)};
  if constexpr (!is_halved(type)) return {scale, _mm512_mul_ps(scale, factor)};
  const auto integers = reinterpret_cast<const __m128i *>(block + 64) + half;
  scale = _mm512_mul_ps(
      scale, _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(integers))));
  const __m512 leasts =
      _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(integers + 2)));
  return {scale, _mm512_fnmadd_ps(halves(block + 32), leasts, _mm512_mul_ps(scale, factor))};
}

/// Four bytes of a token's, for all rows.
CMLX_DOTS inline __m512i spread(const int8_t *x) {
  int32_t four;
  std::memcpy(&four, x, 4);
  return _mm512_set1_epi32(four);
}

/// A panel with `m` tokens, which share the reading of it.
template <PanelType type, int m>
CMLX_DOTS void dot_panel(
    const uint8_t *panel, int zero, int64_t blocks, const Rounded &x, int64_t token, __m512 *y) {
  const __m512i nibble = _mm512_set1_epi8(15);
  constexpr bool nibbles = has_nibbles(type);
  constexpr int parts = 3, halves = is_halved(type) ? 2 : 1, vectors = nibbles ? 4 : 8 / halves;
  constexpr size_t bytes = panel_block_bytes(type), start = panel_header(type) * 16;
  for (int t = 0; t < m; ++t) y[t] = _mm512_setzero_ps();
  for (int64_t b = 0; b < blocks; ++b, panel += bytes) {
    for (size_t i = 0; i < bytes; i += 64)
      _mm_prefetch(reinterpret_cast<const char *>(panel + 4096 + i), _MM_HINT_T0);
    const int8_t *few[m];
    for (int t = 0; t < m; ++t)
      few[t] = x.few.data() + ((token + t) * blocks + b) * kernels::round_block_bytes;
    for (int half = 0; half < halves; ++half) {
      __m512i sums[parts][m];
      for (int t = 0; t < m; ++t)
        for (int i = 0; i < parts; ++i) sums[i][t] = _mm512_setzero_si512();
      const auto add = [&](__m512i q, int column) __attribute__((
                           target("avx512f,avx512bw,avx512vl,avx512vnni"), always_inline)) {
        for (int t = 0; t < m; ++t)
          for (int i = 0; i < parts; ++i)
            sums[i][t] = _mm512_dpbusd_epi32(sums[i][t], q, spread(few[t] + 32 * i + column));
      };
      for (int j = 0; j < vectors; ++j) {
        const int place = nibbles ? j : half * vectors + j;
        const __m512i q = _mm512_loadu_si512(panel + start + place * 64);
        if (!nibbles) {
          add(q, 4 * place);
          continue;
        }
        if (half == 0) add(_mm512_and_si512(q, nibble), 4 * j);
        if (half + 1 == halves)
          add(_mm512_and_si512(_mm512_srli_epi16(q, 4), nibble), 16 + 4 * j);
      }
      const auto [scale, least] = affine<type>(panel, half, zero);
      for (int t = 0; t < m; ++t) {
        const int64_t at = (token + t) * blocks + b;
        const int32_t *of_x = x.sums.data() + 2 * at;
        const float total =
            is_halved(type) ? float(of_x[half]) : float(int32_t(uint32_t(of_x[0]) + uint32_t(of_x[1])));
        // The upper part's products fill 20 bits, and those of the lower two together 27.
        const __m512i low = _mm512_add_epi32(_mm512_slli_epi32(sums[1][t], 7), sums[2][t]);
        const __m512 sum = _mm512_fmadd_ps(
            _mm512_cvtepi32_ps(sums[0][t]), _mm512_set1_ps(1 << 14), _mm512_cvtepi32_ps(low));
        const __m512 s = _mm512_set1_ps(x.scales[at]);
        y[t] = _mm512_fmadd_ps(_mm512_mul_ps(sum, s), scale, y[t]);
        y[t] = _mm512_fmadd_ps(least, _mm512_set1_ps(x.scales[at] * total), y[t]);
      }
    }
  }
}

template <PanelType type, int m>
CMLX_DOTS void dot_tokens(
    const uint8_t *panel, int zero, int64_t blocks, const Rounded &x, int64_t token, __mmask16 rows, float *y,
    int64_t stride, bool adds) {
  __m512 sums[m];
  dot_panel<type, m>(panel, zero, blocks, x, token, sums);
  for (int t = 0; t < m; ++t) {
    float *out = y + (token + t) * stride;
    if (adds) sums[t] = _mm512_add_ps(sums[t], _mm512_maskz_loadu_ps(rows, out));
    _mm512_mask_storeu_ps(out, rows, sums[t]);
  }
}

template <PanelType type>
CMLX_DOTS void dot_rows(
    const uint8_t *panels, int zero, int64_t count, int64_t columns, const Rounded &x, float *y,
    int64_t stride, bool adds) {
  const int64_t blocks = columns / 32;
  for (int64_t row = 0; row < count; row += 16) {
    const __mmask16 rows = count - row >= 16 ? 0xffff : __mmask16((1u << (count - row)) - 1);
    const uint8_t *panel = panels + row / 16 * blocks * panel_block_bytes(type);
    int64_t t = 0;
    for (; t + 4 <= x.rows; t += 4)
      dot_tokens<type, 4>(panel, zero, blocks, x, t, rows, y + row, stride, adds);
    for (; t + 2 <= x.rows; t += 2)
      dot_tokens<type, 2>(panel, zero, blocks, x, t, rows, y + row, stride, adds);
    for (; t < x.rows; ++t)
      dot_tokens<type, 1>(panel, zero, blocks, x, t, rows, y + row, stride, adds);
  }
}

/// The weights in some bits of a dword: those bits become the upper ones of the fraction of a number from
/// 16 to 32 (256 to 512 for bytes), which takes no conversion. `least` is that of the fraction's zero.
template <bool nibbles>
CMLX_TILES inline __m512 numbers(__m512i q, int shift, __m512 scale, __m512 least) {
  constexpr int place = nibbles ? 19 : 15, base = nibbles ? 0x41800000 : 0x43800000;
  const __m512i moved = shift < place ? _mm512_slli_epi32(q, place - shift)
                                      : _mm512_srli_epi32(q, shift - place);
  const __m512i mask = _mm512_set1_epi32((nibbles ? 15 : 255) << place);
  // (moved & mask) | base
  const __m512i bits = _mm512_ternarylogic_epi32(moved, mask, _mm512_set1_epi32(base), 0xea);
  return _mm512_fmadd_ps(_mm512_castsi512_ps(bits), scale, least);
}

/// Two columns of 16 rows, rounded, those of a row side by side.
CMLX_TILES inline void store_pair(__m512 even, __m512 odd, uint16_t *to) {
  const __m512i order = _mm512_or_si512(
      _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
      _mm512_slli_epi32(
          _mm512_set_epi32(31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16), 16));
  _mm512_storeu_si512(to, _mm512_permutexvar_epi16(order, tiles::round(odd, even)));
}

template <PanelType type>
CMLX_TILES void widen_block(const uint8_t *from, int zero, uint16_t *tile) {
  constexpr bool nibbles = has_nibbles(type);
  const __m512 base = _mm512_set1_ps(nibbles ? -16 : -256);
  Affine parts[2];
  for (int half = 0; half < 2; ++half) {
    parts[half] = half && !is_halved(type) ? parts[0] : affine<type>(from, half, zero);
    if (!half || is_halved(type))
      parts[half].least = _mm512_fmadd_ps(parts[half].scale, base, parts[half].least);
  }
  const auto number = [&](__m512i q, int shift, int half) __attribute__((
                          target("avx512f,avx512bw,avx512vl"), always_inline)) {
    return numbers<nibbles>(q, shift, parts[half].scale, parts[half].least);
  };
  for (size_t i = 0; i < panel_block_bytes(type); i += 64)
    _mm_prefetch(reinterpret_cast<const char *>(from + 4096 + i), _MM_HINT_T0);
  from += panel_header(type) * 16;
  for (int j = 0; j < (nibbles ? 4 : 8); ++j)
    for (int pair = 0; pair < 2; ++pair) {
      const __m512i q = _mm512_loadu_si512(from + j * 64);
      const int shift = 16 * pair, half = nibbles ? 0 : j / 4;
      uint16_t *to = tile + (2 * j + pair) * 32;
      store_pair(number(q, shift, half), number(q, shift + 8, half), to);
      if constexpr (nibbles)
        store_pair(number(q, shift + 4, 1), number(q, shift + 12, 1), to + 8 * 32);
    }
}

/// Calls `body` with the type as a constant.
template <typename Body>
void with_type(PanelType type, Body body) {
  using T = PanelType;
  switch (type) {
    case T::q4_0: return body(std::integral_constant<T, T::q4_0>());
    case T::q4_1: return body(std::integral_constant<T, T::q4_1>());
    case T::q8_0: return body(std::integral_constant<T, T::q8_0>());
    case T::halved_nibbles: return body(std::integral_constant<T, T::halved_nibbles>());
    case T::halved_bytes: return body(std::integral_constant<T, T::halved_bytes>());
  }
}

#else
bool dots() { return false; }
#endif

}  // namespace

Panels::Panels(
    BlockType source, const uint8_t *blocks, int64_t rows, int64_t columns, const int *order)
    : type(panel_type(source)), rows(rows), columns(columns), zero_(zero_of(source)) {
  const int64_t per_row = columns / block_columns(source), panels = (rows + lanes - 1) / lanes;
  const int64_t at_once = block_columns(source) / block;
  const size_t bytes = block_bytes(source), wide = panel_block_bytes(type);
  // What is prefetched behind the last block is read by nobody; it need not exist.
  bytes_.resize(panels * panel_bytes());
  parallel(panels, 4, [&](size_t begin, size_t end) {
    HalvedBlock halved[8];
    for (int64_t row = begin * lanes; row < std::min<int64_t>(end * lanes, rows); ++row) {
      const uint8_t *from = blocks + (order ? order[row] : row) * per_row * bytes;
      uint8_t *to = bytes_.data() + row / lanes * panel_bytes();
      for (int64_t i = 0; i < per_row; ++i, from += bytes) {
        if (!is_halved(type)) {
          place(type, from, row % lanes, to + i * wide);
          continue;
        }
        unpack(source, from, halved);
        for (int64_t j = 0; j < at_once; ++j)
          place(type, halved[j], row % lanes, to + (i * at_once + j) * wide);
      }
    }
  });
}

void Panels::prepare(int64_t m, Rounded &rounded) const {
  const size_t blocks = m * (columns / block);
  rounded.rows = m;
  grow(rounded.scales, blocks);
  grow(rounded.sums, 2 * blocks);
  grow(rounded.few, blocks * kernels::round_block_bytes);
}

void Panels::round(const float *x, int64_t begin, int64_t end, Rounded &rounded) const {
  rounded.plain = x;
  if (!dots()) return;
  const int64_t steps = columns / block;
  for (int64_t at = begin * steps; at < end * steps; ++at)
    kernels::round_block(
        x + at * block, rounded.few.data() + at * kernels::round_block_bytes, rounded.scales[at],
        rounded.sums.data() + 2 * at);
}

void Panels::multiply(
    const Rounded &x, int64_t first, int64_t last, float *y, int64_t stride, bool adds) const {
  const uint8_t *panels = bytes_.data() + first / lanes * panel_bytes();
#if defined(__x86_64__)
  if (dots()) {
    return with_type(type, [&](auto kind) {
      dot_rows<kind()>(panels, zero_, last - first, columns, x, y, stride, adds);
    });
  }
#endif
  kernels::multiply_panels(
      {type, zero_, panels, size_t(last - first), size_t(columns), x.plain, size_t(x.rows), y,
       size_t(stride), adds});
}

void Panels::widen(int64_t panel, int64_t step, uint16_t *tile) const {
#if defined(__x86_64__)
  const uint8_t *from =
      bytes_.data() + panel * panel_bytes() + step * panel_block_bytes(type);
  with_type(type, [&](auto kind) { widen_block<kind()>(from, zero_, tile); });
#endif
}
