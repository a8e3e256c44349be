#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "server/study/store.h"

namespace somafit {

// The table of a fit's samples, fit_<name>: one row a sample, drawn first,
// completed in place.
//
//   sample INTEGER PRIMARY KEY, stage, round, status TEXT, one REAL column per
//   parameter [SI], total_error, <output>_error, <output>_error_normalized,
//   penalty, trace_errors BLOB, worker, microseconds, numerics_version, reason,
//   unit_point BLOB; where x is raw traces raw_file TEXT, raw_offset
//
// Columns are named as worker/core/data/column_names.h says.
struct FitTable {
  std::string name;  // "fit_<name>"
  std::vector<std::string> parameter_columns;
  std::vector<std::string> error_columns;  // per output
  std::vector<std::string> normalized_columns;
  std::string penalty_column;  // "": a table of an older release has none
  bool raw = false;            // has raw_file and raw_offset
};

FitTable NameFitTable(const std::string& fit,
                      const std::vector<std::string>& parameters,
                      const std::vector<std::string>& outputs,
                      bool are_features = false);

std::string CreateTableSql(const FitTable& table);
// Over what the best samples are found by.
std::string CreateIndexSql(const FitTable& table, int64_t fit);
// Binds sample, stage, round, parameters..., unit_point.
std::string InsertDrawnSql(const FitTable& table);
// Binds status, total_error, errors..., normalized..., penalty (if there is the
// column), trace_errors, worker, microseconds, numerics_version, reason,
// raw_file and raw_offset (if there are the columns), sample. Changes drawn
// rows only.
std::string RecordResultSql(const FitTable& table);
// Columns as SampleRow has them, of samples in (?1, ?2], at most ?3; ?4 is the
// stage, ?5 and what follows are the ends of the query's ranges that are given.
// InvalidArgument for a column that the table does not have.
absl::StatusOr<std::string> SelectSamplesSql(const FitTable& table,
                                             const SampleQuery& query);

}  // namespace somafit
