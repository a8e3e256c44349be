// What inferences have learned.
#include <utility>

#include "absl/strings/str_cat.h"

#include "server/store/reader.h"
#include "server/store/statement.h"
#include "worker/core/base/status.h"

namespace somafit {

absl::StatusOr<std::string> ReadEstimators(sqlite3* db, int64_t fit,
                                           int32_t stage, int64_t round) {
  SOMAFIT_ASSIGN_OR_RETURN(
      SqlStatement statement,
      SqlStatement::Prepare(db,
                            "SELECT estimators FROM estimators WHERE fit=? AND "
                            "stage=? AND round=?"));
  statement.Bind(fit).Bind(stage).Bind(round);
  SOMAFIT_ASSIGN_OR_RETURN(const bool found, statement.Step());
  if (!found) {
    return absl::NotFoundError(
        absl::StrCat("round ", round, " has not been trained on"));
  }
  return statement.ReadBlob();
}

absl::StatusOr<std::vector<EstimatorInfo>> ReadEstimatorInfos(sqlite3* db,
                                                              int64_t fit,
                                                              int32_t stage) {
  SOMAFIT_ASSIGN_OR_RETURN(
      SqlStatement rows,
      SqlStatement::Prepare(db,
                            "SELECT round, length(estimators), summary FROM "
                            "estimators WHERE fit=? AND stage=? ORDER BY "
                            "round"));
  rows.Bind(fit).Bind(stage);
  std::vector<EstimatorInfo> infos;
  while (true) {
    SOMAFIT_ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return infos;
    EstimatorInfo info;
    info.round = rows.ReadInteger();
    info.bytes = rows.ReadInteger();
    info.summary = rows.ReadBlob();
    infos.push_back(std::move(info));
  }
}

absl::StatusOr<bool> IsToTrain(sqlite3* db, int64_t fit, int32_t stage,
                               int64_t round) {
  SOMAFIT_ASSIGN_OR_RETURN(
      SqlStatement row,
      SqlStatement::Prepare(
          db,
          "SELECT 1 FROM fits WHERE id = ?1 AND stage = ?2 AND state IN "
          "('RUNNING', 'PAUSED', 'GATED') AND NOT EXISTS(SELECT 1 FROM "
          "estimators WHERE fit = ?1 AND stage = ?2 AND round = ?3)"));
  row.Bind(fit).Bind(static_cast<int64_t>(stage)).Bind(round);
  return row.Step();
}

}  // namespace somafit
