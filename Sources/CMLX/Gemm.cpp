#include "Gemm.hpp"

#include <algorithm>
#include <atomic>
#include <dnnl.hpp>
#include <stdexcept>
#include <string>

#include "Graph.hpp"
#include "Handle.hpp"
#include "Kernels.hpp"
#include "Panels.hpp"
#include "Parallel.hpp"
#include "Tiles.hpp"

using namespace cmlx;

namespace {

std::atomic<uint64_t> sgemm_calls{0};

}  // namespace

// MLX multiplies fp32 matrices through the CBLAS interface. The wheel brings the reference BLAS,
// fifty times slower than the processor; the dynamic linker finds this definition first.
extern "C" void cblas_sgemm(
    int layout, int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float *a,
    int lda, const float *b, int ldb, float beta, float *c, int ldc) {
  constexpr int row_major = 101, no_transpose = 111;
  sgemm_calls.fetch_add(1, std::memory_order_relaxed);
  const bool ta = transpose_a != no_transpose, tb = transpose_b != no_transpose;
  // Column-major C = A B is row-major Cᵀ = Bᵀ Aᵀ over the same memory.
  if (layout == row_major) {
    sgemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
  } else {
    sgemm(tb, ta, n, m, k, alpha, b, ldb, a, lda, beta, c, ldc);
  }
}

namespace {

/// Columns of a product that the kernel takes at a time.
constexpr int64_t wide = 32;

#if defined(__x86_64__)
/// 16 rows of B, `ldb` apart, as 16 columns.
CMLX_TILES void turn(const float *b, int64_t ldb, float *to) {
  __m512i rows[16];
  for (int i = 0; i < 16; ++i) rows[i] = _mm512_loadu_si512(b + i * ldb);
  tiles::transpose(rows);
  for (int i = 0; i < 16; ++i) _mm512_storeu_si512(to + i * wide, rows[i]);
}
#endif

/// Columns of op(B) from `first` on as the kernel reads them: row after row, `wide` numbers each.
void lay_out(
    const float *b, int64_t ldb, bool transpose_b, int64_t k, int64_t first, int64_t count, float *to) {
  if (!transpose_b) {
    for (int64_t l = 0; l < k; ++l) std::copy_n(b + l * ldb + first, count, to + l * wide);
    return;
  }
  // Some rows of the result at a time, so that they stay in the first-level cache.
  constexpr int64_t some = 16;
  b += first * ldb;
  for (int64_t from = 0; from < k; from += some) {
    const int64_t end = std::min(from + some, k);
    int64_t j = 0;
#if defined(__x86_64__)
    constexpr int64_t ahead = 128;
    for (int64_t i = 0; i < count; ++i) __builtin_prefetch(b + i * ldb + from + ahead);
    if (end - from == some)
      for (; j + some <= count; j += some) turn(b + j * ldb + from, ldb, to + from * wide + j);
#endif
    for (; j < count; ++j)
      for (int64_t l = from; l < end; ++l) to[l * wide + j] = b[j * ldb + l];
  }
}

/// C (+)= A · op(B) with many rows and columns. A part of some columns of B is laid out anew and stays in
/// the second-level cache while the rows of A pass by, which costs a few hundredths of the product.
void multiply_many(
    bool transpose_b, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const float *b,
    int64_t ldb, bool adds, float *c, int64_t ldc) {
  // Terms are summed in even parts before these are added up, which is rounded less than one long sum.
  constexpr int64_t most_terms = 384, block = 256;
  const int64_t parts = (k + most_terms - 1) / most_terms, terms = (k + parts - 1) / parts;
  // Where there are few columns for the threads, rows are shared out too.
  const int64_t strips = (n + wide - 1) / wide, shares = 4 * threads();
  const int64_t blocks = std::clamp<int64_t>(shares / strips, 1, (m + block - 1) / block);
  const int64_t rows = (m + blocks - 1) / blocks;
  parallel(strips * blocks, 1, [&](size_t begin, size_t end) {
    alignas(alignment) float panel[most_terms * wide];
    for (int64_t piece = begin; piece < int64_t(end); ++piece) {
      const int64_t column = piece / blocks * wide, count = std::min(wide, n - column);
      const int64_t row = piece % blocks * rows, some = std::min(rows, m - row);
      for (int64_t l = 0; l < k && some > 0; l += terms) {
        const int64_t inner = std::min(terms, k - l);
        lay_out(b + l * (transpose_b ? 1 : ldb), ldb, transpose_b, inner, column, count, panel);
        kernels::multiply(
            {a + row * lda + l, panel, c + row * ldc + column, size_t(some), size_t(inner),
             size_t(count), size_t(lda), 1, wide, size_t(ldc), adds || l > 0});
      }
    }
  });
}

}  // namespace

void cmlx::sgemm(
    bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, float alpha,
    const float *a, int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc) {
  threads();
  // On Zen 4 oneDNN 2.6 reaches nine tenths of this; few rows or columns it does as well.
  if (unit() != Unit::none && !transpose_a && alpha == 1 && (beta == 0 || beta == 1) &&
      std::min({m, n, k}) >= many_rows)
    return multiply_many(transpose_b, m, n, k, a, lda, b, ldb, beta == 1, c, ldc);
  const auto status = dnnl_sgemm(
      transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', m, n, k, alpha, a, lda, b, ldb, beta, c,
      ldc);
  if (status != dnnl_success)
    throw std::runtime_error(
        "oneDNN refused a matrix product of [" + std::to_string(m) + ", " + std::to_string(k) +
        "] and [" + std::to_string(k) + ", " + std::to_string(n) + "]");
}

namespace {

/// Blocks of a GGUF file, on a processor without products in bf16: forward only.
class BlocksWeight : public PackedWeight {
 public:
  explicit BlocksWeight(std::unique_ptr<Panels> panels)
      : PackedWeight(panels->rows, panels->columns), panels_(std::move(panels)) {}

  bool has_backward() const override { return false; }
  int form(int64_t) const override { return 0; }
  void prepare(int64_t m, int64_t, Rounded &rounded, bool) const override {
    panels_->prepare(m, rounded);
  }
  void round_rows(
      const float *x, int64_t, int64_t begin, int64_t end, Rounded &rounded,
      bool) const override {
    panels_->round(x, begin * 16, std::min(end * 16, rounded.rows), rounded);
  }
  void multiply(
      const Rounded &x, int64_t first, int64_t last, float *y, int64_t stride,
      bool adds) const override {
    panels_->multiply(x, first, last, y, stride, adds);
  }
  void backward(const Rounded &, int64_t, int64_t, float *, bool) const override {
    throw std::logic_error("blocks have no gradient here");
  }

 private:
  std::unique_ptr<Panels> panels_;
};

}  // namespace

void PackedWeight::round(
    const float *x, int64_t m, int64_t k, Rounded &rounded, bool turned) const {
  prepare(m, k, rounded, turned);
  parallel((m + 15) / 16, 4, [&](size_t begin, size_t end) {
    round_rows(x, k, begin, end, rounded, turned);
  });
}

void PackedWeight::forward(
    const Rounded &x, int64_t begin, int64_t end, float *y, int64_t stride) const {
  constexpr int64_t strip = 32;
  // Strips below which a second thread costs more than it saves.
  const size_t share = std::max<int64_t>(1, 8 - x.rows / 8);
  parallel((end - begin + strip - 1) / strip, share, [&](size_t from, size_t to) {
    multiply(
        x, begin + from * strip, std::min<int64_t>(begin + to * strip, end), y + from * strip,
        stride, false);
  });
}

std::shared_ptr<const PackedWeight> PackedWeight::make(
    BlockType type, const uint8_t *blocks, int64_t rows, int64_t columns,
    const int *order) {
  auto panels = std::make_unique<Panels>(type, blocks, rows, columns, order);
  if (unit() != Unit::none) return make_tiled(std::move(panels));
  return std::make_shared<BlocksWeight>(std::move(panels));
}

std::shared_ptr<const PackedWeight> PackedWeight::make(
    const RowSource &source, int64_t rows, int64_t columns, int parts) {
  if (unit() == Unit::none)
    throw std::invalid_argument("pack: this processor has no products in bf16");
  if (parts == 2 && unit() != Unit::tiles)
    throw std::invalid_argument("pack: this processor multiplies weights in one part only");
  return make_tiled(source, rows, columns, parts);
}

const Unit cmlx::found_unit = [] {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::avx512_core_amx: return Unit::tiles;
    case dnnl::cpu_isa::avx512_core_bf16: return Unit::pairs;
    case dnnl::cpu_isa::avx512_core_vnni:
    case dnnl::cpu_isa::avx512_core: return Unit::widened;
    default: return Unit::none;
  }
}();

bool cmlx::packs_in_parts() {
  return !graph::is_used() && unit() == Unit::tiles;
}

extern "C" {

uint64_t cmlx_sgemm_calls(void) { return sgemm_calls.load(); }

bool cmlx_packs_in_parts(void) { return packs_in_parts(); }

bool cmlx_packs_bf16(void) { return graph::is_used() || unit() != Unit::none; }

bool cmlx_has_native_bf16(void) {
  return graph::is_used() || unit() == Unit::tiles || unit() == Unit::pairs;
}

const char *cmlx_gemm_target(void) {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::avx512_core_amx: return "avx512_core_amx";
    case dnnl::cpu_isa::avx512_core_bf16: return "avx512_core_bf16";
    case dnnl::cpu_isa::avx512_core_vnni: return "avx512_core_vnni";
    case dnnl::cpu_isa::avx512_core: return "avx512_core";
    case dnnl::cpu_isa::avx2: return "avx2";
    default: return "generic";
  }
}

const char *cmlx_kernel_target(void) { return kernels::target_name(); }

}  // extern "C"
