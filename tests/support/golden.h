#pragma once

#include <string>

namespace somafit {

// Expects `text` in tests/golden/<name>.golden; writes it there where the
// environment says UPDATE_GOLDEN=1. Runs in the root of the tree.
void ExpectGolden(const std::string& name, const std::string& text);

}  // namespace somafit
