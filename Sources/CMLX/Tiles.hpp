// Products of tiles, 16 rows of 64 bytes, as bf16 and summed in fp32: on AMX, with AVX-512's products of
// pairs, or widened to fp32. oneDNN has these too, for numbers of one part only; these take two, share one
// packed form between a product and its gradient, and add in an order that does not depend on the other
// rows.
#pragma once

#include "Gemm.hpp"

#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <cstring>

#define CMLX_TILES                                                                             \
  __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,amx-tile,amx-bf16")))

namespace cmlx::tiles {

/// A tile of bf16 is 16 rows of 32; two tiles side by side take 32 rows of W.
constexpr int64_t side = 16, depth = 32, tile = side * depth, pair = 32;
/// Packed weights that a pass over all rows takes, so that they stay in the second-level cache.
constexpr int64_t cached_bytes = 512 << 10;

constexpr int64_t steps(int64_t n) { return (n + depth - 1) / depth; }

/// Asks the system for AMX's tiles where they are used, once; throws where it refuses.
void require();

/// All eight of AMX's tiles at full size, for as long as a thread multiplies.
class TileScope {
 public:
  CMLX_TILES TileScope() {
    if (unit() != Unit::tiles) return;
    struct alignas(64) {
      uint8_t palette = 1, start = 0, reserved[14] = {};
      uint16_t bytes[16] = {};
      uint8_t rows[16] = {};
    } shape;
    for (int i = 0; i < 8; ++i) {
      shape.bytes[i] = 64;
      shape.rows[i] = side;
    }
    _tile_loadconfig(&shape);
  }
  CMLX_TILES ~TileScope() {
    if (unit() == Unit::tiles) _tile_release();
  }
};

inline float widened(uint16_t bits) {
  const uint32_t wide = uint32_t(bits) << 16;
  float value;
  std::memcpy(&value, &wide, 4);
  return value;
}

CMLX_TILES inline __m512 widen(__m512i bits, int half) {
  const __m256i chosen =
      half ? _mm512_extracti64x4_epi64(bits, 1) : _mm512_castsi512_si256(bits);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(chosen), 16));
}

inline __mmask16 first(int64_t n) {
  return n >= 16 ? __mmask16(0xffff) : n <= 0 ? __mmask16(0) : __mmask16((1u << n) - 1);
}

/// 32 numbers rounded to bf16, to the nearest and of two as near to the even one.
CMLX_TILES inline __m512i round(__m512 second, __m512 first) {
  if (unit() != Unit::widened) return (__m512i)_mm512_cvtne2ps_pbh(second, first);
  const auto rounded = [](__m512 x) __attribute__((
                           target("avx512f,avx512bw,avx512vl,avx512dq"), always_inline)) {
    const __m512i bits = _mm512_castps_si512(x), one = _mm512_set1_epi32(1);
    const __m512i even = _mm512_and_si512(_mm512_srli_epi32(bits, 16), one);
    const __m512i up = _mm512_add_epi32(
        bits, _mm512_add_epi32(even, _mm512_set1_epi32(0x7fff)));
    // What is no number stays none: rounded up, it could become one.
    const __mmask16 none = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(
        _mm512_mask_or_epi32(up, none, bits, _mm512_set1_epi32(0x400000)), 16));
  };
  return _mm512_inserti64x4(_mm512_castsi256_si512(rounded(first)), rounded(second), 1);
}

/// 32 numbers as bf16 into `high`, and what that leaves, as bf16 again, into `low` where it is asked
/// for. Numbers from `count` on are zero.
CMLX_TILES inline void split(const float *x, int64_t count, uint16_t *high, uint16_t *low) {
  const __m512 a = _mm512_maskz_loadu_ps(first(count), x);
  const __m512 b = count > 16 ? _mm512_maskz_loadu_ps(first(count - 16), x + 16) : _mm512_setzero_ps();
  const __m512i h = round(b, a);
  _mm512_store_si512(high, h);
  if (!low) return;
  _mm512_store_si512(
      low, round(_mm512_sub_ps(b, widen(h, 1)), _mm512_sub_ps(a, widen(h, 0))));
}

/// Rows of x `[m, k]`, `stride` apart, as tiles: for 16 rows after the other and each step of k, one tile
/// a part. Rows from m on are zero.
CMLX_TILES inline void to_tiles(
    const float *x, int64_t m, int64_t k, int64_t stride, int parts, int64_t begin, int64_t end,
    uint16_t *out) {
  const int64_t n = steps(k);
  for (int64_t block = begin; block < end; ++block)
    for (int64_t row = 0; row < side; ++row)
      for (int64_t step = 0; step < n; ++step) {
        uint16_t *high = out + ((block * n + step) * parts) * tile + row * depth;
        const int64_t i = block * side + row;
        split(
            i < m ? x + i * stride + step * depth : x, i < m ? k - step * depth : 0, high,
            parts == 2 ? high + tile : nullptr);
      }
}

/// The 16 × 16 matrix of 32-bit numbers in `r`, transposed in place.
CMLX_TILES inline void transpose(__m512i r[16]) {
  __m512i t[16];
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  for (int i = 0; i < 4; ++i) {
    t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
    t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
    t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
  }
  for (int i = 0; i < 4; ++i) {
    r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
    r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
    r[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
    r[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
  }
}

/// Rows of 32 numbers as the rows of two tiles: their first 16 alternating, and their last.
CMLX_TILES inline void interleave(__m512i a, __m512i b, uint16_t *left, uint16_t *right) {
  alignas(64) static constexpr auto order = [] {
    struct {
      uint16_t at[2][32];
    } made{};
    for (int half = 0; half < 2; ++half)
      for (int i = 0; i < 32; ++i) made.at[half][i] = uint16_t(half * 16 + i / 2 + i % 2 * 32);
    return made;
  }();
  _mm512_store_si512(left, _mm512_permutex2var_epi16(a, _mm512_load_si512(order.at[0]), b));
  _mm512_store_si512(right, _mm512_permutex2var_epi16(a, _mm512_load_si512(order.at[1]), b));
}

/// A strip of weights: 32 rows of W `[..., columns]`, of which there are `count`, `row(i)` each. For each
/// step of columns a pair of tiles a part.
template <typename Row>
CMLX_TILES inline void pack_strip(
    Row row, int64_t count, int64_t columns, int parts, uint16_t *strip) {
  for (int64_t step = 0; step < steps(columns); ++step)
    for (int64_t t = 0; t < 2; ++t) {
      alignas(64) uint16_t plain[2][tile];
      for (int64_t i = 0; i < side; ++i) {
        const bool exists = t * side + i < count;
        split(
            exists ? row(t * side + i) + step * depth : nullptr,
            exists ? columns - step * depth : 0, plain[0] + i * depth,
            parts == 2 ? plain[1] + i * depth : nullptr);
      }
      for (int part = 0; part < parts; ++part) {
        __m512i r[16];
        for (int i = 0; i < 16; ++i) r[i] = _mm512_load_si512(plain[part] + i * depth);
        transpose(r);
        uint16_t *to = strip + ((step * parts + part) * 2 + t) * tile;
        for (int i = 0; i < 16; ++i) _mm512_store_si512(to + i * depth, r[i]);
      }
    }
}

/// W `[count, columns]` for products with Wᵀ: strips of 32 columns, and in each for every step of rows a
/// pair of tiles a part.
template <typename Row>
CMLX_TILES inline void pack_turned(
    Row row, int64_t count, int64_t columns, int parts, uint16_t *strips) {
  for (int64_t step = 0; step < steps(count); ++step)
    for (int64_t q = 0; q < side; ++q) {
      const int64_t first = step * depth + 2 * q;
      for (int64_t c = 0; c < steps(columns); ++c) {
        alignas(64) uint16_t two[2][2][depth];
        for (int64_t i = 0; i < 2; ++i) {
          const bool exists = first + i < count;
          split(
              exists ? row(first + i) + c * depth : nullptr, exists ? columns - c * depth : 0,
              two[0][i], parts == 2 ? two[1][i] : nullptr);
        }
        for (int part = 0; part < parts; ++part) {
          uint16_t *to = strips + ((c * steps(count) + step) * parts + part) * 2 * tile + q * depth;
          interleave(
              _mm512_load_si512(two[part][0]), _mm512_load_si512(two[part][1]), to, to + tile);
        }
      }
    }
}

/// A pair of tiles, 32 rows of W by one step of its columns, as a pair for products with Wᵀ: 32
/// columns by one step of rows.
CMLX_TILES inline void turn(const uint16_t *from, uint16_t *to) {
  for (int half = 0; half < 2; ++half) {
    __m512i rows[16];
    for (int i = 0; i < 16; ++i) rows[i] = _mm512_load_si512(from + half * tile + i * depth);
    transpose(rows);
    for (int q = 0; q < 8; ++q) {
      uint16_t *left = to + (half * 8 + q) * depth;
      interleave(rows[2 * q], rows[2 * q + 1], left, left + tile);
    }
  }
}

/// Where a block of 32 rows and columns of the result lies, or scratch where it does not fit.
struct Corner {
  float *at;
  int64_t stride, rows, columns;
  bool fits() const { return rows >= pair && columns >= pair; }
};

CMLX_TILES inline void prefetch(const uint16_t *tiles) {
  for (int i = 0; i < 2 * side; ++i) _mm_prefetch(tiles + i * depth, _MM_HINT_T0);
}

/// Adds one step to the sums in tiles 0 to 3: x's upper and lower 16 rows times two tiles of weights.
CMLX_TILES inline void multiply_step(
    const uint16_t *upper, const uint16_t *lower, const uint16_t *weights) {
  _tile_loadd(4, upper, 64);
  _tile_loadd(5, weights, 64);
  _tile_dpbf16ps(0, 4, 5);
  _tile_loadd(5, weights + tile, 64);
  _tile_dpbf16ps(1, 4, 5);
  _tile_loadd(4, lower, 64);
  _tile_dpbf16ps(3, 4, 5);
  _tile_loadd(5, weights, 64);
  _tile_dpbf16ps(2, 4, 5);
}

/// The same with the weights that `multiply_step` left loaded, in the opposite direction.
CMLX_TILES inline void multiply_step_back(
    const uint16_t *upper, const uint16_t *lower, const uint16_t *weights) {
  _tile_loadd(4, lower, 64);
  _tile_dpbf16ps(2, 4, 5);
  _tile_loadd(5, weights + tile, 64);
  _tile_dpbf16ps(3, 4, 5);
  _tile_loadd(4, upper, 64);
  _tile_dpbf16ps(1, 4, 5);
  _tile_loadd(5, weights, 64);
  _tile_dpbf16ps(0, 4, 5);
}

/// Adds the product of two 16-row blocks of x with pairs of weight tiles, `count` steps of each.
///
/// All factors go through two of the eight tiles: where the core's other hardware thread is busy, few
/// tiles are left to rename, and with all eight in use each load waits for the product before it.
template <int parts>
CMLX_TILES inline void accumulate(
    const uint16_t *upper, const uint16_t *lower, const uint16_t *weights, int64_t count) {
  // Steps until weights on their way from the second-level cache are needed.
  constexpr int ahead = 3;
  for (int64_t i = 0; i < count; ++i) {
    if constexpr (parts == 2) {
      multiply_step(upper + tile, lower + tile, weights);
      multiply_step_back(upper, lower, weights);
      multiply_step(upper, lower, weights + 2 * tile);
    } else {
      prefetch(weights + ahead * 2 * tile);
      multiply_step(upper, lower, weights);
    }
    upper += parts * tile;
    lower += parts * tile;
    weights += 2 * parts * tile;
  }
}

CMLX_TILES inline void load(const float *c, int64_t stride) {
  _tile_loadd(0, c, stride * 4);
  _tile_loadd(1, c + side, stride * 4);
  _tile_loadd(2, c + side * stride, stride * 4);
  _tile_loadd(3, c + side * stride + side, stride * 4);
}

CMLX_TILES inline void store(float *c, int64_t stride) {
  _tile_stored(0, c, stride * 4);
  _tile_stored(1, c + side, stride * 4);
  _tile_stored(2, c + side * stride, stride * 4);
  _tile_stored(3, c + side * stride + side, stride * 4);
}

inline void copy(const Corner &c, float *scratch, bool out) {
  for (int64_t i = 0; i < std::min(c.rows, pair); ++i)
    for (int64_t j = 0; j < std::min(c.columns, pair); ++j)
      (out ? c.at[i * c.stride + j] : scratch[i * pair + j]) =
          out ? scratch[i * pair + j] : c.at[i * c.stride + j];
}

/// What a product is taken of: `count` steps of the rows of x and of each pair of weight tiles.
struct Operands {
  const Rounded &x;
  int64_t count;
  /// The weights of 32 columns of the result after the other, `pitch` steps each.
  const uint16_t *weights;
  int64_t pitch;
};

/// The four tiles of sums, zero or what the result holds.
CMLX_TILES inline void begin_corner(const Corner &corner, float *scratch, bool adds) {
  if (!adds) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  } else if (corner.fits()) {
    load(corner.at, corner.stride);
  } else {
    copy(corner, scratch, false);
    load(scratch, pair);
  }
}

CMLX_TILES inline void end_corner(const Corner &corner, float *scratch) {
  if (corner.fits()) return store(corner.at, corner.stride);
  store(scratch, pair);
  copy(corner, scratch, true);
}

/// 32 rows and columns of a result, summed in registers from the first step to the last.
template <int parts>
CMLX_TILES void corner(
    const Operands &operands, int64_t block, int64_t strip, const Corner &corner, bool adds) {
  alignas(64) float scratch[pair * pair];
  begin_corner(corner, scratch, adds);
  const int64_t blocks = (operands.x.rows + side - 1) / side, row = operands.count * parts * tile;
  const uint16_t *upper = operands.x.bits.data() + block * row;
  // A last block without a partner is multiplied twice, and the second result not kept.
  const uint16_t *lower = block + 1 < blocks ? upper + row : upper;
  const uint16_t *weights = operands.weights + strip * operands.pitch * 2 * parts * tile;
  accumulate<parts>(upper, lower, weights, operands.count);
  end_corner(corner, scratch);
}

/// Adds 16 columns of a pair of tiles' product for one row of x: the same sums in the same order as the
/// tile instruction's, even and odd places apart within a step.
CMLX_TILES inline __m512 add_step(__m512 sum, const uint16_t *x, const uint16_t *weights) {
  const __m512i upper = _mm512_set1_epi32(int(0xffff0000));
  __m512 even = _mm512_setzero_ps(), odd = even;
  for (int i = 0; i < side; ++i) {
    const __m512i w = _mm512_loadu_si512(weights + i * depth);
    even = _mm512_fmadd_ps(
        (__m512)_mm512_slli_epi32(w, 16), _mm512_set1_ps(widened(x[2 * i])), even);
    odd = _mm512_fmadd_ps(
        (__m512)_mm512_and_si512(w, upper), _mm512_set1_ps(widened(x[2 * i + 1])), odd);
  }
  return _mm512_add_ps(sum, _mm512_add_ps(even, odd));
}

/// One row of a result, 32 columns of it, without tiles: a row fills a sixteenth of one, and reading
/// the weights is what it costs.
template <int parts>
CMLX_TILES void row_of_strip(
    const Operands &operands, int64_t row, int64_t strip, float *y, int64_t columns, bool adds) {
  const int64_t length = operands.count * parts * tile;
  const uint16_t *x = operands.x.bits.data() + row / side * length + row % side * depth;
  const uint16_t *weights = operands.weights + strip * operands.pitch * 2 * parts * tile;
  for (int64_t t = 0; t < 2 && t * side < columns; ++t) {
    const __mmask16 kept = first(columns - t * side);
    __m512 sum = adds ? _mm512_maskz_loadu_ps(kept, y + t * side) : _mm512_setzero_ps();
    for (int64_t i = 0; i < operands.count; ++i) {
      const uint16_t *a = x + i * parts * tile, *b = weights + i * 2 * parts * tile + t * tile;
      if constexpr (parts == 2) sum = add_step(sum, a + tile, b);
      sum = add_step(sum, a, b);
      if constexpr (parts == 2) sum = add_step(sum, a, b + 2 * tile);
    }
    _mm512_mask_storeu_ps(y + t * side, kept, sum);
  }
}

/// Rows up to which that is the faster way.
constexpr int64_t few_rows = 4;

/// Rows of a result whose sums fit into registers, 32 columns of each.
constexpr int64_t rows_at_once = 8;

/// Adds the products of a pair of numbers of `rows` rows of x with those of 32 columns of weights.
template <bool widens, int rows>
CMLX_TILES inline void add_pair(
    const uint16_t *x, const uint16_t *weights, __m512 sums[rows][2]) {
  const __m512i upper = _mm512_set1_epi32(int(0xffff0000));
  const __m512i w[2] = {_mm512_load_si512(weights), _mm512_load_si512(weights + tile)};
  for (int r = 0; r < rows; ++r) {
    int32_t two;
    std::memcpy(&two, x + r * depth, 4);
    const __m512i pair = _mm512_set1_epi32(two);
    for (int t = 0; t < 2; ++t) {
      if constexpr (widens) {
        sums[r][t] = _mm512_fmadd_ps(
            (__m512)_mm512_slli_epi32(w[t], 16), (__m512)_mm512_slli_epi32(pair, 16), sums[r][t]);
        sums[r][t] = _mm512_fmadd_ps(
            (__m512)_mm512_and_si512(w[t], upper), (__m512)_mm512_and_si512(pair, upper), sums[r][t]);
      } else {
        sums[r][t] = _mm512_dpbf16_ps(sums[r][t], (__m512bh)pair, (__m512bh)w[t]);
      }
    }
  }
}

/// Some rows of a result, 32 columns of them, without AMX.
template <bool widens, int rows>
CMLX_TILES void rows_of_strip(
    const uint16_t *x, const uint16_t *weights, int64_t count, float *y, int64_t stride,
    int64_t columns, bool adds) {
  const __mmask16 kept[2] = {first(columns), first(columns - side)};
  __m512 sums[rows][2];
  for (int r = 0; r < rows; ++r)
    for (int t = 0; t < 2; ++t)
      sums[r][t] = adds ? _mm512_maskz_loadu_ps(kept[t], y + r * stride + t * side)
                        : _mm512_setzero_ps();
  for (int64_t i = 0; i < count; ++i, x += tile, weights += 2 * tile)
    for (int q = 0; q < side; ++q)
      add_pair<widens, rows>(x + 2 * q, weights + q * depth, sums);
  for (int r = 0; r < rows; ++r)
    for (int t = 0; t < 2; ++t)
      _mm512_mask_storeu_ps(y + r * stride + t * side, kept[t], sums[r][t]);
}

/// The same for as many rows as there are, `rows` at most.
template <bool widens, int rows = rows_at_once>
CMLX_TILES void rows_left(
    int64_t left, const uint16_t *x, const uint16_t *weights, int64_t count, float *y,
    int64_t stride, int64_t columns, bool adds) {
  if constexpr (rows > 1) {
    if (left < rows)
      return rows_left<widens, rows - 1>(left, x, weights, count, y, stride, columns, adds);
  }
  rows_of_strip<widens, rows>(x, weights, count, y, stride, columns, adds);
}

template <bool widens>
CMLX_TILES void strips_by_rows(
    const Operands &operands, int64_t strips, float *y, int64_t stride, int64_t columns, bool adds) {
  const int64_t rows = operands.x.rows, length = operands.count * tile;
  for (int64_t row = 0; row < rows; row += rows_at_once)
    for (int64_t i = 0; i < strips; ++i)
      rows_left<widens>(
          rows - row, operands.x.bits.data() + row / side * length + row % side * depth,
          operands.weights + i * operands.pitch * 2 * tile, operands.count,
          y + row * stride + i * pair, stride, columns - i * pair, adds);
}

/// `strips` times 32 columns of a result, as many as have their weights in the cache: all rows pass by.
template <int parts>
CMLX_TILES void strips(
    const Operands &operands, int64_t strips, float *y, int64_t stride, int64_t columns, bool adds) {
  if constexpr (parts == 1) {
    if (unit() == Unit::pairs)
      return strips_by_rows<false>(operands, strips, y, stride, columns, adds);
    if (unit() == Unit::widened)
      return strips_by_rows<true>(operands, strips, y, stride, columns, adds);
  }
  const int64_t rows = operands.x.rows;
  if (rows <= few_rows) {
    for (int64_t i = 0; i < strips; ++i)
      for (int64_t row = 0; row < rows; ++row)
        row_of_strip<parts>(
            operands, row, i, y + row * stride + i * pair, columns - i * pair, adds);
    return;
  }
  for (int64_t block = 0; block * side < rows; block += 2)
    for (int64_t i = 0; i < strips; ++i)
      corner<parts>(
          operands, block, i,
          {y + block * side * stride + i * pair, stride, rows - block * side, columns - i * pair},
          adds);
}

/// How many strips of so many steps have their weights in the cache.
inline int64_t cached_strips(int64_t steps, int parts) {
  return std::max<int64_t>(1, cached_bytes / (steps * 2 * parts * tile * 2));
}

}  // namespace cmlx::tiles

#endif
