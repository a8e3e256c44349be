#include "server/rpc/script_upload.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "proto/convert/status.h"
#include "server/posterior/embedding_layers.h"
#include "server/rpc/arguments.h"
#include "server/rpc/call.h"
#include "server/rpc/streams.h"

namespace somafit {

absl::Status ScriptsNotAllowed() {
  return WithReason(
      absl::FailedPreconditionError(
          "TorchScript modules are code that trainers run, and this "
          "coordinator does not allow them: start somafit-server with "
          "--allow-torchscript, or describe the embedding's layers"),
      "SCRIPTS_NOT_ALLOWED");
}

absl::Status CheckScript(const ServerParts& parts, const FitSpec& spec) {
  if (!spec.inference) return absl::OkStatus();
  const std::string script = ScriptOf(spec.inference->estimator);
  if (script.empty()) return absl::OkStatus();
  if (!parts.allow_scripts) return ScriptsNotAllowed();
  return parts.store.LoadScript(script).status();
}

ScriptUpload::ScriptUpload(Store& store, Executor& slow,
                           grpc::CallbackServerContext* context,
                           v1::UploadScriptResponse* response)
    : store_(store),
      slow_(slow),
      context_(context),
      response_(response),
      begin_(std::chrono::steady_clock::now()) {
  StartRead(&message_);
}

void ScriptUpload::OnReadDone(bool ok) {
  if (ok) {
    if (message_.chunk().size() > kMaxChunk ||
        bytes_.size() + message_.chunk().size() > kMaxScriptBytes) {
      return FinishWith(BadField(
          "chunk", absl::StrCat("has more than 1 MiB, or all together more "
                                "than ",
                                kMaxScriptBytes, " bytes")));
    }
    bytes_ += message_.chunk();
    return StartRead(&message_);
  }
  if (context_->IsCancelled()) {
    return FinishWith(absl::CancelledError("the upload was cancelled"));
  }
  if (bytes_.empty()) {
    return FinishWith(BadField("chunk", "is empty; send the module's file"));
  }
  slow_.Post([this] {
    absl::StatusOr<std::string> hash = store_.PutScript(bytes_);
    if (hash.ok()) response_->set_script(*std::move(hash));
    FinishWith(hash.status());
  });
}

void ScriptUpload::FinishWith(const absl::Status& status) {
  LogCall("UploadScript", "", status, begin_);
  Finish(Sendable(status));
}

}  // namespace somafit
