#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "server/rpc/rpc_server.h"
#include "somafit/v1/fit_service.grpc.pb.h"
#include "somafit/v1/worker_service.grpc.pb.h"

namespace somafit {

// A coordinator in this process, on a unix socket, with a database in a
// directory of its own. May be restarted on the same database.
class ServiceTest : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  void StartServer(double lease_s = 30, double wait_s = 20);
  void StopServer();

  // A passive membrane: one parameter "g", one output "v", two traces.
  static v1::FitSpec ExampleSpec(int64_t samples, int64_t rounds);
  std::string UploadExample();
  // Creates it (with the dataset uploaded) or fails the test.
  v1::Fit Create(v1::FitSpec spec);
  v1::Fit Get(const std::string& name);

  std::string Register();
  // The error that Finish records for a point: a bowl around 5e-9.
  static double ErrorOf(double g);
  v1::ReportResultsRequest ResultsOf(const std::string& session,
                                     const v1::Task& task);
  // One task, waiting at most 5 s; "" as lease if there was none.
  v1::Task Lease(const std::string& session);
  // Leases and reports until the fit has ended or `tasks` were done.
  void Work(const std::string& session, const std::string& fit,
            int tasks = 1'000'000);

  // Events after `after`, until the stream ends or `stop` returns true.
  std::vector<v1::FitEvent> Watch(
      const std::string& fit, int64_t after, grpc::Status* status = nullptr,
      const std::function<bool(const v1::FitEvent&)>& stop = nullptr);

  std::string directory_;
  std::unique_ptr<RpcServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::FitService::Stub> fits_;
  std::unique_ptr<v1::WorkerService::Stub> workers_;
};

// A context with a deadline of 20 s.
std::unique_ptr<grpc::ClientContext> Soon();

// ErrorInfo.reason of a status.
std::string ReasonIn(const grpc::Status& status);

}  // namespace somafit
