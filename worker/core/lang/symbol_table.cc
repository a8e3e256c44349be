#include "worker/core/lang/symbol_table.h"

#include <algorithm>

#include "worker/core/lang/functions.h"
#include "worker/core/lang/names.h"

namespace somafit {

Binding SymbolTable::Find(const std::string& name) const {
  Binding binding;
  if (const auto found = variables.find(name); found != variables.end()) {
    binding.kind = found->second.known ? Binding::Kind::kKnown
                                       : Binding::Kind::kUnknownDimension;
    binding.meaning = found->second.meaning;
    return binding;
  }
  auto meaning = FindSymbol(name);
  if (!meaning) meaning = FindDefaultConstant(name);
  if (meaning) {
    binding.kind = Binding::Kind::kKnown;
    binding.meaning = *meaning;
    return binding;
  }
  if (FindFunction(name) != nullptr) return binding;
  if (const auto found = constants_.find(name); found != constants_.end()) {
    binding.kind = Binding::Kind::kKnown;
    binding.meaning.value = found->second.value;
    binding.meaning.dimension = found->second.dimension;
    return binding;
  }
  if (IsFutureName(name)) {
    binding.kind = Binding::Kind::kNotAvailable;
    binding.reason = "is not available yet";
  } else if (!complete || constant_names_.count(name) > 0) {
    // Its definition has a mistake, which is reported.
    binding.kind = Binding::Kind::kIgnored;
  }
  return binding;
}

std::vector<std::string> SymbolTable::Candidates() const {
  std::vector<std::string> names{"t", "dt", "t_in_timesteps"};
  for (const auto& [name, variable] : variables) names.push_back(name);
  for (const auto& [name, quantity] : constants_) {
    names.push_back(name);
  }
  // What is suggested must not depend on the order of a hash table.
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace somafit
