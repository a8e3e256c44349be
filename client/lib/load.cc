#include "client/lib/load.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "client/lib/spike_file.h"
#include "client/lib/text_file.h"
#include "client/lib/trace_file.h"
#include "proto/convert/digest.h"
#include "worker/core/base/number.h"
#include "worker/core/base/status.h"
#include "worker/core/lang/parser.h"
#include "worker/core/lang/quantity.h"
#include "worker/core/units/unit.h"

namespace somafit {
namespace {

// One entry of `data`, as read.
struct Signals {
  std::string field;  // "data.inputs.I"
  Channel channel;
  double scale = 1;
  bool is_spikes = false;  // `traces` are times, until they are counted
  TraceTable traces;
};

std::string Shape(const TraceTable& traces) {
  return absl::StrCat(traces.size(), " traces of ", traces[0].size(), " steps");
}

class Loader {
 public:
  Loader(const v1::FitSpec& spec, const std::string& folder)
      : spec_(spec), folder_(folder) {}

  absl::StatusOr<Dataset> Load() {
    Diagnostics diagnostics;
    const std::optional<double> dt =
        EvaluateQuantityOf({"dt", spec_.dt()}, kTimeDimension, diagnostics);
    Note(diagnostics);
    if (dt && !(*dt > 0 && std::isfinite(*dt))) {
      Error(absl::StrCat("dt: \"", spec_.dt(), "\" must be more than 0"));
    }
    if (spec_.data().outputs().empty()) {
      Error(
          "data.outputs is empty; name the recorded variable and its file, "
          "like: outputs: {v: {file: output.csv, unit: mV}}");
    }
    for (const v1::TraceFile& file : spec_.data().inputs()) {
      Read(file, true);
    }
    for (const v1::TraceFile& file : spec_.data().outputs()) {
      Read(file, false);
    }
    if (errors_.empty() && dt) CountSpikes(*dt);
    if (errors_.empty()) CompareShapes();
    if (errors_.empty()) CheckWeights();
    if (!errors_.empty()) {
      return absl::InvalidArgumentError(absl::StrJoin(errors_, "\n"));
    }
    Dataset dataset = Join(*dt);
    SOMAFIT_RETURN_IF_ERROR(ValidateDataset(dataset));
    return dataset;
  }

 private:
  void Read(const v1::TraceFile& file, bool is_input) {
    Signals signals;
    signals.field =
        absl::StrCat(is_input ? "data.inputs." : "data.outputs.", file.name());
    signals.channel.name = file.name();
    if (!names_.insert(signals.field).second) {
      Error(absl::StrCat(signals.field, " is there twice; remove one"));
      return;
    }
    TraceLayout layout = TraceLayout::kRows;
    if (file.layout() == "columns") {
      layout = TraceLayout::kColumns;
    } else if (!file.layout().empty() && file.layout() != "rows") {
      Error(absl::StrCat(signals.field, ".layout: \"", file.layout(),
                         "\" is unknown; use rows (one row a trace) or "
                         "columns"));
    }
    const bool unit = ReadUnit(file, is_input, &signals);
    if (file.file().empty()) {
      Error(absl::StrCat(signals.field, " names no file; add file: NAME.csv"));
      return;
    }
    const std::filesystem::path path =
        std::filesystem::path(folder_) / file.file();
    const bool is_spikes = !is_input && file.name() == kSpikes;
    if (is_spikes && layout == TraceLayout::kColumns) {
      Error(absl::StrCat(signals.field,
                         ".layout: spikes have one row a trace, not columns"));
      return;
    }
    absl::StatusOr<TraceTable> traces =
        is_spikes ? ReadSpikeFile(path.string())
                  : ReadTraceFile(path.string(), layout);
    if (!traces.ok()) {
      Error(absl::StrCat(signals.field, ": ", traces.status().message()));
      return;
    }
    if (!unit) return;
    signals.traces = *std::move(traces);
    if (is_input && !CheckFinite(signals)) return;
    for (std::vector<double>& trace : signals.traces) {
      for (double& value : trace) value *= signals.scale;
    }
    (is_input ? inputs_ : outputs_).push_back(std::move(signals));
  }

  // Spike times become numbers of spikes in each step.
  void CountSpikes(double dt) {
    const Signals* other = nullptr;
    for (const std::vector<Signals>* list : {&inputs_, &outputs_}) {
      for (const Signals& each : *list) {
        if (other == nullptr && !each.is_spikes) other = &each;
      }
    }
    const size_t n_steps = other == nullptr ? 0 : other->traces[0].size();
    for (Signals& signals : outputs_) {
      if (!signals.is_spikes) continue;
      if (n_steps == 0) {
        Error(absl::StrCat(signals.field,
                           ": spikes alone do not say how long a trace is; "
                           "name an input, or another output, too"));
        return;
      }
      if (signals.traces.size() != other->traces.size()) {
        Error(absl::StrCat(signals.field, " has ", signals.traces.size(),
                           " traces, but ", other->field, " has ",
                           other->traces.size(),
                           "; write nan for a silent one"));
        return;
      }
      const auto last = static_cast<double>(n_steps) - 1;
      for (size_t i = 0; i < signals.traces.size(); ++i) {
        std::vector<double> counts(n_steps);
        for (const double time : signals.traces[i]) {
          double step = std::nearbyint(time / dt);
          // Within the last step, and nearer to its end.
          if (step == last + 1 && time < (last + 1) * dt) step = last;
          if (step >= 0 && step <= last) {
            ++counts[static_cast<size_t>(step)];
            continue;
          }
          Error(absl::StrCat(
              signals.field, ": trace ", i, " (from 0) has a spike at ",
              ShortestText(time), " second, but lasts from 0 to ",
              ShortestText(static_cast<double>(n_steps) * dt), " second"));
          return;
        }
        signals.traces[i] = std::move(counts);
      }
    }
  }

  bool ReadUnitOfTimes(const v1::TraceFile& file, Signals* signals) {
    const Source source{absl::StrCat(signals->field, ".unit"), file.unit()};
    if (file.unit().empty()) {
      Error(absl::StrCat(signals->field,
                         " has no unit; add unit: followed by that of the "
                         "times in the file, like ms"));
      return false;
    }
    Diagnostics diagnostics;
    const std::optional<double> unit =
        EvaluateQuantityOf(source, kTimeDimension, diagnostics);
    Note(diagnostics);
    if (unit && !(std::isfinite(*unit) && *unit > 0)) {
      Error(absl::StrCat(source.field, ": \"", source.text,
                         "\" is not a unit; write one like ms"));
      return false;
    }
    signals->scale = unit.value_or(1);
    signals->is_spikes = true;
    return unit.has_value();
  }

  bool ReadUnit(const v1::TraceFile& file, bool is_input, Signals* signals) {
    if (!is_input && file.name() == kSpikes) {
      return ReadUnitOfTimes(file, signals);
    }
    Source source{absl::StrCat(signals->field, ".unit"), file.unit()};
    if (file.unit().empty() && is_input) {
      Error(absl::StrCat(signals->field,
                         " has no unit; add unit: followed by that of the "
                         "numbers in the file, like nA"));
      return false;
    }
    if (file.unit().empty()) {
      // As read is SI; the model knows the dimension.
      Diagnostics ignored;  // The server reports the equations' mistakes.
      const EquationBlock block = ParseEquations(
          {"model.equations", spec_.model().equations()}, ignored);
      const Definition* definition = nullptr;
      for (const Definition& each : block.definitions) {
        if (each.name == file.name()) definition = &each;
      }
      if (definition == nullptr) {
        Error(absl::StrCat(signals->field, ": the model defines no variable \"",
                           file.name(), "\"; name one of its variables"));
        return false;
      }
      source.text = definition->unit_text;
    }
    Diagnostics diagnostics;
    const std::optional<Quantity> unit =
        EvaluateQuantity(source, {}, diagnostics);
    Note(diagnostics);
    if (!unit) return false;
    if (!std::isfinite(unit->value) || unit->value == 0) {
      Error(absl::StrCat(source.field, ": \"", source.text,
                         "\" is not a unit; write one like mV or nA"));
      return false;
    }
    signals->scale = file.unit().empty() ? 1 : unit->value;
    signals->channel.dimension = unit->dimension;
    return true;
  }

  bool CheckFinite(const Signals& signals) {
    for (size_t i = 0; i < signals.traces.size(); ++i) {
      for (size_t k = 0; k < signals.traces[i].size(); ++k) {
        if (std::isfinite(signals.traces[i][k])) continue;
        Error(absl::StrCat(signals.field, ": trace ", i, ", sample ", k,
                           " (both from 0) is ",
                           ShortestText(signals.traces[i][k]),
                           "; an input must be known at every sample"));
        return false;
      }
    }
    return true;
  }

  void CompareShapes() {
    const Signals& first = inputs_.empty() ? outputs_[0] : inputs_[0];
    const auto is_point = [](const Signals& each) {
      return each.traces[0].size() == 1;
    };
    if (std::all_of(inputs_.begin(), inputs_.end(), is_point) &&
        std::all_of(outputs_.begin(), outputs_.end(), is_point)) {
      Error(absl::StrCat(first.field,
                         ": each trace has one sample; did you mean layout: "
                         "columns?"));
      return;
    }
    for (const std::vector<Signals>* list : {&inputs_, &outputs_}) {
      for (const Signals& each : *list) {
        if (each.traces.size() == first.traces.size() &&
            each.traces[0].size() == first.traces[0].size()) {
          continue;
        }
        Error(absl::StrCat(first.field, " has ", Shape(first.traces), ", but ",
                           each.field, " has ", Shape(each.traces),
                           "; they must agree (see layout: columns)"));
      }
    }
  }

  void CheckWeights() {
    const size_t weights = spec_.data().trace_weights_size();
    const size_t traces = outputs_[0].traces.size();
    if (weights != 0 && weights != traces) {
      Error(absl::StrCat("data.trace_weights has ", weights, " numbers for ",
                         traces, " traces; give one each"));
    }
  }

  Dataset Join(double dt) {
    Dataset dataset;
    for (const Signals& each : inputs_) dataset.inputs.push_back(each.channel);
    for (const Signals& each : outputs_) {
      dataset.outputs.push_back(each.channel);
    }
    dataset.traces.resize(outputs_[0].traces.size());
    for (size_t i = 0; i < dataset.traces.size(); ++i) {
      Trace& trace = dataset.traces[i];
      trace.dt = dt;
      if (!spec_.data().trace_weights().empty()) {
        trace.weight = spec_.data().trace_weights(static_cast<int>(i));
      }
      for (Signals& each : inputs_) {
        trace.inputs.push_back(std::move(each.traces[i]));
      }
      for (Signals& each : outputs_) {
        trace.targets.push_back(std::move(each.traces[i]));
      }
    }
    return dataset;
  }

  void Note(const Diagnostics& diagnostics) {
    if (diagnostics.HasErrors()) Error(diagnostics.Render());
  }
  void Error(std::string message) {
    while (!message.empty() && message.back() == '\n') message.pop_back();
    errors_.push_back(std::move(message));
  }

  const v1::FitSpec& spec_;
  const std::string& folder_;
  std::set<std::string> names_;
  std::vector<Signals> inputs_;
  std::vector<Signals> outputs_;
  std::vector<std::string> errors_;
};

}  // namespace

absl::StatusOr<Dataset> LoadDataset(const v1::FitSpec& spec,
                                    const std::string& folder) {
  return Loader(spec, folder).Load();
}

absl::Status StoreData(const std::string& folder, FitClient* client,
                       v1::FitSpec* spec) {
  if (!spec->has_data()) {
    if (!spec->dataset().empty()) return absl::OkStatus();
    // Simulations are the user's, and there are no recordings.
    if (spec->inference().has_simulator()) return absl::OkStatus();
    return absl::InvalidArgumentError(
        "data is missing: name the files with the recordings, like: data: "
        "{inputs: {I: {file: input.csv, unit: nA}}, "
        "outputs: {v: {file: output.csv, unit: mV}}}");
  }
  if (!spec->dataset().empty()) {
    return absl::InvalidArgumentError(
        "both data and dataset are given; remove one of them");
  }
  SOMAFIT_ASSIGN_OR_RETURN(const Dataset dataset, LoadDataset(*spec, folder));
  SOMAFIT_ASSIGN_OR_RETURN(const std::string name,
                           client->UploadDataset(EncodeDataset(dataset)));
  spec->clear_data();
  spec->set_dataset(name);
  return absl::OkStatus();
}

absl::Status StoreScript(const std::string& folder, FitClient* client,
                         v1::FitSpec* spec) {
  if (!spec->has_inference()) return absl::OkStatus();
  constexpr size_t kMaxScriptBytes = size_t{6} << 20;
  for (v1::NamedText& option :
       *spec->mutable_inference()->mutable_estimator()->mutable_options()) {
    if (option.name() != "torch_script" || IsSha256Hex(option.text())) continue;
    const std::filesystem::path path =
        std::filesystem::path(folder) / option.text();
    const absl::StatusOr<std::string> bytes =
        ReadFile(path.string(), kMaxScriptBytes);
    if (!bytes.ok()) {
      return absl::Status(
          bytes.status().code(),
          absl::StrCat("inference.estimator.options.torch_script: ",
                       bytes.status().message()));
    }
    SOMAFIT_ASSIGN_OR_RETURN(*option.mutable_text(),
                             client->UploadScript(*bytes));
  }
  return absl::OkStatus();
}

}  // namespace somafit
