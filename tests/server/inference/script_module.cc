#include "tests/server/inference/script_module.h"

#include <sstream>

#include <torch/script.h>

namespace somafit {
namespace {

std::string Save(const torch::jit::Module& module) {
  std::ostringstream stream;
  module.save(stream);
  return stream.str();
}

}  // namespace

std::string LinearModule(int64_t n_in, int64_t n_out) {
  torch::jit::Module inner("Inner");
  inner.register_parameter("weight", at::zeros({n_in, n_out}), false);
  inner.register_parameter("bias", at::full({n_out}, 0.01), false);
  inner.define("def forward(self, x):\n  return x @ self.weight + self.bias\n");
  torch::jit::Module module("Outer");
  module.register_module("inner", inner);
  module.define(
      "def forward(self, x):\n  return torch.tanh(self.inner.forward(x))\n");
  return Save(module);
}

std::string ScriptedModule(const std::string& expression) {
  torch::jit::Module module("Module");
  module.define("def forward(self, x):\n  return " + expression + "\n");
  return Save(module);
}

}  // namespace somafit
