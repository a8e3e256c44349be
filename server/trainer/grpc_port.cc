#include "server/trainer/grpc_port.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include <grpcpp/grpcpp.h>

#include "proto/convert/endpoint_file.h"
#include "somafit/v1/trainer_service.grpc.pb.h"
#include "worker/core/base/status.h"
#include "worker/session/coordinator_channel.h"

namespace somafit {
namespace {

constexpr size_t kMostScriptBytes = size_t{6} << 20;
constexpr size_t kChunk = size_t{1} << 20;
constexpr size_t kMostEstimatorBytes = size_t{1} << 30;

template <typename Request>
void Name(const TrainerLease& lease, Request& request) {
  request.set_session(lease.session);
  request.set_lease(lease.lease);
}

// In messages, of which the first has what `request` has.
template <typename Request>
void WriteChunks(const std::string& bytes, Request& request,
                 grpc::ClientWriter<Request>& writer) {
  bool wanted = true;
  for (size_t at = 0; at < bytes.size() && wanted; at += kChunk) {
    request.set_chunk(bytes.substr(at, kChunk));
    wanted = writer.Write(request);
    request.Clear();
  }
  writer.WritesDone();
}

class GrpcPort final : public TrainerPort {
 public:
  explicit GrpcPort(const v1::Endpoint& endpoint)
      : channel_(endpoint),
        stub_(v1::TrainerService::NewStub(channel_.channel())) {}

  absl::StatusOr<Session> Register(const Identity& identity) override {
    v1::RegisterTrainerRequest request;
    request.set_name(identity.name);
    request.set_host(identity.host);
    request.set_version(identity.version);
    v1::RegisterTrainerResponse response;
    grpc::ClientContext context;
    channel_.Prepare(context, kUnaryLimit);
    SOMAFIT_RETURN_IF_ERROR(
        channel_.Placed(stub_->RegisterTrainer(&context, request, &response)));
    return Session{response.session(), response.lease_seconds()};
  }

  absl::StatusOr<std::optional<v1::TrainerTask>> Lease(
      const std::string& session) override {
    v1::LeaseTrainerTaskRequest request;
    request.set_session(session);
    v1::LeaseTrainerTaskResponse response;
    SOMAFIT_RETURN_IF_ERROR(channel_.Wait([&](grpc::ClientContext* context) {
      return stub_->LeaseTrainerTask(context, request, &response);
    }));
    std::optional<v1::TrainerTask> task;
    if (response.has_task()) task = std::move(*response.mutable_task());
    return task;
  }

  void StopWaiting() override { channel_.StopWaiting(); }

  absl::StatusOr<bool> Heartbeat(
      const TrainerLease& lease, const std::string& activity,
      const std::vector<v1::EpochReport>& epochs) override {
    v1::TrainerHeartbeatRequest request;
    Name(lease, request);
    request.set_activity(activity);
    request.mutable_epochs()->Add(epochs.begin(), epochs.end());
    v1::TrainerHeartbeatResponse response;
    grpc::ClientContext context;
    channel_.Prepare(context, kUnaryLimit);
    SOMAFIT_RETURN_IF_ERROR(
        channel_.Placed(stub_->TrainerHeartbeat(&context, request, &response)));
    return response.ended();
  }

  absl::Status FetchSimulations(const TrainerLease& lease,
                                const BlockSink& sink) override {
    v1::FetchSimulationsRequest request;
    Name(lease, request);
    grpc::ClientContext context;
    channel_.Prepare(context, kTransferLimit);
    const auto reader = stub_->FetchSimulations(&context, request);
    v1::SimulationBlock block;
    while (reader->Read(&block)) {
      if (absl::Status refused = sink(block); !refused.ok()) {
        context.TryCancel();
        (void)reader->Finish();
        return refused;
      }
    }
    return channel_.Placed(reader->Finish());
  }

  absl::StatusOr<std::string> FetchScript(const TrainerLease& lease) override {
    v1::FetchScriptRequest request;
    Name(lease, request);
    grpc::ClientContext context;
    channel_.Prepare(context, kTransferLimit);
    const auto reader = stub_->FetchScript(&context, request);
    return channel_.ReadChunks(
        context, *reader, kMostScriptBytes,
        "the TorchScript module is larger than modules may be");
  }

  absl::StatusOr<std::string> FetchEstimators(const TrainerLease& lease,
                                              int64_t round) override {
    v1::FetchEstimatorsRequest request;
    Name(lease, request);
    request.set_round(round);
    grpc::ClientContext context;
    channel_.Prepare(context, kTransferLimit);
    const auto reader = stub_->FetchEstimators(&context, request);
    return channel_.ReadChunks(
        context, *reader, kMostEstimatorBytes,
        absl::StrCat("the estimators of round ", round,
                     " are larger than estimators may be"));
  }

  absl::StatusOr<std::string> FetchCheckpoint(const TrainerLease& lease,
                                              int member) override {
    v1::FetchCheckpointRequest request;
    Name(lease, request);
    request.set_member(member);
    grpc::ClientContext context;
    channel_.Prepare(context, kTransferLimit);
    const auto reader = stub_->FetchCheckpoint(&context, request);
    return channel_.ReadChunks(context, *reader, kMostEstimatorBytes,
                               "a checkpoint is larger than they may be");
  }

  absl::Status ReportCheckpoint(const TrainerLease& lease, int member,
                                const std::string& bytes) override {
    grpc::ClientContext context;
    channel_.Prepare(context, kTransferLimit);
    v1::ReportTrainerTaskResponse response;
    const auto writer = stub_->ReportCheckpoint(&context, &response);
    v1::ReportCheckpointRequest request;
    Name(lease, request);
    request.set_member(member);
    WriteChunks(bytes, request, *writer);
    return channel_.Placed(writer->Finish());
  }

  absl::Status ReportTraining(const TrainerLease& lease,
                              const v1::TrainingSummary& summary,
                              const std::string& estimators) override {
    grpc::ClientContext context;
    channel_.Prepare(context, kTransferLimit);
    v1::ReportTrainerTaskResponse response;
    const auto writer = stub_->ReportTraining(&context, &response);
    v1::ReportTrainingRequest request;
    Name(lease, request);
    *request.mutable_summary() = summary;
    WriteChunks(estimators, request, *writer);
    return channel_.Placed(writer->Finish());
  }

  absl::Status ReportDraws(const TrainerLease& lease,
                           const std::vector<std::string>& messages,
                           const std::vector<double>& theta) override {
    constexpr size_t kNumbers = kChunk / sizeof(double);
    grpc::ClientContext context;
    channel_.Prepare(context, kTransferLimit);
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
    return channel_.Placed(writer->Finish());
  }

  absl::Status ReportAnswer(
      const TrainerLease& lease,
      const std::vector<v1::PosteriorAnswer>& answers) override {
    grpc::ClientContext context;
    channel_.Prepare(context, kTransferLimit);
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
    return channel_.Placed(writer->Finish());
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
    channel_.Prepare(context, kUnaryLimit);
    return channel_.Placed(
        stub_->ReportTrainerFailure(&context, request, &response));
  }

 private:
  CoordinatorChannel channel_;
  const std::unique_ptr<v1::TrainerService::Stub> stub_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<TrainerPort>> ConnectTrainerByEndpointFile(
    const std::string& path) {
  SOMAFIT_ASSIGN_OR_RETURN(const v1::Endpoint endpoint, LoadEndpoint(path));
  return std::make_shared<GrpcPort>(endpoint);
}

}  // namespace somafit
