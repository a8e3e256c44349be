// One suite for all metrics, then their values.
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/core/data/dataset.h"
#include "worker/core/objective/metric.h"

namespace somafit {
namespace {

using ::testing::HasSubstr;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

MetricConfig ConfigOf(const MetricEntry& entry, double dt,
                      const OptionValues& options = {}) {
  MetricConfig config;
  config.dt = dt;
  for (const OptionSpec& option : entry.options) {
    config.options[std::string(option.name)] =
        option.required ? 0.5 : option.default_value;
  }
  for (const auto& [name, value] : options) config.options[name] = value;
  return config;
}

// Of each lane; series[lane][step].
std::vector<double> Errors(const Metric& metric,
                           const std::vector<std::vector<double>>& simulated,
                           const std::vector<double>& target) {
  const auto accumulator = metric.Start(target, simulated.size());
  for (size_t step = 0; step < target.size(); ++step) {
    std::vector<double> lanes;
    for (const auto& series : simulated) lanes.push_back(series[step]);
    accumulator->Observe(step, lanes);
  }
  std::vector<double> errors(simulated.size());
  accumulator->Finish(errors);
  return errors;
}

double ErrorOf(const std::string& name, const std::vector<double>& simulated,
               const std::vector<double>& target,
               const OptionValues& options = {}, double dt = 1e-3) {
  const MetricEntry& entry = *FindMetric(name);
  const auto metric = entry.make(ConfigOf(entry, dt, options));
  return Errors(*metric, {simulated}, target)[0];
}

// Times in ms as the numbers of spikes in each step of `dt_ms`.
std::vector<double> Train(const std::vector<double>& times_ms, double dt_ms,
                          double duration_ms) {
  std::vector<double> counts(
      static_cast<size_t>(std::lround(duration_ms / dt_ms)));
  for (const double time : times_ms) {
    ++counts[static_cast<size_t>(std::lround(time / dt_ms))];
  }
  return counts;
}

class MetricSuite : public ::testing::TestWithParam<const MetricEntry*> {
 protected:
  bool IsOfSpikes() const {
    return GetParam()->family == MetricFamily::kSpikes;
  }
  std::unique_ptr<Metric> Make(const OptionValues& options = {}) const {
    return GetParam()->make(ConfigOf(*GetParam(), 1e-3, options));
  }
  // Two that differ in every respect.
  std::vector<double> Target() const {
    return IsOfSpikes() ? Train({3, 9, 11, 30}, 1, 40)
                        : std::vector<double>{0.5, -1, 2, 0.25, 3, -2, 1, 1};
  }
  std::vector<double> Other() const {
    return IsOfSpikes() ? Train({5, 13, 33, 34, 38}, 1, 40)
                        : std::vector<double>{0, 2, -1, 9, -4, 0.5, 3, 2};
  }
};

TEST_P(MetricSuite, IsLeastForTheTargetItself) {
  const std::vector<double> errors =
      Errors(*Make(), {Target(), Other()}, Target());
  EXPECT_NEAR(errors[0], 0, 1e-15);
  EXPECT_GT(errors[1], 0.01 * (GetParam()->name == "spike_latency" ||
                                       GetParam()->name == "isi_mean"
                                   ? 1e-3
                                   : 1));
}

TEST_P(MetricSuite, KeepsLanesApart) {
  const std::vector<double> broken(Target().size(), kNaN);
  const auto metric = Make();
  const std::vector<double> errors =
      Errors(*metric, {Other(), broken, Other(), Target()}, Target());
  EXPECT_EQ(errors[0], Errors(*metric, {Other()}, Target())[0]);
  EXPECT_TRUE(std::isnan(errors[1]));
  EXPECT_EQ(errors[2], errors[0]);
}

TEST_P(MetricSuite, LeavesOutMissingPoints) {
  std::vector<double> target = Target(), simulated = Other();
  const auto metric = Make();
  std::vector<double> cut_target, cut_simulated;
  // The last quarter is missing: as if the trace ended there.
  const size_t kept = target.size() * 3 / 4;
  cut_target.assign(target.begin(), target.begin() + std::ptrdiff_t(kept));
  cut_simulated.assign(simulated.begin(),
                       simulated.begin() + std::ptrdiff_t(kept));
  std::fill(target.begin() + std::ptrdiff_t(kept), target.end(), kNaN);
  EXPECT_EQ(metric->CountedSteps(target), kept);
  const double masked = Errors(*metric, {simulated}, target)[0];
  EXPECT_EQ(masked, Errors(*metric, {cut_simulated}, cut_target)[0]);
}

TEST_P(MetricSuite, BeginsAtItsStart) {
  const size_t first = Target().size() / 4;
  const auto metric = Make({{"t_start", static_cast<double>(first) * 1e-3}});
  std::vector<double> target = Target(), simulated = Other();
  const double error = Errors(*metric, {simulated}, target)[0];
  // What is before does not matter.
  std::fill_n(simulated.begin(), first, IsOfSpikes() ? 1 : 1e3);
  EXPECT_EQ(Errors(*metric, {simulated}, target)[0], error);
}

TEST_P(MetricSuite, DividesByItsNormalization) {
  const double once = Make()->Normalize(6);
  const double twice = Make({{"normalization", 2}})->Normalize(6);
  const bool squares =
      GetParam()->error_dimension(kTimeDimension) == kTimeDimension.Power(2);
  EXPECT_DOUBLE_EQ(once, 6);
  EXPECT_DOUBLE_EQ(twice, squares ? 1.5 : 3);
}

// A model that does nothing, a recording of nothing: numbers, not the end of a
// fit.
TEST_P(MetricSuite, IsFiniteWhereNothingHappens) {
  const std::vector<double> nothing(Target().size(), 0.0);
  const auto metric = Make();
  EXPECT_TRUE(std::isfinite(Errors(*metric, {nothing}, Target())[0]));
  EXPECT_TRUE(std::isfinite(Errors(*metric, {Other()}, nothing)[0]));
  const double same = Errors(*metric, {nothing}, nothing)[0];
  EXPECT_EQ(same,
            GetParam()->name == "correlation" || GetParam()->name == "cosine"
                ? 1
                : 0);
}

TEST_P(MetricSuite, IsShownAndFound) {
  EXPECT_EQ(FindMetric(GetParam()->name), GetParam());
  EXPECT_FALSE(GetParam()->summary.empty());
  std::set<std::string_view> names;
  for (const OptionSpec& option : GetParam()->options) {
    EXPECT_TRUE(names.insert(option.name).second) << option.name;
    EXPECT_FALSE(option.summary.empty());
  }
  EXPECT_EQ(names.count("t_start") + names.count("normalization"), 2u);
}

// Kernels that add up squares by themselves give the same.
TEST_P(MetricSuite, SquaresAreTheSame) {
  const auto metric = Make();
  const std::vector<double> weights = metric->SquareWeights(Target());
  if (weights.empty()) return;
  double sum = 0, weight_sum = 0;
  for (size_t k = 0; k < weights.size(); ++k) {
    const double d = Other()[k] - Target()[k];
    sum = std::fma(weights[k] * d, d, sum);
    weight_sum += weights[k];
  }
  EXPECT_EQ(metric->FromMeanSquare(sum / weight_sum),
            Errors(*metric, {Other()}, Target())[0]);
}

// Groups have a suite of their own: connectivity_test.cc.
std::vector<const MetricEntry*> OfOneOutput() {
  std::vector<const MetricEntry*> entries;
  for (const MetricEntry* entry : AllMetrics()) {
    if (entry->family == MetricFamily::kTrace ||
        entry->family == MetricFamily::kSpikes) {
      entries.push_back(entry);
    }
  }
  return entries;
}

INSTANTIATE_TEST_SUITE_P(All, MetricSuite, ::testing::ValuesIn(OfOneOutput()),
                         [](const auto& each) {
                           return std::string(each.param->name);
                         });

TEST(MetricValueTest, Differences) {
  const std::vector<double> y = {0, 1, 1, 5}, d = {0, 1, 2, 3};
  EXPECT_DOUBLE_EQ(ErrorOf("rmse", y, d), std::sqrt(5.0 / 4));
  EXPECT_DOUBLE_EQ(ErrorOf("mae", y, d), 0.75);
  EXPECT_DOUBLE_EQ(ErrorOf("huber", y, d, {{"delta", 1}}), (0.5 + 1.5) / 4);
  EXPECT_DOUBLE_EQ(ErrorOf("huber", y, d, {{"delta", 9}}), (0.5 + 2) / 4);
  EXPECT_DOUBLE_EQ(ErrorOf("correlation", {1, 2, 3, 4}, {9, 7, 5, 3}), 2);
  EXPECT_NEAR(ErrorOf("correlation", {1e9, 1e9 + 1, 1e9 + 2}, {4, 5, 6}), 0,
              1e-15);
  EXPECT_DOUBLE_EQ(ErrorOf("cosine", {1, 0}, {1, 1}), 1 - std::sqrt(0.5));
}

TEST(MetricValueTest, Features) {
  const std::vector<double> y = {1, 2, 3, 4, 10}, d = {0, 0, 0, 0, 0};
  const auto feature = [&](const char* name, const OptionValues& options = {}) {
    return ErrorOf(name, y, d, options);
  };
  EXPECT_EQ(feature("max"), 10);
  EXPECT_EQ(feature("min"), 1);
  EXPECT_DOUBLE_EQ(feature("mean"), 4);
  EXPECT_EQ(feature("median"), 3);
  EXPECT_DOUBLE_EQ(feature("std"), std::sqrt(10.0));
  // m4 = (81 + 16 + 1 + 0 + 1296) / 5, m2 = 10.
  EXPECT_NEAR(feature("kurtosis"), std::fabs(278.8 / 100 - 3), 1e-12);
  EXPECT_DOUBLE_EQ(feature("quantile", {{"q", 0.9}}), 7.6);
  EXPECT_EQ(feature("quantile", {{"q", 0}}), 1);
  EXPECT_EQ(feature("quantile", {{"q", 1}}), 10);
}

// fitting.md 7.3: checked with the original.
TEST(GammaFactorTest, HasTheValuesOfTheOriginal) {
  struct Case {
    std::vector<double> model, data;  // [ms]
    double delta, time, dt;           // [ms]
    double error, uncorrected;        // NaN: not known
  };
  const std::vector<double> five = {9.2, 13.5, 17.8, 22.1, 26.4};
  for (const Case& each : std::vector<Case>{
           {five, five, 1, 60, 0.1, 0, 0},
           {{9.7, 14.4, 19.1, 23.8, 28.5}, five, 1, 60, 0.1, 0.72, 0.72},
           {{8.5, 12.3, 16.1, 19.9, 23.7, 27.5},
            five,
            1,
            60,
            0.1,
            1.3636363636363636,
            0.9636363636363636},
           {{15.5, 25.6},
            five,
            1,
            60,
            0.1,
            2.142857142857143,
            0.9428571428571428},
           {{}, five, 1, 60, 0.1, 3.4, 1.4},
           {{0, 2, 4, 6, 8, 10}, {0, 2, 4, 6, 8, 10}, 0.5, 12, 0.1, 0, kNaN},
           {{1, 2, 3},
            {0, 2, 4, 6, 8, 10},
            0.5,
            12,
            0.1,
            2.888888888888889,
            kNaN},
           {{7, 9, 11}, {1, 2, 3}, 0.5, 5, 0.1, 2.5, kNaN},
           {{1, 5, 8}, {0, 5, 9}, 0.5, 10, 0.1, 0.9523809523809523, kNaN},
           {{2, 3, 8, 9}, {1, 3, 5, 6}, 0.5, 10, 0.1, 1.25, kNaN},
           {{1, 5}, {0, 5, 9}, 0.5, 10, 0.1, 1.6095238095238096, kNaN},
           {{0, 2, 3, 8, 9},
            {1, 3, 5, 6},
            0.5,
            10,
            0.1,
            1.7222222222222223,
            kNaN},
           // F10
           {{10, 20, 30}, {10.5, 20, 40}, 1, 50, 0.1, 0.3787878787878788, kNaN},
           {{10, 20}, {10.5, 20, 40}, 1, 50, 0.1, 0.9212121212121212, kNaN},
       }) {
    const auto error = [&](double corrects) {
      return ErrorOf("gamma_factor", Train(each.model, each.dt, 60),
                     Train(each.data, each.dt, 60),
                     {{"delta", each.delta * 1e-3},
                      {"time", each.time * 1e-3},
                      {"rate_correction", corrects}},
                     each.dt * 1e-3);
    };
    EXPECT_NEAR(error(1), each.error, 1e-7);
    if (!std::isnan(each.uncorrected)) {
      EXPECT_NEAR(error(0), each.uncorrected, 1e-7);
    }
  }
}

TEST(GammaFactorTest, SilentRecordingsHaveANumber) {
  const std::vector<double> silent(100, 0.0),
      spiking = Train({5, 9, 40}, 1, 100);
  EXPECT_EQ(ErrorOf("gamma_factor", silent, silent), 0);
  EXPECT_EQ(ErrorOf("gamma_factor", spiking, silent), 1 + 2 * 3);
  // A spike in the middle of two coincides where it is near enough.
  const std::vector<double> two = Train({10, 14}, 1, 100),
                            three = Train({10, 12, 14}, 1, 100);
  EXPECT_LT(ErrorOf("gamma_factor", two, three, {{"delta", 2e-3}}),
            ErrorOf("gamma_factor", two, three, {{"delta", 1e-3}}));
}

TEST(GammaFactorTest, RefusesAWindowThatHoldsEverything) {
  const MetricEntry& entry = *FindMetric("gamma_factor");
  const std::vector<double> target = Train({1, 2, 3}, 1, 10);
  EXPECT_TRUE(
      ValidateMetric(entry, ConfigOf(entry, 1e-3, {{"delta", 1e-3}}), target)
          .ok());
  EXPECT_THAT(
      std::string(ValidateMetric(
                      entry, ConfigOf(entry, 1e-3, {{"delta", 2e-3}}), target)
                      .message()),
      HasSubstr("choose one below 0.0016666666666666668 second"));
}

// Later than t_start, which may be a whole number of steps but for rounding.
TEST(SpikeMetricTest, CountsSpikesAfterItsStart) {
  const std::vector<double> y = Train({3, 7}, 0.1, 10), none(100, 0.0);
  const auto count = [&](double t_start_ms) {
    return ErrorOf("spike_count", y, none, {{"t_start", t_start_ms * 1e-3}},
                   1e-4);
  };
  EXPECT_EQ(count(0), 2);
  EXPECT_EQ(count(2.95), 2);
  EXPECT_EQ(count(3), 1);
  EXPECT_EQ(count(0.1 * 30 * 1.0000000000000002), 1);
  EXPECT_EQ(count(7), 0);
  // 5 ms are left for the rate.
  EXPECT_DOUBLE_EQ(ErrorOf("spike_rate", y, none, {{"t_start", 4.9e-3}}, 1e-4),
                   1 / 5e-3);
}

TEST(SimilarityTest, WhatIsNoNumberStaysNone) {
  for (const char* const name : {"correlation", "cosine"}) {
    EXPECT_TRUE(std::isnan(ErrorOf(name, {1, kNaN, 2}, {0, 0, 0}))) << name;
  }
}

TEST(SpikeDistanceTest, HaveTheirClosedForms) {
  const std::vector<double> none(50, 0.0), one = Train({10}, 1, 50),
                                           two = Train({10, 14}, 1, 50);
  const OptionValues tau = {{"tau", 4e-3}};
  EXPECT_DOUBLE_EQ(ErrorOf("van_rossum", one, none, tau), std::sqrt(0.5));
  EXPECT_DOUBLE_EQ(ErrorOf("van_rossum", two, none, tau),
                   std::sqrt(1 + std::exp(-1.0)));
  EXPECT_DOUBLE_EQ(ErrorOf("van_rossum", Train({14}, 1, 50), one, tau),
                   std::sqrt(1 - std::exp(-1.0)));
  // Shifting by 4 ms costs 0.4, up to removing one and adding another.
  const auto purpura = [&](double cost) {
    return ErrorOf("victor_purpura", Train({14}, 1, 50), one, {{"cost", cost}});
  };
  EXPECT_DOUBLE_EQ(purpura(100), 0.4);
  EXPECT_DOUBLE_EQ(purpura(1000), 2);
  EXPECT_DOUBLE_EQ(purpura(0), 0);
  EXPECT_DOUBLE_EQ(ErrorOf("victor_purpura", two, none), 2);
}

TEST(SpikeFeatureTest, HaveTheirValues) {
  const std::vector<double> y = Train({10, 14, 20}, 1, 50),
                            d = Train({4, 5, 9, 11}, 1, 50);
  EXPECT_EQ(ErrorOf("spike_count", y, d), 1);
  EXPECT_DOUBLE_EQ(ErrorOf("spike_rate", y, d), 20);
  EXPECT_DOUBLE_EQ(ErrorOf("spike_latency", y, d), 6e-3);
  EXPECT_DOUBLE_EQ(ErrorOf("isi_mean", y, d), 5e-3 - 7e-3 / 3);
  // 4, 6: 1 / 5; 1, 4, 2: sqrt(14/9) / (7/3).
  EXPECT_DOUBLE_EQ(ErrorOf("isi_cv", y, d), std::sqrt(14.0) / 7 - 0.2);
  const std::vector<double> silent(50, 0.0);
  EXPECT_DOUBLE_EQ(ErrorOf("spike_latency", silent, d), 50e-3);
  EXPECT_DOUBLE_EQ(ErrorOf("isi_mean", Train({3}, 1, 50), d), 50e-3);
  EXPECT_EQ(ErrorOf("isi_cv", silent, d), 1);
}

TEST(ChooseMetricTest, ByNameAndByWhatIsCompared) {
  std::string problem, hint;
  const auto choose = [&](const char* metric,
                          std::vector<std::string> outputs) {
    return ChooseMetric(metric, outputs, &problem, &hint);
  };
  EXPECT_EQ(choose("", {"v"})->name, "mse");
  EXPECT_EQ(choose("", {kSpikes})->name, "gamma_factor");
  EXPECT_EQ(choose("fc_rmse", {"v", "w"})->name, "fc_rmse");
  EXPECT_EQ(choose("mse", {kSpikes}), nullptr);
  EXPECT_THAT(problem, HasSubstr("compares a trace, not spikes"));
  EXPECT_EQ(choose("van_rossum", {"v"}), nullptr);
  EXPECT_THAT(problem, HasSubstr("compares spikes, not a trace"));
  EXPECT_EQ(choose("mse", {"v", "w"}), nullptr);
  EXPECT_THAT(problem, HasSubstr("compares a trace, not a group"));
  EXPECT_EQ(choose("", {"v", "w"}), nullptr);
  EXPECT_THAT(hint, HasSubstr("fc_correlation"));
  EXPECT_EQ(choose("gama_factor", {kSpikes}), nullptr);
  EXPECT_THAT(hint, HasSubstr("gamma_factor"));
  const MetricEntry& entry = *FindMetric("spike_count");
  MetricConfig config = ConfigOf(entry, 1e-3);
  EXPECT_THAT(
      std::string(
          ValidateMetric(entry, config, std::vector<double>{0, 0.5}).message()),
      HasSubstr("step 1 has 0.5 spikes"));
  config.t_weights = {1, 1};
  EXPECT_THAT(
      std::string(
          ValidateMetric(entry, config, std::vector<double>{0, 1}).message()),
      HasSubstr("t_weights"));
}

}  // namespace
}  // namespace somafit
