#include "client/cli/posterior_query.h"

#include <algorithm>
#include <iostream>
#include <unistd.h>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "client/lib/display.h"
#include "client/lib/parameter_value.h"
#include "worker/core/base/status.h"

namespace somafit {

void AddQueryOptions(CLI::App* command, QueryOptions* options) {
  AddFitName(command, &options->name);
  command
      ->add_option("--round", options->round,
                   "The estimator of this round; default: the latest")
      ->type_name("R")
      ->check(CLI::NonNegativeNumber);
  command
      ->add_option("--x", options->x,
                   "Another observation in place of the recordings' features: "
                   "numbers in the order of `somafit posterior`, in SI, or a "
                   "file of them")
      ->type_name("FILE|NUMBER,NUMBER,...");
  AddServerOptions(command, &options->server);
}

void AddSeed(CLI::App* command, std::string* seed) {
  command->add_option("--seed", *seed, "Same seed, same draws; default: 0")
      ->type_name("NUMBER");
}

absl::StatusOr<uint64_t> ReadSeed(const std::string& text) {
  uint64_t seed = 0;
  if (text.empty()) return seed;
  if (!std::all_of(text.begin(), text.end(), absl::ascii_isdigit) ||
      !absl::SimpleAtoi(text, &seed)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--seed \"", text, "\" is not a whole number from 0 to 2^64-1"));
  }
  return seed;
}

absl::StatusOr<Query> BeginQuery(const QueryOptions& options) {
  SOMAFIT_ASSIGN_OR_RETURN(const std::string name,
                           FitResourceName(options.name));
  SOMAFIT_ASSIGN_OR_RETURN(FitClient client, Connect(options.server));
  SOMAFIT_ASSIGN_OR_RETURN(v1::Posterior posterior,
                           GetPosterior(&client, name));
  v1::AskPosteriorRequest request;
  request.set_name(name);
  if (options.round) request.set_round(*options.round);
  if (!options.x.empty()) {
    SOMAFIT_ASSIGN_OR_RETURN(
        const std::vector<double> x,
        ReadNumbers(options.x, posterior.features_size(), "--x"));
    request.mutable_x()->Add(x.begin(), x.end());
  }
  return Query{std::move(client), std::move(posterior), std::move(request)};
}

namespace {

void Say(const v1::PosteriorAnswer& answer) {
  for (const std::string& message : answer.messages()) {
    std::cerr << message << '\n';
  }
  std::cerr << std::flush;
}

}  // namespace

absl::StatusOr<v1::PosteriorAnswer> AskForDraws(Query* query, int64_t n,
                                                uint64_t seed) {
  query->request.mutable_draw()->set_n(n);
  query->request.mutable_draw()->set_seed(seed);
  const int width = std::max(1, query->posterior.parameters_size());
  const bool terminal = ::isatty(STDERR_FILENO) == 1;
  bool shown = false;
  const auto progress = [&](const v1::PosteriorAnswer& so_far) {
    if (!terminal || so_far.theta_size() / width >= n) return;
    std::cerr << "\r" << so_far.theta_size() / width << "/" << n
              << " draws\x1b[K" << std::flush;
    shown = true;
  };
  absl::StatusOr<v1::PosteriorAnswer> answer =
      AskPosterior(&query->client, query->request, progress);
  if (shown) std::cerr << "\r\x1b[K" << std::flush;
  if (!answer.ok()) return answer.status();
  const int64_t drawn = answer->theta_size() / width;
  if (answer->theta_size() % width != 0 || drawn > n) {
    return absl::InternalError(
        "the trainer's draws do not match what was asked for; update somafit");
  }
  std::cerr << drawn << " draws";
  if (answer->candidates() > 0) {
    std::cerr << ", "
              << NumberText(100. * static_cast<double>(answer->accepted()) /
                            static_cast<double>(answer->candidates()))
              << " % of " << answer->candidates()
              << " candidates within the prior";
  }
  std::cerr << '\n';
  if (!answer->incomplete().empty()) {
    std::cerr << "only " << drawn << " of " << n << ": " << answer->incomplete()
              << '\n';
  }
  Say(*answer);
  return answer;
}

absl::StatusOr<v1::PosteriorAnswer> Ask(
    FitClient* client, const v1::AskPosteriorRequest& request) {
  SOMAFIT_ASSIGN_OR_RETURN(v1::PosteriorAnswer answer,
                           AskPosterior(client, request));
  Say(answer);
  return answer;
}

absl::Status WriteWhole(const std::string& path, absl::string_view text) {
  if (path.empty() || path == "-") {
    SOMAFIT_RETURN_IF_ERROR(Print(text));
    return Print("");
  }
  SOMAFIT_ASSIGN_OR_RETURN(NewFile file, NewFile::Create(path));
  file.Write(text);
  return file.Commit();
}

}  // namespace somafit
