// Neural spline flow: rational-quadratic coupling layers, each followed by an
// invertible linear map.
//
// C. Durkan, A. Bekasov, I. Murray, G. Papamakarios (2019), "Neural Spline
// Flows", NeurIPS; the linear map is L U v + b after J. Oliva et al. (2018),
// "Transformation Autoregressive Networks", ICML.
//
// Features are kept as even ones first, then odd ones; couplings transform the
// two halves in turn. One parameter has no other half: its splines depend on
// the context alone, and no linear map follows.

#include <array>
#include <cmath>

#include "server/inference/net.h"
#include "server/inference/rational_quadratic.h"

namespace somafit {
namespace {

constexpr double kMinDiagonal = 1e-3;

SplineShape ReadSplineShape(const OptionValues& options) {
  return {IntegerOption(options, "num_bins"), options.at("tail_bound"),
          1 / std::sqrt(options.at("hidden_features"))};
}

// y = L U v + b; L has a unit diagonal, U a positive one. Starts as the
// identity.
class LuLinear {
 public:
  LuLinear(ParameterLayout& layout, int64_t d)
      : lower_(layout.Add(
            {d, d}, Normal(0, 0),
            [](int64_t row, int64_t column) { return column < row; })),
        upper_(layout.Add(
            {d, d}, Normal(0, 0),
            [](int64_t row, int64_t column) { return column > row; })),
        diagonal_(
            layout.Add({d}, Normal(std::log(std::expm1(1 - kMinDiagonal)), 0))),
        bias_(layout.Add({d}, Normal(0, 0))) {}

  struct Factors {
    at::Tensor lower, upper;  // [D x D]
    at::Tensor log_determinant;
  };
  Factors Compute(const Weights& w) const {
    const at::Tensor diagonal = at::softplus(w[diagonal_]).add(kMinDiagonal);
    const int64_t d = diagonal.size(0);
    return {w[lower_] + at::eye(d, diagonal.options().requires_grad(false)),
            w[upper_] + at::diag_embed(diagonal), diagonal.log().sum()};
  }
  at::Tensor Apply(const Weights& w, const Factors& factors,
                   const at::Tensor& v) const {
    return at::addmm(w[bias_], v, at::mm(factors.lower, factors.upper).t());
  }
  at::Tensor Invert(const Weights& w, const Factors& factors,
                    const at::Tensor& y) const {
    const at::Tensor identity = at::eye(y.size(1), y.options());
    const at::Tensor inverse = at::mm(
        at::linalg_solve_triangular(factors.upper, identity, /*upper=*/true),
        at::linalg_solve_triangular(factors.lower, identity, /*upper=*/false,
                                    /*left=*/true, /*unitriangular=*/true));
    return at::mm(y - w[bias_], inverse.t());
  }

 private:
  const int lower_, upper_, diagonal_, bias_;
};

class NeuralSplineFlow final : public Net {
 public:
  NeuralSplineFlow(const NetShape& shape, const OptionValues& options,
                   ParameterLayout& layout)
      : n_first_((shape.n_parameters + 1) / 2),
        n_second_(shape.n_parameters / 2),
        n_transforms_(IntegerOption(options, "num_transforms")),
        spline_(ReadSplineShape(options)),
        // Of all transforms side by side: what the context adds to the first
        // layer, and the gates of the blocks.
        context_(layout, shape.n_context,
                 n_transforms_ * IntegerOption(options, "hidden_features"),
                 FanIn(shape.n_context + n_second_),
                 FanIn(shape.n_context + n_second_)),
        gates_(layout, shape.n_context,
               n_transforms_ * IntegerOption(options, "num_blocks") *
                   IntegerOption(options, "hidden_features")) {
    const int64_t h = IntegerOption(options, "hidden_features");
    for (int64_t t = 0; t < n_transforms_; ++t) {
      const int64_t n_moved = Moved(t), n_kept = n_first_ + n_second_ - n_moved;
      Transform transform{
          layout.Add({n_kept, h}, FanIn(shape.n_context + n_kept)),
          {},
          Linear(layout, h, n_moved * spline_.n_raw()),
          LuLinear(layout, shape.n_parameters)};
      for (int64_t b = 0; b < IntegerOption(options, "num_blocks"); ++b) {
        transform.blocks.push_back(
            {Linear(layout, h, h),
             Linear(layout, h, h, UniformWithin(1e-3), UniformWithin(1e-3))});
      }
      transforms_.push_back(std::move(transform));
    }
  }

  at::Tensor Prepare(const Weights& w,
                     const at::Tensor& context) const override {
    return at::cat({context_(w, context), gates_(w, context).sigmoid()}, 1);
  }

  at::Tensor LogDensity(const Weights& w, const at::Tensor& v,
                        const at::Tensor& prepared) const override {
    const auto [normals, log_slope] = Forward(w, v, prepared);
    return StandardNormalLogDensity(normals).add(log_slope);
  }

  at::Tensor ToNormal(const Weights& w, const at::Tensor& v,
                      const at::Tensor& prepared) const override {
    return Forward(w, v, prepared).first;
  }

  Drawn Draw(const Weights& w, const at::Tensor& normals, const at::Tensor&,
             const at::Tensor& prepared) const override {
    const std::vector<Contexts> contexts = Split(prepared);
    at::Tensor z = normals;
    at::Tensor log_density = StandardNormalLogDensity(normals);
    for (int64_t t = n_transforms_ - 1; t >= 0; --t) {
      const LuLinear::Factors factors = transforms_[t].linear.Compute(w);
      z = transforms_[t].linear.Invert(w, factors, z);
      auto [kept, moved] = Halves(z, t);
      const SplineResult spline =
          InvertSpline(spline_, moved, Raw(w, t, kept, contexts[t]));
      z = Join(kept, spline.value, t);
      log_density =
          log_density - spline.log_slope.sum(1) + factors.log_determinant;
    }
    return {Interleave(z), log_density};
  }

 private:
  struct Transform {
    int input;  // from the features that are kept
    std::vector<std::array<Linear, 2>> blocks;
    Linear output;
    LuLinear linear;
  };
  struct Contexts {
    at::Tensor input;
    std::vector<at::Tensor> gates;
  };

  // How many features transform t changes: it changes the first half at first.
  int64_t Moved(int64_t t) const { return t % 2 == 0 ? n_first_ : n_second_; }

  std::vector<Contexts> Split(const at::Tensor& prepared) const {
    const auto n_blocks = static_cast<int64_t>(transforms_[0].blocks.size());
    const std::vector<at::Tensor> parts =
        prepared.chunk(n_transforms_ * (1 + n_blocks), 1);
    std::vector<Contexts> contexts(n_transforms_);
    for (int64_t t = 0; t < n_transforms_; ++t) {
      contexts[t].input = parts[t];
      const auto first = parts.begin() + n_transforms_ + t * n_blocks;
      contexts[t].gates.assign(first, first + n_blocks);
    }
    return contexts;
  }

  std::pair<at::Tensor, at::Tensor> Halves(const at::Tensor& z,
                                           int64_t t) const {
    const std::vector<at::Tensor> halves =
        z.split_with_sizes({n_first_, n_second_}, 1);
    return t % 2 == 0 ? std::pair(halves[1], halves[0])
                      : std::pair(halves[0], halves[1]);
  }
  static at::Tensor Join(const at::Tensor& kept, const at::Tensor& moved,
                         int64_t t) {
    return t % 2 == 0 ? at::cat({moved, kept}, 1) : at::cat({kept, moved}, 1);
  }
  static at::Tensor EvensFirst(const at::Tensor& v) {
    return at::cat({v.slice(1, 0, {}, 2), v.slice(1, 1, {}, 2)}, 1);
  }
  at::Tensor Interleave(const at::Tensor& z) const {
    at::Tensor v = at::empty_like(z);
    v.slice(1, 0, {}, 2).copy_(z.narrow(1, 0, n_first_));
    v.slice(1, 1, {}, 2).copy_(z.narrow(1, n_first_, n_second_));
    return v;
  }

  // The raw numbers of the splines of the features that transform t moves.
  at::Tensor Raw(const Weights& w, int64_t t, const at::Tensor& kept,
                 const Contexts& context) const {
    const Transform& transform = transforms_[t];
    at::Tensor hidden = at::addmm(context.input, kept, w[transform.input]);
    for (size_t b = 0; b < transform.blocks.size(); ++b) {
      const at::Tensor inner = transform.blocks[b][0](w, hidden.relu()).relu();
      hidden = at::addcmul(hidden, transform.blocks[b][1](w, inner),
                           context.gates[b]);
    }
    return transform.output(w, hidden).view(
        {kept.size(0), Moved(t), spline_.n_raw()});
  }

  std::pair<at::Tensor, at::Tensor> Forward(const Weights& w,
                                            const at::Tensor& v,
                                            const at::Tensor& prepared) const {
    const std::vector<Contexts> contexts = Split(prepared);
    at::Tensor z = EvensFirst(v);
    std::vector<at::Tensor> log_slopes;
    at::Tensor log_determinants;
    for (int64_t t = 0; t < n_transforms_; ++t) {
      auto [kept, moved] = Halves(z, t);
      const SplineResult spline =
          ApplySpline(spline_, moved, Raw(w, t, kept, contexts[t]));
      const LuLinear::Factors factors = transforms_[t].linear.Compute(w);
      z = transforms_[t].linear.Apply(w, factors, Join(kept, spline.value, t));
      log_slopes.push_back(spline.log_slope);
      log_determinants = log_determinants.defined()
                             ? log_determinants + factors.log_determinant
                             : factors.log_determinant;
    }
    return {z, at::cat(log_slopes, 1).sum(1).add(log_determinants)};
  }

  const int64_t n_first_, n_second_, n_transforms_;
  const SplineShape spline_;
  const Linear context_, gates_;
  std::vector<Transform> transforms_;
};

// Of one parameter.
class ScalarSplineFlow final : public Net {
 public:
  ScalarSplineFlow(const NetShape& shape, const OptionValues& options,
                   ParameterLayout& layout)
      : spline_(ReadSplineShape(options)) {
    const int64_t h = IntegerOption(options, "hidden_features");
    for (int64_t t = 0; t < IntegerOption(options, "num_transforms"); ++t) {
      transforms_.push_back({Linear(layout, shape.n_context, h),
                             Linear(layout, h, h),
                             Linear(layout, h, spline_.n_raw())});
    }
  }

  // The raw numbers of all splines side by side.
  at::Tensor Prepare(const Weights& w,
                     const at::Tensor& context) const override {
    std::vector<at::Tensor> raw;
    for (const auto& [first, second, output] : transforms_) {
      raw.push_back(output(w, second(w, first(w, context).relu()).relu()));
    }
    return at::cat(raw, 1);
  }

  at::Tensor LogDensity(const Weights&, const at::Tensor& v,
                        const at::Tensor& prepared) const override {
    const auto [normals, log_slope] = Forward(v, prepared);
    return StandardNormalLogDensity(normals).add(log_slope);
  }

  at::Tensor ToNormal(const Weights&, const at::Tensor& v,
                      const at::Tensor& prepared) const override {
    return Forward(v, prepared).first;
  }

  Drawn Draw(const Weights&, const at::Tensor& normals, const at::Tensor&,
             const at::Tensor& prepared) const override {
    const std::vector<at::Tensor> raw = Split(prepared, normals.size(0));
    at::Tensor z = normals;
    at::Tensor log_density = StandardNormalLogDensity(normals);
    for (auto one = raw.rbegin(); one != raw.rend(); ++one) {
      const SplineResult spline = InvertSpline(spline_, z, *one);
      z = spline.value;
      log_density = log_density - spline.log_slope.sum(1);
    }
    return {z, log_density};
  }

 private:
  std::vector<at::Tensor> Split(const at::Tensor& prepared, int64_t n) const {
    const auto n_transforms = static_cast<int64_t>(transforms_.size());
    return prepared.view({-1, n_transforms, 1, spline_.n_raw()})
        .expand({n, -1, -1, -1})
        .unbind(1);
  }

  std::pair<at::Tensor, at::Tensor> Forward(const at::Tensor& v,
                                            const at::Tensor& prepared) const {
    at::Tensor z = v;
    at::Tensor log_slope;
    for (const at::Tensor& raw : Split(prepared, v.size(0))) {
      const SplineResult spline = ApplySpline(spline_, z, raw);
      z = spline.value;
      const at::Tensor sum = spline.log_slope.sum(1);
      log_slope = log_slope.defined() ? log_slope + sum : sum;
    }
    return {z, log_slope};
  }

  const SplineShape spline_;
  std::vector<std::array<Linear, 3>> transforms_;
};

}  // namespace

extern const NetMaker kNeuralSplineFlow;
const NetMaker kNeuralSplineFlow =
    [](const NetShape& shape, const OptionValues& options,
       ParameterLayout& layout) -> std::unique_ptr<Net> {
  if (shape.n_parameters == 1) {
    return std::make_unique<ScalarSplineFlow>(shape, options, layout);
  }
  return std::make_unique<NeuralSplineFlow>(shape, options, layout);
};

}  // namespace somafit
