// Mixture density network: a mixture of normal distributions whose parameters a
// net computes from the context.
//
// C. Bishop (1994), "Mixture Density Networks", Aston University NCRG/94/004;
// full precisions P = A'A, A upper triangular, as in G. Papamakarios and
// I. Murray (2016), "Fast epsilon-free Inference of Simulation Models with
// Bayesian Conditional Density Estimation", NeurIPS. A's diagonal is bounded
// from below, so that det A is the determinant of the very P that is used.

#include <cmath>
#include <numbers>

#include "server/inference/net.h"

namespace somafit {
namespace {

constexpr double kMinMixtureDiagonal = 1e-2;
constexpr double kSmall = 1e-4;  // spread of the heads' initial weights

class MixtureDensityNet final : public Net {
 public:
  MixtureDensityNet(const NetShape& shape, const OptionValues& options,
                    ParameterLayout& layout)
      : d_(shape.n_parameters), k_(IntegerOption(options, "num_components")) {
    const int64_t h = IntegerOption(options, "hidden_features");
    for (int64_t b = 0; b < IntegerOption(options, "num_blocks"); ++b) {
      hidden_.emplace_back(layout, b == 0 ? shape.n_context : h, h);
    }
    logits_.emplace(layout, h, k_, Normal(0, kSmall), Normal(0, kSmall));
    means_.emplace(layout, h, k_ * d_);
    diagonal_.emplace(layout, h, k_ * d_, Normal(0, kSmall),
                      Normal(std::log(std::expm1(1 - kMinMixtureDiagonal)), 0));
    if (d_ == 1) return;
    const int64_t d = d_;
    const auto is_upper = [d](int64_t element) {
      return element % d > element / d % d;
    };
    upper_weight_ = layout.Add(
        {h, k_ * d * d}, Normal(0, kSmall),
        [is_upper](int64_t, int64_t element) { return is_upper(element); });
    upper_bias_ = layout.Add(
        {k_ * d * d}, Normal(0, 0),
        [is_upper](int64_t element, int64_t) { return is_upper(element); });
  }

  // All heads side by side: everything depends on the context alone.
  at::Tensor Prepare(const Weights& w,
                     const at::Tensor& context) const override {
    at::Tensor hidden = context;
    for (const Linear& layer : hidden_) hidden = layer(w, hidden).relu();
    std::vector<at::Tensor> heads = {
        (*logits_)(w, hidden), (*means_)(w, hidden), (*diagonal_)(w, hidden)};
    if (d_ > 1) {
      heads.push_back(at::addmm(w[upper_bias_], hidden, w[upper_weight_]));
    }
    return at::cat(heads, 1);
  }

  std::optional<MixtureHeads> Mixture(
      const Weights&, const at::Tensor& prepared) const override {
    const at::Tensor diagonal =
        at::softplus(prepared.narrow(1, k_ * (1 + d_), k_ * d_))
            .add(kMinMixtureDiagonal)
            .view({-1, k_, d_});
    at::Tensor factors = at::diag_embed(diagonal);
    if (d_ > 1) {
      factors = factors + prepared.narrow(1, k_ * (1 + 2 * d_), k_ * d_ * d_)
                              .view({-1, k_, d_, d_});
    }
    return MixtureHeads{at::log_softmax(prepared.narrow(1, 0, k_), 1),
                        prepared.narrow(1, k_, k_ * d_).view({-1, k_, d_}),
                        factors};
  }

  at::Tensor LogDensity(const Weights& w, const at::Tensor& v,
                        const at::Tensor& prepared) const override {
    return Density(*Mixture(w, prepared), v);
  }

  int64_t n_uniforms() const override { return 1; }

  Drawn Draw(const Weights& w, const at::Tensor& normals,
             const at::Tensor& uniforms,
             const at::Tensor& prepared) const override {
    const int64_t n = normals.size(0);
    const MixtureHeads heads = *Mixture(w, prepared);
    const at::Tensor component =
        uniforms.ge(heads.log_weights.exp().cumsum(1).narrow(1, 0, k_ - 1))
            .sum(1)
            .view({n, 1, 1});
    const at::Tensor mean = heads.means.expand({n, k_, d_})
                                .gather(1, component.expand({n, 1, d_}))
                                .squeeze(1);
    const at::Tensor factor =
        heads.factors.expand({n, k_, d_, d_})
            .gather(1, component.unsqueeze(-1).expand({n, 1, d_, d_}))
            .squeeze(1);
    // v = m + A^-1 e, by substitution from the last row.
    at::Tensor step = at::zeros_like(normals);
    for (int64_t i = d_ - 1; i >= 0; --i) {
      const at::Tensor row = factor.select(1, i);
      step.select(1, i).copy_((normals.select(1, i) - (row * step).sum(1)) /
                              row.select(1, i));
    }
    const at::Tensor v = mean + step;
    return {v, Density(heads, v)};
  }

 private:
  at::Tensor Density(const MixtureHeads& heads, const at::Tensor& v) const {
    const at::Tensor offset = v.unsqueeze(1) - heads.means;  // [n x K x D]
    const at::Tensor normal =
        (heads.factors * offset.unsqueeze(2)).sum(3);  // A (v - m)
    const at::Tensor log_determinant =
        heads.factors.diagonal(0, 2, 3).log().sum(2);
    const double constant = -0.5 * std::log(2 * std::numbers::pi) * d_;
    return at::logsumexp(heads.log_weights + log_determinant +
                             normal.square().sum(2).mul(-0.5).add(constant),
                         1);
  }

  const int64_t d_, k_;
  std::vector<Linear> hidden_;
  std::optional<Linear> logits_, means_, diagonal_;
  int upper_weight_ = -1, upper_bias_ = -1;
};

}  // namespace

extern const NetEntry kMixtureDensityNet;
const NetEntry kMixtureDensityNet = {
    "mdn",
    "mixture density network: a mixture of normal distributions, known in "
    "closed form",
    WithCommonOptions(
        {HiddenFeaturesOption(), NumBlocksOption(2), NumComponentsOption()}),
    [](const NetShape& shape, const OptionValues& options,
       ParameterLayout& layout) -> std::unique_ptr<Net> {
      return std::make_unique<MixtureDensityNet>(shape, options, layout);
    }};

}  // namespace somafit
