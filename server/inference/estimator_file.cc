#include "server/inference/estimator_file.h"

#include "absl/strings/str_cat.h"

#include "server/inference/device.h"
#include "server/inference/encoding.h"
#include "server/inference/estimator_parts.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr std::string_view kMark = "SOMAESTM";
constexpr uint32_t kVersion = 1;

absl::StatusOr<std::unique_ptr<TrainedEstimator>> Decode(
    std::string_view bytes, const at::Device& device, Scripts scripts) {
  SOMAFIT_ASSIGN_OR_RETURN(const std::string_view payload,
                           Unseal("estimator", kMark, kVersion, bytes));
  const auto refuse = [](std::string_view why) {
    return absl::DataLossError(absl::StrCat("estimator ", std::string(why)));
  };
  ByteReader reader(payload);
  EstimatorSpec spec;
  if (!ReadSpec(reader, spec)) return refuse("has no valid declaration");
  // Before anything of the size that it declares.
  if (const absl::Status status = CheckEstimatorSpec(spec); !status.ok()) {
    return refuse(
        absl::StrCat("is declared wrongly: ", std::string(status.message())));
  }
  if (!spec.embedding.torch_script.empty() && scripts == Scripts::kRefused) {
    return ScriptRefused();
  }
  auto model = MakeModel(spec, device);
  if (!model.ok()) {
    return refuse(absl::StrCat("is declared wrongly: ",
                               std::string(model.status().message())));
  }
  if (!ReadScales(reader, spec, (*model)->theta_map, (*model)->data_map)) {
    return refuse("has no valid scales");
  }
  uint64_t n_weights = 0;
  if (!reader.U64(n_weights) ||
      n_weights != static_cast<uint64_t>((*model)->layout.size()) ||
      reader.rest() / sizeof(float) != n_weights) {
    return refuse("has another number of weights than its declaration needs");
  }
  at::Tensor flat = at::empty({(*model)->layout.size()},
                              at::TensorOptions(at::kFloat).device(device));
  if (!ReadFloats(reader, flat) || reader.rest() > 0 ||
      !flat.isfinite().all().item<bool>()) {
    return refuse("has weights that are not finite");
  }
  if (const at::Tensor existing = (*model)->layout.Existing();
      existing.defined()) {
    flat.mul_(existing.to(device));
  }
  return MakeTrainedEstimator(*std::move(model), flat);
}

}  // namespace

absl::Status ScriptRefused() {
  return absl::PermissionDeniedError(
      "the embedding is a TorchScript module, which is code, and this trainer "
      "runs none: start it, or the server that starts it, with "
      "--allow-torchscript");
}

std::string EncodeEstimator(const TrainedEstimator& estimator) {
  const EstimatorParts& parts = estimator.parts();
  ByteWriter writer;
  WriteSpec(writer, parts.model->spec);
  WriteScales(writer, parts.model->theta_map, parts.model->data_map);
  writer.U64(static_cast<uint64_t>(parts.model->layout.size()));
  WriteFloats(writer, parts.weights.flat());
  return Seal(kMark, kVersion, writer.bytes());
}

absl::StatusOr<std::unique_ptr<TrainedEstimator>> DecodeEstimator(
    std::string_view bytes, std::string_view device, Scripts scripts) {
  SOMAFIT_ASSIGN_OR_RETURN(const std::string name, ResolveDevice(device));
  absl::StatusOr<std::unique_ptr<TrainedEstimator>> result =
      absl::UnknownError("not read");
  SOMAFIT_RETURN_IF_ERROR(CatchAsStatus("LibTorch", [&] {
    const at::NoGradGuard no_gradient;
    result = Decode(bytes, at::Device(name), scripts);
    return absl::OkStatus();
  }));
  return result;
}

}  // namespace somafit
