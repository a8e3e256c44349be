#include "worker/core/lang/names.h"

#include <algorithm>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

#include "worker/core/base/number.h"
#include "worker/core/lang/functions.h"
#include "worker/core/lang/lexer.h"
#include "worker/core/units/unit.h"

namespace somafit {
namespace {

constexpr std::string_view kSymbols[] = {"t",
                                         "dt",
                                         "t_in_timesteps",
                                         "i",
                                         "N",
                                         "not_refractory",
                                         "refractory",
                                         "refractory_until"};

template <size_t n>
bool Contains(const std::string_view (&names)[n], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

bool IsTargetName(std::string_view name,
                  const std::vector<std::string>& outputs) {
  return std::any_of(
      outputs.begin(), outputs.end(),
      [name](const std::string& output) { return name == output + "_target"; });
}

// The names that fitting wires data with.
bool IsWiringName(std::string_view name) {
  if (name == "iteration" || name == "input_var" || name == "n_traces") {
    return true;
  }
  constexpr std::string_view kOutput = "output_var_";
  if (!name.starts_with(kOutput) || name == kOutput) return false;
  name.remove_prefix(kOutput.size());
  return std::all_of(name.begin(), name.end(),
                     [](unsigned char c) { return absl::ascii_isdigit(c); });
}

}  // namespace

std::optional<Meaning> FindSymbol(const std::string& name) {
  Meaning meaning;
  meaning.dimension = kTimeDimension;
  if (name == "t") {
    meaning.kind = Meaning::Kind::kTime;
  } else if (name == "dt") {
    meaning.kind = Meaning::Kind::kTimeStep;
  } else if (name == "t_in_timesteps") {
    meaning.kind = Meaning::Kind::kStepNumber;
    meaning.dimension = kNoDimension;
    meaning.type = ValueType::kInteger;
  } else if (name == "iteration") {
    meaning.kind = Meaning::Kind::kIteration;
    meaning.dimension = kNoDimension;
    meaning.type = ValueType::kInteger;
  } else if (name == "i" || name == "N") {
    meaning.kind =
        name == "i" ? Meaning::Kind::kLaneNumber : Meaning::Kind::kLaneCount;
    meaning.dimension = kNoDimension;
    meaning.type = ValueType::kInteger;
  } else if (IsNoiseName(name)) {
    meaning.kind = Meaning::Kind::kNoise;
    meaning.dimension = kTimeDimension.Power(-0.5);
  } else {
    return std::nullopt;
  }
  return meaning;
}

std::optional<Meaning> FindDefaultConstant(const std::string& name) {
  Meaning meaning;
  if (name == "pi") {
    meaning.value = 3.141592653589793;
  } else if (name == "e") {
    meaning.value = 2.718281828459045;
  } else if (name == "inf") {
    meaning.value = std::numeric_limits<double>::infinity();
  } else if (const auto unit = FindUnit(name)) {
    meaning.value = unit->scale;
    meaning.dimension = unit->dimension;
  } else {
    return std::nullopt;
  }
  return meaning;
}

bool IsIdentifier(std::string_view text) {
  if (text.empty() || absl::ascii_isdigit(text[0])) return false;
  return std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '_';
  });
}

std::optional<std::string> ReasonReserved(
    std::string_view name, const std::vector<std::string>& outputs) {
  if (name.starts_with('_')) return "begins with an underscore";
  if (IsKeyword(name)) return "is a keyword";
  if (IsNoiseName(name)) return "stands for noise";
  if (Contains(kSymbols, name)) return "is a symbol of the language";
  if (name.ends_with("_pre") || name.ends_with("_post")) {
    return "has an ending that belongs to synapses";
  }
  if (FindFunction(name) != nullptr) return "is a function";
  if (name == "pi" || name == "e" || name == "inf") return "is a constant";
  if (IsReservedUnitName(name)) return "is a unit";
  if (IsWiringName(name) || IsTargetName(name, outputs)) {
    return "is taken by the fitting of data";
  }
  return std::nullopt;
}

bool IsNoiseName(std::string_view name) {
  return name == "xi" || name.starts_with("xi_");
}

const std::vector<std::string>& DefaultNames() {
  static const auto* const names = [] {
    auto* result = new std::vector<std::string>{"pi", "e", "inf"};
    for (const Function& function : AllFunctions()) {
      result->emplace_back(function.name);
    }
    const std::vector<std::string>& units = AllUnitNames();
    result->insert(result->end(), units.begin(), units.end());
    return result;
  }();
  return *names;
}

std::string HintForUnknown(const std::string& name,
                           const std::vector<std::string>& candidates) {
  if (name == "celsius") {
    return "use differences in kelvin, or add 273.15*kelvin";
  }
  std::string nearest = NearestWord(name, candidates);
  if (nearest.empty()) nearest = NearestWord(name, DefaultNames());
  return nearest.empty() ? "" : absl::StrCat("did you mean `", nearest, "`?");
}

}  // namespace somafit
