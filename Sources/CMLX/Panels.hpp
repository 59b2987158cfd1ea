// Weights of a GGUF file's blocks, laid out so that 16 rows are multiplied at a time.
#pragma once

#include "Blocks.hpp"
#include "Gemm.hpp"
#include "Kernels.hpp"

namespace cmlx {

/// Weights `[rows, columns]` in blocks of 32 along a row: panels of 16 rows, block after block, each
/// with the rows' scales and minima, and the weights of four columns of a row side by side. They take
/// the bytes that they take in the file for Q4_0, Q4_1 and Q8_0, and for others 6 or 10 bits a weight.
class Panels {
 public:
  static constexpr int64_t lanes = kernels::panel_rows, block = 32;

  /// Row i is made of the blocks of row `order[i]` of the file, or i without an order.
  Panels(
      BlockType type, const uint8_t *blocks, int64_t rows, int64_t columns,
      const int *order);

  const kernels::PanelType type;
  const int64_t rows, columns;

  /// Makes room for `round`.
  void prepare(int64_t m, Rounded &rounded) const;
  /// Rows begin ..< end of x `[m, columns]` as integers of 22 bits, with a scale for every 32.
  void round(const float *x, int64_t begin, int64_t end, Rounded &rounded) const;
  /// y `[m, last - first]` (+)= x · W[first ..< last]ᵀ; `first` is a multiple of 16, and `last` too or
  /// all.
  void multiply(
      const Rounded &x, int64_t first, int64_t last, float *y, int64_t stride, bool adds) const;
  /// The weights of one panel and block in bf16, two columns of a row side by side, 16 rows next to
  /// each other. Needs AVX-512.
  void widen(int64_t panel, int64_t step, uint16_t *tile) const;

 private:
  /// What stored integers are higher than what they stand for.
  const int zero_;
  Aligned<uint8_t> bytes_;

  size_t panel_bytes() const { return kernels::panel_block_bytes(type) * (columns / block); }
};

}  // namespace cmlx
