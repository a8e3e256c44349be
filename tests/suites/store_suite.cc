#include "tests/suites/store_suite.h"

#include <cmath>
#include <filesystem>
#include <future>
#include <limits>
#include <utility>

#include "proto/convert/digest.h"
#include "tests/suites/store_records.h"

// What every store does with fits and their rounds.

namespace somafit {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

void ExpectSameFit(const FitRecord& a, const FitRecord& b) {
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(EncodeModelSource(a.spec.model), EncodeModelSource(b.spec.model));
  EXPECT_EQ(a.spec.name, b.spec.name);
  EXPECT_EQ(a.spec.label, b.spec.label);
  EXPECT_EQ(a.spec.dataset, b.spec.dataset);
  EXPECT_EQ(a.spec.dt, b.spec.dt);
  ASSERT_EQ(a.spec.parameters.size(), b.spec.parameters.size());
  for (size_t i = 0; i < a.spec.parameters.size(); ++i) {
    EXPECT_EQ(a.spec.parameters[i].name, b.spec.parameters[i].name);
    EXPECT_EQ(a.spec.parameters[i].bounds, b.spec.parameters[i].bounds);
  }
  ASSERT_EQ(a.spec.metrics.size(), b.spec.metrics.size());
  for (size_t i = 0; i < a.spec.metrics.size(); ++i) {
    EXPECT_EQ(a.spec.metrics[i].output, b.spec.metrics[i].output);
    EXPECT_EQ(a.spec.metrics[i].options, b.spec.metrics[i].options);
    EXPECT_EQ(a.spec.metrics[i].t_weights, b.spec.metrics[i].t_weights);
  }
  EXPECT_EQ(a.spec.optimizer.name, b.spec.optimizer.name);
  EXPECT_EQ(a.spec.optimizer.options, b.spec.optimizer.options);
  EXPECT_EQ(a.spec.n_samples, b.spec.n_samples);
  EXPECT_EQ(a.spec.stop.rounds, b.spec.stop.rounds);
  EXPECT_EQ(a.spec.stop.evaluations, b.spec.stop.evaluations);
  EXPECT_EQ(a.spec.stop.target, b.spec.stop.target);
  EXPECT_EQ(a.spec.stop.time, b.spec.stop.time);
  EXPECT_EQ(a.spec.seed, b.spec.seed);
  EXPECT_EQ(a.spec.gate.enabled, b.spec.gate.enabled);
  EXPECT_EQ(a.spec.gate.timeout_s, b.spec.gate.timeout_s);
  EXPECT_EQ(a.spec.gate.then, b.spec.gate.then);
  EXPECT_EQ(a.spec.execution.task_timeout_s, b.spec.execution.task_timeout_s);
  EXPECT_EQ(a.spec.execution.max_attempts, b.spec.execution.max_attempts);
  EXPECT_EQ(a.model_hash, b.model_hash);
  ASSERT_EQ(a.parameters.size(), b.parameters.size());
  for (size_t i = 0; i < a.parameters.size(); ++i) {
    EXPECT_EQ(a.parameters[i].name, b.parameters[i].name);
    EXPECT_TRUE(a.parameters[i].dimension == b.parameters[i].dimension);
    EXPECT_EQ(a.parameters[i].lower, b.parameters[i].lower);
    EXPECT_EQ(a.parameters[i].upper, b.parameters[i].upper);
  }
  ASSERT_EQ(a.outputs.size(), b.outputs.size());
  for (size_t i = 0; i < a.outputs.size(); ++i) {
    EXPECT_EQ(a.outputs[i].name, b.outputs[i].name);
    EXPECT_TRUE(a.outputs[i].dimension == b.outputs[i].dimension);
  }
  EXPECT_TRUE(a.error_dimension == b.error_dimension);
  EXPECT_EQ(a.n_traces, b.n_traces);
  EXPECT_EQ(a.state, b.state);
  EXPECT_EQ(a.reason, b.reason);
  EXPECT_EQ(a.resume_state, b.resume_state);
  EXPECT_EQ(a.resume_reason, b.resume_reason);
  EXPECT_EQ(a.stage, b.stage);
  EXPECT_EQ(a.n_stages, b.n_stages);
  EXPECT_EQ(a.rounds, b.rounds);
  EXPECT_EQ(a.next_sample, b.next_sample);
  EXPECT_EQ(a.samples_done, b.samples_done);
  EXPECT_EQ(a.samples_failed, b.samples_failed);
  EXPECT_EQ(a.best_sample, b.best_sample);
  EXPECT_EQ(a.best_parameters, b.best_parameters);
  EXPECT_EQ(a.best_error, b.best_error);
  EXPECT_EQ(a.create_time_us, b.create_time_us);
  EXPECT_EQ(a.elapsed_s, b.elapsed_s);
  EXPECT_EQ(a.last_seq, b.last_seq);
  EXPECT_EQ(a.numerics_version, b.numerics_version);
}

}  // namespace

void StoreSuite::SetUp() {
  std::string pattern = ::testing::TempDir() + "/somafit-store-XXXXXX";
  ASSERT_NE(mkdtemp(pattern.data()), nullptr);
  folder_ = pattern;
  Open();
  ASSERT_NE(store_, nullptr);
}

void StoreSuite::TearDown() {
  store_.reset();
  std::filesystem::remove_all(folder_);
}

void StoreSuite::Commit(WriteSet writes) {
  std::promise<void> committed;
  store_->Submit(std::move(writes), [&] { committed.set_value(); });
  committed.get_future().get();
}

TEST_P(StoreSuite, KeepsEverythingOfAFitOverAReopening) {
  FitRecord fit = ExampleFit(3, "a-fit_1");
  Commit({NewFit{fit}, StageRecord{.fit = 3,
                                   .stage = 0,
                                   .kind = StageKind::kOptimize,
                                   .rounds = 0,
                                   .snapshot = ""}});
  fit.state = FitState::kRunning;
  fit.reason = "why";
  fit.resume_state = FitState::kPaused;
  fit.resume_reason = "USER";
  fit.n_stages = 2;
  fit.rounds = 4;
  fit.next_sample = 17;
  fit.samples_done = 11;
  fit.samples_failed = 2;
  fit.best_sample = 9;
  fit.best_parameters = {1.0 / 3, 5e-324};
  fit.best_error = 0.1;
  fit.elapsed_s = 1.0 / 7;
  fit.last_seq = 12;
  Commit({UpdatedFit{fit}});
  Reopen();
  const auto fits = store_->LoadFits();
  ASSERT_TRUE(fits.ok()) << fits.status();
  ASSERT_EQ(fits->size(), 1u);
  ExpectSameFit((*fits)[0].fit, fit);
  EXPECT_EQ(*store_->NextFitId(), 4);
}

TEST_P(StoreSuite, ReadsBackTheOpenRoundBitForBit) {
  const RoundRecord first = ExampleRound(1, 0, 0, 4);
  const RoundRecord second = ExampleRound(1, 1, 4, 3);
  const std::string snapshot("\0\1snapshot\xff", 11);
  Commit({NewFit{ExampleFit(1, "f")},
          StageRecord{1, 0, StageKind::kOptimize, 0, ""}, first});
  Commit({Results(1, {Result(0, 1), Result(1, 2), Result(2, 3), Result(3, 4)}),
          StageRecord{1, 0, StageKind::kOptimize, 1, snapshot}, second});
  RecordedSample infinite = Result(6, kInfinity);
  infinite.evaluation.status = SampleStatus::kNonfinite;
  Commit({Results(1, {Result(4, 0.1), infinite})});
  Reopen();
  const auto fits = store_->LoadFits();
  ASSERT_TRUE(fits.ok()) << fits.status();
  const StoredFit& stored = fits->at(0);
  ASSERT_EQ(stored.stages.size(), 1u);
  EXPECT_EQ(stored.stages[0].rounds, 1);
  EXPECT_EQ(stored.stages[0].snapshot, snapshot);
  ASSERT_EQ(stored.open_rounds.size(), 1u);
  const StoredRound& open = stored.open_rounds[0];
  EXPECT_EQ(open.round.stage, 0);
  EXPECT_EQ(open.round.round, 1);
  EXPECT_EQ(open.round.first_sample, 4);
  EXPECT_EQ(open.round.points, second.points);
  EXPECT_EQ(open.round.unit_points, second.unit_points);
  ASSERT_EQ(open.evaluations.size(), 3u);
  EXPECT_EQ(open.evaluations[0].status, SampleStatus::kOk);
  EXPECT_EQ(open.evaluations[0].total_error, 0.1);
  EXPECT_EQ(open.evaluations[1].status, SampleStatus::kDrawn);
  EXPECT_EQ(open.evaluations[2].status, SampleStatus::kNonfinite);
  EXPECT_TRUE(std::isnan(open.evaluations[2].total_error));
}

TEST_P(StoreSuite, EndedFitsComeWithoutSnapshotsAndRounds) {
  FitRecord fit = ExampleFit(1, "f");
  fit.state = FitState::kCancelled;
  Commit({NewFit{fit}, StageRecord{1, 0, StageKind::kOptimize, 0, "s"},
          ExampleRound(1, 0, 0, 4), UpdatedFit{fit}});
  const auto fits = store_->LoadFits();
  ASSERT_TRUE(fits.ok());
  EXPECT_EQ(fits->at(0).open_rounds.size(), 0u);
  EXPECT_EQ(fits->at(0).stages.at(0).snapshot, "");
}

TEST_P(StoreSuite, HasOneOpenRoundAStage) {
  RoundRecord points = ExampleRound(1, 0, 4, 2);
  points.stage = 1;
  points.unit_points.clear();
  Commit({NewFit{ExampleFit(1, "f")},
          StageRecord{1, 0, StageKind::kOptimize, 0, ""},
          ExampleRound(1, 0, 0, 4),
          StageRecord{1, 1, StageKind::kEvaluate, 0, ""}, points});
  auto fits = store_->LoadFits();
  ASSERT_TRUE(fits.ok());
  ASSERT_EQ(fits->at(0).open_rounds.size(), 2u);
  EXPECT_EQ(fits->at(0).open_rounds[1].round.stage, 1);
  EXPECT_EQ(fits->at(0).open_rounds[1].round.points, points.points);
  EXPECT_TRUE(fits->at(0).open_rounds[1].round.unit_points.empty());
  Commit({StageRecord{1, 1, StageKind::kEvaluate, 1, ""}});
  fits = store_->LoadFits();
  EXPECT_EQ(fits->at(0).open_rounds.size(), 1u);
  Commit({CancelledSamples{1}});
  fits = store_->LoadFits();
  EXPECT_EQ(fits->at(0).open_rounds.size(), 0u);
}

TEST_P(StoreSuite, RemembersHowAFitGoesOn) {
  FitRecord fit = ExampleFit(1, "f");
  Commit({NewFit{fit}, StageRecord{1, 0, StageKind::kOptimize, 0, "", fit.spec},
          StageRecord{1, 0, StageKind::kOptimize, 2, "state"}});
  EXPECT_EQ(*store_->LoadSnapshot(1, 0), "state");
  EXPECT_TRUE(absl::IsNotFound(store_->LoadSnapshot(1, 3).status()));
  fit.spec.n_samples = 77;
  fit.spec.penalty = "toll";
  fit.spec.start_iteration = -5;
  fit.spec.parameters[0].scale = "log";
  fit.spec.parameters[0].start = {"1*ms", "2*ms"};
  fit.spec.metrics[0].outputs = {"v", "w"};
  fit.parameters[0].upper = 3e-3;
  fit.parameters[1].lower = 1;
  fit.error_dimension = kNoDimension;
  Commit({StageRecord{1, 1, StageKind::kOptimize, 0, "", fit.spec},
          ChangedFit{fit}});
  Reopen();
  const auto fits = store_->LoadFits();
  ASSERT_TRUE(fits.ok()) << fits.status();
  const FitRecord& back = fits->at(0).fit;
  EXPECT_EQ(back.spec.n_samples, 77);
  EXPECT_EQ(back.spec.penalty, "toll");
  EXPECT_EQ(back.spec.start_iteration, -5);
  EXPECT_EQ(back.spec.parameters[0].scale, "log");
  EXPECT_EQ(back.spec.parameters[0].start, fit.spec.parameters[0].start);
  EXPECT_EQ(back.spec.metrics[0].outputs, fit.spec.metrics[0].outputs);
  EXPECT_EQ(back.parameters[0].upper, 3e-3);
  EXPECT_TRUE(back.parameters[1].fixed());
  EXPECT_TRUE(back.error_dimension == kNoDimension);
  EXPECT_EQ(back.outputs.size(), 2u);
  EXPECT_EQ(fits->at(0).stages.size(), 2u);
}

TEST_P(StoreSuite, DeletesAFitAndReusesItsNameNotItsId) {
  const FitRecord fit = ExampleFit(1, "f");
  Commit({NewFit{fit}, StageRecord{1, 0, StageKind::kOptimize, 0, ""},
          ExampleRound(1, 0, 0, 4), Event(1, 1)});
  Commit({DeletedFit{1, "f"}});
  EXPECT_TRUE(store_->LoadFits()->empty());
  EXPECT_TRUE(
      absl::IsNotFound(store_->ReadSamples(fit, std::nullopt, -1, 9).status()));
  EXPECT_TRUE(store_->ReadEvents(1, 0, 9)->empty());
  Reopen();
  EXPECT_EQ(*store_->NextFitId(), 2);
  Commit({NewFit{ExampleFit(2, "f")}, ExampleRound(2, 0, 0, 1)});
  EXPECT_EQ(
      store_->ReadSamples(ExampleFit(2, "f"), std::nullopt, -1, 9)->size(), 1u);
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StoreSuite);

}  // namespace somafit
