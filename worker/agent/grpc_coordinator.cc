#include "worker/agent/grpc_coordinator.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include <grpcpp/grpcpp.h>

#include "proto/convert/digest.h"
#include "proto/convert/endpoint_file.h"
#include "proto/convert/evaluation.h"
#include "proto/convert/inference_spec.h"
#include "proto/convert/spec.h"
#include "proto/convert/status.h"
#include "proto/convert/traces.h"
#include "somafit/v1/worker_service.grpc.pb.h"
#include "worker/core/base/elementary.h"
#include "worker/core/base/status.h"
#include "worker/core/data/dataset.h"

namespace somafit {
namespace {

using std::chrono::seconds;

constexpr int kMaxMessage = 16 << 20;
constexpr size_t kReportBytes = size_t{8} << 20;  // of one message
constexpr auto kUnary = seconds(10);
constexpr auto kLongPoll = seconds(35);  // the coordinator answers after 20 s
constexpr auto kDurable = seconds(60);
constexpr auto kDownload = seconds(600);
constexpr auto kUpload = seconds(600);  // of traces

std::shared_ptr<grpc::Channel> ChannelTo(const v1::Endpoint& endpoint) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessage);
  arguments.SetMaxSendMessageSize(kMaxMessage);
  const std::pair<const char*, int> settings[] = {
      // A new connection shall not wait for the back-off of the one before.
      {GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1},
      {GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50},
      {GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 2000},
      {GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000},
      {GRPC_ARG_KEEPALIVE_TIME_MS, 60'000},
      {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000},
      {GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 0},
      {GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0},
      {GRPC_ARG_MAX_METADATA_SIZE, 64 << 10},
  };
  for (const auto& [name, value] : settings) arguments.SetInt(name, value);
  std::shared_ptr<grpc::ChannelCredentials> credentials =
      grpc::InsecureChannelCredentials();
  if (!endpoint.ca().empty()) {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = endpoint.ca();
    credentials = grpc::SslCredentials(options);
  }
  return grpc::CreateCustomChannel(endpoint.address(), credentials, arguments);
}

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
      : address_(endpoint.address()),
        token_(endpoint.token()),
        stub_(v1::WorkerService::NewStub(ChannelTo(endpoint))) {}

  absl::StatusOr<WorkerSession> Register(
      const WorkerIdentity& identity) override {
    v1::RegisterRequest request;
    request.set_name(identity.name);
    request.set_host(identity.host);
    request.set_threads(identity.threads);
    request.set_version(identity.version);
    request.set_numerics_version(kNumericsVersion);
    v1::RegisterResponse response;
    grpc::ClientContext context;
    Prepare(context, kUnary);
    SOMAFIT_RETURN_IF_ERROR(
        Placed(stub_->Register(&context, request, &response)));
    return WorkerSession{response.session(), response.lease_seconds()};
  }

  absl::StatusOr<std::vector<Task>> Lease(const std::string& session,
                                          int max_tasks) override {
    v1::LeaseTasksRequest request;
    request.set_session(session);
    request.set_max_tasks(max_tasks);
    v1::LeaseTasksResponse response;
    grpc::ClientContext context;
    Prepare(context, kLongPoll);
    {
      std::lock_guard lock(mutex_);
      if (stopped_) return absl::CancelledError("the worker is stopping");
      waiting_ = &context;
    }
    const grpc::Status status = stub_->LeaseTasks(&context, request, &response);
    {
      std::lock_guard lock(mutex_);
      waiting_ = nullptr;
    }
    SOMAFIT_RETURN_IF_ERROR(Placed(status));
    std::vector<Task> tasks;
    for (const v1::Task& task : response.tasks()) {
      tasks.push_back(FromProto(task));
    }
    return tasks;
  }

  void StopWaiting() override {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    if (waiting_ != nullptr) waiting_->TryCancel();
  }

  absl::StatusOr<std::vector<std::string>> Heartbeat(
      const std::string& session,
      const std::vector<std::string>& leases) override {
    v1::HeartbeatRequest request;
    request.set_session(session);
    for (const std::string& lease : leases) request.add_leases(lease);
    v1::HeartbeatResponse response;
    grpc::ClientContext context;
    Prepare(context, kUnary);
    SOMAFIT_RETURN_IF_ERROR(
        Placed(stub_->Heartbeat(&context, request, &response)));
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
      Prepare(context, kDurable);
      SOMAFIT_RETURN_IF_ERROR(
          Placed(stub_->ReportResults(&context, request, &response)));
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
    Prepare(context, kUnary);
    return Placed(stub_->ReleaseTasks(&context, request, &response));
  }

  absl::StatusOr<ModelSource> FetchModel(const std::string& hash) override {
    v1::GetModelRequest request;
    request.set_model(hash);
    v1::Model response;
    grpc::ClientContext context;
    Prepare(context, kUnary);
    SOMAFIT_RETURN_IF_ERROR(
        Placed(stub_->GetModel(&context, request, &response)));
    ModelSource model = somafit::FromProto(response);
    const std::string found = Sha256Hex(EncodeModelSource(model));
    if (found != hash) return Differs("model", hash, found);
    return model;
  }

  absl::StatusOr<std::string> FetchDataset(const std::string& hash) override {
    v1::GetDatasetRequest request;
    request.set_dataset(hash);
    grpc::ClientContext context;
    Prepare(context, kDownload);
    const auto reader = stub_->GetDataset(&context, request);
    std::string bytes;
    v1::DatasetChunk chunk;
    while (reader->Read(&chunk)) {
      if (bytes.size() + chunk.chunk().size() > kMaxDatasetBytes) {
        context.TryCancel();
        (void)reader->Finish();
        return absl::DataLossError(absl::StrCat("dataset ", hash,
                                                " is larger than datasets "
                                                "may be"));
      }
      bytes += chunk.chunk();
    }
    SOMAFIT_RETURN_IF_ERROR(Placed(reader->Finish()));
    const std::string found = Sha256Hex(bytes);
    if (found != hash) return Differs("dataset", hash, found);
    return bytes;
  }

 private:
  // In one stream: the coordinator takes all recordings of a task, or none.
  absl::Status ReportTraces(const std::string& session,
                            const TaskReport& report) {
    grpc::ClientContext context;
    Prepare(context, kUpload);
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
    return Placed(writer->Finish());
  }

  template <typename Duration>
  void Prepare(grpc::ClientContext& context, Duration limit) const {
    context.set_deadline(std::chrono::system_clock::now() + limit);
    if (!token_.empty()) {
      context.AddMetadata("authorization", "Bearer " + token_);
    }
  }

  // Says which coordinator could not be reached.
  absl::Status Placed(const grpc::Status& status) const {
    const absl::Status result = FromGrpc(status);
    if (result.ok() || status.error_code() != grpc::StatusCode::UNAVAILABLE) {
      return result;
    }
    return absl::UnavailableError(
        absl::StrCat("the coordinator at ", address_,
                     " cannot be reached: ", result.message()));
  }

  static absl::Status Differs(const std::string& what, const std::string& hash,
                              const std::string& found) {
    return absl::DataLossError(
        absl::StrCat(what, " ", hash, " arrived with SHA-256 ", found,
                     "; worker and coordinator may be of different versions"));
  }

  const std::string address_;
  const std::string token_;
  const std::unique_ptr<v1::WorkerService::Stub> stub_;
  std::mutex mutex_;
  grpc::ClientContext* waiting_ = nullptr;
  bool stopped_ = false;
};

}  // namespace

absl::StatusOr<std::shared_ptr<CoordinatorPort>> ConnectByEndpointFile(
    const std::string& path) {
  SOMAFIT_ASSIGN_OR_RETURN(const v1::Endpoint endpoint, LoadEndpoint(path));
  return std::make_shared<GrpcCoordinator>(endpoint);
}

}  // namespace somafit
