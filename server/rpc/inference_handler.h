#pragma once

#include <atomic>

#include "server/rpc/parts.h"
#include "somafit/v1/inference_service.grpc.pb.h"

namespace somafit {

// InferenceService: what there is of posteriors, questions to them, and the
// loop of a user's own simulator (own_simulator_calls.cc).
class InferenceHandler final : public v1::InferenceService::CallbackService {
 public:
  explicit InferenceHandler(ServerParts& parts) : parts_(parts) {}

  using Context = grpc::CallbackServerContext;
  using Unary = grpc::ServerUnaryReactor;

  Unary* GetPosterior(Context*, const v1::GetPosteriorRequest*,
                      v1::Posterior*) override;
  grpc::ServerWriteReactor<v1::PosteriorAnswer>* AskPosterior(
      Context*, const v1::AskPosteriorRequest*) override;
  grpc::ServerWriteReactor<v1::ExportEstimatorResponse>* ExportEstimator(
      Context*, const v1::ExportEstimatorRequest*) override;
  grpc::ServerWriteReactor<v1::TrainingProgress>* WatchTraining(
      Context*, const v1::WatchTrainingRequest*) override;
  Unary* SetObservation(Context*, const v1::SetObservationRequest*,
                        v1::Fit*) override;

  grpc::ServerWriteReactor<v1::Proposed>* Propose(
      Context*, const v1::ProposeRequest*) override;
  grpc::ServerReadReactor<v1::AppendSimulationsRequest>* AppendSimulations(
      Context*, v1::AppendSimulationsResponse*) override;
  Unary* Train(Context*, const v1::TrainRequest*, v1::Fit*) override;
  grpc::ServerReadReactor<v1::ImportEstimatorsRequest>* ImportEstimators(
      Context*, v1::Fit*) override;

 private:
  ServerParts& parts_;
  std::atomic<size_t> appended_bytes_{0};  // of all AppendSimulations
  std::atomic<size_t> imported_bytes_{0};  // of all ImportEstimators
};

}  // namespace somafit
