#include "worker/core/objective/option.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "worker/core/base/number.h"
#include "worker/core/lang/quantity.h"
#include "worker/core/units/unit.h"

namespace somafit {
namespace {

std::optional<double> ReadTruth(const Source& source,
                                Diagnostics& diagnostics) {
  const std::string word = absl::AsciiStrToLower(
      std::string(absl::StripAsciiWhitespace(source.text)));
  if (word == "true") return 1;
  if (word == "false") return 0;
  diagnostics.Error(
      "E_OPTION", source, {0, source.text.size()},
      absl::StrCat(Quoted(source.text), " is neither true nor false"),
      "Write one of them.");
  return std::nullopt;
}

std::optional<double> ReadValue(const Source& source, const OptionSpec& spec,
                                const Dimension& output,
                                Diagnostics& diagnostics) {
  if (spec.or_number) {
    Diagnostics ignored;
    const auto quantity = EvaluateQuantity(source, {}, ignored);
    if (quantity && quantity->dimension.IsNone()) return quantity->value;
  }
  switch (spec.kind) {
    case OptionSpec::Kind::kTime:
      return EvaluateQuantityOf(source, kTimeDimension, diagnostics);
    case OptionSpec::Kind::kRate:
      return EvaluateQuantityOf(source, kNoDimension / kTimeDimension,
                                diagnostics);
    case OptionSpec::Kind::kBoolean:
      return ReadTruth(source, diagnostics);
    case OptionSpec::Kind::kNumber:
    case OptionSpec::Kind::kInteger:
      return EvaluateQuantityOf(source, kNoDimension, diagnostics);
    case OptionSpec::Kind::kOutput:
    case OptionSpec::Kind::kText:
      break;
  }
  const std::optional<Quantity> quantity =
      EvaluateQuantity(source, {}, diagnostics);
  if (!quantity.has_value()) return std::nullopt;
  if (quantity->dimension == output || quantity->dimension.IsNone()) {
    return quantity->value;
  }
  diagnostics.Error(
      "E_DIM", source, {0, source.text.size()},
      absl::StrCat(std::string(spec.name), " has the unit ",
                   ReadableDimension(quantity->dimension),
                   ", but the output has ", ReadableDimension(output)),
      "Give it in the output's unit, or as a plain number.");
  return std::nullopt;
}

// "" where it is allowed.
std::string RangeMistake(double value, const OptionSpec& spec) {
  if (!std::isfinite(value)) return "is not finite";
  const bool is_whole = spec.kind == OptionSpec::Kind::kInteger ||
                        spec.kind == OptionSpec::Kind::kBoolean;
  if (is_whole && value != std::floor(value)) return "is no integer";
  // The least number above 0 is how a range says "above 0".
  if (spec.minimum == std::numeric_limits<double>::min() &&
      value < spec.minimum) {
    return "is not above 0";
  }
  if (value < spec.minimum) {
    return absl::StrCat("is below ", ShortestText(spec.minimum));
  }
  if (value > spec.maximum) {
    return absl::StrCat("is above ", ShortestText(spec.maximum));
  }
  return "";
}

std::string UnknownHint(const std::string& name,
                        const std::vector<OptionSpec>& known) {
  if (known.empty()) return "There are no options here.";
  std::vector<std::string> names;
  for (const OptionSpec& spec : known) names.emplace_back(spec.name);
  const std::string nearest = NearestWord(name, names);
  return absl::StrCat(
      nearest.empty() ? "" : absl::StrCat("Did you mean \"", nearest, "\"? "),
      "Known are: ", absl::StrJoin(names, ", "), ".");
}

}  // namespace

OptionValues ReadOptions(const std::vector<NamedText>& given,
                         const std::vector<OptionSpec>& known,
                         const std::string& field, const Dimension& output,
                         Diagnostics& diagnostics) {
  OptionValues values;
  for (const OptionSpec& spec : known) {
    values[std::string(spec.name)] = spec.default_value;
  }
  std::set<std::string> seen;
  for (const NamedText& option : given) {
    const std::string &name = option.name, &text = option.text;
    const Source source{absl::StrCat(field, ".", name), text};
    const auto spec =
        std::find_if(known.begin(), known.end(),
                     [&](const OptionSpec& s) { return s.name == name; });
    if (spec == known.end()) {
      diagnostics.FieldError("E_OPTION", source.field,
                             absl::StrCat("unknown option \"", name, "\""),
                             UnknownHint(name, known));
      continue;
    }
    if (!seen.insert(name).second) {
      diagnostics.FieldError(
          "E_OPTION", source.field,
          absl::StrCat("option \"", name, "\" is given twice"),
          "Give it once.");
      continue;
    }
    if (spec->kind == OptionSpec::Kind::kText) continue;
    const std::optional<double> value =
        ReadValue(source, *spec, output, diagnostics);
    if (!value.has_value()) continue;
    const std::string mistake = RangeMistake(*value, *spec);
    if (!mistake.empty()) {
      diagnostics.Error(
          "E_OPTION", source, {0, text.size()},
          absl::StrCat(name, " = ", ShortestText(*value), " ", mistake),
          std::string(spec->summary));
      continue;
    }
    values[name] = *value;
  }
  for (const OptionSpec& spec : known) {
    const std::string name(spec.name);
    if (!spec.required || seen.count(name) > 0) continue;
    diagnostics.FieldError(
        "E_OPTION", absl::StrCat(field, ".", name),
        absl::StrCat(name, " is missing"),
        absl::StrCat("Give the ", std::string(spec.summary), "."));
  }
  return values;
}

}  // namespace somafit
