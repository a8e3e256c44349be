#pragma once

#include <chrono>
#include <string>

#include "absl/status/status.h"
#include <grpcpp/support/server_callback.h>

#include "server/rpc/executor.h"
#include "server/rpc/parts.h"
#include "server/study/store.h"
#include "somafit/v1/fit_service.pb.h"

namespace somafit {

inline constexpr size_t kMaxScriptBytes = size_t{6} << 20;

// Receives a TorchScript module and stores it. What it is, a trainer finds out:
// nothing is run here.
class ScriptUpload final
    : public grpc::ServerReadReactor<v1::UploadScriptRequest> {
 public:
  ScriptUpload(Store& store, Executor& slow,
               grpc::CallbackServerContext* context,
               v1::UploadScriptResponse* response);

  void OnReadDone(bool ok) override;
  void OnDone() override { delete this; }

 private:
  void FinishWith(const absl::Status& status);

  Store& store_;
  Executor& slow_;
  grpc::CallbackServerContext* context_;
  v1::UploadScriptResponse* response_;
  const std::chrono::steady_clock::time_point begin_;
  v1::UploadScriptRequest message_;
  std::string bytes_;
};

// What is said where TorchScript modules are not allowed.
absl::Status ScriptsNotAllowed();
// The TorchScript module of an inference must be allowed, and there. Blocks.
absl::Status CheckScript(const ServerParts& parts, const FitSpec& spec);

}  // namespace somafit
