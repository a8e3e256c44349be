#include "server/posterior/unconstrained.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "worker/core/base/check.h"
#include "worker/core/base/elementary.h"

namespace somafit {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

}  // namespace

UnconstrainedMap::UnconstrainedMap(const Prior& prior) {
  const std::vector<double> mean = prior.mean();
  const std::vector<double> sd = prior.standard_deviation();
  for (size_t i = 0; i < prior.size(); ++i) {
    const auto [lower, upper] = prior.support()[i];
    Axis axis{Axis::Kind::kUnbounded,
              lower,
              upper,
              std::nextafter(lower, kInf),
              std::nextafter(upper, -kInf),
              mean[i],
              sd[i]};
    if (lower > -kInf && upper < kInf) {
      axis.kind = Axis::Kind::kInterval;
      axis.scale = upper - lower;
    } else if (lower > -kInf) {
      axis.kind = Axis::Kind::kAbove;
    } else if (upper < kInf) {
      axis.kind = Axis::Kind::kBelow;
    }
    SOMAFIT_CHECK(axis.scale > 0 && std::isfinite(axis.scale));
    axes_.push_back(axis);
  }
}

void UnconstrainedMap::ToUnconstrained(std::span<const double> theta,
                                       std::span<double> u) const {
  SOMAFIT_CHECK(theta.size() == size() && u.size() == size());
  for (size_t i = 0; i < size(); ++i) {
    const Axis& axis = axes_[i];
    const double x = std::clamp(theta[i], axis.least, axis.greatest);
    switch (axis.kind) {
      case Axis::Kind::kInterval:
        u[i] = Log(x - axis.lower) - Log(axis.upper - x);
        break;
      case Axis::Kind::kAbove:
        u[i] = Log(x - axis.lower) - Log(axis.scale);
        break;
      case Axis::Kind::kBelow:
        u[i] = Log(axis.scale) - Log(axis.upper - x);
        break;
      case Axis::Kind::kUnbounded:
        u[i] = (x - axis.mean) / axis.scale;
        break;
    }
  }
}

void UnconstrainedMap::FromUnconstrained(std::span<const double> u,
                                         std::span<double> theta) const {
  SOMAFIT_CHECK(theta.size() == size() && u.size() == size());
  for (size_t i = 0; i < size(); ++i) {
    const Axis& axis = axes_[i];
    double x = 0;
    switch (axis.kind) {
      case Axis::Kind::kInterval: {
        // The share of the width from the nearer bound, which keeps its digits.
        const double small = Exp(-std::fabs(u[i]));
        const double offset = axis.scale * (small / (1 + small));
        x = u[i] < 0 ? axis.lower + offset : axis.upper - offset;
        break;
      }
      case Axis::Kind::kAbove:
        x = axis.lower + axis.scale * Exp(u[i]);
        break;
      case Axis::Kind::kBelow:
        x = axis.upper - axis.scale * Exp(-u[i]);
        break;
      case Axis::Kind::kUnbounded:
        x = axis.mean + axis.scale * u[i];
        break;
    }
    theta[i] = std::clamp(x, axis.least, axis.greatest);
  }
}

double UnconstrainedMap::LogSlope(const Axis& axis, double u) {
  switch (axis.kind) {
    case Axis::Kind::kInterval: {
      const double size = std::fabs(u);
      return Log(axis.scale) - size - 2 * Log1p(Exp(-size));
    }
    case Axis::Kind::kAbove:
      return Log(axis.scale) + u;
    case Axis::Kind::kBelow:
      return Log(axis.scale) - u;
    case Axis::Kind::kUnbounded:
      break;
  }
  return Log(axis.scale);
}

double UnconstrainedMap::LogJacobian(std::span<const double> u) const {
  SOMAFIT_CHECK(u.size() == size());
  double sum = 0;
  for (size_t i = 0; i < size(); ++i) sum += LogSlope(axes_[i], u[i]);
  return sum;
}

void UnconstrainedMap::Derivative(std::span<const double> u,
                                  std::span<double> result) const {
  SOMAFIT_CHECK(u.size() == size() && result.size() == size());
  for (size_t i = 0; i < size(); ++i) result[i] = Exp(LogSlope(axes_[i], u[i]));
}

}  // namespace somafit
