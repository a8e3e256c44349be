#include "server/store/reader.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"

#include "server/store/database.h"
#include "server/store/encoding.h"
#include "server/store/statement.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

// One state of the database for several statements.
class Snapshot {
 public:
  static absl::StatusOr<Snapshot> Begin(sqlite3* db) {
    SOMAFIT_RETURN_IF_ERROR(Execute(db, "BEGIN"));
    return Snapshot(db);
  }
  Snapshot(Snapshot&& other) noexcept
      : db_(std::exchange(other.db_, nullptr)) {}
  Snapshot& operator=(Snapshot&&) = delete;
  ~Snapshot() {
    if (db_ != nullptr) Execute(db_, "COMMIT").IgnoreError();
  }

 private:
  explicit Snapshot(sqlite3* db) : db_(db) {}
  sqlite3* db_;
};

std::vector<double> ReadReals(SqlStatement& statement, size_t n) {
  std::vector<double> values(n);
  for (double& value : values) value = statement.ReadReal();
  return values;
}

constexpr char kFitColumns[] =
    "SELECT id, name, spec, model, error_dimension, n_traces, state, reason, "
    "resume_state, resume_reason, stage, n_stages, rounds, next_sample, "
    "samples_done, samples_failed, best_sample, best_parameters, best_error, "
    "create_time_us, elapsed_s, last_seq, numerics_version, n_raw FROM fits "
    "ORDER BY id";

absl::StatusOr<FitRecord> ReadFitRow(SqlStatement& row) {
  FitRecord fit;
  fit.id = row.ReadInteger();
  fit.name = row.ReadText();
  SOMAFIT_ASSIGN_OR_RETURN(fit.spec, DecodeSpec(row.ReadText()));
  fit.model_hash = row.ReadText();
  SOMAFIT_ASSIGN_OR_RETURN(fit.error_dimension,
                           DecodeDimension(row.ReadText()));
  fit.n_traces = static_cast<size_t>(row.ReadInteger());
  SOMAFIT_ASSIGN_OR_RETURN(fit.state, DecodeFitState(row.ReadText()));
  fit.reason = row.ReadText();
  const std::string resume_state = row.ReadText();
  if (!resume_state.empty()) {
    SOMAFIT_ASSIGN_OR_RETURN(fit.resume_state, DecodeFitState(resume_state));
  }
  fit.resume_reason = row.ReadText();
  fit.stage = static_cast<int32_t>(row.ReadInteger());
  fit.n_stages = static_cast<int32_t>(row.ReadInteger());
  fit.rounds = row.ReadInteger();
  fit.next_sample = row.ReadInteger();
  fit.samples_done = row.ReadInteger();
  fit.samples_failed = row.ReadInteger();
  fit.best_sample = row.ReadOptionalInteger();
  SOMAFIT_ASSIGN_OR_RETURN(fit.best_parameters, DecodeDoubles(row.ReadBlob()));
  fit.best_error = row.ReadReal();
  fit.create_time_us = row.ReadInteger();
  fit.elapsed_s = row.ReadReal();
  fit.last_seq = row.ReadInteger();
  fit.numerics_version = static_cast<int>(row.ReadInteger());
  fit.n_raw = static_cast<size_t>(row.ReadInteger());
  return fit;
}

absl::Status ReadVariables(sqlite3* db, FitRecord& fit) {
  SOMAFIT_ASSIGN_OR_RETURN(
      SqlStatement rows,
      SqlStatement::Prepare(
          db,
          "SELECT kind, name, dimension, lower, upper "
          "FROM variables WHERE fit=? ORDER BY kind, position"));
  rows.Bind(fit.id);
  while (true) {
    SOMAFIT_ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return absl::OkStatus();
    const std::string kind = rows.ReadText();
    std::string name = rows.ReadText();
    SOMAFIT_ASSIGN_OR_RETURN(Dimension dimension,
                             DecodeDimension(rows.ReadText()));
    if (kind == "parameter") {
      const double lower = rows.ReadReal();
      const double upper = rows.ReadReal();
      fit.parameters.push_back({std::move(name), dimension, lower, upper});
    } else if (kind == "output") {
      fit.outputs.push_back({std::move(name), dimension});
    }
  }
}

absl::Status ReadStages(sqlite3* db, bool ended, StoredFit& stored) {
  SOMAFIT_ASSIGN_OR_RETURN(
      SqlStatement rows,
      SqlStatement::Prepare(db,
                            "SELECT stage, kind, rounds, snapshot FROM stages "
                            "WHERE fit=? ORDER BY stage"));
  rows.Bind(stored.fit.id);
  while (true) {
    SOMAFIT_ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return absl::OkStatus();
    StageRecord stage;
    stage.fit = stored.fit.id;
    stage.stage = static_cast<int32_t>(rows.ReadInteger());
    SOMAFIT_ASSIGN_OR_RETURN(stage.kind, DecodeStageKind(rows.ReadText()));
    stage.rounds = rows.ReadInteger();
    if (!ended) stage.snapshot = rows.ReadBlob();
    stored.stages.push_back(std::move(stage));
  }
}

absl::Status ReadRoundSamples(sqlite3* db, const FitTable& table,
                              int64_t n_samples, bool is_optimized,
                              StoredRound& stored) {
  RoundRecord& round = stored.round;
  std::string sql = "SELECT sample, status, total_error, unit_point";
  for (const std::string& column : table.parameter_columns) {
    absl::StrAppend(&sql, ", ", QuotedIdentifier(column));
  }
  absl::StrAppend(&sql, " FROM ", QuotedIdentifier(table.name),
                  " WHERE sample>=? AND sample<? ORDER BY sample");
  SOMAFIT_ASSIGN_OR_RETURN(SqlStatement rows, SqlStatement::Prepare(db, sql));
  rows.Bind(round.first_sample).Bind(round.first_sample + n_samples);
  bool gap = false;
  while (true) {
    SOMAFIT_ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) break;
    const auto n_read = static_cast<int64_t>(round.points.size());
    if (rows.ReadInteger() != round.first_sample + n_read) {
      gap = true;
      break;
    }
    Evaluation evaluation;
    SOMAFIT_ASSIGN_OR_RETURN(evaluation.status,
                             DecodeSampleStatus(rows.ReadText()));
    evaluation.total_error = rows.ReadReal();
    stored.evaluations.push_back(std::move(evaluation));
    SOMAFIT_ASSIGN_OR_RETURN(std::vector<double> unit_point,
                             DecodeDoubles(rows.ReadBlob()));
    // Inferences have none.
    if (is_optimized && !unit_point.empty()) {
      round.unit_points.push_back(std::move(unit_point));
    }
    round.points.push_back(ReadReals(rows, table.parameter_columns.size()));
  }
  // The coordinator may have ended while it wrote a large round.
  const auto n_read = static_cast<int64_t>(round.points.size());
  const bool may_grow = is_optimized && n_read > 0 && !gap;
  round.n_to_come = may_grow ? n_samples - n_read : 0;
  if (n_read + round.n_to_come != n_samples) {
    return absl::DataLossError(
        absl::StrCat("table ", table.name, " has ", n_read, " of the ",
                     n_samples, " samples of round ", round.round, ", stage ",
                     round.stage, "; restore the database from a backup"));
  }
  return absl::OkStatus();
}

absl::Status ReadOpenRounds(sqlite3* db, StoredFit& stored) {
  SOMAFIT_ASSIGN_OR_RETURN(const FitTable table,
                           ReadFitTable(db, stored.fit.id));
  SOMAFIT_ASSIGN_OR_RETURN(
      SqlStatement rows,
      SqlStatement::Prepare(
          db,
          "SELECT round, first_sample, n_samples FROM rounds WHERE fit=? AND "
          "stage=? AND round>=? AND ended=0 ORDER BY round LIMIT 1"));
  for (const StageRecord& stage : stored.stages) {
    rows.Reset();
    rows.Bind(stored.fit.id).Bind(stage.stage).Bind(stage.rounds);
    SOMAFIT_ASSIGN_OR_RETURN(const bool found, rows.Step());
    if (!found) continue;
    StoredRound round;
    round.round.fit = stored.fit.id;
    round.round.stage = stage.stage;
    round.round.round = rows.ReadInteger();
    round.round.first_sample = rows.ReadInteger();
    SOMAFIT_RETURN_IF_ERROR(ReadRoundSamples(db, table, rows.ReadInteger(),
                                             stage.kind == StageKind::kOptimize,
                                             round));
    stored.open_rounds.push_back(std::move(round));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<FitTable> ReadFitTable(sqlite3* db, int64_t fit) {
  FitTable table;
  SOMAFIT_ASSIGN_OR_RETURN(
      SqlStatement name,
      SqlStatement::Prepare(db, "SELECT name, n_raw FROM fits WHERE id=?"));
  name.Bind(fit);
  SOMAFIT_ASSIGN_OR_RETURN(const bool found, name.Step());
  if (!found) {
    return absl::NotFoundError(
        absl::StrCat("fit number ", fit, " has been deleted"));
  }
  table.name = "fit_" + name.ReadText();
  table.raw = name.ReadInteger() > 0;
  SOMAFIT_ASSIGN_OR_RETURN(
      SqlStatement rows,
      SqlStatement::Prepare(
          db,
          "SELECT kind, value_column, normalized_column FROM variables "
          "WHERE fit=? ORDER BY kind, position"));
  rows.Bind(fit);
  while (true) {
    SOMAFIT_ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return table;
    const std::string kind = rows.ReadText();
    std::string column = rows.ReadText();
    if (kind == "parameter") {
      table.parameter_columns.push_back(std::move(column));
    } else if (kind == "penalty") {
      table.penalty_column = std::move(column);
    } else {
      table.error_columns.push_back(std::move(column));
      std::string normalized = rows.ReadText();
      if (!normalized.empty()) {
        table.normalized_columns.push_back(std::move(normalized));
      }
    }
  }
}

absl::StatusOr<std::vector<StoredFit>> ReadFits(sqlite3* db) {
  SOMAFIT_ASSIGN_OR_RETURN(const Snapshot snapshot, Snapshot::Begin(db));
  SOMAFIT_ASSIGN_OR_RETURN(SqlStatement rows,
                           SqlStatement::Prepare(db, kFitColumns));
  std::vector<StoredFit> fits;
  while (true) {
    SOMAFIT_ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return fits;
    StoredFit stored;
    SOMAFIT_ASSIGN_OR_RETURN(stored.fit, ReadFitRow(rows));
    SOMAFIT_RETURN_IF_ERROR(ReadVariables(db, stored.fit));
    const bool ended = HasEnded(stored.fit.state);
    SOMAFIT_RETURN_IF_ERROR(ReadStages(db, ended, stored));
    if (!ended) SOMAFIT_RETURN_IF_ERROR(ReadOpenRounds(db, stored));
    fits.push_back(std::move(stored));
  }
}

absl::StatusOr<int64_t> ReadNextFitId(sqlite3* db) {
  SOMAFIT_ASSIGN_OR_RETURN(
      SqlStatement statement,
      SqlStatement::Prepare(
          db, "SELECT seq FROM sqlite_sequence WHERE name='fits'"));
  SOMAFIT_ASSIGN_OR_RETURN(const bool found, statement.Step());
  return found ? statement.ReadInteger() + 1 : 1;
}

absl::StatusOr<ModelSource> ReadModel(sqlite3* db, const std::string& hash) {
  SOMAFIT_ASSIGN_OR_RETURN(
      SqlStatement statement,
      SqlStatement::Prepare(db, "SELECT source FROM models WHERE hash=?"));
  statement.BindText(hash);
  SOMAFIT_ASSIGN_OR_RETURN(const bool found, statement.Step());
  if (!found) {
    return absl::NotFoundError(
        absl::StrCat("no model is stored under the hash ", hash));
  }
  return DecodeModel(statement.ReadText());
}

absl::StatusOr<std::optional<RequestRecord>> ReadRequest(
    sqlite3* db, const std::string& request_id) {
  SOMAFIT_ASSIGN_OR_RETURN(
      SqlStatement statement,
      SqlStatement::Prepare(db,
                            "SELECT method, body_hash, response, time_us "
                            "FROM requests WHERE request_id=?"));
  statement.BindText(request_id);
  SOMAFIT_ASSIGN_OR_RETURN(const bool found, statement.Step());
  if (!found) return std::nullopt;
  RequestRecord request;
  request.request_id = request_id;
  request.method = statement.ReadText();
  request.body_hash = statement.ReadText();
  request.response = statement.ReadBlob();
  request.time_us = statement.ReadInteger();
  return request;
}

absl::StatusOr<std::vector<EventRecord>> ReadFitEvents(sqlite3* db, int64_t fit,
                                                       int64_t after_seq,
                                                       int limit) {
  SOMAFIT_ASSIGN_OR_RETURN(
      SqlStatement rows,
      SqlStatement::Prepare(
          db,
          "SELECT seq, time_us, kind, state, reason, stage, round, "
          "first_sample, n_samples, best_sample, best_parameters, best_error, "
          "gated, training FROM events WHERE fit=? AND seq>? ORDER BY seq "
          "LIMIT ?"));
  rows.Bind(fit).Bind(after_seq).Bind(limit < 0 ? 0 : limit);
  std::vector<EventRecord> events;
  while (true) {
    SOMAFIT_ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return events;
    EventRecord event;
    event.fit = fit;
    event.seq = rows.ReadInteger();
    event.time_us = rows.ReadInteger();
    event.kind = rows.ReadText() == "round" ? EventRecord::Kind::kRound
                                            : EventRecord::Kind::kState;
    const std::string state = rows.ReadText();
    event.reason = rows.ReadText();
    if (event.kind == EventRecord::Kind::kState) {
      SOMAFIT_ASSIGN_OR_RETURN(event.state, DecodeFitState(state));
      events.push_back(std::move(event));
      continue;
    }
    event.stage = static_cast<int32_t>(rows.ReadInteger());
    event.round = rows.ReadInteger();
    event.first_sample = rows.ReadInteger();
    event.n_samples = rows.ReadInteger();
    event.best_sample = rows.ReadInteger();
    SOMAFIT_ASSIGN_OR_RETURN(event.best_parameters,
                             DecodeDoubles(rows.ReadBlob()));
    event.best_error = rows.ReadReal();
    event.gated = rows.ReadInteger() != 0;
    event.training = rows.ReadBlob();
    events.push_back(std::move(event));
  }
}

absl::StatusOr<std::string> ReadSnapshot(sqlite3* db, int64_t fit,
                                         int32_t stage) {
  SOMAFIT_ASSIGN_OR_RETURN(
      SqlStatement statement,
      SqlStatement::Prepare(
          db, "SELECT snapshot FROM stages WHERE fit=? AND stage=?"));
  statement.Bind(fit).Bind(stage);
  SOMAFIT_ASSIGN_OR_RETURN(const bool found, statement.Step());
  if (!found) {
    return absl::NotFoundError(
        absl::StrCat("fit number ", fit, " has no stage ", stage));
  }
  return statement.ReadBlob();
}

namespace {

struct SampleBounds {
  int64_t after = -1;
  int64_t last = std::numeric_limits<int64_t>::max();
};

// What bounds a scan by samples' numbers: where the page before ended, and the
// stage's first and last round. nullopt: the stage has none.
absl::StatusOr<std::optional<SampleBounds>> BoundsOf(sqlite3* db, int64_t fit,
                                                     const SampleQuery& query) {
  SampleBounds bounds;
  if (query.after_sample && query.order_by.empty()) {
    if (query.descending) {
      bounds.last = *query.after_sample - 1;
    } else {
      bounds.after = *query.after_sample;
    }
  }
  if (!query.stage) return bounds;
  for (const bool first : {true, false}) {
    SOMAFIT_ASSIGN_OR_RETURN(
        SqlStatement bound,
        SqlStatement::Prepare(
            db, absl::StrCat("SELECT first_sample, n_samples FROM rounds "
                             "WHERE fit=? AND stage=? ORDER BY round ",
                             first ? "" : "DESC ", "LIMIT 1")));
    bound.Bind(fit).Bind(*query.stage);
    SOMAFIT_ASSIGN_OR_RETURN(const bool found, bound.Step());
    if (!found) return std::nullopt;
    const int64_t first_sample = bound.ReadInteger();
    if (first) {
      bounds.after = std::max(bounds.after, first_sample - 1);
    } else {
      bounds.last =
          std::min(bounds.last, first_sample + bound.ReadInteger() - 1);
    }
  }
  return bounds;
}

}  // namespace

absl::StatusOr<std::vector<SampleRow>> ReadFitSamples(
    sqlite3* db, int64_t fit, const SampleQuery& query) {
  SOMAFIT_ASSIGN_OR_RETURN(const Snapshot snapshot, Snapshot::Begin(db));
  SOMAFIT_ASSIGN_OR_RETURN(const FitTable table, ReadFitTable(db, fit));
  SOMAFIT_ASSIGN_OR_RETURN(const std::string sql,
                           SelectSamplesSql(table, query));
  SOMAFIT_ASSIGN_OR_RETURN(const auto bounds, BoundsOf(db, fit, query));
  if (!bounds) return std::vector<SampleRow>();
  SOMAFIT_ASSIGN_OR_RETURN(SqlStatement rows, SqlStatement::Prepare(db, sql));
  rows.Bind(bounds->after)
      .Bind(bounds->last)
      .Bind(std::max<int64_t>(query.limit, 0));
  if (query.stage) {
    rows.Bind(*query.stage);
  } else if (std::any_of(query.ranges.begin(), query.ranges.end(),
                         [](const ColumnRange& range) {
                           return range.minimum || range.maximum;
                         })) {
    rows.BindNull();  // ?4
  }
  for (const ColumnRange& range : query.ranges) {
    if (range.minimum) rows.BindReal(*range.minimum);
    if (range.maximum) rows.BindReal(*range.maximum);
  }
  std::vector<SampleRow> samples;
  while (true) {
    SOMAFIT_ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return samples;
    SampleRow sample;
    sample.sample = rows.ReadInteger();
    sample.stage = static_cast<int32_t>(rows.ReadInteger());
    sample.round = rows.ReadInteger();
    SOMAFIT_ASSIGN_OR_RETURN(sample.status,
                             DecodeSampleStatus(rows.ReadText()));
    sample.parameters = ReadReals(rows, table.parameter_columns.size());
    sample.total_error = rows.ReadReal();
    sample.output_errors = ReadReals(rows, table.error_columns.size());
    sample.output_errors_normalized =
        ReadReals(rows, table.normalized_columns.size());
    sample.penalty = rows.ReadReal();
    if (query.trace_errors) {
      SOMAFIT_ASSIGN_OR_RETURN(sample.trace_errors,
                               DecodeDoubles(rows.ReadBlob()));
    }
    if (table.raw) {
      sample.raw.file = rows.ReadText();
      sample.raw.offset = rows.ReadInteger();
    }
    samples.push_back(std::move(sample));
  }
}

absl::StatusOr<StoredDataset> ReadDataset(sqlite3* db,
                                          const std::string& hash) {
  SOMAFIT_ASSIGN_OR_RETURN(
      SqlStatement statement,
      SqlStatement::Prepare(
          db, "SELECT bytes IS NULL, bytes FROM datasets WHERE hash=?"));
  statement.BindText(hash);
  SOMAFIT_ASSIGN_OR_RETURN(const bool found, statement.Step());
  if (!found) {
    return absl::NotFoundError(
        absl::StrCat("no dataset is stored under the hash ", hash.substr(0, 80),
                     "; upload it first"));
  }
  StoredDataset dataset;
  if (statement.ReadInteger() == 0) dataset.bytes = statement.ReadBlob();
  return dataset;
}

}  // namespace somafit
