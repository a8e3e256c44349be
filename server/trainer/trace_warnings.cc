#include "server/trainer/trace_warnings.h"

#include <algorithm>
#include <functional>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "worker/core/base/number.h"
#include "worker/core/lang/source.h"

namespace somafit {
namespace {

// Of each column.
struct Ranges {
  std::vector<float> low, high;
};

Ranges RangesOf(std::span<const float> x, size_t e) {
  Ranges ranges{{x.begin(), x.begin() + static_cast<ptrdiff_t>(e)},
                {x.begin(), x.begin() + static_cast<ptrdiff_t>(e)}};
  for (size_t row = e; row < x.size(); row += e) {
    for (size_t c = 0; c < e; ++c) {
      ranges.low[c] = std::min(ranges.low[c], x[row + c]);
      ranges.high[c] = std::max(ranges.high[c], x[row + c]);
    }
  }
  return ranges;
}

// Rows that equal one before them, by their hashes: only shown.
size_t Duplicates(std::span<const float> x, size_t e) {
  std::vector<size_t> hashes;
  for (size_t row = 0; row < x.size(); row += e) {
    hashes.push_back(std::hash<std::string_view>()(
        {reinterpret_cast<const char*>(&x[row]), e * sizeof(float)}));
  }
  std::sort(hashes.begin(), hashes.end());
  const auto distinct = std::unique(hashes.begin(), hashes.end());
  return static_cast<size_t>(hashes.end() - distinct);
}

// Recordings have noise, and a model that has none takes one way at first: so a
// little beside what was simulated is near enough.
constexpr double kBesideShare = 0.1;

void CompareWithObservation(const XColumns& columns, const Ranges& ranges,
                            size_t n, std::span<const double> observation,
                            std::vector<std::string>& warnings) {
  constexpr size_t kMostNamed = 5;
  std::vector<std::string> beyond;
  size_t n_beyond = 0, first = 0;
  for (const size_t end : columns.OutputEnds()) {
    const double low =
        *std::min_element(ranges.low.data() + first, ranges.low.data() + end);
    const double high =
        *std::max_element(ranges.high.data() + first, ranges.high.data() + end);
    const double beside = kBesideShare * (high - low);
    for (size_t c = first; c < end; ++c) {
      const double own = observation[c];
      if (own >= ranges.low[c] - beside && own <= ranges.high[c] + beside) {
        continue;
      }
      if (++n_beyond > kMostNamed) continue;
      beyond.push_back(
          absl::StrCat(Quoted(columns.NameOf(c)), " = ", RoundedText(own, 4),
                       " (simulated: ", RoundedText(ranges.low[c], 4), " to ",
                       RoundedText(ranges.high[c], 4), ")"));
    }
    first = end;
  }
  if (n_beyond == 0) return;
  warnings.push_back(absl::StrCat(
      n_beyond, " of ", columns.size(),
      " steps of the observation lie outside of what ", n,
      " simulations gave, by more than a tenth of their range: ",
      absl::StrJoin(beyond, ", "), n_beyond > kMostNamed ? ", ..." : "",
      "; the posterior there is a guess: compare units, widen the prior, or "
      "choose another window"));
}

}  // namespace

std::vector<std::string> TraceWarnings(const XColumns& columns,
                                       std::span<const float> x,
                                       std::span<const double> observation) {
  const size_t e = columns.size(), n = x.size() / e;
  std::vector<std::string> warnings;
  if (n < 2) return warnings;
  const Ranges ranges = RangesOf(x, e);
  if (ranges.low == ranges.high) {
    warnings.push_back(absl::StrCat(
        "all ", n,
        " simulations have the same traces: nothing can be learned from them; "
        "look at one simulation, and at the units of the prior"));
  } else if (const size_t duplicates = Duplicates(x, e); duplicates * 10 > n) {
    warnings.push_back(absl::StrCat(
        duplicates, " of ", n,
        " simulations have the traces of another one: they tell little about "
        "the parameters there"));
  }
  CompareWithObservation(columns, ranges, n, observation, warnings);
  return warnings;
}

}  // namespace somafit
