#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include <sqlite3.h>

#include "server/store/fit_table.h"
#include "server/study/records.h"
#include "server/study/store.h"

namespace somafit {

// What the store reads, on one connection without a transaction under way.
// Contracts are those of Store.

absl::StatusOr<std::vector<StoredFit>> ReadFits(sqlite3* db);
absl::StatusOr<int64_t> ReadNextFitId(sqlite3* db);
absl::StatusOr<ModelSource> ReadModel(sqlite3* db, const std::string& hash);
absl::StatusOr<std::optional<RequestRecord>> ReadRequest(
    sqlite3* db, const std::string& request_id);
absl::StatusOr<std::vector<EventRecord>> ReadFitEvents(sqlite3* db, int64_t fit,
                                                       int64_t after_seq,
                                                       int limit);
absl::StatusOr<std::vector<SampleRow>> ReadFitSamples(sqlite3* db, int64_t fit,
                                                      const SampleQuery& query);
absl::StatusOr<std::string> ReadSnapshot(sqlite3* db, int64_t fit,
                                         int32_t stage);

absl::StatusOr<std::string> ReadEstimators(sqlite3* db, int64_t fit,
                                           int32_t stage, int64_t round);
absl::StatusOr<std::vector<EstimatorInfo>> ReadEstimatorInfos(sqlite3* db,
                                                              int64_t fit,
                                                              int32_t stage);

// Of all fits.
absl::StatusOr<std::set<std::string>> ReadRawFiles(sqlite3* db);
// Whether the fit goes on in that stage, and its round has no estimators yet.
absl::StatusOr<bool> IsToTrain(sqlite3* db, int64_t fit, int32_t stage,
                               int64_t round);

// Where a dataset lies; `bytes` is nullopt for a file beside the database.
// NotFound if there is none.
struct StoredDataset {
  std::optional<std::string> bytes;
};
absl::StatusOr<StoredDataset> ReadDataset(sqlite3* db, const std::string& hash);

// NotFound if the fit has been deleted.
absl::StatusOr<FitTable> ReadFitTable(sqlite3* db, int64_t fit);

}  // namespace somafit
