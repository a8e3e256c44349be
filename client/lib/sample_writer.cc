#include "client/lib/sample_writer.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"

#include "client/lib/client.h"
#include "client/lib/display.h"
#include "client/lib/npz.h"
#include "worker/core/base/number.h"
#include "worker/core/data/column_names.h"

namespace somafit {
namespace {

constexpr size_t kLeastWidth = 9;

std::string Padded(absl::string_view text, size_t width) {
  return absl::StrCat(
      std::string(width > text.size() ? width - text.size() : 0, ' '), text);
}

std::string CsvNumber(double value) {
  return std::isnan(value) ? "" : ShortestText(value);
}

// Whether the metric of a term was given a normalization.
bool IsNormalized(const v1::Fit& fit, const std::string& term) {
  for (const v1::MetricSpec& metric : fit.spec().metrics()) {
    if (metric.output() != term) continue;
    return std::any_of(metric.options().begin(), metric.options().end(),
                       [](const v1::NamedText& option) {
                         return option.name() == "normalization";
                       });
  }
  return false;
}

}  // namespace

SampleWriter::SampleWriter(SampleFormat format, bool units, const v1::Fit& fit,
                           Sink sink, bool trace_errors)
    : format_(format),
      units_(units),
      fit_(fit),
      sink_(std::move(sink)),
      trace_errors_(trace_errors) {
  std::vector<std::string> parameters;
  for (const v1::Variable& each : fit_.parameters()) {
    parameters.push_back(each.name());
  }
  std::vector<std::string> outputs;
  for (const v1::Variable& each : fit_.outputs()) {
    outputs.push_back(each.name());
  }
  const SampleColumnNames names = NameSampleColumns(parameters, outputs);
  error_names_ = names.errors;
  for (int i = 0; i < fit_.parameters_size(); ++i) {
    v1::Variable parameter = fit_.parameters(i);
    parameter.set_name(names.parameters[i]);
    AddColumn(Kind::kParameter, i, std::move(parameter));
  }
  v1::Variable total = fit_.total_error();
  total.set_name("total_error");
  AddColumn(Kind::kTotal, 0, total);
  for (int i = 0; i < fit_.outputs_size(); ++i) {
    v1::Variable error = OutputErrorVariable(fit_, i);
    error.set_name(names.errors[i]);
    AddColumn(Kind::kError, i, std::move(error));
    if (!IsNormalized(fit_, fit_.outputs(i).name())) continue;
    total.set_name(names.normalized[i]);
    AddColumn(Kind::kNormalized, i, total);
  }
  if (fit_.spec().penalty().empty()) return;
  total.set_name("penalty");
  AddColumn(Kind::kPenalty, 0, total);
}

void SampleWriter::AddColumn(Kind kind, int index, v1::Variable variable) {
  Column column;
  column.kind = kind;
  column.index = index;
  const std::string unit = units_ ? DisplayUnitText(variable) : "";
  column.header = unit.empty() ? variable.name()
                               : absl::StrCat(variable.name(), " [", unit, "]");
  // SI numbers are shown in full: up to 24 characters.
  column.width = std::max(column.header.size(), units_ ? kLeastWidth : 24);
  column.variable = std::move(variable);
  columns_.push_back(std::move(column));
}

void SampleWriter::AddTraceColumns(const v1::SampleBlock& block) {
  const int n_outputs = std::max(fit_.outputs_size(), 1);
  if (block.sample_size() == 0) return;
  n_trace_errors_ = block.trace_error_size() / block.sample_size();
  for (int i = 0; i < n_trace_errors_; ++i) {
    const int n_traces = n_trace_errors_ / n_outputs;
    if (n_traces == 0) return;
    v1::Variable error = OutputErrorVariable(fit_, i / n_traces);
    error.set_name(
        absl::StrCat(error_names_[i / n_traces], "_trace_", i % n_traces));
    AddColumn(Kind::kTrace, i, std::move(error));
  }
}

void SampleWriter::Begin() {
  if (!trace_errors_) WriteHead();
}

void SampleWriter::WriteHead() {
  if (std::exchange(begun_, true)) return;
  if (format_ == SampleFormat::kNpz) return;
  if (format_ == SampleFormat::kJson) {
    std::string text = absl::StrCat("{\"fit\": ", JsonText(fit_.name()), ",\n");
    if (units_) {
      absl::StrAppend(&text, " \"units\": {");
      for (size_t i = 0; i < columns_.size(); ++i) {
        absl::StrAppend(&text, i > 0 ? ", " : "",
                        JsonText(columns_[i].variable.name()), ": ",
                        JsonText(columns_[i].variable.si_unit()));
      }
      absl::StrAppend(&text, "},\n");
    }
    sink_(absl::StrCat(text, " \"samples\": ["));
    return;
  }
  if (format_ == SampleFormat::kCsv) {
    std::string text = "sample,stage,round,status";
    for (const Column& column : columns_) {
      absl::StrAppend(&text, ",", column.variable.name());
    }
    sink_(absl::StrCat(text, "\n"));
    return;
  }
  std::string text = " sample stage  round    status";
  for (const Column& column : columns_) {
    absl::StrAppend(&text, "  ", Padded(column.header, column.width));
  }
  sink_(absl::StrCat(text, "\n"));
}

double SampleWriter::Value(const v1::SampleBlock& block, int row,
                           const Column& column) const {
  const int n_outputs = fit_.outputs_size();
  switch (column.kind) {
    case Kind::kParameter:
      return block.parameters(row * fit_.parameters_size() + column.index);
    case Kind::kTotal:
      return block.total_error(row);
    case Kind::kError:
      return block.output_error(row * n_outputs + column.index);
    case Kind::kNormalized:
      return block.output_error_normalized(row * n_outputs + column.index);
    case Kind::kPenalty:
      return block.penalty(row);
    case Kind::kTrace:
      return block.trace_error(row * n_trace_errors_ + column.index);
  }
  return std::numeric_limits<double>::quiet_NaN();
}

absl::Status SampleWriter::Add(const v1::SampleBlock& block) {
  const int64_t n = block.sample_size();
  if (block.stage_size() != n || block.round_size() != n ||
      block.status_size() != n || block.total_error_size() != n ||
      block.parameters_size() != n * fit_.parameters_size() ||
      block.output_error_size() != n * fit_.outputs_size() ||
      block.output_error_normalized_size() != n * fit_.outputs_size() ||
      (!fit_.spec().penalty().empty() && block.penalty_size() != n)) {
    return absl::InternalError(
        absl::StrCat("the coordinator sent samples of ", fit_.name(),
                     " whose columns do not match; update somafit"));
  }
  if (trace_errors_ && !begun_) AddTraceColumns(block);
  if (trace_errors_) WriteHead();
  if (block.trace_error_size() != n * n_trace_errors_ && trace_errors_) {
    return absl::InternalError(
        absl::StrCat("the coordinator sent errors of traces of ", fit_.name(),
                     " that do not match; update somafit"));
  }
  for (int row = 0; row < n; ++row) {
    const double error = block.total_error(row);
    if (error < best_error_) {
      best_error_ = error;
      best_sample_ = block.sample(row);
      best_parameters_.clear();
      for (int i = 0; i < fit_.parameters_size(); ++i) {
        best_parameters_.push_back(
            block.parameters(row * fit_.parameters_size() + i));
      }
    }
    switch (format_) {
      case SampleFormat::kCsv:
        WriteCsv(block, row);
        break;
      case SampleFormat::kJson:
        WriteJson(block, row);
        break;
      case SampleFormat::kTable:
        WriteTable(block, row);
        break;
      case SampleFormat::kNpz:
        numbers_[0].push_back(static_cast<double>(block.sample(row)));
        numbers_[1].push_back(block.stage(row));
        numbers_[2].push_back(static_cast<double>(block.round(row)));
        numbers_[3].push_back(block.status(row));
        for (Column& column : columns_) {
          column.kept.push_back(Value(block, row, column));
        }
        break;
    }
    first_ = false;
  }
  return absl::OkStatus();
}

void SampleWriter::WriteCsv(const v1::SampleBlock& block, int row) {
  std::string line =
      absl::StrCat(block.sample(row), ",", block.stage(row), ",",
                   block.round(row), ",", StatusText(block.status(row)));
  for (const Column& column : columns_) {
    absl::StrAppend(&line, ",", CsvNumber(Value(block, row, column)));
  }
  sink_(absl::StrCat(line, "\n"));
}

void SampleWriter::WriteJson(const v1::SampleBlock& block, int row) {
  std::string line = absl::StrCat(
      first_ ? "\n" : ",\n", "  {\"sample\": ", block.sample(row),
      ", \"stage\": ", block.stage(row), ", \"round\": ", block.round(row),
      ", \"status\": ", JsonText(StatusText(block.status(row))));
  for (const Column& column : columns_) {
    absl::StrAppend(&line, ", ", JsonText(column.variable.name()), ": ",
                    JsonNumber(Value(block, row, column)));
  }
  sink_(absl::StrCat(line, "}"));
}

void SampleWriter::WriteTable(const v1::SampleBlock& block, int row) {
  std::string line =
      absl::StrCat(Padded(absl::StrCat(block.sample(row)), 7), " ",
                   Padded(absl::StrCat(block.stage(row)), 5), " ",
                   Padded(absl::StrCat(block.round(row)), 6), " ",
                   Padded(StatusText(block.status(row)), 9));
  for (const Column& column : columns_) {
    const double value = Value(block, row, column);
    const std::string text =
        units_              ? NumberText(value / DisplayScale(column.variable))
        : std::isnan(value) ? "-"
                            : ShortestText(value);
    absl::StrAppend(&line, "  ", Padded(text, column.width));
  }
  sink_(absl::StrCat(line, "\n"));
}

void SampleWriter::WriteNpz() {
  NpzWriter archive;
  const char* const names[] = {"sample", "stage", "round", "status"};
  for (size_t i = 0; i < 4; ++i) {
    archive.Add(names[i],
                std::vector<int64_t>(numbers_[i].begin(), numbers_[i].end()));
  }
  for (const Column& column : columns_) {
    archive.Add(column.variable.name(), column.kept);
  }
  sink_(archive.Finish());
}

void SampleWriter::End() {
  if (trace_errors_) WriteHead();
  if (format_ == SampleFormat::kNpz) return WriteNpz();
  if (format_ == SampleFormat::kJson) sink_("\n ]\n}\n");
  if (format_ != SampleFormat::kTable) return;
  if (first_) {
    sink_("no samples yet\n");
  } else if (best_sample_ < 0) {
    sink_("best: no sample has an error\n");
  } else if (units_) {
    sink_(absl::StrCat("best: sample ", best_sample_, ", error ",
                       QuantityText(best_error_, fit_.total_error()), ", ",
                       ParametersText(fit_, best_parameters_), "\n"));
  } else {
    std::string line = absl::StrCat("best: sample ", best_sample_, ", error ",
                                    ShortestText(best_error_));
    for (int i = 0; i < fit_.parameters_size(); ++i) {
      absl::StrAppend(&line, ", ", fit_.parameters(i).name(), " = ",
                      ShortestText(best_parameters_[i]));
    }
    sink_(absl::StrCat(line, "\n"));
  }
}

}  // namespace somafit
