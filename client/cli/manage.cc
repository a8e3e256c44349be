#include <ctime>
#include <functional>
#include <iostream>
#include <memory>
#include <unistd.h>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "client/cli/arguments.h"
#include "client/cli/exit_code.h"
#include "client/lib/display.h"
#include "client/lib/posterior.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

struct ManageOptions {
  ServerOptions server;
  std::string name;
  bool yes = false;
  std::optional<int64_t> round;
  bool go_on = false;
  bool stop = false;
};

std::string TimeText(int64_t unix_us) {
  const std::time_t seconds = unix_us / 1'000'000;
  std::tm local;
  char text[32];
  if (localtime_r(&seconds, &local) == nullptr ||
      std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &local) == 0) {
    return "-";
  }
  return text;
}

absl::StatusOr<int> Finish(absl::string_view text) {
  SOMAFIT_RETURN_IF_ERROR(Print(text));
  SOMAFIT_RETURN_IF_ERROR(Print(""));
  return kSuccess;
}

absl::StatusOr<int> List(const ManageOptions& options) {
  SOMAFIT_ASSIGN_OR_RETURN(FitClient client, Connect(options.server));
  // The header comes with the first fit: a call that fails prints none.
  std::string header =
      absl::StrFormat("%-32s %-10s %8s %9s  %-14s %s\n", "NAME", "STATE",
                      "ROUNDS", "SAMPLES", "BEST ERROR", "CREATED");
  SOMAFIT_RETURN_IF_ERROR(client.ForEachFit([&](const v1::Fit& fit) {
    (void)Print(std::exchange(header, ""));
    const std::string best =
        fit.has_best_sample()
            ? QuantityText(fit.best_error(), fit.total_error())
        : IsInference(fit) ? "(inference)"
                           : "-";
    (void)Print(absl::StrFormat(
        "%-32s %-10s %8d %9d  %-14s %s\n",
        std::string(ShortFitName(fit.name())),
        fit.state() == v1::FIT_STATE_RUNNING && !fit.phase().empty()
            ? absl::AsciiStrToUpper(fit.phase())
            : StateText(fit.state()),
        fit.rounds(), fit.samples_done(), best,
        TimeText(fit.create_time_us())));
  }));
  return Finish(header);
}

std::string StopText(const v1::StopSpec& stop) {
  std::string text;
  const auto add = [&](absl::string_view what) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", what);
  };
  if (stop.has_rounds()) add(absl::StrCat(stop.rounds(), " rounds"));
  if (stop.has_evaluations()) {
    add(absl::StrCat(stop.evaluations(), " evaluations"));
  }
  if (!stop.target().empty()) add(absl::StrCat("error ", stop.target()));
  if (!stop.time().empty()) add(absl::StrCat("time ", stop.time()));
  return text;
}

// How each round was learned from.
void ShowInference(
    FitClient* client, const v1::Fit& fit,
    const std::function<void(absl::string_view, absl::string_view)>& line) {
  line("inference", absl::StrCat(InferenceText(fit.spec().inference()),
                                 ", seed ", fit.spec().seed()));
  const absl::StatusOr<v1::Posterior> posterior =
      GetPosterior(client, fit.name());
  if (!posterior.ok()) return;  // there is none yet
  for (int round = 0; round < posterior->rounds_size(); ++round) {
    const v1::TrainingSummary& training = posterior->rounds(round);
    line(absl::StrCat("round ", round), TrainingText(training));
    for (const std::string& message : training.messages()) line("", message);
  }
}

absl::StatusOr<int> Show(const ManageOptions& options) {
  SOMAFIT_ASSIGN_OR_RETURN(const std::string name,
                           FitResourceName(options.name));
  SOMAFIT_ASSIGN_OR_RETURN(FitClient client, Connect(options.server));
  SOMAFIT_ASSIGN_OR_RETURN(const v1::Fit fit, client.GetFit(name));
  std::string text = absl::StrCat(fit.name(), "\n");
  const auto line = [&](absl::string_view key, absl::string_view value) {
    absl::StrAppendFormat(&text, "  %-12s %s\n", std::string(key),
                          std::string(value));
  };
  line("state", fit.state_reason().empty()
                    ? StateText(fit.state())
                    : absl::StrCat(StateText(fit.state()), " (",
                                   fit.state_reason(), ")"));
  if (!fit.phase().empty()) line("phase", fit.phase());
  line("rounds", absl::StrCat(fit.rounds()));
  line("samples",
       absl::StrCat(fit.samples_done(), " of ", fit.samples_drawn(), " drawn",
                    ", ", fit.samples_failed(), " failed"));
  if (fit.has_best_sample()) {
    line("best error",
         absl::StrCat(QuantityText(fit.best_error(), fit.total_error()),
                      " (sample ", fit.best_sample(), ")"));
  }
  for (int i = 0; i < fit.parameters_size(); ++i) {
    const v1::Variable& parameter = fit.parameters(i);
    const std::string bounds =
        absl::StrCat("in [", QuantityText(parameter.lower(), parameter), ", ",
                     QuantityText(parameter.upper(), parameter), "]");
    line(parameter.name(),
         fit.has_best_sample() && i < fit.best_parameters_size()
             ? absl::StrCat(QuantityText(fit.best_parameters(i), parameter),
                            "  ", bounds)
             : bounds);
  }
  if (IsInference(fit)) {
    ShowInference(&client, fit, line);
  } else {
    const std::string& optimizer = fit.spec().optimizer().name();
    line("optimizer", absl::StrCat(optimizer.empty() ? "de" : optimizer,
                                   ", seed ", fit.spec().seed()));
  }
  line("stops at", StopText(fit.spec().stop()));
  line("created", TimeText(fit.create_time_us()));
  line("running time", DurationText(fit.elapsed_seconds()));
  line("model", fit.model());
  line("dataset", fit.dataset());
  line("last event", absl::StrCat(fit.last_seq()));
  return Finish(text);
}

using Change = absl::StatusOr<v1::Fit> (FitClient::*)(const std::string&);

absl::StatusOr<int> ChangeState(const ManageOptions& options, Change change) {
  SOMAFIT_ASSIGN_OR_RETURN(const std::string name,
                           FitResourceName(options.name));
  SOMAFIT_ASSIGN_OR_RETURN(FitClient client, Connect(options.server));
  SOMAFIT_ASSIGN_OR_RETURN(const v1::Fit fit, (client.*change)(name));
  return Finish(absl::StrCat(fit.name(), " ", StateText(fit.state()), "\n"));
}

absl::StatusOr<int> Delete(const ManageOptions& options) {
  SOMAFIT_ASSIGN_OR_RETURN(const std::string name,
                           FitResourceName(options.name));
  if (!options.yes) {
    if (!isatty(STDIN_FILENO)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "deleting ", name, " removes all its samples; add --yes to do it"));
    }
    std::cerr << "Delete " << name << " with all its samples? [y/N] ";
    std::string answer;
    std::getline(std::cin, answer);
    answer = absl::AsciiStrToLower(answer);
    if (answer != "y" && answer != "yes") {
      return absl::CancelledError("nothing was deleted");
    }
  }
  SOMAFIT_ASSIGN_OR_RETURN(FitClient client, Connect(options.server));
  SOMAFIT_RETURN_IF_ERROR(client.DeleteFit(name));
  return Finish(absl::StrCat(name, " deleted\n"));
}

absl::StatusOr<int> Ack(const ManageOptions& options) {
  SOMAFIT_ASSIGN_OR_RETURN(const std::string name,
                           FitResourceName(options.name));
  if (options.go_on == options.stop) {
    return absl::InvalidArgumentError(
        "say what happens next: either --continue or --stop");
  }
  SOMAFIT_ASSIGN_OR_RETURN(FitClient client, Connect(options.server));
  SOMAFIT_ASSIGN_OR_RETURN(const v1::Fit fit, client.GetFit(name));
  // The round that waits is the last one that is complete.
  const int64_t round = options.round.value_or(fit.rounds() - 1);
  if (round < 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        name, " has no complete round yet; it is ", StateText(fit.state())));
  }
  SOMAFIT_ASSIGN_OR_RETURN(
      const v1::Fit after,
      client.AckRound(
          name, fit.stage(), round,
          options.stop ? v1::GATE_DECISION_STOP : v1::GATE_DECISION_CONTINUE));
  return Finish(
      absl::StrCat(after.name(), " ", StateText(after.state()), "\n"));
}

absl::StatusOr<int> Workers(const ManageOptions& options) {
  SOMAFIT_ASSIGN_OR_RETURN(FitClient client, Connect(options.server));
  std::string header =
      absl::StrFormat("%-20s %-20s %-5s %7s %8s %9s %8s  %s\n", "NAME", "HOST",
                      "STATE", "THREADS", "TASKS", "SAMPLES", "SEEN", "DOES");
  SOMAFIT_RETURN_IF_ERROR(client.ForEachWorker([&](const v1::WorkerStatus& w) {
    (void)Print(std::exchange(header, ""));
    (void)Print(absl::StrFormat("%-20s %-20s %-5s %7d %8d %9d %8s  %s\n",
                                w.name(), w.host(), w.state(), w.threads(),
                                w.tasks_done(), w.samples_done(),
                                DurationText(w.idle_seconds()), w.activity()));
  }));
  return Finish(header);
}

}  // namespace

void AddManage(CLI::App& app, Action* action) {
  struct Command {
    const char* name;
    const char* summary;
    const char* footer;
    std::function<absl::StatusOr<int>(const ManageOptions&)> run;
  };
  const Command commands[] = {
      {"list", "Lists all fits", "somafit list", List},
      {"show", "Shows one fit: state, best sample, settings",
       "somafit show hodgkin_huxley-1", Show},
      {"pause", "Draws no more samples until the fit is resumed",
       "somafit pause hodgkin_huxley-1",
       [](const ManageOptions& o) {
         return ChangeState(o, &FitClient::PauseFit);
       }},
      {"resume", "Goes on with a paused fit", "somafit resume hodgkin_huxley-1",
       [](const ManageOptions& o) {
         return ChangeState(o, &FitClient::ResumeFit);
       }},
      {"cancel", "Ends a fit; its samples stay",
       "somafit cancel hodgkin_huxley-1",
       [](const ManageOptions& o) {
         return ChangeState(o, &FitClient::CancelFit);
       }},
      {"delete", "Removes a fit that has ended or is paused, with its samples",
       "somafit delete hodgkin_huxley-1 --yes", Delete},
      {"ack", "Answers a fit whose rounds wait for an answer (gate)",
       "somafit ack hodgkin_huxley-1 --continue", Ack},
      {"workers", "Lists the workers and what they do", "somafit workers",
       Workers},
  };
  for (const Command& each : commands) {
    auto options = std::make_shared<ManageOptions>();
    CLI::App* command = app.add_subcommand(each.name, each.summary);
    const absl::string_view name = each.name;
    if (name != "list" && name != "workers") {
      AddFitName(command, &options->name);
    }
    if (name == "delete") {
      command->add_flag("--yes", options->yes, "Do not ask");
    }
    if (name == "ack") {
      command
          ->add_option("--round", options->round,
                       "The round; default: the one that waits")
          ->type_name("R")
          ->check(CLI::NonNegativeNumber);
      command->add_flag("--continue", options->go_on, "Draw the next round");
      command->add_flag("--stop", options->stop, "End the fit");
    }
    AddServerOptions(command, &options->server);
    command->footer(absl::StrCat("\nExample:\n  ", each.footer));
    command->callback(
        [=, run = each.run] { *action = [=] { return run(*options); }; });
  }
}

}  // namespace somafit
