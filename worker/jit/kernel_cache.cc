#include <list>
#include <mutex>

#include "absl/strings/str_cat.h"

#include "worker/core/base/status.h"
#include "worker/jit/kernel.h"

namespace somafit {
namespace {

// A kernel's code is some ten kilobytes.
constexpr size_t kKeptKernels = 64;

struct Kept {
  std::string content;
  std::shared_ptr<const Kernel> kernel;
};

struct Cache {
  std::mutex mutex;
  std::list<Kept> kept;  // latest first
};

Cache& TheCache() {
  static auto* const cache = new Cache;
  return *cache;
}

// All that the code depends on: the program's text names parameters and inputs,
// the code goes by their places.
std::string ContentOf(const Program& program, const KernelOptions& options) {
  std::string places;
  for (const Value& value : program.values) {
    if (value.op == Op::kParameter || value.op == Op::kInput ||
        value.op == Op::kInputNext) {
      absl::StrAppend(&places, value.index, " ");
    }
  }
  return absl::StrCat(
      places, "\n", program.parameters.size(), " ", program.inputs.size(), " ",
      program.noises.size(), " ", program.arrays.size(), "\n",
      static_cast<int>(options.variant), " ", static_cast<int>(options.isa),
      " ", options.width, " ", options.optimize, "\n", PrintProgram(program));
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Kernel>> CachedKernel(
    const Program& program, const KernelOptions& options) {
  std::string content = ContentOf(program, options);
  Cache& cache = TheCache();
  {
    const std::lock_guard lock(cache.mutex);
    for (auto it = cache.kept.begin(); it != cache.kept.end(); ++it) {
      if (it->content != content) continue;
      cache.kept.splice(cache.kept.begin(), cache.kept, it);
      return cache.kept.front().kernel;
    }
  }
  // Two threads may compile the same at once; either result will do.
  SOMAFIT_ASSIGN_OR_RETURN(std::shared_ptr<const Kernel> kernel,
                           CompileKernel(program, options));
  const std::lock_guard lock(cache.mutex);
  cache.kept.push_front({std::move(content), kernel});
  if (cache.kept.size() > kKeptKernels) cache.kept.pop_back();
  return kernel;
}

}  // namespace somafit
