// Errors of shape, whatever the size:
//
//   correlation  e = 1 - r, r the weighted correlation of Pearson
//   cosine       e = 1 - sum w y d / sqrt(sum w y^2 sum w d^2)
//
// Both lie in 0 .. 2, and are 1 where one of the two has no shape: a simulated
// trace that is flat is as good as one that has nothing to do with the target.
#include <algorithm>
#include <cmath>
#include <limits>

#include "worker/core/objective/step_window.h"

namespace somafit {
namespace {

// What two series have in common: their mean product over the root of their
// mean squares. 0 where one has none; not a number where one of them is not.
double Alignment(double product, double square_a, double square_b) {
  if (std::isnan(product)) return product;
  if (square_a == 0 || square_b == 0) return 0;
  // Each root by itself: the product of the squares may overflow.
  const double aligned = product / (std::sqrt(square_a) * std::sqrt(square_b));
  return std::isnan(aligned) ? aligned : std::clamp(aligned, -1.0, 1.0);
}

// D. West, Updating mean and variance estimates, Communications of the ACM 22,
// 1979.
struct Comoments {
  double weight_sum = 0, mean_y = 0, mean_d = 0;
  double yy = 0, dd = 0, yd = 0;

  void Add(double weight, double y, double d) {
    weight_sum += weight;
    const double share = weight / weight_sum;
    const double from_y = y - mean_y, from_d = d - mean_d;
    mean_y = std::fma(share, from_y, mean_y);
    mean_d = std::fma(share, from_d, mean_d);
    yy = std::fma(weight * from_y, y - mean_y, yy);
    dd = std::fma(weight * from_d, d - mean_d, dd);
    yd = std::fma(weight * from_y, d - mean_d, yd);
  }
  double Error() const {
    return weight_sum > 0 ? 1 - Alignment(yd, yy, dd)
                          : std::numeric_limits<double>::quiet_NaN();
  }
};

struct Products {
  double weight_sum = 0, yy = 0, dd = 0, yd = 0;

  void Add(double weight, double y, double d) {
    weight_sum += weight;
    yy = std::fma(weight * y, y, yy);
    dd = std::fma(weight * d, d, dd);
    yd = std::fma(weight * y, d, yd);
  }
  double Error() const {
    return weight_sum > 0 ? 1 - Alignment(yd, yy, dd)
                          : std::numeric_limits<double>::quiet_NaN();
  }
};

template <typename Sums>
class Similarity final : public WindowedMetric {
 public:
  using WindowedMetric::WindowedMetric;

  std::unique_ptr<MetricAccumulator> Start(std::span<const double> target,
                                           size_t n_lanes) const override {
    return std::make_unique<LaneSums<Sums>>(window(), target, n_lanes, Sums{});
  }
};

OptionSpec Normalization() {
  return {.name = "normalization",
          .summary = "number that the error is divided by",
          .default_value = 1,
          .minimum = std::numeric_limits<double>::min()};
}

}  // namespace

extern const MetricEntry kCorrelation = {
    "correlation",
    "1 minus the correlation of output and target",
    MetricFamily::kTrace,
    &PlainNumber,
    {TimeOfStart(), Normalization()},
    [](const MetricConfig& config) -> std::unique_ptr<Metric> {
      return std::make_unique<Similarity<Comoments>>(config);
    }};

extern const MetricEntry kCosine = {
    "cosine",
    "1 minus the cosine of the angle between output and target",
    MetricFamily::kTrace,
    &PlainNumber,
    {TimeOfStart(), Normalization()},
    [](const MetricConfig& config) -> std::unique_ptr<Metric> {
      return std::make_unique<Similarity<Products>>(config);
    }};

}  // namespace somafit
