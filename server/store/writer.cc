#include "server/store/writer.h"

#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"

#include "server/store/database.h"
#include "server/store/encoding.h"
#include "server/store/reader.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr size_t kMostFitStatements = 256;
// Repeats of older requests are taken as new ones.
constexpr int64_t kRequestLifetimeUs = int64_t{7} * 24 * 3600 * 1'000'000;

}  // namespace

absl::StatusOr<SqlStatement*> Writer::Prepared(const char* sql) {
  std::unique_ptr<SqlStatement>& statement = prepared_[sql];
  if (statement == nullptr) {
    SOMAFIT_ASSIGN_OR_RETURN(SqlStatement made,
                             SqlStatement::Prepare(db_, sql));
    statement = std::make_unique<SqlStatement>(std::move(made));
  }
  statement->Reset();
  return statement.get();
}

absl::StatusOr<Writer::FitStatements*> Writer::StatementsOf(int64_t fit) {
  const auto found = fits_.find(fit);
  if (found != fits_.end()) return found->second.get();
  if (fits_.size() >= kMostFitStatements) fits_.clear();
  SOMAFIT_ASSIGN_OR_RETURN(const FitTable table, ReadFitTable(db_, fit));
  SOMAFIT_ASSIGN_OR_RETURN(SqlStatement insert,
                           SqlStatement::Prepare(db_, InsertDrawnSql(table)));
  SOMAFIT_ASSIGN_OR_RETURN(SqlStatement record,
                           SqlStatement::Prepare(db_, RecordResultSql(table)));
  auto made = std::make_unique<FitStatements>(FitStatements{
      table.parameter_columns.size(), std::move(insert), std::move(record),
      table.name, !table.penalty_column.empty(), table.raw});
  return (fits_[fit] = std::move(made)).get();
}

absl::Status Writer::Apply(const WriteSet& writes) {
  for (const Write& write : writes) {
    SOMAFIT_RETURN_IF_ERROR(std::visit(
        [this](const auto& record) { return Apply(record); }, write));
  }
  return absl::OkStatus();
}

absl::Status Writer::Apply(const DatasetRow& dataset) {
  SOMAFIT_ASSIGN_OR_RETURN(
      SqlStatement* const insert,
      Prepared("INSERT INTO datasets(hash, size, bytes) VALUES (?, ?, ?) "
               "ON CONFLICT DO NOTHING"));
  insert->BindText(dataset.hash).Bind(dataset.size);
  if (dataset.bytes) {
    insert->BindBlob(*dataset.bytes);
  } else {
    insert->BindNull();
  }
  return insert->Run();
}

absl::Status Writer::Apply(const ModelRecord& model) {
  SOMAFIT_ASSIGN_OR_RETURN(const std::string source, EncodeModel(model.source));
  SOMAFIT_ASSIGN_OR_RETURN(
      SqlStatement* const insert,
      Prepared("INSERT INTO models(hash, source) VALUES (?, ?) "
               "ON CONFLICT DO NOTHING"));
  return insert->BindText(model.hash).BindText(source).Run();
}

absl::Status Writer::Apply(const NewFit& created) {
  const FitRecord& fit = created.fit;
  SOMAFIT_ASSIGN_OR_RETURN(const std::string spec, EncodeSpec(fit.spec));
  SOMAFIT_ASSIGN_OR_RETURN(
      SqlStatement* const insert,
      Prepared("INSERT INTO fits(id, name, spec, model, error_dimension, "
               "n_traces, create_time_us, numerics_version, state, reason, "
               "resume_reason, stage, n_stages, rounds, next_sample, "
               "samples_done, samples_failed, best_parameters, elapsed_s, "
               "last_seq, n_raw) VALUES (?, ?, ?, ?, ?, ?, ?, ?, '', '', '', "
               "0, 0, 0, 0, 0, 0, x'', 0, 0, ?)"));
  SOMAFIT_RETURN_IF_ERROR(insert->Bind(fit.id)
                              .BindText(fit.name)
                              .BindText(spec)
                              .BindText(fit.model_hash)
                              .BindText(EncodeDimension(fit.error_dimension))
                              .Bind(static_cast<int64_t>(fit.n_traces))
                              .Bind(fit.create_time_us)
                              .Bind(fit.numerics_version)
                              .Bind(static_cast<int64_t>(fit.n_raw))
                              .Run());
  std::vector<std::string> parameters;
  for (const Parameter& p : fit.parameters) parameters.push_back(p.name);
  std::vector<std::string> outputs;
  for (const Channel& o : fit.outputs) outputs.push_back(o.name);
  FitTable table = NameFitTable(fit.name, parameters, outputs,
                                fit.spec.inference.has_value());
  table.raw = fit.n_raw > 0;
  SOMAFIT_ASSIGN_OR_RETURN(
      SqlStatement* const variable,
      Prepared("INSERT INTO variables(fit, kind, position, name, dimension, "
               "lower, upper, value_column, normalized_column) "
               "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  for (size_t i = 0; i < fit.parameters.size(); ++i) {
    const Parameter& parameter = fit.parameters[i];
    SOMAFIT_RETURN_IF_ERROR(variable->Bind(fit.id)
                                .BindText("parameter")
                                .Bind(static_cast<int64_t>(i))
                                .BindText(parameter.name)
                                .BindText(EncodeDimension(parameter.dimension))
                                .BindReal(parameter.lower)
                                .BindReal(parameter.upper)
                                .BindText(table.parameter_columns[i])
                                .BindNull()
                                .Run());
  }
  for (size_t i = 0; i < fit.outputs.size(); ++i) {
    const Channel& output = fit.outputs[i];
    variable->Bind(fit.id)
        .BindText("output")
        .Bind(static_cast<int64_t>(i))
        .BindText(output.name)
        .BindText(EncodeDimension(output.dimension))
        .BindNull()
        .BindNull()
        .BindText(table.error_columns[i]);
    if (table.normalized_columns.empty()) {
      variable->BindNull();
    } else {
      variable->BindText(table.normalized_columns[i]);
    }
    SOMAFIT_RETURN_IF_ERROR(variable->Run());
  }
  SOMAFIT_RETURN_IF_ERROR(variable->Bind(fit.id)
                              .BindText("penalty")
                              .Bind(int64_t{0})
                              .BindText("penalty")
                              .BindText(EncodeDimension(fit.error_dimension))
                              .BindNull()
                              .BindNull()
                              .BindText(table.penalty_column)
                              .BindNull()
                              .Run());
  SOMAFIT_RETURN_IF_ERROR(Execute(db_, CreateTableSql(table)));
  SOMAFIT_RETURN_IF_ERROR(Execute(db_, CreateIndexSql(table, fit.id)));
  return Apply(UpdatedFit{fit});
}

absl::Status Writer::Apply(const UpdatedFit& updated) {
  const FitRecord& fit = updated.fit;
  SOMAFIT_ASSIGN_OR_RETURN(
      SqlStatement* const update,
      Prepared("UPDATE fits SET state=?, reason=?, resume_state=?, "
               "resume_reason=?, stage=?, n_stages=?, rounds=?, next_sample=?, "
               "samples_done=?, samples_failed=?, best_sample=?, "
               "best_parameters=?, best_error=?, elapsed_s=?, last_seq=? "
               "WHERE id=?"));
  update->BindText(FitStateName(fit.state)).BindText(fit.reason);
  if (fit.resume_state) {
    update->BindText(FitStateName(*fit.resume_state));
  } else {
    update->BindNull();
  }
  update->BindText(fit.resume_reason)
      .Bind(fit.stage)
      .Bind(fit.n_stages)
      .Bind(fit.rounds)
      .Bind(fit.next_sample)
      .Bind(fit.samples_done)
      .Bind(fit.samples_failed);
  if (fit.best_sample) {
    update->Bind(*fit.best_sample);
  } else {
    update->BindNull();
  }
  return update->BindBlob(EncodeDoubles(fit.best_parameters))
      .BindReal(fit.best_error)
      .BindReal(fit.elapsed_s)
      .Bind(fit.last_seq)
      .Bind(fit.id)
      .Run();
}

absl::Status Writer::Apply(const ChangedFit& changed) {
  const FitRecord& fit = changed.fit;
  SOMAFIT_ASSIGN_OR_RETURN(const std::string spec, EncodeSpec(fit.spec));
  SOMAFIT_ASSIGN_OR_RETURN(
      SqlStatement* const update,
      Prepared("UPDATE fits SET spec=?, error_dimension=? WHERE id=?"));
  SOMAFIT_RETURN_IF_ERROR(update->BindText(spec)
                              .BindText(EncodeDimension(fit.error_dimension))
                              .Bind(fit.id)
                              .Run());
  SOMAFIT_ASSIGN_OR_RETURN(
      SqlStatement* const bounds,
      Prepared("UPDATE variables SET lower=?, upper=? WHERE fit=? AND "
               "kind='parameter' AND position=?"));
  for (size_t i = 0; i < fit.parameters.size(); ++i) {
    SOMAFIT_RETURN_IF_ERROR(bounds->BindReal(fit.parameters[i].lower)
                                .BindReal(fit.parameters[i].upper)
                                .Bind(fit.id)
                                .Bind(static_cast<int64_t>(i))
                                .Run());
  }
  SOMAFIT_ASSIGN_OR_RETURN(
      SqlStatement* const dimension,
      Prepared("UPDATE variables SET dimension=? WHERE fit=? AND kind=? AND "
               "position=?"));
  for (size_t i = 0; i < fit.outputs.size(); ++i) {
    SOMAFIT_RETURN_IF_ERROR(
        dimension->BindText(EncodeDimension(fit.outputs[i].dimension))
            .Bind(fit.id)
            .BindText("output")
            .Bind(static_cast<int64_t>(i))
            .Run());
  }
  return dimension->BindText(EncodeDimension(fit.error_dimension))
      .Bind(fit.id)
      .BindText("penalty")
      .Bind(int64_t{0})
      .Run();
}

absl::Status Writer::Apply(const DeletedFit& deleted) {
  fits_.erase(deleted.fit);
  SOMAFIT_RETURN_IF_ERROR(DropFiles(deleted.fit));
  for (const char* sql :
       {"DELETE FROM variables WHERE fit=?", "DELETE FROM stages WHERE fit=?",
        "DELETE FROM rounds WHERE fit=?", "DELETE FROM events WHERE fit=?",
        "DELETE FROM estimators WHERE fit=?", "DELETE FROM fits WHERE id=?"}) {
    SOMAFIT_ASSIGN_OR_RETURN(SqlStatement* const statement, Prepared(sql));
    SOMAFIT_RETURN_IF_ERROR(statement->Bind(deleted.fit).Run());
  }
  return Execute(db_, "DROP TABLE " + QuotedIdentifier("fit_" + deleted.name));
}

absl::Status Writer::Apply(const StageRecord& stage) {
  SOMAFIT_ASSIGN_OR_RETURN(
      SqlStatement* const insert,
      Prepared("INSERT INTO stages(fit, stage, kind, rounds, snapshot, spec) "
               "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT(fit, stage) DO UPDATE "
               "SET rounds=excluded.rounds, snapshot=excluded.snapshot"));
  insert->Bind(stage.fit)
      .Bind(stage.stage)
      .BindText(StageKindName(stage.kind))
      .Bind(stage.rounds)
      .BindBlob(stage.snapshot);
  if (stage.spec) {
    SOMAFIT_ASSIGN_OR_RETURN(const std::string spec, EncodeSpec(*stage.spec));
    insert->BindText(spec);
  } else {
    insert->BindNull();
  }
  SOMAFIT_RETURN_IF_ERROR(insert->Run());
  SOMAFIT_ASSIGN_OR_RETURN(
      SqlStatement* const end,
      Prepared("UPDATE rounds SET ended=1 WHERE fit=? AND stage=? AND "
               "round=?"));
  return end->Bind(stage.fit).Bind(stage.stage).Bind(stage.rounds - 1).Run();
}

absl::Status Writer::Apply(const RoundRecord& round) {
  SOMAFIT_ASSIGN_OR_RETURN(
      SqlStatement* const insert,
      Prepared("INSERT INTO rounds(fit, stage, round, first_sample, n_samples, "
               "ended) VALUES (?, ?, ?, ?, ?, 0)"));
  const auto n_points = static_cast<int64_t>(round.points.size());
  SOMAFIT_RETURN_IF_ERROR(insert->Bind(round.fit)
                              .Bind(round.stage)
                              .Bind(round.round)
                              .Bind(round.first_sample)
                              .Bind(n_points + round.n_to_come)
                              .Run());
  return InsertDrawn(round);
}

absl::Status Writer::Apply(const DrawnSamples& drawn) {
  SOMAFIT_RETURN_IF_ERROR(InsertDrawn(drawn));
  // A round may have been drawn up to here, or grow.
  SOMAFIT_ASSIGN_OR_RETURN(
      SqlStatement* const update,
      Prepared("UPDATE rounds SET n_samples=max(n_samples, ?-first_sample) "
               "WHERE fit=? AND stage=? AND round=?"));
  return update
      ->Bind(drawn.first_sample + static_cast<int64_t>(drawn.points.size()))
      .Bind(drawn.fit)
      .Bind(drawn.stage)
      .Bind(drawn.round)
      .Run();
}

template <typename Drawn>
absl::Status Writer::InsertDrawn(const Drawn& drawn) {
  SOMAFIT_ASSIGN_OR_RETURN(FitStatements* const fit, StatementsOf(drawn.fit));
  for (size_t i = 0; i < drawn.points.size(); ++i) {
    if (drawn.points[i].size() != fit->n_parameters) {
      return absl::InternalError(absl::StrCat("a point of table ", fit->table,
                                              " has ", drawn.points[i].size(),
                                              " values"));
    }
    SqlStatement& row = fit->insert_drawn;
    row.Bind(drawn.first_sample + static_cast<int64_t>(i))
        .Bind(drawn.stage)
        .Bind(drawn.round);
    for (const double value : drawn.points[i]) row.BindReal(value);
    if (i < drawn.unit_points.size()) {
      row.BindKept(BytesOf(drawn.unit_points[i]));
    } else {
      row.BindNull();
    }
    SOMAFIT_RETURN_IF_ERROR(row.Run());
  }
  return absl::OkStatus();
}

absl::Status Writer::Apply(const ResultsRecord& results) {
  if (results.samples.empty()) return absl::OkStatus();
  SOMAFIT_ASSIGN_OR_RETURN(FitStatements* const fit, StatementsOf(results.fit));
  const int64_t share =
      results.microseconds / static_cast<int64_t>(results.samples.size());
  if (fit->raw) SOMAFIT_RETURN_IF_ERROR(NameFiles(results));
  for (const RecordedSample& sample : results.samples) {
    const Evaluation& evaluation = sample.evaluation;
    SqlStatement& row = fit->record_result;
    row.BindKeptText(SampleStatusName(evaluation.status))
        .BindReal(evaluation.total_error);
    for (const double error : evaluation.output_errors) row.BindReal(error);
    for (const double error : evaluation.output_errors_normalized) {
      row.BindReal(error);
    }
    if (fit->has_penalty) {
      if (evaluation.penalty) {
        row.BindReal(*evaluation.penalty);
      } else {
        row.BindNull();
      }
    }
    row.BindKept(BytesOf(evaluation.trace_errors))
        .BindKeptText(results.worker)
        .Bind(share)
        .Bind(results.numerics_version);
    if (evaluation.reason.empty()) {
      row.BindNull();
    } else {
      row.BindText(evaluation.reason);
    }
    if (fit->raw && sample.raw.file.empty()) {
      row.BindNull().BindNull();
    } else if (fit->raw) {
      row.BindText(sample.raw.file).Bind(sample.raw.offset);
    }
    SOMAFIT_RETURN_IF_ERROR(row.Bind(sample.sample).Run());
  }
  return absl::OkStatus();
}

absl::Status Writer::Apply(const CancelledSamples& cancelled) {
  SOMAFIT_ASSIGN_OR_RETURN(FitStatements* const fit,
                           StatementsOf(cancelled.fit));
  SOMAFIT_ASSIGN_OR_RETURN(
      SqlStatement cancel,
      SqlStatement::Prepare(
          db_, absl::StrCat("UPDATE ", QuotedIdentifier(fit->table),
                            " SET status='cancelled' WHERE sample>=? AND "
                            "sample<? AND status='drawn'")));
  SOMAFIT_ASSIGN_OR_RETURN(
      SqlStatement* const open,
      Prepared("SELECT first_sample, n_samples FROM rounds "
               "WHERE fit=? AND ended=0"));
  open->Bind(cancelled.fit);
  while (true) {
    SOMAFIT_ASSIGN_OR_RETURN(const bool more, open->Step());
    if (!more) break;
    const int64_t first = open->ReadInteger();
    SOMAFIT_RETURN_IF_ERROR(
        cancel.Bind(first).Bind(first + open->ReadInteger()).Run());
  }
  open->Reset();
  SOMAFIT_ASSIGN_OR_RETURN(
      SqlStatement* const end,
      Prepared("UPDATE rounds SET ended=1 WHERE fit=? AND ended=0"));
  return end->Bind(cancelled.fit).Run();
}

absl::Status Writer::Apply(const EventRecord& event) {
  if (event.kind == EventRecord::Kind::kState) {
    SOMAFIT_ASSIGN_OR_RETURN(
        SqlStatement* const insert,
        Prepared("INSERT INTO events(fit, seq, time_us, kind, state, reason) "
                 "VALUES (?, ?, ?, 'state', ?, ?)"));
    return insert->Bind(event.fit)
        .Bind(event.seq)
        .Bind(event.time_us)
        .BindText(FitStateName(event.state))
        .BindText(event.reason)
        .Run();
  }
  SOMAFIT_ASSIGN_OR_RETURN(
      SqlStatement* const insert,
      Prepared("INSERT INTO events(fit, seq, time_us, kind, stage, round, "
               "first_sample, n_samples, best_sample, best_parameters, "
               "best_error, gated, training) "
               "VALUES (?, ?, ?, 'round', ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  insert->Bind(event.fit)
      .Bind(event.seq)
      .Bind(event.time_us)
      .Bind(event.stage)
      .Bind(event.round)
      .Bind(event.first_sample)
      .Bind(event.n_samples)
      .Bind(event.best_sample)
      .BindBlob(EncodeDoubles(event.best_parameters))
      .BindReal(event.best_error)
      .Bind(event.gated ? 1 : 0);
  if (event.training.empty()) {
    insert->BindNull();
  } else {
    insert->BindBlob(event.training);
  }
  return insert->Run();
}

absl::Status Writer::Apply(const EstimatorRecord& trained) {
  SOMAFIT_ASSIGN_OR_RETURN(
      SqlStatement* const insert,
      Prepared("INSERT INTO estimators(fit, stage, round, estimators, summary) "
               "VALUES (?, ?, ?, ?, ?)"));
  return insert->Bind(trained.fit)
      .Bind(trained.stage)
      .Bind(trained.round)
      .BindBlob(trained.estimators)
      .BindBlob(trained.summary)
      .Run();
}

absl::Status Writer::Apply(const RequestRecord& request) {
  SOMAFIT_ASSIGN_OR_RETURN(
      SqlStatement* const insert,
      Prepared("INSERT INTO requests(request_id, method, body_hash, response, "
               "time_us) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"));
  SOMAFIT_RETURN_IF_ERROR(insert->BindText(request.request_id)
                              .BindText(request.method)
                              .BindText(request.body_hash)
                              .BindBlob(request.response)
                              .Bind(request.time_us)
                              .Run());
  SOMAFIT_ASSIGN_OR_RETURN(SqlStatement* const expire,
                           Prepared("DELETE FROM requests WHERE time_us<?"));
  return expire->Bind(request.time_us - kRequestLifetimeUs).Run();
}

size_t ApproximateBytes(const WriteSet& writes) {
  size_t bytes = 0;
  const auto drawn = [](const auto& points) {
    return points.empty() ? 0 : points.size() * (64 + 16 * points[0].size());
  };
  for (const Write& write : writes) {
    bytes += 256;
    if (const auto* round = std::get_if<RoundRecord>(&write)) {
      bytes += drawn(round->points);
    } else if (const auto* more = std::get_if<DrawnSamples>(&write)) {
      bytes += drawn(more->points);
    } else if (const auto* results = std::get_if<ResultsRecord>(&write)) {
      for (const RecordedSample& sample : results->samples) {
        const Evaluation& e = sample.evaluation;
        bytes += 64 + e.reason.size() +
                 8 * (e.trace_errors.size() + 2 * e.output_errors.size());
      }
    } else if (const auto* stage = std::get_if<StageRecord>(&write)) {
      bytes += stage->snapshot.size();
    } else if (const auto* request = std::get_if<RequestRecord>(&write)) {
      bytes += request->response.size();
    } else if (const auto* model = std::get_if<ModelRecord>(&write)) {
      bytes += model->source.equations.size();
    }
  }
  return bytes;
}

}  // namespace somafit
