// Which files of raw traces belong to which fit.
#include "server/store/reader.h"
#include "server/store/statement.h"
#include "server/store/writer.h"
#include "worker/core/base/status.h"

namespace somafit {

absl::Status Writer::NameFiles(const ResultsRecord& results) {
  std::string last;  // of one report there is one file
  for (const RecordedSample& sample : results.samples) {
    if (sample.raw.file.empty() || sample.raw.file == last) continue;
    last = sample.raw.file;
    SOMAFIT_ASSIGN_OR_RETURN(
        SqlStatement* const name,
        Prepared("INSERT INTO raw_files(fit, hash) VALUES (?, ?) "
                 "ON CONFLICT DO NOTHING"));
    SOMAFIT_RETURN_IF_ERROR(name->Bind(results.fit).BindText(last).Run());
  }
  return absl::OkStatus();
}

absl::Status Writer::DropFiles(int64_t fit) {
  SOMAFIT_ASSIGN_OR_RETURN(SqlStatement* const files,
                           Prepared("SELECT hash FROM raw_files WHERE fit=?"));
  files->Bind(fit);
  while (true) {
    SOMAFIT_ASSIGN_OR_RETURN(const bool more, files->Step());
    if (!more) break;
    dropped_files_.push_back(files->ReadText());
  }
  files->Reset();
  SOMAFIT_ASSIGN_OR_RETURN(SqlStatement* const drop,
                           Prepared("DELETE FROM raw_files WHERE fit=?"));
  return drop->Bind(fit).Run();
}

absl::StatusOr<std::set<std::string>> ReadRawFiles(sqlite3* db) {
  SOMAFIT_ASSIGN_OR_RETURN(
      SqlStatement rows,
      SqlStatement::Prepare(db, "SELECT hash FROM raw_files"));
  std::set<std::string> files;
  while (true) {
    SOMAFIT_ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return files;
    files.insert(rows.ReadText());
  }
}

}  // namespace somafit
