#include <algorithm>
#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"

#include "client/cli/arguments.h"
#include "client/cli/exit_code.h"
#include "client/cli/posterior_query.h"
#include "client/lib/display.h"
#include "client/lib/draws.h"
#include "client/lib/points_file.h"
#include "worker/core/base/number.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr size_t kMaxPointsBytes = size_t{64} << 20;

struct PosteriorOptions {
  QueryOptions query;
  std::string seed;
  int64_t n = 10000;
  std::string output;
  bool outside = false;
  double max_seconds = 0;
  std::string sample_with;
  int64_t oversampling = 0;
  std::string points;
  bool unnormalized = false;
  int64_t init_samples = 0, to_optimize = 0;
  int member = 0;
};

std::string PosteriorText(const v1::Posterior& posterior, const v1::Fit& fit) {
  std::string text = absl::StrCat(posterior.name(), "  ",
                                  InferenceText(fit.spec().inference()), "\n");
  std::vector<std::vector<std::string>> rows = {{"parameter", "from", "to"}};
  for (const v1::Variable& each : posterior.parameters()) {
    rows.push_back({each.name(), QuantityText(each.lower(), each),
                    QuantityText(each.upper(), each)});
  }
  absl::StrAppend(&text, AlignedTable(rows));
  rows = {{"feature", "observed"}};
  for (int i = 0; i < posterior.features_size(); ++i) {
    rows.push_back(
        {posterior.features(i), i < posterior.observation_size()
                                    ? NumberText(posterior.observation(i))
                                    : "-"});
  }
  if (posterior.trace_columns_size() > 0) {
    rows = {{"raw trace", "trace", "steps", "from", "every"}};
  }
  for (const v1::TraceColumns& each : posterior.trace_columns()) {
    rows.push_back({each.name(), absl::StrCat(each.trace()),
                    absl::StrCat(each.count()), absl::StrCat(each.first_step()),
                    absl::StrCat(each.every())});
  }
  absl::StrAppend(&text, "\n", AlignedTable(rows), "\n");
  for (int round = 0; round < posterior.rounds_size(); ++round) {
    const v1::TrainingSummary& training = posterior.rounds(round);
    absl::StrAppend(&text, "Round ", round, ": ", training.estimator(),
                    training.estimator().empty() ? "" : ", ",
                    TrainingText(training), "\n");
    for (const std::string& message : training.messages()) {
      absl::StrAppend(&text, "  ", message, "\n");
    }
  }
  if (posterior.rounds_size() == 0) {
    absl::StrAppend(&text, "No round has been trained on yet",
                    fit.phase().empty() ? "" : "; it is ", fit.phase(), ".\n");
  }
  return text;
}

absl::StatusOr<int> ShowPosterior(const PosteriorOptions& options) {
  if (!options.output.empty()) {
    SOMAFIT_RETURN_IF_ERROR(CheckOutput(options.output));
  }
  SOMAFIT_ASSIGN_OR_RETURN(Query query, BeginQuery(options.query));
  if (!options.output.empty()) {
    v1::ExportEstimatorRequest request;
    request.set_name(query.request.name());
    if (options.query.round) request.set_round(*options.query.round);
    request.set_member(options.member);
    SOMAFIT_ASSIGN_OR_RETURN(NewFile file, NewFile::Create(options.output));
    SOMAFIT_RETURN_IF_ERROR(
        ExportEstimator(&query.client, request,
                        [&](absl::string_view piece) { file.Write(piece); }));
    SOMAFIT_RETURN_IF_ERROR(file.Commit());
    return kSuccess;
  }
  SOMAFIT_ASSIGN_OR_RETURN(const v1::Fit fit,
                           query.client.GetFit(query.request.name()));
  SOMAFIT_RETURN_IF_ERROR(WriteWhole("", PosteriorText(query.posterior, fit)));
  return kSuccess;
}

absl::StatusOr<int> Sample(const PosteriorOptions& options) {
  DrawFormat format = DrawFormat::kCsv;
  if (!options.output.empty()) {
    SOMAFIT_ASSIGN_OR_RETURN(format, DrawFormatOf(options.output));
    if (options.output != "-") {
      SOMAFIT_RETURN_IF_ERROR(CheckOutput(options.output));
    }
  }
  SOMAFIT_ASSIGN_OR_RETURN(const uint64_t seed, ReadSeed(options.seed));
  SOMAFIT_ASSIGN_OR_RETURN(Query query, BeginQuery(options.query));
  query.request.mutable_draw()->set_keep_outside_prior(options.outside);
  query.request.mutable_draw()->set_max_seconds(options.max_seconds);
  query.request.mutable_draw()->set_sample_with(options.sample_with);
  query.request.mutable_draw()->set_oversampling_factor(options.oversampling);
  SOMAFIT_ASSIGN_OR_RETURN(const v1::PosteriorAnswer answer,
                           AskForDraws(&query, options.n, seed));
  const Draws draws{query.parameters(),
                    {answer.theta().begin(), answer.theta().end()},
                    {answer.log_density().begin(), answer.log_density().end()}};
  const int status = answer.incomplete().empty() ? kSuccess : kFailure;
  if (options.output == "-") {
    absl::Status printed;
    WriteDraws(draws, format, [&](absl::string_view piece) {
      if (printed.ok()) printed = Print(piece);
    });
    SOMAFIT_RETURN_IF_ERROR(printed);
    SOMAFIT_RETURN_IF_ERROR(Print(""));
    return status;
  }
  if (!options.output.empty()) {
    SOMAFIT_ASSIGN_OR_RETURN(NewFile file, NewFile::Create(options.output));
    WriteDraws(draws, format,
               [&](absl::string_view piece) { file.Write(piece); });
    SOMAFIT_RETURN_IF_ERROR(file.Commit());
  }
  SOMAFIT_RETURN_IF_ERROR(WriteWhole("", SummaryTable(draws)));
  return status;
}

absl::StatusOr<int> Density(const PosteriorOptions& options) {
  SOMAFIT_ASSIGN_OR_RETURN(const std::string text,
                           ReadFile(options.points, kMaxPointsBytes));
  if (!options.output.empty() && options.output != "-") {
    SOMAFIT_RETURN_IF_ERROR(CheckOutput(options.output));
  }
  SOMAFIT_ASSIGN_OR_RETURN(Query query, BeginQuery(options.query));
  SOMAFIT_ASSIGN_OR_RETURN(
      const Points points,
      ParsePoints(text, options.points, FitOfPosterior(query.posterior)));
  v1::DensityQuery* const density = query.request.mutable_density();
  density->mutable_theta()->Add(points.values.begin(), points.values.end());
  density->set_unnormalized(options.unnormalized);
  SOMAFIT_ASSIGN_OR_RETURN(const v1::PosteriorAnswer answer,
                           Ask(&query.client, query.request));
  const Draws draws{query.parameters(),
                    points.values,
                    {answer.log_density().begin(), answer.log_density().end()}};
  if (draws.log_density.size() != draws.size()) {
    return absl::InternalError(absl::StrCat(
        "the trainer sent ", draws.log_density.size(), " densities for ",
        draws.size(), " points; update somafit"));
  }
  std::string csv;
  WriteDraws(draws, DrawFormat::kCsv, [&](absl::string_view piece) {
    csv.append(piece.data(), piece.size());
  });
  SOMAFIT_RETURN_IF_ERROR(WriteWhole(options.output, csv));
  return kSuccess;
}

absl::StatusOr<int> Map(const PosteriorOptions& options) {
  SOMAFIT_ASSIGN_OR_RETURN(const uint64_t seed, ReadSeed(options.seed));
  SOMAFIT_ASSIGN_OR_RETURN(Query query, BeginQuery(options.query));
  v1::MapQuery* const map = query.request.mutable_map();
  map->set_num_init_samples(options.init_samples);
  map->set_num_to_optimize(options.to_optimize);
  map->set_seed(seed);
  SOMAFIT_ASSIGN_OR_RETURN(const v1::PosteriorAnswer answer,
                           Ask(&query.client, query.request));
  const v1::Fit fit = FitOfPosterior(query.posterior);
  if (answer.theta_size() != fit.parameters_size()) {
    return absl::InternalError(
        "the trainer's maximum does not match the parameters; update somafit");
  }
  std::string text;
  for (int i = 0; i < fit.parameters_size(); ++i) {
    absl::StrAppend(&text, fit.parameters(i).name(), " = ",
                    QuantityText(answer.theta(i), fit.parameters(i)), "\n");
  }
  if (answer.log_density_size() > 0) {
    absl::StrAppend(&text, "log density = ", NumberText(answer.log_density(0)),
                    "\n");
  }
  SOMAFIT_RETURN_IF_ERROR(WriteWhole("", text));
  return kSuccess;
}

CLI::App* AddCommand(CLI::App& app, const std::string& name,
                     const std::string& summary, PosteriorOptions* options) {
  CLI::App* command = app.add_subcommand(name, summary);
  AddQueryOptions(command, &options->query);
  return command;
}

void AddSample(CLI::App& app, Action* action) {
  auto options = std::make_shared<PosteriorOptions>();
  CLI::App* command =
      AddCommand(app, "sample", "Draws from a posterior", options.get());
  command->add_option("-n", options->n, "So many draws")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(int64_t{1}, int64_t{1'000'000}));
  AddSeed(command, &options->seed);
  command
      ->add_option("-o,--output", options->output,
                   "Write the draws to a file, which appears when it is "
                   "complete; \"-\": CSV to stdout, in place of the table")
      ->type_name("FILE.csv|FILE.npy|FILE.npz|-");
  command->add_flag("--outside-prior", options->outside,
                    "Raw draws of the estimator, outside the prior too");
  command
      ->add_option("--max-seconds", options->max_seconds,
                   "Give up after so long, with what there is (exit status 1)")
      ->type_name("SECONDS")
      ->check(CLI::NonNegativeNumber);
  command
      ->add_option("--sample-with", options->sample_with,
                   "direct: draws of the estimator (default); rejection, "
                   "importance: draws of the prior, by the posterior's density")
      ->type_name("SAMPLER");
  command
      ->add_option("--oversampling-factor", options->oversampling,
                   "Of importance: draws of the prior for each; default: 32")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  command->footer(R"(
Prints mean, standard deviation and quantiles. The same seed gives the same
draws, and the first of more are the same.

csv: a header like "gl [siemens]", numbers in SI, and log_density up to a
constant. npy: float64 [draws, parameters]. npz: theta, the same, and
log_density.

Examples:
  somafit sample hodgkin_huxley-1
  somafit sample hodgkin_huxley-1 -n 100000 --seed 2 -o draws.npz
  somafit sample hodgkin_huxley-1 --sample-with rejection --max-seconds 60
  somafit sample hodgkin_huxley-1 --round 0 --x 0.02,-0.05,3 -o -)");
  command->callback([=] { *action = [=] { return Sample(*options); }; });
}

void AddDensity(CLI::App& app, Action* action) {
  auto options = std::make_shared<PosteriorOptions>();
  CLI::App* command = AddCommand(
      app, "density", "Log densities of a posterior at points", options.get());
  command
      ->add_option("--points", options->points,
                   "CSV: a header with every parameter, one point a line")
      ->required()
      ->type_name("FILE.csv");
  command->add_flag("--unnormalized", options->unnormalized,
                    "Up to a constant: without the mass outside the prior");
  command
      ->add_option("-o,--output", options->output,
                   "Write to a file; default: stdout")
      ->type_name("FILE.csv");
  command->footer(R"(
The header names each parameter once: "gl" with numbers in SI, or "gl [nS]". What
is written has the points in SI and a column log_density, in nats; -inf outside
the prior.

Example:
  printf 'gl [nS],g_na [uS],g_kd [uS]\n10,20,6\n' > points.csv
  somafit density hodgkin_huxley-1 --points points.csv)");
  command->callback([=] { *action = [=] { return Density(*options); }; });
}

void AddMap(CLI::App& app, Action* action) {
  auto options = std::make_shared<PosteriorOptions>();
  CLI::App* command = AddCommand(
      app, "map", "The point of a posterior's largest density", options.get());
  AddSeed(command, &options->seed);
  command
      ->add_option("--init-samples", options->init_samples,
                   "Draws to begin with; default: 1000")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  command
      ->add_option("--optimize", options->to_optimize,
                   "So many of the best are improved; default: 100")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  command->footer("\nExample:\n  somafit map hodgkin_huxley-1");
  command->callback([=] { *action = [=] { return Map(*options); }; });
}

}  // namespace

void AddPosterior(CLI::App& app, Action* action) {
  auto options = std::make_shared<PosteriorOptions>();
  CLI::App* command = AddCommand(
      app, "posterior", "Says what there is of an inference's posterior",
      options.get());
  command
      ->add_option("--export", options->output,
                   "Write the trained estimator to a file instead")
      ->type_name("FILE");
  command
      ->add_option("--member", options->member,
                   "Of an ensemble: which estimator to export")
      ->type_name("K")
      ->check(CLI::NonNegativeNumber);
  command->footer(R"(
Parameters with the prior's support, features with what was observed (SI), and
how the training of each round went.

Examples:
  somafit posterior hodgkin_huxley-1
  somafit posterior hodgkin_huxley-1 --round 0 --export estimator.bin)");
  command->callback([=] { *action = [=] { return ShowPosterior(*options); }; });
  AddSample(app, action);
  AddDensity(app, action);
  AddMap(app, action);
}

}  // namespace somafit
