#include <chrono>
#include <filesystem>

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include "proto/convert/status.h"
#include "server/rpc/rpc_server.h"
#include "server/store/sqlite_store.h"
#include "somafit/v1/fit_service.grpc.pb.h"
#include "somafit/v1/worker_service.grpc.pb.h"
#include "tests/server/rpc/service_fixture.h"

namespace somafit {
namespace {

constexpr char kToken[] = "0123456789abcdef0123456789abcdef";

// A coordinator on TCP.
class AccessTest : public testing::Test {
 protected:
  void SetUp() override {
    spdlog::set_level(spdlog::level::off);
    std::string pattern = testing::TempDir() + "/somafit_access_XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    auto store = SqliteStore::Open(directory_ + "/fits.db");
    ASSERT_TRUE(store.ok()) << store.status();
    RpcServerOptions options;
    options.listen.host = "127.0.0.1";
    options.token = kToken;
    auto server = RpcServer::Start(std::move(options), *std::move(store));
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    ASSERT_NE(server_->address().port, 0);
    const auto channel = grpc::CreateChannel(
        server_->address().Text(), grpc::InsecureChannelCredentials());
    fits_ = v1::FitService::NewStub(channel);
    workers_ = v1::WorkerService::NewStub(channel);
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove_all(directory_);
  }

  static std::unique_ptr<grpc::ClientContext> With(const std::string& value) {
    auto context = Soon();
    if (!value.empty()) context->AddMetadata("authorization", value);
    return context;
  }

  std::string directory_;
  std::unique_ptr<RpcServer> server_;
  std::unique_ptr<v1::FitService::Stub> fits_;
  std::unique_ptr<v1::WorkerService::Stub> workers_;
};

TEST_F(AccessTest, TheTokenOpens) {
  v1::ServerInfo info;
  const grpc::Status status = fits_->GetServerInfo(
      With(std::string("Bearer ") + kToken).get(), {}, &info);
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(AccessTest, EveryCallNeedsTheToken) {
  const std::string wrong[] = {"",
                               "Bearer ",
                               kToken,
                               "Bearer x",
                               std::string("Bearer ") + kToken + "0",
                               std::string("bearer ") + kToken};
  for (const std::string& value : wrong) {
    std::vector<std::pair<std::string, grpc::Status>> refused;
    const auto call = [&](const char* name, const auto& body) {
      const auto context = With(value);
      refused.emplace_back(name, body(context.get()));
    };
#define SOMAFIT_UNARY(stub, method, response)       \
  call(#method, [&](grpc::ClientContext* context) { \
    v1::response message;                           \
    return stub->method(context, {}, &message);     \
  })
    SOMAFIT_UNARY(fits_, CreateFit, Fit);
    SOMAFIT_UNARY(fits_, GetFit, Fit);
    SOMAFIT_UNARY(fits_, ListFits, ListFitsResponse);
    SOMAFIT_UNARY(fits_, PauseFit, Fit);
    SOMAFIT_UNARY(fits_, ResumeFit, Fit);
    SOMAFIT_UNARY(fits_, CancelFit, Fit);
    SOMAFIT_UNARY(fits_, DeleteFit, DeleteFitResponse);
    SOMAFIT_UNARY(fits_, AckRound, Fit);
    SOMAFIT_UNARY(fits_, EvaluatePoints, EvaluatePointsResponse);
    SOMAFIT_UNARY(fits_, ListSamples, ListSamplesResponse);
    SOMAFIT_UNARY(fits_, ListWorkers, ListWorkersResponse);
    SOMAFIT_UNARY(fits_, GetServerInfo, ServerInfo);
    SOMAFIT_UNARY(fits_, DescribeFamily, DescribeFamilyResponse);
    SOMAFIT_UNARY(workers_, Register, RegisterResponse);
    SOMAFIT_UNARY(workers_, LeaseTasks, LeaseTasksResponse);
    SOMAFIT_UNARY(workers_, Heartbeat, HeartbeatResponse);
    SOMAFIT_UNARY(workers_, ReportResults, ReportResultsResponse);
    SOMAFIT_UNARY(workers_, ReleaseTasks, ReleaseTasksResponse);
    SOMAFIT_UNARY(workers_, GetModel, Model);
#undef SOMAFIT_UNARY
    call("UploadDataset", [&](grpc::ClientContext* context) {
      v1::UploadDatasetResponse message;
      const auto writer = fits_->UploadDataset(context, &message);
      writer->WritesDone();
      return writer->Finish();
    });
    call("WatchFit", [&](grpc::ClientContext* context) {
      const auto reader = fits_->WatchFit(context, {});
      v1::FitEvent event;
      while (reader->Read(&event)) {
      }
      return reader->Finish();
    });
    call("GetDataset", [&](grpc::ClientContext* context) {
      const auto reader = workers_->GetDataset(context, {});
      v1::DatasetChunk chunk;
      while (reader->Read(&chunk)) {
      }
      return reader->Finish();
    });
    for (const auto& [name, status] : refused) {
      EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED)
          << name << " with \"" << value << "\": " << status.error_message();
      EXPECT_NE(status.error_message().find("token"), std::string::npos);
      EXPECT_NE(status.error_message().find("endpoint file"),
                std::string::npos);
      EXPECT_EQ(status.error_message().find(kToken), std::string::npos);
    }
  }
}

TEST_F(AccessTest, ASecondServerCannotShareThePort) {
  auto store = SqliteStore::Open(directory_ + "/other.db");
  ASSERT_TRUE(store.ok()) << store.status();
  RpcServerOptions options;
  options.listen = server_->address();
  options.token = kToken;
  const auto second = RpcServer::Start(std::move(options), *std::move(store));
  ASSERT_FALSE(second.ok());
  EXPECT_NE(
      std::string(second.status().message()).find(server_->address().Text()),
      std::string::npos)
      << second.status();
}

}  // namespace
}  // namespace somafit
