#pragma once

#include <cstdint>

#include "worker/core/lang/ast.h"

namespace somafit {

// Calls of rand, randn and poisson with the arguments that they take: another
// number at each use.

bool IsRandom(const Node& node);
// The first one; nullptr if there is none.
const Node* FindRandom(const Expression& expression);
// Gives each its site, from `next` on, in the order of the text.
void NumberRandomSites(Expression& expression, int32_t& next);

}  // namespace somafit
