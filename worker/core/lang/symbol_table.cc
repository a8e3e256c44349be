#include "worker/core/lang/symbol_table.h"

#include <algorithm>

#include "worker/core/lang/flags.h"
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
  if (const auto found = timed_arrays.find(name); found != timed_arrays.end()) {
    binding.kind = Binding::Kind::kTimedArray;
    binding.timed_array = found->second;
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
  if (!complete || constant_names_.count(name) > 0) {
    // Its definition has a mistake, which is reported.
    binding.kind = Binding::Kind::kIgnored;
  } else if (name == kNotRefractory || name == kLastSpike) {
    binding.kind = Binding::Kind::kNotAvailable;
    binding.code = "E_UNRESOLVED";
    binding.reason = "is unknown, since the model has no refractory period";
    binding.hint = "give one in `refractory`, e.g. `2*ms`";
  }
  return binding;
}

Binding SymbolTable::FindWithoutNoise(const std::string& name) const {
  Binding binding = Find(name);
  if (binding.kind == Binding::Kind::kKnown &&
      binding.meaning.kind == Meaning::Kind::kNoise) {
    binding.kind = Binding::Kind::kNotAvailable;
    binding.code = "E_XI";
    binding.reason = "is noise, which differential equations only can have";
    binding.hint =
        "write it in the equation of a state, or use randn() where a number "
        "is drawn once";
  }
  return binding;
}

Binding SymbolTable::SayOnce(const std::string& name, Binding binding) {
  if (binding.kind == Binding::Kind::kUnknown &&
      FindFunction(name) == nullptr && !said_.insert(name).second) {
    binding.kind = Binding::Kind::kIgnored;
  }
  return binding;
}

bool SymbolTable::IsShared(const std::string& name) const {
  const auto found = variables.find(name);
  if (found == variables.end()) return name != "i" && !IsNoiseName(name);
  return found->second.definition != nullptr &&
         HasFlag(*found->second.definition, "shared");
}

std::vector<std::string> SymbolTable::Candidates() const {
  std::vector<std::string> names{"t", "dt", "t_in_timesteps"};
  for (const auto& [name, variable] : variables) names.push_back(name);
  for (const auto& [name, array] : timed_arrays) names.push_back(name);
  for (const auto& [name, quantity] : constants_) {
    names.push_back(name);
  }
  // A mistaken name of the dataset's or an array's may be any text.
  std::erase_if(names,
                [](const std::string& name) { return !IsIdentifier(name); });
  // What is suggested must not depend on the order of a hash table.
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace somafit
