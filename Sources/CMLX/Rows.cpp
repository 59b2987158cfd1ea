// Operations that work row by row or element by element: activations, norms, rotation, AdamW.
#include "Fused.hpp"

#include <algorithm>
#include <numeric>

using namespace cmlx;

namespace {

// MARK: - Activations

/// Inputs gate and, where the MLP has one, up, and the cotangent; outputs in the same order.
class GatedGrad : public Fused {
 public:
  explicit GatedGrad(kernels::Activation act) : act_(act) {}
  DEFINE_NAME(GatedGrad)
  void eval_cpu(const Arrays &inputs, Arrays &outputs) override {
    dispatch(inputs, outputs, [act = act_](const Arrays &in_, Arrays &out_) {
      const bool has_up = out_.size() == 2;
      const float *up = has_up ? in(in_[1]) : nullptr;
      float *d_up = has_up ? out(out_[1]) : nullptr;
      parallel(in_[0].size(), parallel_elements, [&](size_t begin, size_t end) {
        kernels::gated_grad(
            act, in(in_[0]) + begin, up ? up + begin : nullptr, in(in_.back()) + begin,
            out(out_[0]) + begin, d_up ? d_up + begin : nullptr, end - begin);
      });
    });
  }

 private:
  kernels::Activation act_;
};

class Gated : public Fused {
 public:
  explicit Gated(kernels::Activation act) : act_(act) {}
  DEFINE_NAME(Gated)
  /// Inputs gate and, where the MLP has one, up.
  void eval_cpu(const Arrays &inputs, Arrays &outputs) override {
    dispatch(inputs, outputs, [act = act_](const Arrays &in_, Arrays &out_) {
      const float *up = in_.size() == 2 ? in(in_[1]) : nullptr;
      parallel(in_[0].size(), parallel_elements, [&](size_t begin, size_t end) {
        kernels::gated(
            act, in(in_[0]) + begin, up ? up + begin : nullptr, out(out_[0]) + begin, end - begin);
      });
    }, true);
  }
  Arrays vjp(
      const Arrays &primals, const Arrays &cotangents, const std::vector<int> &argnums,
      const Arrays &) override {
    Arrays inputs = primals;
    inputs.push_back(mx::contiguous(cotangents[0]));
    auto grads = mx::array::make_arrays(
        std::vector<mx::Shape>(primals.size(), primals[0].shape()),
        std::vector<mx::Dtype>(primals.size(), mx::float32), std::make_shared<GatedGrad>(act_),
        inputs);
    Arrays result;
    for (int argument : argnums) result.push_back(grads[argument]);
    return result;
  }

 private:
  kernels::Activation act_;
};

// MARK: - AdamW

/// A parameter's step in one pass over its memory. No derivative: nothing flows through an optimiser.
class AdamW : public Fused {
 public:
  explicit AdamW(kernels::AdamWStep step) : step_(step) {}
  DEFINE_NAME(AdamW)
  /// Inputs p, g, m, v; outputs p, m, v one step on.
  void eval_cpu(const Arrays &inputs, Arrays &outputs) override {
    dispatch(inputs, outputs, [step = step_](const Arrays &in_, Arrays &out_) {
      parallel(in_[0].size(), parallel_elements, [&](size_t begin, size_t end) {
        kernels::adamw(
            step, in(in_[0]) + begin, in(in_[1]) + begin, in(in_[2]) + begin, in(in_[3]) + begin,
            out(out_[0]) + begin, out(out_[1]) + begin, out(out_[2]) + begin, end - begin);
      });
    });
  }

 private:
  kernels::AdamWStep step_;
};

// MARK: - RMSNorm

class RMSNormGrad : public Fused {
 public:
  explicit RMSNormGrad(float epsilon) : epsilon_(epsilon) {}
  DEFINE_NAME(RMSNormGrad)
  void eval_cpu(const Arrays &inputs, Arrays &outputs) override {
    dispatch(inputs, outputs, [e = epsilon_](const Arrays &in_, Arrays &out_) {
      const size_t n = in_[1].size(), rows = in_[0].size() / n;
      parallel(rows, parallel_elements / n + 1, [&](size_t begin, size_t end) {
        for (size_t i = begin * n; i < end * n; i += n)
          kernels::rms_norm_grad(
              in(in_[0]) + i, in(in_[1]), e, in(in_[2]) + i, out(out_[0]) + i, n);
      });
    });
  }

 private:
  float epsilon_;
};

class RMSNorm : public Fused {
 public:
  explicit RMSNorm(float epsilon) : epsilon_(epsilon) {}
  DEFINE_NAME(RMSNorm)
  void eval_cpu(const Arrays &inputs, Arrays &outputs) override {
    dispatch(inputs, outputs, [e = epsilon_](const Arrays &in_, Arrays &out_) {
      const size_t n = in_[1].size(), rows = in_[0].size() / n;
      parallel(rows, parallel_elements / n + 1, [&](size_t begin, size_t end) {
        for (size_t i = begin * n; i < end * n; i += n)
          kernels::rms_norm(in(in_[0]) + i, in(in_[1]), e, out(out_[0]) + i, n);
      });
    });
  }
  Arrays vjp(
      const Arrays &primals, const Arrays &cotangents, const std::vector<int> &argnums,
      const Arrays &) override {
    const auto &x = primals[0], &weight = primals[1];
    Arrays result;
    for (int argument : argnums) {
      if (argument == 0) {
        result.push_back(mx::array(
            x.shape(), mx::float32, std::make_shared<RMSNormGrad>(epsilon_),
            {x, weight, mx::contiguous(cotangents[0])}));
      } else {
        // Rarely asked for (norms stay frozen under LoRA), so plain operations do.
        auto rate = mx::rsqrt(mx::add(mx::mean(mx::square(x), -1, true), mx::array(epsilon_)));
        auto terms = mx::multiply(cotangents[0], mx::multiply(x, rate));
        std::vector<int> axes(x.ndim() - 1);
        std::iota(axes.begin(), axes.end(), 0);
        result.push_back(mx::sum(terms, axes));
      }
    }
    return result;
  }

 private:
  float epsilon_;
};

// MARK: - LayerNorm

/// Inputs x, weight, bias and, for the derivative, the cotangent; one row after the other.
class LayerNormGrad : public Fused {
 public:
  explicit LayerNormGrad(float epsilon) : epsilon_(epsilon) {}
  DEFINE_NAME(LayerNormGrad)
  void eval_cpu(const Arrays &inputs, Arrays &outputs) override {
    dispatch(inputs, outputs, [e = epsilon_](const Arrays &in_, Arrays &out_) {
      const size_t n = in_[1].size(), rows = in_[0].size() / n;
      parallel(rows, parallel_elements / n + 1, [&](size_t begin, size_t end) {
        for (size_t i = begin * n; i < end * n; i += n)
          kernels::layer_norm_grad(
              in(in_[0]) + i, in(in_[1]), e, in(in_[2]) + i, out(out_[0]) + i, n);
      });
    });
  }

 private:
  float epsilon_;
};

class LayerNorm : public Fused {
 public:
  explicit LayerNorm(float epsilon) : epsilon_(epsilon) {}
  DEFINE_NAME(LayerNorm)
  void eval_cpu(const Arrays &inputs, Arrays &outputs) override {
    dispatch(inputs, outputs, [e = epsilon_](const Arrays &in_, Arrays &out_) {
      const size_t n = in_[1].size(), rows = in_[0].size() / n;
      parallel(rows, parallel_elements / n + 1, [&](size_t begin, size_t end) {
        for (size_t i = begin * n; i < end * n; i += n)
          kernels::layer_norm(in(in_[0]) + i, in(in_[1]), in(in_[2]), e, out(out_[0]) + i, n);
      });
    });
  }
  Arrays vjp(
      const Arrays &primals, const Arrays &cotangents, const std::vector<int> &argnums,
      const Arrays &) override {
    const auto &x = primals[0];
    std::vector<int> axes(x.ndim() - 1);
    std::iota(axes.begin(), axes.end(), 0);
    Arrays result;
    for (int argument : argnums) {
      if (argument == 0) {
        result.push_back(single(
            x.shape(), std::make_shared<LayerNormGrad>(epsilon_),
            {x, primals[1], mx::contiguous(cotangents[0])}));
        continue;
      }
      // Rarely asked for (norms stay frozen under LoRA), so plain operations do.
      auto centred = mx::subtract(x, mx::mean(x, -1, true));
      auto rate = mx::rsqrt(
          mx::add(mx::mean(mx::square(centred), -1, true), mx::array(epsilon_)));
      auto terms = argument == 1
          ? mx::multiply(cotangents[0], mx::multiply(centred, rate)) : cotangents[0];
      result.push_back(mx::sum(terms, axes));
    }
    return result;
  }

 private:
  float epsilon_;
};

// MARK: - Rotary position embedding

class RoPE : public Fused {
 public:
  explicit RoPE(float sign) : sign_(sign) {}
  DEFINE_NAME(RoPE)
  void eval_cpu(const Arrays &inputs, Arrays &outputs) override {
    dispatch(inputs, outputs, [sign = sign_](const Arrays &in_, Arrays &out_) {
      const size_t tokens = in_[0].shape(0), heads = in_[0].shape(1), d = in_[0].shape(2);
      const size_t half = in_[1].shape(1);
      parallel(tokens, parallel_elements / (heads * d) + 1, [&](size_t begin, size_t end) {
        for (size_t t = begin; t < end; ++t)
          for (size_t h = 0; h < heads; ++h) {
            const size_t at = (t * heads + h) * d;
            kernels::rope(
                in(in_[0]) + at, in(in_[1]) + t * half, in(in_[2]) + t * half, sign,
                out(out_[0]) + at, half);
            std::copy(in(in_[0]) + at + 2 * half, in(in_[0]) + at + d, out(out_[0]) + at + 2 * half);
          }
      });
    });
  }
  Arrays vjp(
      const Arrays &primals, const Arrays &cotangents, const std::vector<int> &argnums,
      const Arrays &) override {
    if (argnums != std::vector<int>{0})
      throw std::invalid_argument("rope: the angles are constants");
    // A rotation's transpose is the rotation back.
    return {mx::array(
        primals[0].shape(), mx::float32, std::make_shared<RoPE>(-sign_),
        {mx::contiguous(cotangents[0]), primals[1], primals[2]})};
  }

 private:
  float sign_;
};

}  // namespace

extern "C" {

bool cmlx_adamw(
    const cmlx_array *p, const cmlx_array *g, const cmlx_array *m, const cmlx_array *v,
    cmlx_adamw_step step, cmlx_array **updated) {
  return guarded(false, [&] {
    Arrays inputs;
    for (const auto *a : {p, g, m, v}) inputs.push_back(operand("adamw", a->value));
    for (const auto &a : inputs)
      require(a.shape() == inputs[0].shape(), "adamw", {inputs[0], a});
    const kernels::AdamWStep factors{
        step.beta1, step.beta2, step.epsilon, step.keep, step.rate, step.correction};
    auto results =
        graph::is_used()
            ? graph::adamw(factors, inputs[0], inputs[1], inputs[2], inputs[3])
            : mx::array::make_arrays(
                  std::vector<mx::Shape>(3, inputs[0].shape()),
                  std::vector<mx::Dtype>(3, mx::float32), std::make_shared<AdamW>(factors), inputs);
    for (int i = 0; i < 3; ++i) updated[i] = wrap(std::move(results[i]));
    return true;
  });
}

cmlx_array *cmlx_gated(cmlx_activation act, const cmlx_array *gate, const cmlx_array *up) {
  return guarded_array([&] {
    auto g = operand("gated", gate->value), u = operand("gated", up->value);
    require(g.shape() == u.shape(), "gated", {g, u});
    if (graph::is_used())
      return mx::multiply(graph::activate(kernels::Activation(act), g), u);
    return single(g.shape(), std::make_shared<Gated>(kernels::Activation(act)), {g, u});
  });
}

cmlx_array *cmlx_activate(cmlx_activation act, const cmlx_array *x) {
  return guarded_array([&] {
    auto a = operand("activation", x->value);
    if (graph::is_used()) return graph::activate(kernels::Activation(act), a);
    return single(a.shape(), std::make_shared<Gated>(kernels::Activation(act)), {a});
  });
}

cmlx_array *cmlx_layer_norm(
    const cmlx_array *x, const cmlx_array *weight, const cmlx_array *bias, float epsilon) {
  return guarded_array([&] {
    auto a = operand("layer_norm", x->value), w = operand("layer_norm", weight->value);
    auto b = operand("layer_norm", bias->value);
    require(
        a.ndim() >= 1 && w.ndim() == 1 && w.shape() == b.shape() && a.shape(-1) == w.shape(0),
        "layer_norm", {a, w, b});
    if (graph::is_used()) return mx::fast::layer_norm(a, w, b, epsilon);
    return single(a.shape(), std::make_shared<LayerNorm>(epsilon), {a, w, b});
  });
}

cmlx_array *cmlx_rms_norm(const cmlx_array *x, const cmlx_array *weight, float epsilon) {
  return guarded_array([&] {
    auto a = operand("rms_norm", x->value), w = operand("rms_norm", weight->value);
    require(a.ndim() >= 1 && w.ndim() == 1 && a.shape(-1) == w.shape(0), "rms_norm", {a, w});
    if (graph::is_used()) return mx::fast::rms_norm(a, w, epsilon);
    return single(a.shape(), std::make_shared<RMSNorm>(epsilon), {a, w});
  });
}

cmlx_array *cmlx_rope(const cmlx_array *x, const cmlx_array *cosine, const cmlx_array *sine) {
  return guarded_array([&] {
    auto a = operand("rope", x->value);
    auto c = operand("rope", cosine->value), s = operand("rope", sine->value);
    require(
        a.ndim() == 3 && c.ndim() == 2 && c.shape() == s.shape() && c.shape(0) == a.shape(0) &&
            2 * c.shape(1) <= a.shape(2),
        "rope", {a, c, s});
    if (graph::is_used()) return graph::rope(a, c, s);
    return single(a.shape(), std::make_shared<RoPE>(1.0f), {a, c, s});
  });
}

bool cmlx_summarise_rows(
    const cmlx_array *logits, int32_t *best, float *highest, float *log_sum) {
  return guarded(false, [&] {
    auto a = operand("summarise", logits->value);
    require(a.ndim() == 2 && a.shape(1) > 0, "summarise", {a});
    if (graph::is_used()) {
      auto place = mx::astype(mx::argmax(a, 1), mx::int32), top = mx::max(a, 1);
      auto sum = mx::logsumexp(a, 1);
      mx::eval({place, top, sum});
      std::copy_n(place.data<int32_t>(), a.shape(0), best);
      std::copy_n(top.data<float>(), a.shape(0), highest);
      std::copy_n(sum.data<float>(), a.shape(0), log_sum);
      return true;
    }
    mx::eval(a);
    const size_t n = a.shape(1);
    parallel(a.shape(0), parallel_elements / n + 1, [&](size_t begin, size_t end) {
      for (size_t i = begin; i < end; ++i) {
        const float *row = in(a) + i * n, top = kernels::maximum(row, n);
        best[i] = int32_t(std::find(row, row + n, top) - row);
        highest[i] = top;
        log_sum[i] = kernels::log_sum_exp(row, top, n);
      }
    });
    return true;
  });
}

}  // extern "C"
