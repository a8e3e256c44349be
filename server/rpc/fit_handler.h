#pragma once

#include <atomic>
#include <string>

#include "server/rpc/parts.h"
#include "somafit/v1/fit_service.grpc.pb.h"

namespace somafit {

inline constexpr int64_t kMaxEvaluationPoints = 100'000;

// FitService: checks what comes in, asks the coordinator, answers when it is
// durable.
class FitHandler final : public v1::FitService::CallbackService {
 public:
  explicit FitHandler(ServerParts& parts) : parts_(parts) {}

  using Context = grpc::CallbackServerContext;
  using Unary = grpc::ServerUnaryReactor;

  grpc::ServerReadReactor<v1::UploadScriptRequest>* UploadScript(
      Context*, v1::UploadScriptResponse*) override;
  grpc::ServerReadReactor<v1::UploadDatasetRequest>* UploadDataset(
      Context*, v1::UploadDatasetResponse*) override;
  Unary* CreateFit(Context*, const v1::CreateFitRequest*, v1::Fit*) override;
  Unary* GetFit(Context*, const v1::GetFitRequest*, v1::Fit*) override;
  Unary* ListFits(Context*, const v1::ListFitsRequest*,
                  v1::ListFitsResponse*) override;
  Unary* PauseFit(Context*, const v1::PauseFitRequest*, v1::Fit*) override;
  Unary* ResumeFit(Context*, const v1::ResumeFitRequest*, v1::Fit*) override;
  Unary* CancelFit(Context*, const v1::CancelFitRequest*, v1::Fit*) override;
  Unary* DeleteFit(Context*, const v1::DeleteFitRequest*,
                   v1::DeleteFitResponse*) override;
  Unary* AckRound(Context*, const v1::AckRoundRequest*, v1::Fit*) override;
  Unary* ContinueFit(Context*, const v1::ContinueFitRequest*,
                     v1::Fit*) override;
  Unary* EvaluatePoints(Context*, const v1::EvaluatePointsRequest*,
                        v1::EvaluatePointsResponse*) override;
  grpc::ServerWriteReactor<v1::GenerateTracesResponse>* GenerateTraces(
      Context*, const v1::GenerateTracesRequest*) override;
  grpc::ServerWriteReactor<v1::FitEvent>* WatchFit(
      Context*, const v1::WatchFitRequest*) override;
  Unary* ListSamples(Context*, const v1::ListSamplesRequest*,
                     v1::ListSamplesResponse*) override;
  Unary* ListWorkers(Context*, const v1::ListWorkersRequest*,
                     v1::ListWorkersResponse*) override;
  Unary* GetServerInfo(Context*, const v1::GetServerInfoRequest*,
                       v1::ServerInfo*) override;
  Unary* DescribeFamily(Context*, const v1::DescribeFamilyRequest*,
                        v1::DescribeFamilyResponse*) override;

 private:
  using Transition = absl::StatusOr<FitRecord> (Coordinator::*)(
      const std::string&, Now, Effects&);
  template <typename Request>
  Unary* ChangeState(std::string_view method, Context* context,
                     const Request* request, v1::Fit* response,
                     Transition transition);

  ServerParts& parts_;
  std::atomic<size_t> upload_bytes_{0};
};

}  // namespace somafit
