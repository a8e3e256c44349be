#include "client/lib/sample_writer.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"

#include "client/lib/client.h"
#include "client/lib/display.h"
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

}  // namespace

SampleWriter::SampleWriter(SampleFormat format, bool units, const v1::Fit& fit,
                           Sink sink)
    : format_(format), units_(units), fit_(fit), sink_(std::move(sink)) {
  std::vector<std::string> parameters;
  for (const v1::Variable& each : fit_.parameters()) {
    parameters.push_back(each.name());
  }
  std::vector<std::string> outputs;
  for (const v1::Variable& each : fit_.outputs()) {
    outputs.push_back(each.name());
  }
  const SampleColumnNames names = NameSampleColumns(parameters, outputs);
  for (int i = 0; i < fit_.parameters_size(); ++i) {
    v1::Variable parameter = fit_.parameters(i);
    parameter.set_name(names.parameters[i]);
    AddColumn(std::move(parameter));
  }
  v1::Variable total = fit_.total_error();
  total.set_name("total_error");
  AddColumn(std::move(total));
  for (int i = 0; i < fit_.outputs_size(); ++i) {
    v1::Variable error = OutputErrorVariable(fit_, i);
    error.set_name(names.errors[i]);
    AddColumn(std::move(error));
  }
}

void SampleWriter::AddColumn(v1::Variable variable) {
  Column column;
  const std::string unit = units_ ? DisplayUnitText(variable) : "";
  column.header = unit.empty() ? variable.name()
                               : absl::StrCat(variable.name(), " [", unit, "]");
  // SI numbers are shown in full: up to 24 characters.
  column.width = std::max(column.header.size(), units_ ? kLeastWidth : 24);
  column.variable = std::move(variable);
  columns_.push_back(std::move(column));
}

void SampleWriter::Begin() {
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

double SampleWriter::Value(const v1::SampleBlock& block, int row, int i) const {
  const int n_parameters = fit_.parameters_size();
  if (i < n_parameters) return block.parameters(row * n_parameters + i);
  if (i == n_parameters) return block.total_error(row);
  return block.output_error(row * fit_.outputs_size() + i - n_parameters - 1);
}

absl::Status SampleWriter::Add(const v1::SampleBlock& block) {
  const int64_t n = block.sample_size();
  if (block.stage_size() != n || block.round_size() != n ||
      block.status_size() != n || block.total_error_size() != n ||
      block.parameters_size() != n * fit_.parameters_size() ||
      block.output_error_size() != n * fit_.outputs_size()) {
    return absl::InternalError(
        absl::StrCat("the coordinator sent samples of ", fit_.name(),
                     " whose columns do not match; update somafit"));
  }
  for (int row = 0; row < n; ++row) {
    const double error = block.total_error(row);
    if (error < best_error_) {
      best_error_ = error;
      best_sample_ = block.sample(row);
      best_parameters_.clear();
      for (int i = 0; i < fit_.parameters_size(); ++i) {
        best_parameters_.push_back(Value(block, row, i));
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
    }
    first_ = false;
  }
  return absl::OkStatus();
}

void SampleWriter::WriteCsv(const v1::SampleBlock& block, int row) {
  std::string line =
      absl::StrCat(block.sample(row), ",", block.stage(row), ",",
                   block.round(row), ",", StatusText(block.status(row)));
  for (int i = 0; i < static_cast<int>(columns_.size()); ++i) {
    absl::StrAppend(&line, ",", CsvNumber(Value(block, row, i)));
  }
  sink_(absl::StrCat(line, "\n"));
}

void SampleWriter::WriteJson(const v1::SampleBlock& block, int row) {
  std::string line = absl::StrCat(
      first_ ? "\n" : ",\n", "  {\"sample\": ", block.sample(row),
      ", \"stage\": ", block.stage(row), ", \"round\": ", block.round(row),
      ", \"status\": ", JsonText(StatusText(block.status(row))));
  for (int i = 0; i < static_cast<int>(columns_.size()); ++i) {
    absl::StrAppend(&line, ", ", JsonText(columns_[i].variable.name()), ": ",
                    JsonNumber(Value(block, row, i)));
  }
  sink_(absl::StrCat(line, "}"));
}

void SampleWriter::WriteTable(const v1::SampleBlock& block, int row) {
  std::string line =
      absl::StrCat(Padded(absl::StrCat(block.sample(row)), 7), " ",
                   Padded(absl::StrCat(block.stage(row)), 5), " ",
                   Padded(absl::StrCat(block.round(row)), 6), " ",
                   Padded(StatusText(block.status(row)), 9));
  for (int i = 0; i < static_cast<int>(columns_.size()); ++i) {
    const double value = Value(block, row, i);
    const Column& column = columns_[i];
    const std::string text =
        units_              ? NumberText(value / DisplayScale(column.variable))
        : std::isnan(value) ? "-"
                            : ShortestText(value);
    absl::StrAppend(&line, "  ", Padded(text, column.width));
  }
  sink_(absl::StrCat(line, "\n"));
}

void SampleWriter::End() {
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
