#include "client/lib/simulation_writer.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

#include "client/lib/display.h"
#include "client/lib/npz.h"
#include "proto/convert/evaluation.h"
#include "worker/core/base/number.h"
#include "worker/core/data/column_names.h"

namespace somafit {
namespace {

constexpr size_t kLeastWidth = 9;

std::string Padded(absl::string_view text, size_t width) {
  return absl::StrCat(
      std::string(width > text.size() ? width - text.size() : 0, ' '), text);
}

// Each feature's name, as the spec says or as it is by default.
std::vector<std::string> FeatureNames(const v1::InferenceSpec& inference) {
  std::vector<std::string> names;
  std::set<std::string> taken;
  for (const v1::FeatureSpec& each : inference.features()) {
    if (!each.name().empty()) taken.insert(each.name());
  }
  for (const v1::FeatureSpec& each : inference.features()) {
    if (!each.name().empty()) {
      names.push_back(each.name());
      continue;
    }
    const std::string base = absl::StrCat(each.output(), "_", each.feature());
    std::string name = base;
    for (int k = 2; !taken.insert(name).second; ++k) {
      name = absl::StrCat(base, "_", k);
    }
    names.push_back(name);
  }
  return names;
}

// Every column, in the order of the spec's outputs.
std::vector<FeatureColumn> Columns(const v1::InferenceSpec& inference,
                                   int n_traces) {
  const std::vector<std::string> names = FeatureNames(inference);
  std::vector<std::string> outputs;
  for (const v1::FeatureSpec& each : inference.features()) {
    if (std::find(outputs.begin(), outputs.end(), each.output()) ==
        outputs.end()) {
      outputs.push_back(each.output());
    }
  }
  std::vector<FeatureColumn> columns;
  for (const std::string& output : outputs) {
    for (int trace = 0; trace < n_traces; ++trace) {
      for (int f = 0; f < inference.features_size(); ++f) {
        if (inference.features(f).output() != output) continue;
        columns.push_back(
            {absl::StrCat(names[f], "_trace_", trace), f * n_traces + trace});
      }
    }
  }
  return columns;
}

// What could not be simulated has features, too: none is a number.
bool WasSimulated(v1::SampleStatus status) {
  return status == v1::SAMPLE_STATUS_OK ||
         status == v1::SAMPLE_STATUS_NONFINITE ||
         status == v1::SAMPLE_STATUS_FAILED;
}

}  // namespace

std::vector<FeatureColumn> FeatureColumns(const v1::InferenceSpec& inference,
                                          int n_traces,
                                          const std::vector<std::string>& x) {
  std::vector<FeatureColumn> columns = Columns(inference, n_traces);
  if (x.size() != columns.size()) return columns;
  std::vector<FeatureColumn> ordered;
  for (const std::string& name : x) {
    for (const FeatureColumn& column : columns) {
      if (column.name == name) ordered.push_back(column);
    }
  }
  return ordered.size() == columns.size() ? ordered : columns;
}

SimulationWriter::SimulationWriter(SampleFormat format, bool units,
                                   const v1::Fit& fit, Sink sink, XColumns x)
    : format_(format),
      units_(units),
      fit_(fit),
      sink_(std::move(sink)),
      x_columns_(std::move(x)) {
  std::vector<std::string> parameters;
  for (const v1::Variable& each : fit_.parameters()) {
    parameters.push_back(each.name());
  }
  names_ = NameSampleColumns(parameters, {}).parameters;
}

absl::Status SimulationWriter::Add(const v1::SampleBlock& block) {
  const int n = block.sample_size();
  if (n == 0) return absl::OkStatus();
  if (n_x_ < 0) NameColumns(block);
  const size_t n_raw = raw_ ? static_cast<size_t>(n) * n_x_ : 0;
  if (block.stage_size() != n || block.round_size() != n ||
      block.status_size() != n ||
      block.trace_error_size() != (raw_ ? 0 : n * n_x_) ||
      block.raw_x().size() != n_raw * sizeof(float) ||
      block.parameters_size() != n * fit_.parameters_size()) {
    return absl::InternalError(
        absl::StrCat("the coordinator sent samples of ", fit_.name(),
                     " whose columns do not match; update somafit"));
  }
  WriteHead();
  for (int row = 0; row < n; ++row) WriteRow(block, row);
  return absl::OkStatus();
}

void SimulationWriter::NameColumns(const v1::SampleBlock& block) {
  const int n = block.sample_size();
  raw_ = !block.raw_x().empty();
  if (raw_) {
    n_x_ = static_cast<int>(block.raw_x().size() / sizeof(float)) / n;
    const bool named = std::cmp_equal(x_columns_.size(), n_x_);
    if (format_ == SampleFormat::kTable || format_ == SampleFormat::kNpz) {
      return;
    }
    for (int i = 0; i < n_x_; ++i) {
      names_.push_back(named ? x_columns_.NameOf(static_cast<size_t>(i))
                             : absl::StrCat("x[", i, "]"));
    }
    return;
  }
  n_x_ = block.trace_error_size() / n;
  const int n_features = fit_.spec().inference().features_size();
  if (n_features == 0 || n_x_ % n_features != 0) n_x_ = 0;
  const int n_traces = n_features == 0 ? 0 : n_x_ / n_features;
  for (FeatureColumn& column :
       FeatureColumns(fit_.spec().inference(), n_traces, x_columns_.names())) {
    names_.push_back(std::move(column.name));
    order_.push_back(column.at);
  }
}

void SimulationWriter::WriteHead() {
  if (std::exchange(begun_, true) || format_ == SampleFormat::kNpz) return;
  const int n_parameters = fit_.parameters_size();
  std::string text;
  if (format_ == SampleFormat::kJson) {
    text = absl::StrCat("{\"fit\": ", JsonText(fit_.name()), ",\n");
    if (units_) {
      absl::StrAppend(&text, " \"units\": {");
      for (int i = 0; i < n_parameters; ++i) {
        absl::StrAppend(&text, i > 0 ? ", " : "", JsonText(names_[i]), ": ",
                        JsonText(fit_.parameters(i).si_unit()));
      }
      absl::StrAppend(&text, "},\n");
    }
    absl::StrAppend(&text, " \"samples\": [");
  } else if (format_ == SampleFormat::kCsv) {
    text = "sample,stage,round,status";
    for (const std::string& name : names_) absl::StrAppend(&text, ",", name);
    absl::StrAppend(&text, "\n");
  } else {
    text = " sample stage  round    status";
    for (int i = 0; i < static_cast<int>(names_.size()); ++i) {
      std::string header = names_[i];
      if (units_ && i < n_parameters) {
        const std::string unit = DisplayUnitText(fit_.parameters(i));
        if (!unit.empty()) absl::StrAppend(&header, " [", unit, "]");
      }
      widths_.push_back(std::max(header.size(), units_ ? kLeastWidth : 24));
      absl::StrAppend(&text, "  ", Padded(header, widths_.back()));
    }
    absl::StrAppend(&text, "\n");
  }
  sink_(text);
}

void SimulationWriter::WriteRow(const v1::SampleBlock& block, int row) {
  const int n_parameters = fit_.parameters_size();
  std::vector<double> values;
  for (int i = 0; i < n_parameters; ++i) {
    values.push_back(block.parameters(row * n_parameters + i));
  }
  for (const int at : order_) {
    values.push_back(block.trace_error(row * n_x_ + at));
  }
  std::vector<float> traces;
  if (raw_ && format_ != SampleFormat::kTable) {
    const size_t size = static_cast<size_t>(n_x_) * sizeof(float);
    AppendFloats(std::string_view(block.raw_x())
                     .substr(static_cast<size_t>(row) * size, size),
                 traces);
  }
  if (format_ == SampleFormat::kNpz) {
    if (!WasSimulated(block.status(row))) return;
    raw_x_.insert(raw_x_.end(), traces.begin(), traces.end());
    theta_.insert(theta_.end(), values.begin(), values.begin() + n_parameters);
    x_.insert(x_.end(), values.begin() + n_parameters, values.end());
    return;
  }
  values.insert(values.end(), traces.begin(), traces.end());
  const std::string status = StatusText(block.status(row));
  std::string line;
  if (format_ == SampleFormat::kCsv) {
    line = absl::StrCat(block.sample(row), ",", block.stage(row), ",",
                        block.round(row), ",", status);
  } else if (format_ == SampleFormat::kJson) {
    line = absl::StrCat(
        first_ ? "\n" : ",\n", "  {\"sample\": ", block.sample(row),
        ", \"stage\": ", block.stage(row), ", \"round\": ", block.round(row),
        ", \"status\": ", JsonText(status));
  } else {
    line = absl::StrCat(Padded(absl::StrCat(block.sample(row)), 7), " ",
                        Padded(absl::StrCat(block.stage(row)), 5), " ",
                        Padded(absl::StrCat(block.round(row)), 6), " ",
                        Padded(status, 9));
  }
  for (size_t i = 0; i < values.size(); ++i) {
    const double value = values[i];
    if (format_ == SampleFormat::kCsv) {
      absl::StrAppend(&line, ",", std::isnan(value) ? "" : ShortestText(value));
    } else if (format_ == SampleFormat::kJson) {
      absl::StrAppend(&line, ", ", JsonText(names_[i]), ": ",
                      JsonNumber(value));
    } else {
      const bool scaled = units_ && i < static_cast<size_t>(n_parameters);
      const double scale =
          scaled ? DisplayScale(fit_.parameters(static_cast<int>(i))) : 1;
      absl::StrAppend(&line, "  ",
                      Padded(units_              ? NumberText(value / scale)
                             : std::isnan(value) ? "-"
                                                 : ShortestText(value),
                             widths_[i]));
    }
  }
  sink_(absl::StrCat(line, format_ == SampleFormat::kJson ? "}" : "\n"));
  first_ = false;
}

void SimulationWriter::End() {
  WriteHead();
  if (format_ == SampleFormat::kNpz) {
    NpzWriter archive;
    archive.AddMatrix("theta", theta_,
                      static_cast<size_t>(fit_.parameters_size()));
    const auto width = static_cast<size_t>(std::max(n_x_, 0));
    if (raw_) {
      archive.AddMatrix("x", raw_x_, width);
    } else {
      archive.AddMatrix("x", x_, width);
    }
    sink_(archive.Finish());
  } else if (format_ == SampleFormat::kJson) {
    sink_("\n ]\n}\n");
  } else if (format_ == SampleFormat::kTable && first_) {
    sink_("no samples yet\n");
  } else if (format_ == SampleFormat::kTable && raw_) {
    sink_(absl::StrCat("x is raw traces, ", n_x_,
                       " numbers a sample: see --format npz or csv\n"));
  }
}

}  // namespace somafit
