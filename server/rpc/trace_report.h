#pragma once

#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <grpcpp/support/server_callback.h>

#include "proto/convert/traces.h"
#include "somafit/v1/worker_service.pb.h"

namespace somafit {

struct ServerParts;

// Receives the traces of one task, piece by piece, and hands them to the
// coordinator when all are there. What all reports hold meanwhile is bounded by
// twice what may be asked for.
class TraceReport final
    : public grpc::ServerReadReactor<v1::ReportTracesRequest> {
 public:
  TraceReport(ServerParts& parts, std::atomic<size_t>& held,
              grpc::CallbackServerContext* context);

  void OnReadDone(bool ok) override;
  void OnDone() override;

 private:
  // What is wrong with the message just read.
  absl::Status Take();
  // With the first message: what is the lease for?
  absl::Status Begin();
  void Submit();
  void FinishWith(const absl::Status& status);

  ServerParts& parts_;
  std::atomic<size_t>& held_;
  grpc::CallbackServerContext* context_;
  const std::chrono::steady_clock::time_point begin_;
  v1::ReportTracesRequest message_;
  std::string session_, lease_;
  std::optional<TraceAssembler> assembler_;
  std::vector<Recording> recordings_;
  size_t counted_ = 0;  // of held_
};

}  // namespace somafit
