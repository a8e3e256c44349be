#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include <sqlite3.h>

namespace somafit {

struct CloseDatabase {
  void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
};
// One connection; used by one thread at a time.
using Database = std::unique_ptr<sqlite3, CloseDatabase>;

// Opens an existing file for reading and writing.
absl::StatusOr<Database> OpenDatabase(const std::string& path);

// Runs SQL text without results, or with results that do not matter.
absl::Status Execute(sqlite3* db, const std::string& sql);

// A status for the connection's last error; `doing` says what failed.
// DataLoss: corrupt; ResourceExhausted: disk full; else Internal.
absl::Status DatabaseError(sqlite3* db, const std::string& doing);

// "name" as an SQL identifier.
std::string QuotedIdentifier(const std::string& name);

}  // namespace somafit
