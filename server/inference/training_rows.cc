#include "server/inference/training_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "absl/strings/str_cat.h"

#include "server/inference/estimator_parts.h"
#include "server/inference/estimator_streams.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

absl::Status CheckColumn(const char* what, std::span<const double> column,
                         size_t n, bool may_be_negative) {
  if (column.size() != n) {
    return absl::InvalidArgumentError(absl::StrCat(
        "there are ", column.size(), " ", what, " for ", n, " rows"));
  }
  for (size_t i = 0; i < n; ++i) {
    if (!std::isfinite(column[i]) || (!may_be_negative && column[i] < 0)) {
      return absl::InvalidArgumentError(
          absl::StrCat("the ", what, " of row ", i, " is not finite",
                       may_be_negative ? "" : " or below 0"));
    }
  }
  return absl::OkStatus();
}

at::Tensor ToFloats(std::span<const double> values, const at::Device& device) {
  at::Tensor tensor =
      at::empty({static_cast<int64_t>(values.size())}, at::kFloat);
  std::transform(values.begin(), values.end(), tensor.data_ptr<float>(),
                 [](double x) { return static_cast<float>(x); });
  return tensor.to(device);
}

}  // namespace

absl::Status CheckTrainingData(const Model& model, const TrainingData& data,
                               const TrainingLoss& loss) {
  const size_t d = model.spec.n_parameters(), e = model.spec.n_features();
  const size_t n = data.theta.size() / d;
  if (data.theta.size() != n * d || data.x.size() != n * e || n == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "training data are ", data.theta.size(), " parameters and ",
        data.x.size(), " numbers, not rows of ", d, " and ", e));
  }
  for (size_t i = 0; i < data.theta.size(); ++i) {
    if (!std::isfinite(data.theta[i])) {
      return absl::InvalidArgumentError(
          absl::StrCat("parameters of row ", i / d, " are not finite"));
    }
  }
  SOMAFIT_RETURN_IF_ERROR(CheckData(model, data.x));
  if (!data.column_ends.empty() &&
      (data.column_ends.back() != e || data.column_ends.front() == 0 ||
       !std::is_sorted(data.column_ends.begin(), data.column_ends.end(),
                       std::less_equal<>()))) {
    return absl::InvalidArgumentError(
        "parts of x's columns do not end one behind the other, the last with "
        "x");
  }
  if (!data.weights.empty()) {
    SOMAFIT_RETURN_IF_ERROR(CheckColumn("weights", data.weights, n, false));
  }
  if (!data.rounds.empty() && data.rounds.size() != n) {
    return absl::InvalidArgumentError(absl::StrCat(
        "there are ", data.rounds.size(), " rounds for ", n, " rows"));
  }
  if (loss.kind == TrainingLoss::Kind::kAtomic) {
    if (loss.num_atoms < 2) {
      return absl::InvalidArgumentError("num_atoms is below 2");
    }
    SOMAFIT_RETURN_IF_ERROR(
        CheckColumn("prior log-densities", data.log_prior, n, true));
  }
  return absl::OkStatus();
}

std::vector<int64_t> SelectRows(const TrainingOptions& options,
                                const TrainingData& data,
                                const TrainingLoss& loss, size_t n_parameters) {
  const bool mixture = loss.kind == TrainingLoss::Kind::kMixture;
  int32_t first = std::numeric_limits<int32_t>::min();
  if (!data.rounds.empty()) {
    const int32_t last =
        *std::max_element(data.rounds.begin(), data.rounds.end());
    if (options.discard_prior_samples && last > 0) first = 1;
    if (mixture) first = last;
  }
  std::vector<int64_t> rows;
  const size_t n = data.theta.size() / n_parameters;
  for (size_t i = 0; i < n; ++i) {
    if (data.rounds.empty() || data.rounds[i] >= first) {
      rows.push_back(static_cast<int64_t>(i));
    }
  }
  return rows;
}

void Shuffle(std::vector<int64_t>& values, RandomStream& random) {
  for (size_t i = values.size(); i > 1; --i) {
    std::swap(values[i - 1], values[random.Below(i)]);
  }
}

Split SplitRows(std::vector<int64_t> rows, double validation_fraction,
                uint64_t seed) {
  RandomStream random(seed, kEstimatorRows, /*stage=*/0, 0);
  Shuffle(rows, random);
  const auto n_training = static_cast<int64_t>(
      std::floor((1 - validation_fraction) * static_cast<double>(rows.size())));
  return {{rows.begin(), rows.begin() + n_training},
          {rows.begin() + n_training, rows.end()}};
}

absl::StatusOr<TrainingRows> ScaleRows(const Model& model,
                                       const TrainingData& data,
                                       const TrainingLoss& loss,
                                       std::vector<double>& log_determinants) {
  const size_t d = model.spec.n_parameters(), n = data.theta.size() / d;
  TrainingRows rows;
  log_determinants.resize(n);
  std::vector<double> scaled(n * d);
  for (size_t i = 0; i < n; ++i) {
    log_determinants[i] = model.theta_map.Forward(
        data.theta.subspan(i * d, d), std::span(scaled).subspan(i * d, d));
    if (!std::isfinite(log_determinants[i])) {
      return absl::InvalidArgumentError(absl::StrCat(
          "parameters of row ", i, " are outside of their bounds"));
    }
  }
  rows.v = ToFloats(scaled, model.device)
               .view({static_cast<int64_t>(n), static_cast<int64_t>(d)});
  rows.x = ScaledData(model, data.x);
  if (!data.weights.empty())
    rows.weights = ToFloats(data.weights, model.device);
  if (loss.kind != TrainingLoss::Kind::kAtomic) return rows;
  std::vector<double> offset(n), from_prior(n, 1);
  for (size_t i = 0; i < n; ++i) {
    offset[i] = log_determinants[i] - data.log_prior[i];
    if (!data.rounds.empty() && data.rounds[i] != 0) from_prior[i] = 0;
  }
  const double mean = std::accumulate(offset.begin(), offset.end(), 0.0) /
                      static_cast<double>(n);
  for (double& value : offset) value -= mean;
  rows.log_offset = ToFloats(offset, model.device);
  rows.from_prior = ToFloats(from_prior, model.device);
  return rows;
}

}  // namespace somafit
