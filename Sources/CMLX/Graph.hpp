// Operations that have kernels of their own here, as expressions of MLX's own operations: what runs on
// GPUs, and what those kernels are compared with.
#pragma once

#include <optional>

#include "Handle.hpp"
#include "Kernels.hpp"

namespace cmlx::graph {

/// Whether these are used in the place of the kernels.
bool is_used();

/// x Wᵀ, plus scale · (x Aᵀ) Bᵀ with a and b. W may be bf16: the product then is too.
mx::array linear(
    const mx::array &x, const mx::array &weight, const std::optional<mx::array> &a,
    const std::optional<mx::array> &b, float scale);
mx::array activate(kernels::Activation act, const mx::array &x);
mx::array rope(const mx::array &x, const mx::array &cosine, const mx::array &sine);
/// `ranges` `[queries, n, 3]`; the mask that an array of them makes is kept for the layers that follow.
mx::array attention(
    const mx::array &q, const mx::array &k, const mx::array &v, const mx::array &ranges, float scale,
    float cap);
/// -log p of `targets` `[tokens]`, some rows at a time; a derivative keeps the logits of all.
mx::array cross_entropy(const mx::array &h, const mx::array &unembed, const mx::array &targets);
std::vector<mx::array> log_partition(
    const mx::array &h, const mx::array &unembed, bool with_expected);
/// p, m and v one step on.
std::vector<mx::array> adamw(
    const kernels::AdamWStep &step, const mx::array &p, const mx::array &g, const mx::array &m,
    const mx::array &v);

}  // namespace cmlx::graph
