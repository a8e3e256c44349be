#pragma once

#include <cstddef>
#include <vector>

#include "absl/status/statusor.h"

#include "server/trainer/posteriors.h"
#include "server/trainer/problem.h"
#include "server/trainer/task_run.h"

namespace somafit {

// Answers a question about the posterior of `task.round`, at the x that comes
// with it or else at the observation, in one or several messages of at most
// kAnswerBytes of numbers each.
//
// Or proposes what a user is to simulate: see DoDraws.
//
// InvalidArgument where sizes are wrong or out of range, or a number is not
// finite; FailedPrecondition where the posterior has no answer there.
absl::StatusOr<std::vector<v1::PosteriorAnswer>> DoQuestion(
    const Problem& problem, const v1::AskTask& task, Posteriors& posteriors,
    const TaskRun& run);

inline constexpr size_t kAnswerBytes = size_t{1} << 20;

// The answer cut into messages; all but numbers is in the first.
std::vector<v1::PosteriorAnswer> Split(v1::PosteriorAnswer answer);

}  // namespace somafit
