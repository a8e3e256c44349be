#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include <sqlite3.h>

#include "server/store/fit_table.h"
#include "server/store/statement.h"
#include "server/study/records.h"

namespace somafit {

// A dataset's row; without bytes where they lie in a file beside the database.
struct DatasetRow {
  std::string hash;
  int64_t size = 0;
  std::optional<std::string> bytes;
};

// Turns records into rows, inside a transaction that the caller began. Keeps
// prepared statements. Every failure is ours or the disk's: the caller ends the
// process.
class Writer {
 public:
  explicit Writer(sqlite3* db) : db_(db) {}

  absl::Status Apply(const WriteSet& writes);
  // Files of fits that were deleted since the last call: to be removed once the
  // transaction has been committed.
  std::vector<std::string> TakeDroppedFiles() {
    return std::exchange(dropped_files_, {});
  }
  absl::Status Apply(const DatasetRow& dataset);

 private:
  struct FitStatements {
    size_t n_parameters = 0;
    SqlStatement insert_drawn;
    SqlStatement record_result;
    std::string table;
    bool has_penalty = false;
    bool raw = false;
  };

  absl::StatusOr<SqlStatement*> Prepared(const char* sql);
  absl::StatusOr<FitStatements*> StatementsOf(int64_t fit);

  absl::Status Apply(const ModelRecord& model);
  absl::Status Apply(const NewFit& created);
  absl::Status Apply(const UpdatedFit& updated);
  absl::Status Apply(const ChangedFit& changed);
  absl::Status Apply(const DeletedFit& deleted);
  absl::Status Apply(const StageRecord& stage);
  absl::Status Apply(const RoundRecord& round);
  absl::Status Apply(const DrawnSamples& drawn);
  // Of a RoundRecord or DrawnSamples.
  template <typename Drawn>
  absl::Status InsertDrawn(const Drawn& drawn);
  absl::Status Apply(const ResultsRecord& results);
  // Raw traces: raw_rows.cc.
  absl::Status NameFiles(const ResultsRecord& results);
  absl::Status DropFiles(int64_t fit);
  absl::Status Apply(const EstimatorRecord& trained);
  absl::Status Apply(const CancelledSamples& cancelled);
  absl::Status Apply(const EventRecord& event);
  absl::Status Apply(const RequestRecord& request);

  sqlite3* const db_;
  std::unordered_map<const char*, std::unique_ptr<SqlStatement>> prepared_;
  std::map<int64_t, std::unique_ptr<FitStatements>> fits_;
  std::vector<std::string> dropped_files_;
};

// About how many bytes a set puts into the log.
size_t ApproximateBytes(const WriteSet& writes);

}  // namespace somafit
