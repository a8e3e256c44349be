#pragma once

#include "server/rpc/parts.h"
#include "somafit/v1/trainer_service.grpc.pb.h"

namespace somafit {

// TrainerService: checks what comes in, asks the coordinator, answers when it
// is durable.
class TrainerHandler final : public v1::TrainerService::CallbackService {
 public:
  explicit TrainerHandler(ServerParts& parts) : parts_(parts) {}

  using Context = grpc::CallbackServerContext;
  using Unary = grpc::ServerUnaryReactor;

  Unary* RegisterTrainer(Context*, const v1::RegisterTrainerRequest*,
                         v1::RegisterTrainerResponse*) override;
  Unary* LeaseTrainerTask(Context*, const v1::LeaseTrainerTaskRequest*,
                          v1::LeaseTrainerTaskResponse*) override;
  Unary* TrainerHeartbeat(Context*, const v1::TrainerHeartbeatRequest*,
                          v1::TrainerHeartbeatResponse*) override;
  grpc::ServerWriteReactor<v1::SimulationBlock>* FetchSimulations(
      Context*, const v1::FetchSimulationsRequest*) override;
  grpc::ServerWriteReactor<v1::EstimatorsChunk>* FetchEstimators(
      Context*, const v1::FetchEstimatorsRequest*) override;
  grpc::ServerReadReactor<v1::ReportCheckpointRequest>* ReportCheckpoint(
      Context*, v1::ReportTrainerTaskResponse*) override;
  grpc::ServerWriteReactor<v1::EstimatorsChunk>* FetchCheckpoint(
      Context*, const v1::FetchCheckpointRequest*) override;
  grpc::ServerWriteReactor<v1::ScriptChunk>* FetchScript(
      Context*, const v1::FetchScriptRequest*) override;
  grpc::ServerReadReactor<v1::ReportTrainingRequest>* ReportTraining(
      Context*, v1::ReportTrainerTaskResponse*) override;
  grpc::ServerReadReactor<v1::ReportDrawsRequest>* ReportDraws(
      Context*, v1::ReportTrainerTaskResponse*) override;
  grpc::ServerReadReactor<v1::ReportAnswerRequest>* ReportAnswer(
      Context*, v1::ReportTrainerTaskResponse*) override;
  Unary* ReportTrainerFailure(Context*, const v1::ReportTrainerFailureRequest*,
                              v1::ReportTrainerTaskResponse*) override;

 private:
  ServerParts& parts_;
  std::atomic<size_t> reported_bytes_{0};  // of all reports and checkpoints
};

}  // namespace somafit
