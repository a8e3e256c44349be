#include <map>
#include <set>
#include <thread>

#include "proto/convert/digest.h"
#include "tests/server/rpc/service_fixture.h"

namespace somafit {
namespace {

using FitServiceTest = ServiceTest;

TEST_F(FitServiceTest, AWholeFit) {
  const v1::Fit fit = Create(ExampleSpec(20, 3));
  EXPECT_EQ(fit.state(), v1::FIT_STATE_RUNNING);
  EXPECT_EQ(fit.parameters(0).si_unit(), "siemens");
  EXPECT_DOUBLE_EQ(fit.parameters(0).upper(), 1e-7);
  EXPECT_EQ(fit.outputs(0).display_unit(), "mV");
  EXPECT_EQ(fit.total_error().display_unit(), "mV^2");
  const std::string session = Register();
  Work(session, fit.name());
  const v1::Fit ended = Get(fit.name());
  EXPECT_EQ(ended.state(), v1::FIT_STATE_SUCCEEDED);
  EXPECT_EQ(ended.state_reason(), "ROUNDS");
  EXPECT_EQ(ended.samples_done(), 60);
  EXPECT_EQ(ended.rounds(), 3);

  v1::ListSamplesRequest request;
  request.set_name(fit.name());
  request.set_page_size(7);
  std::vector<int64_t> numbers;
  double best = INFINITY;
  while (true) {
    v1::ListSamplesResponse page;
    ASSERT_TRUE(fits_->ListSamples(Soon().get(), request, &page).ok());
    EXPECT_LE(page.samples().sample_size(), 7);
    for (int i = 0; i < page.samples().sample_size(); ++i) {
      numbers.push_back(page.samples().sample(i));
      EXPECT_EQ(page.samples().total_error(i),
                ErrorOf(page.samples().parameters(i)));
      best = std::min(best, page.samples().total_error(i));
    }
    if (page.next_page_token().empty()) break;
    request.set_page_token(page.next_page_token());
  }
  ASSERT_EQ(numbers.size(), 60);
  for (int64_t i = 0; i < 60; ++i) EXPECT_EQ(numbers[i], i);
  EXPECT_EQ(ended.best_error(), best);
  // The token belongs to the request that it answered.
  request.set_stage(0);
  request.set_page_token("nonsense");
  v1::ListSamplesResponse page;
  EXPECT_EQ(ReasonIn(fits_->ListSamples(Soon().get(), request, &page)),
            "BAD_PAGE_TOKEN");
}

TEST_F(FitServiceTest, ARepeatedRequestChangesNothing) {
  v1::CreateFitRequest request;
  *request.mutable_fit() = ExampleSpec(10, 2);
  request.mutable_fit()->set_dataset(UploadExample());
  request.set_request_id("6ba7b810-9dad-11d1-80b4-00c04fd430c8");
  constexpr int kTimes = 100;
  std::vector<v1::Fit> fits(kTimes);
  std::vector<grpc::Status> statuses(kTimes);
  std::vector<std::thread> threads;
  for (int i = 0; i < kTimes; ++i) {
    threads.emplace_back([&, i] {
      statuses[i] = fits_->CreateFit(Soon().get(), request, &fits[i]);
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<std::string> replies;
  for (int i = 0; i < kTimes; ++i) {
    ASSERT_TRUE(statuses[i].ok()) << statuses[i].error_message();
    replies.insert(fits[i].SerializeAsString());
  }
  EXPECT_EQ(replies.size(), 1);
  v1::ServerInfo info;
  ASSERT_TRUE(fits_->GetServerInfo(Soon().get(), {}, &info).ok());
  EXPECT_EQ(info.fits(), 1);

  // Also after a restart, from the store.
  StopServer();
  StartServer();
  v1::Fit again;
  ASSERT_TRUE(fits_->CreateFit(Soon().get(), request, &again).ok());
  EXPECT_EQ(again.SerializeAsString(), *replies.begin());
  // Another body, another method.
  request.mutable_fit()->set_seed(8);
  grpc::Status status = fits_->CreateFit(Soon().get(), request, &again);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ReasonIn(status), "REQUEST_ID_REUSED");
  v1::PauseFitRequest pause;
  pause.set_name(fits[0].name());
  pause.set_request_id(request.request_id());
  EXPECT_EQ(ReasonIn(fits_->PauseFit(Soon().get(), pause, &again)),
            "REQUEST_ID_REUSED");
  EXPECT_EQ(Get(fits[0].name()).state(), v1::FIT_STATE_RUNNING);
}

TEST_F(FitServiceTest, AFailedRequestIsNotRemembered) {
  v1::PauseFitRequest pause;
  pause.set_name("fits/later");
  pause.set_request_id("id-1");
  v1::Fit fit;
  EXPECT_EQ(fits_->PauseFit(Soon().get(), pause, &fit).error_code(),
            grpc::StatusCode::NOT_FOUND);
  v1::FitSpec spec = ExampleSpec(10, 2);
  spec.set_name("later");
  Create(spec);
  EXPECT_TRUE(fits_->PauseFit(Soon().get(), pause, &fit).ok());
  EXPECT_EQ(fit.state(), v1::FIT_STATE_PAUSED);
  // The repeat of what succeeded is answered from memory, not tried again.
  v1::Fit again;
  EXPECT_TRUE(fits_->PauseFit(Soon().get(), pause, &again).ok());
  EXPECT_EQ(again.SerializeAsString(), fit.SerializeAsString());
}

TEST_F(FitServiceTest, ValidateOnlyStoresNothing) {
  v1::CreateFitRequest request;
  *request.mutable_fit() = ExampleSpec(10, 2);
  request.mutable_fit()->set_name("maybe");
  request.mutable_fit()->set_dataset(UploadExample());
  request.set_validate_only(true);
  v1::Fit fit;
  const grpc::Status status = fits_->CreateFit(Soon().get(), request, &fit);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(fit.name(), "fits/maybe");
  v1::ListFitsResponse list;
  ASSERT_TRUE(fits_->ListFits(Soon().get(), {}, &list).ok());
  EXPECT_EQ(list.fits_size(), 0);
}

TEST_F(FitServiceTest, AModelsErrorsComeAllAtOnce) {
  v1::CreateFitRequest request;
  *request.mutable_fit() = ExampleSpec(10, 2);
  request.mutable_fit()->mutable_model()->set_equations(
      "dv/dt = (g*(El - v) + I)/Cx : volt\ng : siemenss (constant)\n");
  request.mutable_fit()->set_dataset(UploadExample());
  v1::Fit fit;
  const grpc::Status status = fits_->CreateFit(Soon().get(), request, &fit);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_NE(status.error_message().find("siemenss"), std::string::npos);
  EXPECT_NE(status.error_message().find("Cx"), std::string::npos);
  EXPECT_EQ(ReasonIn(status).rfind("E_", 0), 0) << ReasonIn(status);
}

TEST_F(FitServiceTest, ListsInPages) {
  std::vector<std::string> names;
  for (int i = 0; i < 5; ++i) names.push_back(Create(ExampleSpec(2, 1)).name());
  v1::ListFitsRequest request;
  request.set_page_size(2);
  std::vector<std::string> listed;
  int pages = 0;
  do {
    v1::ListFitsResponse page;
    ASSERT_TRUE(fits_->ListFits(Soon().get(), request, &page).ok());
    for (const v1::Fit& fit : page.fits()) {
      listed.push_back(fit.name());
      EXPECT_FALSE(fit.spec().has_model());
    }
    request.set_page_token(page.next_page_token());
    ++pages;
  } while (!request.page_token().empty());
  EXPECT_EQ(listed, names);
  EXPECT_EQ(pages, 3);
}

TEST_F(FitServiceTest, EvaluatesPointsOfAFitThatEnded) {
  v1::FitSpec spec = ExampleSpec(4, 1);
  const v1::Fit fit = Create(spec);
  v1::EvaluatePointsRequest request;
  request.set_name(fit.name());
  request.add_parameters("g");
  for (const double g : {1e-9, 5e-9, 1e-6}) request.add_points(g);
  v1::EvaluatePointsResponse response;
  EXPECT_EQ(
      fits_->EvaluatePoints(Soon().get(), request, &response).error_code(),
      grpc::StatusCode::FAILED_PRECONDITION);
  const std::string session = Register();
  Work(session, fit.name());
  ASSERT_EQ(Get(fit.name()).state(), v1::FIT_STATE_SUCCEEDED);
  const grpc::Status status =
      fits_->EvaluatePoints(Soon().get(), request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.first_sample(), 4);
  EXPECT_EQ(response.count(), 3);
  Work(session, fit.name());
  v1::ListSamplesRequest list;
  list.set_name(fit.name());
  list.set_stage(response.stage());
  v1::ListSamplesResponse page;
  ASSERT_TRUE(fits_->ListSamples(Soon().get(), list, &page).ok());
  ASSERT_EQ(page.samples().sample_size(), 3);
  EXPECT_EQ(page.samples().parameters(2), 1e-6);
  EXPECT_EQ(page.samples().total_error(1), ErrorOf(5e-9));
  EXPECT_EQ(Get(fit.name()).state(), v1::FIT_STATE_SUCCEEDED);
}

TEST_F(FitServiceTest, DeletesWhatHasEnded) {
  const v1::Fit fit = Create(ExampleSpec(4, 1));
  v1::DeleteFitRequest request;
  request.set_name(fit.name());
  v1::DeleteFitResponse response;
  EXPECT_EQ(fits_->DeleteFit(Soon().get(), request, &response).error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
  v1::CancelFitRequest cancel;
  cancel.set_name(fit.name());
  v1::Fit cancelled;
  ASSERT_TRUE(fits_->CancelFit(Soon().get(), cancel, &cancelled).ok());
  EXPECT_EQ(cancelled.state(), v1::FIT_STATE_CANCELLED);
  ASSERT_TRUE(fits_->DeleteFit(Soon().get(), request, &response).ok());
  v1::GetFitRequest get;
  get.set_name(fit.name());
  v1::Fit gone;
  const grpc::Status status = fits_->GetFit(Soon().get(), get, &gone);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_FALSE(ReasonIn(status).empty());
  v1::ServerInfo info;
  ASSERT_TRUE(fits_->GetServerInfo(Soon().get(), {}, &info).ok());
  EXPECT_EQ(info.fits(), 0);
}

TEST_F(FitServiceTest, ARestartedCoordinatorGoesOn) {
  const v1::Fit fit = Create(ExampleSpec(20, 4));
  Work(Register(), fit.name(), 4);
  const int64_t done = Get(fit.name()).samples_done();
  EXPECT_GT(done, 0);
  StopServer();
  StartServer();
  EXPECT_EQ(Get(fit.name()).samples_done(), done);
  Work(Register(), fit.name());
  EXPECT_EQ(Get(fit.name()).state(), v1::FIT_STATE_SUCCEEDED);
  EXPECT_EQ(Get(fit.name()).samples_done(), 80);
}

TEST_F(FitServiceTest, AGateWaitsForItsAnswer) {
  v1::FitSpec spec = ExampleSpec(4, 5);
  spec.mutable_gate()->set_enabled(true);
  const v1::Fit fit = Create(spec);
  const std::string session = Register();
  Work(session, fit.name());
  ASSERT_EQ(Get(fit.name()).state(), v1::FIT_STATE_GATED);
  v1::AckRoundRequest request;
  request.set_name(fit.name());
  request.set_stage(0);
  request.set_round(0);
  request.set_decision(v1::GATE_DECISION_CONTINUE);
  v1::Fit after;
  ASSERT_TRUE(fits_->AckRound(Soon().get(), request, &after).ok());
  EXPECT_EQ(after.state(), v1::FIT_STATE_RUNNING);
  Work(session, fit.name());
  request.set_round(1);
  request.set_decision(v1::GATE_DECISION_STOP);
  ASSERT_TRUE(fits_->AckRound(Soon().get(), request, &after).ok());
  EXPECT_EQ(after.state(), v1::FIT_STATE_SUCCEEDED);
  EXPECT_EQ(after.samples_done(), 8);
}

TEST_F(FitServiceTest, DescribesFamilies) {
  for (const char* family : {"optimizers", "metrics", "features"}) {
    v1::DescribeFamilyRequest request;
    request.set_family(family);
    v1::DescribeFamilyResponse response;
    ASSERT_TRUE(fits_->DescribeFamily(Soon().get(), request, &response).ok());
    EXPECT_GT(response.members_size(), 0);
    EXPECT_FALSE(response.members(0).summary().empty());
  }
}

}  // namespace
}  // namespace somafit
