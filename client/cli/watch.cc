#include "client/lib/watch.h"

#include <iostream>
#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "client/cli/arguments.h"
#include "client/cli/exit_code.h"
#include "client/lib/display.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

struct WatchOptions {
  ServerOptions server;
  std::string name;
  std::string after;
  std::string format = "text";
};

std::string EventText(const v1::Fit& fit, const v1::FitEvent& event) {
  if (event.has_round()) return RoundText(fit, event.round());
  if (event.has_state()) {
    return StateSentence(event.state().state(), event.state().reason(),
                         IsInference(fit) ? "inference" : "fit");
  }
  return "";
}

absl::StatusOr<int> WatchFit(const WatchOptions& options) {
  SOMAFIT_ASSIGN_OR_RETURN(const std::string name,
                           FitResourceName(options.name));
  int64_t after = 0;
  if (!options.after.empty() &&
      (!absl::SimpleAtoi(options.after, &after) || after < 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--after \"", options.after,
                     "\" is not a sequence number, a whole number from 0"));
  }
  SOMAFIT_ASSIGN_OR_RETURN(FitClient client, Connect(options.server));
  SOMAFIT_ASSIGN_OR_RETURN(const v1::Fit fit, client.GetFit(name));
  if (after > fit.last_seq()) {
    return absl::OutOfRangeError(absl::StrCat("--after ", after,
                                              " is beyond the newest event ",
                                              fit.last_seq(), " of ", name));
  }
  if (fit.state() == v1::FIT_STATE_RUNNING) {
    WarnWithoutWorkers(&client, client.connection().known().path);
  }
  if (!fit.phase().empty()) std::cerr << "It is " << fit.phase() << ".\n";
  Watch watch(&client, name, after);
  absl::Status printed;
  const absl::Status status = watch.Run(
      Watch::Until::kEnded,
      [&](const v1::FitEvent& event) {
        const std::string line = options.format == "json"
                                     ? EventJson(fit, event)
                                     : EventText(fit, event);
        if (!line.empty()) printed = Print(absl::StrCat(line, "\n"));
        if (printed.ok()) printed = Print("");
        return printed.ok();
      },
      [](const absl::Status& lost) {
        if (lost.ok()) {
          std::cerr << "The coordinator is back.\n";
        } else {
          std::cerr << "The connection is lost, trying again: "
                    << lost.message() << std::endl;
        }
      });
  SOMAFIT_RETURN_IF_ERROR(status);
  SOMAFIT_RETURN_IF_ERROR(printed);
  SOMAFIT_ASSIGN_OR_RETURN(const v1::Fit ended, client.GetFit(name));
  return ended.state() == v1::FIT_STATE_SUCCEEDED ? kSuccess : kFailure;
}

}  // namespace

void AddWatch(CLI::App& app, Action* action) {
  auto options = std::make_shared<WatchOptions>();
  CLI::App* command = app.add_subcommand(
      "watch", "Prints each round as it is complete, until the fit has ended");
  AddFitName(command, &options->name);
  command
      ->add_option("--after", options->after,
                   "Only events after this sequence number")
      ->type_name("SEQ");
  command->add_option("--format", options->format, "How to print")
      ->type_name("text|json")
      ->capture_default_str()
      ->check(CLI::IsMember({"text", "json"}));
  AddServerOptions(command, &options->server);
  command->footer(R"(
A lost connection is made again and goes on where it was. Exit status 0 means
that the fit succeeded. With json, each line is an event; numbers are SI.

Examples:
  somafit watch hodgkin_huxley-1
  somafit watch fits/cell7 --after 12 --format json)");
  command->callback([=] { *action = [=] { return WatchFit(*options); }; });
}

}  // namespace somafit
