// Products of few rows with weights as a GGUF file holds them: what such a product costs is reading the
// weights, and these are a third of bf16's size.
#include "Fused.hpp"

using namespace cmlx;

/// Weights `[rows, columns]` in a mapped file, which is kept for as long as they are.
struct cmlx_quantised {
  struct Weights {
    kernels::BlockType type;
    const uint8_t *blocks;
    int64_t rows, columns;
    void *owner;
    void (*release)(void *);
    ~Weights() { release(owner); }
  };
  std::shared_ptr<const Weights> value;
};

namespace {

class QuantisedLinear : public Fused {
 public:
  explicit QuantisedLinear(std::shared_ptr<const cmlx_quantised::Weights> weights)
      : weights_(std::move(weights)) {}
  DEFINE_NAME(QuantisedLinear)

  /// Input x `[m, columns]`; output y `[m, rows]`. Rows of W are shared out, so what is computed for
  /// one does not depend on the number of threads.
  void eval_cpu(const Arrays &inputs, Arrays &outputs) override {
    dispatch(inputs, outputs, [weights = weights_](const Arrays &in_, Arrays &out_) {
      const auto &w = *weights;
      const size_t m = in_[0].shape(0);
      const size_t bytes = w.columns / 32 * kernels::block_bytes(w.type);
      constexpr size_t share = 64;
      parallel(w.rows, share, [&](size_t begin, size_t end) {
        kernels::multiply_blocks(
            w.type, w.blocks + begin * bytes, end - begin, w.columns, in(in_[0]), m,
            out(out_[0]) + begin, w.rows);
      });
    });
  }

  Arrays vjp(
      const Arrays &, const Arrays &, const std::vector<int> &, const Arrays &) override {
    throw std::invalid_argument("quantised linear has no derivative: train in another precision");
  }

 private:
  std::shared_ptr<const cmlx_quantised::Weights> weights_;
};

}  // namespace

extern "C" {

cmlx_quantised *cmlx_quantise(
    cmlx_block_type type, const void *blocks, int rows, int columns, void *owner,
    void (*release)(void *)) {
  return guarded<cmlx_quantised *>(nullptr, [&] {
    if (columns % 32 != 0 || rows < 1)
      throw std::invalid_argument("quantise: expected rows of whole blocks of 32");
    return new cmlx_quantised{std::shared_ptr<const cmlx_quantised::Weights>(
        new cmlx_quantised::Weights{
            kernels::BlockType(type), static_cast<const uint8_t *>(blocks), rows, columns, owner,
            release})};
  });
}

void cmlx_quantised_free(cmlx_quantised *weights) { delete weights; }

cmlx_array *cmlx_quantised_linear(const cmlx_array *x, const cmlx_quantised *weights) {
  return guarded_array([&] {
    auto a = operand("quantised linear", x->value);
    require(
        a.ndim() == 2 && a.shape(1) == weights->value->columns, "quantised linear", {a});
    return single(
        {a.shape(0), int(weights->value->rows)},
        std::make_shared<QuantisedLinear>(weights->value), {a});
  });
}

}  // extern "C"
