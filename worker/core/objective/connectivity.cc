// How regions move together, of a group of outputs, one a region (brainmass):
//
//   fc_correlation   e = 1 - r(upper triangles of FC)
//   fc_rmse          e = sqrt(mean over the matrix (FC_y - FC_d)^2)
//   fcd_correlation  e = 1 - r(upper triangles of FCD)
//   fcd_ks           e = max |F_y - F_d|
//   fcd_wasserstein  e = sum |F_y - F_d| dx
//
// FC, functional connectivity, is the matrix of Pearson's correlations over
// time; a flat signal correlates with no other by 0. FCD, its dynamics (Hansen
// et al., NeuroImage 105, 2015), correlates the upper triangles of FC in
// sliding windows. F is the distribution function of FCD's upper triangle: a
// Gaussian kernel density with Scott's bandwidth, n^(-1/5) of the standard
// deviation, on 100 points in -0.99 .. 0.99, scaled to a sum of 1.
//
// A step counts where every output of the group has a target. All steps are
// kept until a trace's end.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "worker/core/base/elementary.h"
#include "worker/core/objective/step_window.h"

namespace somafit {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Signals of a group, [output][step].
using Signals = std::vector<std::vector<double>>;

struct Window {
  size_t begin = 0, end = 0;  // steps
};

// Pearson's correlation; 0 where one of the two is flat.
double Correlation(std::span<const double> a, std::span<const double> b) {
  double mean_a = 0, mean_b = 0;
  for (size_t k = 0; k < a.size(); ++k) {
    mean_a += a[k];
    mean_b += b[k];
  }
  mean_a /= static_cast<double>(a.size());
  mean_b /= static_cast<double>(a.size());
  double aa = 0, bb = 0, ab = 0;
  for (size_t k = 0; k < a.size(); ++k) {
    const double da = a[k] - mean_a, db = b[k] - mean_b;
    aa = std::fma(da, da, aa);
    bb = std::fma(db, db, bb);
    ab = std::fma(da, db, ab);
  }
  if (std::isnan(ab)) return kNaN;
  if (aa == 0 || bb == 0) return 0;
  return std::clamp(ab / (std::sqrt(aa) * std::sqrt(bb)), -1.0, 1.0);
}

// The strict upper triangle of FC in a window, row by row.
std::vector<double> Connectivity(const Signals& signals, Window window) {
  std::vector<double> triangle;
  const auto part = [&](size_t i) {
    return std::span(signals[i])
        .subspan(window.begin, window.end - window.begin);
  };
  for (size_t i = 0; i < signals.size(); ++i) {
    for (size_t j = i + 1; j < signals.size(); ++j) {
      triangle.push_back(Correlation(part(i), part(j)));
    }
  }
  return triangle;
}

// The strict upper triangle of FCD, row by row.
std::vector<double> Dynamics(const Signals& signals, size_t size,
                             size_t stride) {
  std::vector<std::vector<double>> windows;
  const size_t n_steps = signals[0].size();
  for (size_t begin = 0; begin + size <= n_steps; begin += stride) {
    windows.push_back(Connectivity(signals, {begin, begin + size}));
  }
  std::vector<double> triangle;
  for (size_t i = 0; i < windows.size(); ++i) {
    for (size_t j = i + 1; j < windows.size(); ++j) {
      triangle.push_back(Correlation(windows[i], windows[j]));
    }
  }
  return triangle;
}

constexpr size_t kMaxWindows = 1000;
constexpr size_t kGridPoints = 100;
constexpr double kGridStep = 1.98 / (kGridPoints - 1);
using Distribution = std::array<double, kGridPoints>;

// F at each point of the grid; not numbers where the values are all one.
Distribution DistributionOf(const std::vector<double>& values) {
  Distribution sums;
  const auto n = static_cast<double>(values.size());
  double mean = 0, square = 0;
  for (const double value : values) mean += value;
  mean /= n;
  for (const double value : values) {
    square = std::fma(value - mean, value - mean, square);
  }
  const double width = std::sqrt(square / (n - 1)) * Exp(Log(n) / -5);
  double total = 0;
  for (size_t g = 0; g < kGridPoints; ++g) {
    const double x = std::fma(static_cast<double>(g), kGridStep, -0.99);
    double density = 0;
    for (const double value : values) {
      const double z = (x - value) / width;
      density += Exp(-0.5 * z * z);
    }
    total += density;
    sums[g] = total;
  }
  for (double& sum : sums) sum /= total;
  return sums;
}

double CorrelationError(const std::vector<double>& simulated,
                        const std::vector<double>& target) {
  return 1 - Correlation(simulated, target);
}

double RmseOfConnectivity(const std::vector<double>& simulated,
                          const std::vector<double>& target) {
  // The whole matrix: both triangles, and a diagonal of ones.
  double sum = 0;
  for (size_t k = 0; k < target.size(); ++k) {
    const double difference = simulated[k] - target[k];
    sum = std::fma(difference, difference, sum);
  }
  const auto n = static_cast<double>(target.size());
  const double regions = (1 + std::sqrt(1 + 8 * n)) / 2;
  return std::sqrt(2 * sum / (regions * regions));
}

double KolmogorovSmirnov(const std::vector<double>& simulated,
                         const std::vector<double>& target) {
  const Distribution f = DistributionOf(simulated);
  const Distribution g = DistributionOf(target);
  double largest = 0;
  for (size_t k = 0; k < kGridPoints; ++k) {
    if (std::isnan(f[k]) || std::isnan(g[k])) return kNaN;
    largest = std::max(largest, std::abs(f[k] - g[k]));
  }
  return largest;
}

double Wasserstein(const std::vector<double>& simulated,
                   const std::vector<double>& target) {
  const Distribution f = DistributionOf(simulated);
  const Distribution g = DistributionOf(target);
  double sum = 0;
  for (size_t k = 0; k < kGridPoints; ++k) sum += std::abs(f[k] - g[k]);
  return sum * kGridStep;
}

// Compares what is made of the signals of a trace.
using Comparison = double (*)(const std::vector<double>& simulated,
                              const std::vector<double>& target);

class ConnectivityMetric final : public WindowedMetric {
 public:
  // `config` has `window` and `step` where dynamics are compared.
  ConnectivityMetric(const MetricConfig& config, Comparison compare)
      : WindowedMetric(config), compare_(compare) {
    const auto size = config.options.find("window");
    if (size == config.options.end()) return;
    window_ = static_cast<size_t>(size->second);
    stride_ = static_cast<size_t>(config.options.at("step"));
  }

  std::unique_ptr<MetricAccumulator> Start(std::span<const double> target,
                                           size_t n_lanes) const override {
    return StartGroup({&target, 1}, n_lanes);
  }
  std::unique_ptr<MetricAccumulator> StartGroup(GroupTargets targets,
                                                size_t n_lanes) const override;
  // Fewer than a correlation needs say nothing.
  size_t CountedGroupSteps(GroupTargets targets) const override {
    size_t n = 0;
    for (size_t k = 0; k < targets[0].size(); ++k) n += Counts(targets, k);
    const size_t least = window_ > 0 ? window_ + 2 * stride_ : 2;
    return n < least ? 0 : n;
  }

  // The dynamics of many windows would take hours.
  absl::Status CheckTarget(std::span<const double> target) const override {
    const size_t n = window_ == 0 || target.size() < window_
                         ? 0
                         : (target.size() - window_) / stride_ + 1;
    if (n <= kMaxWindows) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("there are ", n, " windows of ", window_,
                     " steps; at most ", kMaxWindows, ": give a larger step"));
  }

  bool Counts(GroupTargets targets, size_t step) const {
    return std::all_of(targets.begin(), targets.end(), [&](const auto& target) {
      return window().Weight(target, step) > 0;
    });
  }
  double Compare(const Signals& simulated,
                 const std::vector<double>& target) const {
    return compare_(Summary(simulated), target);
  }
  std::vector<double> Summary(const Signals& signals) const {
    return window_ > 0 ? Dynamics(signals, window_, stride_)
                       : Connectivity(signals, {0, signals[0].size()});
  }

 private:
  const Comparison compare_;
  size_t window_ = 0;  // steps; 0: the whole trace
  size_t stride_ = 0;
};

class ConnectivityAccumulator final : public MetricAccumulator {
 public:
  ConnectivityAccumulator(const ConnectivityMetric& metric,
                          GroupTargets targets, size_t n_lanes)
      : metric_(metric),
        n_outputs_(targets.size()),
        simulated_(n_lanes, Signals(targets.size())),
        counted_(targets[0].size()) {
    Signals target(n_outputs_);
    for (size_t k = 0; k < counted_.size(); ++k) {
      counted_[k] = metric.Counts(targets, k);
      if (!counted_[k]) continue;
      for (size_t o = 0; o < n_outputs_; ++o)
        target[o].push_back(targets[o][k]);
    }
    any_ = metric.CountedGroupSteps(targets) > 0;
    if (any_) target_ = metric.Summary(target);
  }

  void Observe(size_t step, std::span<const double> simulated) override {
    if (!counted_[step]) return;
    const size_t n_lanes = simulated_.size();
    for (size_t o = 0; o < n_outputs_; ++o) {
      for (size_t lane = 0; lane < n_lanes; ++lane) {
        simulated_[lane][o].push_back(simulated[o * n_lanes + lane]);
      }
    }
  }
  void Finish(std::span<double> errors) const override {
    for (size_t lane = 0; lane < errors.size(); ++lane) {
      errors[lane] = any_ ? metric_.Compare(simulated_[lane], target_) : kNaN;
    }
  }

 private:
  const ConnectivityMetric& metric_;
  const size_t n_outputs_;
  std::vector<Signals> simulated_;  // [lane]
  std::vector<bool> counted_;       // [step]
  bool any_ = false;
  std::vector<double> target_;  // its summary
};

std::unique_ptr<MetricAccumulator> ConnectivityMetric::StartGroup(
    GroupTargets targets, size_t n_lanes) const {
  return std::make_unique<ConnectivityAccumulator>(*this, targets, n_lanes);
}

template <Comparison compare>
std::unique_ptr<Metric> Make(const MetricConfig& config) {
  return std::make_unique<ConnectivityMetric>(config, compare);
}

std::vector<OptionSpec> Options(bool dynamics) {
  std::vector<OptionSpec> options = {
      TimeOfStart(),
      {.name = "normalization",
       .summary = "number that the error is divided by",
       .default_value = 1,
       .minimum = std::numeric_limits<double>::min()}};
  if (!dynamics) return options;
  options.push_back({.name = "window",
                     .summary = "steps of a sliding window",
                     .kind = OptionSpec::Kind::kInteger,
                     .default_value = 30,
                     .minimum = 2,
                     .maximum = 1e9});
  options.push_back({.name = "step",
                     .summary = "steps from one window to the next",
                     .kind = OptionSpec::Kind::kInteger,
                     .default_value = 5,
                     .minimum = 1,
                     .maximum = 1e9});
  return options;
}

}  // namespace

extern const MetricEntry kFcCorrelation = {
    "fc_correlation",
    "1 minus the correlation of functional connectivities",
    MetricFamily::kGroup,
    &PlainNumber,
    Options(false),
    &Make<&CorrelationError>,
    3};

extern const MetricEntry kFcRmse = {
    "fc_rmse",
    "root mean square difference of functional connectivities",
    MetricFamily::kGroup,
    &PlainNumber,
    Options(false),
    &Make<&RmseOfConnectivity>,
    2};

extern const MetricEntry kFcdCorrelation = {
    "fcd_correlation",
    "1 minus the correlation of the dynamics of functional connectivity",
    MetricFamily::kGroup,
    &PlainNumber,
    Options(true),
    &Make<&CorrelationError>,
    3};

extern const MetricEntry kFcdKs = {"fcd_ks",
                                   "distance of Kolmogorov and Smirnov between "
                                   "distributions of these dynamics",
                                   MetricFamily::kGroup,
                                   &PlainNumber,
                                   Options(true),
                                   &Make<&KolmogorovSmirnov>,
                                   3};

extern const MetricEntry kFcdWasserstein = {
    "fcd_wasserstein",
    "distance of Wasserstein between distributions of these dynamics",
    MetricFamily::kGroup,
    &PlainNumber,
    Options(true),
    &Make<&Wasserstein>,
    3};

}  // namespace somafit
