#include "server/store/sqlite_store.h"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <sstream>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/convert/digest.h"
#include "server/store/schema.h"
#include "server/store/statement.h"
#include "server/study/fit_run.h"
#include "server/study/raw_file.h"
#include "tests/server/study/example_fit.h"
#include "tests/suites/store_suite.h"

namespace somafit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

EventRecord Event(int64_t seq) {
  EventRecord event;
  event.fit = 1;
  event.seq = seq;
  return event;
}

std::unique_ptr<Store> MustOpen(const std::string& path,
                                SqliteStoreOptions options = {}) {
  auto store = SqliteStore::Open(path, std::move(options));
  EXPECT_TRUE(store.ok()) << store.status();
  return store.ok() ? *std::move(store) : nullptr;
}

INSTANTIATE_TEST_SUITE_P(
    Sqlite, StoreSuite,
    ::testing::Values(StoreCase{"shared",
                                [](const std::string& path) {
                                  return MustOpen(path);
                                }},
                      StoreCase{"exclusive",
                                [](const std::string& path) {
                                  return MustOpen(path,
                                                  {.allow_network_fs = true,
                                                   .exclusive = true,
                                                   .after_commit = {}});
                                }}),
    [](const auto& instance) { return instance.param.name; });

class SqliteStoreTest : public ::testing::Test {
 protected:
  // Makes the file at path_ of one that an older release left, as SQL.
  void LoadSql(const std::string& name) {
    std::ifstream file(std::string(SOMAFIT_TEST_FILES) + "/" + name);
    std::stringstream sql;
    sql << file.rdbuf();
    ASSERT_GT(sql.str().size(), 5000u);
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &db), SQLITE_OK);
    char* message = nullptr;
    EXPECT_EQ(sqlite3_exec(db, sql.str().c_str(), nullptr, nullptr, &message),
              SQLITE_OK)
        << message;
    sqlite3_close(db);
    std::filesystem::permissions(path_,
                                 std::filesystem::perms::owner_read |
                                     std::filesystem::perms::owner_write);
  }
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/somafit-sqlite-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    path_ = folder_ + "/fits.db";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // Runs SQL on the file as another program would.
  void Sql(const std::string& sql) {
    auto db = Database();
    sqlite3* raw = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &raw), SQLITE_OK);
    db.reset(raw);
    const absl::Status status = Execute(raw, sql);
    ASSERT_TRUE(status.ok()) << status;
  }
  std::string Text(const std::string& sql) {
    sqlite3* raw = nullptr;
    EXPECT_EQ(sqlite3_open(path_.c_str(), &raw), SQLITE_OK);
    Database db(raw);
    auto statement = SqlStatement::Prepare(raw, sql);
    EXPECT_TRUE(statement.ok()) << statement.status();
    EXPECT_TRUE(statement->Step().ok());
    return statement->ReadText();
  }
  std::string Bytes(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::stringstream bytes;
    bytes << file.rdbuf();
    return bytes.str();
  }
  static void Commit(Store& store, WriteSet writes) {
    std::promise<void> committed;
    store.Submit(std::move(writes), [&] { committed.set_value(); });
    committed.get_future().get();
  }

  std::string folder_, path_;
};

TEST_F(SqliteStoreTest, TheFileIsForItsOwnerOnly) {
  MustOpen(path_);
  struct stat status = {};
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(SqliteStoreTest, RefusesASecondCoordinator) {
  const auto store = MustOpen(path_);
  const auto second = SqliteStore::Open(path_);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr("another coordinator has " + path_));
}

TEST_F(SqliteStoreTest, RefusesForeignFilesAndLeavesThemAlone) {
  struct Case {
    std::string words;
    std::function<void()> make;
  };
  const std::vector<Case> cases = {
      {"is not a database",
       [&] { std::ofstream(path_) << std::string(5000, 'x'); }},
      {"is not a database", [&] { std::ofstream(path_) << "short"; }},
      {"of another program", [&] { Sql("CREATE TABLE t(x)"); }},
      {absl::StrCat("has schema version ", SchemaVersion() + 1,
                    ", this server knows up to ", SchemaVersion()),
       [&] {
         MustOpen(path_);
         Sql(absl::StrCat("PRAGMA user_version=", SchemaVersion() + 1,
                          ";PRAGMA wal_checkpoint(TRUNCATE)"));
       }},
  };
  for (const Case& c : cases) {
    std::filesystem::remove(path_);
    c.make();
    const std::string before = Bytes(path_);
    const auto store = SqliteStore::Open(path_);
    EXPECT_EQ(store.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(store.status().message()), HasSubstr(c.words));
    EXPECT_TRUE(Bytes(path_) == before) << c.words;
  }
}

TEST_F(SqliteStoreTest, MigratesStepByStepAndNeverHalfway) {
  MustOpen(path_);
  const auto opened = OpenDatabase(path_);
  ASSERT_TRUE(opened.ok());
  sqlite3* const db = opened->get();
  std::vector<Migration> migrations = AllMigrations();
  const int last = SchemaVersion();
  migrations.push_back({last + 1, "CREATE TABLE later(x INTEGER) STRICT"});
  migrations.push_back(
      {last + 2, "CREATE TABLE more(x INTEGER) STRICT; CREATE TABLE fits(x)"});
  EXPECT_FALSE(Migrate(db, path_, migrations).ok());
  EXPECT_EQ(Text("PRAGMA user_version"), absl::StrCat(last + 1));
  EXPECT_EQ(Text("SELECT group_concat(name) FROM sqlite_schema WHERE name IN "
                 "('later', 'more')"),
            "later");
  migrations.back().sql = "CREATE TABLE more(x INTEGER) STRICT";
  EXPECT_TRUE(Migrate(db, path_, migrations).ok());
  EXPECT_TRUE(Migrate(db, path_, migrations).ok());
  EXPECT_EQ(Text("PRAGMA user_version"), absl::StrCat(last + 2));
}

TEST_F(SqliteStoreTest, SamplesAreATableOfPlainColumns) {
  const auto store = MustOpen(path_);
  FitRecord fit;
  fit.id = 1;
  fit.name = "a-b";
  fit.spec.dataset = std::string(64, 'd');
  fit.parameters = {{"Sample", kNoDimension, 0, 1},
                    {"g\"l", kNoDimension, 0, 1},
                    {"v_error", kNoDimension, 0, 1},
                    {"sample_", kNoDimension, 0, 1}};
  fit.outputs = {{"v", kNoDimension}};
  RoundRecord round{.fit = 1,
                    .stage = 0,
                    .round = 0,
                    .first_sample = 0,
                    .points = {{1, 2, 3, 4}},
                    .unit_points = {{5, 6, 7, 8}}};
  Evaluation evaluation{.status = SampleStatus::kOk,
                        .total_error = 9,
                        .output_errors = {10},
                        .output_errors_normalized = {11},
                        .trace_errors = {12},
                        .reason = ""};
  Commit(*store,
         {NewFit{fit}, round, ResultsRecord{1, "w", 50, 3, {{0, evaluation}}}});
  EXPECT_EQ(
      Text("SELECT group_concat(name) FROM "
           "pragma_table_info('fit_a-b')"),
      "sample,stage,round,status,Sample_,g\"l,v_error,sample__,"
      "total_error,v_error_,v_error_normalized,penalty,trace_errors,worker,"
      "microseconds,numerics_version,reason,unit_point");
  EXPECT_EQ(Text("SELECT Sample_||' '||\"g\"\"l\"||' '||v_error||' '||sample__"
                 "||' '||total_error||' '||v_error_||' '||v_error_normalized||"
                 "' '||hex(trace_errors)||' '||worker||' '||microseconds||' '||"
                 "numerics_version||' '||status FROM \"fit_a-b\""),
            "1.0 2.0 3.0 4.0 9.0 10.0 11.0 0000000000002840 w 50 3 ok");
  const auto rows = store->ReadSamples(fit, std::nullopt, -1, 1);
  ASSERT_TRUE(rows.ok());
  EXPECT_THAT((*rows)[0].parameters, ElementsAre(1, 2, 3, 4));
  EXPECT_THAT((*rows)[0].output_errors, ElementsAre(10));
}

// A file that a release of schema version 1 left, as SQL.
TEST_F(SqliteStoreTest, TakesUpFilesOfVersion1) {
  LoadSql("version1.sql");
  const auto store = MustOpen(path_);
  EXPECT_EQ(Text("PRAGMA user_version"), absl::StrCat(SchemaVersion()));
  const auto fits = store->LoadFits();
  ASSERT_TRUE(fits.ok()) << fits.status();
  ASSERT_EQ(fits->size(), 1u);
  const FitRecord& fit = fits->at(0).fit;
  EXPECT_EQ(fit.name, "old");
  EXPECT_EQ(fit.state, FitState::kSucceeded);
  EXPECT_EQ(fit.outputs.size(), 1u);
  EXPECT_FALSE(store->LoadSnapshot(fit.id, 0)->empty());
  SampleQuery best;
  best.order_by = "total_error";
  best.limit = 100;
  const auto rows = store->ReadSamples(fit, best);
  ASSERT_TRUE(rows.ok()) << rows.status();
  ASSERT_EQ(rows->size(), 8u);
  EXPECT_EQ(rows->at(0).sample, fit.best_sample);
  EXPECT_TRUE(std::isnan(rows->at(0).penalty));
  // Its table goes on to be written as it is.
  RoundRecord round{.fit = fit.id,
                    .stage = 0,
                    .round = 2,
                    .first_sample = 8,
                    .points = {{1e-9, -0.06}},
                    .unit_points = {{0.1, 0.2}}};
  Evaluation evaluation{.status = SampleStatus::kOk,
                        .total_error = 0.5,
                        .output_errors = {0.5},
                        .output_errors_normalized = {0.5},
                        .trace_errors = {0.5},
                        .reason = ""};
  Commit(*store, {round, ResultsRecord{fit.id, "w", 50, 6, {{8, evaluation}}}});
  EXPECT_EQ(store->ReadSamples(fit, best)->size(), 9u);
}

TEST_F(SqliteStoreTest, TakesUpFilesOfVersion2) {
  LoadSql("version2.sql");
  const auto store = MustOpen(path_);
  EXPECT_EQ(Text("PRAGMA user_version"), absl::StrCat(SchemaVersion()));
  const auto fits = store->LoadFits();
  ASSERT_TRUE(fits.ok()) << fits.status();
  ASSERT_EQ(fits->size(), 1u);
  const FitRecord& fit = fits->at(0).fit;
  EXPECT_EQ(fit.name, "second");
  const auto rows = store->ReadSamples(fit, std::nullopt, -1, 100);
  ASSERT_TRUE(rows.ok()) << rows.status();
  ASSERT_EQ(rows->size(), 8u);
  EXPECT_EQ(rows->at(0).sample, 0);
  EXPECT_TRUE(std::isfinite(rows->at(7).total_error));
  const auto events = store->ReadEvents(fit.id, 0, 100);
  ASSERT_TRUE(events.ok()) << events.status();
  ASSERT_EQ(events->size(), 4u);  // running, two rounds, succeeded
  EXPECT_EQ(events->at(1).training, "");
  EXPECT_TRUE(store->ListEstimators(fit.id, 0)->empty());
  Commit(*store, {EstimatorRecord{fit.id, 0, 0, "e", "s"}});
  EXPECT_EQ(*store->LoadEstimators(fit.id, 0, 0), "e");
}

TEST_F(SqliteStoreTest, TakesUpFilesOfVersion3) {
  LoadSql("version3.sql");
  const auto store = MustOpen(path_);
  EXPECT_EQ(Text("PRAGMA user_version"), absl::StrCat(SchemaVersion()));
  const auto fits = store->LoadFits();
  ASSERT_TRUE(fits.ok()) << fits.status();
  ASSERT_EQ(fits->size(), 1u);
  const FitRecord& fit = fits->at(0).fit;
  EXPECT_EQ(fit.name, "third");
  EXPECT_EQ(fit.n_raw, 0u);
  ASSERT_TRUE(fit.spec.inference);
  SampleQuery query;
  query.limit = 100;
  query.trace_errors = true;
  const auto rows = store->ReadSamples(fit, query);
  ASSERT_TRUE(rows.ok()) << rows.status();
  ASSERT_EQ(rows->size(), 12u);
  EXPECT_EQ(rows->at(0).trace_errors.size(), 4u);
  EXPECT_EQ(rows->at(0).raw.file, "");
  EXPECT_FALSE(store->LoadEstimators(fit.id, 0, 0)->empty());
  EXPECT_NE(store->ReadEvents(fit.id, 0, 100)->at(1).training, "");
  Commit(*store, {DeletedFit{fit.id, fit.name}});
  EXPECT_TRUE(store->LoadFits()->empty());
}

// Two fits from raw traces, one sample each, and a file that no row names.
TEST_F(SqliteStoreTest, RawTracesAreFilesThatGoWithTheirFit) {
  const std::string folder = path_ + ".blobs/";
  std::string hashes[2], orphan;
  {
    const auto store = MustOpen(path_);
    for (int64_t i = 0; i < 2; ++i) {
      FitRecord fit =
          FitRun::NewRecord(i + 1, i == 0 ? "a" : "b", ExamplePlan("f"), {});
      fit.outputs.clear();
      fit.n_raw = 3;
      std::vector<RecordedSample> samples(2);
      samples[0].evaluation.status = SampleStatus::kOk;
      samples[0].evaluation.raw_x = {1, 2, static_cast<float>(i)};
      samples[1].sample = 1;
      samples[1].evaluation.status = SampleStatus::kFailed;
      const std::string bytes =
          EncodeRawFile({fit.id, fit.create_time_us}, samples);
      const auto hash = store->PutRawFile(bytes);
      ASSERT_TRUE(hash.ok()) << hash.status();
      EXPECT_EQ(*hash, Sha256Hex(bytes));
      hashes[i] = samples[0].raw.file = *hash;
      RoundRecord round{.fit = fit.id,
                        .stage = 0,
                        .round = 0,
                        .first_sample = 0,
                        .points = {{1, 2}, {3, 4}},
                        .unit_points = {}};
      Commit(*store,
             {NewFit{fit}, round, ResultsRecord{fit.id, "w", 50, 6, samples}});
      const auto rows = store->ReadSamples(fit, std::nullopt, -1, 9);
      ASSERT_TRUE(rows.ok()) << rows.status();
      EXPECT_EQ(rows->at(0).raw.file, *hash);
      EXPECT_EQ(rows->at(0).raw.offset, samples[0].raw.offset);
      EXPECT_EQ(rows->at(1).raw.file, "");
      EXPECT_EQ(*store->LoadRawFile(*hash), bytes);
    }
    orphan = *store->PutRawFile(std::string(kRawFileMark) + "nobody's");
    // Of another kind, and of a database that was put back to an older state.
    std::ofstream(folder + std::string(64, 'd')) << "a dataset, maybe";
    std::ofstream(folder + orphan + ".123-4.new") << "half";
    EXPECT_TRUE(std::filesystem::exists(folder + orphan));
  }
  const auto store = MustOpen(path_);
  EXPECT_FALSE(std::filesystem::exists(folder + orphan));
  EXPECT_FALSE(std::filesystem::exists(folder + orphan + ".123-4.new"));
  EXPECT_TRUE(std::filesystem::exists(folder + std::string(64, 'd')));
  const auto fits = store->LoadFits();
  ASSERT_EQ(fits->size(), 2u);
  EXPECT_EQ(fits->at(0).fit.n_raw, 3u);
  Commit(*store, {DeletedFit{1, "a"}});
  EXPECT_FALSE(std::filesystem::exists(folder + hashes[0]));
  EXPECT_TRUE(absl::IsUnavailable(store->LoadRawFile(hashes[0]).status()));
  EXPECT_TRUE(store->LoadRawFile(hashes[1]).ok());
  EXPECT_EQ(Text("SELECT count(*) FROM raw_files"), "1");
  EXPECT_TRUE(absl::IsDataLoss(store->LoadRawFile("../fits.db").status()));
  std::ofstream(folder + hashes[1], std::ios::app) << "x";
  EXPECT_TRUE(absl::IsDataLoss(store->LoadRawFile(hashes[1]).status()));
}

TEST_F(SqliteStoreTest, TellsOfEachCommitBeforeItsCallback) {
  std::vector<std::string> order;
  SqliteStoreOptions options;
  options.after_commit = [&](const WriteSet& writes) {
    order.push_back(absl::StrCat("commit", writes.size()));
  };
  const auto store = MustOpen(path_, std::move(options));
  store->Submit({Event(1)}, [&] { order.push_back("first"); });
  Commit(*store, {});
  EXPECT_THAT(order, ElementsAre("commit1", "first", "commit0"));
}

TEST_F(SqliteStoreTest, NoticesDamagedDatasets) {
  const std::string bytes(2'000'000, 'x');
  const std::string hash = Sha256Hex(bytes);
  const auto store = MustOpen(path_);
  ASSERT_TRUE(store->PutDataset(hash, bytes).ok());
  const std::string file = path_ + ".blobs/" + hash;
  ASSERT_TRUE(std::filesystem::exists(file));
  std::fstream(file, std::ios::in | std::ios::out).seekp(1000).put('y');
  EXPECT_EQ(store->LoadDataset(hash).status().code(),
            absl::StatusCode::kDataLoss);
  std::filesystem::remove(file);
  EXPECT_EQ(store->LoadDataset(hash).status().code(),
            absl::StatusCode::kUnavailable);
  // Uploaded again, it is whole again.
  ASSERT_TRUE(store->PutDataset(hash, bytes).ok());
  EXPECT_EQ(store->LoadDataset(hash).value(), bytes);
}

TEST_F(SqliteStoreTest, TheLogIsFoldedIntoTheFile) {
  {
    const auto store = MustOpen(path_);
    const std::string snapshot(4'000'000, 's');
    for (int i = 0; i < 20; ++i) {
      Commit(*store, {StageRecord{1, 0, StageKind::kOptimize, i, snapshot}});
    }
    EXPECT_LT(std::filesystem::file_size(path_ + "-wal"), 64u << 20);
  }
  EXPECT_FALSE(std::filesystem::exists(path_ + "-wal") &&
               std::filesystem::file_size(path_ + "-wal") > 0);
}

// Drawing must never be what a round waits for.
TEST_F(SqliteStoreTest, DrawsManySamplesAtOnce) {
  const auto store = MustOpen(path_);
  FitRecord fit = FitRun::NewRecord(1, "f", ExamplePlan("f"), {});
  Commit(*store, {NewFit{fit}});
  RoundRecord round{.fit = 1,
                    .stage = 0,
                    .round = 0,
                    .first_sample = 0,
                    .points = {},
                    .unit_points = {}};
  round.points.assign(100'000, {1e-9, 1.5});
  round.unit_points.assign(100'000, {0.25, 0.5});
  Commit(*store, {round});
  EXPECT_EQ(Text("SELECT count(*) || ' ' || min(sample) || ' ' || max(sample) "
                 "FROM fit_f"),
            "100000 0 99999");
}

// A child writes and says so; it is killed; all it said must be there.
TEST_F(SqliteStoreTest, WhatWasAcknowledgedSurvivesAKill) {
  Commit(*MustOpen(path_),
         {NewFit{FitRun::NewRecord(1, "f", ExamplePlan("f"), {})}});
  int64_t acknowledged = 0;
  for (int attempt = 0; attempt < 5; ++attempt) {
    int channel[2];
    ASSERT_EQ(pipe(channel), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      close(channel[0]);
      auto store = SqliteStore::Open(path_);
      if (!store.ok()) _exit(3);
      for (int64_t seq = acknowledged + 1;; ++seq) {
        (*store)->Submit({Event(seq)}, [seq, out = channel[1]] {
          if (write(out, &seq, sizeof seq) != sizeof seq) {
            _exit(4);
          }
        });
        if (seq % 64 == 0) Commit(**store, {});
      }
    }
    close(channel[1]);
    usleep(60'000 * static_cast<useconds_t>(attempt + 1));
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << status;
    int64_t seq = 0;
    while (read(channel[0], &seq, sizeof seq) == sizeof seq) {
      EXPECT_EQ(seq, acknowledged + 1);
      acknowledged = seq;
    }
    close(channel[0]);
    const auto store = MustOpen(path_);
    const auto events = store->ReadEvents(1, 0, 1'000'000);
    ASSERT_TRUE(events.ok());
    ASSERT_GE(events->size(), static_cast<size_t>(acknowledged));
    for (size_t i = 0; i < events->size(); ++i) {
      ASSERT_EQ((*events)[i].seq, static_cast<int64_t>(i) + 1);
    }
    // What was committed and not acknowledged stays as well.
    acknowledged = static_cast<int64_t>(events->size());
  }
  EXPECT_GT(acknowledged, 0);
  EXPECT_EQ(Text("PRAGMA integrity_check"), "ok");
}

}  // namespace
}  // namespace somafit
