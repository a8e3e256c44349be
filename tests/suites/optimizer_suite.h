#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "server/optimizer/optimizer.h"

namespace somafit {

// Test functions on the unit cube, with minimum 0.
double Sphere(const std::vector<double>& point);      // at 0.3
double Rosenbrock(const std::vector<double>& point);  // at 0.75

// One with default options.
std::unique_ptr<Optimizer> MakeOptimizer(const OptimizerEntry& entry,
                                         size_t dimensions);

// Runs rounds `first` .. `last` - 1 of `count` points; all that was told.
std::vector<Told> RunRounds(
    Optimizer& optimizer, uint64_t seed, uint32_t first, uint32_t last,
    int64_t count,
    const std::function<double(const std::vector<double>&)>& function);

}  // namespace somafit
