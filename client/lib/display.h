#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

#include "somafit/v1/fit.pb.h"

namespace somafit {

// How numbers are shown to people: three significant digits, whole numbers in
// full up to a million; "-" for NaN.
std::string NumberText(double value);

// A value in SI in the variable's display unit: "22.7 uS"; "0.3" without one.
std::string QuantityText(double si, const v1::Variable& variable);
// "uS", or "" where there is nothing to say.
std::string DisplayUnitText(const v1::Variable& variable);
// One in the display unit, in SI; 1 where the message has nothing usable.
double DisplayScale(const v1::Variable& variable);

// The unit that an output's own error is shown in: the square of the output's
// where the metric is a mean of squares, SI without a name otherwise.
v1::Variable OutputErrorVariable(const v1::Fit& fit, int output);

// "g_na = 22.7 uS, g_kd = 7.16 uS"; `si` in the fit's order.
template <typename Values>
std::string ParametersText(const v1::Fit& fit, const Values& si) {
  std::string text;
  for (int i = 0; i < fit.parameters_size() && i < static_cast<int>(si.size());
       ++i) {
    if (i > 0) text += ", ";
    text += fit.parameters(i).name() + " = " +
            QuantityText(si[i], fit.parameters(i));
  }
  return text;
}

// "12.3 s", "5:04 min", "1:05:04 h".
std::string DurationText(double seconds);

// Whether the fit is an inference: it has no errors, but a posterior.
bool IsInference(const v1::Fit& fit);
// "tsnpe, maf".
std::string InferenceText(const v1::InferenceSpec& inference);

// "validation loss -2.31 nats after 87 epochs, 960 simulations (3 more
// invalid), 812 effective, 97.5 % inside the prior".
std::string TrainingText(const v1::TrainingSummary& training);

// "Round 3: best error 4.53 mV^2 (sample 284)  g_na = 22.7 uS   400 samples".
// Of an inference: "Round 0: validation loss ...   1000 samples", and a line
// for each of the training's messages.
std::string RoundText(const v1::Fit& fit, const v1::RoundEvent& round);
// "The fit succeeded (ROUNDS)."
std::string StateSentence(v1::FitState state, absl::string_view reason,
                          absl::string_view what = "fit");

// The same as an object of JSON, with the losses of all epochs.
std::string TrainingJson(const v1::TrainingSummary& training);

// One event as one line of JSON: numbers are numbers (SI), those that are not
// finite are null; "seq", "time_us", and "state" or a round with its samples,
// column by column; of an inference with "training", and no errors.
std::string EventJson(const v1::Fit& fit, const v1::FitEvent& event);

// A text as one word of a shell's command line: in quotes, if it needs them.
std::string ShellWord(const std::string& text);

// A text in quotes as JSON has it.
std::string JsonText(absl::string_view text);
// A number as JSON has it; null if it is not finite.
std::string JsonNumber(double value);

// "ok", "nonfinite", "failed", "drawn", "cancelled".
std::string StatusText(v1::SampleStatus status);

}  // namespace somafit
