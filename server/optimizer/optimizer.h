#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

#include "worker/core/base/random.h"
#include "worker/core/objective/option.h"

namespace somafit {

// A point that an optimizer proposed, in the unit cube, and what was found.
struct Told {
  std::vector<double> point;
  double error = 0;  // smaller is better; +inf where there is no number
};

// An Optimizer proposes points and learns from their errors.
//
// Ask never changes the optimizer, so its state is a function of the Tells
// alone: a restarted server restores a snapshot, or tells the recorded samples
// again in order, and gets the same state to the bit.
//
// Thread-compatible.
class Optimizer {
 public:
  virtual ~Optimizer() = default;

  // Proposes `count` points of the unit cube. All randomness comes from
  // `random`.
  virtual std::vector<std::vector<double>> Ask(int64_t count,
                                               RandomStream& random) const = 0;
  // Of the next `count` points that Ask gives: errors above which it makes no
  // difference to Tell how large they are, or that there are none; infinite
  // where it does. `best_error` is the stage's best so far, above which no
  // error matters to anybody else. Empty: every error matters.
  virtual std::vector<double> Limits(int64_t /*count*/,
                                     double /*best_error*/) const {
    return {};
  }
  // Learns from a round: all points of one Ask, in the order in which Ask gave
  // them.
  virtual void Tell(std::span<const Told> round) = 0;

  // The state as versioned bytes, and back. Restore refuses (DataLoss) bytes
  // that Snapshot of the same member and configuration would not write.
  virtual std::string Snapshot() const = 0;
  virtual absl::Status Restore(std::string_view snapshot) = 0;
};

struct OptimizerConfig {
  size_t dimensions = 0;
  OptionValues options;
};

struct OptimizerEntry {
  std::string_view name, summary;
  std::vector<OptionSpec> options;
  std::unique_ptr<Optimizer> (*make)(const OptimizerConfig& config);
  bool has_limits = false;  // Limits are not empty
};

// All optimizers, in the order in which they are shown.
const std::vector<const OptimizerEntry*>& AllOptimizers();
const OptimizerEntry* FindOptimizer(std::string_view name);  // nullptr: unknown

}  // namespace somafit
