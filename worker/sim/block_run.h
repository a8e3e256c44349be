#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "worker/sim/block.h"

namespace somafit {

// A block on its way through a trace, in chunks of kCheckInterval steps.
//
// Exactly one of `comparison` and `rows` is given, as the kernel's variant asks
// for. Refers to all it was made from.
class BlockRun {
 public:
  BlockRun(const Program& program, const Kernel& kernel, const Trace& trace,
           Block block, std::optional<Comparison> comparison,
           const RowsObserver* rows);
  // One of lanes that others have come as far with; they are of one trace and
  // one comparison. At least one, at most the kernel's width.
  struct Lane {
    const BlockRun* run;
    size_t lane;
  };
  explicit BlockRun(std::span<const Lane> lanes);
  BlockRun(const BlockRun&) = delete;
  BlockRun& operator=(const BlockRun&) = delete;

  // Sets initial values. Call first; not of a run made of lanes.
  void Start(const std::function<bool()>& cancelled);
  // Simulates the next chunk. False if cancelled.
  bool Advance(const std::function<bool()>& cancelled);
  // The trace is at its end, or all lanes that matter have diverged.
  bool done() const { return next_ >= n_steps_ || n_diverged_ >= n_lanes_; }

  // What is known by now.
  size_t n_lanes() const { return n_lanes_; }
  const Block& block() const { return block_; }
  const std::optional<Divergence>& diverged(size_t lane) const {
    return diverged_[lane];
  }
  std::span<const double> states() const { return states_; }
  // [output][lane]
  std::span<const double> sums() const { return comparison_->sums; }

 private:
  void Point();
  void Draw(int64_t begin, int64_t end);
  std::span<const double> Integrated(const std::vector<double>& states) const;
  int Leaver(const std::vector<double>& states, size_t lane) const;
  bool IsCancelled(const std::function<bool()>& cancelled);
  bool RunChunk(const std::function<bool()>& cancelled);
  void Check(size_t begin, size_t end, const std::function<bool()>& cancelled);
  void Trail(size_t begin, size_t end, const std::function<bool()>& cancelled);
  void Note(const std::vector<double>& states, size_t step);
  void Show(size_t begin, size_t end);

  const Program& program_;
  const Kernel& kernel_;
  const Trace& trace_;
  Block block_;
  std::optional<Comparison> comparison_;
  const RowsObserver* rows_observer_;
  size_t n_lanes_;
  const size_t width_;
  const size_t n_steps_;
  std::vector<const double*> inputs_, arrays_;
  std::vector<double> states_;  // [state][lane]
  std::vector<double> before_;  // at the start of the chunk
  std::vector<double> noise_;   // of the chunk, [step][source][lane]
  std::vector<double> rows_;
  KernelCall call_;
  size_t next_ = 0;         // step
  std::vector<bool> left_;  // lanes that left the range in the last chunk
  size_t n_diverged_ = 0;
  std::vector<std::optional<Divergence>> diverged_;  // per lane
  bool cancelled_ = false;
};

}  // namespace somafit
