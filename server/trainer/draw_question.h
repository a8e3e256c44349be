#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "absl/status/statusor.h"

#include "server/posterior/posterior.h"
#include "server/trainer/problem.h"
#include "server/trainer/task_run.h"
#include "somafit/v1/inference_service.pb.h"

namespace somafit {

// What is believed given x; the same for all x but with NPE-A.
using PosteriorFor =
    std::function<absl::StatusOr<std::shared_ptr<const Posterior>>(
        std::span<const double> x)>;

// Draws at each row of `xs` [n_x x E]. Those at a single x are keyed by the
// seed alone, those at several by seed and row.
absl::StatusOr<v1::PosteriorAnswer> AnswerDraws(const Problem& problem,
                                                const PosteriorFor& posterior,
                                                std::span<const double> xs,
                                                const v1::DrawQuery& query,
                                                const TaskRun& run);

// Log densities at each row of `xs`, of as many points each.
absl::StatusOr<v1::PosteriorAnswer> AnswerDensities(
    const Problem& problem, const PosteriorFor& posterior,
    std::span<const double> xs, const v1::DensityQuery& query,
    const TaskRun& run);

// InvalidArgument unless `rows` are 1 to `most` points of finite numbers.
absl::Status CheckRows(const Problem& problem, const char* what,
                       const google::protobuf::RepeatedField<double>& rows,
                       int64_t most);
void Set(std::span<const double> values,
         google::protobuf::RepeatedField<double>* field);

inline constexpr int64_t kMostRows = 1'000'000;
// Of an answer: 256 MiB.
inline constexpr int64_t kMostNumbers = int64_t{1} << 25;
inline constexpr int64_t kMostObservations = 10'000;
// What questions draw, whatever rounds drew with the same seed.
inline constexpr uint32_t kAskPurpose = 0xfffffff0;

}  // namespace somafit
