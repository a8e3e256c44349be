#include "server/store/database.h"

#include "absl/strings/str_cat.h"

namespace somafit {

absl::StatusOr<Database> OpenDatabase(const std::string& path) {
  // Counting memory takes a lock at each allocation. Without effect once SQLite
  // is in use.
  static const int uncounted = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  (void)uncounted;
  sqlite3* raw = nullptr;
  const int rc = sqlite3_open_v2(
      path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  Database db(raw);
  if (rc != SQLITE_OK) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot open the database ", path, ": ",
                     raw != nullptr ? sqlite3_errmsg(raw) : "out of memory"));
  }
  sqlite3_extended_result_codes(raw, 1);
  sqlite3_busy_timeout(raw, 5000);
  return db;
}

absl::Status Execute(sqlite3* db, const std::string& sql) {
  if (sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return DatabaseError(db, sql.substr(0, 200));
  }
  return absl::OkStatus();
}

absl::Status DatabaseError(sqlite3* db, const std::string& doing) {
  const int code = sqlite3_extended_errcode(db);
  std::string message = absl::StrCat("database: ", sqlite3_errmsg(db), " (",
                                     code, ") while doing: ", doing);
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::DataLossError(message);
    case SQLITE_FULL:
      return absl::ResourceExhaustedError(message);
    default:
      return absl::InternalError(message);
  }
}

std::string QuotedIdentifier(const std::string& name) {
  std::string quoted = "\"";
  for (const char c : name) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + "\"";
}

}  // namespace somafit
