#include "client/lib/outline.h"

#include <algorithm>

#include "client/lib/load.h"

namespace somafit {
namespace {

bool NamesFiles(const v1::DataFiles& data) {
  const auto has_file = [](const v1::TraceFile& each) {
    return !each.file().empty();
  };
  return std::any_of(data.inputs().begin(), data.inputs().end(), has_file) ||
         std::any_of(data.outputs().begin(), data.outputs().end(), has_file);
}

// Only the files matter: mistakes in units and in dt are the worker's to find.
absl::StatusOr<Dataset> LoadShapes(const v1::FitSpec& spec,
                                   const std::string& folder) {
  v1::FitSpec plain;
  *plain.mutable_data() = spec.data();
  plain.set_dt("1*second");
  for (v1::TraceFile& each : *plain.mutable_data()->mutable_inputs()) {
    each.set_unit("1");
  }
  for (v1::TraceFile& each : *plain.mutable_data()->mutable_outputs()) {
    if (each.name() == kSpikes) {
      plain.set_dt(spec.dt());  // times must be known
    } else {
      each.set_unit("1");
    }
  }
  return LoadDataset(plain, folder);
}

// Paths and cells may have any bytes, texts of messages may not.
std::string Ascii(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) > 0x7E) c = '?';
  }
  return text;
}

template <typename Files, typename Channels>
void AddChannels(const Files& files, Channels* channels) {
  for (const v1::TraceFile& file : files) {
    v1::ChannelOutline* channel = channels->Add();
    channel->set_name(file.name());
    channel->set_unit(file.unit());
  }
}

// An inference has no error, hence no units that had to agree in one: each
// output is given a term without a unit.
void AddPlainTerms(v1::ExperimentOutline* outline) {
  if (outline->metrics_size() > 0 || outline->outputs_size() < 2) return;
  for (const v1::ChannelOutline& output : outline->outputs()) {
    v1::MetricSpec* const metric = outline->add_metrics();
    metric->set_output(output.name());
    if (output.name() == kSpikes || output.unit().empty()) continue;
    v1::NamedText* const option = metric->add_options();
    option->set_name("normalization");
    option->set_text("1*(" + output.unit() + ")");
  }
}

}  // namespace

v1::ExperimentOutline OutlineOf(const v1::FitSpec& spec,
                                const std::string& folder) {
  v1::ExperimentOutline outline;
  *outline.mutable_model() = spec.model();
  AddChannels(spec.data().inputs(), outline.mutable_inputs());
  AddChannels(spec.data().outputs(), outline.mutable_outputs());
  outline.set_dt(spec.dt());
  *outline.mutable_parameters() = spec.parameters();
  *outline.mutable_metrics() = spec.metrics();
  outline.set_penalty(spec.penalty());
  if (spec.has_inference()) AddPlainTerms(&outline);
  if (!spec.dataset().empty()) {
    outline.set_recordings_problem(
        "they are a stored dataset, which only its coordinator can read");
  } else if (NamesFiles(spec.data())) {
    const absl::StatusOr<Dataset> dataset = LoadShapes(spec, folder);
    if (!dataset.ok()) {
      outline.set_recordings_problem(
          Ascii(std::string(dataset.status().message())));
      return outline;
    }
    for (const Trace& trace : dataset->traces) {
      outline.add_trace_steps(static_cast<int64_t>(trace.n_steps()));
    }
  }
  return outline;
}

}  // namespace somafit
