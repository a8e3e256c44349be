#include "server/rpc/trainer_streams.h"

#include <limits>

#include "server/study/inference_plan.h"

namespace somafit {

SimulationStream* SimulationStream::Start(ServerParts& parts,
                                          TrainerTask task) {
  std::shared_ptr<SimulationStream> stream(
      new SimulationStream(parts, std::move(task)));
  stream->KeepAlive();
  stream->PostPump();
  return stream.get();
}

SimulationStream::SimulationStream(ServerParts& parts, TrainerTask task)
    : PumpedStream("FetchSimulations", parts.slow),
      parts_(parts),
      task_(std::move(task)),
      raw_(parts.store,
           task_.plan->columns.raw() ? task_.plan->columns.size() : 0) {
  fit_.id = task_.fit;
}

absl::Status SimulationStream::Add(const SampleRow& row) {
  if (row.status == SampleStatus::kDrawn ||
      row.status == SampleStatus::kCancelled || row.round > task_.job.round) {
    return absl::OkStatus();
  }
  message_.add_round(row.round);
  for (const size_t parameter : task_.plan->free) {
    message_.add_theta(row.parameters.at(parameter));
  }
  if (task_.plan->columns.raw()) {
    return raw_.Append(row.raw, *message_.mutable_raw_x());
  }
  const bool failed = row.trace_errors.size() != task_.plan->order.size();
  for (const size_t place : task_.plan->order) {
    message_.add_x(failed ? std::numeric_limits<double>::quiet_NaN()
                          : row.trace_errors[place]);
  }
  return absl::OkStatus();
}

void SimulationStream::Step() {
  const size_t row_bytes =
      8 * (task_.plan->order.size() + task_.plan->free.size() + 1) +
      raw_.row_bytes();
  SampleQuery query;
  query.stage = task_.stage;
  query.after_sample = last_;
  query.limit =
      std::max<int64_t>(1, static_cast<int64_t>(kMaxChunk / row_bytes));
  query.trace_errors = true;
  const absl::StatusOr<std::vector<SampleRow>> rows =
      parts_.store.ReadSamples(fit_, query);
  if (!rows.ok()) return FinishOnce(rows.status());
  if (rows->empty()) return FinishOnce(absl::OkStatus());
  message_.Clear();
  for (const SampleRow& row : *rows) {
    last_ = row.sample;
    if (const absl::Status added = Add(row); !added.ok()) {
      return FinishOnce(added);
    }
  }
  StartWrite(&message_);
}

}  // namespace somafit
