#include "client/lib/display.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

#include "client/lib/client.h"
#include "worker/core/base/number.h"
#include "worker/core/objective/metric.h"

namespace somafit {

std::string NumberText(double value) {
  if (std::isnan(value)) return "-";
  const double size = std::abs(value);
  if (size >= 1000 && size < 1e6) return absl::StrFormat("%.0f", value);
  return RoundedText(value, 3);
}

std::string DisplayUnitText(const v1::Variable& variable) {
  return variable.display_unit() == "1" ? "" : variable.display_unit();
}

double DisplayScale(const v1::Variable& variable) {
  const double scale = variable.display_scale();
  return std::isfinite(scale) && scale > 0 ? scale : 1;
}

std::string QuantityText(double si, const v1::Variable& variable) {
  const std::string number = NumberText(si / DisplayScale(variable));
  const std::string unit = DisplayUnitText(variable);
  return unit.empty() ? number : absl::StrCat(number, " ", unit);
}

v1::Variable OutputErrorVariable(const v1::Fit& fit, int output) {
  const v1::Variable& of = fit.outputs(output);
  v1::Variable variable;
  variable.set_name(absl::StrCat(of.name(), "_error"));
  variable.set_display_scale(1);
  std::string metric, problem, hint;
  for (const v1::MetricSpec& each : fit.spec().metrics()) {
    if (each.output() == of.name()) metric = each.metric();
  }
  const MetricEntry* const entry =
      metric.empty() ? ChooseMetric("", {of.name()}, &problem, &hint)
                     : FindMetric(metric);
  if (entry == nullptr) return variable;  // of a newer server
  // What becomes of a unit shows with any.
  const Dimension kelvin({0, 0, 0, 0, 1, 0, 0});
  const Dimension dimension = entry->error_dimension(kelvin);
  if (dimension == kelvin) {
    variable = of;
    variable.set_name(absl::StrCat(of.name(), "_error"));
  } else if (dimension == kelvin.Power(2)) {
    if (DisplayUnitText(of).empty()) return variable;
    variable.set_display_unit(absl::StrCat(of.display_unit(), "^2"));
    variable.set_display_scale(DisplayScale(of) * DisplayScale(of));
    variable.set_si_unit(absl::StrCat(of.si_unit(), "^2"));
  } else if (!dimension.IsNone()) {
    const std::string unit = dimension == kTimeDimension ? "s" : "Hz";
    variable.set_display_unit(unit);
    variable.set_si_unit(unit);
  }
  return variable;
}

std::string DurationText(double seconds) {
  if (!(seconds >= 0)) seconds = 0;
  if (seconds < 60) return absl::StrFormat("%.1f s", seconds);
  const int64_t whole = static_cast<int64_t>(std::min(seconds, 1e15));
  if (whole < 3600) {
    return absl::StrFormat("%d:%02d min", whole / 60, whole % 60);
  }
  return absl::StrFormat("%d:%02d:%02d h", whole / 3600, whole / 60 % 60,
                         whole % 60);
}

bool IsInference(const v1::Fit& fit) { return fit.spec().has_inference(); }

std::string InferenceText(const v1::InferenceSpec& inference) {
  const auto or_default = [](const std::string& name, const char* other) {
    return name.empty() ? std::string(other) : name;
  };
  return absl::StrCat(or_default(inference.algorithm(), "tsnpe"), ", ",
                      or_default(inference.estimator().name(), "maf"));
}

std::string TrainingText(const v1::TrainingSummary& training) {
  std::string text = absl::StrCat(
      "validation loss ", NumberText(training.best_validation_loss()),
      " nats after ", training.validation_loss_size(), " epochs",
      training.converged() ? "" : " (not converged)", ", ",
      training.simulations(), " simulations");
  if (training.invalid() > 0) {
    absl::StrAppend(&text, " (", training.invalid(), " more invalid)");
  }
  if (training.effective_samples() > 0) {
    absl::StrAppend(&text, ", ", NumberText(training.effective_samples()),
                    " effective");
  }
  if (training.inside_prior() > 0) {
    absl::StrAppend(&text, ", ", NumberText(100 * training.inside_prior()),
                    " % inside the prior");
  }
  return text;
}

std::string RoundText(const v1::Fit& fit, const v1::RoundEvent& round) {
  std::string text = absl::StrCat("Round ", round.round(), ": ");
  if (round.stage() != 0) {
    text =
        absl::StrCat("Stage ", round.stage(), ", round ", round.round(), ": ");
  }
  if (round.has_training()) {
    absl::StrAppend(&text, TrainingText(round.training()));
  } else if (IsInference(fit)) {
    absl::StrAppend(&text, "simulated");
  } else if (round.best_sample() < 0) {
    absl::StrAppend(&text, "no sample has an error yet");
  } else {
    absl::StrAppend(&text, "best error ",
                    QuantityText(round.best_error(), fit.total_error()),
                    " (sample ", round.best_sample(), ")  ",
                    ParametersText(fit, round.best_parameters()));
  }
  if (const int n = round.samples().sample_size(); n > 0) {
    absl::StrAppend(&text, "   ", round.samples().sample(n - 1) + 1,
                    " samples");
  }
  if (round.gated()) {
    absl::StrAppend(&text, "   waits for: somafit ack ",
                    ShortFitName(fit.name()), " --continue or --stop");
  }
  for (const std::string& message : round.training().messages()) {
    absl::StrAppend(&text, "\n  ", message);
  }
  return text;
}

std::string StateSentence(v1::FitState state, absl::string_view reason,
                          absl::string_view what) {
  const std::string because =
      reason.empty() ? "." : absl::StrCat(" (", reason, ").");
  const std::string the = absl::StrCat("The ", what);
  switch (state) {
    case v1::FIT_STATE_RUNNING:
      return absl::StrCat(the, " is running", because);
    case v1::FIT_STATE_GATED:
      return absl::StrCat(the, " waits for an answer", because);
    case v1::FIT_STATE_PAUSED:
      return absl::StrCat(the, " is paused", because);
    case v1::FIT_STATE_SUCCEEDED:
      return absl::StrCat(the, " succeeded", because);
    case v1::FIT_STATE_CANCELLED:
      return absl::StrCat(the, " was cancelled", because);
    case v1::FIT_STATE_FAILED:
      return absl::StrCat(the, " failed", because);
    default:
      return absl::StrCat(the, " is in the state ", StateText(state), because);
  }
}

std::string ShellWord(const std::string& text) {
  const bool plain =
      !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return absl::ascii_isalnum(c) || absl::StrContains("_-./:=@%+,", c);
      });
  if (plain) return text;
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

std::string JsonText(absl::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppendFormat(&result, "\\u%04x", static_cast<int>(c));
    } else {
      result += c;
    }
  }
  return result + "\"";
}

std::string JsonNumber(double value) {
  return std::isfinite(value) ? ShortestText(value) : "null";
}

std::string StatusText(v1::SampleStatus status) {
  const std::string name = v1::SampleStatus_Name(status);
  return absl::AsciiStrToLower(absl::StripPrefix(name, "SAMPLE_STATUS_"));
}

std::string TrainingJson(const v1::TrainingSummary& training) {
  std::string text = absl::StrCat(
      "{\"estimator\": ", JsonText(training.estimator()),
      ", \"epochs\": ", training.validation_loss_size(),
      ", \"best_validation_loss\": ",
      JsonNumber(training.best_validation_loss()),
      ", \"converged\": ", training.converged() ? "true" : "false",
      ", \"simulations\": ", training.simulations(),
      ", \"invalid\": ", training.invalid(),
      ", \"effective_samples\": ", JsonNumber(training.effective_samples()),
      ", \"largest_weight\": ", JsonNumber(training.largest_weight()),
      ", \"inside_prior\": ", JsonNumber(training.inside_prior()));
  const auto list = [&](const char* name, const auto& values) {
    absl::StrAppend(&text, ", \"", name, "\": [");
    for (int i = 0; i < values.size(); ++i) {
      absl::StrAppend(&text, i > 0 ? ", " : "", JsonNumber(values.Get(i)));
    }
    absl::StrAppend(&text, "]");
  };
  list("training_loss", training.training_loss());
  list("validation_loss", training.validation_loss());
  absl::StrAppend(&text, ", \"messages\": [");
  for (int i = 0; i < training.messages_size(); ++i) {
    absl::StrAppend(&text, i > 0 ? ", " : "", JsonText(training.messages(i)));
  }
  return absl::StrCat(text, "]}");
}

std::string EventJson(const v1::Fit& fit, const v1::FitEvent& event) {
  std::string text = absl::StrCat("{\"seq\": ", event.seq(),
                                  ", \"time_us\": ", event.time_us());
  if (event.has_state()) {
    absl::StrAppend(&text,
                    ", \"state\": ", JsonText(StateText(event.state().state())),
                    ", \"reason\": ", JsonText(event.state().reason()));
  }
  if (event.has_round()) {
    const v1::RoundEvent& round = event.round();
    absl::StrAppend(&text, ", \"stage\": ", round.stage(),
                    ", \"round\": ", round.round(),
                    ", \"gated\": ", round.gated() ? "true" : "false");
    if (round.best_sample() >= 0) {
      absl::StrAppend(&text, ", \"best_sample\": ", round.best_sample(),
                      ", \"best_error\": ", JsonNumber(round.best_error()),
                      ", \"best_parameters\": {");
      for (int i = 0;
           i < std::min(fit.parameters_size(), round.best_parameters_size());
           ++i) {
        absl::StrAppend(&text, i > 0 ? ", " : "",
                        JsonText(fit.parameters(i).name()), ": ",
                        JsonNumber(round.best_parameters(i)));
      }
      absl::StrAppend(&text, "}");
    }
    if (round.has_training()) {
      absl::StrAppend(&text,
                      ", \"training\": ", TrainingJson(round.training()));
    }
    const v1::SampleBlock& block = round.samples();
    const int n = block.sample_size();
    absl::StrAppend(&text, ", \"samples\": [");
    for (int i = 0; i < n; ++i) {
      absl::StrAppend(&text, i > 0 ? ", " : "", block.sample(i));
    }
    absl::StrAppend(&text, "]");
    // Column `c` of a row-major matrix of `width` columns.
    const auto column = [&](const std::string& name, const auto& values, int c,
                            int width) {
      absl::StrAppend(&text, c > 0 ? ", " : "", JsonText(name), ": [");
      for (int i = 0; i < n && i * width + c < values.size(); ++i) {
        absl::StrAppend(&text, i > 0 ? ", " : "",
                        JsonNumber(values.Get(i * width + c)));
      }
      absl::StrAppend(&text, "]");
    };
    absl::StrAppend(&text, ", \"parameters\": {");
    for (int c = 0; c < fit.parameters_size(); ++c) {
      column(fit.parameters(c).name(), block.parameters(), c,
             fit.parameters_size());
    }
    absl::StrAppend(&text, "}");
    if (IsInference(fit)) return text + "}";
    absl::StrAppend(&text, ", ");
    column("total_error", block.total_error(), 0, 1);
    absl::StrAppend(&text, ", \"output_errors\": {");
    for (int c = 0; c < fit.outputs_size(); ++c) {
      column(fit.outputs(c).name(), block.output_error(), c,
             fit.outputs_size());
    }
    absl::StrAppend(&text, "}");
  }
  return text + "}";
}

}  // namespace somafit
