#include <chrono>
#include <thread>

#include <gmock/gmock.h>

#include "proto/convert/traces.h"
#include "tests/server/rpc/service_fixture.h"

namespace somafit {
namespace {

using testing::HasSubstr;

// Requests for traces as clients and workers see them.
class TraceServiceTest : public ServiceTest {
 protected:
  static v1::GenerateTracesRequest Request(const std::string& fit,
                                           const std::vector<double>& points) {
    v1::GenerateTracesRequest request;
    request.set_name(fit);
    request.add_outputs("v");
    request.add_outputs("I");
    request.add_parameters("g");
    request.mutable_points()->Add(points.begin(), points.end());
    return request;
  }

  struct Generated {
    grpc::Status status;
    std::vector<v1::GenerateTracesResponse> messages;
  };
  Generated Generate(const v1::GenerateTracesRequest& request) {
    const auto context = Soon();
    const auto reader = fits_->GenerateTraces(context.get(), request);
    Generated generated;
    v1::GenerateTracesResponse message;
    while (reader->Read(&message)) generated.messages.push_back(message);
    generated.status = reader->Finish();
    return generated;
  }

  // Recordings of the task: number k of point g is g + k.
  grpc::Status Report(const std::string& session, const v1::Task& task,
                      int missing = 0) {
    const RecordingShape shape(2, {50, 50});
    const auto context = Soon();
    v1::ReportTracesResponse response;
    const auto writer = workers_->ReportTraces(context.get(), &response);
    for (int i = 0; i < task.points_size(); ++i) {
      Recording recording;
      for (size_t k = 0; k < shape.size(); ++k) {
        recording.push_back(task.points(i) + static_cast<double>(k));
      }
      v1::ReportTracesRequest request;
      request.set_session(session);
      request.set_lease(task.lease());
      size_t bytes = 0;
      TraceCutter cutter(shape, task.first_sample() + i, recording);
      EXPECT_TRUE(cutter.Cut(request.mutable_pieces(), &bytes));
      for (int m = 0; m < missing; ++m) {
        request.mutable_pieces()->RemoveLast();
      }
      if (!writer->Write(request)) break;
    }
    writer->WritesDone();
    return writer->Finish();
  }
};

TEST_F(TraceServiceTest, TracesComeInOrderAfterAHeader) {
  const v1::Fit fit = Create(ExampleSpec(5, 0));
  Generated generated;
  std::vector<double> points;
  for (int i = 0; i < 100; ++i) points.push_back(i);
  std::thread client(
      [&] { generated = Generate(Request(fit.name(), points)); });
  const std::string session = Register();
  for (int done = 0; done < 100;) {
    const v1::Task task = Lease(session);
    ASSERT_GT(task.points_size(), 0);
    EXPECT_EQ(task.fit(), fit.name());
    EXPECT_EQ(task.first_sample(), done);
    EXPECT_THAT(task.recorded(), testing::ElementsAre("v", "I"));
    EXPECT_EQ(task.experiment().metrics_size(), 0);
    const grpc::Status reported = Report(session, task);
    EXPECT_TRUE(reported.ok()) << reported.error_message();
    done += task.points_size();
  }
  client.join();
  ASSERT_TRUE(generated.status.ok()) << generated.status.error_message();
  ASSERT_GT(generated.messages.size(), 1u);
  const v1::TraceHeader& header = generated.messages[0].header();
  EXPECT_EQ(generated.messages[0].pieces_size(), 0);
  ASSERT_EQ(header.outputs_size(), 2);
  EXPECT_EQ(header.outputs(0).display_unit(), "mV");
  EXPECT_EQ(header.outputs(1).si_unit(), "amp");
  EXPECT_EQ(header.points(), 100);
  EXPECT_THAT(header.steps(), testing::ElementsAre(50, 50));
  EXPECT_EQ(header.dt(), 1e-4);
  EXPECT_FALSE(header.has_sample());
  TraceAssembler assembler(RecordingShape(2, {50, 50}), 0, 100);
  for (size_t i = 1; i < generated.messages.size(); ++i) {
    const absl::Status added = assembler.Add(
        generated.messages[i].pieces(), [](int64_t point, Recording recording) {
          EXPECT_EQ(recording[7], static_cast<double>(point) + 7);
          return absl::OkStatus();
        });
    EXPECT_TRUE(added.ok()) << added;
  }
  EXPECT_TRUE(assembler.complete());
}

TEST_F(TraceServiceTest, TheBestSampleIsNamed) {
  const v1::Fit fit = Create(ExampleSpec(5, 1));
  v1::GenerateTracesRequest request = Request(fit.name(), {});
  request.clear_parameters();
  request.set_best(true);
  EXPECT_EQ(Generate(request).status.error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
  const std::string session = Register();
  Work(session, fit.name());
  const v1::Fit ended = Get(fit.name());
  Generated generated;
  std::thread client([&] { generated = Generate(request); });
  const v1::Task task = Lease(session);
  EXPECT_THAT(task.points(),
              testing::ElementsAreArray(ended.best_parameters()));
  EXPECT_TRUE(Report(session, task).ok());
  client.join();
  EXPECT_TRUE(generated.status.ok());
  EXPECT_EQ(generated.messages[0].header().sample(), ended.best_sample());
}

TEST_F(TraceServiceTest, RefusesWhatCannotBe) {
  const v1::Fit fit = Create(ExampleSpec(5, 0));
  using R = v1::GenerateTracesRequest;
  struct Case {
    std::function<void(R&)> change;
    const char* message;
  };
  for (const Case& c : std::vector<Case>{
           {[](R& r) { r.set_name("x"); }, "name: "},
           {[](R& r) { r.clear_outputs(); }, "outputs: has 0 names"},
           {[](R& r) { r.add_outputs("v"); }, "\"v\" is given twice"},
           {[](R& r) { r.add_outputs("\n"); }, "no variable"},
           {[](R& r) { r.add_outputs(std::string(300, 'v')); }, "too long"},
           {[](R& r) { r.set_best(true); }, "best: "},
           {[](R& r) { r.clear_parameters(); }, "parameters: is empty"},
           {[](R& r) { r.set_parameters(0, "h"); }, "parameters: "},
           {[](R& r) { r.clear_points(); }, "points: "},
           {[](R& r) { r.set_points(0, NAN); }, "points: "},
       }) {
    R request = Request(fit.name(), {1});
    c.change(request);
    const grpc::Status status = Generate(request).status;
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_THAT(status.error_message(), HasSubstr(c.message));
  }
  EXPECT_EQ(Generate(Request("fits/nobody", {1})).status.error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TEST_F(TraceServiceTest, RefusesReportsThatDoNotFit) {
  const v1::Fit fit = Create(ExampleSpec(5, 0));
  std::thread client([&] { (void)Generate(Request(fit.name(), {1, 2})); });
  const std::string session = Register();
  v1::Task task = Lease(session);
  EXPECT_EQ(Report(session, task, 1).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  v1::Task other = task;
  other.set_first_sample(1);
  EXPECT_EQ(Report(session, other).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  other = task;
  other.clear_points();
  EXPECT_EQ(Report(session, other).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  other = task;
  other.set_lease("nobody's");
  EXPECT_EQ(Report(session, other).error_code(), grpc::StatusCode::NOT_FOUND);
  // Refused reports changed nothing.
  while (!task.lease().empty() && Report(session, task).ok()) {
    if (task.first_sample() + task.points_size() == 2) break;
    task = Lease(session);
  }
  client.join();
}

TEST_F(TraceServiceTest, WhoLeavesEndsTheLease) {
  const v1::Fit fit = Create(ExampleSpec(5, 0));
  grpc::ClientContext leaving;
  const auto reader =
      fits_->GenerateTraces(&leaving, Request(fit.name(), {1, 2}));
  const std::string session = Register();
  const v1::Task task = Lease(session);
  ASSERT_FALSE(task.lease().empty());
  leaving.TryCancel();
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  v1::HeartbeatRequest request;
  request.set_session(session);
  request.add_leases(task.lease());
  v1::HeartbeatResponse response;
  for (int i = 0; i < 100 && response.ended().empty(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_TRUE(workers_->Heartbeat(Soon().get(), request, &response).ok());
  }
  EXPECT_THAT(response.ended(), testing::ElementsAre(task.lease()));
  EXPECT_EQ(Report(session, task).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(TraceServiceTest, AFailureAndAStopReachTheClient) {
  v1::FitSpec spec = ExampleSpec(5, 0);
  spec.mutable_execution()->set_max_attempts(1);
  const v1::Fit fit = Create(spec);
  Generated generated;
  std::thread client([&] { generated = Generate(Request(fit.name(), {1})); });
  const std::string session = Register();
  const v1::Task task = Lease(session);
  v1::ReportResultsRequest report;
  report.set_session(session);
  report.set_lease(task.lease());
  report.set_fit(task.fit());
  report.set_failure("out of memory");
  v1::ReportResultsResponse response;
  EXPECT_TRUE(workers_->ReportResults(Soon().get(), report, &response).ok());
  client.join();
  EXPECT_EQ(generated.status.error_code(), grpc::StatusCode::ABORTED);
  EXPECT_THAT(generated.status.error_message(),
              HasSubstr("point 0 could not be simulated, given up after 1 "
                        "attempt: out of memory"));
  client = std::thread([&] { generated = Generate(Request(fit.name(), {1})); });
  EXPECT_FALSE(Lease(session).lease().empty());
  const auto begin = std::chrono::steady_clock::now();
  StopServer();
  client.join();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(3));
  EXPECT_EQ(generated.status.error_code(), grpc::StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace somafit
