#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/study/coordinator.h"

namespace somafit {

// A plan of two parameters, one output and two traces for tests: what
// ResolvePlan would return, without a model behind it.
FitPlan ExamplePlan(const std::string& name, int64_t n_samples = 10,
                    int64_t rounds = 3);
ModelSource ExampleModel();

// What a worker would find for a point: a smooth bowl; every point with a first
// coordinate above 0.95 of its range diverges.
Evaluation ExampleEvaluation(const std::vector<double>& point);

// Results of a whole task.
Coordinator::Report ExampleReport(const std::string& session, const Task& task);

}  // namespace somafit
