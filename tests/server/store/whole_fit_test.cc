// Fits from beginning to end on a real file, with everything that can go wrong
// on the way: the table of samples must be the undisturbed one, bit for bit.

#include <algorithm>
#include <bit>
#include <filesystem>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include <gtest/gtest.h>

#include "server/store/sqlite_store.h"
#include "server/study/coordinator.h"
#include "tests/server/study/example_fit.h"
#include "worker/core/base/elementary.h"
#include "worker/core/base/random.h"

namespace somafit {
namespace {

// A coordinator with its store, and fake workers.
class World {
 public:
  World(std::string path, uint64_t chaos)
      : path_(std::move(path)),
        random_(chaos, StreamPurpose::kExample, 0, 0),
        calm_(chaos == 0) {
    Start();
  }

  void Start() {
    store_.reset();
    coordinator_ = std::make_unique<Coordinator>(
        CoordinatorOptions{.lease_s = 2},
        [this] { return absl::StrCat("lease", ++secrets_); });
    auto store = SqliteStore::Open(path_);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    auto fits = store_->LoadFits();
    ASSERT_TRUE(fits.ok()) << fits.status();
    Effects effects;
    const absl::Status status = coordinator_->Recover(
        *std::move(fits), *store_->NextFitId(),
        [this](const FitRecord&) -> absl::StatusOr<FitPlan> { return plan_; },
        now(), effects);
    ASSERT_TRUE(status.ok()) << status;
    Do(effects);
    sessions_.clear();
  }

  void Create(FitPlan plan) {
    plan_ = std::move(plan);
    Effects effects;
    auto fit = coordinator_->CreateFit(plan_, ExampleModel(), now(), effects);
    ASSERT_TRUE(fit.ok()) << fit.status();
    Do(effects);
  }

  // Works until the fit no longer runs.
  void Run() {
    for (int turn = 0; Get().state == FitState::kRunning; ++turn) {
      ASSERT_LT(turn, 100'000);
      Turn();
    }
  }

  void Turn() {
    if (!calm_ && Chance(0.02)) Start();
    if (sessions_.size() < 3) Join();
    const size_t w = random_.Below(sessions_.size());
    Pass(calm_ ? 0.01 : 0.3);
    Effects effects;
    auto tasks =
        coordinator_->Lease(sessions_[w], calm_ ? 1 : 2, now(), effects);
    Do(effects);
    if (!tasks.ok()) {
      sessions_.erase(sessions_.begin() + static_cast<int64_t>(w));
      return;
    }
    for (const Task& task : *tasks) {
      Coordinator::Report report = ExampleReport(sessions_[w], task);
      if (!calm_) {
        const double fate = random_.Uniform();
        if (fate < 0.1) continue;  // lost: the lease runs out
        if (fate < 0.2) {          // only a part of it
          report.samples.resize(1 + random_.Below(report.samples.size()));
        } else if (fate < 0.3) {  // late
          late_.push_back(report);
          continue;
        } else if (fate < 0.35) {
          Effects released;
          coordinator_->Release(sessions_[w], {task.lease}, now(), released)
              .IgnoreError();
          Do(released);
          continue;
        } else if (fate < 0.4) {
          report.samples.clear();
          report.failure = "no space left";
        }
      }
      Send(report);
      if (!calm_ && Chance(0.2)) Send(report);
    }
    if (!late_.empty() && Chance(0.2)) {
      Send(late_.back());
      late_.pop_back();
    }
  }

  void Send(const Coordinator::Report& report) {
    Effects effects;
    const auto sent = coordinator_->ReportResults(report, now(), effects);
    EXPECT_TRUE(sent.ok()) << sent.status();
    Do(effects);
  }

  void Pass(double seconds) {
    time_s_ += seconds;
    Effects effects;
    coordinator_->Tick(now(), effects);
    Do(effects);
  }

  // As the shell: write, wait, call back. A restart may come in between.
  void Do(const Effects& effects) {
    std::promise<void> committed;
    store_->Submit(effects.writes, [&] { committed.set_value(); });
    committed.get_future().get();
    for (const int64_t fit : effects.advance) {
      if (!calm_ && Chance(0.1)) {
        for (const Write& write : effects.writes) {
          const auto* round = std::get_if<RoundRecord>(&write);
          restarts_while_drawing_ += round && round->n_to_come > 0;
        }
        Start();
        return;
      }
      Effects more;
      coordinator_->Advance(fit, now(), more);
      Do(more);
    }
  }

  FitRecord Get() { return *coordinator_->GetFit("hh", now()); }

  Coordinator& coordinator() { return *coordinator_; }
  Store& store() { return *store_; }
  Now now() const { return {time_s_, 0}; }
  int restarts_while_drawing() const { return restarts_while_drawing_; }

  // Everything that must not depend on luck.
  std::string Table() {
    std::string table;
    const auto rows = store_->ReadSamples(Get(), std::nullopt, -1, 1'000'000);
    EXPECT_TRUE(rows.ok()) << rows.status();
    if (!rows.ok()) return table;
    for (const SampleRow& row : *rows) {
      absl::StrAppend(&table, row.sample, " ", row.stage, " ", row.round, " ",
                      std::string(SampleStatusName(row.status)));
      for (const double p : row.parameters) Append(table, p);
      Append(table, row.total_error);
      for (const double e : row.output_errors) Append(table, e);
      for (const double e : row.output_errors_normalized) Append(table, e);
      table += '\n';
    }
    return table;
  }

 private:
  static void Append(std::string& table, double value) {
    absl::StrAppend(&table, " ", absl::Hex(std::bit_cast<uint64_t>(value)));
  }
  bool Chance(double p) { return random_.Uniform() < p; }
  void Join() {
    const int threads = 1 + static_cast<int>(random_.Below(calm_ ? 1 : 8));
    auto session = coordinator_->Register(
        {"w", "host", "1", threads, kNumericsVersion}, now());
    ASSERT_TRUE(session.ok());
    sessions_.push_back(session->session);
  }

  const std::string path_;
  RandomStream random_;
  const bool calm_;
  int secrets_ = 0;
  int restarts_while_drawing_ = 0;
  double time_s_ = 0;
  FitPlan plan_;
  std::unique_ptr<SqliteStore> store_;
  std::unique_ptr<Coordinator> coordinator_;
  std::vector<std::string> sessions_;
  std::vector<Coordinator::Report> late_;
};

class WholeFitTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/somafit-whole-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Path(uint64_t chaos) {
    return absl::StrCat(folder_, "/", chaos, ".db");
  }

  std::string folder_;
};

FitPlan LongPlan() {
  FitPlan plan = ExamplePlan("hh", 30, 8);
  plan.spec.execution.max_attempts = 1000;
  plan.stop.evaluations = 8 * 30 - 7;
  return plan;
}

TEST_F(WholeFitTest, DisturbancesChangeNoBitOfTheTable) {
  std::string undisturbed;
  std::optional<FitRecord> expected;
  for (uint64_t chaos = 0; chaos < 8; ++chaos) {
    SCOPED_TRACE(chaos);
    World world(Path(chaos), chaos);
    world.Create(LongPlan());
    world.Run();
    const FitRecord fit = world.Get();
    EXPECT_EQ(fit.state, FitState::kSucceeded);
    EXPECT_EQ(fit.samples_done, 233);
    EXPECT_EQ(fit.samples_failed, 0);
    if (chaos == 0) {
      undisturbed = world.Table();
      expected = fit;
      EXPECT_EQ(std::count(undisturbed.begin(), undisturbed.end(), '\n'), 233);
      continue;
    }
    EXPECT_EQ(world.Table(), undisturbed);
    EXPECT_EQ(fit.best_sample, expected->best_sample);
    EXPECT_EQ(fit.best_parameters, expected->best_parameters);
    EXPECT_EQ(fit.best_error, expected->best_error);
    // Every round's event is there once, without gaps.
    const auto events = world.store().ReadEvents(1, 0, 1000);
    ASSERT_TRUE(events.ok());
    ASSERT_EQ(events->size(), 10u);
    for (size_t i = 0; i < events->size(); ++i) {
      EXPECT_EQ((*events)[i].seq, static_cast<int64_t>(i) + 1);
    }
  }
}

// Rounds so large that they are written slice by slice.
TEST_F(WholeFitTest, ARestartWhileARoundIsDrawnChangesNoBit) {
  std::string undisturbed;
  int restarts = 0;
  for (uint64_t chaos = 0; chaos < 5; ++chaos) {
    SCOPED_TRACE(chaos);
    FitPlan plan = ExamplePlan("hh", 3000, 5);
    plan.spec.execution.max_attempts = 1000;
    World world(Path(chaos), chaos);
    world.Create(plan);
    world.Run();
    const FitRecord fit = world.Get();
    EXPECT_EQ(fit.state, FitState::kSucceeded);
    EXPECT_EQ(fit.samples_done, 15'000);
    EXPECT_EQ(fit.next_sample, 15'000);
    if (chaos == 0) {
      undisturbed = world.Table();
      EXPECT_EQ(std::count(undisturbed.begin(), undisturbed.end(), '\n'),
                15'000);
    } else {
      EXPECT_EQ(world.Table(), undisturbed);
    }
    restarts += world.restarts_while_drawing();
  }
  EXPECT_GT(restarts, 0);
}

TEST_F(WholeFitTest, AnEvaluationSurvivesARestart) {
  World world(Path(1), 0);
  FitPlan plan = LongPlan();
  world.Create(plan);
  world.Run();
  const FitRecord before = world.Get();
  Effects effects;
  ASSERT_TRUE(world.coordinator()
                  .EvaluatePoints("hh", plan, {{3e-8, 1}, {4e-8, 1.5}},
                                  world.now(), effects)
                  .ok());
  world.Do(effects);
  world.Start();
  EXPECT_EQ(world.Get().state, FitState::kRunning);
  world.Run();
  const FitRecord after = world.Get();
  EXPECT_EQ(after.state, FitState::kSucceeded);
  EXPECT_EQ(after.reason, before.reason);
  EXPECT_EQ(after.samples_done, before.samples_done + 2);
  EXPECT_EQ(after.best_sample, before.best_sample);
  const auto rows = world.store().ReadSamples(after, 1, -1, 100);
  ASSERT_TRUE(rows.ok());
  ASSERT_EQ(rows->size(), 2u);
  EXPECT_EQ((*rows)[1].parameters, (std::vector<double>{4e-8, 1.5}));
  EXPECT_EQ((*rows)[1].status, SampleStatus::kOk);
}

TEST_F(WholeFitTest, APausedFitGoesOnAfterAnEvaluationAndARestart) {
  World calm(Path(0), 0);
  calm.Create(LongPlan());
  calm.Run();

  World world(Path(1), 0);
  world.Create(LongPlan());
  for (int i = 0; i < 12; ++i) world.Turn();
  Effects effects;
  ASSERT_TRUE(world.coordinator().PauseFit("hh", world.now(), effects).ok());
  const auto stage = world.coordinator().EvaluatePoints(
      "hh", LongPlan(), {{3e-8, 1}}, world.now(), effects);
  ASSERT_TRUE(stage.ok()) << stage.status();
  world.Do(effects);
  world.Start();
  world.Run();
  EXPECT_EQ(world.Get().state, FitState::kPaused);
  EXPECT_EQ(world.Get().reason, "USER");
  world.Start();
  Effects resumed;
  ASSERT_TRUE(world.coordinator().ResumeFit("hh", world.now(), resumed).ok());
  world.Do(resumed);
  world.Run();
  EXPECT_EQ(world.Get().state, FitState::kSucceeded);
  // Numbers run on over the evaluated sample; nothing else differs.
  const auto rows = calm.store().ReadSamples(calm.Get(), 0, -1, 1'000'000);
  const auto others = world.store().ReadSamples(world.Get(), 0, -1, 1'000'000);
  ASSERT_TRUE(rows.ok() && others.ok());
  const std::vector<SampleRow>& a = *rows;
  const std::vector<SampleRow>& b = *others;
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].parameters, b[i].parameters);
    EXPECT_EQ(a[i].round, b[i].round);
    EXPECT_EQ(b[i].sample - a[i].sample,
              a[i].sample < stage->first_sample ? 0 : 1);
  }
}

}  // namespace
}  // namespace somafit
