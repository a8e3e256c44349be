// Errors in which a difference counts by its size: fewer outliers decide.
//
//   mae    e = sum_k w_k |y_k - d_k| / sum_k w_k
//   huber  e = sum_k w_k h(y_k - d_k) / sum_k w_k,  h(r) = r^2 / 2 where
//          |r| <= delta, else delta (|r| - delta / 2)
//
// P. Huber, Robust estimation of a location parameter, Annals of Mathematical
// Statistics 35, 1964.
#include <cmath>
#include <limits>

#include "worker/core/objective/step_window.h"

namespace somafit {
namespace {

struct AbsoluteSums {
  double weight_sum = 0, sum = 0;

  void Add(double weight, double simulated, double target) {
    sum = std::fma(weight, std::fabs(simulated - target), sum);
    weight_sum += weight;
  }
  double Error() const {
    return weight_sum > 0 ? sum / weight_sum
                          : std::numeric_limits<double>::quiet_NaN();
  }
};

struct HuberSums {
  double delta = 0, weight_sum = 0, sum = 0;

  void Add(double weight, double simulated, double target) {
    const double size = std::fabs(simulated - target);
    // Also for a difference that is no number.
    const double loss =
        size > delta ? delta * (size - delta / 2) : size * size / 2;
    sum = std::fma(weight, loss, sum);
    weight_sum += weight;
  }
  double Error() const {
    return weight_sum > 0 ? sum / weight_sum
                          : std::numeric_limits<double>::quiet_NaN();
  }
};

class Mae final : public WindowedMetric {
 public:
  using WindowedMetric::WindowedMetric;

  std::unique_ptr<MetricAccumulator> Start(std::span<const double> target,
                                           size_t n_lanes) const override {
    return std::make_unique<LaneSums<AbsoluteSums>>(window(), target, n_lanes,
                                                    AbsoluteSums{});
  }
};

class Huber final : public WindowedMetric {
 public:
  explicit Huber(const MetricConfig& config)
      : WindowedMetric(config), delta_(config.options.at("delta")) {}

  std::unique_ptr<MetricAccumulator> Start(std::span<const double> target,
                                           size_t n_lanes) const override {
    HuberSums none;
    none.delta = delta_;
    return std::make_unique<LaneSums<HuberSums>>(window(), target, n_lanes,
                                                 none);
  }
  double Normalize(double error) const override {
    return error / (normalization() * normalization());
  }

 private:
  const double delta_;
};

}  // namespace

extern const MetricEntry kMae = {
    "mae",
    "mean absolute difference",
    MetricFamily::kTrace,
    &OutputDimension,
    {TimeOfStart(), SizeOfDifferences("size that the error is divided by")},
    [](const MetricConfig& config) -> std::unique_ptr<Metric> {
      return std::make_unique<Mae>(config);
    }};

extern const MetricEntry kHuber = {
    "huber",
    "squares of small differences, sizes of large ones",
    MetricFamily::kTrace,
    &SquaredDimension,
    {{.name = "delta",
      .summary = "difference from which on its size counts",
      .kind = OptionSpec::Kind::kOutput,
      .minimum = std::numeric_limits<double>::min(),
      .required = true},
     TimeOfStart(),
     SizeOfDifferences("size whose square the error is divided by")},
    [](const MetricConfig& config) -> std::unique_ptr<Metric> {
      return std::make_unique<Huber>(config);
    }};

}  // namespace somafit
