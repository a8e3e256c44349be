#include "server/store/sqlite_store.h"

#include <cstdlib>
#include <future>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include <spdlog/spdlog.h>

#include "proto/convert/digest.h"
#include "server/store/reader.h"
#include "server/store/schema.h"
#include "server/store/statement.h"
#include "server/study/raw_file.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr size_t kMostSetsPerCommit = 512;
constexpr size_t kMostBytesPerCommit = size_t{4} << 20;
constexpr size_t kLargestInlineDataset = 1'000'000;
constexpr size_t kReaders = 4;
constexpr int kPageBytes = 8192;
constexpr int kCheckpointPages = (16 << 20) / kPageBytes;
constexpr int kMostLogPages = (48 << 20) / kPageBytes;

// Nothing was answered that was not written: a restart is always right, to go
// on with another state in memory than on disk never is.
[[noreturn]] void EndProcess(const std::string& path,
                             const absl::Status& status) {
  spdlog::critical("cannot write to {}: {}; the coordinator stops", path,
                   status.ToString());
  spdlog::default_logger()->flush();
  std::_Exit(70);
}

absl::StatusOr<std::string> JournalMode(sqlite3* db, const char* mode) {
  SOMAFIT_ASSIGN_OR_RETURN(
      SqlStatement statement,
      SqlStatement::Prepare(db, absl::StrCat("PRAGMA journal_mode=", mode)));
  SOMAFIT_RETURN_IF_ERROR(statement.Step().status());
  return statement.ReadText();
}

absl::Status SetPragmas(sqlite3* db) {
  return Execute(db,
                 "PRAGMA foreign_keys=ON;"
                 "PRAGMA cache_size=-65536;"
                 "PRAGMA temp_store=MEMORY;"
                 "PRAGMA secure_delete=OFF;"
                 "PRAGMA trusted_schema=OFF;"
                 "PRAGMA cell_size_check=ON;");
}

absl::StatusOr<Database> OpenWriter(const std::string& path, bool exclusive) {
  SOMAFIT_ASSIGN_OR_RETURN(Database db, OpenDatabase(path));
  // A file that is refused must stay as it is, its log too.
  sqlite3_db_config(db.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  if (exclusive) {
    SOMAFIT_RETURN_IF_ERROR(Execute(db.get(), "PRAGMA locking_mode=EXCLUSIVE"));
  }
  SOMAFIT_RETURN_IF_ERROR(SetPragmas(db.get()));
  SOMAFIT_RETURN_IF_ERROR(Migrate(db.get(), path, AllMigrations()));
  const char* const wanted = exclusive ? "delete" : "wal";
  SOMAFIT_ASSIGN_OR_RETURN(const std::string mode,
                           JournalMode(db.get(), wanted));
  if (mode != wanted) {
    return absl::FailedPreconditionError(absl::StrCat(
        "journal mode of ", path, " stays \"", mode, "\" instead of \"", wanted,
        "\"; is another program using the file?"));
  }
  SOMAFIT_RETURN_IF_ERROR(Execute(db.get(),
                                  "PRAGMA synchronous=FULL;"
                                  "PRAGMA wal_autocheckpoint=0;"
                                  "PRAGMA journal_size_limit=67108864;"));
  sqlite3_db_config(db.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, nullptr);
  return db;
}

int RememberLogPages(void* pages, sqlite3*, const char*, int n_pages) {
  *static_cast<int*>(pages) = n_pages;
  return SQLITE_OK;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteStore>> SqliteStore::Open(
    const std::string& path, SqliteStoreOptions options) {
  SOMAFIT_ASSIGN_OR_RETURN(const bool on_network, IsOnNetwork(path));
  if (on_network && !options.allow_network_fs) {
    return absl::FailedPreconditionError(absl::StrCat(
        path,
        " lies on a file system of the network, where a shared database "
        "is not safe; use a local disk"));
  }
  options.exclusive = options.exclusive || on_network;
  SOMAFIT_ASSIGN_OR_RETURN(FileLock lock, FileLock::Take(path));
  SOMAFIT_ASSIGN_OR_RETURN(const bool exists, InspectFile(path));
  if (!exists) SOMAFIT_RETURN_IF_ERROR(CreateFile(path));
  SOMAFIT_ASSIGN_OR_RETURN(Database writer,
                           OpenWriter(path, options.exclusive));
  Database checkpointer;
  if (!options.exclusive) {
    SOMAFIT_ASSIGN_OR_RETURN(checkpointer, OpenDatabase(path));
    SOMAFIT_RETURN_IF_ERROR(SetPragmas(checkpointer.get()));
    SOMAFIT_RETURN_IF_ERROR(
        Execute(checkpointer.get(), "PRAGMA synchronous=FULL"));
  }
  std::vector<Database> readers;
  while (!options.exclusive && readers.size() < kReaders) {
    SOMAFIT_ASSIGN_OR_RETURN(Database reader, OpenDatabase(path));
    SOMAFIT_RETURN_IF_ERROR(SetPragmas(reader.get()));
    SOMAFIT_RETURN_IF_ERROR(Execute(reader.get(), "PRAGMA query_only=ON"));
    readers.push_back(std::move(reader));
  }
  auto store = std::unique_ptr<SqliteStore>(new SqliteStore(
      path, std::move(options), std::move(lock), std::move(writer),
      std::move(checkpointer), std::move(readers)));
  SOMAFIT_RETURN_IF_ERROR(store->CollectOrphans());
  return store;
}

absl::Status SqliteStore::CollectOrphans() {
  SOMAFIT_ASSIGN_OR_RETURN(
      const std::set<std::string> named,
      Read<absl::StatusOr<std::set<std::string>>>(ReadRawFiles));
  int removed = blobs_.Collect(kRawFileMark, [&](const std::string& hash) {
    return named.contains(hash);
  });
  removed += checkpoints_.Collect([this](const CheckpointKey& key) {
    const auto wanted = Read<absl::StatusOr<bool>>([&](sqlite3* db) {
      return IsToTrain(db, key.fit, key.stage, key.round);
    });
    return !wanted.ok() || *wanted;
  });
  if (removed > 0) {
    spdlog::info("event=orphans_removed files={} of={}", removed, path_);
  }
  return absl::OkStatus();
}

SqliteStore::SqliteStore(const std::string& path, SqliteStoreOptions options,
                         FileLock lock, Database writer, Database checkpointer,
                         std::vector<Database> readers)
    : path_(path),
      options_(std::move(options)),
      blobs_(path),
      checkpoints_(path),
      lock_(std::move(lock)),
      writer_db_(std::move(writer)),
      writer_(writer_db_.get()),
      readers_(std::move(readers)),
      checkpoint_db_(std::move(checkpointer)) {
  sqlite3_wal_hook(writer_db_.get(), RememberLogPages, &log_pages_);
  thread_ = std::thread([this] { WriterLoop(); });
  if (!options_.exclusive) {
    checkpoint_thread_ = std::thread([this] { CheckpointLoop(); });
  }
}

SqliteStore::~SqliteStore() {
  {
    const std::lock_guard lock(queue_mutex_);
    stopping_ = true;
  }
  queue_filled_.notify_all();
  log_grown_.notify_all();
  thread_.join();
  if (checkpoint_thread_.joinable()) checkpoint_thread_.join();
  readers_.clear();
  if (!options_.exclusive) Checkpoint(writer_db_.get(), /*truncate=*/true);
}

void SqliteStore::Submit(WriteSet writes, std::function<void()> committed) {
  Enqueue({std::move(writes), std::nullopt, std::move(committed)});
}

void SqliteStore::Enqueue(Entry entry) {
  {
    const std::lock_guard lock(queue_mutex_);
    queue_.push_back(std::move(entry));
  }
  queue_filled_.notify_one();
}

void SqliteStore::WriterLoop() {
  std::vector<Entry> group;
  while (true) {
    {
      std::unique_lock lock(queue_mutex_);
      queue_filled_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      size_t bytes = 0;
      while (!queue_.empty() && group.size() < kMostSetsPerCommit &&
             bytes < kMostBytesPerCommit) {
        const Entry& next = queue_.front();
        bytes += ApproximateBytes(next.writes);
        if (next.dataset && next.dataset->bytes) {
          bytes += next.dataset->bytes->size();
        }
        group.push_back(std::move(queue_.front()));
        queue_.pop_front();
      }
    }
    Commit(group);
    for (Entry& entry : group) {
      DropCheckpoints(entry.writes);
      if (options_.after_commit) options_.after_commit(entry.writes);
      if (entry.committed) entry.committed();
    }
    group.clear();
    if (options_.exclusive) continue;
    if (log_pages_ < kCheckpointPages) checkpoint_pages_ = kCheckpointPages;
    if (log_pages_ < checkpoint_pages_) continue;
    checkpoint_pages_ = log_pages_ + kCheckpointPages;
    if (log_pages_ >= kMostLogPages) {
      // A reader may hold the log: it grows on, and is tried again later.
      Checkpoint(writer_db_.get(), /*truncate=*/false);
      continue;
    }
    {
      const std::lock_guard lock(queue_mutex_);
      wants_checkpoint_ = true;
    }
    log_grown_.notify_one();
  }
}

void SqliteStore::Commit(std::vector<Entry>& group) {
  bool nothing = true;
  for (const Entry& entry : group) {
    nothing = nothing && entry.writes.empty() && !entry.dataset;
  }
  if (nothing) return;
  absl::Status status = Execute(writer_db_.get(), "BEGIN IMMEDIATE");
  for (const Entry& entry : group) {
    if (status.ok()) status = writer_.Apply(entry.writes);
    if (status.ok() && entry.dataset) status = writer_.Apply(*entry.dataset);
  }
  if (status.ok()) status = Execute(writer_db_.get(), "COMMIT");
  if (!status.ok()) EndProcess(path_, status);
  for (const std::string& hash : writer_.TakeDroppedFiles()) {
    blobs_.Remove(hash);
  }
}

void SqliteStore::DropCheckpoints(const WriteSet& writes) const {
  for (const Write& write : writes) {
    if (const auto* learned = std::get_if<EstimatorRecord>(&write)) {
      checkpoints_.Drop({.fit = learned->fit,
                         .stage = learned->stage,
                         .round = learned->round});
    } else if (const auto* deleted = std::get_if<DeletedFit>(&write)) {
      checkpoints_.DropAll(deleted->fit);
    }
  }
}

void SqliteStore::CheckpointLoop() {
  std::unique_lock lock(queue_mutex_);
  while (true) {
    log_grown_.wait(lock, [this] { return stopping_ || wants_checkpoint_; });
    if (stopping_) return;
    wants_checkpoint_ = false;
    lock.unlock();
    Checkpoint(checkpoint_db_.get(), /*truncate=*/false);
    lock.lock();
  }
}

void SqliteStore::Checkpoint(sqlite3* db, bool truncate) {
  const std::lock_guard lock(checkpoint_mutex_);
  int in_log = 0;
  int done = 0;
  const int rc = sqlite3_wal_checkpoint_v2(
      db, nullptr,
      truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE,
      &in_log, &done);
  if (rc != SQLITE_OK && rc != SQLITE_BUSY) {
    spdlog::warn("cannot fold the log of {} into it: {}", path_,
                 sqlite3_errmsg(db));
  }
}

template <typename Result>
Result SqliteStore::Read(std::function<Result(sqlite3*)> read) {
  if (options_.exclusive) {
    if (std::this_thread::get_id() == thread_.get_id()) {
      return read(writer_db_.get());
    }
    std::promise<Result> promise;
    Submit({}, [&] { promise.set_value(read(writer_db_.get())); });
    return promise.get_future().get();
  }
  Database connection;
  {
    std::unique_lock lock(readers_mutex_);
    reader_free_.wait(lock, [this] { return !readers_.empty(); });
    connection = std::move(readers_.back());
    readers_.pop_back();
  }
  Result result = read(connection.get());
  {
    const std::lock_guard lock(readers_mutex_);
    readers_.push_back(std::move(connection));
  }
  reader_free_.notify_one();
  return result;
}

absl::Status SqliteStore::PutDataset(const std::string& hash,
                                     std::string_view bytes) {
  if (!IsSha256Hex(hash)) {
    return absl::InvalidArgumentError(
        "a dataset is addressed by a SHA-256 of 64 hexadecimal digits");
  }
  const auto found = Read<absl::StatusOr<StoredDataset>>(
      [&](sqlite3* db) { return ReadDataset(db, hash); });
  if (found.ok()) {
    // A file can be lost or damaged while its row stays: this heals it.
    return found->bytes || blobs_.Read(hash).ok() ? absl::OkStatus()
                                                  : blobs_.Write(hash, bytes);
  }
  if (!absl::IsNotFound(found.status())) return found.status();
  DatasetRow row;
  row.hash = hash;
  row.size = static_cast<int64_t>(bytes.size());
  if (bytes.size() > kLargestInlineDataset) {
    SOMAFIT_RETURN_IF_ERROR(blobs_.Write(hash, bytes));
  } else {
    row.bytes = std::string(bytes);
  }
  std::promise<void> committed;
  Enqueue({{}, std::move(row), [&] { committed.set_value(); }});
  committed.get_future().get();
  return absl::OkStatus();
}

absl::StatusOr<std::string> SqliteStore::LoadDataset(const std::string& hash) {
  SOMAFIT_ASSIGN_OR_RETURN(
      StoredDataset dataset,
      Read<absl::StatusOr<StoredDataset>>(
          [&](sqlite3* db) { return ReadDataset(db, hash); }));
  if (dataset.bytes) return *std::move(dataset.bytes);
  return blobs_.Read(hash);
}

absl::StatusOr<std::string> SqliteStore::PutRawFile(std::string_view bytes) {
  std::string hash = Sha256Hex(bytes);
  SOMAFIT_RETURN_IF_ERROR(blobs_.Write(hash, bytes));
  return hash;
}

absl::StatusOr<std::string> SqliteStore::LoadRawFile(const std::string& hash) {
  if (!IsSha256Hex(hash)) {
    return absl::DataLossError(
        "a sample names a file of raw traces that is none");
  }
  return blobs_.Read(hash);
}

absl::StatusOr<std::string> SqliteStore::PutScript(std::string_view bytes) {
  std::string hash = Sha256Hex(bytes);
  if (blobs_.Read(hash).ok()) return hash;
  SOMAFIT_RETURN_IF_ERROR(blobs_.Write(hash, bytes));
  return hash;
}

absl::StatusOr<std::string> SqliteStore::LoadScript(const std::string& hash) {
  absl::StatusOr<std::string> bytes =
      IsSha256Hex(hash) ? blobs_.Read(hash) : absl::UnavailableError("");
  if (!absl::IsUnavailable(bytes.status())) return bytes;
  return absl::NotFoundError(
      absl::StrCat("no TorchScript module is stored under the hash ",
                   hash.substr(0, 80), "; upload it first"));
}

absl::StatusOr<ModelSource> SqliteStore::LoadModel(const std::string& hash) {
  return Read<absl::StatusOr<ModelSource>>(
      [&](sqlite3* db) { return ReadModel(db, hash); });
}

absl::StatusOr<std::vector<StoredFit>> SqliteStore::LoadFits() {
  return Read<absl::StatusOr<std::vector<StoredFit>>>(ReadFits);
}

absl::StatusOr<int64_t> SqliteStore::NextFitId() {
  return Read<absl::StatusOr<int64_t>>(ReadNextFitId);
}

absl::StatusOr<std::optional<RequestRecord>> SqliteStore::FindRequest(
    const std::string& request_id) {
  return Read<absl::StatusOr<std::optional<RequestRecord>>>(
      [&](sqlite3* db) { return ReadRequest(db, request_id); });
}

absl::StatusOr<std::vector<EventRecord>> SqliteStore::ReadEvents(
    int64_t fit, int64_t after_seq, int limit) {
  return Read<absl::StatusOr<std::vector<EventRecord>>>(
      [&](sqlite3* db) { return ReadFitEvents(db, fit, after_seq, limit); });
}

absl::StatusOr<std::vector<SampleRow>> SqliteStore::ReadSamples(
    const FitRecord& fit, const SampleQuery& query) {
  return Read<absl::StatusOr<std::vector<SampleRow>>>(
      [&](sqlite3* db) { return ReadFitSamples(db, fit.id, query); });
}

absl::StatusOr<std::string> SqliteStore::LoadEstimators(int64_t fit,
                                                        int32_t stage,
                                                        int64_t round) {
  return Read<absl::StatusOr<std::string>>(
      [&](sqlite3* db) { return ReadEstimators(db, fit, stage, round); });
}

absl::StatusOr<std::vector<EstimatorInfo>> SqliteStore::ListEstimators(
    int64_t fit, int32_t stage) {
  return Read<absl::StatusOr<std::vector<EstimatorInfo>>>(
      [&](sqlite3* db) { return ReadEstimatorInfos(db, fit, stage); });
}

absl::Status SqliteStore::PutCheckpoint(const CheckpointKey& key,
                                        std::string_view bytes) {
  return checkpoints_.Write(key, bytes);
}

absl::StatusOr<std::string> SqliteStore::LoadCheckpoint(
    const CheckpointKey& key) {
  return checkpoints_.Read(key);
}

absl::StatusOr<std::string> SqliteStore::LoadSnapshot(int64_t fit,
                                                      int32_t stage) {
  return Read<absl::StatusOr<std::string>>(
      [&](sqlite3* db) { return ReadSnapshot(db, fit, stage); });
}

}  // namespace somafit
