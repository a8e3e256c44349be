#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace somafit {

// Numbers made of the values added, in their order: what features of a trace
// are, and what errors of features compare. `Value` is not a number where one
// of the values is not (`Last`: where the last is not), or where there are
// none. Those with kKeepsSteps keep every value.

struct Largest {
  static constexpr bool kKeepsSteps = false;
  double value = std::numeric_limits<double>::quiet_NaN();
  bool any = false;
  void Add(double x) {
    value = !any || x > value || std::isnan(x) ? x : value;
    any = true;
  }
  double Value() const { return value; }
};

struct Smallest {
  static constexpr bool kKeepsSteps = false;
  Largest negated;
  void Add(double x) { negated.Add(-x); }
  double Value() const { return -negated.Value(); }
};

struct Last {
  static constexpr bool kKeepsSteps = false;
  double value = std::numeric_limits<double>::quiet_NaN();
  void Add(double x) { value = x; }
  double Value() const { return value; }
};

// T. Terriberry, Computing higher-order moments online, 2007.
struct Moments {
  static constexpr bool kKeepsSteps = false;
  double n = 0, mean = 0, m2 = 0, m3 = 0, m4 = 0;
  void Add(double x) {
    const double before = n;
    n += 1;
    const double delta = x - mean, share = delta / n;
    const double term = delta * share * before;
    mean += share;
    m4 += term * share * share * (n * n - 3 * n + 3) + 6 * share * share * m2 -
          4 * share * m3;
    m3 += term * share * (n - 2) - 3 * share * m2;
    m2 += term;
  }
};

struct Mean : Moments {
  double Value() const {
    return n > 0 ? mean : std::numeric_limits<double>::quiet_NaN();
  }
};

// Of the population.
struct StandardDeviation : Moments {
  double Value() const { return std::sqrt(m2 / n); }
};

// m4 / m2^2 - 3, 0 where nothing changes; as Pearson has it, without the - 3,
// and then 3 there.
struct Kurtosis : Moments {
  bool pearson = false;
  double Value() const {
    if (m2 == 0 && n > 0) return pearson ? 3 : 0;
    return n * m4 / (m2 * m2) - (pearson ? 0 : 3);
  }
};

struct RootMeanSquare {
  static constexpr bool kKeepsSteps = false;
  double n = 0, squares = 0;
  void Add(double x) {
    n += 1;
    squares = std::fma(x, x, squares);
  }
  double Value() const { return std::sqrt(squares / n); }
};

// The q-quantile, between neighbours by linear interpolation; of q = 0.5 the
// median.
struct Quantile {
  static constexpr bool kKeepsSteps = true;
  double q = 0.5;
  std::vector<double> values = {};
  void Add(double x) { values.push_back(x); }
  double Value() const {
    if (values.empty() || std::any_of(values.begin(), values.end(),
                                      [](double x) { return std::isnan(x); })) {
      return std::numeric_limits<double>::quiet_NaN();
    }
    std::vector<double> sorted = values;
    const double place = q * static_cast<double>(sorted.size() - 1);
    const auto low = static_cast<size_t>(place);
    const auto at = sorted.begin() + static_cast<std::ptrdiff_t>(low);
    std::nth_element(sorted.begin(), at, sorted.end());
    if (low + 1 == sorted.size()) return *at;
    const double next = *std::min_element(at + 1, sorted.end());
    return std::fma(place - static_cast<double>(low), next - *at, *at);
  }
};

// Of those that keep every value: how many of a trace at most.
inline constexpr size_t kMostKept = 1'000'000;

}  // namespace somafit
