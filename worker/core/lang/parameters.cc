#include "worker/core/lang/parameters.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "worker/core/base/elementary.h"
#include "worker/core/base/number.h"
#include "worker/core/lang/quantity.h"

namespace somafit {
namespace {

constexpr size_t kMaxStarts = 1000;

std::string FieldOf(const ParameterSpec& spec) {
  return absl::StrCat("parameters.", spec.name.substr(0, 80));
}

// Each entry names a parameter of the model, once.
void CheckNames(const std::vector<ParameterSpec>& specs,
                const std::vector<std::string>& names,
                Diagnostics& diagnostics) {
  std::set<std::string> given;
  for (const ParameterSpec& parameter : specs) {
    const std::string field = FieldOf(parameter) + ".bounds";
    if (std::find(names.begin(), names.end(), parameter.name) == names.end()) {
      const std::string nearest = NearestWord(parameter.name, names);
      diagnostics.FieldError(
          "E_BOUNDS", field,
          absl::StrCat("the model has no parameter \"",
                       absl::CHexEscape(parameter.name.substr(0, 80)), "\""),
          nearest.empty()
              ? absl::StrCat("its parameters are: ", absl::StrJoin(names, ", "))
              : absl::StrCat("did you mean \"", nearest, "\"?"));
    } else if (!given.insert(parameter.name).second) {
      diagnostics.FieldError(
          "E_BOUNDS", field,
          absl::StrCat("parameter \"", parameter.name, "\" is bounded twice"),
          "keep one of the two");
    }
  }
}

std::optional<Parameter> ReadFixed(const ParameterSpec& spec,
                                   const ModelVariable& variable,
                                   Diagnostics& diagnostics) {
  const Source source{FieldOf(spec) + ".fixed", spec.fixed};
  if (!spec.bounds.empty() || !spec.start.empty() || !spec.scale.empty()) {
    diagnostics.FieldError(
        "E_BOUNDS", source.field,
        absl::StrCat("parameter \"", spec.name,
                     "\" is fixed and has bounds, a scale or a start"),
        "give one of them");
    return std::nullopt;
  }
  const auto value =
      EvaluateQuantityOf(source, variable.dimension, diagnostics);
  if (!value) return std::nullopt;
  if (!std::isfinite(*value)) {
    diagnostics.Error("E_RANGE", source, {0, spec.fixed.size()},
                      "the value is not finite");
    return std::nullopt;
  }
  return Parameter{variable.name, variable.dimension, *value, *value};
}

std::optional<Parameter> ReadBounds(const ParameterSpec& spec,
                                    const ModelVariable& variable,
                                    Diagnostics& diagnostics) {
  const std::string field = FieldOf(spec) + ".bounds";
  const auto bounds =
      EvaluateBounds({field, spec.bounds}, variable.dimension, diagnostics);
  if (!bounds) return std::nullopt;
  if (!std::isfinite(bounds->second - bounds->first)) {
    diagnostics.FieldError(
        "E_BOUNDS", field,
        absl::StrCat("the bounds of \"", variable.name,
                     "\" are too far apart to compute with"));
    return std::nullopt;
  }
  Parameter parameter{variable.name, variable.dimension, bounds->first,
                      bounds->second};
  if (spec.scale == "log") {
    if (!(parameter.lower > 0)) {
      diagnostics.FieldError(
          "E_BOUNDS", field,
          absl::StrCat("the lower bound of \"", spec.name, "\" is ",
                       ShortestText(parameter.lower),
                       " in SI, and has no logarithm"),
          "bounds on a log scale are above 0");
      return std::nullopt;
    }
    if (!(Log(parameter.lower) < Log(parameter.upper))) {
      diagnostics.FieldError(
          "E_BOUNDS", field,
          absl::StrCat("the bounds of \"", spec.name, "\" have one logarithm"),
          "give them more room, or a linear scale");
      return std::nullopt;
    }
    parameter.log = true;
  } else if (!spec.scale.empty() && spec.scale != "linear") {
    diagnostics.FieldError(
        "E_OPTION", FieldOf(spec) + ".scale",
        absl::StrCat("\"", absl::CHexEscape(spec.scale.substr(0, 80)),
                     "\" is no scale"),
        "use \"linear\" or \"log\"");
  }
  return parameter;
}

void ReadStarts(const ParameterSpec& spec, const Parameter& parameter,
                size_t coordinate, std::vector<StartValue>& starts,
                Diagnostics& diagnostics) {
  if (spec.start.size() > kMaxStarts) {
    diagnostics.FieldError("E_LIMIT", FieldOf(spec) + ".start",
                           absl::StrCat("has ", spec.start.size(),
                                        " values; at most ", kMaxStarts));
    return;
  }
  for (size_t k = 0; k < spec.start.size(); ++k) {
    const Source source{FieldOf(spec) + ".start", spec.start[k]};
    const auto value =
        EvaluateQuantityOf(source, parameter.dimension, diagnostics);
    if (!value) continue;
    if (!(*value >= parameter.lower && *value <= parameter.upper)) {
      diagnostics.Error(
          "E_BOUNDS", source, {0, source.text.size()},
          absl::StrCat("the start ", ShortestText(*value), " of \"", spec.name,
                       "\" is not within its bounds, ",
                       ShortestText(parameter.lower), " to ",
                       ShortestText(parameter.upper), " in SI"));
      continue;
    }
    starts.push_back({static_cast<int64_t>(k), coordinate, *value});
  }
}

}  // namespace

ReadParameters::ReadParameters(const std::vector<ParameterSpec>& specs,
                               const Model& model, Diagnostics& diagnostics) {
  std::vector<std::string> names;
  for (const ModelVariable& parameter : model.parameters) {
    names.push_back(parameter.name);
  }
  CheckNames(specs, names, diagnostics);
  size_t n_free = 0;
  for (const ModelVariable& variable : model.parameters) {
    parameters.emplace_back();
    const auto given = std::find_if(
        specs.begin(), specs.end(),
        [&](const ParameterSpec& p) { return p.name == variable.name; });
    const bool missing =
        given == specs.end() || (given->bounds.empty() && given->fixed.empty());
    are_given.push_back(!missing);
    if (missing) continue;
    parameters.back() = given->fixed.empty()
                            ? ReadBounds(*given, variable, diagnostics)
                            : ReadFixed(*given, variable, diagnostics);
    if (!parameters.back() || parameters.back()->fixed()) continue;
    ReadStarts(*given, *parameters.back(), n_free++, starts, diagnostics);
  }
}

}  // namespace somafit
