// Embedding nets that come as a TorchScript module: the only file that names
// torch/script.h, which takes long to compile.

#include <mutex>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include <torch/script.h>

#include "server/inference/embedding.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

// A parameter's owner within the module, its name there and its initial value.
struct ModuleParameter {
  torch::jit::Module owner;
  std::string name;
  at::Tensor initial;
  int tensor;  // its place in the layout
};

class ScriptEmbedding final : public Embedding {
 public:
  ScriptEmbedding(torch::jit::Module module, std::vector<int64_t> x_shape,
                  std::vector<ModuleParameter> parameters, int64_t n_outputs)
      : module_(std::move(module)),
        x_shape_(std::move(x_shape)),
        parameters_(std::move(parameters)),
        n_outputs_(n_outputs) {}

  int64_t n_outputs() const override { return n_outputs_; }

  // The module's parameters are replaced by the tensors of this call: the
  // module is shared, hence the lock.
  at::Tensor Forward(const Weights& w, const at::Tensor& x) const override {
    const std::lock_guard lock(mutex_);
    for (const ModuleParameter& parameter : parameters_) {
      torch::jit::Module owner = parameter.owner;
      owner.setattr(parameter.name, w[parameter.tensor]);
    }
    std::vector<int64_t> shape = x_shape_;
    shape.insert(shape.begin(), x.size(0));
    torch::jit::Module module = module_;
    const at::Tensor out = module.forward({x.reshape(shape)}).toTensor();
    TORCH_CHECK(
        out.dim() == 2 && out.size(0) == x.size(0) && out.size(1) == n_outputs_,
        "the embedding's output has another shape than at first");
    return out;
  }

  void Initialize(const Weights& w) const override {
    for (const ModuleParameter& parameter : parameters_) {
      w[parameter.tensor].copy_(parameter.initial);
    }
  }

 private:
  mutable std::mutex mutex_;
  const torch::jit::Module module_;
  const std::vector<int64_t> x_shape_;
  const std::vector<ModuleParameter> parameters_;
  const int64_t n_outputs_;
};

absl::Status Refuse(const std::string& why) {
  return absl::InvalidArgumentError(
      absl::StrCat("the embedding's TorchScript module ", why));
}

// The width of its output for `n` rows of zeros.
absl::StatusOr<int64_t> Probe(torch::jit::Module& module,
                              std::vector<int64_t> shape, int64_t n,
                              const at::Device& device) {
  shape.insert(shape.begin(), n);
  const c10::IValue out =
      module.forward({at::zeros(shape, at::kFloat).to(device)});
  if (!out.isTensor() || out.toTensor().scalar_type() != at::kFloat) {
    return Refuse("does not return a float32 tensor");
  }
  const at::Tensor tensor = out.toTensor();
  if (tensor.dim() != 2 || tensor.size(0) != n || tensor.size(1) < 1) {
    return Refuse(absl::StrCat("returns the shape [",
                               absl::StrJoin(tensor.sizes(), " x "), "] for ",
                               n, " rows, not [", n, " x outputs]"));
  }
  if (!tensor.isfinite().all().item<bool>()) {
    return Refuse("returns numbers that are not finite for zeros");
  }
  return tensor.size(1);
}

absl::Status CollectParameters(const torch::jit::Module& module,
                               ParameterLayout& layout,
                               std::vector<ModuleParameter>& parameters) {
  for (const auto& parameter : module.named_parameters(/*recurse=*/false)) {
    if (!parameter.value.defined() || parameter.value.numel() == 0) continue;
    if (parameter.value.scalar_type() != at::kFloat) {
      return Refuse(absl::StrCat("has a parameter, ", parameter.name,
                                 ", that is not float32"));
    }
    std::vector<int64_t> shape = parameter.value.sizes().vec();
    parameters.push_back({module, parameter.name,
                          parameter.value.detach().clone(),
                          layout.Add(std::move(shape), Normal(0, 0))});
  }
  for (const auto& child : module.named_children()) {
    SOMAFIT_RETURN_IF_ERROR(CollectParameters(child.value, layout, parameters));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Embedding>> Load(
    const std::string& torch_script, const std::vector<int64_t>& x_shape,
    const at::Device& device, ParameterLayout& layout) {
  std::istringstream stream(torch_script);
  torch::jit::Module module = torch::jit::load(stream, device);
  module.eval();
  const at::NoGradGuard no_gradient;
  SOMAFIT_ASSIGN_OR_RETURN(const int64_t width,
                           Probe(module, x_shape, 2, device));
  SOMAFIT_ASSIGN_OR_RETURN(const int64_t again,
                           Probe(module, x_shape, 3, device));
  if (width != again) {
    return Refuse("returns as many numbers as depends on the number of rows");
  }
  std::vector<ModuleParameter> parameters;
  SOMAFIT_RETURN_IF_ERROR(CollectParameters(module, layout, parameters));
  return std::make_unique<ScriptEmbedding>(std::move(module), x_shape,
                                           std::move(parameters), width);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Embedding>> MakeScriptEmbedding(
    const std::string& torch_script, const std::vector<int64_t>& x_shape,
    const at::Device& device, ParameterLayout& layout) {
  absl::StatusOr<std::unique_ptr<Embedding>> result =
      absl::UnknownError("not loaded");
  const absl::Status status = CatchAsStatus("LibTorch", [&] {
    result = Load(torch_script, x_shape, device, layout);
    return absl::OkStatus();
  });
  if (!status.ok()) {
    // The first line says it; the rest is a trace of LibTorch's own.
    const std::string text(status.message());
    return Refuse(absl::StrCat("cannot be loaded or run on data of shape [n x ",
                               absl::StrJoin(x_shape, " x "),
                               "]: ", text.substr(0, text.find('\n'))));
  }
  return result;
}

}  // namespace somafit
