#include "server/trainer/grpc_port.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include <grpcpp/grpcpp.h>

#include "proto/convert/endpoint_file.h"
#include "proto/convert/status.h"
#include "somafit/v1/trainer_service.grpc.pb.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

using std::chrono::seconds;

constexpr int kMaxMessage = 16 << 20;
constexpr size_t kMostScriptBytes = size_t{6} << 20;
constexpr size_t kChunk = size_t{1} << 20;
constexpr size_t kMostEstimatorBytes = size_t{1} << 30;
constexpr auto kUnary = seconds(10);
constexpr auto kLongPoll = seconds(35);  // the coordinator answers after 20 s
constexpr auto kTransfer = seconds(600);

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

template <typename Request>
void Name(const TrainerLease& lease, Request& request) {
  request.set_session(lease.session);
  request.set_lease(lease.lease);
}

class GrpcPort final : public TrainerPort {
 public:
  explicit GrpcPort(const v1::Endpoint& endpoint)
      : address_(endpoint.address()),
        token_(endpoint.token()),
        stub_(v1::TrainerService::NewStub(ChannelTo(endpoint))) {}

  absl::StatusOr<TrainerSession> Register(
      const TrainerIdentity& identity) override {
    v1::RegisterTrainerRequest request;
    request.set_name(identity.name);
    request.set_host(identity.host);
    request.set_version(identity.version);
    v1::RegisterTrainerResponse response;
    grpc::ClientContext context;
    Prepare(context, kUnary);
    SOMAFIT_RETURN_IF_ERROR(
        Placed(stub_->RegisterTrainer(&context, request, &response)));
    return TrainerSession{response.session(), response.lease_seconds()};
  }

  absl::StatusOr<std::optional<v1::TrainerTask>> Lease(
      const std::string& session) override {
    v1::LeaseTrainerTaskRequest request;
    request.set_session(session);
    v1::LeaseTrainerTaskResponse response;
    grpc::ClientContext context;
    Prepare(context, kLongPoll);
    {
      std::lock_guard lock(mutex_);
      if (stopped_) return absl::CancelledError("the trainer is stopping");
      waiting_ = &context;
    }
    const grpc::Status status =
        stub_->LeaseTrainerTask(&context, request, &response);
    {
      std::lock_guard lock(mutex_);
      waiting_ = nullptr;
    }
    SOMAFIT_RETURN_IF_ERROR(Placed(status));
    std::optional<v1::TrainerTask> task;
    if (response.has_task()) task = std::move(*response.mutable_task());
    return task;
  }

  void StopWaiting() override {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    if (waiting_ != nullptr) waiting_->TryCancel();
  }

  absl::StatusOr<bool> Heartbeat(const TrainerLease& lease,
                                 const std::string& activity) override {
    v1::TrainerHeartbeatRequest request;
    Name(lease, request);
    request.set_activity(activity);
    v1::TrainerHeartbeatResponse response;
    grpc::ClientContext context;
    Prepare(context, kUnary);
    SOMAFIT_RETURN_IF_ERROR(
        Placed(stub_->TrainerHeartbeat(&context, request, &response)));
    return response.ended();
  }

  absl::Status FetchSimulations(const TrainerLease& lease,
                                const BlockSink& sink) override {
    v1::FetchSimulationsRequest request;
    Name(lease, request);
    grpc::ClientContext context;
    Prepare(context, kTransfer);
    const auto reader = stub_->FetchSimulations(&context, request);
    v1::SimulationBlock block;
    while (reader->Read(&block)) {
      if (absl::Status refused = sink(block); !refused.ok()) {
        context.TryCancel();
        (void)reader->Finish();
        return refused;
      }
    }
    return Placed(reader->Finish());
  }

  absl::StatusOr<std::string> FetchScript(const TrainerLease& lease) override {
    v1::FetchScriptRequest request;
    Name(lease, request);
    grpc::ClientContext context;
    Prepare(context, kTransfer);
    const auto reader = stub_->FetchScript(&context, request);
    std::string bytes;
    v1::ScriptChunk chunk;
    while (reader->Read(&chunk)) {
      if (bytes.size() + chunk.chunk().size() > kMostScriptBytes) {
        context.TryCancel();
        (void)reader->Finish();
        return absl::DataLossError(
            "the TorchScript module is larger than modules may be");
      }
      bytes += chunk.chunk();
    }
    SOMAFIT_RETURN_IF_ERROR(Placed(reader->Finish()));
    return bytes;
  }

  absl::StatusOr<std::string> FetchEstimators(const TrainerLease& lease,
                                              int64_t round) override {
    v1::FetchEstimatorsRequest request;
    Name(lease, request);
    request.set_round(round);
    grpc::ClientContext context;
    Prepare(context, kTransfer);
    const auto reader = stub_->FetchEstimators(&context, request);
    std::string bytes;
    v1::EstimatorsChunk chunk;
    while (reader->Read(&chunk)) {
      if (bytes.size() + chunk.chunk().size() > kMostEstimatorBytes) {
        context.TryCancel();
        (void)reader->Finish();
        return absl::DataLossError(
            absl::StrCat("the estimators of round ", round,
                         " are larger than estimators may be"));
      }
      bytes += chunk.chunk();
    }
    SOMAFIT_RETURN_IF_ERROR(Placed(reader->Finish()));
    return bytes;
  }

  absl::Status ReportTraining(const TrainerLease& lease,
                              const v1::TrainingSummary& summary,
                              const std::string& estimators) override {
    grpc::ClientContext context;
    Prepare(context, kTransfer);
    v1::ReportTrainerTaskResponse response;
    const auto writer = stub_->ReportTraining(&context, &response);
    v1::ReportTrainingRequest request;
    Name(lease, request);
    *request.mutable_summary() = summary;
    bool wanted = true;
    for (size_t at = 0; at < estimators.size() && wanted; at += kChunk) {
      request.set_chunk(estimators.substr(at, kChunk));
      wanted = writer->Write(request);
      request.Clear();
    }
    writer->WritesDone();
    return Placed(writer->Finish());
  }

  absl::Status ReportDraws(const TrainerLease& lease,
                           const std::vector<std::string>& messages,
                           const std::vector<double>& theta) override {
    constexpr size_t kNumbers = kChunk / sizeof(double);
    grpc::ClientContext context;
    Prepare(context, kTransfer);
    v1::ReportTrainerTaskResponse response;
    const auto writer = stub_->ReportDraws(&context, &response);
    v1::ReportDrawsRequest request;
    Name(lease, request);
    request.mutable_messages()->Add(messages.begin(), messages.end());
    bool wanted = true;
    for (size_t at = 0; at < theta.size() && wanted; at += kNumbers) {
      const size_t n = std::min(kNumbers, theta.size() - at);
      request.mutable_theta()->Add(
          theta.begin() + static_cast<int64_t>(at),
          theta.begin() + static_cast<int64_t>(at + n));
      wanted = writer->Write(request);
      request.Clear();
    }
    writer->WritesDone();
    return Placed(writer->Finish());
  }

  absl::Status ReportAnswer(
      const TrainerLease& lease,
      const std::vector<v1::PosteriorAnswer>& answers) override {
    grpc::ClientContext context;
    Prepare(context, kTransfer);
    v1::ReportTrainerTaskResponse response;
    const auto writer = stub_->ReportAnswer(&context, &response);
    v1::ReportAnswerRequest request;
    Name(lease, request);
    for (const v1::PosteriorAnswer& answer : answers) {
      *request.mutable_answer() = answer;
      if (!writer->Write(request)) break;
      request.Clear();
    }
    writer->WritesDone();
    return Placed(writer->Finish());
  }

  absl::Status Release(const TrainerLease& lease) override {
    return ReportFailure(lease, "", false);
  }

  absl::Status ReportFailure(const TrainerLease& lease,
                             const std::string& message, bool final) override {
    v1::ReportTrainerFailureRequest request;
    Name(lease, request);
    request.set_message(message);
    request.set_final(final);
    v1::ReportTrainerTaskResponse response;
    grpc::ClientContext context;
    Prepare(context, kUnary);
    return Placed(stub_->ReportTrainerFailure(&context, request, &response));
  }

 private:
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

  const std::string address_;
  const std::string token_;
  const std::unique_ptr<v1::TrainerService::Stub> stub_;
  std::mutex mutex_;
  grpc::ClientContext* waiting_ = nullptr;
  bool stopped_ = false;
};

}  // namespace

absl::StatusOr<std::shared_ptr<TrainerPort>> ConnectTrainerByEndpointFile(
    const std::string& path) {
  SOMAFIT_ASSIGN_OR_RETURN(const v1::Endpoint endpoint, LoadEndpoint(path));
  return std::make_shared<GrpcPort>(endpoint);
}

}  // namespace somafit
