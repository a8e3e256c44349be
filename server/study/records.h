#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "worker/core/data/dataset.h"
#include "worker/core/data/evaluation.h"
#include "worker/core/data/fit_spec.h"
#include "worker/core/data/parameter_space.h"

namespace somafit {

// What is remembered, in the words of the domain. A decision returns a
// WriteSet; the store commits it as a whole, in the order of decisions.

enum class FitState : uint8_t {
  kRunning = 1,
  kGated = 2,
  kPaused = 3,
  kSucceeded = 4,
  kCancelled = 5,
  kFailed = 6,
};
std::string_view FitStateName(FitState state);  // "RUNNING"
bool HasEnded(FitState state);                  // succeeded, cancelled, failed

// One row of the table of fits.
struct FitRecord {
  int64_t id = 0;  // from 1; never reused
  std::string name;
  FitSpec spec;
  std::string model_hash;
  std::vector<Parameter> parameters;
  std::vector<Channel> outputs;
  Dimension error_dimension;
  size_t n_traces = 0;
  // Of an inference from raw traces: the columns of x; else 0.
  size_t n_raw = 0;
  FitState state = FitState::kRunning;
  std::string reason;
  int32_t stage = 0;  // the one that optimizes
  int32_t n_stages = 1;
  int64_t rounds = 0;        // complete, of that stage
  int64_t next_sample = 0;   // = samples drawn
  int64_t samples_done = 0;  // with a result, failed ones too
  int64_t samples_failed = 0;
  std::optional<int64_t> best_sample;   // of that stage
  std::vector<double> best_parameters;  // SI
  double best_error = 0;
  int64_t create_time_us = 0;
  double elapsed_s = 0;
  int64_t last_seq = 0;
  int numerics_version = 0;
  // While points of an evaluation stage are simulated: what the fit returns to.
  std::optional<FitState> resume_state;
  std::string resume_reason;
  // Of an inference, what a trainer does or is to do: "training", "drawing".
  // Only shown, not stored.
  std::string phase;
};

enum class StageKind : uint8_t { kOptimize = 0, kEvaluate = 1 };

struct StageRecord {
  int64_t fit = 0;
  int32_t stage = 0;
  StageKind kind = StageKind::kOptimize;
  int64_t rounds = 0;    // complete
  std::string snapshot;  // of the optimizer, after those rounds; "" before
  // What the stage was asked to do. Only when it begins.
  std::optional<FitSpec> spec = {};
};

// Samples drawn together: first_sample, first_sample + 1, ... A large round
// begins with some of its points, and DrawnSamples bring those to come.
struct RoundRecord {
  int64_t fit = 0;
  int32_t stage = 0;
  int64_t round = 0;
  int64_t first_sample = 0;
  std::vector<std::vector<double>> points;       // SI
  std::vector<std::vector<double>> unit_points;  // unit cube; kEvaluate: empty
  int64_t n_to_come = 0;  // samples of the round behind these
};

// The next samples of a round of which some were to come, or which grows.
struct DrawnSamples {
  int64_t fit = 0;
  int32_t stage = 0;
  int64_t round = 0;
  int64_t first_sample = 0;
  std::vector<std::vector<double>> points;       // SI
  std::vector<std::vector<double>> unit_points;  // unit cube
};

// Where a sample's raw traces lie: see raw_file.h.
struct RawPlace {
  std::string file;  // SHA-256; "": there are none
  int64_t offset = 0;
};

// `evaluation.raw_x` is not kept; `raw` says where it has been written.
struct RecordedSample {
  int64_t sample = 0;
  Evaluation evaluation;
  RawPlace raw = {};
};

// Results of a task.
struct ResultsRecord {
  int64_t fit = 0;
  std::string worker;
  int64_t microseconds = 0;  // of the whole task
  int numerics_version = 0;
  std::vector<RecordedSample> samples;
};

// One event; `seq` from 1 without gaps. A round event's samples are those of
// the table.
struct EventRecord {
  int64_t fit = 0;
  int64_t seq = 0;
  int64_t time_us = 0;
  enum class Kind : uint8_t { kState = 1, kRound = 2 } kind = Kind::kState;
  FitState state = FitState::kRunning;  // kState
  std::string reason;                   // kState
  int32_t stage = 0;                    // kRound, and the rest
  int64_t round = 0;
  int64_t first_sample = 0;
  int64_t n_samples = 0;
  int64_t best_sample = -1;
  std::vector<double> best_parameters;
  double best_error = 0;
  bool gated = false;
  std::string training;  // of an inference: v1.TrainingSummary, as bytes
};

// What was learned from a round of an inference. Both are bytes to all but
// trainers and clients.
struct EstimatorRecord {
  int64_t fit = 0;
  int32_t stage = 0;
  int64_t round = 0;
  std::string estimators;  // v1.EstimatorSet
  std::string summary;     // v1.TrainingSummary
};

struct ModelRecord {
  std::string hash;
  ModelSource source;
};

// The stored answer to a mutation, for repeats.
struct RequestRecord {
  std::string request_id;
  std::string method;
  std::string body_hash;
  std::string response;
  int64_t time_us = 0;
};

struct NewFit {
  FitRecord fit;
};  // also makes its sample table
// Carries what changes during a fit: everything but name, spec, model_hash,
// parameters, outputs, error_dimension, n_traces, n_raw, create_time_us and
// numerics_version, which may be left empty.
struct UpdatedFit {
  FitRecord fit;
};
// What continuing a fit changes: spec, parameters and error_dimension.
struct ChangedFit {
  FitRecord fit;
};
struct DeletedFit {
  int64_t fit = 0;
  std::string name;
};
struct CancelledSamples {
  int64_t fit = 0;
};  // all drawn -> cancelled

using Write =
    std::variant<ModelRecord, NewFit, UpdatedFit, ChangedFit, DeletedFit,
                 StageRecord, RoundRecord, DrawnSamples, ResultsRecord,
                 CancelledSamples, EventRecord, RequestRecord, EstimatorRecord>;
using WriteSet = std::vector<Write>;

// A round that was drawn and not ended, with what is known of it.
struct StoredRound {
  RoundRecord round;
  // One per point, with status and total error; kDrawn if there is none yet.
  std::vector<Evaluation> evaluations;
};

// A fit as read back when the coordinator starts.
struct StoredFit {
  FitRecord fit;
  std::vector<StageRecord> stages;
  std::vector<StoredRound> open_rounds;  // at most one a stage
};

}  // namespace somafit
