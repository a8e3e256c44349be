#pragma once

#include <cstdint>
#include <string>

namespace somafit {

// A TorchScript module's file: tanh(x W + b), with zeros as weights.
std::string LinearModule(int64_t n_in, int64_t n_out);
// One that returns `expression`, in terms of x.
std::string ScriptedModule(const std::string& expression);

}  // namespace somafit
