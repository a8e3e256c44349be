#include "server/store/fit_table.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "server/store/database.h"
#include "worker/core/data/column_names.h"

namespace somafit {
namespace {

template <typename Each>
void ForEachColumn(const FitTable& table, Each&& each) {
  for (const std::string& column : table.error_columns) each(column);
  for (const std::string& column : table.normalized_columns) each(column);
}

}  // namespace

FitTable NameFitTable(const std::string& fit,
                      const std::vector<std::string>& parameters,
                      const std::vector<std::string>& outputs) {
  SampleColumnNames names = NameSampleColumns(parameters, outputs);
  return {.name = "fit_" + fit,
          .parameter_columns = std::move(names.parameters),
          .error_columns = std::move(names.errors),
          .normalized_columns = std::move(names.normalized)};
}

std::string CreateTableSql(const FitTable& table) {
  std::string sql =
      absl::StrCat("CREATE TABLE ", QuotedIdentifier(table.name),
                   "(sample INTEGER PRIMARY KEY, stage INTEGER NOT NULL, "
                   "round INTEGER NOT NULL, status TEXT NOT NULL");
  for (const std::string& column : table.parameter_columns) {
    absl::StrAppend(&sql, ", ", QuotedIdentifier(column), " REAL");
  }
  absl::StrAppend(&sql, ", total_error REAL");
  for (size_t i = 0; i < table.error_columns.size(); ++i) {
    absl::StrAppend(&sql, ", ", QuotedIdentifier(table.error_columns[i]),
                    " REAL, ", QuotedIdentifier(table.normalized_columns[i]),
                    " REAL");
  }
  return absl::StrCat(sql,
                      ", trace_errors BLOB, worker TEXT, microseconds INTEGER, "
                      "numerics_version INTEGER, reason TEXT, unit_point BLOB"
                      ") STRICT");
}

std::string InsertDrawnSql(const FitTable& table) {
  std::string columns = "sample, stage, round, status";
  std::string values = "?, ?, ?, 'drawn'";
  for (const std::string& column : table.parameter_columns) {
    absl::StrAppend(&columns, ", ", QuotedIdentifier(column));
    absl::StrAppend(&values, ", ?");
  }
  return absl::StrCat("INSERT INTO ", QuotedIdentifier(table.name), "(",
                      columns, ", unit_point) VALUES (", values, ", ?)");
}

std::string RecordResultSql(const FitTable& table) {
  std::string sql = absl::StrCat("UPDATE ", QuotedIdentifier(table.name),
                                 " SET status=?, total_error=?");
  ForEachColumn(table, [&](const std::string& column) {
    absl::StrAppend(&sql, ", ", QuotedIdentifier(column), "=?");
  });
  return absl::StrCat(sql,
                      ", trace_errors=?, worker=?, microseconds=?, "
                      "numerics_version=?, reason=? "
                      "WHERE sample=? AND status='drawn'");
}

std::string SelectSamplesSql(const FitTable& table, bool of_one_stage) {
  std::string sql = "SELECT sample, stage, round, status";
  for (const std::string& column : table.parameter_columns) {
    absl::StrAppend(&sql, ", ", QuotedIdentifier(column));
  }
  absl::StrAppend(&sql, ", total_error");
  ForEachColumn(table, [&](const std::string& column) {
    absl::StrAppend(&sql, ", ", QuotedIdentifier(column));
  });
  return absl::StrCat(sql, " FROM ", QuotedIdentifier(table.name),
                      " WHERE sample>?1 AND sample<=?2",
                      of_one_stage ? " AND stage=?4" : "",
                      " ORDER BY sample LIMIT ?3");
}

}  // namespace somafit
