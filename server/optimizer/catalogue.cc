#include "server/optimizer/optimizer.h"

namespace somafit {

extern const OptimizerEntry kDifferentialEvolution;
extern const OptimizerEntry kRandomSearch;

const std::vector<const OptimizerEntry*>& AllOptimizers() {
  static const auto* const optimizers = new std::vector<const OptimizerEntry*>{
      &kDifferentialEvolution, &kRandomSearch};
  return *optimizers;
}

const OptimizerEntry* FindOptimizer(std::string_view name) {
  for (const OptimizerEntry* entry : AllOptimizers()) {
    if (entry->name == name) return entry;
  }
  return nullptr;
}

}  // namespace somafit
