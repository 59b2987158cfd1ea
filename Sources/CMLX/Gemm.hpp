// Matrix products: with packed weights, and in fp32 our own or through oneDNN.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "Blocks.hpp"
#include "Handle.hpp"
#include "Kernels.hpp"

namespace cmlx {

class Panels;

/// Row-major C = alpha · op(A) · op(B) + beta · C. Throws when oneDNN refuses.
void sgemm(
    bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, float alpha,
    const float *a, int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc);

/// Rows (and columns, and terms) from which fp32 products are our own where there is AVX-512.
constexpr int64_t many_rows = 64;

/// Rows of W in one packed block: as many as the cross-entropy takes at a time.
constexpr int64_t packed_rows = 4096;

/// Rows of x up to which weights in blocks are multiplied as integers.
constexpr int64_t integer_rows = 8;

/// What bf16 is multiplied with here: nothing, AVX-512's products in fp32 of what was bf16, its products of
/// pairs, or tiles (AMX).
enum class Unit { none, widened, pairs, tiles };
extern const Unit found_unit;
/// No call, before which each register would have to be put away.
inline Unit unit() { return found_unit; }

/// Rows of activations as products with packed weights take them.
struct Rounded {
  int64_t rows = 0;
  /// In bf16, for products with weights in bf16.
  Aligned<uint16_t> bits;
  /// As integers, for products with weights as integers; see `kernels::round_block`.
  Aligned<int8_t> few;
  Aligned<float> scales;
  Aligned<int32_t> sums;
  /// As they are, for processors without instructions for either.
  const float *plain = nullptr;
};

/// Writes `count` rows of a matrix, from `first` on.
using RowSource = std::function<void(int64_t first, int64_t count, float *rows)>;

/// Frozen weights W `[rows, columns]` laid out as the processor's instructions want them: rounded to bf16
/// (one part), as the sum of two such numbers (two parts), which keeps 16 of fp32's 24 bits, or as the
/// blocks of a GGUF file. A product of two parts with two leaves out the smallest of four terms: its
/// relative error is about 2⁻¹⁶, a hundredth of one part's, for three products in bf16 (Henry et al.
/// 2019, arXiv 1904.06376). With blocks, few rows are multiplied in integers of 22 bits, and more as
/// with one part.
class PackedWeight {
 public:
  /// Rows are asked for in their order, `packed_rows` or fewer at a time, so that W need not exist as
  /// fp32. Throws without a unit, and where two parts are asked for and `packs_in_parts()` is false.
  static std::shared_ptr<const PackedWeight> make(
      const RowSource &source, int64_t rows, int64_t columns, int parts);
  /// Row i is made of the blocks of row `order[i]`, or i without an order.
  static std::shared_ptr<const PackedWeight> make(
      BlockType type, const uint8_t *blocks, int64_t rows, int64_t columns,
      const int *order);
  virtual ~PackedWeight() = default;

  const int64_t rows, columns;

  virtual bool has_backward() const = 0;
  /// Rounds x `[m, k]` for `forward` (k = columns), or `backward` where `turned` (k = rows of a block or
  /// fewer).
  void round(const float *x, int64_t m, int64_t k, Rounded &rounded, bool turned = false) const;
  /// y `[m, end - begin]` = x · W[begin ..< end]ᵀ, the rows of y `stride` apart. `begin` is a multiple of
  /// `packed_rows`, and `end` too or all.
  void forward(
      const Rounded &x, int64_t begin, int64_t end, float *y, int64_t stride) const;
  /// dx `[m, columns]` (+)= dy · W[begin ..< end].
  virtual void backward(
      const Rounded &dy, int64_t begin, int64_t end, float *dx, bool accumulate) const = 0;

  // What `round` and `forward` do, for callers who share the work out themselves.

  /// How x is rounded: weights with one number share what `round_rows` makes.
  virtual int form(int64_t m) const = 0;
  /// Makes room for x `[m, k]`.
  virtual void prepare(int64_t m, int64_t k, Rounded &rounded, bool turned) const = 0;
  /// Rounds the blocks of 16 rows begin ..< end of x `[m, k]`.
  virtual void round_rows(
      const float *x, int64_t k, int64_t begin, int64_t end, Rounded &rounded,
      bool turned) const = 0;
  /// y `[m, last - first]` (+)= x · W[first ..< last]ᵀ; `first` is a multiple of 32, and `last` too or
  /// all.
  virtual void multiply(
      const Rounded &x, int64_t first, int64_t last, float *y, int64_t stride, bool adds) const = 0;

 protected:
  PackedWeight(int64_t rows, int64_t columns) : rows(rows), columns(columns) {}
};

/// Whether this processor multiplies tiles of bf16 (AMX), by which weights in two parts pay.
bool packs_in_parts();

/// Weights in tiles.
std::shared_ptr<const PackedWeight> make_tiled(
    const RowSource &source, int64_t rows, int64_t columns, int parts);
std::shared_ptr<const PackedWeight> make_tiled(std::unique_ptr<Panels> panels);

}  // namespace cmlx
