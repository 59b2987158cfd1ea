// Matrix products through oneDNN.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace cmlx {

/// Row-major C = alpha · op(A) · op(B) + beta · C. Throws when oneDNN refuses.
void sgemm(
    bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, float alpha,
    const float *a, int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc);

/// Rows of W in one packed block: as many as the cross-entropy takes at a time.
constexpr int64_t packed_rows = 4096;

/// Rows of a product with packed weights, rounded up to those of a tile. A product is compiled for
/// each number of rows, which takes megabytes and milliseconds: so there must be few.
constexpr int64_t padded(int64_t rows) { return (rows + 15) / 16 * 16; }

/// Frozen weights W `[rows, columns]` rounded to bf16 and laid out as the processor's bf16
/// instructions want them.
class PackedWeight {
 public:
  PackedWeight(const float *weight, int64_t rows, int64_t columns, bool backward);
  ~PackedWeight();

  const int64_t rows, columns;
  size_t blocks() const;
  int64_t block_begin(size_t block) const { return int64_t(block) * packed_rows; }
  int64_t block_rows(size_t block) const;
  bool has_backward() const;

  /// y `[m, block rows]` = x · W_blockᵀ; x is bf16 `[m, columns]`, and both have room for `padded(m)`
  /// rows. Dense on purpose: oneDNN 2.6 falls back to its reference loops, a thousand times slower,
  /// when the rows of y lie further apart.
  void forward(size_t block, const uint16_t *x, int64_t m, float *y) const;
  /// dx `[m, columns]` (+)= dy · W_block; dy is bf16 `[m, block rows]`; padded likewise.
  void backward(size_t block, const uint16_t *dy, int64_t m, float *dx, bool accumulate) const;

 private:
  struct Block;
  std::vector<std::unique_ptr<Block>> blocks_;
};

}  // namespace cmlx
