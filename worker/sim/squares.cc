#include "worker/sim/squares.h"

#include <limits>
#include <utility>

namespace somafit {
namespace {

// The term that compares each output of the program, and nothing else; empty
// where there is another.
std::vector<size_t> TermOfOutput(const Experiment& experiment) {
  const size_t n_outputs = experiment.program.outputs.size();
  const size_t n_terms = experiment.terms.size();
  std::vector<size_t> term_of(n_outputs, n_terms);
  if (n_terms != n_outputs) return {};
  for (size_t term = 0; term < n_terms; ++term) {
    const std::vector<size_t>& outputs = experiment.terms[term].outputs;
    if (outputs.size() != 1 || term_of[outputs[0]] < n_terms) return {};
    term_of[outputs[0]] = term;
  }
  return term_of;
}

}  // namespace

Squares::Squares(const Experiment& experiment)
    : experiment_(experiment), term_of_(TermOfOutput(experiment)) {
  if (term_of_.empty()) return;
  for (const Trace& trace : experiment.dataset->traces) {
    auto& of_trace = weights_.emplace_back();
    for (size_t output = 0; output < term_of_.size(); ++output) {
      StepWeights step_weights;
      if (output < trace.targets.size()) {
        step_weights.weights =
            experiment.terms[term_of_[output]].metric->SquareWeights(
                trace.targets[output]);
      }
      if (step_weights.weights.size() != trace.n_steps() ||
          step_weights.weights.empty()) {
        weights_.clear();
        return;
      }
      for (const double weight : step_weights.weights) {
        step_weights.sum += weight;
      }
      of_trace.push_back(std::move(step_weights));
    }
  }
}

KernelVariant Squares::variant() const {
  if (!apply()) return KernelVariant::kRecord;
  for (const auto& of_trace : weights_) {
    for (const StepWeights& of_output : of_trace) {
      for (const double weight : of_output.weights) {
        if (weight != 1) return KernelVariant::kErrors;
      }
    }
  }
  return KernelVariant::kPlainErrors;
}

Comparison Squares::Compare(size_t trace, size_t width) const {
  const Trace& data = experiment_.dataset->traces[trace];
  Comparison comparison;
  for (size_t output = 0; output < n_outputs(); ++output) {
    comparison.targets.push_back(data.targets[output].data());
    comparison.weights.push_back(weights_[trace][output].weights.data());
  }
  comparison.sums.resize(n_outputs() * width);
  return comparison;
}

double Squares::Error(size_t trace, size_t output, double added) const {
  const double sum = weights_[trace][output].sum;
  if (!(sum > 0)) return std::numeric_limits<double>::quiet_NaN();
  return experiment_.terms[TermOf(output)].metric->FromMeanSquare(added / sum);
}

}  // namespace somafit
