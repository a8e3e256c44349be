#include "server/inference/scaling.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"

#include "worker/core/base/check.h"
#include "worker/core/base/number.h"

namespace somafit {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// A spread below this share of the mean is rounding, not variation.
constexpr double kRelativeFloor = 1e-13;

struct Moments {
  double mean = 0, deviation = 0;
};

// Of the numbers that `at(i)` gives for i < n, NaN left out; two passes. The
// deviation divides by n - 1.
template <typename At>
Moments MomentsOf(size_t n, const At& at) {
  double sum = 0;
  size_t count = 0;
  for (size_t i = 0; i < n; ++i) {
    if (const double value = at(i); !std::isnan(value)) {
      sum += value;
      ++count;
    }
  }
  if (count == 0) return {};
  const double mean = sum / static_cast<double>(count);
  double squares = 0;
  for (size_t i = 0; i < n; ++i) {
    if (const double value = at(i); !std::isnan(value)) {
      squares += (value - mean) * (value - mean);
    }
  }
  return {mean,
          count < 2 ? 0 : std::sqrt(squares / static_cast<double>(count - 1))};
}

bool Varies(const Moments& moments) {
  return moments.deviation > kRelativeFloor * std::abs(moments.mean);
}

// One pair for all columns: the mean of all, the mean of rows' deviations.
// `at(row, column)` gives the numbers.
template <typename At>
Moments StructuredMoments(size_t n_rows, size_t n_columns, const At& at) {
  Moments all = MomentsOf(n_rows * n_columns, [&](size_t i) {
    return at(i / n_columns, i % n_columns);
  });
  double sum = 0;
  for (size_t row = 0; row < n_rows; ++row) {
    sum += MomentsOf(n_columns, [&](size_t c) { return at(row, c); }).deviation;
  }
  if (n_columns > 1) all.deviation = sum / static_cast<double>(n_rows);
  return all;
}

double Logistic(double u) {
  return u >= 0 ? 1 / (1 + std::exp(-u)) : std::exp(u) / (1 + std::exp(u));
}

}  // namespace

ThetaMap::ThetaMap(ThetaSpace space, std::vector<Support> support,
                   std::vector<double> shift, std::vector<double> scale)
    : space_(space),
      support_(std::move(support)),
      shift_(std::move(shift)),
      scale_(std::move(scale)) {
  SOMAFIT_CHECK(support_.size() == shift_.size());
  SOMAFIT_CHECK(support_.size() == scale_.size());
}

ThetaMap::Kind ThetaMap::KindOf(size_t column) const {
  if (space_ == ThetaSpace::kBounded) return Kind::kLine;
  const bool below = std::isfinite(support_[column].lower);
  const bool above = std::isfinite(support_[column].upper);
  if (below && above) return Kind::kInterval;
  if (below) return Kind::kAbove;
  return above ? Kind::kBelow : Kind::kLine;
}

absl::StatusOr<ThetaMap> ThetaMap::Fit(const EstimatorSpec& spec,
                                       std::span<const double> theta,
                                       std::span<const int64_t> rows) {
  const size_t d = spec.n_parameters(), n = rows.size();
  ThetaMap map(spec.theta_space, spec.support, std::vector<double>(d, 0),
               std::vector<double>(d, 1));
  std::vector<double> mapped(n * d);
  for (size_t i = 0; i < n; ++i) {
    const auto row = theta.subspan(static_cast<size_t>(rows[i]) * d, d);
    if (map.Forward(row, std::span(mapped).subspan(i * d, d)) == -kInfinity) {
      return absl::InvalidArgumentError(
          absl::StrCat("parameters of row ", rows[i],
                       " are not finite, or outside of their bounds"));
    }
  }
  const bool structured = spec.z_score_theta == ZScore::kStructured;
  Moments all;
  if (structured) {
    all = StructuredMoments(
        n, d, [&](size_t row, size_t c) { return mapped[row * d + c]; });
  }
  for (size_t c = 0; c < d; ++c) {
    const Moments own =
        MomentsOf(n, [&](size_t i) { return mapped[i * d + c]; });
    if (!Varies(own)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "parameter ", c, " is ",
          ShortestText(theta[static_cast<size_t>(rows[0]) * d + c]),
          " in all training rows: nothing can be learned of it"));
    }
    if (spec.z_score_theta == ZScore::kNone) continue;
    map.shift_[c] = structured ? all.mean : own.mean;
    map.scale_[c] =
        structured && all.deviation > 0 ? all.deviation : own.deviation;
  }
  return map;
}

double ThetaMap::Forward(std::span<const double> theta,
                         std::span<double> v) const {
  double log_determinant = 0;
  for (size_t c = 0; c < size(); ++c) {
    const auto& [lower, upper] = support_[c];
    double u = theta[c];
    switch (KindOf(c)) {
      case Kind::kLine:
        break;
      case Kind::kAbove:
        u = std::log(theta[c] - lower);
        log_determinant -= u;
        break;
      case Kind::kBelow:
        u = -std::log(upper - theta[c]);
        log_determinant += u;
        break;
      case Kind::kInterval: {
        // Bounds are half-open: the lower one itself counts as just inside.
        if (!(theta[c] >= lower && theta[c] < upper)) {
          u = kInfinity;
          break;
        }
        const double below =
            std::max(theta[c] - lower, 1e-16 * (upper - lower));
        u = std::log(below) - std::log(upper - theta[c]);
        log_determinant += std::log(upper - lower) - std::log(below) -
                           std::log(upper - theta[c]);
        break;
      }
    }
    v[c] = (u - shift_[c]) / scale_[c];
    log_determinant -= std::log(scale_[c]);
    if (!std::isfinite(v[c]) || std::abs(v[c]) > 1e30) {
      std::fill(v.begin(), v.end(), 0);
      return -kInfinity;
    }
  }
  return log_determinant;
}

double ThetaMap::Backward(std::span<const double> v,
                          std::span<double> theta) const {
  double log_determinant = 0;
  for (size_t c = 0; c < size(); ++c) {
    const auto& [lower, upper] = support_[c];
    const double u = v[c] * scale_[c] + shift_[c];
    log_determinant -= std::log(scale_[c]);
    switch (KindOf(c)) {
      case Kind::kLine:
        theta[c] = u;
        break;
      case Kind::kAbove:
        theta[c] = lower + std::exp(u);
        log_determinant -= u;
        break;
      case Kind::kBelow:
        theta[c] = upper - std::exp(-u);
        log_determinant += u;
        break;
      case Kind::kInterval: {
        const double width = upper - lower;
        // From the nearer bound, so that neither end loses digits.
        theta[c] =
            u < 0 ? lower + width * Logistic(u) : upper - width * Logistic(-u);
        theta[c] = std::clamp(theta[c], lower, std::nextafter(upper, lower));
        log_determinant -=
            std::log(width) + std::log(Logistic(u)) + std::log(Logistic(-u));
        break;
      }
    }
  }
  return log_determinant;
}

void ThetaMap::Slopes(std::span<const double> theta, std::span<double> slope,
                      std::span<double> log_slope_gradient) const {
  for (size_t c = 0; c < size(); ++c) {
    const double below = theta[c] - support_[c].lower;
    const double above = support_[c].upper - theta[c];
    double du = 1, gradient = 0;
    switch (KindOf(c)) {
      case Kind::kLine:
        break;
      case Kind::kAbove:
        du = 1 / below;
        gradient = -1 / below;
        break;
      case Kind::kBelow:
        du = 1 / above;
        gradient = 1 / above;
        break;
      case Kind::kInterval:
        du = 1 / below + 1 / above;
        gradient = 1 / above - 1 / below;
        break;
    }
    slope[c] = du / scale_[c];
    log_slope_gradient[c] = gradient;
  }
}

DataMap DataMap::Fit(ZScore z_score, const DataRows& x, size_t n_features,
                     size_t period, std::span<const int64_t> rows,
                     std::span<const size_t> column_ends) {
  DataMap map{std::vector<double>(n_features, 0),
              std::vector<double>(n_features, 1)};
  const size_t n = rows.size();
  const auto at = [&](size_t row, size_t c) {
    return x[static_cast<size_t>(rows[row]) * n_features + c];
  };
  if (z_score == ZScore::kStructured) {
    const size_t one_part[] = {n_features};
    if (column_ends.empty()) column_ends = one_part;
    size_t first = 0;
    for (const size_t end : column_ends) {
      const Moments all = StructuredMoments(
          n, end - first,
          [&](size_t row, size_t c) { return at(row, first + c); });
      std::fill(&map.shift[first], map.shift.data() + end, all.mean);
      if (Varies(all)) {
        std::fill(&map.scale[first], map.scale.data() + end, all.deviation);
      }
      first = end;
    }
  } else if (z_score == ZScore::kIndependent) {
    const size_t n_distinct = period > 0 ? period : n_features;
    const size_t repeats = n_features / n_distinct;
    for (size_t c = 0; c < n_distinct; ++c) {
      const Moments own = MomentsOf(n * repeats, [&](size_t i) {
        return at(i / repeats, i % repeats * n_distinct + c);
      });
      for (size_t other = c; other < n_features; other += n_distinct) {
        map.shift[other] = own.mean;
        if (Varies(own)) map.scale[other] = own.deviation;
      }
    }
  }
  return map;
}

void DataMap::Forward(const DataRows& x, std::span<float> scaled) const {
  for (size_t c = 0; c < shift.size(); ++c) {
    scaled[c] = static_cast<float>((x[c] - shift[c]) / scale[c]);
  }
}

}  // namespace somafit
