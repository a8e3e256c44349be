#include "worker/core/lang/model.h"

#include "absl/strings/str_cat.h"

#include "worker/core/base/number.h"
#include "worker/core/lang/names.h"
#include "worker/core/units/unit.h"

namespace somafit {
namespace {

template <typename Named>
std::optional<Meaning> FindIn(const std::vector<Named>& list,
                              Meaning::Kind kind, const std::string& name) {
  for (size_t i = 0; i < list.size(); ++i) {
    if (list[i].name != name) continue;
    Meaning meaning{kind, i, 0, list[i].dimension};
    if constexpr (requires { list[i].type; }) meaning.type = list[i].type;
    return meaning;
  }
  return std::nullopt;
}

std::string UnitText(const ModelVariable& variable) {
  switch (variable.type) {
    case ValueType::kBoolean:
      return "boolean";
    case ValueType::kInteger:
      return "integer";
    case ValueType::kFloat:
      break;
  }
  return UnitFormula(variable.dimension);
}

}  // namespace

std::optional<Meaning> Model::Resolve(const std::string& name) const {
  using Kind = Meaning::Kind;
  if (auto found = FindIn(parameters, Kind::kParameter, name)) return found;
  if (auto found = FindIn(states, Kind::kState, name)) return found;
  if (auto found = FindIn(subexpressions, Kind::kSubexpression, name)) {
    return found;
  }
  if (auto found = FindIn(inputs, Kind::kInput, name)) return found;
  if (auto found = FindSymbol(name)) return found;
  if (auto found = FindDefaultConstant(name)) return found;
  const auto found = constants.find(name);
  if (found == constants.end()) return std::nullopt;
  return Meaning{Kind::kConstant, 0, found->second.value,
                 found->second.dimension};
}

std::string PrintModel(const Model& model) {
  std::string text;
  for (const auto& [name, quantity] : model.constants) {
    absl::StrAppend(&text, "constant ", name, " = ",
                    ShortestText(quantity.value), "*",
                    UnitFormula(quantity.dimension), "\n");
  }
  for (const Channel& input : model.inputs) {
    absl::StrAppend(&text, "input ", input.name, " : ",
                    UnitFormula(input.dimension), "\n");
  }
  for (const ModelVariable& each : model.parameters) {
    absl::StrAppend(&text, "parameter ", each.name, " : ", UnitText(each),
                    "\n");
  }
  for (const ModelVariable& each : model.subexpressions) {
    absl::StrAppend(&text, "subexpression ", each.name, " = ",
                    PrintExpression(each.right_side), " : ", UnitText(each),
                    each.constant_over_dt ? " (constant over dt)" : "", "\n");
  }
  for (const ModelVariable& each : model.states) {
    absl::StrAppend(&text, "state d", each.name,
                    "/dt = ", PrintExpression(each.right_side), " : ",
                    UnitFormula(each.dimension), "\n");
  }
  for (const InitialValue& initial : model.initial_values) {
    absl::StrAppend(&text, "initial ", model.states[initial.state].name, " = ",
                    PrintExpression(initial.value), "\n");
  }
  if (!model.method.empty()) {
    absl::StrAppend(&text, "method ", model.method, "\n");
  }
  return text;
}

}  // namespace somafit
