#pragma once

#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "worker/core/data/fit_spec.h"
#include "worker/core/lang/diagnostic.h"
#include "worker/core/units/dimension.h"

namespace somafit {

// One option of a family's member, as the catalogue shows it.
struct OptionSpec {
  std::string_view name;
  std::string_view summary;
  enum class Kind {
    kNumber,
    kInteger,
    kTime,     // seconds
    kRate,     // 1/second
    kBoolean,  // 1 or 0; text: true or false
    kOutput,   // a quantity of the output's dimension, or a plain number
    kText,     // has no value: read where it is used
  } kind = Kind::kNumber;
  double default_value = 0;
  double minimum = -std::numeric_limits<double>::infinity();
  double maximum = std::numeric_limits<double>::infinity();
  bool required = false;   // there is no default
  bool or_number = false;  // a plain number, in SI, will do too
};

// Option values by name, every option present.
using OptionValues = std::map<std::string, double>;

// Reads what a user gave against what a member knows: unknown names (the known
// ones are listed), text that is no number, wrong dimensions and ranges are
// reported under "<field>.<name>". `output` is the dimension for kOutput.
OptionValues ReadOptions(const std::vector<NamedText>& given,
                         const std::vector<OptionSpec>& known,
                         const std::string& field, const Dimension& output,
                         Diagnostics& diagnostics);

}  // namespace somafit
