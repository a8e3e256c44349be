#include <algorithm>
#include <cmath>
#include <iostream>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "client/cli/arguments.h"
#include "client/cli/exit_code.h"
#include "client/cli/posterior_query.h"
#include "client/lib/display.h"
#include "client/lib/draws.h"
#include "client/lib/pairs_plot.h"
#include "client/lib/parameter_value.h"
#include "client/lib/points_file.h"
#include "worker/core/base/number.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr size_t kMaxPointsBytes = size_t{64} << 20;

struct PlotOptions {
  QueryOptions query;
  std::string seed;
  int64_t n = 10000;
  std::string output;
  std::string points;
  std::vector<std::string> truth;
  std::vector<std::string> limits;
  std::string subset;
  std::string style = "both";
  // Of `conditional`.
  std::vector<std::string> condition;
  bool at_map = false;
  int resolution = 0;
  bool correlations = false;
};

absl::Status CheckSvg(const std::string& path) {
  if (!absl::EndsWith(path, ".svg")) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": a plot is written as SVG; end the name in .svg"));
  }
  return CheckOutput(path);
}

// Numbers of the parameters that --subset names; all without it.
absl::StatusOr<std::vector<int>> ReadSubset(
    const std::string& text, const std::vector<v1::Variable>& parameters) {
  std::vector<int> subset;
  if (text.empty()) {
    for (size_t i = 0; i < parameters.size(); ++i) {
      subset.push_back(static_cast<int>(i));
    }
    return subset;
  }
  for (const absl::string_view name : absl::StrSplit(text, ',')) {
    SOMAFIT_ASSIGN_OR_RETURN(
        const auto found,
        ParseAssignment(absl::StrCat(name, "=1"), parameters, "--subset"));
    if (std::find(subset.begin(), subset.end(), found.first) != subset.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--subset names \"", name, "\" twice"));
    }
    subset.push_back(found.first);
  }
  return subset;
}

// One point of all parameters of "name=value" texts.
absl::StatusOr<std::vector<double>> ReadPoint(
    const std::vector<std::string>& texts,
    const std::vector<v1::Variable>& parameters, absl::string_view what) {
  std::vector<double> point(parameters.size(), std::nan(""));
  for (const std::string& text : texts) {
    SOMAFIT_ASSIGN_OR_RETURN(const auto found,
                             ParseAssignment(text, parameters, what));
    SOMAFIT_ASSIGN_OR_RETURN(
        point[found.first],
        ParseParameterValue(found.second, parameters[found.first],
                            absl::StrCat(what, " ", text)));
  }
  return point;
}

absl::StatusOr<std::vector<std::vector<double>>> ReadPoints(
    const PlotOptions& options, const Query& query) {
  const std::vector<v1::Variable> parameters = query.parameters();
  std::vector<std::vector<double>> points;
  if (!options.truth.empty()) {
    SOMAFIT_ASSIGN_OR_RETURN(points.emplace_back(),
                             ReadPoint(options.truth, parameters, "--truth"));
  }
  if (!options.points.empty()) {
    SOMAFIT_ASSIGN_OR_RETURN(const std::string text,
                             ReadFile(options.points, kMaxPointsBytes));
    SOMAFIT_ASSIGN_OR_RETURN(
        const Points read,
        ParsePoints(text, options.points, FitOfPosterior(query.posterior)));
    for (size_t at = 0; at < read.values.size(); at += parameters.size()) {
      const auto begin = read.values.begin() + static_cast<std::ptrdiff_t>(at);
      points.emplace_back(
          begin, begin + static_cast<std::ptrdiff_t>(parameters.size()));
    }
  }
  return points;
}

// --limits: "gl=1*nS..100*nS", or "prior" for the prior's support.
absl::Status ReadLimits(const std::vector<std::string>& texts,
                        const std::vector<v1::Variable>& parameters,
                        std::vector<Limits>* limits) {
  for (const std::string& text : texts) {
    if (text == "prior") {
      for (size_t i = 0; i < parameters.size(); ++i) {
        const v1::Variable& each = parameters[i];
        if (std::isfinite(each.lower())) (*limits)[i].lower = each.lower();
        if (std::isfinite(each.upper())) (*limits)[i].upper = each.upper();
      }
      continue;
    }
    SOMAFIT_ASSIGN_OR_RETURN(const auto found,
                             ParseAssignment(text, parameters, "--limits"));
    const std::vector<std::string> ends =
        absl::StrSplit(found.second, absl::MaxSplits("..", 1));
    const std::string what = absl::StrCat("--limits ", text);
    if (ends.size() != 2) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, " is no range; write ",
                       parameters[found.first].name(), "=LOW..HIGH, or prior"));
    }
    Limits& of = (*limits)[found.first];
    SOMAFIT_ASSIGN_OR_RETURN(
        of.lower, ParseParameterValue(ends[0], parameters[found.first], what));
    SOMAFIT_ASSIGN_OR_RETURN(
        of.upper, ParseParameterValue(ends[1], parameters[found.first], what));
    if (!(of.lower < of.upper)) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, ": the lower end must be below the upper one"));
    }
  }
  return absl::OkStatus();
}

template <typename T>
std::vector<T> Chosen(const std::vector<T>& all,
                      const std::vector<int>& which) {
  std::vector<T> chosen;
  for (const int i : which) chosen.push_back(all[i]);
  return chosen;
}

absl::StatusOr<int> Finish(PairsPlot plot, const PlotOptions& options,
                           const std::string& title) {
  plot.title = title;
  plot.show_cells = options.style != "contour";
  if (options.style == "hist") plot.masses.clear();
  SOMAFIT_RETURN_IF_ERROR(WriteWhole(options.output, SvgOf(plot)));
  std::cerr << "The plot is in " << options.output << std::endl;
  return kSuccess;
}

absl::StatusOr<int> Pairplot(const PlotOptions& options) {
  SOMAFIT_RETURN_IF_ERROR(CheckSvg(options.output));
  SOMAFIT_ASSIGN_OR_RETURN(const uint64_t seed, ReadSeed(options.seed));
  SOMAFIT_ASSIGN_OR_RETURN(Query query, BeginQuery(options.query));
  const std::vector<v1::Variable> all = query.parameters();
  SOMAFIT_ASSIGN_OR_RETURN(const std::vector<int> subset,
                           ReadSubset(options.subset, all));
  SOMAFIT_ASSIGN_OR_RETURN(const auto points, ReadPoints(options, query));
  std::vector<Limits> limits(all.size());
  // Before the draws, since they take time.
  SOMAFIT_RETURN_IF_ERROR(ReadLimits(options.limits, all, &limits));
  SOMAFIT_ASSIGN_OR_RETURN(const v1::PosteriorAnswer answer,
                           AskForDraws(&query, options.n, seed));
  const std::vector<double> theta(answer.theta().begin(), answer.theta().end());
  limits = LimitsOfDraws(all.size(), theta, points);
  SOMAFIT_RETURN_IF_ERROR(ReadLimits(options.limits, all, &limits));
  std::vector<double> draws;
  for (size_t at = 0; at < theta.size(); at += all.size()) {
    for (const int i : subset) draws.push_back(theta[at + i]);
  }
  PairsPlot plot =
      PlotOfDraws(Chosen(all, subset), draws, Chosen(limits, subset));
  for (const std::vector<double>& point : points) {
    plot.points.push_back(Chosen(point, subset));
  }
  return Finish(
      std::move(plot), options,
      absl::StrCat(ShortFitName(query.posterior.name()), ": ",
                   theta.size() / all.size(), " draws of the posterior"));
}

std::string CorrelationTable(const std::vector<v1::Variable>& parameters,
                             const v1::PosteriorAnswer& answer) {
  std::vector<std::vector<std::string>> rows = {{""}};
  for (const v1::Variable& each : parameters) rows[0].push_back(each.name());
  const int n = static_cast<int>(parameters.size());
  for (int i = 0; i < n; ++i) {
    rows.push_back({parameters[i].name()});
    for (int j = 0; j < n; ++j) {
      rows.back().push_back(NumberText(answer.correlations(i * n + j)));
    }
  }
  return AlignedTable(rows);
}

// Rows of all parameters at which densities are conditioned.
absl::Status AddCondition(const PlotOptions& options, Query* query,
                          v1::ConditionalQuery* conditional) {
  if (!options.points.empty()) {
    SOMAFIT_ASSIGN_OR_RETURN(const std::string text,
                             ReadFile(options.points, kMaxPointsBytes));
    SOMAFIT_ASSIGN_OR_RETURN(
        const Points read,
        ParsePoints(text, options.points, FitOfPosterior(query->posterior)));
    conditional->mutable_condition()->Add(read.values.begin(),
                                          read.values.end());
    return absl::OkStatus();
  }
  const std::vector<v1::Variable> parameters = query->parameters();
  SOMAFIT_ASSIGN_OR_RETURN(
      std::vector<double> point,
      ReadPoint(options.condition, parameters, "--condition"));
  const bool complete =
      std::none_of(point.begin(), point.end(),
                   [](double value) { return std::isnan(value); });
  if (!complete) {
    v1::AskPosteriorRequest map = query->request;
    map.mutable_map();
    SOMAFIT_ASSIGN_OR_RETURN(const v1::PosteriorAnswer answer,
                             Ask(&query->client, map));
    if (answer.theta_size() != static_cast<int>(point.size())) {
      return absl::InternalError(
          "the trainer's maximum does not match the parameters; update "
          "somafit");
    }
    for (size_t i = 0; i < point.size(); ++i) {
      if (std::isnan(point[i])) point[i] = answer.theta(static_cast<int>(i));
    }
    std::cerr << "Conditioned on "
              << ParametersText(FitOfPosterior(query->posterior), point)
              << std::endl;
  }
  conditional->mutable_condition()->Add(point.begin(), point.end());
  return absl::OkStatus();
}

absl::StatusOr<int> Conditional(const PlotOptions& options) {
  if (!options.output.empty())
    SOMAFIT_RETURN_IF_ERROR(CheckSvg(options.output));
  if (!options.points.empty() && !options.condition.empty()) {
    return absl::InvalidArgumentError(
        "--points and --condition both say where the others are; give one");
  }
  SOMAFIT_ASSIGN_OR_RETURN(Query query, BeginQuery(options.query));
  const std::vector<v1::Variable> all = query.parameters();
  SOMAFIT_ASSIGN_OR_RETURN(const std::vector<int> subset,
                           ReadSubset(options.subset, all));
  v1::ConditionalQuery conditional;
  SOMAFIT_RETURN_IF_ERROR(AddCondition(options, &query, &conditional));
  conditional.set_resolution(options.resolution);
  conditional.set_correlations(options.output.empty());
  if (!options.subset.empty()) {
    conditional.mutable_subset()->Add(subset.begin(), subset.end());
  }
  const int rows = conditional.condition_size() / static_cast<int>(all.size());
  if (!options.output.empty() && rows != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--points has ", rows,
        " points; a plot shows one, only correlations are averaged "
        "over several"));
  }
  *query.request.mutable_conditional() = conditional;
  SOMAFIT_ASSIGN_OR_RETURN(const v1::PosteriorAnswer answer,
                           Ask(&query.client, query.request));
  const std::vector<v1::Variable> chosen = Chosen(all, subset);
  if (options.output.empty()) {
    if (static_cast<size_t>(answer.correlations_size()) !=
        chosen.size() * chosen.size()) {
      return absl::InternalError(
          "the trainer's correlations do not match what was asked for; update "
          "somafit");
    }
    SOMAFIT_RETURN_IF_ERROR(WriteWhole("", CorrelationTable(chosen, answer)));
    return kSuccess;
  }
  SOMAFIT_RETURN_IF_ERROR(CheckConditional(chosen.size(), answer));
  PairsPlot plot = PlotOfConditional(chosen, answer);
  std::vector<double> point(conditional.condition().begin(),
                            conditional.condition().end());
  plot.points.push_back(Chosen(point, subset));
  if (!options.truth.empty()) {
    SOMAFIT_ASSIGN_OR_RETURN(const std::vector<double> truth,
                             ReadPoint(options.truth, all, "--truth"));
    plot.points.push_back(Chosen(truth, subset));
  }
  return Finish(std::move(plot), options,
                absl::StrCat(ShortFitName(query.posterior.name()),
                             ": densities with all others fixed"));
}

void AddPlotOptions(CLI::App* command, PlotOptions* options) {
  command->add_option("--subset", options->subset, "Only these parameters")
      ->type_name("NAME,NAME,...");
  command
      ->add_option("--truth", options->truth,
                   "A value to mark, like gl=10*nS (repeatable)")
      ->type_name("NAME=VALUE")
      ->take_all()
      ->allow_extra_args(false);
}

}  // namespace

void AddPlots(CLI::App& app, Action* action) {
  auto options = std::make_shared<PlotOptions>();
  CLI::App* command = app.add_subcommand(
      "pairplot", "Draws a posterior: each parameter and each pair, as SVG");
  AddQueryOptions(command, &options->query);
  command->add_option("-n", options->n, "So many draws")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(int64_t{1}, int64_t{1'000'000}));
  AddSeed(command, &options->seed);
  AddPlotOptions(command, options.get());
  command
      ->add_option("--points", options->points,
                   "CSV with points to mark: a header with every parameter")
      ->type_name("FILE.csv");
  command
      ->add_option(
          "--limits", options->limits,
          "What an axis shows, like gl=1*nS..100*nS, or \"prior\" for "
          "all of the prior's support (repeatable); default: all draws "
          "and points")
      ->type_name("NAME=LOW..HIGH|prior")
      ->take_all()
      ->allow_extra_args(false);
  command
      ->add_option("--style", options->style,
                   "Pairs as two-dimensional histograms, as contours of the "
                   "regions of highest density with 68 and 95 %, or both")
      ->type_name("hist|contour|both")
      ->capture_default_str()
      ->check(CLI::IsMember({"hist", "contour", "both"}));
  command->add_option("-o,--output", options->output, "The plot")
      ->required()
      ->type_name("FILE.svg");
  command->footer(R"(
Examples:
  somafit pairplot hodgkin_huxley-1 -o posterior.svg
  somafit pairplot hodgkin_huxley-1 -o posterior.svg --truth gl=10*nS \
    --truth g_na=20*uS --limits prior --subset gl,g_na)");
  command->callback([=] { *action = [=] { return Pairplot(*options); }; });

  auto other = std::make_shared<PlotOptions>();
  command = app.add_subcommand(
      "conditional",
      "A posterior's density along pairs of parameters, all others fixed");
  AddQueryOptions(command, &other->query);
  AddPlotOptions(command, other.get());
  command
      ->add_option("--condition", other->condition,
                   "Where a parameter is fixed, like gl=10*nS (repeatable); "
                   "default: at the point of largest density")
      ->type_name("NAME=VALUE")
      ->take_all()
      ->allow_extra_args(false);
  command
      ->add_option(
          "--points", other->points,
          "CSV in place of --condition: a header with every parameter; "
          "correlations are averaged over its points")
      ->type_name("FILE.csv");
  command
      ->add_option("--resolution", other->resolution,
                   "Points along each parameter; default: 50")
      ->type_name("N")
      ->check(CLI::Range(2, 1000));
  command
      ->add_option("-o,--output", other->output,
                   "A plot of the densities; without it, a table of the "
                   "correlation of each pair")
      ->type_name("FILE.svg");
  command->footer(R"(
Examples:
  somafit conditional hodgkin_huxley-1
  somafit conditional hodgkin_huxley-1 --condition gl=10*nS -o conditional.svg)");
  command->callback([=] { *action = [=] { return Conditional(*other); }; });
}

}  // namespace somafit
