#include "server/rpc/inference_handler.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "proto/convert/inference_spec.h"
#include "proto/convert/status.h"
#include "server/rpc/arguments.h"
#include "server/rpc/planning.h"
#include "server/rpc/question_stream.h"
#include "server/rpc/trainer_streams.h"
#include "server/rpc/view.h"
#include "server/study/inference_plan.h"
#include "somafit/v1/trainer_service.pb.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

// The inference of this name.
absl::Status Describe(ServerParts& parts, const FitRecord& fit,
                      v1::Posterior* posterior) {
  SOMAFIT_ASSIGN_OR_RETURN(const FitPlan plan,
                           PlanOf(fit.spec, fit.model_hash, parts.datasets));
  const InferencePlan& inference = *plan.inference;
  posterior->set_name("fits/" + fit.name);
  const v1::Fit shown = ToShortProto(fit);
  for (size_t i = 0; i < inference.free.size(); ++i) {
    v1::Variable* const parameter = posterior->add_parameters();
    *parameter = shown.parameters(static_cast<int>(inference.free[i]));
    parameter->set_lower(inference.prior->support()[i].lower);
    parameter->set_upper(inference.prior->support()[i].upper);
  }
  ToProto(inference.columns, posterior->mutable_features(),
          posterior->mutable_trace_columns());
  posterior->mutable_observation()->Add(inference.observation.begin(),
                                        inference.observation.end());
  SOMAFIT_ASSIGN_OR_RETURN(const std::vector<EstimatorInfo> infos,
                           parts.store.ListEstimators(fit.id, fit.stage));
  // A message has 16 MiB: of many rounds the latest have their curves.
  constexpr size_t kWithCurves = 100;
  for (size_t i = 0; i < infos.size(); ++i) {
    const EstimatorInfo& info = infos[i];
    v1::TrainingSummary* const summary = posterior->add_rounds();
    summary->ParseFromString(info.summary);
    if (i + kWithCurves < infos.size()) {
      summary->clear_training_loss();
      summary->clear_validation_loss();
      summary->clear_epoch_seconds();
    }
    posterior->add_estimator_bytes(info.bytes);
  }
  return absl::OkStatus();
}

// One member of the stored set of a round.
absl::StatusOr<std::string> LoadMember(ServerParts& parts,
                                       const v1::ExportEstimatorRequest& ask) {
  SOMAFIT_ASSIGN_OR_RETURN(const FitRecord fit,
                           FindInference(parts, ask.name()));
  if (fit.rounds == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("fits/", fit.name, " has not been trained on yet"));
  }
  const int64_t round = ask.has_round() ? ask.round() : fit.rounds - 1;
  SOMAFIT_ASSIGN_OR_RETURN(
      const std::string bytes,
      parts.store.LoadEstimators(fit.id, fit.stage, round));
  v1::EstimatorSet set;
  if (!set.ParseFromString(bytes)) {
    return absl::DataLossError("the stored estimators cannot be read");
  }
  if (ask.member() < 0 || ask.member() >= set.estimator_size()) {
    return BadField("member", absl::StrCat("is ", ask.member(), "; there are ",
                                           set.estimator_size(),
                                           " members, counted from 0"));
  }
  return set.estimator(ask.member());
}

}  // namespace

InferenceHandler::Unary* InferenceHandler::GetPosterior(
    Context* context, const v1::GetPosteriorRequest* request,
    v1::Posterior* response) {
  const auto begin = [&](const CallPtr& call) -> absl::Status {
    parts_.slow.Post([this, call, request, response] {
      absl::StatusOr<FitRecord> fit = FindInference(parts_, request->name());
      absl::Status status = fit.status();
      if (status.ok()) status = Describe(parts_, *fit, response);
      call->Finish(status);
    });
    return absl::OkStatus();
  };
  return BeginCall(parts_, "GetPosterior", context, "", begin);
}

grpc::ServerWriteReactor<v1::PosteriorAnswer>* InferenceHandler::AskPosterior(
    Context* context, const v1::AskPosteriorRequest* request) {
  if (absl::Status status = parts_.access.Check(*context); !status.ok()) {
    return new RefusedWriter<v1::PosteriorAnswer>(Sendable(status));
  }
  return QuestionStream::Start(parts_, request);
}

grpc::ServerWriteReactor<v1::TrainingProgress>* InferenceHandler::WatchTraining(
    Context* context, const v1::WatchTrainingRequest* request) {
  if (absl::Status status = parts_.access.Check(*context); !status.ok()) {
    return new RefusedWriter<v1::TrainingProgress>(Sendable(status));
  }
  return TrainingStream::Start(parts_, request);
}

grpc::ServerWriteReactor<v1::ExportEstimatorResponse>*
InferenceHandler::ExportEstimator(Context* context,
                                  const v1::ExportEstimatorRequest* request) {
  if (absl::Status status = parts_.access.Check(*context); !status.ok()) {
    return new RefusedWriter<v1::ExportEstimatorResponse>(Sendable(status));
  }
  return new ChunkStream<v1::ExportEstimatorResponse>(
      "ExportEstimator", parts_.slow,
      [this, ask = *request] { return LoadMember(parts_, ask); });
}

}  // namespace somafit
