#include "client/cli/arguments.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "client/lib/display.h"
#include "client/lib/posterior.h"
#include "client/lib/simulation_writer.h"
#include "client/lib/yaml_spec.h"
#include "proto/convert/inference_spec.h"
#include "worker/core/base/status.h"

namespace somafit {

void AddServerOptions(CLI::App* command, ServerOptions* options) {
  command
      ->add_option("--endpoint", options->endpoint,
                   "The file that somafit-server wrote; default: "
                   "$SOMAFIT_ENDPOINT")
      ->type_name("FILE");
}

absl::StatusOr<FitClient> Connect(const ServerOptions& options) {
  SOMAFIT_ASSIGN_OR_RETURN(KnownEndpoint known, FindEndpoint(options.endpoint));
  if (!known.warning.empty()) std::cerr << known.warning << std::endl;
  return FitClient(std::move(known));
}

void AddSpecOptions(CLI::App* command, SpecOptions* options) {
  command
      ->add_option("file", options->file,
                   "The fit as YAML, like "
                   "client/examples/hodgkin_huxley/fit.yaml")
      ->required()
      ->type_name("FILE.yaml");
  command
      ->add_option("--name", options->name,
                   "The fit's name; default: chosen, like "
                   "\"hodgkin_huxley-1\"")
      ->type_name("NAME");
  command
      ->add_option("--seed", options->seed,
                   "Same seed, same samples; default: the file's, or 0")
      ->type_name("NUMBER");
  command
      ->add_option("--set", options->sets,
                   "Replaces a value of the file: --set stop.rounds=3 "
                   "(repeatable)")
      ->type_name("KEY=VALUE")
      ->take_all()
      ->allow_extra_args(false);
}

std::string FolderOf(const std::string& file) {
  return std::filesystem::path(file).parent_path().string();
}

absl::StatusOr<v1::FitSpec> ReadSpec(const SpecOptions& options) {
  SOMAFIT_ASSIGN_OR_RETURN(v1::FitSpec spec,
                           ReadFitSpec(options.file, options.sets));
  if (!options.seed.empty()) {
    uint64_t seed = 0;
    if (!std::all_of(options.seed.begin(), options.seed.end(),
                     absl::ascii_isdigit) ||
        !absl::SimpleAtoi(options.seed, &seed)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--seed \"", options.seed,
                       "\" is not a whole number from 0 to 2^64-1"));
    }
    spec.set_seed(seed);
  }
  if (!options.name.empty()) {
    SOMAFIT_ASSIGN_OR_RETURN(const std::string name,
                             FitResourceName(options.name));
    spec.set_name(std::string(ShortFitName(name)));
  }
  if (spec.name().empty() && spec.label().empty()) {
    spec.set_label(LabelOfFile(options.file));
  }
  return spec;
}

void AddSampleOptions(CLI::App* command, SampleOptions* options) {
  command->add_option("--format", options->format, "How to print")
      ->type_name("table|csv|json|npz")
      ->capture_default_str()
      ->check(CLI::IsMember({"table", "csv", "json", "npz"}));
  command->add_flag("--no-units", options->no_units,
                    "Plain SI numbers (csv always has these)");
  command
      ->add_option("-o,--output", options->output,
                   "Write to a file, which appears when it is complete")
      ->type_name("FILE");
}

namespace {

// "total_error=0..1e-5", either end may be left out.
absl::StatusOr<v1::ColumnRange> ReadRange(const std::string& text) {
  const std::vector<std::string> parts =
      absl::StrSplit(text, absl::MaxSplits('=', 1));
  const std::vector<std::string> ends =
      parts.size() == 2 ? absl::StrSplit(parts[1], absl::MaxSplits("..", 1))
                        : std::vector<std::string>();
  v1::ColumnRange range;
  range.set_column(parts[0]);
  bool readable = ends.size() == 2 && !parts[0].empty();
  double value = 0;
  for (size_t i = 0; readable && i < 2; ++i) {
    if (ends[i].empty()) continue;
    readable = absl::SimpleAtod(ends[i], &value) && std::isfinite(value);
    if (i == 0) {
      range.set_minimum(value);
    } else {
      range.set_maximum(value);
    }
  }
  if (readable) return range;
  return absl::InvalidArgumentError(absl::StrCat(
      "--where \"", text, "\" is no range; write COLUMN=LOW..HIGH ",
      "in SI, like total_error=0..1e-5 or round=10.."));
}

absl::StatusOr<v1::ListSamplesRequest> RequestOf(const SampleOptions& options,
                                                 const std::string& fit,
                                                 std::optional<int32_t> stage,
                                                 bool features) {
  v1::ListSamplesRequest request;
  request.set_name(fit);
  if (stage) request.set_stage(*stage);
  request.set_order_by(options.order_by);
  request.set_trace_errors(options.trace_errors || features);
  for (const std::string& text : options.ranges) {
    SOMAFIT_ASSIGN_OR_RETURN(*request.add_ranges(), ReadRange(text));
  }
  for (const std::string& text : options.status) {
    v1::SampleStatus status;
    if (!v1::SampleStatus_Parse(
            absl::StrCat("SAMPLE_STATUS_", absl::AsciiStrToUpper(text)),
            &status)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--status \"", text,
                       "\" is none of ok, nonfinite, failed, drawn, cancelled, "
                       "abandoned"));
    }
    request.add_status(status);
  }
  return request;
}

}  // namespace

absl::Status CheckOutput(const std::string& path) {
  return path.empty() ? absl::OkStatus() : NewFile::Check(path);
}

absl::Status WriteSamples(FitClient* client, const v1::Fit& fit,
                          std::optional<int32_t> stage,
                          const SampleOptions& options) {
  const SampleFormat format = options.format == "csv"    ? SampleFormat::kCsv
                              : options.format == "json" ? SampleFormat::kJson
                              : options.format == "npz"  ? SampleFormat::kNpz
                                                         : SampleFormat::kTable;
  if (format == SampleFormat::kNpz && options.output.empty()) {
    return absl::InvalidArgumentError(
        "--format npz is no text; give a file with --output");
  }
  const bool inference = IsInference(fit);
  SOMAFIT_ASSIGN_OR_RETURN(v1::ListSamplesRequest request,
                           RequestOf(options, fit.name(), stage, inference));
  std::optional<NewFile> file;
  absl::Status printed;
  SampleWriter::Sink sink = [&](absl::string_view text) {
    if (printed.ok()) printed = Print(text);
  };
  if (!options.output.empty()) {
    SOMAFIT_ASSIGN_OR_RETURN(NewFile created, NewFile::Create(options.output));
    file.emplace(std::move(created));
    sink = [&](absl::string_view text) { file->Write(text); };
  }
  SampleWriter writer(format, !options.no_units, fit, sink,
                      options.trace_errors);
  std::optional<SimulationWriter> simulations;
  if (inference) {
    // Which is not there yet in the beginning.
    const absl::StatusOr<v1::Posterior> posterior =
        GetPosterior(client, fit.name());
    XColumns x;
    if (posterior.ok()) {
      SOMAFIT_ASSIGN_OR_RETURN(
          x, FromProto(posterior->features(), posterior->trace_columns()));
    }
    simulations.emplace(format, !options.no_units, fit, sink, std::move(x));
  }
  // An empty stage that may yet get samples is not a mistake, nor is a filter
  // that nothing passes.
  const bool may_be_empty = !stage || *stage == fit.stage() ||
                            !options.ranges.empty() || !options.status.empty();
  bool begun = false;
  SOMAFIT_RETURN_IF_ERROR(client->ForEachSampleBlock(
      std::move(request), options.limit, [&](const v1::SampleBlock& block) {
        if (!begun && block.sample_size() == 0 && !may_be_empty) {
          return absl::OkStatus();
        }
        if (!begun && !inference) writer.Begin();
        begun = true;
        const absl::Status added =
            inference ? simulations->Add(block) : writer.Add(block);
        return added.ok() ? printed : added;
      }));
  if (!begun) {
    return absl::NotFoundError(
        absl::StrCat(fit.name(), " has no samples of stage ", *stage));
  }
  if (inference) {
    simulations->End();
  } else {
    writer.End();
  }
  SOMAFIT_RETURN_IF_ERROR(printed);
  return file ? file->Commit() : Print("");
}

void AddFitName(CLI::App* command, std::string* name) {
  command->add_option("name", *name, "The fit, with or without \"fits/\"")
      ->required()
      ->type_name("NAME");
}

void WarnWithoutWorkers(FitClient* client, const std::string& endpoint_path) {
  int64_t alive = 0;
  const absl::Status status =
      client->ForEachWorker([&](const v1::WorkerStatus& worker) {
        if (worker.state() != "lost") ++alive;
      });
  if (status.ok() && alive == 0) {
    std::cerr << "no worker is connected; start one with: somafit-worker "
                 "--endpoint "
              << endpoint_path << std::endl;
  }
}

absl::Status Print(absl::string_view text) {
  const bool written =
      std::ferror(stdout) == 0 &&
      std::fwrite(text.data(), 1, text.size(), stdout) == text.size() &&
      (!text.empty() || std::fflush(stdout) == 0);
  if (written) return absl::OkStatus();
  return absl::InternalError(
      "cannot write the output; is the disk full, or the pipe closed?");
}

}  // namespace somafit
