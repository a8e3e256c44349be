#include <cmath>
#include <limits>
#include <memory>

#include "absl/strings/str_cat.h"

#include "client/cli/arguments.h"
#include "client/cli/exit_code.h"
#include "worker/core/base/number.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

struct DescribeOptions {
  ServerOptions server;
  std::string family;
};

std::string OptionText(const v1::OptionDescription& option) {
  std::string text = absl::StrCat("    ", option.name(), " (", option.kind());
  if (std::isfinite(option.default_value())) {
    absl::StrAppend(&text, ", default ", ShortestText(option.default_value()));
  }
  const bool positive = option.minimum() == std::numeric_limits<double>::min();
  const bool from = std::isfinite(option.minimum()) && !positive;
  const bool to = std::isfinite(option.maximum());
  if (positive) absl::StrAppend(&text, ", more than 0");
  if (from || to) {
    absl::StrAppend(
        &text, ",",
        from ? absl::StrCat(" from ", ShortestText(option.minimum())) : "",
        to ? absl::StrCat(" to ", ShortestText(option.maximum())) : "");
  }
  return absl::StrCat(text, "): ", option.summary(), "\n");
}

absl::StatusOr<int> Describe(const DescribeOptions& options) {
  SOMAFIT_ASSIGN_OR_RETURN(FitClient client, Connect(options.server));
  SOMAFIT_ASSIGN_OR_RETURN(const v1::DescribeFamilyResponse family,
                           client.DescribeFamily(options.family));
  std::string text;
  for (const v1::MemberDescription& member : family.members()) {
    absl::StrAppend(&text, member.name(), ": ", member.summary(), "\n");
    for (const v1::OptionDescription& option : member.options()) {
      text += OptionText(option);
    }
  }
  SOMAFIT_RETURN_IF_ERROR(Print(text));
  SOMAFIT_RETURN_IF_ERROR(Print(""));
  return kSuccess;
}

}  // namespace

void AddDescribe(CLI::App& app, Action* action) {
  auto options = std::make_shared<DescribeOptions>();
  CLI::App* command = app.add_subcommand(
      "describe",
      "Lists optimizers, metrics, features, priors or estimators and their "
      "options");
  command->add_option("family", options->family, "What to list")
      ->required()
      ->type_name("optimizers|metrics|features|priors|estimators")
      ->check(CLI::IsMember(
          {"optimizers", "metrics", "features", "priors", "estimators"}));
  AddServerOptions(command, &options->server);
  command->footer(
      "\nExamples:\n  somafit describe optimizers\n  somafit describe "
      "features");
  command->callback([=] { *action = [=] { return Describe(*options); }; });
}

}  // namespace somafit
