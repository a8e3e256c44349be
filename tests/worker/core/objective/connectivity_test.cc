// One suite for the metrics of groups, then their values.
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/core/objective/metric.h"

namespace somafit {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
using Signals = std::vector<std::vector<double>>;

// Four regions that move together more or less.
Signals Regions(double phase, size_t n_steps = 200) {
  Signals signals(4);
  for (size_t i = 0; i < signals.size(); ++i) {
    const auto number = static_cast<double>(i);
    for (size_t k = 0; k < n_steps; ++k) {
      const auto step = static_cast<double>(k);
      signals[i].push_back(
          std::sin(0.11 * step * (1 + 0.2 * number) + phase * number) +
          0.3 * std::sin(0.37 * step + 0.9 * number * number + phase));
    }
  }
  return signals;
}

std::unique_ptr<Metric> Make(const MetricEntry& entry,
                             const OptionValues& options = {}) {
  MetricConfig config;
  config.dt = 1e-3;
  for (const OptionSpec& option : entry.options) {
    config.options[std::string(option.name)] = option.default_value;
  }
  for (const auto& [name, value] : options) config.options[name] = value;
  return entry.make(config);
}

std::vector<std::span<const double>> Views(const Signals& signals) {
  return {signals.begin(), signals.end()};
}

// Of each lane.
std::vector<double> Errors(const Metric& metric,
                           const std::vector<Signals>& lanes,
                           const Signals& target) {
  const auto targets = Views(target);
  const auto accumulator = metric.StartGroup(targets, lanes.size());
  for (size_t k = 0; k < target[0].size(); ++k) {
    std::vector<double> row;
    for (size_t o = 0; o < target.size(); ++o) {
      for (const Signals& lane : lanes) row.push_back(lane[o][k]);
    }
    accumulator->Observe(k, row);
  }
  std::vector<double> errors(lanes.size());
  accumulator->Finish(errors);
  return errors;
}

class GroupSuite : public ::testing::TestWithParam<const MetricEntry*> {};

TEST_P(GroupSuite, IsLeastForTheTargetItselfAndKeepsLanesApart) {
  const auto metric = Make(*GetParam());
  const Signals target = Regions(0), other = Regions(0.7);
  const Signals broken(4, std::vector<double>(200, kNaN));
  const auto errors = Errors(*metric, {target, broken, other, target}, target);
  EXPECT_NEAR(errors[0], 0, 1e-14);
  EXPECT_TRUE(std::isnan(errors[1]));
  EXPECT_GT(errors[2], 0.01);
  EXPECT_EQ(errors[2], Errors(*metric, {other}, target)[0]);
  EXPECT_EQ(errors[3], errors[0]);
}

// A step counts where all regions have a target.
TEST_P(GroupSuite, LeavesOutMissingPointsAndTheStart) {
  const Signals target = Regions(0), other = Regions(0.7);
  Signals holes = target;
  for (size_t k = 0; k < 40; ++k) holes[k % 4][k] = kNaN;
  const auto late = Make(*GetParam(), {{"t_start", 40e-3}});
  const auto all = Make(*GetParam());
  EXPECT_EQ(all->CountedGroupSteps(Views(holes)), 160u);
  EXPECT_EQ(late->CountedGroupSteps(Views(target)), 160u);
  EXPECT_EQ(Errors(*all, {other}, holes)[0], Errors(*late, {other}, target)[0]);
}

TEST_P(GroupSuite, SaysNothingOfTooFewSteps) {
  const auto metric = Make(*GetParam());
  const Signals one = Regions(0, 1);
  EXPECT_EQ(metric->CountedGroupSteps(Views(one)), 0u);
  EXPECT_TRUE(std::isnan(Errors(*metric, {one}, one)[0]));
}

std::vector<const MetricEntry*> Groups() {
  std::vector<const MetricEntry*> entries;
  for (const MetricEntry* entry : AllMetrics()) {
    if (entry->family == MetricFamily::kGroup) entries.push_back(entry);
  }
  return entries;
}

INSTANTIATE_TEST_SUITE_P(All, GroupSuite, ::testing::ValuesIn(Groups()),
                         [](const auto& each) {
                           return std::string(each.param->name);
                         });

// Computed by other means (NumPy's corrcoef, windows of 30 every 5 steps).
TEST(ConnectivityTest, HasTheValuesOfTheFormulas) {
  const Signals target = Regions(0), other = Regions(0.7);
  for (const auto& [name, value] :
       {std::pair{"fc_correlation", 0.1264519671215406},
        {"fc_rmse", 0.1374365524879875},
        {"fcd_correlation", 0.8127286379559275},
        {"fcd_ks", 0.07732596295365202},
        {"fcd_wasserstein", 0.07953965817208423}}) {
    EXPECT_NEAR(Errors(*Make(*FindMetric(name)), {other}, target)[0], value,
                1e-12)
        << name;
  }
}

// A flat region correlates with no other by 0, and no error is lost for it.
TEST(ConnectivityTest, AFlatRegionIsFinite) {
  const Signals target = Regions(0);
  Signals flat = target;
  flat[2].assign(200, 0.25);
  const double error = Errors(*Make(*FindMetric("fc_rmse")), {flat}, target)[0];
  EXPECT_TRUE(std::isfinite(error));
  EXPECT_GT(error, 0);
}

}  // namespace
}  // namespace somafit
