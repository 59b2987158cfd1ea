#include "Gemm.hpp"

#include <atomic>
#include <dnnl.hpp>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <tuple>

#include "Graph.hpp"
#include "Handle.hpp"
#include "Kernels.hpp"
#include "Panels.hpp"
#include "Parallel.hpp"

using namespace cmlx;

namespace {

std::atomic<uint64_t> sgemm_calls{0};

dnnl::engine &engine() {
  static dnnl::engine value(dnnl::engine::kind::cpu, 0);
  return value;
}

/// A stream belongs to the thread that runs the products.
dnnl::stream &stream() {
  threads();
  thread_local dnnl::stream value(engine());
  return value;
}

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

void cmlx::sgemm(
    bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, float alpha,
    const float *a, int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc) {
  threads();
  const auto status = dnnl_sgemm(
      transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', m, n, k, alpha, a, lda, b, ldb, beta, c,
      ldc);
  if (status != dnnl_success)
    throw std::runtime_error(
        "oneDNN refused a matrix product of [" + std::to_string(m) + ", " + std::to_string(k) +
        "] and [" + std::to_string(k) + ", " + std::to_string(n) + "]");
}

namespace {

/// One block of packed rows in its two layouts.
struct Block {
  using memory = dnnl::memory;
  int64_t rows, columns;
  memory forward, backward;

  Block(const uint16_t *bits, int64_t rows, int64_t columns, bool with_backward)
      : rows(rows), columns(columns) {
    // W as stored is [rows, columns]; a product with its transpose reads it as [columns, rows].
    forward = pack(bits, {columns, rows}, {1, columns});
    if (with_backward) backward = pack(bits, {rows, columns}, {columns, 1});
  }

  static memory::desc bf16(memory::dims dims, memory::dims strides) {
    return memory::desc(dims, memory::data_type::bf16, strides);
  }

  static dnnl::matmul::primitive_desc describe(
      int64_t m, const memory::desc &weights, bool accumulate) {
    const auto k = weights.dims()[0], n = weights.dims()[1];
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::library);
    if (accumulate) {
      dnnl::post_ops add;
      add.append_sum(1.0f);
      attributes.set_post_ops(add);
    }
    dnnl::matmul::desc desc(
        bf16({m, k}, {k, 1}), weights,
        memory::desc({m, n}, memory::data_type::f32, memory::dims{n, 1}));
    return dnnl::matmul::primitive_desc(desc, attributes, engine());
  }

  static memory pack(const uint16_t *bits, memory::dims dims, memory::dims strides) {
    constexpr int64_t typical_tokens = 512;
    const auto any =
        memory::desc(dims, memory::data_type::bf16, memory::format_tag::any);
    const auto layout = describe(typical_tokens, any, false).weights_desc();
    memory source(bf16(dims, strides), engine(), const_cast<uint16_t *>(bits));
    memory packed(layout, engine());
    dnnl::reorder(source, packed).execute(stream(), source, packed);
    stream().wait();
    return packed;
  }

  /// Weights of one shape have one layout, so that layers share what is compiled.
  static dnnl::matmul &product(int64_t m, const memory::desc &weights, bool isBackward, bool adds) {
    using Key = std::tuple<int64_t, int64_t, int64_t, bool, bool>;
    constexpr size_t most = 512;
    thread_local std::map<Key, dnnl::matmul> known;
    const Key key{m, weights.dims()[0], weights.dims()[1], isBackward, adds};
    auto found = known.find(key);
    if (found == known.end()) {
      if (known.size() >= most) known.clear();
      found = known.emplace(key, dnnl::matmul(describe(m, weights, adds))).first;
    }
    return found->second;
  }

  void multiply(
      const memory &weights, const uint16_t *x, int64_t tokens, float *y, bool accumulate) const {
    const auto dims = weights.get_desc().dims();
    const int64_t m = padded(tokens);
    auto &matmul = product(m, weights.get_desc(), &weights == &backward, accumulate);
    memory source(bf16({m, dims[0]}, {dims[0], 1}), engine(), const_cast<uint16_t *>(x));
    memory destination(
        memory::desc({m, dims[1]}, memory::data_type::f32, memory::dims{dims[1], 1}), engine(), y);
    matmul.execute(
        stream(),
        {{DNNL_ARG_SRC, source}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DST, destination}});
    stream().wait();
  }
};

/// Weights in bf16 that oneDNN lays out, block by block.
class BlockedWeight : public PackedWeight {
 public:
  BlockedWeight(const RowSource &source, int64_t rows, int64_t columns, bool backward)
      : PackedWeight(rows, columns) {
    std::vector<uint16_t> bits;
    Aligned<float> weight(std::min(packed_rows, rows) * columns);
    for (int64_t begin = 0; begin < rows; begin += packed_rows) {
      const int64_t count = std::min(packed_rows, rows - begin);
      bits.resize(count * columns);
      source(begin, count, weight.data());
      kernels::to_bfloat16(weight.data(), bits.data(), bits.size());
      blocks_.push_back(std::make_unique<Block>(bits.data(), count, columns, backward));
    }
  }

  /// Packs a block, which throws where oneDNN has no products in bf16.
  static void probe(const uint16_t *weights) { Block(weights, 16, 16, true); }

  bool has_backward() const override { return bool(blocks_[0]->backward); }

  bool divides() const override { return false; }

  int form(int64_t) const override { return 0; }

  void prepare(int64_t m, int64_t k, Rounded &rounded, bool) const override {
    rounded.rows = m;
    grow(rounded.bits, size_t(padded(m) * k));
  }

  /// Row after row; those that fill the last tile are zero.
  void round_rows(
      const float *x, int64_t k, int64_t begin, int64_t end, Rounded &rounded,
      bool) const override {
    const int64_t from = begin * 16 * k, to = std::min(end * 16, rounded.rows) * k;
    kernels::to_bfloat16(x + from, rounded.bits.data() + from, to - from);
    std::fill(rounded.bits.data() + to, rounded.bits.data() + end * 16 * k, uint16_t(0));
  }

  void multiply(
      const Rounded &, int64_t, int64_t, float *, int64_t, bool) const override {
    throw std::logic_error("oneDNN shares its products out itself");
  }

  /// oneDNN 2.6 falls back to its reference loops, a thousand times slower, when the rows of y lie
  /// further apart: such products go through a dense one.
  void forward(
      const Rounded &x, int64_t begin, int64_t end, float *y, int64_t stride) const override {
    Aligned<float> part;
    for (int64_t row = begin; row < end; row += packed_rows) {
      const Block &block = *blocks_[row / packed_rows];
      if (block.rows == stride) {
        block.multiply(block.forward, x.bits.data(), x.rows, y, false);
        continue;
      }
      part.resize(padded(x.rows) * block.rows);
      block.multiply(block.forward, x.bits.data(), x.rows, part.data(), false);
      for (int64_t i = 0; i < x.rows; ++i)
        std::copy_n(part.data() + i * block.rows, block.rows, y + i * stride + row - begin);
    }
  }

  void backward(
      const Rounded &dy, int64_t begin, int64_t end, float *dx, bool accumulate) const override {
    if (end - begin > packed_rows)
      throw std::invalid_argument("backward takes one block of packed rows at a time");
    const Block &block = *blocks_[begin / packed_rows];
    block.multiply(block.backward, dy.bits.data(), dy.rows, dx, accumulate);
  }

 private:
  std::vector<std::unique_ptr<Block>> blocks_;
};

/// Blocks of a GGUF file, on a processor without AMX: forward only.
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
  if (packs_in_parts()) return make_tiled(std::move(panels));
  return std::make_shared<BlocksWeight>(std::move(panels));
}

std::shared_ptr<const PackedWeight> PackedWeight::make(
    const RowSource &source, int64_t rows, int64_t columns, int parts, bool backward) {
  if (packs_in_parts()) return make_tiled(source, rows, columns, parts);
  if (parts != 1)
    throw std::invalid_argument("pack: this processor multiplies weights in one part only");
  return std::make_shared<BlockedWeight>(source, rows, columns, backward);
}

bool cmlx::packs_in_parts() {
  return !graph::is_used() && dnnl::get_effective_cpu_isa() == dnnl::cpu_isa::avx512_core_amx;
}

extern "C" {

uint64_t cmlx_sgemm_calls(void) { return sgemm_calls.load(); }

bool cmlx_packs_in_parts(void) { return packs_in_parts(); }

bool cmlx_packs_bf16(void) {
  if (graph::is_used()) return true;
  // What oneDNN can do where is not written down; preparing a product says.
  static const bool can = [] {
    try {
      const uint16_t weights[16 * 16] = {};
      BlockedWeight::probe(weights);
      return true;
    } catch (const std::exception &) {
      return false;
    }
  }();
  return can;
}

bool cmlx_has_native_bf16(void) {
  if (graph::is_used()) return true;
  const auto isa = dnnl::get_effective_cpu_isa();
  return isa == dnnl::cpu_isa::avx512_core_bf16 || isa == dnnl::cpu_isa::avx512_core_amx;
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
