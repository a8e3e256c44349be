#include <limits>
#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "client/cli/arguments.h"
#include "client/cli/exit_code.h"
#include "client/lib/display.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

struct ResultsOptions {
  ServerOptions server;
  std::string name;
  std::string stage;
  SampleOptions samples;
  int64_t best = 0;
};

absl::StatusOr<int> Results(ResultsOptions options) {
  if (options.best > 0) {
    if (!options.samples.order_by.empty() || options.samples.limit >= 0) {
      return absl::InvalidArgumentError(
          "--best orders and limits by itself; leave out --order-by and "
          "--limit");
    }
    options.samples.order_by = "total_error";
    options.samples.limit = options.best;
  }
  SOMAFIT_ASSIGN_OR_RETURN(const std::string name,
                           FitResourceName(options.name));
  std::optional<int32_t> stage;
  if (!options.stage.empty() && options.stage != "all") {
    int32_t number = 0;
    if (!absl::SimpleAtoi(options.stage, &number) || number < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("--stage \"", options.stage,
                       "\" is neither a number from 0 nor \"all\""));
    }
    stage = number;
  }
  SOMAFIT_RETURN_IF_ERROR(CheckOutput(options.samples.output));
  SOMAFIT_ASSIGN_OR_RETURN(FitClient client, Connect(options.server));
  SOMAFIT_ASSIGN_OR_RETURN(const v1::Fit fit, client.GetFit(name));
  if (options.stage.empty()) stage = fit.stage();
  if (options.best > 0 && IsInference(fit)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--best: ", name,
        " is an inference, whose samples have features but no error; see: "
        "somafit sample ",
        ShortFitName(name)));
  }
  SOMAFIT_RETURN_IF_ERROR(WriteSamples(&client, fit, stage, options.samples));
  return kSuccess;
}

}  // namespace

void AddResults(CLI::App& app, Action* action) {
  auto options = std::make_shared<ResultsOptions>();
  options->samples.format = "table";
  CLI::App* command = app.add_subcommand(
      "results", "Prints every sample of a fit with its errors");
  AddFitName(command, &options->name);
  AddSampleOptions(command, &options->samples);
  command
      ->add_option("--stage", options->stage,
                   "A stage's number, or \"all\"; default: the one that "
                   "optimizes")
      ->type_name("N|all");
  command
      ->add_option("--best", options->best,
                   "Only the samples with the least total error, those first")
      ->type_name("N")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 40));
  command
      ->add_option("--order-by", options->samples.order_by,
                   "A column; \"COLUMN desc\" begins with the largest. Samples "
                   "without a number there are left out")
      ->type_name("COLUMN");
  command
      ->add_option("--where", options->samples.ranges,
                   "Only samples within a range, in SI (repeatable)")
      ->type_name("COLUMN=LOW..HIGH")
      ->take_all()
      ->allow_extra_args(false);
  command
      ->add_option("--status", options->samples.status,
                   "Only samples that are ok, nonfinite, failed, drawn, "
                   "cancelled or abandoned (repeatable)")
      ->type_name("STATUS")
      ->take_all()
      ->allow_extra_args(false);
  command->add_option("--limit", options->samples.limit, "So many at most")
      ->type_name("N")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 40));
  command->add_flag("--trace-errors", options->samples.trace_errors,
                    "With the error of each trace");
  AddServerOptions(command, &options->server);
  command->footer(R"(
csv: sample,stage,round,status,<parameters>,total_error,<output>_error, in SI,
then <output>_error_normalized where a metric has a normalization, and penalty
where the fit has one; an empty field is a number that is not there. npz: the
same columns as NumPy arrays, the status by its number (2 is ok).
Of an inference there are features in place of errors, in the order of `somafit
posterior`; npz has the arrays theta [samples, parameters] and x [samples,
features] of what was simulated, in SI. Where x is raw traces a column is a step,
v[0][17] of trace 0; x is float32 in npz, and left out of tables.

Examples:
  somafit results hodgkin_huxley-1
  somafit results hodgkin_huxley-1 --best 10
  somafit results hodgkin_huxley-1 --where round=5.. --where gl=0..1e-8
  somafit results hodgkin_huxley-1 --format npz -o samples.npz
  somafit results hodgkin_huxley-1 --format csv -o samples.csv)");
  command->callback([=] { *action = [=] { return Results(*options); }; });
}

}  // namespace somafit
