#include "server/store/fit_table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "server/store/database.h"
#include "worker/core/base/number.h"
#include "worker/core/base/status.h"
#include "worker/core/data/column_names.h"

namespace somafit {
namespace {

template <typename Each>
void ForEachColumn(const FitTable& table, Each&& each) {
  for (const std::string& column : table.error_columns) each(column);
  for (const std::string& column : table.normalized_columns) each(column);
}

// The column of numbers of this name, quoted.
absl::StatusOr<std::string> NumberColumn(const FitTable& table,
                                         const std::string& name) {
  std::vector<std::string> known = {"sample", "stage", "round"};
  known.insert(known.end(), table.parameter_columns.begin(),
               table.parameter_columns.end());
  known.push_back("total_error");
  ForEachColumn(table,
                [&](const std::string& column) { known.push_back(column); });
  if (!table.penalty_column.empty()) known.push_back(table.penalty_column);
  known.push_back("microseconds");
  if (std::find(known.begin(), known.end(), name) != known.end()) {
    return QuotedIdentifier(name);
  }
  const std::string nearest = NearestWord(name, known);
  return absl::InvalidArgumentError(absl::StrCat(
      table.name, " has no column of numbers \"",
      absl::CHexEscape(name.substr(0, 80)), "\"; ",
      nearest.empty() ? absl::StrCat("it has ", absl::StrJoin(known, ", "))
                      : absl::StrCat("did you mean \"", nearest, "\"?")));
}

}  // namespace

FitTable NameFitTable(const std::string& fit,
                      const std::vector<std::string>& parameters,
                      const std::vector<std::string>& outputs,
                      bool are_features) {
  SampleColumnNames names =
      NameSampleColumns(parameters, outputs, are_features);
  return {.name = "fit_" + fit,
          .parameter_columns = std::move(names.parameters),
          .error_columns = std::move(names.errors),
          .normalized_columns = std::move(names.normalized),
          .penalty_column = "penalty"};
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
                    " REAL");
    if (table.normalized_columns.empty()) continue;
    absl::StrAppend(&sql, ", ", QuotedIdentifier(table.normalized_columns[i]),
                    " REAL");
  }
  return absl::StrCat(
      sql,
      ", penalty REAL, trace_errors BLOB, worker TEXT, microseconds INTEGER, "
      "numerics_version INTEGER, reason TEXT, unit_point BLOB",
      table.raw ? ", raw_file TEXT, raw_offset INTEGER" : "", ") STRICT");
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
  if (!table.penalty_column.empty()) {
    absl::StrAppend(&sql, ", ", QuotedIdentifier(table.penalty_column), "=?");
  }
  return absl::StrCat(sql,
                      ", trace_errors=?, worker=?, microseconds=?, "
                      "numerics_version=?, reason=?",
                      table.raw ? ", raw_file=?, raw_offset=?" : "",
                      " WHERE sample=? AND status='drawn'");
}

std::string CreateIndexSql(const FitTable& table, int64_t fit) {
  return absl::StrCat("CREATE INDEX ",
                      QuotedIdentifier(absl::StrCat("by_error_", fit)), " ON ",
                      QuotedIdentifier(table.name),
                      "(stage, total_error) WHERE total_error IS NOT NULL");
}

absl::StatusOr<std::string> SelectSamplesSql(const FitTable& table,
                                             const SampleQuery& query) {
  std::string sql = "SELECT sample, stage, round, status";
  for (const std::string& column : table.parameter_columns) {
    absl::StrAppend(&sql, ", ", QuotedIdentifier(column));
  }
  absl::StrAppend(&sql, ", total_error");
  ForEachColumn(table, [&](const std::string& column) {
    absl::StrAppend(&sql, ", ", QuotedIdentifier(column));
  });
  absl::StrAppend(&sql, ", ",
                  table.penalty_column.empty()
                      ? "NULL"
                      : QuotedIdentifier(table.penalty_column));
  if (query.trace_errors) absl::StrAppend(&sql, ", trace_errors");
  if (table.raw) absl::StrAppend(&sql, ", raw_file, raw_offset");
  const std::string from = absl::StrCat(" FROM ", QuotedIdentifier(table.name));
  absl::StrAppend(&sql, from, " WHERE sample>?1 AND sample<=?2");
  if (query.stage) absl::StrAppend(&sql, " AND stage=?4");
  for (size_t i = 0; i < query.status.size(); ++i) {
    absl::StrAppend(&sql, i == 0 ? " AND status IN ('" : ", '",
                    std::string(SampleStatusName(query.status[i])), "'",
                    i + 1 == query.status.size() ? ")" : "");
  }
  int next = 5;
  for (const ColumnRange& range : query.ranges) {
    SOMAFIT_ASSIGN_OR_RETURN(const std::string column,
                             NumberColumn(table, range.column));
    if (range.minimum) absl::StrAppend(&sql, " AND ", column, ">=?", next++);
    if (range.maximum) absl::StrAppend(&sql, " AND ", column, "<=?", next++);
    if (!range.minimum && !range.maximum) {
      absl::StrAppend(&sql, " AND ", column, " IS NOT NULL");
    }
  }
  const char* const direction = query.descending ? " DESC" : "";
  if (query.order_by.empty()) {
    return absl::StrCat(sql, " ORDER BY sample", direction, " LIMIT ?3");
  }
  SOMAFIT_ASSIGN_OR_RETURN(const std::string column,
                           NumberColumn(table, query.order_by));
  absl::StrAppend(&sql, " AND ", column, " IS NOT NULL");
  if (query.after_sample) {
    // What is recorded does not change: the row says where its page ended.
    absl::StrAppend(&sql, " AND (", column, ", sample)",
                    query.descending ? "<" : ">", "((SELECT ", column, from,
                    " WHERE sample=", *query.after_sample, "), ",
                    *query.after_sample, ")");
  }
  return absl::StrCat(sql, " ORDER BY ", column, direction, ", sample",
                      direction, " LIMIT ?3");
}

}  // namespace somafit
