// Matrix products through oneDNN.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "Handle.hpp"

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

/// Rows of activations as products with packed weights take them.
struct Rounded {
  std::vector<uint16_t, AlignedAllocator<uint16_t>> bits;
  int64_t rows = 0;
};

/// Frozen weights W `[rows, columns]` laid out as the processor's bf16 instructions want them: rounded
/// to bf16 (one part), or as the sum of two such numbers (two parts), which keeps 16 of fp32's 24 bits.
/// A product of two parts with two leaves out the smallest of four terms: its relative error is about
/// 2⁻¹⁶, a hundredth of one part's, for three products in bf16 (Henry et al. 2019, arXiv 1904.06376).
class PackedWeight {
 public:
  /// Throws where two parts are asked for and `packs_in_parts()` is false.
  static std::shared_ptr<const PackedWeight> make(
      const float *weight, int64_t rows, int64_t columns, int parts, bool backward);
  virtual ~PackedWeight() = default;

  const int64_t rows, columns;
  const int parts;

  virtual bool has_backward() const = 0;
  /// Rounds x `[m, k]` for `forward` (k = columns) or `backward` (k = rows of a block or fewer).
  virtual void round(const float *x, int64_t m, int64_t k, Rounded &rounded) const = 0;
  /// y `[m, end - begin]` = x · W[begin ..< end]ᵀ, the rows of y `stride` apart, with room for
  /// `padded(m)` rows. `begin` is a multiple of `packed_rows`, and `end` too or all.
  virtual void forward(
      const Rounded &x, int64_t begin, int64_t end, float *y, int64_t stride) const = 0;
  /// dx `[m, columns]` (+)= dy · W[begin ..< end], with room for `padded(m)` rows.
  virtual void backward(
      const Rounded &dy, int64_t begin, int64_t end, float *dx, bool accumulate) const = 0;

 protected:
  PackedWeight(int64_t rows, int64_t columns, int parts)
      : rows(rows), columns(columns), parts(parts) {}
};

/// Whether this processor multiplies tiles of bf16 (AMX), by which weights in two parts pay.
bool packs_in_parts();

/// Weights for AMX.
std::shared_ptr<const PackedWeight> make_tiled(
    const float *weight, int64_t rows, int64_t columns, int parts);

}  // namespace cmlx
