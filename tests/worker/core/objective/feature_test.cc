// One suite for all features, then their values.
#include "worker/core/objective/feature.h"

#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/core/data/dataset.h"

namespace somafit {
namespace {

using ::testing::HasSubstr;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

FeatureConfig ConfigOf(const FeatureEntry& entry, double dt,
                       const OptionValues& options = {}) {
  FeatureConfig config;
  config.dt = dt;
  for (const OptionSpec& option : entry.options) {
    config.options[std::string(option.name)] = option.default_value;
  }
  for (const auto& [name, value] : options) config.options[name] = value;
  return config;
}

// Of each lane; series[lane][step].
std::vector<double> Values(const FeatureEntry& entry,
                           const std::vector<std::vector<double>>& series,
                           const OptionValues& options = {}, double dt = 1e-3) {
  const auto feature = entry.make(ConfigOf(entry, dt, options));
  const auto accumulator = feature->Start(series[0].size(), series.size());
  for (size_t step = 0; step < series[0].size(); ++step) {
    std::vector<double> lanes;
    for (const auto& lane : series) lanes.push_back(lane[step]);
    accumulator->Observe(step, lanes);
  }
  std::vector<double> values(series.size());
  accumulator->Finish(values);
  return values;
}

double ValueOf(const std::string& name, const std::vector<double>& series,
               const OptionValues& options = {}, double dt = 1e-3) {
  return Values(*FindFeature(name), {series}, options, dt)[0];
}

// A spike in each of these steps.
std::vector<double> Train(const std::vector<size_t>& steps, size_t n_steps) {
  std::vector<double> counts(n_steps);
  for (const size_t step : steps) ++counts[step];
  return counts;
}

class FeatureSuite : public ::testing::TestWithParam<const FeatureEntry*> {
 protected:
  static std::vector<double> Series() {
    return GetParam()->family == MetricFamily::kSpikes
               ? Train({3, 9, 11, 21, 30}, 40)
               : std::vector<double>{0.5, -1, 2, 0.25, 3, -2, 1, 1.5};
  }
};

TEST_P(FeatureSuite, KeepsLanesApart) {
  const std::vector<double> nothing(Series().size(), 0.0);
  const std::vector<double> broken(Series().size(), kNaN);
  const auto values =
      Values(*GetParam(), {Series(), broken, Series(), nothing});
  EXPECT_TRUE(std::isfinite(values[0]));
  EXPECT_TRUE(std::isnan(values[1]));
  EXPECT_EQ(values[2], values[0]);
  EXPECT_EQ(Values(*GetParam(), {Series()})[0], values[0]);
}

// As if the trace were what is in the window.
TEST_P(FeatureSuite, LooksAtItsWindowAlone) {
  std::vector<double> series = Series();
  const size_t first = series.size() / 4, end = series.size() * 7 / 8;
  const OptionValues window = {{"t_start", static_cast<double>(first) * 1e-3},
                               {"t_end", static_cast<double>(end) * 1e-3}};
  const std::vector<double> cut(series.begin() + std::ptrdiff_t(first),
                                series.begin() + std::ptrdiff_t(end));
  const double value = Values(*GetParam(), {cut})[0];
  EXPECT_TRUE(std::isfinite(value));
  EXPECT_EQ(Values(*GetParam(), {series}, window)[0], value);
  for (size_t k = 0; k < series.size(); ++k) {
    if (k < first || k >= end) series[k] = kNaN;
  }
  EXPECT_EQ(Values(*GetParam(), {series}, window)[0], value);
  // The last step is one that every feature is made of.
  series[end - 1] = kNaN;
  EXPECT_TRUE(std::isnan(Values(*GetParam(), {series}, window)[0]));
}

TEST_P(FeatureSuite, HasItsValueForNoSpikes) {
  const auto config = ConfigOf(*GetParam(), 1e-3);
  const std::vector<double> nothing(Series().size(), 0.0);
  const double value = Values(*GetParam(), {nothing})[0];
  if (config.options.count("empty") == 0) {
    EXPECT_EQ(value, 0);
    return;
  }
  EXPECT_TRUE(std::isnan(value));
  EXPECT_EQ(Values(*GetParam(), {nothing, Series()}, {{"empty", -7}})[0], -7);
}

TEST_P(FeatureSuite, IsShownAndFound) {
  EXPECT_EQ(FindFeature(GetParam()->name), GetParam());
  EXPECT_FALSE(GetParam()->summary.empty());
  std::set<std::string_view> names;
  for (const OptionSpec& option : GetParam()->options) {
    EXPECT_TRUE(names.insert(option.name).second) << option.name;
    EXPECT_FALSE(option.summary.empty());
  }
  EXPECT_EQ(names.count("t_start") + names.count("t_end"), 2u);
}

// Those that are numbers: raw_traces_test.cc has the other.
std::vector<const FeatureEntry*> Numbers() {
  std::vector<const FeatureEntry*> entries;
  for (const FeatureEntry* entry : AllFeatures()) {
    if (entry->make != nullptr) entries.push_back(entry);
  }
  return entries;
}

INSTANTIATE_TEST_SUITE_P(All, FeatureSuite, ::testing::ValuesIn(Numbers()),
                         [](const auto& each) {
                           return std::string(each.param->name);
                         });

TEST(FeatureValueTest, OfTraces) {
  const std::vector<double> y = {1, 2, 3, 4, 10};
  EXPECT_EQ(ValueOf("max", y), 10);
  EXPECT_EQ(ValueOf("min", y), 1);
  EXPECT_DOUBLE_EQ(ValueOf("mean", y), 4);
  EXPECT_EQ(ValueOf("median", y), 3);
  EXPECT_EQ(ValueOf("median", {4, 1, 3, 2}), 2.5);
  EXPECT_DOUBLE_EQ(ValueOf("std", y), std::sqrt(10.0));
  EXPECT_DOUBLE_EQ(ValueOf("rms", y), std::sqrt(26.0));
  EXPECT_EQ(ValueOf("last", y), 10);
  EXPECT_EQ(ValueOf("last", y, {{"t_end", 4e-3}}), 4);
  EXPECT_EQ(ValueOf("max", {-3, -2}), -2);
  EXPECT_EQ(ValueOf("quantile", y, {{"q", 0}}), 1);
  EXPECT_EQ(ValueOf("quantile", y, {{"q", 1}}), 10);
  EXPECT_DOUBLE_EQ(ValueOf("quantile", y, {{"q", 0.9}}), 7.6);
  EXPECT_EQ(ValueOf("quantile", y), 3);
}

// m4 / m2^2: of y 278.8 / 100; of a fair coin 1, of 1 in n n - 2 + 1 / (n - 1),
// of n equidistant values 3/5 (3 n^2 - 7) / (n^2 - 1).
TEST(FeatureValueTest, KurtosisWithAndWithoutThree) {
  const auto both = [](const std::vector<double>& y, double pearson) {
    EXPECT_NEAR(ValueOf("kurtosis", y, {{"pearson", 1}}), pearson, 1e-12);
    EXPECT_NEAR(ValueOf("kurtosis", y), pearson - 3, 1e-12);
  };
  both({1, 2, 3, 4, 10}, 2.788);
  both({-1, 1, 1, -1}, 1);
  std::vector<double> one_in_ten(10, 0.25), equidistant;
  one_in_ten[4] = 3;
  both(one_in_ten, 8 + 1 / 9.0);
  for (int i = 0; i < 101; ++i) equidistant.push_back(0.5 * i - 7);
  both(equidistant, 0.6 * (3 * 101.0 * 101 - 7) / (101.0 * 101 - 1));
  both({2, 2, 2}, 3);  // nothing changes
}

// A sine over whole periods, sampled: mean 0, rms 1 / sqrt 2, kurtosis 3 / 2.
TEST(FeatureValueTest, OfASine) {
  std::vector<double> sine;
  for (int k = 0; k < 4000; ++k) {
    sine.push_back(-65 + 20 * std::sin(2 * std::acos(-1.0) * k / 1000));
  }
  EXPECT_NEAR(ValueOf("mean", sine), -65, 1e-11);
  EXPECT_NEAR(ValueOf("std", sine), 20 / std::sqrt(2.0), 1e-11);
  EXPECT_NEAR(ValueOf("rms", sine), std::sqrt(65 * 65 + 200.0), 1e-11);
  EXPECT_NEAR(ValueOf("kurtosis", sine, {{"pearson", 1}}), 1.5, 1e-11);
  EXPECT_NEAR(ValueOf("quantile", sine, {{"q", 0.75}}),
              -65 + 20 / std::sqrt(2.0), 0.05);
  EXPECT_NEAR(ValueOf("max", sine, {{"t_end", 0.1}}),
              -65 + 20 * std::sin(2 * std::acos(-1.0) * 0.099), 1e-12);
}

TEST(FeatureValueTest, OfSpikes) {
  const std::vector<double> train = Train({10, 14, 20}, 50);
  EXPECT_EQ(ValueOf("spike_count", train), 3);
  EXPECT_DOUBLE_EQ(ValueOf("spike_rate", train), 60);
  EXPECT_DOUBLE_EQ(ValueOf("spike_latency", train), 10e-3);
  EXPECT_DOUBLE_EQ(ValueOf("isi_mean", train), 5e-3);
  EXPECT_DOUBLE_EQ(ValueOf("isi_cv", train), 0.2);
  // [12 ms, 20 ms): the last is not in it.
  const OptionValues window = {{"t_start", 12e-3}, {"t_end", 20e-3}};
  EXPECT_EQ(ValueOf("spike_count", train, window), 1);
  EXPECT_DOUBLE_EQ(ValueOf("spike_rate", train, window), 125);
  EXPECT_DOUBLE_EQ(ValueOf("spike_latency", train, window), 2e-3);
  OptionValues empty = window;
  empty["empty"] = 0;
  EXPECT_EQ(ValueOf("isi_mean", train, empty), 0);
  // Two intervals are needed for a variation, one for a mean.
  EXPECT_TRUE(std::isnan(ValueOf("isi_cv", Train({1, 5}, 9))));
  EXPECT_DOUBLE_EQ(ValueOf("isi_mean", Train({1, 5}, 9)), 4e-3);
  EXPECT_TRUE(std::isnan(ValueOf("isi_mean", Train({1}, 9))));
  EXPECT_TRUE(std::isnan(ValueOf("spike_latency", Train({}, 9))));
  // A recording may have several in a step.
  EXPECT_EQ(ValueOf("spike_count", Train({3, 3, 3, 5}, 9)), 4);
  EXPECT_DOUBLE_EQ(ValueOf("isi_mean", Train({3, 3, 3, 6}, 9)), 1e-3);
  EXPECT_TRUE(std::isnan(ValueOf("isi_cv", Train({3, 3, 3}, 9))));
}

TEST(WindowTest, IsFromItsStartToBeforeItsEnd) {
  const FeatureEntry& mean = *FindFeature("mean");
  const auto window = [&](double t_start, double t_end, double dt = 1e-4) {
    return WindowOf(
        ConfigOf(mean, dt, {{"t_start", t_start}, {"t_end", t_end}}), 1000);
  };
  const double inf = std::numeric_limits<double>::infinity();
  EXPECT_EQ(window(0, inf).size(), 1000u);
  EXPECT_EQ(window(1e-3, 2e-3).first, 10u);
  EXPECT_EQ(window(1e-3, 2e-3).end, 20u);
  EXPECT_EQ(window(1.01e-3, 2.01e-3).first, 11u);
  EXPECT_EQ(window(1.01e-3, 2.01e-3).end, 21u);
  // A whole number of steps but for rounding.
  for (int k = 1; k < 1000; ++k) {
    EXPECT_EQ(window(0.1e-3 * k, inf).first, static_cast<size_t>(k));
    EXPECT_EQ(window(std::nextafter(k * 1e-4, 0), inf).first,
              static_cast<size_t>(k));
    EXPECT_EQ(window(std::nextafter(k * 1e-4, 1), inf).first,
              static_cast<size_t>(k));
  }
  EXPECT_EQ(window(1e300, inf, 1e-300).size(), 0u);
}

TEST(WindowTest, SaysWhatIsWrong) {
  const FeatureEntry& mean = *FindFeature("mean");
  const auto check = [&](double t_start, double t_end) {
    return std::string(
        CheckWindow(
            ConfigOf(mean, 1e-3, {{"t_start", t_start}, {"t_end", t_end}}), 40)
            .message());
  };
  EXPECT_EQ(check(0.039, 0.04), "");
  EXPECT_THAT(check(0.04, 0.05),
              HasSubstr("t_start = 0.04 second lies beyond the trace, which "
                        "lasts 0.04 second"));
  EXPECT_THAT(check(0, 0.041), HasSubstr("t_end = 0.041 second lies beyond"));
  EXPECT_THAT(check(0.01, 0.01), HasSubstr("there is no step from t_start"));
  EXPECT_THAT(check(0.02, 0.01), HasSubstr("there is no step"));
  EXPECT_THAT(check(0.0201, 0.0204), HasSubstr("there is no step"));
}

TEST(ChooseFeatureTest, ByNameAndByWhatItIsOf) {
  std::string problem, hint;
  EXPECT_EQ(ChooseFeature("mean", "v", &problem, &hint)->name, "mean");
  EXPECT_EQ(ChooseFeature("isi_cv", kSpikes, &problem, &hint)->name, "isi_cv");
  EXPECT_EQ(ChooseFeature("mean", kSpikes, &problem, &hint), nullptr);
  EXPECT_THAT(problem, HasSubstr("of a trace, not of spikes"));
  EXPECT_THAT(hint, HasSubstr("spike_count"));
  EXPECT_EQ(ChooseFeature("spike_count", "v", &problem, &hint), nullptr);
  EXPECT_THAT(problem, HasSubstr("of spikes, not of a trace"));
  EXPECT_THAT(hint, HasSubstr("kurtosis"));
  EXPECT_EQ(ChooseFeature("kurtossis", "v", &problem, &hint), nullptr);
  EXPECT_THAT(problem, HasSubstr("there is no feature \"kurtossis\""));
  EXPECT_EQ(hint, "did you mean \"kurtosis\"?");
  EXPECT_EQ(ChooseFeature("", "v", &problem, &hint), nullptr);
  EXPECT_THAT(problem, HasSubstr("which feature"));
}

}  // namespace
}  // namespace somafit
