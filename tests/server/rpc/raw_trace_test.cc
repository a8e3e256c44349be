// Raw traces of an inference on their way: from a worker's report to a file,
// and from there to trainers and people. And TorchScript modules, which are
// refused.
#include <cmath>
#include <filesystem>

#include <gmock/gmock.h>

#include "proto/convert/evaluation.h"
#include "somafit/v1/trainer_service.grpc.pb.h"
#include "tests/server/rpc/service_fixture.h"

namespace somafit {
namespace {

using testing::HasSubstr;

class RawTraceTest : public ServiceTest {
 protected:
  // One of five of 50 steps of two traces: 20 numbers a sample.
  static constexpr size_t kColumns = 20;

  v1::Fit CreateRaw() {
    v1::FitSpec spec = ExampleSpec(12, 1);
    v1::FeatureSpec* const feature = spec.mutable_inference()->add_features();
    feature->set_output("v");
    feature->set_feature("trace");
    v1::NamedText* const every = feature->add_options();
    every->set_name("every");
    every->set_text("5");
    return Create(spec);
  }

  static v1::ReportResultsRequest ReportOf(const std::string& session,
                                           const v1::Task& task) {
    v1::ReportResultsRequest report;
    report.set_session(session);
    report.set_lease(task.lease());
    report.set_fit(task.fit());
    for (int i = 0; i < task.points_size(); ++i) {
      v1::SampleResult* const result = report.add_results();
      const int64_t sample = task.first_sample() + i;
      result->set_sample(sample);
      if (sample == 3) {
        result->set_status(v1::SAMPLE_STATUS_FAILED);
        continue;
      }
      result->set_status(v1::SAMPLE_STATUS_OK);
      std::vector<float> x(kColumns, static_cast<float>(sample));
      x[1] = static_cast<float>(task.points(i));
      result->set_raw_x(FloatBytes(x));
    }
    return report;
  }

  grpc::Status Report(const v1::ReportResultsRequest& report) {
    v1::ReportResultsResponse response;
    return workers_->ReportResults(Soon().get(), report, &response);
  }

  size_t CountFiles() {
    size_t n = 0;
    const std::string folder = directory_ + "/fits.db.blobs";
    if (!std::filesystem::exists(folder)) return 0;
    for (const auto& each : std::filesystem::directory_iterator(folder)) {
      n += each.is_regular_file() ? 1 : 0;
    }
    return n;
  }
};

TEST_F(RawTraceTest, AreKeptInFilesAndGivenOut) {
  const v1::Fit fit = CreateRaw();
  EXPECT_EQ(fit.outputs_size(), 0);
  const std::string session = Register();
  while (Get(fit.name()).samples_done() < 12) {
    const v1::Task task = Lease(session);
    ASSERT_FALSE(task.lease().empty());
    EXPECT_EQ(task.experiment().features(0).feature(), "trace");
    const v1::ReportResultsRequest report = ReportOf(session, task);
    const grpc::Status status = Report(report);
    ASSERT_TRUE(status.ok()) << status.error_message();
    // Once more changes nothing, and writes nothing.
    const size_t files = CountFiles();
    EXPECT_GT(files, 0u);
    v1::ReportResultsRequest again = report;
    for (v1::SampleResult& result : *again.mutable_results()) {
      if (!result.raw_x().empty()) {
        result.set_raw_x(FloatBytes(std::vector<float>(kColumns, -1)));
      }
    }
    EXPECT_TRUE(Report(again).ok());
    EXPECT_EQ(CountFiles(), files);
  }
  // People.
  v1::ListSamplesRequest list;
  list.set_name(fit.name());
  list.set_trace_errors(true);
  list.set_page_size(7);
  std::string all;
  do {
    v1::ListSamplesResponse response;
    const grpc::Status status =
        fits_->ListSamples(Soon().get(), list, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.samples().raw_x().size(),
              response.samples().sample_size() * kColumns * sizeof(float));
    all += response.samples().raw_x();
    list.set_page_token(response.next_page_token());
  } while (!list.page_token().empty());
  std::vector<float> x;
  AppendFloats(all, x);
  ASSERT_EQ(x.size(), 12 * kColumns);
  for (size_t i = 0; i < 12; ++i) {
    if (i == 3) {
      EXPECT_TRUE(std::isnan(x[i * kColumns]));
    } else {
      EXPECT_EQ(x[i * kColumns], static_cast<float>(i));
    }
  }
  // Trainers.
  const auto trainers = v1::TrainerService::NewStub(channel_);
  v1::RegisterTrainerRequest hello;
  hello.set_name("t");
  v1::RegisterTrainerResponse welcome;
  ASSERT_TRUE(trainers->RegisterTrainer(Soon().get(), hello, &welcome).ok());
  v1::LeaseTrainerTaskRequest ask;
  ask.set_session(welcome.session());
  v1::LeaseTrainerTaskResponse leased;
  ASSERT_TRUE(trainers->LeaseTrainerTask(Soon().get(), ask, &leased).ok());
  const v1::InferenceProblem& problem = leased.task().problem();
  EXPECT_EQ(problem.features_size(), 0);
  ASSERT_EQ(problem.trace_columns_size(), 2);
  EXPECT_EQ(problem.trace_columns(1).count(), 10);
  EXPECT_EQ(problem.observation_size(), static_cast<int>(kColumns));
  v1::FetchSimulationsRequest fetch;
  fetch.set_session(welcome.session());
  fetch.set_lease(leased.task().lease());
  const auto context = Soon();
  const auto reader = trainers->FetchSimulations(context.get(), fetch);
  v1::SimulationBlock block;
  std::string fetched;
  while (reader->Read(&block)) {
    EXPECT_EQ(block.x_size(), 0);
    fetched += block.raw_x();
  }
  ASSERT_TRUE(reader->Finish().ok());
  EXPECT_TRUE(fetched == all);
  // They go with the inference.
  v1::CancelFitRequest cancel;
  cancel.set_name(fit.name());
  v1::Fit cancelled;
  ASSERT_TRUE(fits_->CancelFit(Soon().get(), cancel, &cancelled).ok());
  v1::DeleteFitRequest remove;
  remove.set_name(fit.name());
  v1::DeleteFitResponse removed;
  ASSERT_TRUE(fits_->DeleteFit(Soon().get(), remove, &removed).ok());
  EXPECT_EQ(CountFiles(), 0u);
}

TEST_F(RawTraceTest, OfAnotherSizeAreRefused) {
  CreateRaw();
  const std::string session = Register();
  const v1::Task task = Lease(session);
  for (const size_t size : {size_t{0}, kColumns * 4 - 1, kColumns * 4 + 4}) {
    v1::ReportResultsRequest report = ReportOf(session, task);
    report.mutable_results(0)->set_raw_x(std::string(size, 'x'));
    const grpc::Status status = Report(report);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_THAT(status.error_message(), HasSubstr("bytes in raw_x"));
  }
  EXPECT_EQ(CountFiles(), 0u);
}

TEST_F(RawTraceTest, ScriptsAreRefusedWithoutTheFlag) {
  v1::UploadScriptResponse response;
  const auto context = Soon();
  const auto writer = fits_->UploadScript(context.get(), &response);
  v1::UploadScriptRequest request;
  request.set_chunk("module");
  writer->Write(request);
  writer->WritesDone();
  const grpc::Status status = writer->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(ReasonIn(status), "SCRIPTS_NOT_ALLOWED");
}

}  // namespace
}  // namespace somafit
