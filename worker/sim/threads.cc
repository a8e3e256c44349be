#include "worker/sim/threads.h"

#include <system_error>

namespace somafit {

std::vector<std::jthread> StartThreads(size_t count,
                                       const std::function<void()>& work) {
  std::vector<std::jthread> threads;
  try {
    for (size_t i = 0; i < count; ++i) threads.emplace_back(work);
  } catch (const std::system_error&) {
    // A limit on processes; those that there are will do.
  }
  return threads;
}

}  // namespace somafit
