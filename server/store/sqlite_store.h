#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "server/store/blob_files.h"
#include "server/store/checkpoint_files.h"
#include "server/store/database.h"
#include "server/store/file_guard.h"
#include "server/store/writer.h"
#include "server/study/store.h"

namespace somafit {

struct SqliteStoreOptions {
  // Without it a file system of the network is refused; with it, there, the
  // file is opened as by `exclusive`.
  bool allow_network_fs = false;
  // One connection in exclusive mode with a rollback journal, reads included:
  // slower, but needs no shared memory.
  bool exclusive = false;
  // Called on the writer's thread for each set after its commit and before its
  // callback.
  std::function<void(const WriteSet&)> after_commit;
};

// The store in one SQLite file, "<path>", with "<path>.lock" held while open,
// and large datasets, raw traces and TorchScript modules in "<path>.blobs/".
//
// One thread writes: it drains the queue into one transaction (512 sets or
// 4 MiB), commits with fsync, then calls back in order. A failed commit ends
// the process with status 70. Reads go to a few connections of their own.
// Another thread folds the write-ahead log into the file, while commits go on;
// only where it falls behind does the writer wait for that.
class SqliteStore final : public Store {
 public:
  // Creates or migrates the file. FailedPrecondition: another coordinator has
  // it, it is not ours, it is of a newer release, it lies on the network.
  static absl::StatusOr<std::unique_ptr<SqliteStore>> Open(
      const std::string& path, SqliteStoreOptions options = {});
  // Commits what was submitted, and folds the log into the file.
  ~SqliteStore() override;

  void Submit(WriteSet writes, std::function<void()> committed) override;
  absl::Status PutDataset(const std::string& hash,
                          std::string_view bytes) override;
  absl::StatusOr<std::string> LoadDataset(const std::string& hash) override;
  absl::StatusOr<std::string> PutRawFile(std::string_view bytes) override;
  absl::StatusOr<std::string> LoadRawFile(const std::string& hash) override;
  absl::StatusOr<std::string> PutScript(std::string_view bytes) override;
  absl::StatusOr<std::string> LoadScript(const std::string& hash) override;
  absl::StatusOr<ModelSource> LoadModel(const std::string& hash) override;
  absl::StatusOr<std::vector<StoredFit>> LoadFits() override;
  absl::StatusOr<int64_t> NextFitId() override;
  absl::StatusOr<std::optional<RequestRecord>> FindRequest(
      const std::string& request_id) override;
  absl::StatusOr<std::vector<EventRecord>> ReadEvents(int64_t fit,
                                                      int64_t after_seq,
                                                      int limit) override;
  using Store::ReadSamples;
  absl::StatusOr<std::vector<SampleRow>> ReadSamples(
      const FitRecord& fit, const SampleQuery& query) override;
  absl::StatusOr<std::string> LoadEstimators(int64_t fit, int32_t stage,
                                             int64_t round) override;
  absl::StatusOr<std::vector<EstimatorInfo>> ListEstimators(
      int64_t fit, int32_t stage) override;
  absl::Status PutCheckpoint(const CheckpointKey& key,
                             std::string_view bytes) override;
  absl::StatusOr<std::string> LoadCheckpoint(const CheckpointKey& key) override;
  absl::StatusOr<std::string> LoadSnapshot(int64_t fit, int32_t stage) override;

 private:
  struct Entry {
    WriteSet writes;
    std::optional<DatasetRow> dataset;
    std::function<void()> committed;
  };

  SqliteStore(const std::string& path, SqliteStoreOptions options,
              FileLock lock, Database writer, Database checkpointer,
              std::vector<Database> readers);

  void Enqueue(Entry entry);
  void WriterLoop();
  void Commit(std::vector<Entry>& group);
  // Of what has been trained on, or is gone.
  void DropCheckpoints(const WriteSet& writes) const;
  // Files of raw traces that no result came to name before the process ended.
  absl::Status CollectOrphans();
  void CheckpointLoop();
  void Checkpoint(sqlite3* db, bool truncate);
  // Calls `read` with a connection for reading and returns its result.
  template <typename Result>
  Result Read(std::function<Result(sqlite3*)> read);

  const std::string path_;
  const SqliteStoreOptions options_;
  const BlobFiles blobs_;
  const CheckpointFiles checkpoints_;
  const FileLock lock_;
  const Database writer_db_;
  Writer writer_;
  int log_pages_ = 0;         // of the write-ahead log after the last commit
  int checkpoint_pages_ = 0;  // when to fold it in next

  std::mutex readers_mutex_;
  std::condition_variable reader_free_;
  std::vector<Database> readers_;  // those not in use

  std::mutex queue_mutex_;
  std::condition_variable queue_filled_;
  std::deque<Entry> queue_;
  bool stopping_ = false;
  std::thread thread_;

  const Database checkpoint_db_;       // none if exclusive
  std::condition_variable log_grown_;  // with queue_mutex_
  bool wants_checkpoint_ = false;
  std::mutex checkpoint_mutex_;  // held for a checkpoint
  std::thread checkpoint_thread_;
};

}  // namespace somafit
