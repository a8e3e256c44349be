#include "tests/suites/store_suite.h"

#include <atomic>
#include <cmath>
#include <filesystem>
#include <future>
#include <limits>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include <gmock/gmock.h>

#include "proto/convert/digest.h"

namespace somafit {
namespace {

using ::testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
const Dimension kVolt({2, 1, -3, -1, 0, 0, 0});

FitRecord ExampleFit(int64_t id, const std::string& name) {
  FitRecord fit;
  fit.id = id;
  fit.name = name;
  fit.spec.name = name;
  fit.spec.label = "label";
  fit.spec.model = {.equations = "dv/dt = -v/tau : volt\ntau : second",
                    .method = "euler",
                    .constants = {{"El", "-65*mV"}},
                    .initial_values = {{"v", "El"}}};
  fit.spec.dataset = std::string(64, 'd');
  fit.spec.dt = "0.1*ms";
  fit.spec.parameters = {{"tau", "[1*ms, 2*ms]"}, {"Stage", "[0, 1]"}};
  fit.spec.metrics = {{"v", "mse", {{"t_start", "5*ms"}}, {}},
                      {"w", "mse", {}, {0.1, 1.0 / 3}}};
  fit.spec.optimizer = {"de", {{"F", "0.7"}}};
  fit.spec.n_samples = 3;
  fit.spec.stop.rounds = 0;
  fit.spec.stop.target = "1e-6*volt**2";
  fit.spec.seed = 0xffffffffffffffff;
  fit.spec.gate = {
      .enabled = true, .timeout_s = 12.5, .then = GateTimeout::kContinue};
  fit.spec.execution = {.task_timeout_s = 7, .max_attempts = 3};
  fit.model_hash = std::string(64, 'a');
  fit.parameters = {{"tau", kTimeDimension, 1e-3, 2e-3},
                    {"Stage", kNoDimension, 0, 1}};
  fit.outputs = {{"v", kVolt}, {"w", kNoDimension}};
  fit.error_dimension = kVolt.Power(0.5);
  fit.n_traces = 2;
  fit.create_time_us = 1234567890123;
  fit.numerics_version = 5;
  return fit;
}

RoundRecord ExampleRound(int64_t fit, int64_t round, int64_t first, int64_t n) {
  RoundRecord record;
  record.fit = fit;
  record.round = round;
  record.first_sample = first;
  for (int64_t i = 0; i < n; ++i) {
    const double u = 1.0 / (3.0 + static_cast<double>(first + i));
    record.points.push_back({1e-3 * (1 + u), u});
    record.unit_points.push_back({u, u / 7});
  }
  return record;
}

RecordedSample Result(int64_t sample, double error) {
  Evaluation evaluation;
  evaluation.status = SampleStatus::kOk;
  evaluation.total_error = error;
  evaluation.output_errors = {error / 3, error / 7};
  evaluation.output_errors_normalized = {error, error / 11};
  evaluation.trace_errors = {1, 2, 3, kNan};
  return {sample, evaluation};
}

EventRecord Event(int64_t fit, int64_t seq) {
  EventRecord event;
  event.fit = fit;
  event.seq = seq;
  return event;
}

ResultsRecord Results(int64_t fit, std::vector<RecordedSample> samples) {
  return {.fit = fit,
          .worker = "worker",
          .microseconds = 1000,
          .numerics_version = 5,
          .samples = std::move(samples)};
}

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

TEST_P(StoreSuite, RecordsEachSampleOnce) {
  const FitRecord fit = ExampleFit(1, "f");
  Commit({NewFit{fit}, StageRecord{1, 0, StageKind::kOptimize, 0, ""},
          ExampleRound(1, 0, 0, 4)});
  Commit({Results(1, {Result(1, 0.25)})});
  RecordedSample failed = Result(2, kNan);
  failed.evaluation.status = SampleStatus::kFailed;
  failed.evaluation.reason = "no \"luck\"";
  Commit({Results(1, {Result(1, 99), failed})});
  Commit({CancelledSamples{1}, Results(1, {Result(0, 99)})});
  const auto rows = store_->ReadSamples(fit, std::nullopt, -1, 100);
  ASSERT_TRUE(rows.ok()) << rows.status();
  ASSERT_EQ(rows->size(), 4u);
  EXPECT_EQ((*rows)[0].status, SampleStatus::kCancelled);
  EXPECT_EQ((*rows)[1].status, SampleStatus::kOk);
  EXPECT_EQ((*rows)[1].total_error, 0.25);
  EXPECT_EQ((*rows)[1].output_errors,
            (std::vector<double>{0.25 / 3, 0.25 / 7}));
  EXPECT_EQ((*rows)[1].output_errors_normalized,
            (std::vector<double>{0.25, 0.25 / 11}));
  EXPECT_EQ((*rows)[1].parameters, ExampleRound(1, 0, 0, 4).points[1]);
  EXPECT_EQ((*rows)[2].status, SampleStatus::kFailed);
  EXPECT_TRUE(std::isnan((*rows)[2].total_error));
  EXPECT_EQ((*rows)[3].status, SampleStatus::kCancelled);
}

TEST_P(StoreSuite, PagesSamplesByStage) {
  const FitRecord fit = ExampleFit(1, "f");
  RoundRecord points = ExampleRound(1, 0, 4, 2);
  points.stage = 1;
  Commit({NewFit{fit}, StageRecord{1, 0, StageKind::kOptimize, 0, ""},
          ExampleRound(1, 0, 0, 4), points, ExampleRound(1, 1, 6, 4)});
  auto numbers = [&](std::optional<int32_t> stage, int64_t after,
                     int64_t limit) {
    std::string text;
    const auto rows = store_->ReadSamples(fit, stage, after, limit);
    if (!rows.ok()) return rows.status().ToString();
    for (const SampleRow& row : *rows) {
      absl::StrAppend(&text, row.sample, ":", row.stage, ":", row.round, " ");
    }
    return text;
  };
  EXPECT_EQ(numbers(std::nullopt, 2, 3), "3:0:0 4:1:0 5:1:0 ");
  EXPECT_EQ(numbers(0, 2, 3), "3:0:0 6:0:1 7:0:1 ");
  EXPECT_EQ(numbers(1, -1, 100), "4:1:0 5:1:0 ");
  EXPECT_EQ(numbers(1, 5, 100), "");
  EXPECT_EQ(numbers(7, -1, 100), "");
}

TEST_P(StoreSuite, FiltersAndOrdersSamples) {
  const FitRecord fit = ExampleFit(1, "f");
  RoundRecord second = ExampleRound(1, 0, 5, 5);
  second.stage = 1;
  Commit({NewFit{fit}, StageRecord{1, 0, StageKind::kOptimize, 0, ""},
          ExampleRound(1, 0, 0, 5), second});
  RecordedSample broken = Result(2, kNan);
  broken.evaluation.status = SampleStatus::kNonfinite;
  RecordedSample tolled = Result(7, 0.5);
  tolled.evaluation.penalty = 0.125;
  Commit({Results(1, {Result(0, 0.5), Result(1, 0.25), broken, Result(3, 0.25),
                      Result(5, 0.75), Result(6, 0.1), tolled})});
  const auto numbers = [&](SampleQuery query) {
    std::string text;
    query.limit = query.limit == 0 ? 100 : query.limit;
    const auto rows = store_->ReadSamples(fit, query);
    if (!rows.ok()) return std::string(rows.status().message());
    for (const SampleRow& row : *rows) absl::StrAppend(&text, row.sample, " ");
    return text;
  };
  SampleQuery best;
  best.order_by = "total_error";
  EXPECT_EQ(numbers(best), "6 1 3 0 7 5 ");
  best.stage = 0;
  EXPECT_EQ(numbers(best), "1 3 0 ");
  best.descending = true;
  EXPECT_EQ(numbers(best), "0 3 1 ");
  // Pages join without gaps or repeats, where errors are equal too.
  for (const bool descending : {false, true}) {
    SampleQuery pages;
    pages.order_by = "total_error";
    pages.descending = descending;
    const std::string whole = numbers(pages);
    for (const int64_t size : {1, 2, 3}) {
      std::string joined;
      SampleQuery page = pages;
      page.limit = size;
      for (std::string part = numbers(page); !part.empty();
           part = numbers(page)) {
        joined += part;
        page.after_sample = store_->ReadSamples(fit, page)->back().sample;
      }
      EXPECT_EQ(joined, whole);
    }
  }
  SampleQuery backwards;
  backwards.descending = true;
  EXPECT_EQ(numbers(backwards), "9 8 7 6 5 4 3 2 1 0 ");
  backwards.after_sample = 3;
  EXPECT_EQ(numbers(backwards), "2 1 0 ");
  SampleQuery open;
  open.status = {SampleStatus::kDrawn, SampleStatus::kNonfinite};
  EXPECT_EQ(numbers(open), "2 4 8 9 ");
  SampleQuery within;
  within.ranges = {{"total_error", 0.2, 0.5}};
  EXPECT_EQ(numbers(within), "0 1 3 7 ");
  within.ranges.push_back({"stage", 1, {}});
  EXPECT_EQ(numbers(within), "7 ");
  within.ranges = {{"penalty", {}, {}}};
  EXPECT_EQ(numbers(within), "7 ");
  within.stage = 0;
  EXPECT_EQ(numbers(within), "");
  SampleQuery unknown;
  unknown.order_by = "total_eror";
  EXPECT_THAT(numbers(unknown), HasSubstr("did you mean \"total_error\""));
  unknown.order_by = "";
  unknown.ranges = {{"worker\" OR 1=1 --", 0, 1}};
  EXPECT_THAT(numbers(unknown), HasSubstr("no column of numbers"));
  SampleQuery details;
  details.ranges = {{"sample", 7, 7}};
  details.trace_errors = true;
  details.limit = 1;
  const auto rows = store_->ReadSamples(fit, details);
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(rows->at(0).penalty, 0.125);
  EXPECT_THAT(rows->at(0).trace_errors,
              ::testing::ElementsAre(1, 2, 3, ::testing::IsNan()));
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
  result.evaluation.total_error = kNan;
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

TEST_P(StoreSuite, ReadsEventsBySequenceNumber) {
  Commit({NewFit{ExampleFit(1, "f")}});
  EventRecord state = Event(1, 1);
  state.time_us = 77;
  state.state = FitState::kPaused;
  state.reason = "USER";
  EventRecord round = Event(1, 2);
  round.time_us = 78;
  round.kind = EventRecord::Kind::kRound;
  round.stage = 1;
  round.round = 2;
  round.first_sample = 3;
  round.n_samples = 4;
  round.best_sample = 5;
  round.best_parameters = {1.0 / 3};
  round.best_error = 0.1;
  round.gated = true;
  Commit({state, round, Event(2, 1)});
  const auto events = store_->ReadEvents(1, 0, 9);
  ASSERT_TRUE(events.ok()) << events.status();
  ASSERT_EQ(events->size(), 2u);
  EXPECT_EQ((*events)[0].kind, EventRecord::Kind::kState);
  EXPECT_EQ((*events)[0].state, FitState::kPaused);
  EXPECT_EQ((*events)[0].reason, "USER");
  EXPECT_EQ((*events)[0].time_us, 77);
  EXPECT_EQ((*events)[1].kind, EventRecord::Kind::kRound);
  EXPECT_EQ((*events)[1].stage, 1);
  EXPECT_EQ((*events)[1].round, 2);
  EXPECT_EQ((*events)[1].first_sample, 3);
  EXPECT_EQ((*events)[1].n_samples, 4);
  EXPECT_EQ((*events)[1].best_sample, 5);
  EXPECT_EQ((*events)[1].best_parameters, round.best_parameters);
  EXPECT_EQ((*events)[1].best_error, 0.1);
  EXPECT_TRUE((*events)[1].gated);
  EXPECT_EQ(store_->ReadEvents(1, 1, 9)->size(), 1u);
  EXPECT_EQ(store_->ReadEvents(1, 0, 1)->size(), 1u);
}

TEST_P(StoreSuite, KeepsTheFirstAnswerToARequest) {
  const RequestRecord request{"id", "CreateFit", "hash",
                              std::string("\0bytes", 6), 1'000'000};
  RequestRecord again = request;
  again.response = "other";
  Commit({request});
  Commit({again});
  const auto found = store_->FindRequest("id");
  ASSERT_TRUE(found.ok() && found->has_value());
  EXPECT_EQ((*found)->method, "CreateFit");
  EXPECT_EQ((*found)->body_hash, "hash");
  EXPECT_EQ((*found)->response, request.response);
  EXPECT_EQ((*found)->time_us, 1'000'000);
  EXPECT_FALSE(store_->FindRequest("no")->has_value());
}

TEST_P(StoreSuite, KeepsModelsByHash) {
  const ModelSource source = ExampleFit(1, "f").spec.model;
  Commit({ModelRecord{"m", source}, ModelRecord{"m", source}});
  const auto found = store_->LoadModel("m");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(EncodeModelSource(*found), EncodeModelSource(source));
  EXPECT_TRUE(absl::IsNotFound(store_->LoadModel("n").status()));
}

TEST_P(StoreSuite, KeepsSmallAndLargeDatasets) {
  for (const size_t size : {size_t{0}, size_t{1000}, size_t{3'000'000}}) {
    std::string bytes(size, 'x');
    if (size > 0) bytes[size / 2] = '\0';
    const std::string hash = Sha256Hex(bytes);
    EXPECT_TRUE(absl::IsNotFound(store_->LoadDataset(hash).status()));
    ASSERT_TRUE(store_->PutDataset(hash, bytes).ok());
    ASSERT_TRUE(store_->PutDataset(hash, bytes).ok());
    Reopen();
    const auto found = store_->LoadDataset(hash);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_TRUE(*found == bytes);
  }
  EXPECT_TRUE(
      absl::IsInvalidArgument(store_->PutDataset("../../etc/x", "bytes")));
}

// Many threads submit; each set's callback comes after its commit, in order.
TEST_P(StoreSuite, CallsBackInTheOrderOfSubmission) {
  Commit({NewFit{ExampleFit(1, "f")}});
  constexpr int kSets = 2000;
  std::vector<int> order;
  std::promise<void> last;
  for (int i = 0; i < kSets; ++i) {
    WriteSet writes;
    if (i % 3 != 0) writes.push_back(Event(1, i + 1));
    store_->Submit(std::move(writes), [&order, &last, i] {
      order.push_back(i);
      if (i == kSets - 1) last.set_value();
    });
  }
  last.get_future().get();
  ASSERT_EQ(order.size(), static_cast<size_t>(kSets));
  for (int i = 0; i < kSets; ++i) EXPECT_EQ(order[i], i);
  int64_t after = 0;
  const auto events = store_->ReadEvents(1, 0, kSets);
  ASSERT_TRUE(events.ok());
  for (const EventRecord& event : *events) {
    EXPECT_GT(event.seq, after);
    after = event.seq;
  }
}

TEST_P(StoreSuite, WhatWasCalledBackIsReadable) {
  Commit({NewFit{ExampleFit(1, "f")}});
  std::atomic<int> missing = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        const int64_t seq = 1 + t * 1000 + i;
        std::promise<void> committed;
        store_->Submit({Event(1, seq)}, [&] { committed.set_value(); });
        committed.get_future().get();
        const auto events = store_->ReadEvents(1, seq - 1, 1);
        if (!events.ok() || events->empty() || (*events)[0].seq != seq) {
          ++missing;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(missing, 0);
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StoreSuite);

}  // namespace somafit
