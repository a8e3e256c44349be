#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "worker/core/data/evaluation.h"
#include "worker/core/objective/raw_traces.h"
#include "worker/sim/divergence.h"
#include "worker/sim/experiment.h"

namespace somafit {

// What simulations of a batch found, and how errors of traces become a total.
// Of an inference, features take the place of terms and values that of errors.
// Threads may set what belongs to different points or traces at once.
class BatchResults {
 public:
  BatchResults(const Experiment& experiment, size_t n_points);

  size_t n_terms() const { return n_terms_; }
  // Whether any step of the trace counts for the term. Not of features.
  bool Counts(size_t term, size_t trace) const {
    return counts_[term * n_traces_ + trace] != 0;
  }

  void SetError(size_t term, size_t trace, size_t point, double error) {
    errors_[Index(term, trace, point)] = error;
  }
  void SetPenalty(size_t trace, size_t point, double penalty) {
    penalties_[Index(0, trace, point)] = penalty;
  }
  void SetDivergence(size_t trace, size_t point, const Divergence& where) {
    diverged_[Index(0, trace, point)] = where;
  }
  void SetAbandoned(size_t point) { abandoned_[point] = 1; }
  // A number of x that is raw traces.
  void SetRaw(size_t point, size_t column, double value) {
    raw_[point * experiment_.raw_columns.size() + column] = RawNumber(value);
  }
  // What x has of a trace that diverged is no number.
  void ForgetTrace(size_t trace, size_t point);

  // What the traces of `point` before `trace` add to each term.
  std::vector<double> AddedBefore(size_t point, size_t trace) const;
  // The total if traces before `trace` have `added` so much, the errors of the
  // terms in `trace` are `errors`, and those of all later ones 0: by the
  // arithmetic of Collect, in which nothing can become smaller by more error.
  // NaN where a term has no number. Both per term.
  double TotalSoFar(std::span<const double> added, size_t trace,
                    std::span<const double> errors) const;

  Evaluation Collect(size_t point) const;

 private:
  struct WeightedMean {
    double sum = 0;
    double weights = 0;
    void Add(double weight, double value);
    double Value() const;
  };
  double WeightOf(size_t trace) const;
  size_t Index(size_t term, size_t trace, size_t point) const {
    return (term * n_traces_ + trace) * n_points_ + point;
  }
  std::string WhereDiverged(size_t point) const;
  Evaluation CollectFeatures(size_t point) const;
  Evaluation CollectRaw(size_t point) const;

  const Experiment& experiment_;
  const size_t n_points_;
  const size_t n_traces_;
  const size_t n_terms_;
  // [term][trace][point]; NaN until set.
  std::vector<double> errors_;
  std::vector<double> penalties_;  // [trace][point]; empty: there is none
  std::vector<std::optional<Divergence>> diverged_;  // [trace][point]
  std::vector<char> abandoned_;                      // [point]
  std::vector<float> raw_;  // [point][column of x], of raw traces
  // Of terms alone:
  std::vector<char> counts_;     // [term][trace]
  std::vector<double> weights_;  // [term]: of all traces that count
  // Weights are relative to it, so that no sum of them overflows.
  double largest_weight_ = 0;
};

}  // namespace somafit
