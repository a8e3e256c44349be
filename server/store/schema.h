#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include <sqlite3.h>

namespace somafit {

// Marks our files ("SoFi").
inline constexpr int32_t kApplicationId = 0x536f4669;

// A step from schema `version - 1` to `version`. Never changed once released;
// only new ones are added at the end.
struct Migration {
  int version = 0;
  std::string sql;
};
const std::vector<Migration>& AllMigrations();
int SchemaVersion();  // of the last migration

// Brings the schema up to date, each step with its user_version in one
// transaction. FailedPrecondition names both versions if the file is newer.
absl::Status Migrate(sqlite3* db, const std::string& path,
                     const std::vector<Migration>& migrations);

}  // namespace somafit
