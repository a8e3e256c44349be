// The coincidence factor of two spike trains with a correction for their rates:
//
//   Gamma = (n_c - 2 delta n_d r_d) / ((1 - 2 delta r_d) (n_m + n_d) / 2)
//   e = max(0, 1 + 2 |r_d - r_m| / r_d - Gamma)
//
// n_c spikes of the data have a spike of the model within delta, each compared
// with its nearest; n_d, n_m are the numbers of spikes and r_d, r_m those by
// time. R. Jolivet et al., A benchmark test for a quantitative assessment of
// simple neuron models, Journal of Neuroscience Methods 169, 2008; C. Rossant
// et al., Frontiers in Neuroscience 5, 2011.
//
// Where the data are silent, r_d in the denominator is one spike in the whole
// time, and two silent trains agree.
#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"

#include "worker/core/base/number.h"
#include "worker/core/objective/spike_metric.h"

namespace somafit {
namespace {

class GammaFactor final : public SpikeMetric {
 public:
  explicit GammaFactor(const MetricConfig& config)
      : SpikeMetric(config),
        delta_(config.options.at("delta")),
        time_(config.options.at("time")),
        corrects_rate_(config.options.at("rate_correction") != 0),
        window_(static_cast<int64_t>(
            std::min(std::nearbyint(delta_ / config.dt), 1e15))) {}

  double Compare(const SpikeSteps& simulated, const SpikeSteps& target,
                 double duration) const override {
    const double time = time_ > 0 ? time_ : duration;
    const auto n_m = static_cast<double>(simulated.size());
    const auto n_d = static_cast<double>(target.size());
    if (n_m == 0 && n_d == 0) return 0;
    const double rate_d = n_d / time, rate_m = n_m / time;
    const double by_chance = 2 * delta_ * rate_d;
    const double gamma = (static_cast<double>(Coincidences(simulated, target)) -
                          by_chance * n_d) /
                         (0.5 * (1 - by_chance) * (n_m + n_d));
    const double rate_term =
        corrects_rate_
            ? 1 + 2 * std::fabs(rate_d - rate_m) / std::max(rate_d, 1 / time)
            : 1;
    return std::max(0.0, rate_term - gamma);
  }

  absl::Status CheckTarget(std::span<const double> target) const override {
    const absl::Status status = SpikeMetric::CheckTarget(target);
    if (!status.ok()) return status;
    const double time = time_ > 0 ? time_ : DurationOf(target);
    const double rate = static_cast<double>(StepsOf(target).size()) / time;
    if (2 * delta_ * rate < 1) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(
        "delta = ", ShortestText(delta_), " second is too long for a train of ",
        ShortestText(rate),
        " spikes a second: every train would coincide with it by chance; "
        "choose one below ",
        ShortestText(0.5 / rate), " second"));
  }

 private:
  // Of the target, how many spikes have their nearest one within the window.
  int64_t Coincidences(const SpikeSteps& simulated,
                       const SpikeSteps& target) const {
    int64_t found = 0;
    for (const int32_t step : target) {
      const auto next =
          std::lower_bound(simulated.begin(), simulated.end(), step);
      int64_t nearest = std::numeric_limits<int64_t>::max();
      if (next != simulated.end()) nearest = int64_t{*next} - step;
      if (next != simulated.begin()) {
        nearest = std::min(nearest, int64_t{step} - *(next - 1));
      }
      if (nearest <= window_) ++found;
    }
    return found;
  }

  const double delta_, time_;
  const bool corrects_rate_;
  const int64_t window_;  // delta in steps
};

}  // namespace

extern const MetricEntry kGammaFactor = {
    "gamma_factor",
    "coincidences of spikes beyond those by chance, and their rate",
    MetricFamily::kSpikes,
    &PlainNumber,
    SpikeOptions(
        {{.name = "delta",
          .summary = "time within which two spikes coincide",
          .kind = OptionSpec::Kind::kTime,
          .default_value = 2e-3,
          .minimum = std::numeric_limits<double>::min()},
         {.name = "time",
          .summary =
              "time that rates are relative to; 0: what counts of the trace",
          .kind = OptionSpec::Kind::kTime,
          .default_value = 0,
          .minimum = 0},
         {.name = "rate_correction",
          .summary = "whether a wrong rate is an error by itself",
          .kind = OptionSpec::Kind::kBoolean,
          .default_value = 1}}),
    [](const MetricConfig& config) -> std::unique_ptr<Metric> {
      return std::make_unique<GammaFactor>(config);
    }};

}  // namespace somafit
