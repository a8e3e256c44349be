#include "server/inference/device.h"

#include <algorithm>
#include <atomic>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <chrono>
#include <dlfcn.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "worker/core/lang/source.h"

namespace somafit {
namespace {

std::atomic<int> threads = 1;

// OpenBLAS has threads of its own; other libraries lack the symbol.
void SetBlasThreads(int n) {
  using Setter = void (*)(int);
  static const auto setter =
      reinterpret_cast<Setter>(dlsym(RTLD_DEFAULT, "openblas_set_num_threads"));
  static std::atomic<int> set_to = 0;
  if (setter != nullptr && set_to.exchange(n) != n) setter(n);
}

}  // namespace

void SetInferenceThreads(int n_threads) {
  threads = std::max(1, n_threads);
  ApplyInferenceThreads();
}

void ApplyInferenceThreads() {
  const int n = threads;
  if (at::get_num_threads() != n) at::set_num_threads(n);
  SetBlasThreads(n);
}

absl::StatusOr<std::string> ResolveDevice(std::string_view device) {
  const std::string name(device);
  if (name == "cpu") return name;
  int index = 0;
  const bool numbered = name.rfind("cuda:", 0) == 0;
  if (name != "gpu" && name != "cuda" &&
      !(numbered && absl::SimpleAtoi(name.substr(5), &index) && index >= 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("unknown device ", Quoted(name),
                     ": write cpu, gpu, cuda or cuda:<number>"));
  }
  if (!at::hasCUDA()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "device \"", name,
        "\" is not there: this LibTorch is built without CUDA, or the machine "
        "has no GPU; use cpu"));
  }
  const int n_devices =
      c10::impl::getDeviceGuardImpl(c10::DeviceType::CUDA)->deviceCount();
  if (index >= n_devices) {
    return absl::FailedPreconditionError(
        absl::StrCat("device \"", name, "\" is not there: this machine has ",
                     n_devices, " CUDA devices"));
  }
  return absl::StrCat("cuda:", index);
}

double MeasureMatrixSpeed() {
  using Clock = std::chrono::steady_clock;
  constexpr int64_t kSize = 256;
  ApplyInferenceThreads();
  const at::NoGradGuard no_gradient;
  const at::Tensor a = at::full({kSize, kSize}, 0.5, at::kFloat);
  at::Tensor out = at::mm(a, a);
  double best = 0;
  const auto end = Clock::now() + std::chrono::milliseconds(20);
  do {
    const auto start = Clock::now();
    at::mm_out(out, a, a);
    const double seconds =
        std::chrono::duration<double>(Clock::now() - start).count();
    best = std::max(best, 2.0 * kSize * kSize * kSize / seconds * 1e-9);
  } while (Clock::now() < end);
  return best;
}

}  // namespace somafit
