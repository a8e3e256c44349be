#include "server/posterior/round_rules.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "worker/core/base/check.h"
#include "worker/core/base/number.h"

namespace somafit {
namespace {

constexpr double kOutlierRanges = 10;

bool IsLikelihood(Algorithm algorithm) {
  return algorithm == Algorithm::kNle || algorithm == Algorithm::kNre;
}

std::string NameOf(size_t column, std::span<const std::string> names) {
  return column < names.size() ? absl::StrCat("\"", names[column], "\"")
                               : absl::StrCat(column);
}

std::vector<double> SortedColumn(std::span<const double> x, size_t e,
                                 size_t column) {
  std::vector<double> values;
  for (size_t i = column; i < x.size(); i += e) values.push_back(x[i]);
  std::sort(values.begin(), values.end());
  return values;
}

// Rows that equal one before them.
int64_t Duplicates(std::span<const double> x, size_t e) {
  std::vector<std::span<const double>> rows;
  for (size_t i = 0; i < x.size(); i += e) rows.push_back(x.subspan(i, e));
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end());
  });
  int64_t duplicates = 0;
  for (size_t i = 1; i < rows.size(); ++i) {
    duplicates +=
        std::equal(rows[i].begin(), rows[i].end(), rows[i - 1].begin());
  }
  return duplicates;
}

}  // namespace

int RoundOf(ProposalKind proposal, std::optional<int> latest) {
  if (proposal != ProposalKind::kPosterior) return 0;
  return latest.value_or(0) + 1;
}

absl::StatusOr<ValidRows> SelectValidRows(std::span<const double> x, size_t e,
                                          InvalidRows invalid,
                                          Algorithm algorithm, int round) {
  SOMAFIT_CHECK(e > 0 && x.size() % e == 0);
  std::vector<RowState> states;
  for (size_t i = 0; i < x.size(); i += e) {
    const auto row = x.subspan(i, e);
    if (std::any_of(row.begin(), row.end(),
                    [](double v) { return std::isnan(v); })) {
      states.push_back(RowState::kNan);
    } else if (std::any_of(row.begin(), row.end(),
                           [](double v) { return std::isinf(v); })) {
      states.push_back(RowState::kInfinite);
    } else {
      states.push_back(RowState::kValid);
    }
  }
  return SelectValidRows(states, invalid, algorithm, round);
}

absl::StatusOr<ValidRows> SelectValidRows(std::span<const RowState> rows,
                                          InvalidRows invalid,
                                          Algorithm algorithm, int round) {
  ValidRows result;
  const auto n = std::ssize(rows);
  for (int64_t i = 0; i < n; ++i) {
    const RowState state = rows[static_cast<size_t>(i)];
    result.n_nan += state == RowState::kNan ? 1 : 0;
    result.n_infinite += state == RowState::kInfinite ? 1 : 0;
    if (state == RowState::kValid) result.rows.push_back(i);
  }
  const int64_t n_invalid = result.n_nan + result.n_infinite;
  const std::string counts =
      absl::StrCat(n_invalid, " of ", n, " simulations of round ", round,
                   " have invalid features (", result.n_nan, " nan, ",
                   result.n_infinite, " infinite)");
  const bool exclude = invalid == InvalidRows::kExclude ||
                       (invalid == InvalidRows::kDefault && round == 0 &&
                        !IsLikelihood(algorithm));
  if (n_invalid > 0 && !exclude) {
    return absl::InvalidArgumentError(absl::StrCat(
        counts,
        ": leaving them out here would change what is learned; say that they "
        "are to be excluded if validity hardly depends on the parameters, or "
        "choose features that every simulation has"));
  }
  if (n_invalid > 0) {
    std::string consequence;
    if (IsLikelihood(algorithm)) {
      consequence =
          ": the likelihood is wrong unless validity does not depend on the "
          "parameters";
    } else if (round > 0) {
      consequence =
          ": the posterior is biased towards parameters that are valid more "
          "often; a truncated proposal would not be";
    }
    result.messages.push_back(
        absl::StrCat(counts, " and are left out", consequence));
  }
  if (static_cast<int64_t>(result.rows.size()) < kLeastSimulations) {
    return absl::InvalidArgumentError(absl::StrCat(
        "only ", result.rows.size(), " of ", n, " simulations of round ", round,
        " can be trained on, and ", kLeastSimulations,
        " are the least: simulate more",
        n_invalid > 0 ? ", or choose features that more simulations have"
                      : ""));
  }
  return result;
}

namespace {

// Some of the names, and how many more there are.
std::string FirstOf(const std::vector<std::string>& names) {
  constexpr size_t kMostNames = 12;
  if (names.size() <= kMostNames) return absl::StrJoin(names, ", ");
  return absl::StrCat(
      absl::StrJoin(names.begin(), names.begin() + kMostNames, ", "), " and ",
      names.size() - kMostNames, " more");
}

}  // namespace

std::vector<std::string> FeatureWarnings(std::span<const double> x, size_t e,
                                         std::span<const std::string> names) {
  SOMAFIT_CHECK(e > 0 && x.size() % e == 0);
  const size_t n = x.size() / e;
  if (n < 2) return {};
  std::vector<std::string> warnings, constant, outlying;
  for (size_t column = 0; column < e; ++column) {
    const std::vector<double> sorted = SortedColumn(x, e, column);
    if (sorted.front() == sorted.back()) {
      constant.push_back(NameOf(column, names));
      continue;
    }
    const double low = sorted[(n - 1) / 4], high = sorted[3 * (n - 1) / 4];
    const double reach = kOutlierRanges * (high - low);
    int64_t outliers = 0;
    for (const double value : sorted) {
      outliers += value < low - reach || value > high + reach;
    }
    // A column of which most values are equal has no such range.
    if (outliers > 0 && high > low) {
      outlying.push_back(
          absl::StrCat(NameOf(column, names), " (", outliers, ")"));
    }
  }
  if (constant.size() == e) {
    warnings.push_back(absl::StrCat(
        "all ", n,
        " simulations have the same features: nothing can be learned "
        "from them; look at one simulation, and at the units of the prior"));
    return warnings;
  }
  if (!constant.empty()) {
    warnings.push_back(absl::StrCat(
        "the features ", FirstOf(constant),
        " are the same in all simulations: they tell nothing; leave them out"));
  }
  if (!outlying.empty()) {
    warnings.push_back(absl::StrCat(
        "the features ", FirstOf(outlying),
        " have values (so many) more than 10 interquartile ranges off, which "
        "squeeze all others together: take logarithms, clip them, or leave "
        "such simulations out"));
  }
  if (const int64_t duplicates = Duplicates(x, e);
      duplicates * 10 > static_cast<int64_t>(n)) {
    warnings.push_back(
        absl::StrCat(duplicates, " of ", n,
                     " simulations have the features of another one: "
                     "the features tell little about the parameters there"));
  }
  return warnings;
}

RoundRange RoundsToTrainOn(Algorithm algorithm, int round,
                           bool discard_prior_samples) {
  if (algorithm == Algorithm::kNpeA || algorithm == Algorithm::kNpeCMixture) {
    return {round, round};
  }
  return {discard_prior_samples && round > 0 ? 1 : 0, round};
}

absl::Status CheckTrainingSize(int64_t n, double validation_fraction) {
  if (!(validation_fraction > 0 && validation_fraction < 1)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "validation_fraction is ", ShortestText(validation_fraction),
        ", but must be above 0 and below 1"));
  }
  const auto n_train = static_cast<int64_t>(
      std::floor((1 - validation_fraction) * static_cast<double>(n)));
  if (n >= kLeastSimulations && n_train >= 2 && n - n_train >= 1) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      n, " simulations leave ", n_train, " to train on and ", n - n_train,
      " to validate with at a validation_fraction of ",
      ShortestText(validation_fraction), ": ", kLeastSimulations,
      " are the least; simulate more"));
}

}  // namespace somafit
