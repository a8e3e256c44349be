// Distances between spike trains.
//
//   van_rossum      sqrt(1/tau * integral of (f - g)^2), f and g the trains
//                   with each spike an exponential of time constant tau (M. van
//                   Rossum, A novel spike distance, Neural Computation 13,
//                   2001)
//   victor_purpura  the least cost of turning one train into the other: 1 to
//                   add or remove a spike, `cost` |t - s| to shift it (J.
//                   Victor, K. Purpura, Network 8, 1997). Trains with more than
//                   2e7 pairs of spikes count as unrelated.
#include <algorithm>
#include <cmath>
#include <limits>

#include "worker/core/base/elementary.h"
#include "worker/core/objective/spike_metric.h"

namespace somafit {
namespace {

// The squared integral is half the sum over all pairs of s_i s_j e^(-|t_i -
// t_j| / tau), s being 1 for one train's spikes and -1 for the other's. Of
// pairs, the earlier spikes' sum is carried along.
class VanRossum final : public SpikeMetric {
 public:
  explicit VanRossum(const MetricConfig& config)
      : SpikeMetric(config), tau_(config.options.at("tau")) {}

  double Compare(const SpikeSteps& simulated, const SpikeSteps& target,
                 double /*duration*/) const override {
    auto y = simulated.begin(), d = target.begin();
    double earlier = 0, pairs = 0;
    int64_t last = 0;
    while (y != simulated.end() || d != target.end()) {
      const bool from_y =
          d == target.end() || (y != simulated.end() && *y < *d);
      const int64_t step = from_y ? *y++ : *d++;
      const double sign = from_y ? 1 : -1;
      earlier *= Exp(-static_cast<double>(step - last) * dt() / tau_);
      // With itself, and twice with each that is earlier.
      pairs += 1 + 2 * sign * earlier;
      earlier += sign;
      last = step;
    }
    return std::sqrt(std::max(0.0, pairs / 2));
  }

 private:
  const double tau_;
};

class VictorPurpura final : public SpikeMetric {
 public:
  explicit VictorPurpura(const MetricConfig& config)
      : SpikeMetric(config), cost_(config.options.at("cost")) {}

  // Of trains that would take too long, the most that it can be.
  double Compare(const SpikeSteps& simulated, const SpikeSteps& target,
                 double /*duration*/) const override {
    constexpr double kMostPairs = 2e7;
    if (static_cast<double>(simulated.size()) *
            static_cast<double>(target.size()) >
        kMostPairs) {
      return static_cast<double>(simulated.size() + target.size());
    }
    // Row by row: of the first i spikes against the first j.
    std::vector<double> row(target.size() + 1);
    for (size_t j = 0; j < row.size(); ++j) row[j] = static_cast<double>(j);
    for (const int32_t y : simulated) {
      double diagonal = row[0];
      row[0] += 1;
      for (size_t j = 1; j < row.size(); ++j) {
        const double apart =
            static_cast<double>(std::abs(y - target[j - 1])) * dt();
        const double shifted = std::fma(cost_, apart, diagonal);
        diagonal = row[j];
        row[j] = std::min({row[j] + 1, row[j - 1] + 1, shifted});
      }
    }
    return row.back();
  }

 private:
  const double cost_;
};

}  // namespace

extern const MetricEntry kVanRossum = {
    "van_rossum",
    "distance of van Rossum",
    MetricFamily::kSpikes,
    &PlainNumber,
    SpikeOptions({{.name = "tau",
                   .summary = "time constant of a spike",
                   .kind = OptionSpec::Kind::kTime,
                   .default_value = 10e-3,
                   .minimum = std::numeric_limits<double>::min()}}),
    [](const MetricConfig& config) -> std::unique_ptr<Metric> {
      return std::make_unique<VanRossum>(config);
    }};

extern const MetricEntry kVictorPurpura = {
    "victor_purpura",
    "distance of Victor and Purpura",
    MetricFamily::kSpikes,
    &PlainNumber,
    SpikeOptions({{.name = "cost",
                   .summary = "cost of shifting a spike, by time",
                   .kind = OptionSpec::Kind::kRate,
                   .default_value = 100,
                   .minimum = 0}}),
    [](const MetricConfig& config) -> std::unique_ptr<Metric> {
      return std::make_unique<VictorPurpura>(config);
    }};

}  // namespace somafit
