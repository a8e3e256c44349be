#include "worker/core/lang/shadow.h"

#include <string>
#include <unordered_set>

#include "absl/strings/str_cat.h"

#include "worker/core/lang/functions.h"
#include "worker/core/lang/names.h"
#include "worker/core/units/unit.h"

namespace somafit {

void WarnOfShadows(const Model& model, const std::vector<NamedText>& constants,
                   const EquationBlock& block, Diagnostics& diagnostics) {
  std::unordered_set<std::string> variables;
  for (const Channel& input : model.inputs) variables.insert(input.name);
  if (model.is_refractory()) variables.insert({kNotRefractory, kLastSpike});
  for (const Definition& definition : block.definitions) {
    variables.insert(definition.name);
    if (!FindUnit(definition.name) || IsReservedUnitName(definition.name)) {
      continue;
    }
    diagnostics.Add(Severity::kWarning, "W_SHADOW", model.equations,
                    definition.name_span,
                    absl::StrCat("the variable ", Quoted(definition.name),
                                 " hides the unit of this name"));
  }
  for (const NamedText& constant : constants) {
    const auto own = model.constants.find(constant.name);
    if (own == model.constants.end()) continue;
    std::string winner;
    if (variables.count(constant.name) > 0) {
      winner = "the model's variable";
    } else if (FindSymbol(constant.name)) {
      winner = "the language's symbol";
    } else if (FindFunction(constant.name) != nullptr) {
      winner = "the function";
    } else if (const auto other = FindDefaultConstant(constant.name);
               other && (other->value != own->second.value ||
                         !(other->dimension == own->second.dimension))) {
      winner = FindUnit(constant.name) ? "the unit" : "the default constant";
    }
    if (winner.empty()) continue;
    diagnostics.Add(
        Severity::kWarning, "W_SHADOW",
        {absl::StrCat("model.constants.", constant.name), constant.text},
        {0, constant.text.size()},
        absl::StrCat("the constant ", Quoted(constant.name),
                     " has no effect: ", winner, " of this name wins"));
  }
}

}  // namespace somafit
