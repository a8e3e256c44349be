#include <algorithm>
#include <cmath>
#include <iostream>
#include <memory>
#include <unistd.h>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "client/cli/arguments.h"
#include "client/cli/exit_code.h"
#include "client/cli/posterior_query.h"
#include "client/lib/display.h"
#include "client/lib/load.h"
#include "client/lib/points_file.h"
#include "client/lib/posterior.h"
#include "client/lib/trace_plot.h"
#include "client/lib/trace_writer.h"
#include "client/lib/traces.h"
#include "client/lib/yaml_spec.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr size_t kMaxPointsBytes = size_t{64} << 20;

struct GenerateOptions {
  ServerOptions server;
  std::string name;
  std::string points;
  bool best = false;
  int64_t posterior = 0;  // so many draws
  bool posterior_mean = false;
  bool map = false;
  std::string seed;
  std::vector<std::string> outputs;
  std::vector<std::string> initial_values;
  std::optional<int64_t> iteration;
  std::string file;
  std::string recordings;  // a fit's file
};

// What is drawn to take the mean of.
constexpr int64_t kDrawsOfMean = 10000;

// Draws of the posterior, their mean or its maximum, in the fit's order of
// parameters. A fixed parameter is none of a posterior's.
absl::StatusOr<std::vector<double>> PointsOfPosterior(
    const GenerateOptions& options, const v1::Fit& fit) {
  QueryOptions asked;
  asked.server = options.server;
  asked.name = fit.name();
  SOMAFIT_ASSIGN_OR_RETURN(const uint64_t seed, ReadSeed(options.seed));
  SOMAFIT_ASSIGN_OR_RETURN(Query query, BeginQuery(asked));
  v1::PosteriorAnswer answer;
  if (options.map) {
    query.request.mutable_map()->set_seed(seed);
    SOMAFIT_ASSIGN_OR_RETURN(answer, Ask(&query.client, query.request));
  } else {
    const int64_t n = options.posterior_mean ? kDrawsOfMean : options.posterior;
    SOMAFIT_ASSIGN_OR_RETURN(answer, AskForDraws(&query, n, seed));
  }
  const int width = query.posterior.parameters_size();
  const int n_points = width == 0 ? 0 : answer.theta_size() / width;
  if (n_points == 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the posterior of ", fit.name(),
        " gave no point; see: somafit posterior ", ShortFitName(fit.name())));
  }
  std::vector<int> columns;  // of the posterior; -1: fixed
  for (const v1::Variable& each : fit.parameters()) {
    columns.push_back(-1);
    for (int i = 0; i < width; ++i) {
      if (query.posterior.parameters(i).name() == each.name()) {
        columns.back() = i;
      }
    }
  }
  std::vector<double> points;
  for (int point = 0; point < (options.posterior_mean ? 1 : n_points);
       ++point) {
    for (size_t i = 0; i < columns.size(); ++i) {
      double value = fit.parameters(static_cast<int>(i)).lower();
      if (columns[i] >= 0 && options.posterior_mean) {
        value = 0;
        for (int k = 0; k < n_points; ++k) {
          value += answer.theta(k * width + columns[i]) / n_points;
        }
      } else if (columns[i] >= 0) {
        value = answer.theta(point * width + columns[i]);
      }
      points.push_back(value);
    }
  }
  if (points.size() == columns.size()) {
    std::cerr << (options.map              ? "At the maximum: "
                  : options.posterior_mean ? "At the mean: "
                                           : "At the draw: ")
              << ParametersText(fit, points) << std::endl;
  }
  return points;
}

absl::StatusOr<v1::GenerateTracesRequest> RequestOf(
    const GenerateOptions& options, const std::string& text,
    const v1::Fit& fit) {
  v1::GenerateTracesRequest request;
  request.set_name(fit.name());
  for (const std::string& names : options.outputs) {
    for (absl::string_view name : absl::StrSplit(names, ',')) {
      name = absl::StripAsciiWhitespace(name);
      if (name.empty()) {
        return absl::InvalidArgumentError(
            absl::StrCat("--output \"", names,
                         "\" has an empty name; give variables of the model, "
                         "like: --output v,m"));
      }
      request.add_outputs(std::string(name));
    }
  }
  for (const std::string& assignment : options.initial_values) {
    const size_t equals = assignment.find('=');
    if (equals == std::string::npos || equals == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("--initial \"", assignment,
                       "\" is no assignment; write NAME=VALUE, like v=-70*mV"));
    }
    v1::NamedText* value = request.add_initial_values();
    value->set_name(assignment.substr(0, equals));
    value->set_text(assignment.substr(equals + 1));
  }
  if (options.iteration) request.set_iteration(*options.iteration);
  if (fit.spec().inference().has_simulator()) {
    return absl::FailedPreconditionError(absl::StrCat(
        fit.name(),
        " has a simulator of the user's own, and no model to make traces of; "
        "run that simulator"));
  }
  const bool of_posterior =
      options.posterior > 0 || options.posterior_mean || options.map;
  if (of_posterior) {
    SOMAFIT_ASSIGN_OR_RETURN(const std::vector<double> points,
                             PointsOfPosterior(options, fit));
    for (const v1::Variable& each : fit.parameters()) {
      request.add_parameters(each.name());
    }
    request.mutable_points()->Add(points.begin(), points.end());
    return request;
  }
  if (options.points.empty()) {
    if (IsInference(fit)) {
      return absl::InvalidArgumentError(absl::StrCat(
          fit.name(),
          " is an inference, which has no best sample; give --posterior N, "
          "--posterior-mean, --map or --params"));
    }
    request.set_best(true);
    return request;
  }
  SOMAFIT_ASSIGN_OR_RETURN(const Points points,
                           ParsePoints(text, options.points, fit));
  for (const std::string& parameter : points.parameters) {
    request.add_parameters(parameter);
  }
  request.mutable_points()->Add(points.values.begin(), points.values.end());
  return request;
}

void SayWhatDiverged(const std::vector<int64_t>& first, int64_t count,
                     int64_t n_points) {
  if (count == 0) return;
  const int64_t more = count - std::ssize(first);
  std::cerr << count << " of " << n_points
            << (n_points == 1 ? " point" : " points")
            << " diverged (numbers that are not finite): "
            << absl::StrJoin(first, ", ")
            << (more > 0 ? absl::StrCat(" and ", more, " more") : "")
            << std::endl;
}

// One line on a terminal, drawn anew; nothing for a single point.
void ShowProgress(int64_t done, int64_t n_points) {
  static const bool terminal = ::isatty(STDERR_FILENO) == 1;
  if (!terminal || n_points == 1) return;
  std::cerr << "\r" << done << "/" << n_points << " points\x1b[K"
            << (done == n_points ? "\n" : "") << std::flush;
}

void WarnOfOtherNumerics(FitClient* client, const v1::Fit& fit) {
  const absl::StatusOr<v1::ServerInfo> server = client->GetServerInfo();
  if (!server.ok() || server->numerics_version() == fit.numerics_version()) {
    return;
  }
  std::cerr << "The fit was computed with numerics version "
            << fit.numerics_version() << ", these traces are with version "
            << server->numerics_version()
            << ": they may differ from its errors by rounding." << std::endl;
}

// Where traces go: a file that appears in the end, or stdout.
struct Destination {
  std::optional<NewFile> file;
  absl::Status printed;

  void Write(absl::string_view piece) {
    if (file) {
      file->Write(piece);
    } else if (printed.ok()) {
      printed = Print(piece);
    }
  }
  absl::Status End() {
    if (!printed.ok()) return printed;
    return file ? file->Commit() : Print("");
  }
};

// The recordings of a fit's file, to draw behind what is simulated.
absl::StatusOr<std::optional<Dataset>> ReadRecordings(
    const GenerateOptions& options, TraceFormat format) {
  if (options.recordings.empty()) return std::nullopt;
  if (format != TraceFormat::kSvg) {
    return absl::InvalidArgumentError(
        "--recordings are drawn behind traces in a picture: give -o FILE.svg");
  }
  SOMAFIT_ASSIGN_OR_RETURN(const v1::FitSpec spec,
                           ReadFitSpec(options.recordings, {}));
  SOMAFIT_ASSIGN_OR_RETURN(Dataset dataset,
                           LoadDataset(spec, FolderOf(options.recordings)));
  return dataset;
}

// Traces to a picture, once all are there.
struct Picture {
  TracePlot plot;
  std::vector<int64_t> diverged;  // the first points that did
  int64_t n_points = 0, n_diverged = 0;

  void Add(const Recording& recording) {
    constexpr size_t kMostNamed = 10;
    if (!std::all_of(recording.begin(), recording.end(),
                     [](double value) { return std::isfinite(value); })) {
      ++n_diverged;
      if (diverged.size() < kMostNamed) diverged.push_back(n_points);
    }
    ++n_points;
    plot.Add(recording);
  }
};

absl::StatusOr<int> Generate(const GenerateOptions& options) {
  SOMAFIT_ASSIGN_OR_RETURN(const std::string name,
                           FitResourceName(options.name));
  TraceFormat format = TraceFormat::kCsv;
  if (!options.file.empty()) {
    SOMAFIT_ASSIGN_OR_RETURN(format, TraceFormatOf(options.file));
  }
  std::string text;
  if (!options.points.empty()) {
    SOMAFIT_ASSIGN_OR_RETURN(text, ReadFile(options.points, kMaxPointsBytes));
  }
  SOMAFIT_ASSIGN_OR_RETURN(std::optional<Dataset> recordings,
                           ReadRecordings(options, format));
  SOMAFIT_RETURN_IF_ERROR(CheckOutput(options.file));
  SOMAFIT_ASSIGN_OR_RETURN(FitClient client, Connect(options.server));
  SOMAFIT_ASSIGN_OR_RETURN(const v1::Fit fit, client.GetFit(name));
  SOMAFIT_ASSIGN_OR_RETURN(const v1::GenerateTracesRequest request,
                           RequestOf(options, text, fit));
  Destination destination;
  std::optional<TraceWriter> writer;  // or
  std::optional<Picture> picture;
  int64_t done = 0;
  int64_t n_points = 0;
  const auto begin = [&](const v1::TraceHeader& header) -> absl::Status {
    if (!options.file.empty()) {
      SOMAFIT_ASSIGN_OR_RETURN(NewFile made, NewFile::Create(options.file));
      destination.file.emplace(std::move(made));
    }
    n_points = header.points();
    if (format == TraceFormat::kSvg) {
      SOMAFIT_RETURN_IF_ERROR(ShapeOf(header).status());
      picture.emplace(Picture{TracePlot(fit.name(), header), {}});
      if (recordings) {
        SOMAFIT_RETURN_IF_ERROR(
            picture->plot.SetRecordings(*std::move(recordings)));
      }
    } else {
      writer.emplace(format, header, [&destination](absl::string_view piece) {
        destination.Write(piece);
      });
    }
    if (header.has_sample()) {
      std::cerr << "Sample " << header.sample() << ", the best so far: "
                << ParametersText(fit, header.parameters()) << std::endl;
    }
    if (format == TraceFormat::kNpy && writer->padded()) {
      std::cerr << "The traces differ in length: NaN follows the shorter ones."
                << std::endl;
    }
    WarnOfOtherNumerics(&client, fit);
    WarnWithoutWorkers(&client, client.connection().known().path);
    if (writer) writer->Begin();
    return destination.printed;
  };
  const auto take = [&](const Recording& recording) {
    if (picture) {
      picture->Add(recording);
    } else {
      writer->Add(recording);
    }
    ShowProgress(++done, n_points);
    return destination.printed;
  };
  SOMAFIT_RETURN_IF_ERROR(GenerateTraces(&client, request, begin, take));
  if (picture) {
    SayWhatDiverged(picture->diverged, picture->n_diverged, n_points);
    SOMAFIT_ASSIGN_OR_RETURN(const std::string svg, picture->plot.Svg());
    destination.Write(svg);
  } else {
    SayWhatDiverged(writer->diverged(), writer->n_diverged(), n_points);
  }
  SOMAFIT_RETURN_IF_ERROR(destination.End());
  return kSuccess;
}

}  // namespace

void AddGenerate(CLI::App& app, Action* action) {
  auto options = std::make_shared<GenerateOptions>();
  CLI::App* command = app.add_subcommand(
      "generate", "Simulates a fit's model and writes whole traces");
  AddFitName(command, &options->name);
  CLI::Option* const points =
      command
          ->add_option("--params", options->points,
                       "CSV: a header with every parameter, one point a line")
          ->type_name("FILE.csv");
  command
      ->add_flag("--best", options->best,
                 "The best sample so far; the default without --params")
      ->excludes(points);
  CLI::Option* const draws =
      command
          ->add_option("--posterior", options->posterior,
                       "Of an inference: at so many draws of its posterior")
          ->type_name("N")
          ->check(CLI::Range(int64_t{1}, int64_t{10'000}))
          ->excludes(points);
  CLI::Option* const mean =
      command
          ->add_flag("--posterior-mean", options->posterior_mean,
                     "Of an inference: at the mean of its posterior's draws, "
                     "which may be unlikely itself")
          ->excludes(points)
          ->excludes(draws);
  command
      ->add_flag("--map", options->map,
                 "Of an inference: where the density is largest")
      ->excludes(points)
      ->excludes(draws)
      ->excludes(mean);
  AddSeed(command, &options->seed);
  command
      ->add_option("--output", options->outputs,
                   "Variables of the model: states, subexpressions, "
                   "parameters, inputs")
      ->required()
      ->take_all()
      ->allow_extra_args(false)
      ->type_name("NAME,NAME,...");
  command
      ->add_option("--initial", options->initial_values,
                   "An initial value in place of the model's (repeatable)")
      ->take_all()
      ->allow_extra_args(false)
      ->type_name("NAME=VALUE");
  command
      ->add_option("--iteration", options->iteration,
                   "What the model calls `iteration`; default: 1e9, after all "
                   "rounds")
      ->type_name("N");
  command
      ->add_option("-o", options->file,
                   "Write to a file, which appears when it is complete; "
                   "default: CSV to stdout")
      ->type_name("FILE.csv|FILE.npy|FILE.svg");
  command
      ->add_option("--recordings", options->recordings,
                   "With -o FILE.svg: a fit's file, whose recordings are drawn "
                   "behind what is simulated")
      ->type_name("FILE.yaml");
  AddServerOptions(command, &options->server);
  command->footer(R"(
Simulates on every trace of the fit's dataset, in whatever state the fit is.
States and the fit's outputs are the very numbers that its errors were made
from. Points and traces count from 0; numbers are SI, each before the update of
its step. What diverges is inf or nan from there on, and is said.

csv: point,trace,t,<variables>, one row a step, t in seconds.
npy: float64 [points, traces, variables, steps]; NaN behind shorter traces.
svg: a picture: the median over the points, and bands of 50 and 90 % of them.

Examples:
  somafit generate hodgkin_huxley-1 --output v,m -o best.csv
  somafit generate hodgkin_huxley-1 --output v --initial v=-70*mV
  somafit generate hodgkin_huxley-1 --params points.csv --output v -o v.npy
  somafit generate inference-1 --posterior 100 --output v -o predictive.npy
  somafit generate inference-1 --posterior 100 --output v -o predictive.svg \
      --recordings client/examples/hodgkin_huxley/inference.yaml)");
  command->callback([=] { *action = [=] { return Generate(*options); }; });
}

}  // namespace somafit
