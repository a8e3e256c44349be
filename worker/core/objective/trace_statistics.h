#pragma once

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace somafit {

// Numbers made of the values added, in their order: what features of a trace
// are, and what errors of features compare. `Value` is not a number where one
// of the values is not (`Last`: where the last is not), or where there are
// none.
//
// Written once for a Real of one lane, double, and of four: the same bits, as
// all of + - * / are rounded alike.

typedef double FourLanes __attribute__((vector_size(32)));
inline constexpr size_t kFour = 4;
inline double LaneOf(double x, size_t /*lane*/) { return x; }
inline double LaneOf(const FourLanes& x, size_t lane) { return x[lane]; }

template <typename Real>
struct Largest {
  Real value = Real() - std::numeric_limits<double>::infinity();
  bool any = false;
  void Add(const Real& x) {
    value = ((x > value) | (x != x)) ? x : value;
    any = true;
  }
  double Value(size_t lane = 0) const {
    return any ? LaneOf(value, lane) : std::numeric_limits<double>::quiet_NaN();
  }
};

template <typename Real>
struct Smallest {
  Largest<Real> negated;
  void Add(const Real& x) { negated.Add(-x); }
  double Value(size_t lane = 0) const { return -negated.Value(lane); }
};

template <typename Real>
struct Last {
  Real value = Real() + std::numeric_limits<double>::quiet_NaN();
  void Add(const Real& x) { value = x; }
  double Value(size_t lane = 0) const { return LaneOf(value, lane); }
};

template <typename Real>
struct RootMeanSquare {
  double n = 0;
  Real squares = Real();
  void Add(const Real& x) {
    n += 1;
    squares += x * x;
  }
  double Value(size_t lane = 0) const {
    return std::sqrt(LaneOf(squares, lane) / n);
  }
};

// Central moments: T. Terriberry, Computing higher-order moments online, 2007.

template <typename Real>
struct Mean {
  double n = 0;
  Real mean = Real();
  void Add(const Real& x) {
    n += 1;
    mean += (x - mean) / n;
  }
  double Value(size_t lane = 0) const {
    return n > 0 ? LaneOf(mean, lane)
                 : std::numeric_limits<double>::quiet_NaN();
  }
};

// Of the population.
template <typename Real>
struct StandardDeviation {
  double n = 0;
  Real mean = Real(), m2 = Real();
  void Add(const Real& x) {
    const double before = n;
    n += 1;
    const Real delta = x - mean, share = delta / n;
    mean += share;
    m2 += delta * share * before;
  }
  double Value(size_t lane = 0) const {
    return std::sqrt(LaneOf(m2, lane) / n);
  }
};

// m4 / m2^2 - 3, 0 where nothing changes; as Pearson has it, without the - 3,
// and then 3 there.
template <typename Real>
struct Kurtosis {
  bool pearson = false;
  double n = 0;
  Real mean = Real(), m2 = Real(), m3 = Real(), m4 = Real();
  void Add(const Real& x) {
    const double before = n;
    n += 1;
    const Real delta = x - mean, share = delta / n;
    const Real term = delta * share * before;
    mean += share;
    m4 += term * share * share * (n * n - 3 * n + 3) + 6 * share * share * m2 -
          4 * share * m3;
    m3 += term * share * (n - 2) - 3 * share * m2;
    m2 += term;
  }
  double Value(size_t lane = 0) const {
    const double of_lane = LaneOf(m2, lane);
    if (of_lane == 0 && n > 0) return pearson ? 3 : 0;
    const double ratio = n * LaneOf(m4, lane) / (of_lane * of_lane);
    return pearson ? ratio : ratio - 3;
  }
};

// The q-quantile, between neighbours by linear interpolation; of q = 0.5 the
// median. Reorders `values`.
double QuantileOf(std::vector<double>& values, double q);

// Of what needs all values at its end: how many of a trace at most.
inline constexpr size_t kMostKept = 1'000'000;

}  // namespace somafit
