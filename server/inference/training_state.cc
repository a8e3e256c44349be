#include "server/inference/training_state.h"

#include <array>

#include "server/inference/encoding.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr std::string_view kMark = "SOMATRNG";
constexpr uint32_t kVersion = 1;

template <typename Record>
auto Curves(Record& summary) {
  return std::array{&summary.training_loss, &summary.validation_loss,
                    &summary.average_loss, &summary.seconds};
}

bool ReadCount(ByteReader& reader, int64_t& value) {
  uint64_t bits = 0;
  if (!reader.U64(bits) || bits > uint64_t{1} << 60) return false;
  value = static_cast<int64_t>(bits);
  return true;
}

bool ReadState(ByteReader& reader, TrainingState& state) {
  Optimization& optimization = state.optimization;
  TrainingSummary& summary = state.summary;
  int64_t n_epochs = 0, halvings = 0;
  uint32_t average_kept = 0;
  if (!ReadCount(reader, optimization.steps) ||
      !ReadCount(reader, optimization.averaged) ||
      !reader.F64(optimization.rate) || !reader.F64(state.best_raw) ||
      !reader.F64(state.best_average) || !ReadCount(reader, state.fruitless) ||
      !ReadCount(reader, n_epochs) ||
      !reader.F64(summary.best_validation_loss) || !reader.U32(average_kept) ||
      !ReadCount(reader, halvings)) {
    return false;
  }
  summary.epochs = n_epochs;
  summary.average_kept = average_kept != 0;
  summary.rate_halvings = static_cast<int>(halvings);
  for (std::vector<double>* curve : Curves(summary)) {
    if (reader.rest() / sizeof(double) < static_cast<uint64_t>(n_epochs)) {
      return false;
    }
    curve->resize(static_cast<size_t>(n_epochs));
    if (!reader.F64s(*curve)) return false;
  }
  for (at::Tensor* tensor : {&optimization.weights, &optimization.first_moment,
                             &optimization.second_moment, &state.best}) {
    if (!ReadFloats(reader, *tensor)) return false;
  }
  return !optimization.average.defined() ||
         ReadFloats(reader, optimization.average);
}

}  // namespace

std::string EncodeState(const Model& model, const TrainingState& state,
                        uint64_t identity) {
  const Optimization& optimization = state.optimization;
  const TrainingSummary& summary = state.summary;
  ByteWriter writer;
  writer.U64(identity);
  WriteScales(writer, model.theta_map, model.data_map);
  writer.U64(static_cast<uint64_t>(optimization.steps));
  writer.U64(static_cast<uint64_t>(optimization.averaged));
  writer.F64(optimization.rate);
  writer.F64(state.best_raw);
  writer.F64(state.best_average);
  writer.U64(static_cast<uint64_t>(state.fruitless));
  writer.U64(static_cast<uint64_t>(summary.epochs));
  writer.F64(summary.best_validation_loss);
  writer.U32(summary.average_kept ? 1 : 0);
  writer.U64(static_cast<uint64_t>(summary.rate_halvings));
  for (const std::vector<double>* curve : Curves(summary)) {
    writer.F64s(*curve);
  }
  for (const at::Tensor* tensor :
       {&optimization.weights, &optimization.first_moment,
        &optimization.second_moment, &state.best}) {
    WriteFloats(writer, *tensor);
  }
  if (optimization.average.defined()) {
    WriteFloats(writer, optimization.average);
  }
  return Seal(kMark, kVersion, writer.bytes());
}

absl::StatusOr<TrainingState> DecodeState(std::string_view bytes,
                                          uint64_t identity, bool averages,
                                          Model& model) {
  SOMAFIT_ASSIGN_OR_RETURN(const std::string_view payload,
                           Unseal("checkpoint", kMark, kVersion, bytes));
  ByteReader reader(payload);
  uint64_t found = 0;
  if (!reader.U64(found)) return absl::DataLossError("checkpoint is empty");
  if (found != identity) {
    return absl::FailedPreconditionError(
        "the checkpoint is of a training with another estimator, options, loss "
        "or data");
  }
  TrainingState state;
  const at::Tensor zeros =
      at::zeros({model.layout.size()},
                at::TensorOptions(at::kFloat).device(model.device));
  state.optimization = Optimization::From(zeros, 0, averages);
  state.best = zeros.clone();
  if (!ReadScales(reader, model.spec, model.theta_map, model.data_map) ||
      !ReadState(reader, state) || reader.rest() > 0) {
    return absl::DataLossError("checkpoint has no valid state");
  }
  return state;
}

}  // namespace somafit
