// Mean squared error over steps, with a window or weights:
//
//   e = sum_k w_k (y_k - d_k)^2 / sum_k w_k
//
// over the steps that have a target and a weight above 0.

#include <algorithm>
#include <cmath>
#include <limits>

#include "worker/core/objective/metric.h"

namespace somafit {
namespace {

class Mse final : public Metric {
 public:
  explicit Mse(const MetricConfig& config)
      // Half to even, as the rounding mode is.
      : first_step_(std::nearbyint(config.options.at("t_start") / config.dt)),
        normalization_(config.options.at("normalization")),
        weights_(config.t_weights) {
    // Only ratios matter: of size 1, they neither overflow nor underflow.
    const auto largest = std::max_element(weights_.begin(), weights_.end());
    if (largest == weights_.end() || *largest == 0) return;
    const double scale = *largest;
    for (double& weight : weights_) weight /= scale;
  }

  // 0 where step or target do not count.
  double Weight(std::span<const double> target, size_t step) const {
    if (std::isnan(target[step])) return 0;
    if (!weights_.empty()) {
      return step < weights_.size() ? weights_[step] : 0;
    }
    return static_cast<double>(step) >= first_step_ ? 1 : 0;
  }

  std::unique_ptr<MetricAccumulator> Start(std::span<const double> target,
                                           size_t n_lanes) const override;

  std::vector<double> SquareWeights(
      std::span<const double> target) const override {
    std::vector<double> weights;
    weights.reserve(target.size());
    for (size_t step = 0; step < target.size(); ++step) {
      weights.push_back(Weight(target, step));
    }
    return weights;
  }

  double Normalize(double error) const override {
    return error / (normalization_ * normalization_);
  }

  size_t CountedSteps(std::span<const double> target) const override {
    size_t counted = 0;
    for (size_t step = 0; step < target.size(); ++step) {
      if (Weight(target, step) > 0) ++counted;
    }
    return counted;
  }

  Dimension ErrorDimension(const Dimension& output) const override {
    return output.Power(2);
  }

 private:
  double first_step_;
  double normalization_;
  std::vector<double> weights_;
};

class MseAccumulator final : public MetricAccumulator {
 public:
  MseAccumulator(const Mse& metric, std::span<const double> target,
                 size_t n_lanes)
      : metric_(metric), target_(target), sums_(n_lanes, 0.0) {}

  void Observe(size_t step, std::span<const double> simulated) override {
    const double weight = metric_.Weight(target_, step);
    if (weight == 0) return;
    const double target = target_[step];
    for (size_t lane = 0; lane < sums_.size(); ++lane) {
      const double difference = simulated[lane] - target;
      sums_[lane] = std::fma(weight * difference, difference, sums_[lane]);
    }
    weight_ += weight;
  }

  void Finish(std::span<double> errors) const override {
    for (size_t lane = 0; lane < sums_.size(); ++lane) {
      errors[lane] = weight_ > 0 ? sums_[lane] / weight_
                                 : std::numeric_limits<double>::quiet_NaN();
    }
  }

 private:
  const Mse& metric_;
  const std::span<const double> target_;
  std::vector<double> sums_;
  double weight_ = 0;
};

std::unique_ptr<MetricAccumulator> Mse::Start(std::span<const double> target,
                                              size_t n_lanes) const {
  return std::make_unique<MseAccumulator>(*this, target, n_lanes);
}

}  // namespace

extern const MetricEntry kMse;
const MetricEntry kMse = {
    "mse",
    "mean squared difference between output and target",
    {{.name = "t_start",
      .summary = "time from which on the error counts",
      .kind = OptionSpec::Kind::kTime,
      .default_value = 0,
      .minimum = 0},
     {.name = "normalization",
      .summary = "size that differences are divided by before they are squared",
      .kind = OptionSpec::Kind::kOutput,
      .default_value = 1,
      .minimum = std::numeric_limits<double>::min()}},
    [](const MetricConfig& config) -> std::unique_ptr<Metric> {
      return std::make_unique<Mse>(config);
    }};

}  // namespace somafit
