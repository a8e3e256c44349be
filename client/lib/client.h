#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "client/lib/connection.h"

namespace somafit {

// "NAME" or "fits/NAME" as "fits/NAME"; InvalidArgument for what cannot be one.
absl::StatusOr<std::string> FitResourceName(absl::string_view text);
// The name without "fits/".
absl::string_view ShortFitName(absl::string_view resource_name);
// "RUNNING" for FIT_STATE_RUNNING.
std::string StateText(v1::FitState state);
// Nothing happens any more: SUCCEEDED, CANCELLED or FAILED.
bool HasEnded(v1::FitState state);

// The calls of v1.FitService with plain results. Mutations carry a request id
// of their own, so that a call that is repeated changes nothing twice.
class FitClient {
 public:
  explicit FitClient(KnownEndpoint known) : connection_(std::move(known)) {}

  // The canonical encoding, in chunks; "datasets/<sha256>".
  absl::StatusOr<std::string> UploadDataset(absl::string_view encoding);
  // A TorchScript module's file; its SHA-256.
  absl::StatusOr<std::string> UploadScript(absl::string_view bytes);
  absl::StatusOr<v1::Fit> CreateFit(const v1::FitSpec& spec,
                                    bool validate_only = false);
  absl::StatusOr<v1::Fit> GetFit(const std::string& name);
  absl::StatusOr<v1::Fit> PauseFit(const std::string& name);
  absl::StatusOr<v1::Fit> ResumeFit(const std::string& name);
  // `request` needs no request_id.
  absl::StatusOr<v1::Fit> ContinueFit(v1::ContinueFitRequest request);
  absl::StatusOr<v1::Fit> CancelFit(const std::string& name);
  absl::Status DeleteFit(const std::string& name);
  absl::StatusOr<v1::Fit> AckRound(const std::string& name, int32_t stage,
                                   int64_t round, v1::GateDecision decision);
  // `points` is [points x parameters], SI, row-major.
  absl::StatusOr<v1::EvaluatePointsResponse> EvaluatePoints(
      const std::string& name, const std::vector<std::string>& parameters,
      const std::vector<double>& points);
  absl::StatusOr<v1::DescribeFamilyResponse> DescribeFamily(
      const std::string& family);
  absl::StatusOr<v1::ServerInfo> GetServerInfo();

  // Page by page; never more than one page is held. Without a stage: all.
  absl::Status ForEachFit(const std::function<void(const v1::Fit&)>& take);
  absl::Status ForEachWorker(
      const std::function<void(const v1::WorkerStatus&)>& take);
  // Of at most `limit` samples (-1: all).
  absl::Status ForEachSampleBlock(
      v1::ListSamplesRequest request, int64_t limit,
      const std::function<absl::Status(const v1::SampleBlock&)>& take);
  absl::Status ForEachSampleBlock(
      const std::string& name, std::optional<int32_t> stage,
      const std::function<absl::Status(const v1::SampleBlock&)>& take);

  Connection& connection() { return connection_; }

 private:
  // Calls a method whose request is a name and a request id.
  template <typename Request>
  absl::StatusOr<v1::Fit> Change(
      const std::string& name,
      grpc::Status (v1::FitService::Stub::*method)(grpc::ClientContext*,
                                                   const Request&, v1::Fit*));

  Connection connection_;
};

}  // namespace somafit
