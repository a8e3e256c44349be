#include <iostream>
#include <memory>

#include "client/cli/arguments.h"
#include "client/cli/exit_code.h"
#include "client/lib/points_file.h"
#include "client/lib/watch.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr size_t kMaxPointsBytes = size_t{64} << 20;

struct EvaluateOptions {
  ServerOptions server;
  std::string name;
  std::string points;
  SampleOptions samples;
};

absl::StatusOr<int> Evaluate(const EvaluateOptions& options) {
  SOMAFIT_ASSIGN_OR_RETURN(const std::string name,
                           FitResourceName(options.name));
  SOMAFIT_ASSIGN_OR_RETURN(const std::string text,
                           ReadFile(options.points, kMaxPointsBytes));
  SOMAFIT_RETURN_IF_ERROR(CheckOutput(options.samples.output));
  SOMAFIT_ASSIGN_OR_RETURN(FitClient client, Connect(options.server));
  SOMAFIT_ASSIGN_OR_RETURN(const v1::Fit fit, client.GetFit(name));
  SOMAFIT_ASSIGN_OR_RETURN(const Points points,
                           ParsePoints(text, options.points, fit));
  SOMAFIT_ASSIGN_OR_RETURN(
      const v1::EvaluatePointsResponse stage,
      client.EvaluatePoints(name, points.parameters, points.values));
  WarnWithoutWorkers(&client, client.connection().known().path);
  Watch watch(&client, name, fit.last_seq());
  SOMAFIT_RETURN_IF_ERROR(watch.Run(
      Watch::Until::kTaken,
      [&](const v1::FitEvent& event) {
        return !(event.has_round() && event.round().stage() == stage.stage());
      },
      [](const absl::Status& lost) {
        if (!lost.ok()) {
          std::cerr << "The connection is lost, trying again: "
                    << lost.message() << std::endl;
        }
      }));
  SOMAFIT_RETURN_IF_ERROR(
      WriteSamples(&client, fit, stage.stage(), options.samples));
  return kSuccess;
}

}  // namespace

void AddEvaluate(CLI::App& app, Action* action) {
  auto options = std::make_shared<EvaluateOptions>();
  options->samples.format = "csv";
  CLI::App* command = app.add_subcommand(
      "evaluate", "Simulates given points with a fit's model and data");
  AddFitName(command, &options->name);
  command
      ->add_option("--params", options->points,
                   "CSV: a header with every parameter, one point a line")
      ->required()
      ->type_name("FILE.csv");
  AddSampleOptions(command, &options->samples);
  AddServerOptions(command, &options->server);
  command->footer(R"(
The points become a stage of their own; the fit must not be running. The
header names each parameter once: "gl" with numbers in SI, or "gl [nS]".

Example:
  printf 'gl [nS],g_na [uS],g_kd [uS]\n10,20,6\n' > points.csv
  somafit evaluate hodgkin_huxley-1 --params points.csv)");
  command->callback([=] { *action = [=] { return Evaluate(*options); }; });
}

}  // namespace somafit
