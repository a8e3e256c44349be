#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace somafit {

// The table of a fit's samples, fit_<name>: one row a sample, drawn first,
// completed in place.
//
//   sample INTEGER PRIMARY KEY, stage, round, status TEXT, one REAL column per
//   parameter [SI], total_error, <output>_error, <output>_error_normalized,
//   trace_errors BLOB, worker, microseconds, numerics_version, reason,
//   unit_point BLOB
//
// Columns are named as worker/core/data/column_names.h says.
struct FitTable {
  std::string name;  // "fit_<name>"
  std::vector<std::string> parameter_columns;
  std::vector<std::string> error_columns;  // per output
  std::vector<std::string> normalized_columns;
};

FitTable NameFitTable(const std::string& fit,
                      const std::vector<std::string>& parameters,
                      const std::vector<std::string>& outputs);

std::string CreateTableSql(const FitTable& table);
// Binds sample, stage, round, parameters..., unit_point.
std::string InsertDrawnSql(const FitTable& table);
// Binds status, total_error, errors..., normalized..., trace_errors, worker,
// microseconds, numerics_version, reason, sample. Changes drawn rows only.
std::string RecordResultSql(const FitTable& table);
// Columns as SampleRow has them, of samples in (?1, ?2], at most ?3.
std::string SelectSamplesSql(const FitTable& table, bool of_one_stage);

}  // namespace somafit
