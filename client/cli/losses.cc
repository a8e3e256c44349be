// What trainings went through, epoch by epoch.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "client/cli/arguments.h"
#include "client/cli/exit_code.h"
#include "client/cli/posterior_query.h"
#include "client/lib/event_file.h"
#include "client/lib/posterior.h"
#include "worker/core/base/number.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr char kHeader[] =
    "round,net,estimator,epoch,training_loss,validation_loss,seconds\n";

struct LossesOptions {
  ServerOptions server;
  std::string name;
  std::string output;
  bool follow = false;
};

std::string Row(int64_t round, int member, const std::string& estimator,
                int64_t epoch, double training, double validation,
                double seconds) {
  return absl::StrCat(round, ",", member, ",", estimator, ",", epoch, ",",
                      ShortestText(training), ",", ShortestText(validation),
                      ",", ShortestText(seconds), "\n");
}

// How many epochs a stored curve has.
int CurveSize(const v1::TrainingSummary& summary) {
  return std::min({summary.training_loss_size(), summary.validation_loss_size(),
                   summary.epoch_seconds_size()});
}

// Which epoch, from 1, number i of a stored curve is: of a long one it has
// evenly spaced epochs and the last.
int64_t EpochOf(const v1::TrainingSummary& summary, int i) {
  const int64_t n = CurveSize(summary);
  const int64_t epochs = std::max(summary.epochs(), n);
  if (epochs == n) return i + 1;
  if (i + 1 == n) return epochs;
  const int64_t stride = (epochs + n - 3) / (n - 1);
  return i * stride + 1;
}

std::string StoredCurves(const v1::Posterior& posterior) {
  std::string text = kHeader;
  for (int round = 0; round < posterior.rounds_size(); ++round) {
    const v1::TrainingSummary& one = posterior.rounds(round);
    for (int i = 0; i < CurveSize(one); ++i) {
      absl::StrAppend(&text, Row(round, 0, one.estimator(), EpochOf(one, i),
                                 one.training_loss(i), one.validation_loss(i),
                                 one.epoch_seconds(i)));
    }
  }
  return text;
}

// Epochs count on from round to round.
std::vector<Scalar> StoredScalars(const v1::Posterior& posterior) {
  std::vector<Scalar> scalars;
  double time_s = 0;
  int64_t before = 0;
  for (const v1::TrainingSummary& one : posterior.rounds()) {
    const int n = CurveSize(one);
    for (int i = 0; i < n; ++i) {
      const int64_t step = before + EpochOf(one, i);
      time_s += one.epoch_seconds(i);
      for (const auto& [tag, value] :
           {std::pair("loss/training", one.training_loss(i)),
            std::pair("loss/validation", one.validation_loss(i)),
            std::pair("epoch_seconds", one.epoch_seconds(i))}) {
        scalars.push_back(
            {.tag = tag, .step = step, .value = value, .time_s = time_s});
      }
    }
    if (n > 0) before += EpochOf(one, n - 1);
  }
  return scalars;
}

// Whole lines at once: somebody may read them as they come.
absl::StatusOr<int> Follow(FitClient* client, const std::string& name) {
  SOMAFIT_RETURN_IF_ERROR(Print(kHeader));
  SOMAFIT_RETURN_IF_ERROR(
      WatchTraining(client, name, [](const v1::TrainingProgress& progress) {
        std::string text;
        for (const v1::EpochReport& epoch : progress.epochs()) {
          absl::StrAppend(
              &text, Row(progress.round(), epoch.member(), epoch.estimator(),
                         epoch.epoch(), epoch.training_loss(),
                         epoch.validation_loss(), epoch.seconds()));
        }
        if (absl::Status lost = Print(text); !lost.ok()) return lost;
        return Print("");
      }));
  return kSuccess;
}

absl::StatusOr<int> Losses(const LossesOptions& options) {
  SOMAFIT_ASSIGN_OR_RETURN(const std::string name,
                           FitResourceName(options.name));
  SOMAFIT_ASSIGN_OR_RETURN(FitClient client, Connect(options.server));
  if (options.follow) return Follow(&client, name);
  if (!options.output.empty()) {
    SOMAFIT_RETURN_IF_ERROR(CheckOutput(options.output));
  }
  SOMAFIT_ASSIGN_OR_RETURN(const v1::Posterior posterior,
                           GetPosterior(&client, name));
  const std::string file =
      std::filesystem::path(options.output).filename().string();
  SOMAFIT_RETURN_IF_ERROR(
      WriteWhole(options.output, absl::StrContains(file, "tfevents")
                                     ? EventFile(StoredScalars(posterior))
                                     : StoredCurves(posterior)));
  return kSuccess;
}

}  // namespace

void AddLosses(CLI::App& app, Action* action) {
  auto options = std::make_shared<LossesOptions>();
  CLI::App* command = app.add_subcommand(
      "losses", "The losses of an inference's trainings, epoch by epoch");
  AddFitName(command, &options->name);
  CLI::Option* const follow =
      command->add_flag("--follow", options->follow,
                        "Those of the present round, as they come, until it "
                        "has been trained on");
  command
      ->add_option("-o,--output", options->output,
                   "Write to a file, CSV or with \"tfevents\" in its name "
                   "what TensorBoard reads; default: stdout")
      ->type_name("FILE")
      ->excludes(follow);
  AddServerOptions(command, &options->server);
  command->footer(R"(
CSV, in nats a row of theta's own space. What is stored is of the first net of an
ensemble; of more than 2000 epochs it is some of them.

Examples:
  somafit losses inference-1 -o losses.csv
  somafit losses inference-1 -o logs/events.out.tfevents.inference-1
  somafit losses inference-1 --follow)");
  command->callback([=] { *action = [=] { return Losses(*options); }; });
}

}  // namespace somafit
