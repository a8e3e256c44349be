#include "client/lib/client.h"

#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "proto/convert/digest.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr size_t kChunk = 1 << 20;
constexpr int kSamplesPerPage = 2000;
constexpr size_t kMaxNameLength = 63;

using Stub = v1::FitService::Stub;

}  // namespace

absl::StatusOr<std::string> FitResourceName(absl::string_view text) {
  absl::string_view name = absl::StripPrefix(text, "fits/");
  bool good = !name.empty() && name.size() <= kMaxNameLength &&
              absl::ascii_islower(name[0]);
  for (const char c : name) {
    good = good && (absl::ascii_islower(c) || absl::ascii_isdigit(c) ||
                    c == '-' || c == '_');
  }
  if (!good) {
    return absl::InvalidArgumentError(absl::StrCat(
        "\"", text,
        "\" cannot be a fit's name: lower-case letters, digits, "
        "\"-\" and \"_\", first a letter, at most 63; see: somafit list"));
  }
  return absl::StrCat("fits/", name);
}

absl::string_view ShortFitName(absl::string_view resource_name) {
  return absl::StripPrefix(resource_name, "fits/");
}

std::string StateText(v1::FitState state) {
  const std::string name = v1::FitState_Name(state);
  if (name.empty()) return absl::StrCat("STATE ", static_cast<int>(state));
  return std::string(absl::StripPrefix(name, "FIT_STATE_"));
}

bool HasEnded(v1::FitState state) {
  return state == v1::FIT_STATE_SUCCEEDED || state == v1::FIT_STATE_CANCELLED ||
         state == v1::FIT_STATE_FAILED;
}

absl::StatusOr<std::string> FitClient::UploadDataset(
    absl::string_view encoding) {
  v1::UploadDatasetResponse response;
  SOMAFIT_RETURN_IF_ERROR(connection_.Retry([&](grpc::ClientContext* context) {
    // Large recordings over slow lines: the stream has no deadline, its
    // keepalive finds out whether anybody is there.
    context->set_deadline(std::chrono::system_clock::time_point::max());
    response.Clear();
    const auto writer = connection_.stub().UploadDataset(context, &response);
    v1::UploadDatasetRequest request;
    for (size_t at = 0; at < encoding.size(); at += kChunk) {
      request.set_chunk(std::string(encoding.substr(at, kChunk)));
      if (!writer->Write(request)) break;
    }
    writer->WritesDone();
    return writer->Finish();
  }));
  return response.dataset();
}

absl::StatusOr<std::string> FitClient::UploadScript(absl::string_view bytes) {
  v1::UploadScriptResponse response;
  SOMAFIT_RETURN_IF_ERROR(connection_.Retry([&](grpc::ClientContext* context) {
    response.Clear();
    const auto writer = connection_.stub().UploadScript(context, &response);
    v1::UploadScriptRequest request;
    for (size_t at = 0; at < bytes.size(); at += kChunk) {
      request.set_chunk(std::string(bytes.substr(at, kChunk)));
      if (!writer->Write(request)) break;
    }
    writer->WritesDone();
    return writer->Finish();
  }));
  return response.script();
}

absl::StatusOr<v1::Fit> FitClient::CreateFit(const v1::FitSpec& spec,
                                             bool validate_only) {
  v1::CreateFitRequest request;
  *request.mutable_fit() = spec;
  request.set_validate_only(validate_only);
  request.set_request_id(RandomHex128());
  v1::Fit fit;
  SOMAFIT_RETURN_IF_ERROR(connection_.Call(&Stub::CreateFit, request, &fit));
  return fit;
}

absl::StatusOr<v1::Fit> FitClient::GetFit(const std::string& name) {
  v1::GetFitRequest request;
  request.set_name(name);
  v1::Fit fit;
  SOMAFIT_RETURN_IF_ERROR(connection_.Call(&Stub::GetFit, request, &fit));
  return fit;
}

template <typename Request>
absl::StatusOr<v1::Fit> FitClient::Change(
    const std::string& name,
    grpc::Status (v1::FitService::Stub::*method)(grpc::ClientContext*,
                                                 const Request&, v1::Fit*)) {
  Request request;
  request.set_name(name);
  request.set_request_id(RandomHex128());
  v1::Fit fit;
  SOMAFIT_RETURN_IF_ERROR(connection_.Call(method, request, &fit));
  return fit;
}

absl::StatusOr<v1::Fit> FitClient::PauseFit(const std::string& name) {
  return Change<v1::PauseFitRequest>(name, &Stub::PauseFit);
}
absl::StatusOr<v1::Fit> FitClient::ResumeFit(const std::string& name) {
  return Change<v1::ResumeFitRequest>(name, &Stub::ResumeFit);
}
absl::StatusOr<v1::Fit> FitClient::ContinueFit(v1::ContinueFitRequest request) {
  request.set_request_id(RandomHex128());
  v1::Fit fit;
  SOMAFIT_RETURN_IF_ERROR(connection_.Call(&Stub::ContinueFit, request, &fit));
  return fit;
}
absl::StatusOr<v1::Fit> FitClient::CancelFit(const std::string& name) {
  return Change<v1::CancelFitRequest>(name, &Stub::CancelFit);
}

absl::Status FitClient::DeleteFit(const std::string& name) {
  v1::DeleteFitRequest request;
  request.set_name(name);
  request.set_request_id(RandomHex128());
  v1::DeleteFitResponse response;
  return connection_.Call(&Stub::DeleteFit, request, &response);
}

absl::StatusOr<v1::Fit> FitClient::AckRound(const std::string& name,
                                            int32_t stage, int64_t round,
                                            v1::GateDecision decision) {
  v1::AckRoundRequest request;
  request.set_name(name);
  request.set_stage(stage);
  request.set_round(round);
  request.set_decision(decision);
  request.set_request_id(RandomHex128());
  v1::Fit fit;
  SOMAFIT_RETURN_IF_ERROR(connection_.Call(&Stub::AckRound, request, &fit));
  return fit;
}

absl::StatusOr<v1::EvaluatePointsResponse> FitClient::EvaluatePoints(
    const std::string& name, const std::vector<std::string>& parameters,
    const std::vector<double>& points) {
  v1::EvaluatePointsRequest request;
  request.set_name(name);
  for (const std::string& parameter : parameters) {
    request.add_parameters(parameter);
  }
  request.mutable_points()->Add(points.begin(), points.end());
  request.set_request_id(RandomHex128());
  v1::EvaluatePointsResponse response;
  SOMAFIT_RETURN_IF_ERROR(
      connection_.Call(&Stub::EvaluatePoints, request, &response));
  return response;
}

absl::StatusOr<v1::DescribeFamilyResponse> FitClient::DescribeFamily(
    const std::string& family) {
  v1::DescribeFamilyRequest request;
  request.set_family(family);
  v1::DescribeFamilyResponse response;
  SOMAFIT_RETURN_IF_ERROR(
      connection_.Call(&Stub::DescribeFamily, request, &response));
  return response;
}

absl::StatusOr<v1::ServerInfo> FitClient::GetServerInfo() {
  v1::ServerInfo response;
  SOMAFIT_RETURN_IF_ERROR(connection_.Call(
      &Stub::GetServerInfo, v1::GetServerInfoRequest(), &response));
  return response;
}

absl::Status FitClient::ForEachFit(
    const std::function<void(const v1::Fit&)>& take) {
  v1::ListFitsRequest request;
  while (true) {
    v1::ListFitsResponse page;
    SOMAFIT_RETURN_IF_ERROR(connection_.Call(&Stub::ListFits, request, &page));
    for (const v1::Fit& fit : page.fits()) take(fit);
    if (page.next_page_token().empty()) return absl::OkStatus();
    request.set_page_token(page.next_page_token());
  }
}

absl::Status FitClient::ForEachWorker(
    const std::function<void(const v1::WorkerStatus&)>& take) {
  v1::ListWorkersRequest request;
  while (true) {
    v1::ListWorkersResponse page;
    SOMAFIT_RETURN_IF_ERROR(
        connection_.Call(&Stub::ListWorkers, request, &page));
    for (const v1::WorkerStatus& worker : page.workers()) take(worker);
    if (page.next_page_token().empty()) return absl::OkStatus();
    request.set_page_token(page.next_page_token());
  }
}

absl::Status FitClient::ForEachSampleBlock(
    const std::string& name, std::optional<int32_t> stage,
    const std::function<absl::Status(const v1::SampleBlock&)>& take) {
  v1::ListSamplesRequest request;
  request.set_name(name);
  if (stage) request.set_stage(*stage);
  return ForEachSampleBlock(std::move(request), -1, take);
}

absl::Status FitClient::ForEachSampleBlock(
    v1::ListSamplesRequest request, int64_t limit,
    const std::function<absl::Status(const v1::SampleBlock&)>& take) {
  while (true) {
    const int64_t size =
        limit < 0 ? kSamplesPerPage : std::min<int64_t>(limit, kSamplesPerPage);
    request.set_page_size(static_cast<int32_t>(std::max<int64_t>(size, 1)));
    v1::ListSamplesResponse page;
    SOMAFIT_RETURN_IF_ERROR(
        connection_.Call(&Stub::ListSamples, request, &page));
    SOMAFIT_RETURN_IF_ERROR(take(page.samples()));
    if (limit >= 0) limit -= page.samples().sample_size();
    if (page.next_page_token().empty() || limit == 0) return absl::OkStatus();
    request.set_page_token(page.next_page_token());
  }
}

}  // namespace somafit
