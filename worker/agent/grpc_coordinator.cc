#include "worker/agent/grpc_coordinator.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include <grpcpp/grpcpp.h>

#include "proto/convert/digest.h"
#include "proto/convert/endpoint_file.h"
#include "proto/convert/evaluation.h"
#include "proto/convert/inference_spec.h"
#include "proto/convert/spec.h"
#include "proto/convert/traces.h"
#include "somafit/v1/worker_service.grpc.pb.h"
#include "worker/core/base/elementary.h"
#include "worker/core/base/status.h"
#include "worker/core/data/dataset.h"
#include "worker/session/coordinator_channel.h"

namespace somafit {
namespace {

constexpr size_t kReportBytes = size_t{8} << 20;  // of one message
constexpr auto kDurableLimit = std::chrono::seconds(60);

Task FromProto(const v1::Task& message) {
  Task task{.lease = message.lease(),
            .fit = message.fit(),
            .stage = message.stage(),
            .round = message.round(),
            .first_sample = message.first_sample(),
            .seed = message.seed(),
            .first_realization = message.first_realization(),
            .iteration = message.iteration(),
            .first_in_round = message.first_in_round(),
            .n_in_round = message.n_in_round(),
            .points = {},
            .limits = {message.limits().begin(), message.limits().end()},
            .model_hash = message.experiment().model(),
            .dataset_hash = message.experiment().dataset(),
            .dt = message.experiment().dt(),
            .parameters = {message.experiment().parameters().begin(),
                           message.experiment().parameters().end()},
            .metrics = {},
            .penalty = message.experiment().penalty(),
            .features = {},
            .recorded = {message.recorded().begin(), message.recorded().end()}};
  const size_t n = std::max<size_t>(task.parameters.size(), 1);
  for (auto it = message.points().begin();
       std::cmp_greater_equal(message.points().end() - it, n); it += n) {
    task.points.emplace_back(it, it + n);
  }
  for (const v1::MetricSpec& metric : message.experiment().metrics()) {
    task.metrics.push_back(somafit::FromProto(metric));
  }
  for (const v1::FeatureSpec& feature : message.experiment().features()) {
    task.features.push_back(somafit::FromProto(feature));
  }
  return task;
}

class GrpcCoordinator final : public CoordinatorPort {
 public:
  explicit GrpcCoordinator(const v1::Endpoint& endpoint)
      : channel_(endpoint),
        stub_(v1::WorkerService::NewStub(channel_.channel())) {}

  absl::StatusOr<Session> Register(const Identity& identity) override {
    v1::RegisterRequest request;
    request.set_name(identity.name);
    request.set_host(identity.host);
    request.set_threads(identity.threads);
    request.set_version(identity.version);
    request.set_numerics_version(kNumericsVersion);
    v1::RegisterResponse response;
    grpc::ClientContext context;
    channel_.Prepare(context, kUnaryLimit);
    SOMAFIT_RETURN_IF_ERROR(
        channel_.Placed(stub_->Register(&context, request, &response)));
    return Session{response.session(), response.lease_seconds()};
  }

  absl::StatusOr<std::vector<Task>> Lease(const std::string& session,
                                          int max_tasks) override {
    v1::LeaseTasksRequest request;
    request.set_session(session);
    request.set_max_tasks(max_tasks);
    v1::LeaseTasksResponse response;
    SOMAFIT_RETURN_IF_ERROR(channel_.Wait([&](grpc::ClientContext* context) {
      return stub_->LeaseTasks(context, request, &response);
    }));
    std::vector<Task> tasks;
    for (const v1::Task& task : response.tasks()) {
      tasks.push_back(FromProto(task));
    }
    return tasks;
  }

  void StopWaiting() override { channel_.StopWaiting(); }

  absl::StatusOr<std::vector<std::string>> Heartbeat(
      const std::string& session,
      const std::vector<std::string>& leases) override {
    v1::HeartbeatRequest request;
    request.set_session(session);
    for (const std::string& lease : leases) request.add_leases(lease);
    v1::HeartbeatResponse response;
    grpc::ClientContext context;
    channel_.Prepare(context, kUnaryLimit);
    SOMAFIT_RETURN_IF_ERROR(
        channel_.Placed(stub_->Heartbeat(&context, request, &response)));
    return std::vector<std::string>(response.ended().begin(),
                                    response.ended().end());
  }

  // Large reports go in parts; each is recorded on its own.
  absl::Status Report(const std::string& session,
                      const TaskReport& report) override {
    if (!report.recordings.empty()) return ReportTraces(session, report);
    size_t next = 0;
    do {
      v1::ReportResultsRequest request;
      request.set_session(session);
      request.set_lease(report.lease);
      request.set_fit(report.fit);
      request.set_failure(report.failure);
      request.set_microseconds(next == 0 ? report.microseconds : 0);
      for (size_t bytes = 0;
           next < report.evaluations.size() && bytes < kReportBytes; ++next) {
        v1::SampleResult* result = request.add_results();
        *result = ToProto(report.first_sample + static_cast<int64_t>(next),
                          report.evaluations[next]);
        bytes += result->ByteSizeLong();
      }
      v1::ReportResultsResponse response;
      grpc::ClientContext context;
      channel_.Prepare(context, kDurableLimit);
      SOMAFIT_RETURN_IF_ERROR(
          channel_.Placed(stub_->ReportResults(&context, request, &response)));
    } while (next < report.evaluations.size());
    return absl::OkStatus();
  }

  absl::Status Release(const std::string& session,
                       const std::vector<std::string>& leases) override {
    v1::ReleaseTasksRequest request;
    request.set_session(session);
    for (const std::string& lease : leases) request.add_leases(lease);
    v1::ReleaseTasksResponse response;
    grpc::ClientContext context;
    channel_.Prepare(context, kUnaryLimit);
    return channel_.Placed(stub_->ReleaseTasks(&context, request, &response));
  }

  absl::StatusOr<ModelSource> FetchModel(const std::string& hash) override {
    v1::GetModelRequest request;
    request.set_model(hash);
    v1::Model response;
    grpc::ClientContext context;
    channel_.Prepare(context, kUnaryLimit);
    SOMAFIT_RETURN_IF_ERROR(
        channel_.Placed(stub_->GetModel(&context, request, &response)));
    ModelSource model = somafit::FromProto(response);
    const std::string found = Sha256Hex(EncodeModelSource(model));
    if (found != hash) return Differs("model", hash, found);
    return model;
  }

  absl::StatusOr<std::string> FetchDataset(const std::string& hash) override {
    v1::GetDatasetRequest request;
    request.set_dataset(hash);
    grpc::ClientContext context;
    channel_.Prepare(context, kTransferLimit);
    const auto reader = stub_->GetDataset(&context, request);
    SOMAFIT_ASSIGN_OR_RETURN(
        std::string bytes,
        channel_.ReadChunks(
            context, *reader, kMaxDatasetBytes,
            absl::StrCat("dataset ", hash, " is larger than datasets may be")));
    const std::string found = Sha256Hex(bytes);
    if (found != hash) return Differs("dataset", hash, found);
    return bytes;
  }

 private:
  // In one stream: the coordinator takes all recordings of a task, or none.
  absl::Status ReportTraces(const std::string& session,
                            const TaskReport& report) {
    grpc::ClientContext context;
    channel_.Prepare(context, kTransferLimit);
    v1::ReportTracesResponse response;
    const auto writer = stub_->ReportTraces(&context, &response);
    v1::ReportTracesRequest request;
    request.set_session(session);
    request.set_lease(report.lease);
    size_t bytes = 0;
    bool wanted = true;
    const auto send = [&] {
      wanted = writer->Write(request);
      request.Clear();
      bytes = 0;
    };
    for (size_t i = 0; i < report.recordings.size() && wanted; ++i) {
      TraceCutter cutter(report.shape,
                         report.first_sample + static_cast<int64_t>(i),
                         report.recordings[i]);
      while (wanted && !cutter.Cut(request.mutable_pieces(), &bytes)) send();
    }
    if (wanted && request.pieces_size() > 0) send();
    writer->WritesDone();
    return channel_.Placed(writer->Finish());
  }

  static absl::Status Differs(const std::string& what, const std::string& hash,
                              const std::string& found) {
    return absl::DataLossError(
        absl::StrCat(what, " ", hash, " arrived with SHA-256 ", found,
                     "; worker and coordinator may be of different versions"));
  }

  CoordinatorChannel channel_;
  const std::unique_ptr<v1::WorkerService::Stub> stub_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<CoordinatorPort>> ConnectByEndpointFile(
    const std::string& path) {
  SOMAFIT_ASSIGN_OR_RETURN(const v1::Endpoint endpoint, LoadEndpoint(path));
  return std::make_shared<GrpcCoordinator>(endpoint);
}

}  // namespace somafit
