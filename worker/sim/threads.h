#pragma once

#include <cstddef>
#include <functional>
#include <thread>
#include <vector>

namespace somafit {

// Up to `count` threads that do `work`: as many as the system gives. Who calls
// does the work too, so that none is enough.
std::vector<std::jthread> StartThreads(size_t count,
                                       const std::function<void()>& work);

}  // namespace somafit
