#pragma once

#include <chrono>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#include "somafit/v1/fit.pb.h"

namespace somafit {

// How far a fit is: one line that is drawn anew in a terminal, else a line a
// round. Rounds come from one thread, ticks from another.
class Progress {
 public:
  // `fit` as it was when the progress begins.
  Progress(const v1::Fit& fit, bool terminal);

  void OnRound(const v1::RoundEvent& round);
  // Shows that time passes.
  void Tick();
  // What is being done between rounds, "training"; "" while samples are
  // simulated.
  void OnPhase(const std::string& phase);
  // Whether what it wrote could be written.
  bool IsRead() const;
  // Leaves the line as it is and goes to the next one.
  void End();

  // The bar without its colour or position, at most `width` characters:
  // "[#####-----] 5/10 rounds  500 samples  12.3 s  best 4.53 mV^2"; of an
  // inference "...  12.3 s  loss -2.31 nats  training".
  std::string Line(double elapsed_s, size_t width) const;

 private:
  void Draw();
  void Write(absl::string_view text);

  const v1::Fit fit_;
  const bool terminal_;
  const std::chrono::steady_clock::time_point start_;
  mutable std::mutex mutex_;
  int64_t rounds_;
  int64_t samples_;
  std::string best_;
  std::string phase_;
  bool drawn_ = false;
  absl::Status printed_;
};

}  // namespace somafit
