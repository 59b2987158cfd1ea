// Packed weights as tiles.
#include "Panels.hpp"
#include "Parallel.hpp"
#include "Tiles.hpp"

#if defined(__x86_64__)

#include <sys/syscall.h>
#include <unistd.h>

using namespace cmlx;
using namespace cmlx::tiles;

namespace {

/// The kernel lends a process the tiles' state once it asks; oneDNN may have asked before.
bool request_tiles() {
  constexpr int request_permission = 0x1023, tile_data = 18;
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

/// Memory of a thread's own that only grows.
uint16_t *scratch(size_t index, size_t size) {
  thread_local Aligned<uint16_t> memory[2];
  if (memory[index].size() < size) memory[index].resize(size);
  return memory[index].data();
}

/// Weights of which tiles are at hand or made when they are needed: for 32 rows of W after the other (a
/// strip) and each step of columns, a pair of tiles a part.
class TiledWeight : public PackedWeight {
 public:
  TiledWeight(int64_t rows, int64_t columns, int parts)
      : PackedWeight(rows, columns), parts_(parts), steps_(steps(columns)) {}

  bool has_backward() const override { return true; }

  int form(int64_t) const override { return parts_; }

  void prepare(int64_t m, int64_t k, Rounded &rounded, bool) const override {
    rounded.rows = m;
    const size_t needed = (m + side - 1) / side * steps(k) * parts_ * tile;
    if (rounded.bits.size() < needed) rounded.bits.resize(needed);
  }

  void round_rows(
      const float *x, int64_t k, int64_t begin, int64_t end, Rounded &rounded,
      bool) const override {
    to_tiles(x, rounded.rows, k, k, parts_, begin, end, rounded.bits.data());
  }

  void multiply(
      const Rounded &x, int64_t first, int64_t last, float *y, int64_t stride,
      bool adds) const override {
    parts_ == 2 ? multiply_parts<2>(x, first, last, y, stride, adds)
                : multiply_parts<1>(x, first, last, y, stride, adds);
  }

  void backward(
      const Rounded &dy, int64_t begin, int64_t end, float *dx, bool accumulate) const override {
    const size_t share = std::max<int64_t>(1, 8 - dy.rows / 8);
    parallel(steps_, share, [&](size_t first, size_t last) {
      parts_ == 2 ? backward_share<2>(dy, begin, end, first, last, dx, accumulate)
                  : backward_share<1>(dy, begin, end, first, last, dx, accumulate);
    });
  }

 protected:
  const int parts_;
  const int64_t steps_;

  /// The tiles of some strips, one strip's after the other's.
  virtual const uint16_t *strips_at(int64_t strip, int64_t count) const = 0;
  /// The pair of tiles of one part at one step of a strip.
  virtual const uint16_t *pair_at(int64_t strip, int64_t step, int part) const = 0;

  int64_t block() const { return 2 * parts_ * tile; }

 private:
  template <int parts>
  CMLX_TILES void multiply_parts(
      const Rounded &x, int64_t begin, int64_t end, float *y, int64_t stride, bool adds) const {
    const TileScope scope;
    const int64_t most = cached_strips(steps_, parts);
    const int64_t first = begin / pair, last = steps(end);
    for (int64_t p = first; p < last; p += most) {
      const int64_t count = std::min(most, last - p);
      strips<parts>(
          {x, steps_, strips_at(p, count), steps_}, count, y + p * pair - begin, stride, end - p * pair,
          adds);
    }
  }

  template <int parts>
  CMLX_TILES void backward_share(
      const Rounded &dy, int64_t begin, int64_t end, int64_t first, int64_t last, float *dx,
      bool adds) const {
    const TileScope scope;
    const int64_t from = begin / pair, pairs = steps(end - begin);
    const int64_t most = cached_strips(pairs, parts);
    uint16_t *turned = scratch(0, most * pairs * block());
    for (int64_t column = first; column < last; column += most) {
      const int64_t count = std::min(most, last - column);
      for (int64_t i = 0; i < count * pairs * parts; ++i) {
        const int64_t part = i % parts, p = i / parts % pairs, c = i / parts / pairs;
        turn(pair_at(from + p, column + c, int(part)), turned + i * 2 * tile);
      }
      strips<parts>(
          {dy, pairs, turned, pairs}, count, dx + column * pair, columns, columns - column * pair, adds);
    }
  }
};

/// Weights kept as tiles.
class StoredTiles : public TiledWeight {
 public:
  StoredTiles(const RowSource &source, int64_t rows, int64_t columns, int parts)
      : TiledWeight(rows, columns, parts) {
    bits_.resize(steps(rows) * steps_ * block());
    constexpr int64_t at_once = 1024;
    Aligned<float> weight(std::min(at_once, rows) * columns);
    for (int64_t first = 0; first < rows; first += at_once) {
      const int64_t count = std::min(at_once, rows - first);
      source(first, count, weight.data());
      parallel(steps(count), 4, [&](size_t begin, size_t end) {
        for (int64_t p = begin; p < int64_t(end); ++p)
          pack_strip(
              [&](int64_t i) { return weight.data() + (p * pair + i) * columns; }, count - p * pair,
              columns, parts_, bits_.data() + (first / pair + p) * steps_ * block());
      });
    }
  }

 protected:
  const uint16_t *strips_at(int64_t strip, int64_t) const override {
    return bits_.data() + strip * steps_ * block();
  }
  const uint16_t *pair_at(int64_t strip, int64_t step, int part) const override {
    return bits_.data() + (strip * steps_ + step) * block() + 2 * part * tile;
  }

 private:
  Aligned<uint16_t> bits_;
};

/// Weights kept as the blocks of a GGUF file: multiplied as integers where x has few rows, since then
/// reading them is what it costs, and widened to tiles of bf16 where it has more.
class BlockTiles : public TiledWeight {
 public:
  explicit BlockTiles(std::unique_ptr<Panels> panels)
      : TiledWeight(panels->rows, panels->columns, 1), panels_(std::move(panels)) {}

  int form(int64_t m) const override { return is_few(m) ? 0 : TiledWeight::form(m); }

  void prepare(int64_t m, int64_t k, Rounded &rounded, bool turned) const override {
    if (turned || !is_few(m)) return TiledWeight::prepare(m, k, rounded, turned);
    panels_->prepare(m, rounded);
  }

  void round_rows(
      const float *x, int64_t k, int64_t begin, int64_t end, Rounded &rounded,
      bool turned) const override {
    if (turned || !is_few(rounded.rows))
      return TiledWeight::round_rows(x, k, begin, end, rounded, turned);
    panels_->round(x, begin * side, std::min(end * side, rounded.rows), rounded);
  }

  void multiply(
      const Rounded &x, int64_t first, int64_t last, float *y, int64_t stride,
      bool adds) const override {
    if (is_few(x.rows)) return panels_->multiply(x, first, last, y, stride, adds);
    if (x.rows > pair) return TiledWeight::multiply(x, first, last, y, stride, adds);
    unit() == Unit::tiles ? multiply_pair(x, first, last, y, stride, adds)
                          : multiply_few(x, first, last, y, stride, adds);
  }

 protected:
  const uint16_t *strips_at(int64_t strip, int64_t count) const override {
    uint16_t *tiles = scratch(1, count * steps_ * block());
    for (int64_t i = 0; i < count * steps_; ++i)
      widen(strip + i / steps_, i % steps_, tiles + i * block());
    return tiles;
  }
  const uint16_t *pair_at(int64_t strip, int64_t step, int) const override {
    uint16_t *tiles = scratch(1, block());
    widen(strip, step, tiles);
    return tiles;
  }

 private:
  std::unique_ptr<Panels> panels_;

  static bool is_few(int64_t m) { return m <= integer_rows; }

  /// Up to 32 rows: one pair of their blocks, so that tiles are used as they are made, and the next are
  /// made while these are multiplied.
  CMLX_TILES void multiply_pair(
      const Rounded &x, int64_t begin, int64_t end, float *y, int64_t stride, bool adds) const {
    const TileScope scope;
    alignas(64) uint16_t ring[4][2 * tile];
    const int64_t row = steps_ * tile;
    const uint16_t *upper = x.bits.data(), *lower = x.rows > side ? upper + row : upper;
    for (int64_t p = begin / pair; p < steps(end); ++p) {
      const Corner c{y + p * pair - begin, stride, x.rows, end - p * pair};
      alignas(64) float scratch[pair * pair];
      begin_corner(c, scratch, adds);
      widen(p, 0, ring[0]);
      for (int64_t i = 0; i < steps_; ++i) {
        if (i + 1 < steps_) widen(p, i + 1, ring[(i + 1) % 4]);
        multiply_step(upper + i * tile, lower + i * tile, ring[i % 4]);
      }
      end_corner(c, scratch);
    }
  }

  /// The same without AMX: a strip at a time, which stays in the first caches.
  void multiply_few(
      const Rounded &x, int64_t begin, int64_t end, float *y, int64_t stride, bool adds) const {
    for (int64_t p = begin / pair; p < steps(end); ++p)
      strips<1>(
          {x, steps_, strips_at(p, 1), steps_}, 1, y + p * pair - begin, stride, end - p * pair, adds);
  }

  void widen(int64_t strip, int64_t step, uint16_t *tiles) const {
    for (int64_t t = 0; t < 2; ++t) {
      const int64_t panel = 2 * strip + t;
      if (panel * side < rows) {
        panels_->widen(panel, step, tiles + t * tile);
      } else {
        std::fill_n(tiles + t * tile, tile, uint16_t(0));
      }
    }
  }
};

}  // namespace

void cmlx::tiles::require() {
  if (unit() != Unit::tiles) return;
  static const bool granted = request_tiles();
  if (!granted) throw std::runtime_error("the system does not let this program use AMX");
}

std::shared_ptr<const PackedWeight> cmlx::make_tiled(
    const RowSource &source, int64_t rows, int64_t columns, int parts) {
  tiles::require();
  if (parts < 1 || parts > 2) throw std::invalid_argument("pack: expected one part or two");
  return std::make_shared<StoredTiles>(source, rows, columns, parts);
}

std::shared_ptr<const PackedWeight> cmlx::make_tiled(std::unique_ptr<Panels> panels) {
  tiles::require();
  return std::make_shared<BlockTiles>(std::move(panels));
}

#else

std::shared_ptr<const cmlx::PackedWeight> cmlx::make_tiled(
    const RowSource &, int64_t, int64_t, int) {
  throw std::runtime_error("this processor has no AVX-512");
}

std::shared_ptr<const cmlx::PackedWeight> cmlx::make_tiled(std::unique_ptr<Panels>) {
  throw std::runtime_error("this processor has no AVX-512");
}

#endif
