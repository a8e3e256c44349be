// The port over a real channel, against a service that remembers.

#include "server/trainer/grpc_port.h"

#include <filesystem>
#include <thread>
#include <unistd.h>

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "proto/convert/endpoint_file.h"
#include "somafit/v1/trainer_service.grpc.pb.h"

namespace somafit {
namespace {

using grpc::ServerContext;
using grpc::Status;

constexpr int kBlocks = 3;

class Service final : public v1::TrainerService::Service {
 public:
  Status RegisterTrainer(ServerContext* context,
                         const v1::RegisterTrainerRequest* request,
                         v1::RegisterTrainerResponse* response) override {
    const auto& metadata = context->client_metadata();
    const auto token = metadata.find("authorization");
    if (token == metadata.end() || token->second != "Bearer secret") {
      return {grpc::StatusCode::UNAUTHENTICATED, "wrong token"};
    }
    response->set_session("session of " + request->name());
    response->set_lease_seconds(7);
    return Status::OK;
  }
  Status LeaseTrainerTask(ServerContext* context,
                          const v1::LeaseTrainerTaskRequest* request,
                          v1::LeaseTrainerTaskResponse* response) override {
    if (request->session() == "patient") {
      while (!context->IsCancelled()) ::usleep(1000);
    } else if (request->session() == "busy") {
      response->mutable_task()->set_lease("lease");
    }
    return Status::OK;
  }
  Status TrainerHeartbeat(ServerContext*,
                          const v1::TrainerHeartbeatRequest* request,
                          v1::TrainerHeartbeatResponse* response) override {
    response->set_ended(request->activity() == "nothing");
    return Status::OK;
  }
  Status FetchSimulations(
      ServerContext*, const v1::FetchSimulationsRequest*,
      grpc::ServerWriter<v1::SimulationBlock>* writer) override {
    for (int i = 0; i < kBlocks; ++i) {
      v1::SimulationBlock block;
      block.add_round(i);
      writer->Write(block);
    }
    return Status::OK;
  }
  Status FetchEstimators(
      ServerContext*, const v1::FetchEstimatorsRequest* request,
      grpc::ServerWriter<v1::EstimatorsChunk>* writer) override {
    if (request->round() > 0) return {grpc::StatusCode::NOT_FOUND, "none"};
    for (const char* text : {"ab", "cd"}) {
      v1::EstimatorsChunk chunk;
      chunk.set_chunk(text);
      writer->Write(chunk);
    }
    return Status::OK;
  }
  Status ReportTraining(ServerContext*,
                        grpc::ServerReader<v1::ReportTrainingRequest>* reader,
                        v1::ReportTrainerTaskResponse*) override {
    return Collect<v1::ReportTrainingRequest>(reader, trainings);
  }
  Status ReportDraws(ServerContext*,
                     grpc::ServerReader<v1::ReportDrawsRequest>* reader,
                     v1::ReportTrainerTaskResponse*) override {
    return Collect<v1::ReportDrawsRequest>(reader, draws);
  }
  Status ReportAnswer(ServerContext*,
                      grpc::ServerReader<v1::ReportAnswerRequest>* reader,
                      v1::ReportTrainerTaskResponse*) override {
    return Collect<v1::ReportAnswerRequest>(reader, answers);
  }
  Status ReportTrainerFailure(ServerContext*,
                              const v1::ReportTrainerFailureRequest* request,
                              v1::ReportTrainerTaskResponse*) override {
    return {grpc::StatusCode::FAILED_PRECONDITION, request->message()};
  }

  std::vector<v1::ReportTrainingRequest> trainings;
  std::vector<v1::ReportDrawsRequest> draws;
  std::vector<v1::ReportAnswerRequest> answers;

 private:
  template <typename Request>
  static Status Collect(grpc::ServerReader<Request>* reader,
                        std::vector<Request>& all) {
    Request request;
    while (reader->Read(&request)) all.push_back(request);
    return Status::OK;
  }
};

class GrpcPortTest : public testing::Test {
 protected:
  GrpcPortTest() {
    std::string folder =
        (std::filesystem::temp_directory_path() / "somafit-XXXXXX").string();
    folder_ = ::mkdtemp(folder.data());
    const std::string address = "unix:" + (folder_ / "socket").string();
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address, grpc::InsecureServerCredentials());
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    endpoint_.set_address(address);
    endpoint_.set_token("secret");
    port_ = Connect();
  }
  ~GrpcPortTest() override {
    server_->Shutdown();
    std::filesystem::remove_all(folder_);
  }

  std::shared_ptr<TrainerPort> Connect() {
    const std::string path = (folder_ / "endpoint").string();
    EXPECT_TRUE(StoreEndpoint(path, endpoint_).ok());
    auto port = ConnectTrainerByEndpointFile(path);
    EXPECT_TRUE(port.ok()) << port.status();
    return *port;
  }

  std::filesystem::path folder_;
  Service service_;
  std::unique_ptr<grpc::Server> server_;
  v1::Endpoint endpoint_;
  std::shared_ptr<TrainerPort> port_;
  const TrainerLease lease_{"session", "lease"};
};

TEST_F(GrpcPortTest, RegistersWithItsToken) {
  const auto session =
      port_->Register({.name = "n", .host = "", .version = "", .threads = 1});
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_EQ(session->id, "session of n");
  EXPECT_EQ(session->lease_s, 7);
  endpoint_.set_token("guess");
  EXPECT_TRUE(absl::IsUnauthenticated(Connect()->Register({}).status()));
}

TEST_F(GrpcPortTest, LeasesAndStopsWaiting) {
  const auto none = port_->Lease("idle");
  ASSERT_TRUE(none.ok());
  EXPECT_FALSE(none->has_value());
  const auto task = port_->Lease("busy");
  ASSERT_TRUE(task.ok());
  EXPECT_EQ((*task)->lease(), "lease");
  std::thread stopping([this] {
    ::usleep(50'000);
    port_->StopWaiting();
  });
  EXPECT_TRUE(absl::IsCancelled(port_->Lease("patient").status()));
  stopping.join();
  EXPECT_TRUE(absl::IsCancelled(port_->Lease("busy").status()));
}

TEST_F(GrpcPortTest, HeartbeatsSayWhetherTheTaskHasEnded) {
  EXPECT_FALSE(*port_->Heartbeat(lease_, "much", {}));
  EXPECT_TRUE(*port_->Heartbeat(lease_, "nothing", {}));
}

TEST_F(GrpcPortTest, Fetches) {
  int seen = 0;
  EXPECT_TRUE(port_
                  ->FetchSimulations(lease_,
                                     [&](const v1::SimulationBlock& block) {
                                       EXPECT_EQ(block.round(0), seen++);
                                       return absl::OkStatus();
                                     })
                  .ok());
  EXPECT_EQ(seen, kBlocks);
  // What the sink says comes back.
  EXPECT_TRUE(absl::IsDataLoss(port_->FetchSimulations(
      lease_,
      [](const v1::SimulationBlock&) { return absl::DataLossError("no"); })));
  EXPECT_EQ(*port_->FetchEstimators(lease_, 0), "abcd");
  EXPECT_TRUE(absl::IsNotFound(port_->FetchEstimators(lease_, 1).status()));
}

TEST_F(GrpcPortTest, ReportsInParts) {
  constexpr size_t kMiB = size_t{1} << 20;
  v1::TrainingSummary summary;
  summary.set_simulations(9);
  const std::string bytes(2 * kMiB + 5, 'x');
  ASSERT_TRUE(port_->ReportTraining(lease_, summary, bytes).ok());
  ASSERT_EQ(service_.trainings.size(), 3u);
  EXPECT_EQ(service_.trainings[0].summary().simulations(), 9);
  EXPECT_EQ(service_.trainings[0].lease(), "lease");
  std::string joined;
  for (const auto& part : service_.trainings) {
    EXPECT_LE(part.chunk().size(), kMiB);
    joined += part.chunk();
  }
  EXPECT_EQ(joined, bytes);

  const std::vector<double> theta(kMiB / sizeof(double) + 1, 2.5);
  ASSERT_TRUE(port_->ReportDraws(lease_, {"said"}, theta).ok());
  ASSERT_EQ(service_.draws.size(), 2u);
  EXPECT_EQ(service_.draws[0].session(), "session");
  EXPECT_EQ(service_.draws[0].messages(0), "said");
  EXPECT_EQ(service_.draws[1].theta_size(), 1);
  EXPECT_EQ(service_.draws[1].messages_size(), 0);

  std::vector<v1::PosteriorAnswer> answers(2);
  answers[1].add_theta(3);
  ASSERT_TRUE(port_->ReportAnswer(lease_, answers).ok());
  ASSERT_EQ(service_.answers.size(), 2u);
  EXPECT_EQ(service_.answers[0].lease(), "lease");
  EXPECT_EQ(service_.answers[1].answer().theta(0), 3);

  const absl::Status refused = port_->ReportFailure(lease_, "broken", true);
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
}

TEST_F(GrpcPortTest, SaysWhoCannotBeReached) {
  server_->Shutdown();
  const absl::Status status = port_->Register({}).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              testing::HasSubstr(endpoint_.address()));
}

}  // namespace
}  // namespace somafit
