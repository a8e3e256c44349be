#include "worker/core/lang/model.h"

#include <algorithm>

#include "worker/core/lang/names.h"

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

}  // namespace

std::optional<Meaning> Model::Resolve(const std::string& name) const {
  using Kind = Meaning::Kind;
  if (auto found = FindIn(variables, Kind::kVariable, name)) return found;
  if (auto found = FindIn(parameters, Kind::kParameter, name)) return found;
  if (auto found = FindIn(states, Kind::kState, name)) return found;
  if (auto found = FindIn(subexpressions, Kind::kSubexpression, name)) {
    return found;
  }
  if (auto found = FindIn(inputs, Kind::kInput, name)) return found;
  if (auto found = FindSymbol(name)) {
    if (found->kind != Kind::kNoise) return found;
    const auto noise = std::find(noises.begin(), noises.end(), name);
    if (noise == noises.end()) return std::nullopt;
    found->index = static_cast<size_t>(noise - noises.begin());
    return found;
  }
  if (auto found = FindDefaultConstant(name)) return found;
  const auto found = constants.find(name);
  if (found == constants.end()) return std::nullopt;
  return Meaning{Kind::kConstant, 0, found->second.value,
                 found->second.dimension};
}

}  // namespace somafit
