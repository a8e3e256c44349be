#pragma once

#include "server/rpc/parts.h"
#include "somafit/v1/inference_service.grpc.pb.h"

namespace somafit {

// InferenceService: what there is of posteriors, and questions to them.
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

 private:
  ServerParts& parts_;
};

}  // namespace somafit
