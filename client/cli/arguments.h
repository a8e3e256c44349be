#pragma once

#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include <CLI/CLI.hpp>

#include "client/lib/client.h"
#include "client/lib/sample_writer.h"
#include "client/lib/text_file.h"

namespace somafit {

// What a command does, once the command line is read: its exit status.
using Action = std::function<absl::StatusOr<int>()>;

// Each adds commands to the program; the one that was given sets `action`.
void AddSubmit(CLI::App& app, Action* action);
void AddWatch(CLI::App& app, Action* action);
void AddResults(CLI::App& app, Action* action);
void AddEvaluate(CLI::App& app, Action* action);
void AddGenerate(CLI::App& app, Action* action);
void AddContinue(CLI::App& app, Action* action);
void AddManage(CLI::App& app, Action* action);
void AddDescribe(CLI::App& app, Action* action);
void AddRun(CLI::App& app, Action* action);
void AddInspect(CLI::App& app, Action* action);
void AddPosterior(CLI::App& app, Action* action);
void AddPlots(CLI::App& app, Action* action);
void AddLosses(CLI::App& app, Action* action);
void AddPosteriorFiles(CLI::App& app, Action* action);
void AddOwnSimulator(CLI::App& app, Action* action);

// A command that talks to a running coordinator: it has --endpoint.
struct ServerOptions {
  std::string endpoint;
};
void AddServerOptions(CLI::App* command, ServerOptions* options);
// Prints the endpoint file's warning, if any.
absl::StatusOr<FitClient> Connect(const ServerOptions& options);

// How a fit's file is read; for `submit` and `run`.
struct SpecOptions {
  std::string file;
  std::string name;
  std::string seed;
  std::vector<std::string> sets;
};
void AddSpecOptions(CLI::App* command, SpecOptions* options);
// Reads the file; --set, --seed and --name win over it; a label is chosen.
absl::StatusOr<v1::FitSpec> ReadSpec(const SpecOptions& options);
std::string FolderOf(const std::string& file);

// How samples are printed; for `results` and `evaluate`.
struct SampleOptions {
  std::string format;
  bool no_units = false;
  std::string output;
  // Of `results` alone.
  std::string order_by;
  int64_t limit = -1;  // all
  std::vector<std::string> ranges;
  std::vector<std::string> status;
  bool trace_errors = false;
};
void AddSampleOptions(CLI::App* command, SampleOptions* options);
// Whether the file that they name can be written: ask before what takes long.
absl::Status CheckOutput(const std::string& path);
// NotFound if a stage is given, not the one that optimizes, and has no samples.
absl::Status WriteSamples(FitClient* client, const v1::Fit& fit,
                          std::optional<int32_t> stage,
                          const SampleOptions& options);

// The NAME of a fit, with or without "fits/".
void AddFitName(CLI::App* command, std::string* name);

// Says on stderr that nobody simulates, if no worker is there.
void WarnWithoutWorkers(FitClient* client, const std::string& endpoint_path);

// Writes to stdout; Internal if that fails, or failed before (a full disk, a
// pipe that nobody reads).
absl::Status Print(absl::string_view text);

}  // namespace somafit
