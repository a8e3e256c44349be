#include "worker/core/lang/random.h"

#include <algorithm>
#include <variant>

#include "worker/core/lang/functions.h"

namespace somafit {

bool IsRandom(const Node& node) {
  const auto* const call = std::get_if<Call>(&node.form);
  if (call == nullptr) return false;
  const Function* const function = FindFunction(call->function);
  return function != nullptr && function->is_random() &&
         static_cast<int>(call->arguments.size()) == function->arity;
}

const Node* FindRandom(const Expression& expression) {
  const auto found =
      std::find_if(expression.nodes.begin(), expression.nodes.end(), IsRandom);
  return found == expression.nodes.end() ? nullptr : &*found;
}

void NumberRandomSites(Expression& expression, int32_t& next) {
  for (Node& node : expression.nodes) {
    if (IsRandom(node)) std::get<Call>(node.form).site = next++;
  }
}

}  // namespace somafit
