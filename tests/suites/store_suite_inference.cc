#include <limits>

#include "tests/suites/store_records.h"
#include "tests/suites/store_suite.h"

// What every store does with inferences.

namespace somafit {

TEST_P(StoreSuite, KeepsWhatAnInferenceLearns) {
  FitRecord fit = ExampleFit(1, "inf");
  fit.spec.metrics.clear();
  fit.spec.inference.emplace();
  fit.spec.inference->algorithm = "npe_b";
  fit.spec.inference->features = {{"v", "max", {{"t_end", "5*ms"}}, "v_max"},
                                  {"w", "last", {}, "stage"}};
  fit.spec.inference->observation = {1.0 / 3, -2};
  fit.spec.inference->estimator.embedding.resize(1);
  fit.spec.inference->estimator.embedding[0].padding = 0;
  fit.spec.inference->training.clip_max_norm = 0;
  fit.spec.parameters[0].prior = {"normal", {{"mean", "1*ms"}}};
  // The second feature is called like a column that there is.
  fit.outputs = {{"v_max", kVolt}, {"stage", kNoDimension}};
  RoundRecord round = ExampleRound(1, 0, 0, 3);
  round.unit_points.clear();
  RecordedSample result = Result(1, 21);
  result.evaluation.total_error = std::numeric_limits<double>::quiet_NaN();
  result.evaluation.output_errors_normalized.clear();
  EventRecord event = Event(1, 1);
  event.kind = EventRecord::Kind::kRound;
  event.training = std::string("\0sum", 4);
  Commit({NewFit{fit}, StageRecord{1, 0, StageKind::kOptimize, 0, ""}, round,
          Results(1, {result}), event,
          EstimatorRecord{1, 0, 0, std::string("\0est", 4), "first"},
          EstimatorRecord{1, 0, 1, std::string(3'000'000, 'x'), "second"}});
  Reopen();
  const auto fits = store_->LoadFits();
  ASSERT_TRUE(fits.ok()) << fits.status();
  EXPECT_EQ(fits->at(0).fit.spec.inference, fit.spec.inference);
  EXPECT_EQ(fits->at(0).fit.spec.parameters[0].prior,
            fit.spec.parameters[0].prior);
  ASSERT_EQ(fits->at(0).open_rounds.size(), 1u);
  EXPECT_EQ(fits->at(0).open_rounds[0].round.points, round.points);
  EXPECT_EQ(fits->at(0).open_rounds[0].round.n_to_come, 0);
  EXPECT_TRUE(fits->at(0).open_rounds[0].round.unit_points.empty());
  SampleQuery query;
  query.trace_errors = true;
  query.limit = 9;
  const auto rows = store_->ReadSamples(fit, query);
  ASSERT_TRUE(rows.ok()) << rows.status();
  ASSERT_EQ(rows->size(), 3u);
  EXPECT_EQ(rows->at(1).output_errors, result.evaluation.output_errors);
  EXPECT_TRUE(rows->at(1).output_errors_normalized.empty());
  EXPECT_EQ(rows->at(1).trace_errors.size(), 4u);
  EXPECT_EQ(store_->ReadEvents(1, 0, 9)->at(0).training, event.training);
  EXPECT_EQ(*store_->LoadEstimators(1, 0, 0), std::string("\0est", 4));
  EXPECT_EQ(store_->LoadEstimators(1, 0, 1)->size(), 3'000'000u);
  EXPECT_TRUE(absl::IsNotFound(store_->LoadEstimators(1, 0, 2).status()));
  const auto infos = store_->ListEstimators(1, 0);
  ASSERT_TRUE(infos.ok()) << infos.status();
  ASSERT_EQ(infos->size(), 2u);
  EXPECT_EQ(infos->at(1).round, 1);
  EXPECT_EQ(infos->at(1).bytes, 3'000'000);
  EXPECT_EQ(infos->at(1).summary, "second");
  Commit({DeletedFit{1, "inf"}});
  EXPECT_TRUE(store_->ListEstimators(1, 0)->empty());
}

TEST_P(StoreSuite, KeepsTheLatestCheckpointUntilItsRoundIsTrainedOn) {
  const CheckpointKey first{.fit = 1, .stage = 0, .round = 0, .member = 0};
  CheckpointKey second = first, next = first;
  second.member = 1;
  next.round = 1;
  EXPECT_TRUE(absl::IsNotFound(store_->LoadCheckpoint(first).status()));
  Commit({NewFit{ExampleFit(1, "inf")}});
  ASSERT_TRUE(store_->PutCheckpoint(first, std::string("\0old", 4)).ok());
  ASSERT_TRUE(store_->PutCheckpoint(first, std::string("\0new", 4)).ok());
  ASSERT_TRUE(store_->PutCheckpoint(second, "another net").ok());
  ASSERT_TRUE(store_->PutCheckpoint(next, "another round").ok());
  Reopen();
  EXPECT_EQ(*store_->LoadCheckpoint(first), std::string("\0new", 4));
  EXPECT_EQ(*store_->LoadCheckpoint(second), "another net");
  Commit({EstimatorRecord{1, 0, 0, "estimators", "summary"}});
  EXPECT_TRUE(absl::IsNotFound(store_->LoadCheckpoint(first).status()));
  EXPECT_TRUE(absl::IsNotFound(store_->LoadCheckpoint(second).status()));
  EXPECT_EQ(*store_->LoadCheckpoint(next), "another round");
  // One that came too late goes with the next start.
  ASSERT_TRUE(store_->PutCheckpoint(first, "late").ok());
  Reopen();
  EXPECT_TRUE(absl::IsNotFound(store_->LoadCheckpoint(first).status()));
  EXPECT_EQ(*store_->LoadCheckpoint(next), "another round");
  Commit({DeletedFit{1, "inf"}});
  EXPECT_TRUE(absl::IsNotFound(store_->LoadCheckpoint(next).status()));
}

TEST_P(StoreSuite, ARoundGrows) {
  RoundRecord round = ExampleRound(1, 0, 0, 3);
  round.unit_points.clear();
  DrawnSamples more{.fit = 1,
                    .stage = 0,
                    .round = 0,
                    .first_sample = 3,
                    .points = {round.points[0], round.points[1]},
                    .unit_points = {}};
  Commit({NewFit{ExampleFit(1, "inf")},
          StageRecord{1, 0, StageKind::kOptimize, 0, ""}, round, more});
  Reopen();
  const auto fits = store_->LoadFits();
  ASSERT_TRUE(fits.ok()) << fits.status();
  ASSERT_EQ(fits->at(0).open_rounds.size(), 1u);
  EXPECT_EQ(fits->at(0).open_rounds[0].round.points.size(), 5u);
  EXPECT_EQ(fits->at(0).open_rounds[0].round.n_to_come, 0);
  EXPECT_TRUE(fits->at(0).open_rounds[0].round.unit_points.empty());
}

}  // namespace somafit
