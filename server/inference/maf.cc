// Masked autoregressive flow.
//
// G. Papamakarios, T. Pavlakou, I. Murray (2017), "Masked Autoregressive Flow
// for Density Estimation", NeurIPS; masks after M. Germain, K. Gregor,
// I. Murray, H. Larochelle (2015), "MADE", ICML. Each transform is
// z_d = s_d v_d + t_d with s, t from the features before d and the context.
// The order of the features is reversed from one transform to the next.
//
// Hidden degrees start at 0 (not at 1, as in the paper, which has no context):
// units of degree 0 see the context alone, so the first feature is conditioned
// as well.

#include <cmath>

#include "server/inference/net.h"

namespace somafit {
namespace {

constexpr double kMinScale = 1e-3;

// Scales start around 1, so that the flow starts near its base: with small
// random numbers alone five transforms start six times as wide.
ParameterLayout::Fill OutputBias(int64_t n_parameters, int64_t n_hidden) {
  const double bound = 1 / std::sqrt(static_cast<double>(n_hidden));
  const double unit = std::log(std::expm1(1 - kMinScale));
  return [=](int64_t output, int64_t, RandomStream& random) {
    return (output < n_parameters ? unit : 0) +
           bound * (2 * random.Uniform() - 1);
  };
}

class MaskedAutoregressiveFlow final : public Net {
 public:
  MaskedAutoregressiveFlow(const NetShape& shape, const OptionValues& options,
                           ParameterLayout& layout)
      : n_parameters_(shape.n_parameters),
        n_hidden_(IntegerOption(options, "hidden_features")),
        n_transforms_(IntegerOption(options, "num_transforms")),
        // One product for all transforms: their context terms lie side by side.
        context_(layout, shape.n_context, n_transforms_ * n_hidden_),
        input_bias_(
            layout.Add({n_transforms_ * n_hidden_}, FanIn(n_parameters_))) {
    const int64_t d = n_parameters_, h = n_hidden_;
    const auto hidden = [h, d](int64_t unit) {
      return HiddenDegree(unit, h, d);
    };
    const auto n_blocks = IntegerOption(options, "num_blocks");
    for (int64_t t = 0; t < n_transforms_; ++t) {
      const auto degree = [d, t](int64_t feature) {
        return t % 2 == 0 ? feature + 1 : d - feature;
      };
      Transform transform{layout.Add({d, h}, FanIn(d),
                                     [=](int64_t feature, int64_t unit) {
                                       return hidden(unit) >= degree(feature);
                                     }),
                          {},
                          Linear(layout, h, 2 * d, FanIn(h), OutputBias(d, h),
                                 [=](int64_t unit, int64_t output) {
                                   return degree(output % d) > hidden(unit);
                                 })};
      for (int64_t b = 0; b < n_blocks; ++b) {
        transform.blocks.emplace_back(layout, h, h, FanIn(h), FanIn(h),
                                      [=](int64_t from, int64_t to) {
                                        return hidden(to) >= hidden(from);
                                      });
      }
      transforms_.push_back(std::move(transform));
    }
  }

  at::Tensor Prepare(const Weights& w,
                     const at::Tensor& context) const override {
    return context_(w, context).tanh().add(w[input_bias_]);
  }

  at::Tensor LogDensity(const Weights& w, const at::Tensor& v,
                        const at::Tensor& prepared) const override {
    const auto [normals, scales] = Forward(w, v, prepared);
    return StandardNormalLogDensity(normals).add(scales.log().sum(1));
  }

  at::Tensor ToNormal(const Weights& w, const at::Tensor& v,
                      const at::Tensor& prepared) const override {
    return Forward(w, v, prepared).first;
  }

  // Inverts the transforms in reverse order, each feature by feature: the
  // feature of degree k depends on those of degrees below k.
  Drawn Draw(const Weights& w, const at::Tensor& normals, const at::Tensor&,
             const at::Tensor& prepared) const override {
    const int64_t d = n_parameters_;
    const std::vector<at::Tensor> contexts = prepared.chunk(n_transforms_, 1);
    at::Tensor z = normals;
    at::Tensor log_density = StandardNormalLogDensity(normals);
    for (int64_t t = n_transforms_ - 1; t >= 0; --t) {
      const Transform& transform = transforms_[t];
      const at::Tensor output = w[transform.output.weight].view({-1, 2, d});
      const at::Tensor output_bias = w[transform.output.bias].view({2, d});
      at::Tensor v = at::zeros_like(z);
      for (int64_t k = 1; k <= d; ++k) {
        const int64_t feature = t % 2 == 0 ? k - 1 : d - k;
        const at::Tensor raw = at::addmm(output_bias.select(1, feature),
                                         Hidden(w, transform, v, contexts[t]),
                                         output.select(2, feature));
        const at::Tensor scale = at::softplus(raw.select(1, 0)).add_(kMinScale);
        v.select(1, feature)
            .copy_((z.select(1, feature) - raw.select(1, 1)) / scale);
        log_density.add_(scale.log());
      }
      z = std::move(v);
    }
    return {z, log_density};
  }

 private:
  struct Transform {
    int input;
    std::vector<Linear> blocks;
    Linear output;  // all u, then all t; s = softplus(u) + kMinScale
  };

  static at::Tensor Hidden(const Weights& w, const Transform& transform,
                           const at::Tensor& v, const at::Tensor& context) {
    at::Tensor hidden = at::addmm(context, v, w[transform.input]).tanh();
    for (const Linear& block : transform.blocks) {
      hidden = block(w, hidden).tanh();
    }
    return hidden;
  }

  // The normal numbers, and the scales of all transforms side by side.
  std::pair<at::Tensor, at::Tensor> Forward(const Weights& w,
                                            const at::Tensor& v,
                                            const at::Tensor& prepared) const {
    const std::vector<at::Tensor> contexts = prepared.chunk(n_transforms_, 1);
    std::vector<at::Tensor> scales;
    at::Tensor z = v;
    for (int64_t t = 0; t < n_transforms_; ++t) {
      const Transform& transform = transforms_[t];
      const std::vector<at::Tensor> raw =
          transform.output(w, Hidden(w, transform, z, contexts[t])).chunk(2, 1);
      scales.push_back(at::softplus(raw[0]).add(kMinScale));
      z = at::addcmul(raw[1], scales.back(), z);
    }
    return {z, at::cat(scales, 1)};
  }

  const int64_t n_parameters_, n_hidden_, n_transforms_;
  const Linear context_;
  const int input_bias_;
  std::vector<Transform> transforms_;
};

}  // namespace

extern const NetEntry kMaskedAutoregressiveFlow;
const NetEntry kMaskedAutoregressiveFlow = {
    "maf",
    "masked autoregressive flow: fast; for posteriors near a normal "
    "distribution, and for many parameters",
    WithCommonOptions(
        {HiddenFeaturesOption(), NumTransformsOption(), NumBlocksOption(2)}),
    [](const NetShape& shape, const OptionValues& options,
       ParameterLayout& layout) -> std::unique_ptr<Net> {
      return std::make_unique<MaskedAutoregressiveFlow>(shape, options, layout);
    }};

}  // namespace somafit
