// Mean squared error over steps, with a window or weights:
//
//   e = sum_k w_k (y_k - d_k)^2 / sum_k w_k
//
// over the steps that have a target and a weight above 0; rmse is its root.
#include <cmath>
#include <limits>

#include "worker/core/objective/step_window.h"

namespace somafit {
namespace {

struct SquareSums {
  double weight_sum = 0, sum = 0;

  void Add(double weight, double simulated, double target) {
    const double difference = simulated - target;
    sum = std::fma(weight * difference, difference, sum);
    weight_sum += weight;
  }
  double Mean() const {
    return weight_sum > 0 ? sum / weight_sum
                          : std::numeric_limits<double>::quiet_NaN();
  }
};

struct MeanSquare : SquareSums {
  double Error() const { return Mean(); }
};

struct RootMeanSquare : SquareSums {
  double Error() const { return std::sqrt(Mean()); }
};

class Mse final : public WindowedMetric {
 public:
  using WindowedMetric::WindowedMetric;

  std::unique_ptr<MetricAccumulator> Start(std::span<const double> target,
                                           size_t n_lanes) const override {
    return std::make_unique<LaneSums<MeanSquare>>(window(), target, n_lanes,
                                                  MeanSquare{});
  }
  std::vector<double> SquareWeights(
      std::span<const double> target) const override {
    return window().Weights(target);
  }
  double Normalize(double error) const override {
    return error / (normalization() * normalization());
  }
};

class Rmse final : public WindowedMetric {
 public:
  using WindowedMetric::WindowedMetric;

  std::unique_ptr<MetricAccumulator> Start(std::span<const double> target,
                                           size_t n_lanes) const override {
    return std::make_unique<LaneSums<RootMeanSquare>>(window(), target, n_lanes,
                                                      RootMeanSquare{});
  }
  std::vector<double> SquareWeights(
      std::span<const double> target) const override {
    return window().Weights(target);
  }
  double FromMeanSquare(double mean_square) const override {
    return std::sqrt(mean_square);
  }
};

}  // namespace

extern const MetricEntry kMse = {
    "mse",
    "mean squared difference between output and target",
    MetricFamily::kTrace,
    &SquaredDimension,
    {TimeOfStart(),
     SizeOfDifferences(
         "size that differences are divided by before they are squared")},
    [](const MetricConfig& config) -> std::unique_ptr<Metric> {
      return std::make_unique<Mse>(config);
    }};

extern const MetricEntry kRmse = {
    "rmse",
    "root of the mean squared difference",
    MetricFamily::kTrace,
    &OutputDimension,
    {TimeOfStart(), SizeOfDifferences("size that the error is divided by")},
    [](const MetricConfig& config) -> std::unique_ptr<Metric> {
      return std::make_unique<Rmse>(config);
    }};

}  // namespace somafit
