#include "server/trainer/simulations.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

#include "proto/convert/evaluation.h"
#include "server/trainer/trace_warnings.h"
#include "worker/core/base/number.h"
#include "worker/core/base/status.h"
#include "worker/core/lang/source.h"

namespace somafit {
namespace {

// Of theta, and of x: 2 GiB, and of raw traces 1 GiB.
constexpr size_t kMostNumbers = size_t{1} << 28;

absl::Status CheckRow(const Problem& problem, int64_t round, size_t number,
                      std::span<const double> theta) {
  if (round < 0 || round > kMaxRound) {
    return absl::InvalidArgumentError(
        absl::StrCat("simulation ", number, " is of round ", round));
  }
  for (size_t i = 0; i < theta.size(); ++i) {
    if (std::isfinite(theta[i])) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "simulation ", number, " has ", Quoted(problem.parameters[i]), " = ",
        ShortestText(theta[i]), ": parameters must be finite"));
  }
  if (!problem.prior->Contains(theta)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the prior does not allow the parameters of simulation ",
                     number, " (round ", round, "): ",
                     absl::StrJoin(theta, ", ",
                                   [](std::string* out, double value) {
                                     *out += ShortestText(value);
                                   }),
                     "; train on draws from this prior alone"));
  }
  return absl::OkStatus();
}

absl::Status Append(const Problem& problem, int64_t last_round,
                    const v1::SimulationBlock& block, size_t& seen,
                    Simulations& all) {
  const auto n = static_cast<size_t>(block.round_size());
  const size_t d = problem.d(), e = problem.e();
  const bool raw = problem.columns.raw();
  const std::string& floats = block.raw_x();
  const size_t n_x =
      raw ? floats.size() / sizeof(float) : static_cast<size_t>(block.x_size());
  const bool other =
      raw ? block.x_size() > 0 || floats.size() != n * e * sizeof(float)
          : !floats.empty() || n_x != n * e;
  if (static_cast<size_t>(block.theta_size()) != n * d || other) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a block of ", n, " simulations came with ", block.theta_size(),
        " parameters and ", n_x, raw ? " numbers of traces" : " features",
        ", not with ", n * d, " and ", n * e));
  }
  if (all.theta.size() + n * d > kMostNumbers ||
      all.rows().size() + n * e > kMostNumbers) {
    return absl::InvalidArgumentError(
        absl::StrCat("there are more simulations than ", kMostNumbers,
                     " numbers hold: use fewer simulations or ",
                     raw ? "steps of the traces" : "features"));
  }
  for (size_t i = 0; i < n; ++i, ++seen) {
    const double* const theta = block.theta().data() + i * d;
    SOMAFIT_RETURN_IF_ERROR(
        CheckRow(problem, block.round(static_cast<int>(i)), seen, {theta, d}));
    if (block.round(static_cast<int>(i)) > last_round) continue;
    all.round.push_back(static_cast<int32_t>(block.round(static_cast<int>(i))));
    all.theta.insert(all.theta.end(), theta, theta + d);
    if (raw) {
      const size_t size = e * sizeof(float);
      AppendFloats(std::string_view(floats).substr(i * size, size), all.raw_x);
    } else {
      const double* const x = block.x().data() + i * e;
      all.x.insert(all.x.end(), x, x + e);
    }
  }
  return absl::OkStatus();
}

// Rows of `all` with a round of first to last, their numbers.
std::vector<size_t> RowsOf(const Simulations& all, int64_t first,
                           int64_t last) {
  std::vector<size_t> rows;
  for (size_t i = 0; i < all.size(); ++i) {
    if (all.round[i] >= first && all.round[i] <= last) rows.push_back(i);
  }
  return rows;
}

RowState StateOf(const DataRows& row) {
  bool infinite = false;
  for (size_t i = 0; i < row.size(); ++i) {
    if (std::isnan(row[i])) return RowState::kNan;
    infinite |= std::isinf(row[i]);
  }
  return infinite ? RowState::kInfinite : RowState::kValid;
}

// Leaves the rows `kept`, ascending, of `width` numbers each.
template <typename T>
void KeepRows(const std::vector<size_t>& kept, size_t width,
              std::vector<T>& rows) {
  for (size_t i = 0; i < kept.size() && !rows.empty(); ++i) {
    if (kept[i] == i) continue;
    std::copy_n(rows.begin() + static_cast<ptrdiff_t>(kept[i] * width), width,
                rows.begin() + static_cast<ptrdiff_t>(i * width));
  }
  if (!rows.empty()) rows.resize(kept.size() * width);
}

// Appends those of `rows` that are valid to `kept`, or says why not.
absl::Status KeepValid(const Problem& problem, Algorithm algorithm,
                       int64_t round, const Simulations& all,
                       const std::vector<size_t>& rows,
                       std::vector<size_t>& kept, ChosenSimulations& chosen) {
  const size_t e = problem.e();
  std::vector<RowState> states;
  for (const size_t row : rows) {
    states.push_back(StateOf(all.rows().subspan(row * e, e)));
  }
  // Truncated proposals are the prior, cut: the rules of round 0 hold.
  const bool truncated = algorithm == Algorithm::kTruncatedNpe && round > 0;
  const auto worded = [&](std::string text) {
    if (!truncated) return text;
    return absl::StrReplaceAll(text, {{"of round 0", "of all rounds"}});
  };
  absl::StatusOr<ValidRows> valid =
      SelectValidRows(states, problem.invalid, algorithm,
                      truncated ? 0 : static_cast<int>(round));
  if (!valid.ok()) {
    return absl::Status(valid.status().code(),
                        worded(std::string(valid.status().message())));
  }
  for (const int64_t row : valid->rows) kept.push_back(rows[row]);
  chosen.n_invalid += valid->n_nan + valid->n_infinite;
  for (std::string& message : valid->messages) {
    chosen.messages.push_back(worded(std::move(message)));
  }
  return absl::OkStatus();
}

// Where the observation is unlike all simulations, no net can be trusted.
void CompareWithObservation(const Problem& problem, ChosenSimulations& chosen) {
  if (problem.observation.empty()) return;
  constexpr size_t kMostNamed = 10;
  const size_t e = problem.e(), n = chosen.used.size();
  std::vector<std::string> beyond;
  size_t n_beyond = 0;
  for (size_t c = 0; c < e; ++c) {
    double low = chosen.used.x[c], high = low;
    for (size_t i = 0; i < n; ++i) {
      low = std::min(low, chosen.used.x[i * e + c]);
      high = std::max(high, chosen.used.x[i * e + c]);
    }
    const double own = problem.observation[c];
    if (own >= low && own <= high) continue;
    if (++n_beyond > kMostNamed) continue;
    beyond.push_back(absl::StrCat(Quoted(problem.columns.NameOf(c)), " = ",
                                  RoundedText(own, 4),
                                  " (simulated: ", RoundedText(low, 4), " to ",
                                  RoundedText(high, 4), ")"));
  }
  if (n_beyond == 0) return;
  chosen.messages.push_back(absl::StrCat(
      n_beyond, " of ", e, " features of the observation lie outside of what ",
      n, " simulations gave: ", absl::StrJoin(beyond, ", "),
      n_beyond > kMostNamed ? ", ..." : "",
      "; the posterior there is a guess: compare units, widen the prior, or "
      "leave these features out"));
}

}  // namespace

absl::StatusOr<Simulations> FetchSimulations(const Problem& problem,
                                             int64_t last_round,
                                             const TaskRun& run) {
  Simulations all;
  size_t seen = 0;
  SOMAFIT_RETURN_IF_ERROR(
      run.fetch_simulations([&](const v1::SimulationBlock& block) {
        return Append(problem, last_round, block, seen, all);
      }));
  return all;
}

absl::StatusOr<ChosenSimulations> ChooseSimulations(const Problem& problem,
                                                    Algorithm algorithm,
                                                    int64_t round,
                                                    Simulations all) {
  const RoundRange range =
      RoundsToTrainOn(algorithm, static_cast<int>(round),
                      problem.training.discard_prior_samples);
  ChosenSimulations chosen;
  std::vector<size_t> kept;
  if (algorithm == Algorithm::kTruncatedNpe) {
    SOMAFIT_RETURN_IF_ERROR(KeepValid(problem, algorithm, round, all,
                                      RowsOf(all, range.first, range.last),
                                      kept, chosen));
  } else {
    if (range.first == 0) {
      SOMAFIT_RETURN_IF_ERROR(KeepValid(problem, algorithm, 0, all,
                                        RowsOf(all, 0, 0), kept, chosen));
    }
    if (range.last > 0) {
      const int64_t first = std::max(range.first, 1);
      SOMAFIT_RETURN_IF_ERROR(KeepValid(problem, algorithm, round, all,
                                        RowsOf(all, first, range.last), kept,
                                        chosen));
    }
    std::sort(kept.begin(), kept.end());
  }
  // In place: of raw traces there may be a gigabyte.
  const size_t e = problem.e();
  Simulations& used = chosen.used;
  used = std::move(all);
  KeepRows(kept, 1, used.round);
  KeepRows(kept, problem.d(), used.theta);
  KeepRows(kept, e, used.x);
  KeepRows(kept, e, used.raw_x);
  SOMAFIT_RETURN_IF_ERROR(CheckTrainingSize(
      static_cast<int64_t>(used.size()), problem.training.validation_fraction));
  if (problem.columns.raw()) {
    for (std::string& warning :
         TraceWarnings(problem.columns, used.raw_x, problem.observation)) {
      chosen.messages.push_back(std::move(warning));
    }
    return chosen;
  }
  for (std::string& warning :
       FeatureWarnings(used.x, e, problem.columns.names())) {
    chosen.messages.push_back(std::move(warning));
  }
  CompareWithObservation(problem, chosen);
  return chosen;
}

}  // namespace somafit
