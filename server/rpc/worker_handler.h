#pragma once

#include <atomic>
#include <string>

#include "server/rpc/parts.h"
#include "somafit/v1/worker_service.grpc.pb.h"

namespace somafit {

// WorkerService: checks what comes in, asks the coordinator, answers when it is
// durable.
class WorkerHandler final : public v1::WorkerService::CallbackService {
 public:
  explicit WorkerHandler(ServerParts& parts) : parts_(parts) {}

  using Context = grpc::CallbackServerContext;
  using Unary = grpc::ServerUnaryReactor;

  Unary* Register(Context*, const v1::RegisterRequest*,
                  v1::RegisterResponse*) override;
  Unary* LeaseTasks(Context*, const v1::LeaseTasksRequest*,
                    v1::LeaseTasksResponse*) override;
  Unary* Heartbeat(Context*, const v1::HeartbeatRequest*,
                   v1::HeartbeatResponse*) override;
  Unary* ReportResults(Context*, const v1::ReportResultsRequest*,
                       v1::ReportResultsResponse*) override;
  grpc::ServerReadReactor<v1::ReportTracesRequest>* ReportTraces(
      Context*, v1::ReportTracesResponse*) override;
  Unary* ReleaseTasks(Context*, const v1::ReleaseTasksRequest*,
                      v1::ReleaseTasksResponse*) override;
  Unary* GetModel(Context*, const v1::GetModelRequest*, v1::Model*) override;
  grpc::ServerWriteReactor<v1::DatasetChunk>* GetDataset(
      Context*, const v1::GetDatasetRequest*) override;

 private:
  // `raw_file` gets the bytes of raw traces that came along, in a file.
  absl::StatusOr<Coordinator::Report> ReadReport(
      const v1::ReportResultsRequest& request, std::string* raw_file);
  void Record(const CallPtr& call, Coordinator::Report report,
              const v1::ReportResultsRequest* request,
              v1::ReportResultsResponse* response);

  ServerParts& parts_;
  std::atomic<size_t> trace_bytes_{0};
};

}  // namespace somafit
