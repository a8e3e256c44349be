#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "server/study/inference_plan.h"
#include "worker/core/data/fit_spec.h"

namespace somafit {

// What a trainer does for an inference between two rounds.
struct TrainerJob {
  enum class Kind : uint8_t {
    kTrain,  // learn from the round that was simulated
    kDraw,   // draw the next round
  } kind = Kind::kTrain;
  int64_t round = 0;  // that was simulated; that is drawn
  int64_t n = 0;      // kDraw: parameter sets
  friend bool operator==(const TrainerJob&, const TrainerJob&) = default;
};

// A job, or a question to a posterior, in a trainer's hands.
// What begins the reason of a state that a trainer's failure led to.
inline constexpr char kTrainerReason[] = "TRAINER: ";

struct TrainerTask {
  std::string lease;
  int64_t fit = 0;
  std::string title;  // "fits/NAME"
  int32_t stage = 0;
  uint64_t seed = 0;
  std::shared_ptr<const InferencePlan> plan;
  InferenceSpec spec;
  TrainerJob job;
  // Of its stage; a job may be of the last one without the plan knowing.
  int64_t n_rounds = 1;
  // Of which fit, whatever others were called, and with how many samples.
  int64_t create_time_us = 0;
  int64_t n_samples = 0;
  // Not 0: a question, `question`, to the estimators of `job.round`; or if the
  // job is to draw, for the user, n parameter sets from draw `first` on.
  int64_t request = 0;
  std::string question;  // v1.AskPosteriorRequest, as bytes
  int64_t first = 0;
};

}  // namespace somafit
