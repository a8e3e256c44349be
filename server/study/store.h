#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

#include "server/study/records.h"

namespace somafit {

// Rows of a fit's sample table.
struct SampleRow {
  int64_t sample = 0;
  int32_t stage = 0;
  int64_t round = 0;
  SampleStatus status = SampleStatus::kDrawn;
  std::vector<double> parameters;     // SI
  double total_error = 0;             // NaN: none
  std::vector<double> output_errors;  // NaN: none
  std::vector<double> output_errors_normalized;
  double penalty = 0;                // NaN: none
  std::vector<double> trace_errors;  // [output][trace]; where asked for
  RawPlace raw = {};
};

// Values of a column that a sample must have: both ends included.
struct ColumnRange {
  std::string column;  // of the fit's table
  std::optional<double> minimum, maximum;
};

// Which samples, in which order. A page ends with a sample; the next begins
// behind it.
struct SampleQuery {
  std::optional<int32_t> stage;
  std::vector<SampleStatus> status;  // empty: any
  std::vector<ColumnRange> ranges;   // within all of them
  // "": by the sample's number. Else a column; those without a number in it are
  // left out, equal ones go by their numbers.
  std::string order_by;
  bool descending = false;
  std::optional<int64_t> after_sample;
  int64_t limit = 0;
  bool trace_errors = false;
};

// What is known of a round's estimators without reading them.
struct EstimatorInfo {
  int64_t round = 0;
  int64_t bytes = 0;
  std::string summary;  // v1.TrainingSummary
};

// A net that is trained.
struct CheckpointKey {
  int64_t fit = 0;
  int32_t stage = 0;
  int64_t round = 0;
  int member = 0;
};

// Where the coordinator remembers. Durable, single writer, many readers.
//
// Thread-safe.
class Store {
 public:
  virtual ~Store() = default;

  // Commits `writes` after all that were submitted before, possibly many at
  // once, then calls `committed` on the writer's thread. An empty set is a
  // barrier: `committed` runs once everything before is durable. A commit that
  // fails ends the process: a restart is always right, and nothing was
  // answered.
  virtual void Submit(WriteSet writes, std::function<void()> committed) = 0;

  // Content-addressed bytes; returns once durable. Idempotent.
  virtual absl::Status PutDataset(const std::string& hash,
                                  std::string_view bytes) = 0;
  virtual absl::StatusOr<std::string> LoadDataset(const std::string& hash) = 0;
  // A file of raw traces (raw_file.h), addressed by its SHA-256, which is
  // returned once it is durable. It is kept once results name it, until their
  // fit is deleted; else until the next start.
  virtual absl::StatusOr<std::string> PutRawFile(std::string_view bytes) = 0;
  virtual absl::StatusOr<std::string> LoadRawFile(const std::string& hash) = 0;
  // A TorchScript module's file, likewise; it stays.
  virtual absl::StatusOr<std::string> PutScript(std::string_view bytes) = 0;
  // NotFound: there is none.
  virtual absl::StatusOr<std::string> LoadScript(const std::string& hash) = 0;
  virtual absl::StatusOr<ModelSource> LoadModel(const std::string& hash) = 0;

  // Everything that has not been deleted, by id. Ended fits come without
  // snapshots and open rounds.
  virtual absl::StatusOr<std::vector<StoredFit>> LoadFits() = 0;
  virtual absl::StatusOr<int64_t> NextFitId() = 0;

  virtual absl::StatusOr<std::optional<RequestRecord>> FindRequest(
      const std::string& request_id) = 0;

  // Events with seq > after_seq, at most `limit`.
  virtual absl::StatusOr<std::vector<EventRecord>> ReadEvents(int64_t fit,
                                                              int64_t after_seq,
                                                              int limit) = 0;
  // At most `query.limit` samples. NotFound if the fit has been deleted,
  // InvalidArgument for a column that its table does not have.
  virtual absl::StatusOr<std::vector<SampleRow>> ReadSamples(
      const FitRecord& fit, const SampleQuery& query) = 0;
  // Samples with number > after_sample, of one stage or all, in order.
  absl::StatusOr<std::vector<SampleRow>> ReadSamples(
      const FitRecord& fit, std::optional<int32_t> stage, int64_t after_sample,
      int64_t limit) {
    SampleQuery query;
    query.stage = stage;
    query.after_sample = after_sample;
    query.limit = limit;
    return ReadSamples(fit, query);
  }

  // v1.EstimatorSet of a round of an inference. NotFound: it has not been
  // trained on.
  virtual absl::StatusOr<std::string> LoadEstimators(int64_t fit, int32_t stage,
                                                     int64_t round) = 0;
  // Of all rounds of a stage that have been trained on, in order.
  virtual absl::StatusOr<std::vector<EstimatorInfo>> ListEstimators(
      int64_t fit, int32_t stage) = 0;

  // What the training of a net has come to; the latest is kept. NotFound: there
  // is none. All are dropped with the round that they are of, and with the fit.
  virtual absl::Status PutCheckpoint(const CheckpointKey& key,
                                     std::string_view bytes) = 0;
  virtual absl::StatusOr<std::string> LoadCheckpoint(
      const CheckpointKey& key) = 0;

  // The optimizer's state after the stage's last complete round; "" if there
  // is none.
  virtual absl::StatusOr<std::string> LoadSnapshot(int64_t fit,
                                                   int32_t stage) = 0;
};

}  // namespace somafit
