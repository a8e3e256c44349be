// Masked autoencoder for density estimation: p(v) = prod_d p(v_d | v_<d, x),
// each factor a mixture of normal distributions.
//
// M. Germain, K. Gregor, I. Murray, H. Larochelle (2015), "MADE: Masked
// Autoencoder for Distribution Estimation", ICML; residual masked blocks and
// mixtures after C. Nash, C. Durkan (2019), "Autoregressive Energy Machines",
// ICML. Hidden units of degree 0 see the context alone.

#include <array>
#include <cmath>
#include <numbers>

#include "server/inference/net.h"

namespace somafit {
namespace {

constexpr double kMinDeviation = 1e-2;
constexpr double kSmall = 1e-2;  // spread of the initial mixture weights

class Made final : public Net {
 public:
  Made(const NetShape& shape, const OptionValues& options,
       ParameterLayout& layout)
      : d_(shape.n_parameters),
        k_(IntegerOption(options, "num_components")),
        n_blocks_(IntegerOption(options, "num_blocks")),
        // What the context adds to the first layer and to each block.
        context_(layout, shape.n_context,
                 (1 + n_blocks_) * IntegerOption(options, "hidden_features")) {
    const int64_t h = IntegerOption(options, "hidden_features");
    const int64_t d = d_, kd = k_ * d_;
    const auto hidden = [h, d](int64_t unit) {
      return HiddenDegree(unit, h, d);
    };
    const auto onward = [hidden](int64_t from, int64_t to) {
      return hidden(to) >= hidden(from);
    };
    input_ = layout.Add({d, h}, FanIn(d), [hidden](int64_t from, int64_t to) {
      return hidden(to) >= from + 1;
    });
    for (int64_t b = 0; b < n_blocks_; ++b) {
      blocks_.push_back({Linear(layout, h, h, FanIn(h), FanIn(h), onward),
                         Linear(layout, h, h, UniformWithin(1e-3),
                                UniformWithin(1e-3), onward)});
    }
    // All logits, all means, all raw deviations; of each, D times K.
    const double bound = 1 / std::sqrt(static_cast<double>(h));
    const double unit = std::log(std::expm1(1 - kMinDeviation));
    const int64_t k = k_;
    output_.emplace(
        layout, h, 3 * kd,
        [=](int64_t, int64_t column, RandomStream& random) {
          return column / kd == 1 ? bound * (2 * random.Uniform() - 1)
                                  : kSmall * random.Normal();
        },
        [=](int64_t column, int64_t, RandomStream& random) {
          if (column / kd == 1) return bound * (2 * random.Uniform() - 1);
          return (column / kd == 2 ? unit : 0) + kSmall * random.Normal();
        },
        [=](int64_t from, int64_t column) {
          return column % kd / k + 1 > hidden(from);
        });
  }

  at::Tensor Prepare(const Weights& w,
                     const at::Tensor& context) const override {
    return context_(w, context);
  }

  at::Tensor LogDensity(const Weights& w, const at::Tensor& v,
                        const at::Tensor& prepared) const override {
    const Factors all = Compute(w, v, prepared);
    return Density(all, v.unsqueeze(2)).sum(1);
  }

  int64_t n_uniforms() const override { return d_; }

  Drawn Draw(const Weights& w, const at::Tensor& normals,
             const at::Tensor& uniforms,
             const at::Tensor& prepared) const override {
    at::Tensor v = at::zeros_like(normals);
    at::Tensor log_density = at::zeros({v.size(0)}, v.options());
    for (int64_t i = 0; i < d_; ++i) {
      const Factors all = Compute(w, v, prepared);
      const Factors own{all.log_weights.select(1, i), all.means.select(1, i),
                        all.deviations.select(1, i)};
      const at::Tensor component =
          uniforms.narrow(1, i, 1)
              .ge(own.log_weights.exp().cumsum(1).narrow(1, 0, k_ - 1))
              .sum(1, /*keepdim=*/true);
      v.select(1, i).copy_(own.means.gather(1, component).squeeze(1) +
                           own.deviations.gather(1, component).squeeze(1) *
                               normals.select(1, i));
      log_density = log_density + Density(own, v.narrow(1, i, 1));
    }
    return {v, log_density};
  }

 private:
  struct Factors {
    at::Tensor log_weights, means, deviations;  // [n x D x K] or [n x K]
  };

  Factors Compute(const Weights& w, const at::Tensor& v,
                  const at::Tensor& prepared) const {
    const std::vector<at::Tensor> contexts = prepared.chunk(1 + n_blocks_, 1);
    at::Tensor hidden = at::addmm(contexts[0], v, w[input_]);
    for (int64_t b = 0; b < n_blocks_; ++b) {
      const at::Tensor inner =
          (blocks_[b][0](w, hidden.relu()) + contexts[1 + b]).relu();
      hidden = hidden + blocks_[b][1](w, inner);
    }
    const std::vector<at::Tensor> parts =
        (*output_)(w, hidden).view({-1, 3, d_, k_}).unbind(1);
    return {at::log_softmax(parts[0], 2), parts[1],
            at::softplus(parts[2]).add(kMinDeviation)};
  }

  // Over the last axis.
  static at::Tensor Density(const Factors& factors, const at::Tensor& v) {
    const double constant = -0.5 * std::log(2 * std::numbers::pi);
    return at::logsumexp(factors.log_weights - factors.deviations.log() +
                             ((v - factors.means) / factors.deviations)
                                 .square()
                                 .mul(-0.5)
                                 .add(constant),
                         -1);
  }

  const int64_t d_, k_, n_blocks_;
  const Linear context_;
  int input_ = -1;
  std::vector<std::array<Linear, 2>> blocks_;
  std::optional<Linear> output_;
};

}  // namespace

extern const NetEntry kMade;
const NetEntry kMade = {
    "made",
    "masked autoencoder: one parameter after the other, each a mixture of "
    "normal distributions",
    WithCommonOptions(
        {HiddenFeaturesOption(), NumBlocksOption(5), NumComponentsOption()}),
    [](const NetShape& shape, const OptionValues& options,
       ParameterLayout& layout) -> std::unique_ptr<Net> {
      return std::make_unique<Made>(shape, options, layout);
    }};

}  // namespace somafit
