#include <chrono>
#include <thread>

#include "proto/convert/digest.h"
#include "proto/convert/spec.h"
#include "tests/server/rpc/service_fixture.h"
#include "worker/core/base/elementary.h"

namespace somafit {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

using WorkerServiceTest = ServiceTest;

TEST_F(WorkerServiceTest, AWaitingWorkerGetsWorkAtOnce) {
  const std::string session = Register();
  v1::Task task;
  std::thread worker([&] { task = Lease(session); });
  std::this_thread::sleep_for(milliseconds(200));
  const auto begin = Clock::now();
  const v1::Fit fit = Create(ExampleSpec(5, 1));
  worker.join();
  EXPECT_LT(Clock::now() - begin, seconds(2));
  EXPECT_EQ(task.fit(), fit.name());
  EXPECT_GT(task.points_size(), 0);
  EXPECT_EQ(task.experiment().parameters(0), "g");
  EXPECT_EQ(task.experiment().dt(), 1e-4);
  EXPECT_EQ(task.experiment().metrics_size(), 1);
}

TEST_F(WorkerServiceTest, AWaitEnds) {
  StopServer();
  StartServer(30, 0.3);
  const std::string session = Register();
  const auto begin = Clock::now();
  v1::LeaseTasksRequest request;
  request.set_session(session);
  request.set_max_tasks(1);
  v1::LeaseTasksResponse response;
  const grpc::Status status =
      workers_->LeaseTasks(Soon().get(), request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.tasks_size(), 0);
  EXPECT_GE(Clock::now() - begin, milliseconds(250));
  EXPECT_LT(Clock::now() - begin, seconds(3));
}

TEST_F(WorkerServiceTest, ACancelledWaitTakesNoTask) {
  const std::string session = Register();
  v1::LeaseTasksRequest request;
  request.set_session(session);
  request.set_max_tasks(1);
  {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + milliseconds(200));
    v1::LeaseTasksResponse response;
    EXPECT_EQ(workers_->LeaseTasks(&context, request, &response).error_code(),
              grpc::StatusCode::DEADLINE_EXCEEDED);
  }
  std::this_thread::sleep_for(milliseconds(200));
  const v1::Fit fit = Create(ExampleSpec(1, 1));
  // The only task there is goes to the worker that still asks.
  const v1::Task task = Lease(Register());
  EXPECT_EQ(task.fit(), fit.name());
}

TEST_F(WorkerServiceTest, StopsWithWaitingWorkers) {
  const std::string session = Register();
  v1::LeaseTasksRequest request;
  request.set_session(session);
  request.set_max_tasks(1);
  std::vector<std::thread> waiting;
  for (int i = 0; i < 10; ++i) {
    waiting.emplace_back([&] {
      v1::LeaseTasksResponse response;
      EXPECT_EQ(
          workers_->LeaseTasks(Soon().get(), request, &response).error_code(),
          grpc::StatusCode::UNAVAILABLE);
    });
  }
  std::this_thread::sleep_for(milliseconds(200));
  const auto begin = Clock::now();
  StopServer();
  EXPECT_LT(Clock::now() - begin, seconds(3));
  for (std::thread& thread : waiting) thread.join();
}

TEST_F(WorkerServiceTest, ASilentWorkersTaskGoesToAnother) {
  StopServer();
  StartServer(0.5);
  const v1::Fit fit = Create(ExampleSpec(1, 1));
  const std::string silent = Register(), other = Register();
  const v1::Task lost = Lease(silent);
  ASSERT_FALSE(lost.lease().empty());
  const auto begin = Clock::now();
  const v1::Task again = Lease(other);
  EXPECT_LT(Clock::now() - begin, seconds(3));
  EXPECT_EQ(again.first_sample(), lost.first_sample());
  EXPECT_NE(again.lease(), lost.lease());
  // The late report is taken, the other one is a repeat.
  v1::ReportResultsResponse response;
  ASSERT_TRUE(
      workers_->ReportResults(Soon().get(), ResultsOf(silent, lost), &response)
          .ok());
  EXPECT_EQ(response.already_recorded(), 0);
  ASSERT_TRUE(
      workers_->ReportResults(Soon().get(), ResultsOf(other, again), &response)
          .ok());
  EXPECT_EQ(response.already_recorded(), 1);
  EXPECT_EQ(Get(fit.name()).samples_done(), 1);
}

TEST_F(WorkerServiceTest, HeartbeatsNameEndedLeases) {
  const v1::Fit fit = Create(ExampleSpec(4, 1));
  const std::string session = Register();
  const v1::Task task = Lease(session);
  v1::HeartbeatRequest request;
  request.set_session(session);
  request.add_leases(task.lease());
  request.add_leases("unknown");
  v1::HeartbeatResponse response;
  ASSERT_TRUE(workers_->Heartbeat(Soon().get(), request, &response).ok());
  ASSERT_EQ(response.ended_size(), 1);
  EXPECT_EQ(response.ended(0), "unknown");
  v1::CancelFitRequest cancel;
  cancel.set_name(fit.name());
  v1::Fit cancelled;
  ASSERT_TRUE(fits_->CancelFit(Soon().get(), cancel, &cancelled).ok());
  response.Clear();
  ASSERT_TRUE(workers_->Heartbeat(Soon().get(), request, &response).ok());
  EXPECT_EQ(response.ended_size(), 2);
}

TEST_F(WorkerServiceTest, ReleasedTasksAreLeasedAgain) {
  Create(ExampleSpec(1, 1));
  const std::string first = Register(), second = Register();
  const v1::Task task = Lease(first);
  v1::ReleaseTasksRequest request;
  request.set_session(first);
  request.add_leases(task.lease());
  v1::ReleaseTasksResponse response;
  ASSERT_TRUE(workers_->ReleaseTasks(Soon().get(), request, &response).ok());
  EXPECT_EQ(Lease(second).first_sample(), task.first_sample());
}

TEST_F(WorkerServiceTest, AnUnknownSessionRegistersAgain) {
  v1::LeaseTasksRequest request;
  request.set_session("nobody");
  request.set_max_tasks(1);
  v1::LeaseTasksResponse response;
  const grpc::Status status =
      workers_->LeaseTasks(Soon().get(), request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(ReasonIn(status), "SESSION_UNKNOWN");
}

TEST_F(WorkerServiceTest, OtherNumericsAreRefused) {
  v1::RegisterRequest request;
  request.set_name("w");
  request.set_threads(1);
  request.set_numerics_version(kNumericsVersion + 1);
  v1::RegisterResponse response;
  const grpc::Status status =
      workers_->Register(Soon().get(), request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_NE(status.error_message().find(std::to_string(kNumericsVersion + 1)),
            std::string::npos);
}

TEST_F(WorkerServiceTest, ModelsAndDatasetsComeByTheirHash) {
  Create(ExampleSpec(1, 1));
  const v1::Task task = Lease(Register());
  v1::GetModelRequest get;
  get.set_model(task.experiment().model());
  v1::Model model;
  ASSERT_TRUE(workers_->GetModel(Soon().get(), get, &model).ok());
  EXPECT_EQ(Sha256Hex(EncodeModelSource(FromProto(model))), get.model());
  v1::GetDatasetRequest request;
  request.set_dataset(task.experiment().dataset());
  const auto context = Soon();
  const auto reader = workers_->GetDataset(context.get(), request);
  std::string bytes;
  v1::DatasetChunk chunk;
  while (reader->Read(&chunk)) bytes += chunk.chunk();
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(Sha256Hex(bytes), request.dataset());
}

TEST_F(WorkerServiceTest, ResultsOfTheWrongShapeAreRefused) {
  const v1::Fit fit = Create(ExampleSpec(1, 1));
  const std::string session = Register();
  const v1::Task task = Lease(session);
  v1::ReportResultsRequest report = ResultsOf(session, task);
  report.mutable_results(0)->add_trace_error(1);
  v1::ReportResultsResponse response;
  const grpc::Status status =
      workers_->ReportResults(Soon().get(), report, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ReasonIn(status), "SHAPE_MISMATCH");
  EXPECT_EQ(Get(fit.name()).samples_done(), 0);
}

}  // namespace
}  // namespace somafit
