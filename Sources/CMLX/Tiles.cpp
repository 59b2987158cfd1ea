// Products with packed weights on AMX: tiles of 16 rows of 64 bytes, multiplied as bf16 and summed in
// fp32. oneDNN has these too, for numbers of one part only; these take two, share one packed form
// between a product and its gradient, and add in an order that does not depend on the other rows.
#include "Gemm.hpp"
#include "Parallel.hpp"

#if defined(__x86_64__)

#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#define CMLX_TILES                                                                             \
  __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,amx-tile,amx-bf16")))

using namespace cmlx;

namespace {

/// A tile of bf16 is 16 rows of 32; two tiles side by side take 32 rows of W.
constexpr int64_t side = 16, depth = 32, tile = side * depth, pair = 32;
/// Packed weights that a pass over all rows takes, so that they stay in the second-level cache.
constexpr int64_t cached_bytes = 512 << 10;

int64_t steps(int64_t n) { return (n + depth - 1) / depth; }

/// The kernel lends a process the tiles' state once it asks; oneDNN may have asked before.
bool request_tiles() {
  constexpr int request_permission = 0x1023, tile_data = 18;
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

/// All eight tiles at full size, for as long as a thread multiplies.
class TileScope {
 public:
  CMLX_TILES TileScope() {
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
  CMLX_TILES ~TileScope() { _tile_release(); }
};

CMLX_TILES inline __m512 widen(__m512i bits, int half) {
  const __m256i chosen =
      half ? _mm512_extracti64x4_epi64(bits, 1) : _mm512_castsi512_si256(bits);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(chosen), 16));
}

inline __mmask16 first(int64_t n) {
  return n >= 16 ? __mmask16(0xffff) : n <= 0 ? __mmask16(0) : __mmask16((1u << n) - 1);
}

/// 32 numbers as bf16 into `high`, and what that leaves, as bf16 again, into `low` where it is asked
/// for. Numbers from `count` on are zero.
CMLX_TILES inline void split(const float *x, int64_t count, uint16_t *high, uint16_t *low) {
  const __m512 a = _mm512_maskz_loadu_ps(first(count), x);
  const __m512 b = _mm512_maskz_loadu_ps(first(count - 16), x + 16);
  const __m512i h = (__m512i)_mm512_cvtne2ps_pbh(b, a);
  _mm512_store_si512(high, h);
  if (!low) return;
  _mm512_store_si512(
      low, (__m512i)_mm512_cvtne2ps_pbh(
               _mm512_sub_ps(b, widen(h, 1)), _mm512_sub_ps(a, widen(h, 0))));
}

/// Rows of x `[m, k]` as tiles: for 16 rows after the other and each step of k, one tile a part.
/// Rows from m on are zero.
CMLX_TILES void to_tiles(
    const float *x, int64_t m, int64_t k, int parts, int64_t begin, int64_t end, uint16_t *out) {
  const int64_t n = steps(k);
  for (int64_t block = begin; block < end; ++block)
    for (int64_t row = 0; row < side; ++row)
      for (int64_t step = 0; step < n; ++step) {
        uint16_t *high = out + ((block * n + step) * parts) * tile + row * depth;
        const int64_t i = block * side + row;
        split(
            i < m ? x + i * k + step * depth : x, i < m ? k - step * depth : 0, high,
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

/// A pair of tiles, 32 rows of W by one step of its columns, as a pair for products with Wᵀ: 32
/// columns by one step of rows.
CMLX_TILES void turn(const uint16_t *from, uint16_t *to) {
  // Word w of column block b, rows 2q and 2q + 1 of W alternating.
  alignas(64) uint16_t order[2][32];
  for (int block = 0; block < 2; ++block)
    for (int word = 0; word < 32; ++word)
      order[block][word] = uint16_t(block * 16 + word / 2 + (word % 2) * 32);
  const __m512i low = _mm512_load_si512(order[0]), high = _mm512_load_si512(order[1]);
  for (int half = 0; half < 2; ++half) {
    __m512i rows[16];
    for (int i = 0; i < 16; ++i) rows[i] = _mm512_load_si512(from + half * tile + i * depth);
    transpose(rows);
    for (int q = 0; q < 8; ++q) {
      uint16_t *out = to + (half * 8 + q) * depth;
      _mm512_store_si512(out, _mm512_permutex2var_epi16(rows[2 * q], low, rows[2 * q + 1]));
      _mm512_store_si512(out + tile, _mm512_permutex2var_epi16(rows[2 * q], high, rows[2 * q + 1]));
    }
  }
}

/// Where a block of 32 rows and columns of the result lies, or scratch where it does not fit.
struct Corner {
  float *at;
  int64_t stride, rows, columns;
  bool fits() const { return rows >= pair && columns >= pair; }
};

/// Adds the product of two 16-row blocks of x with pairs of weight tiles, `count` steps of each.
template <int parts>
CMLX_TILES inline void accumulate(
    const uint16_t *upper, const uint16_t *lower, const uint16_t *weights, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    _tile_loadd(6, weights, 64);
    _tile_loadd(7, weights + tile, 64);
    if constexpr (parts == 2) {
      _tile_loadd(4, upper + tile, 64);
      _tile_loadd(5, lower + tile, 64);
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
    _tile_loadd(4, upper, 64);
    _tile_loadd(5, lower, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
    if constexpr (parts == 2) {
      _tile_loadd(6, weights + 2 * tile, 64);
      _tile_loadd(7, weights + 3 * tile, 64);
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
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

void copy(const Corner &c, float *scratch, bool out) {
  for (int64_t i = 0; i < std::min(c.rows, pair); ++i)
    for (int64_t j = 0; j < std::min(c.columns, pair); ++j)
      (out ? c.at[i * c.stride + j] : scratch[i * pair + j]) =
          out ? scratch[i * pair + j] : c.at[i * c.stride + j];
}

/// What a product is taken of: `count` steps of the rows of x and of each pair of weight tiles.
struct Operands {
  const Rounded &x;
  int64_t count;
  /// The weights of 32 columns of the result after the other.
  const uint16_t *weights;
};

/// 32 rows and columns of a result, summed in registers from the first step to the last.
template <int parts>
CMLX_TILES void corner(
    const Operands &operands, int64_t block, int64_t strip, const Corner &corner, bool adds) {
  alignas(64) float scratch[pair * pair] = {};
  float *c = corner.fits() ? corner.at : scratch;
  const int64_t stride = corner.fits() ? corner.stride : pair;
  if (adds) {
    if (!corner.fits()) copy(corner, scratch, false);
    load(c, stride);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  const int64_t blocks = (operands.x.rows + side - 1) / side, row = operands.count * parts * tile;
  const uint16_t *upper = operands.x.bits.data() + block * row;
  // A last block without a partner is multiplied twice, and the second result not kept.
  const uint16_t *lower = block + 1 < blocks ? upper + row : upper;
  accumulate<parts>(upper, lower, operands.weights + strip * 2 * row, operands.count);
  store(c, stride);
  if (!corner.fits()) copy(corner, scratch, true);
}

/// `strips` times 32 columns of a result, as many as have their weights in the cache: all rows pass by.
template <int parts>
CMLX_TILES void strips(
    const Operands &operands, int64_t strips, float *y, int64_t stride, int64_t columns, bool adds) {
  const int64_t rows = operands.x.rows;
  for (int64_t block = 0; block * side < rows; block += 2)
    for (int64_t i = 0; i < strips; ++i)
      corner<parts>(
          operands, block, i,
          {y + block * side * stride + i * pair, stride, rows - block * side, columns - i * pair},
          adds);
}

/// How many strips of so many steps have their weights in the cache.
int64_t cached_strips(int64_t steps, int parts) {
  return std::max<int64_t>(1, cached_bytes / (steps * 2 * parts * tile * 2));
}

class TiledWeight : public PackedWeight {
 public:
  TiledWeight(const float *weight, int64_t rows, int64_t columns, int parts)
      : PackedWeight(rows, columns, parts), steps_(steps(columns)) {
    bits_.resize(steps(rows) * steps_ * block());
    parallel(steps(rows), 4, [&](size_t begin, size_t end) {
      for (size_t p = begin; p < end; ++p) pack(weight, p);
    });
  }

  bool has_backward() const override { return true; }

  void round(const float *x, int64_t m, int64_t k, Rounded &rounded) const override {
    const int64_t blocks = (m + side - 1) / side;
    rounded.rows = m;
    const size_t needed = blocks * steps(k) * parts * tile;
    if (rounded.bits.size() < needed) rounded.bits.resize(needed);
    parallel(blocks, 4, [&](size_t begin, size_t end) {
      to_tiles(x, m, k, parts, begin, end, rounded.bits.data());
    });
  }

  void forward(
      const Rounded &x, int64_t begin, int64_t end, float *y, int64_t stride) const override {
    const int64_t from = begin / pair, pairs = steps(end - begin);
    parallel(pairs, share(x), [&](size_t first, size_t last) {
      parts == 2 ? forward_share<2>(x, from, first, last, end - begin, y, stride)
                 : forward_share<1>(x, from, first, last, end - begin, y, stride);
    });
  }

  void backward(
      const Rounded &dy, int64_t begin, int64_t end, float *dx, bool accumulate) const override {
    parallel(steps_, share(dy), [&](size_t first, size_t last) {
      parts == 2 ? backward_share<2>(dy, begin, end, first, last, dx, accumulate)
                 : backward_share<1>(dy, begin, end, first, last, dx, accumulate);
    });
  }

 private:
  const int64_t steps_;
  /// For 32 rows after the other and each step of columns, a pair of tiles a part.
  std::vector<uint16_t, AlignedAllocator<uint16_t>> bits_;

  int64_t block() const { return 2 * parts * tile; }

  /// Pairs below which a second thread costs more than it saves.
  size_t share(const Rounded &x) const { return std::max<int64_t>(1, 8 - x.rows / 8); }

  CMLX_TILES void pack(const float *weight, int64_t p) {
    for (int64_t step = 0; step < steps_; ++step) {
      uint16_t *at = bits_.data() + (p * steps_ + step) * block();
      for (int t = 0; t < 2; ++t) {
        alignas(64) uint16_t plain[2][tile];
        for (int64_t row = 0; row < side; ++row) {
          const int64_t i = p * pair + t * side + row;
          split(
              i < rows ? weight + i * columns + step * depth : weight,
              i < rows ? columns - step * depth : 0, plain[0] + row * depth,
              parts == 2 ? plain[1] + row * depth : nullptr);
        }
        for (int part = 0; part < parts; ++part) {
          __m512i r[16];
          for (int i = 0; i < 16; ++i) r[i] = _mm512_load_si512(plain[part] + i * depth);
          transpose(r);
          for (int i = 0; i < 16; ++i)
            _mm512_store_si512(at + (2 * part + t) * tile + i * depth, r[i]);
        }
      }
    }
  }

  template <int parts_>
  CMLX_TILES void forward_share(
      const Rounded &x, int64_t from, int64_t first, int64_t last, int64_t width, float *y,
      int64_t stride) const {
    const TileScope scope;
    const int64_t most = cached_strips(steps_, parts_);
    for (int64_t p = first; p < last; p += most)
      strips<parts_>(
          {x, steps_, bits_.data() + (from + p) * steps_ * block()}, std::min(most, last - p),
          y + p * pair, stride, width - p * pair, false);
  }

  template <int parts_>
  CMLX_TILES void backward_share(
      const Rounded &dy, int64_t begin, int64_t end, int64_t first, int64_t last, float *dx,
      bool adds) const {
    const TileScope scope;
    const int64_t from = begin / pair, pairs = steps(end - begin);
    const int64_t most = cached_strips(pairs, parts_);
    thread_local std::vector<uint16_t, AlignedAllocator<uint16_t>> turned;
    turned.resize(std::max<size_t>(turned.size(), most * pairs * block()));
    for (int64_t column = first; column < last; column += most) {
      const int64_t count = std::min(most, last - column);
      for (int64_t i = 0; i < count * pairs * parts_; ++i) {
        const int64_t part = i % parts_, p = i / parts_ % pairs, c = i / parts_ / pairs;
        turn(
            bits_.data() + ((from + p) * steps_ + column + c) * block() + 2 * part * tile,
            turned.data() + i * 2 * tile);
      }
      strips<parts_>(
          {dy, pairs, turned.data()}, count, dx + column * pair, columns,
          columns - column * pair, adds);
    }
  }
};

}  // namespace

std::shared_ptr<const PackedWeight> cmlx::make_tiled(
    const float *weight, int64_t rows, int64_t columns, int parts) {
  static const bool granted = request_tiles();
  if (!granted) throw std::runtime_error("the system does not let this program use AMX");
  if (parts < 1 || parts > 2) throw std::invalid_argument("pack: expected one part or two");
  return std::make_shared<TiledWeight>(weight, rows, columns, parts);
}

#else

std::shared_ptr<const cmlx::PackedWeight> cmlx::make_tiled(
    const float *, int64_t, int64_t, int) {
  throw std::runtime_error("this processor has no AMX");
}

#endif
