#pragma once

#include <optional>
#include <string>
#include <vector>

#include "worker/core/lang/model.h"

namespace somafit {

struct TimedArrayArgument {
  std::string text;  // as it is shown
  Dimension dimension;
  ValueType type = ValueType::kFloat;
  std::optional<double> value;  // where it is known beforehand
};

struct ArgumentMistake {
  std::string code;
  std::string message;
  std::string hint;
};

// What is wrong with the arguments of `array(t)` or `array(t, column)`.
// REQUIRES: as many as it takes.
std::vector<ArgumentMistake> FindArgumentMistakes(
    const TimedArray& array, const std::vector<TimedArrayArgument>& arguments);

// How to call the one of this name; nullptr: its arguments are not known.
std::string HintForCall(const std::string& name, const TimedArray* array);

}  // namespace somafit
