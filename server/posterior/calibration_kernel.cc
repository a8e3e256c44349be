#include "server/posterior/calibration_kernel.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "worker/core/base/check.h"
#include "worker/core/base/elementary.h"
#include "worker/core/base/number.h"

namespace somafit {
namespace {

using Kind = CalibrationKernel::Kind;

// A tenth of these validate, so that even they tell something.
constexpr double kLeastEffective = 30;
constexpr double kFewEffective = 0.1;

// Of column k over finite rows; 0 where it is constant.
double StandardDeviation(std::span<const double> x, size_t e, size_t k) {
  double mean = 0, squares = 0, n = 0;
  for (size_t i = k; i < x.size(); i += e) {
    if (!std::isfinite(x[i])) continue;
    ++n;
    const double off = x[i] - mean;
    mean += off / n;
    squares += off * (x[i] - mean);
  }
  return n > 0 ? std::sqrt(squares / n) : 0;
}

double ValueOf(Kind kind, std::span<const double> z) {
  double square = 0, farthest = 0;
  for (const double one : z) {
    if (!std::isfinite(one)) return 0;
    square += one * one;
    farthest = std::max(farthest, std::fabs(one));
  }
  if (kind == Kind::kGaussian) return Exp(-0.5 * square);
  return farthest <= 1 ? 1 : 0;
}

}  // namespace

absl::StatusOr<CalibrationKernel> MakeCalibrationKernel(std::string_view name,
                                                        double bandwidth) {
  CalibrationKernel kernel{Kind::kNone, bandwidth};
  if (name.empty()) {
    if (bandwidth == 0) return kernel;
    return absl::InvalidArgumentError(absl::StrCat(
        "calibration_bandwidth is ", ShortestText(bandwidth),
        ", but there is no calibration_kernel: give \"gaussian\" or \"box\", "
        "or leave both out"));
  }
  if (name == "gaussian") {
    kernel.kind = Kind::kGaussian;
  } else if (name == "box") {
    kernel.kind = Kind::kBox;
  } else {
    return absl::InvalidArgumentError(
        absl::StrCat("there is no calibration_kernel \"",
                     absl::CHexEscape(std::string(name.substr(0, 80))),
                     "\": give \"gaussian\" or \"box\", or leave it out"));
  }
  if (!(bandwidth > 0 && std::isfinite(bandwidth))) {
    return absl::InvalidArgumentError(absl::StrCat(
        "calibration_bandwidth is ", ShortestText(bandwidth),
        ", but must be above 0 and finite: how many standard deviations of "
        "each feature the kernel reaches"));
  }
  return kernel;
}

absl::StatusOr<CalibratedWeights> Calibrate(const CalibrationKernel& kernel,
                                            std::span<const double> x,
                                            std::span<const double> observation,
                                            std::span<const double> weights) {
  const size_t e = observation.size(), n = x.size() / e;
  SOMAFIT_CHECK(x.size() == n * e && (weights.empty() || weights.size() == n));
  CalibratedWeights result;
  result.weight.assign(n, 1);
  std::copy(weights.begin(), weights.end(), result.weight.begin());
  std::vector<double> scale(e), z(e);
  for (size_t k = 0; k < e; ++k) {
    scale[k] = kernel.bandwidth * StandardDeviation(x, e, k);
  }
  double sum = 0, squares = 0;
  for (size_t i = 0; i < n; ++i) {
    for (size_t k = 0; k < e; ++k) {
      const double off = x[i * e + k] - observation[k];
      z[k] = scale[k] > 0 || !std::isfinite(off) ? off / scale[k] : 0;
    }
    if (kernel.kind != Kind::kNone) {
      result.weight[i] *= ValueOf(kernel.kind, z);
    }
    sum += result.weight[i];
    squares += result.weight[i] * result.weight[i];
  }
  result.effective_samples = sum > 0 ? sum * sum / squares : 0;
  const auto count = static_cast<double>(n);
  if (result.effective_samples < kLeastEffective) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the calibration kernel with a bandwidth of ",
        ShortestText(kernel.bandwidth), " leaves ",
        RoundedText(result.effective_samples, 3), " effective simulations of ",
        n, ", and ", ShortestText(kLeastEffective),
        " are the least: widen calibration_bandwidth, simulate more, or leave "
        "the kernel out"));
  }
  for (double& one : result.weight) {
    one *= count / sum;
    result.largest = std::max(result.largest, one);
  }
  if (result.effective_samples < kFewEffective * count) {
    result.messages.push_back(absl::StrCat(
        "the calibration kernel leaves ",
        RoundedText(result.effective_samples, 3), " effective simulations of ",
        n, ": a wider calibration_bandwidth would use more of them"));
  }
  return result;
}

}  // namespace somafit
