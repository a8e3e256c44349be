#include "server/store/schema.h"

#include "absl/strings/str_cat.h"

#include "server/store/database.h"
#include "server/store/statement.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

// Each fit has a table of samples besides, fit_<name>: fit_table.h.
constexpr char kVersion1[] = R"sql(
CREATE TABLE models(
  hash TEXT PRIMARY KEY,
  source TEXT NOT NULL            -- JSON of somafit.v1.Model
) STRICT, WITHOUT ROWID;
CREATE TABLE datasets(
  hash TEXT PRIMARY KEY,
  size INTEGER NOT NULL,          -- bytes
  bytes BLOB                      -- NULL: a file beside the database
) STRICT;
CREATE TABLE fits(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  spec TEXT NOT NULL,             -- JSON of somafit.v1.FitSpec
  model TEXT NOT NULL,
  error_dimension TEXT NOT NULL,  -- seven SI exponents
  n_traces INTEGER NOT NULL,
  state TEXT NOT NULL,
  reason TEXT NOT NULL,
  resume_state TEXT,              -- while points are evaluated
  resume_reason TEXT NOT NULL,
  stage INTEGER NOT NULL,
  n_stages INTEGER NOT NULL,
  rounds INTEGER NOT NULL,
  next_sample INTEGER NOT NULL,
  samples_done INTEGER NOT NULL,
  samples_failed INTEGER NOT NULL,
  best_sample INTEGER,
  best_parameters BLOB NOT NULL,  -- little-endian doubles
  best_error REAL,
  create_time_us INTEGER NOT NULL,
  elapsed_s REAL NOT NULL,
  last_seq INTEGER NOT NULL,
  numerics_version INTEGER NOT NULL
) STRICT;
CREATE TABLE variables(           -- columns of a fit's table of samples
  fit INTEGER NOT NULL,
  kind TEXT NOT NULL,             -- parameter, output, penalty
  position INTEGER NOT NULL,
  name TEXT NOT NULL,
  dimension TEXT NOT NULL,
  lower REAL, upper REAL,         -- parameters
  value_column TEXT NOT NULL,     -- parameter's value, or output's error
  normalized_column TEXT,         -- output's normalized error
  PRIMARY KEY(fit, kind, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE stages(
  fit INTEGER NOT NULL,
  stage INTEGER NOT NULL,
  kind TEXT NOT NULL,             -- optimize, evaluate
  rounds INTEGER NOT NULL,        -- complete
  snapshot BLOB NOT NULL,         -- of the optimizer
  PRIMARY KEY(fit, stage)
) STRICT;
CREATE TABLE rounds(
  fit INTEGER NOT NULL,
  stage INTEGER NOT NULL,
  round INTEGER NOT NULL,
  first_sample INTEGER NOT NULL,
  n_samples INTEGER NOT NULL,
  ended INTEGER NOT NULL,         -- 1: complete or cancelled
  PRIMARY KEY(fit, stage, round)
) STRICT, WITHOUT ROWID;
CREATE TABLE events(
  fit INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  time_us INTEGER NOT NULL,
  kind TEXT NOT NULL,             -- state, round
  state TEXT,
  reason TEXT,
  stage INTEGER, round INTEGER, first_sample INTEGER, n_samples INTEGER,
  best_sample INTEGER,
  best_parameters BLOB,
  best_error REAL,
  gated INTEGER,
  PRIMARY KEY(fit, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE requests(
  request_id TEXT PRIMARY KEY,
  method TEXT NOT NULL,
  body_hash TEXT NOT NULL,
  response BLOB NOT NULL,
  time_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX requests_by_time ON requests(time_us);
)sql";

// What a stage was asked to do. Since this version a fit's table has a column
// "penalty", which a row of `variables` of this kind names, and an index over
// (stage, total_error).
constexpr char kVersion2[] = R"sql(
ALTER TABLE stages ADD COLUMN spec TEXT;  -- JSON of FitSpec; NULL: not known
)sql";

// What inferences learn. Their tables of samples have a column for each
// feature, the mean over traces, and none for normalized errors.
constexpr char kVersion3[] = R"sql(
CREATE TABLE estimators(
  fit INTEGER NOT NULL,
  stage INTEGER NOT NULL,
  round INTEGER NOT NULL,         -- that it was trained after
  estimators BLOB NOT NULL,       -- somafit.v1.EstimatorSet
  summary BLOB NOT NULL,          -- somafit.v1.TrainingSummary
  PRIMARY KEY(fit, stage, round)
) STRICT;
ALTER TABLE events ADD COLUMN training BLOB;  -- TrainingSummary; NULL: none
)sql";

// Raw traces as x lie in files beside the database. Since this version the
// table of an inference from such has the columns raw_file, the SHA-256 of a
// file, and raw_offset, in bytes.
constexpr char kVersion4[] = R"sql(
ALTER TABLE fits ADD COLUMN n_raw INTEGER NOT NULL DEFAULT 0;  -- columns of x
CREATE TABLE raw_files(           -- that a fit's samples name
  fit INTEGER NOT NULL,
  hash TEXT NOT NULL,
  PRIMARY KEY(fit, hash)
) STRICT, WITHOUT ROWID;
)sql";

}  // namespace

const std::vector<Migration>& AllMigrations() {
  static const auto* const migrations = new std::vector<Migration>{
      {1, kVersion1}, {2, kVersion2}, {3, kVersion3}, {4, kVersion4}};
  return *migrations;
}

int SchemaVersion() { return AllMigrations().back().version; }

absl::Status Migrate(sqlite3* db, const std::string& path,
                     const std::vector<Migration>& migrations) {
  SOMAFIT_ASSIGN_OR_RETURN(SqlStatement statement,
                           SqlStatement::Prepare(db, "PRAGMA user_version"));
  SOMAFIT_RETURN_IF_ERROR(statement.Step().status());
  const int64_t found = statement.ReadInteger();
  statement.Reset();
  if (found > migrations.back().version) {
    return absl::FailedPreconditionError(absl::StrCat(
        path, " has schema version ", found, ", this server knows up to ",
        migrations.back().version, "; use the newer release that wrote it"));
  }
  for (const Migration& migration : migrations) {
    if (migration.version <= found) continue;
    absl::Status status =
        Execute(db, absl::StrCat("BEGIN IMMEDIATE;", migration.sql,
                                 ";PRAGMA user_version=", migration.version,
                                 ";COMMIT"));
    if (!status.ok()) {
      Execute(db, "ROLLBACK").IgnoreError();
      return status;
    }
  }
  return absl::OkStatus();
}

}  // namespace somafit
